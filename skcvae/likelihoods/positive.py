r"""Positive outputs, such as prices, durations and amounts.

The network's location is added to the logarithm of the mean of the training targets,
:math:`\log m(x, z) = \log m_0 + f(x, z)`, with :math:`-20 < f < 10`. The
networks get :math:`\log(y / m_0)`. Densities are those of y itself, which is not standardised.
"""

from numbers import Real

import numpy as np
import torch
from sklearn.utils._param_validation import Interval
from torch import Tensor, nn
from torch.distributions import Distribution
from torch.distributions import Gamma as GammaDistribution
from torch.distributions import LogNormal as LogNormalDistribution

from skcvae.likelihoods.base import POSITIVE, SCALES, LearnedScale, Likelihood, Rescaled, row_of
from skcvae.likelihoods.bound import bounded

LARGEST_SCALE = 4.0  # beyond it the mean of a log-normal distribution overflows


class Positive(Likelihood):
    """Base class of the likelihoods of positive numbers."""

    accepts_means = False  # a mean of logarithms is of another scale
    bounds = 0.0, np.inf

    _parameter_constraints = {
        **SCALES,
        "init_scale": [Interval(Real, 0, LARGEST_SCALE, closed="neither")],
        "init_mean": ["array-like", *POSITIVE, None],
    }

    def __init__(self, heteroscedastic=False, *, init_scale=0.3, min_scale=1e-3, init_mean=None):
        self.heteroscedastic = heteroscedastic
        self.init_scale = init_scale
        self.min_scale = min_scale
        self.init_mean = init_mean

    def check_targets(self, y):
        strange = np.isfinite(y) & (y <= 0)
        if strange.any():
            raise ValueError(
                f"{type(self).__name__} expects positive numbers in y, got {y[strange][0]:g}. "
                "Use Hurdle for positive numbers and zeros, or another likelihood."
            )

    def fit_coding(self, y, weight=None, *, normalize=True):
        if self.init_mean is None:
            present = np.where(y > 0, y, np.nan)
            empty = np.isnan(present).all(axis=0)
            self.set_params(init_mean=np.nanmean(np.where(empty, 1.0, present), axis=0))
        return super().fit_coding(y, weight, normalize=normalize)

    def build(self, y_shape: tuple[int, ...]) -> nn.Module:
        self._validate_params()
        mean = row_of(self, "init_mean", y_shape, 1.0, positive=True)
        family = _Family(torch.from_numpy(mean).float(), self.family)
        return _Positive(LearnedScale.of(self, y_shape, family))


class LogNormal(Positive):
    r"""Positive outputs whose logarithms are Gaussian.

    .. math:: p(y \mid x, z) = \prod_j \frac{1}{y_j} N(\log y_j; \log m_j(x, z), \sigma_j^2)

    Draws are positive, and :math:`E[y_j|x,z] = m_j e^{\sigma_j^2 / 2}`.

    Parameters
    ----------
    heteroscedastic : bool, default=False
        If False, :math:`\sigma` is a learned parameter per output. If True, the
        network predicts it for each row and draw, :math:`\sigma(x, z)`.
    init_scale : float, default=0.3
        The initial :math:`\sigma`, in units of log y; at most 4.
    min_scale : float, default=0.001
        Lower bound on :math:`\sigma`.
    init_mean : float or array-like of the shape of one row of y, default=None
        The initial :math:`m`. None uses the mean of the training targets.

    References
    ----------
    Crow and Shimizu (1988), *Lognormal Distributions*, chapter 1.

    Examples
    --------
    >>> from skcvae import CVAERegressor
    >>> CVAERegressor(likelihood="log_normal").set_params(likelihood__init_scale=1.0)
    CVAERegressor(likelihood=LogNormal(init_scale=1.0))
    """

    @staticmethod
    def family(log_mean: Tensor, scale: Tensor) -> Distribution:
        """Return the distribution of a location and a scale, both in units of log y.

        Parameters
        ----------
        log_mean, scale : Tensor of shape batch + y_shape
            :math:`\\log m` and :math:`\\sigma`.

        Returns
        -------
        Distribution
            Of batch shape batch + y_shape.
        """
        return LogNormalDistribution(log_mean, scale, validate_args=False)


class Gamma(Positive):
    r"""Positive outputs with a gamma distribution of mean :math:`m_j(x, z)`.

    .. math:: p(y \mid x, z) = \prod_j \mathrm{Gamma}(y_j; a_j, a_j / m_j(x, z)),
        \quad a_j = 1 / \sigma_j^2

    The coefficient of variation :math:`\sigma_j` is the standard deviation over the mean; at
    1 it is the exponential distribution. Draws are positive.

    Parameters
    ----------
    heteroscedastic : bool, default=False
        If False, :math:`\sigma` is a learned parameter per output. If True, the
        network predicts it for each row and draw, :math:`\sigma(x, z)`.
    init_scale : float, default=0.3
        The initial coefficient of variation :math:`\sigma`; at most 4.
    min_scale : float, default=0.001
        Lower bound on :math:`\sigma`.
    init_mean : float or array-like of the shape of one row of y, default=None
        The initial mean :math:`m`. None uses the mean of the training targets.

    References
    ----------
    McCullagh and Nelder (1989), *Generalized Linear Models*, chapter 8.

    Examples
    --------
    >>> from skcvae import CVAERegressor
    >>> from skcvae.likelihoods import Gamma
    >>> CVAERegressor(likelihood=Gamma(heteroscedastic=True))
    CVAERegressor(likelihood=Gamma(heteroscedastic=True))
    """

    @staticmethod
    def family(log_mean: Tensor, scale: Tensor) -> Distribution:
        """Return the distribution of the logarithm of a mean and a coefficient of variation.

        Parameters
        ----------
        log_mean, scale : Tensor of shape batch + y_shape
            :math:`\\log m` and :math:`\\sigma`.

        Returns
        -------
        Distribution
            Of batch shape batch + y_shape.
        """
        concentration = scale.double().square().reciprocal()
        rate = concentration * (-log_mean.double()).exp()
        return _DoubleGamma(concentration, rate, validate_args=False)


class _DoubleGamma(GammaDistribution):
    def log_prob(self, value: Tensor) -> Tensor:
        return super().log_prob(value.double())


class _Family(nn.Module):
    """A family of positive distributions around a mean, from unbounded numbers."""

    def __init__(self, init_mean: Tensor, family):
        super().__init__()
        self.register_buffer("init_mean", init_mean)
        self.family = family

    def forward(self, raw: Tensor, scale: Tensor) -> Distribution:
        scale = bounded(scale, -LARGEST_SCALE, LARGEST_SCALE)
        return self.family(self.init_mean.log() + bounded(raw), scale)


class _Positive(Rescaled):
    def read(self, y: Tensor) -> Tensor:
        return (y / self.layer.family.init_mean).log()
