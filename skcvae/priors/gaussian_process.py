r"""Gaussian process prior: the codes of the training rows are values of functions of x.

Coordinates of z are independent processes over rows, :math:`z \sim GP(0, k(x, x'))`. Codes of n
rows have means :math:`m_i` and scales :math:`s_i`, those of the recognition network: the mean is
an observation of the process with an error of that scale. A row :math:`x_*` has the process
given a weighted sum of the means,

.. math::

    p(z_* \mid x_*) = N\Big(\frac{c}{v} \sum_i w_i m_i,\; k(x_*, x_*) - \frac{c^2}{v}\Big),
    \quad w = (K + T)^{-1} k(x_*),

with :math:`c = \sum_i w_i k(x_i, x_*)` the covariance of :math:`z_*` with the sum,
:math:`v = \sum_{ij} w_i w_j K_{ij} + \sum_i w_i^2 s_i^2` the variance of the sum, and T diagonal,
the smallest :math:`s_i^2` of each row among the coordinates of z: coordinates share the weights,
and so one factor. Where their scales are equal this is Gaussian process regression with errors
of variances :math:`s_i^2`; where these are small, that of Yoo et al. (2017), section 3.2. The
variance is never larger than the kernel's. It is a diagonal Gaussian as other priors are, so
that draws, densities and intervals follow.
"""

from numbers import Integral, Real
from operator import itemgetter

import numpy as np
from scipy.optimize import minimize
from sklearn.base import clone
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Kernel, Matern, WhiteKernel
from sklearn.utils._param_validation import Interval, StrOptions
from torch import nn

from skcvae.distributions import MIN_SCALE
from skcvae.priors.base import Prior
from skcvae.priors.process import JITTER, MOST_NEIGHBORS, Process, singular

KERNEL_ROWS = 500  # whose codes choose the hyperparameters
VARYING = 0.01  # variance of the means of a coordinate that has them chosen


class GaussianProcess(Prior):
    r"""A Gaussian process over x, conditioned on the codes of the rows of `fit`.

    Variational autoencoded regression: y is a function of z alone, and z of x. Training has
    two stages of at most `max_epochs` each, in which early stopping watches the conditional
    log-likelihood. First a variational autoencoder of y is trained with the prior N(0, I).
    The kernel's hyperparameters then follow from its codes by marginal likelihood, that of
    :class:`sklearn.gaussian_process.GaussianProcessRegressor`. The second stage
    trains the same networks on batches of neighbouring rows, each row with the process given
    the codes of all other rows of the batch as its prior; gradients reach the recognition
    network through the process. Afterwards the process is conditioned on the codes of all rows
    of `fit`, those for early stopping too unless they are given as X_val.

    The generation network does not read x: `initial_guess` and `omission` are refused, and
    `warm_start`, an accelerator and `bins` of the architecture too. Sample weights weight the
    loss; the process is conditioned on all rows alike. With the objective "hybrid" the second
    stage also decodes draws from the process, as the reference does.

    Parameters
    ----------
    kernel : Kernel or None, default=None
        Covariance of standardised x (of x, with ``normalize_X=False``), for every coordinate
        of z: constants, white noise, dot product, RBF, Matern, rational quadratic,
        exponential sine squared of :mod:`sklearn.gaussian_process.kernels`, their sums,
        products and powers. Bounds "fixed" keep a hyperparameter. White noise is what x does
        not tell of z. None is ``1.0 * Matern(1.0, (1e-3, 1e2), nu=1.5) + WhiteKernel(0.1)``.
    encoder_scale : bool, default=False
        Whether covariances are multiplied by :math:`\sqrt{\sigma_i \sigma_j}`, with
        :math:`\sigma_i` the scale of the code of row i; that of another row follows from the
        same process, on :math:`\log \sigma`, is 1 far from all rows, and at most the largest
        of them or 1. With ``kernel=RBF(1.0, "fixed")`` it is the reference's kernel.
    n_neighbors : "auto" or int, default="auto"
        Rows of `fit` to condition each row on, those of the largest covariance with it, at
        most 2,000. Where `fit` has no more than that the process is exact. "auto" takes all
        up to 2,000, and 64 of more.
    min_scale : float, default=0.001
        Lower bound on the recognition network's scales.

    References
    ----------
    Yoo, Yun, Chang, Demiris and Choi (2017), *Variational Autoencoded Regression: High
    Dimensional Regression of Visual Data on Complex Manifold*, CVPR.

    Casale, Dalca, Saglietti, Listgarten and Fusi (2018), *Gaussian Process Prior Variational
    Autoencoders*, NeurIPS, for the divergence from the process instead of N(0, I).

    Rasmussen and Williams (2006), *Gaussian Processes for Machine Learning*, section 5.4.2,
    for leaving one row out in closed form.

    Examples
    --------
    >>> from sklearn.gaussian_process.kernels import RBF
    >>> from skcvae import CVAERegressor
    >>> est = CVAERegressor(prior="gaussian_process").set_params(prior__n_neighbors=100)
    >>> est.set_params(prior__kernel=RBF(0.5)).prior
    GaussianProcess(kernel=RBF(length_scale=0.5), n_neighbors=100)
    """

    _parameter_constraints = {
        "kernel": [Kernel, None],
        "encoder_scale": ["boolean"],
        "n_neighbors": [
            StrOptions({"auto"}),
            Interval(Integral, 1, MOST_NEIGHBORS, closed="both"),
        ],
        "min_scale": [Interval(Real, 0, None, closed="neither")],
    }

    conditions_on_rows = True

    def __init__(
        self, kernel=None, *, encoder_scale=False, n_neighbors="auto", min_scale=MIN_SCALE
    ):
        self.kernel = kernel
        self.encoder_scale = encoder_scale
        self.n_neighbors = n_neighbors
        self.min_scale = min_scale

    def resolve(self, x: np.ndarray, codes: np.ndarray, seed: int) -> "GaussianProcess":
        """Return a copy whose kernel has hyperparameters chosen by marginal likelihood.

        Parameters
        ----------
        x : ndarray of shape (n_rows, n_columns)
            Rows as the networks get them.
        codes : ndarray of shape (n_rows, n_latents)
            Their codes; those that hardly vary are left out.
        seed : int
            Of the choice of 500 rows, where there are more.

        Returns
        -------
        GaussianProcess
            A copy.

        Raises
        ------
        ValueError
            If the covariance of the rows is singular.
        """
        some = np.random.default_rng(seed).permutation(len(x))[:KERNEL_ROWS]
        varying = codes.var(axis=0) > VARYING
        codes = codes[:, varying] if varying.any() else codes
        try:
            found = [_most_likely(kernel, x[some], codes[some]) for kernel in self._kernels()]
        except np.linalg.LinAlgError as error:
            raise singular(self.kernel) from error
        return clone(self).set_params(kernel=max(found, key=itemgetter(0))[1])

    def _kernels(self):
        """Return the kernel, or the default one with several lengths to start from."""
        if self.kernel is not None:
            _check_positive(self.kernel)
            return [clone(self.kernel)]
        return [
            ConstantKernel(1.0) * Matern(length, (1e-3, 1e2), nu=1.5) + WhiteKernel(0.1)
            for length in (1.0, 0.1, 0.01)
        ]

    def build(self, latent_shape: tuple[int, ...]) -> nn.Module:
        self._validate_params()
        return Process(
            latent_shape,
            self._kernels()[0],
            encoder_scale=self.encoder_scale,
            n_neighbors=self.n_neighbors,
            min_scale=self.min_scale,
        )


def _check_positive(kernel):
    with np.errstate(invalid="ignore", divide="ignore"):
        logarithms = kernel.theta
    if not np.isfinite(logarithms).all():
        raise ValueError(
            "The 'kernel' parameter of GaussianProcess must have hyperparameters above zero, got "
            f"{kernel!r}."
        )


def _most_likely(kernel, x, codes):
    """Return the highest log marginal likelihood of codes, and the kernel that has it."""
    process = GaussianProcessRegressor(kernel, alpha=JITTER, optimizer=None).fit(x, codes)
    if not kernel.n_dims:
        return process.log_marginal_likelihood_value_, kernel

    def loss(theta):
        value, gradient = process.log_marginal_likelihood(theta, eval_gradient=True)
        return -value, -gradient

    # Not by `fit`, which warns at bounds: no noise, for one, is no fault.
    found = minimize(loss, kernel.theta, jac=True, bounds=kernel.bounds, method="L-BFGS-B")
    return -found.fun, kernel.clone_with_theta(found.x)
