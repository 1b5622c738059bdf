"""Generators of data with a conditional density in closed form."""

from numbers import Integral, Real

import numpy as np
from scipy.special import i0e
from scipy.stats import multivariate_normal
from sklearn.utils import Bunch
from sklearn.utils._param_validation import Interval, validate_params

from skcvae.random import seed_from

ROWS = {
    "n_samples": [Interval(Integral, 1, None, closed="left")],
    "noise": [Interval(Real, 0, None, closed="neither")],
    "random_state": ["random_state"],
}
SIZES = dict.fromkeys(("n_features", "n_outputs", "n_latent"), ROWS["n_samples"])


@validate_params(ROWS | SIZES, prefer_skip_nested_validation=True)
def make_linear_gaussian(
    n_samples=1000, *, n_features=5, n_outputs=3, n_latent=2, noise=0.5, random_state=None
):
    r"""Generate linear-Gaussian data with outputs that are correlated given x.

    .. math::

        y = W x + B z + \sigma e, \quad p(y|x) = N(W x, \; B B^\top + \sigma^2 I),

    with standard normal x, z and e, and W and B drawn once from N(0, 1).

    Parameters
    ----------
    n_samples : int, default=1000
        Number of rows.
    n_features, n_outputs, n_latent : int, default=5, 3, 2
        Sizes of x, y and z.
    noise : float, default=0.5
        The scale :math:`\sigma` of the independent noise.
    random_state : int, RandomState or None, default=None
        Seed of the parameters and the rows.

    Returns
    -------
    Bunch
        `X` of shape (n_samples, n_features), `y` of shape (n_samples,
        n_outputs), `log_prob`, a function of (X, y) that returns the exact
        log p(y|x) of each row in nats, and the parameters `coef` (W), `loading`
        (B) and `noise`.

    Examples
    --------
    >>> from skcvae.datasets import make_linear_gaussian
    >>> data = make_linear_gaussian(n_samples=50, random_state=0)
    >>> data.log_prob(data.X, data.y).shape
    (50,)
    """
    rng = np.random.default_rng(seed_from(random_state))
    coef = rng.standard_normal((n_outputs, n_features))
    loading = rng.standard_normal((n_outputs, n_latent))
    X = rng.standard_normal((n_samples, n_features))
    z = rng.standard_normal((n_samples, n_latent))
    y = X @ coef.T + z @ loading.T + noise * rng.standard_normal((n_samples, n_outputs))
    residual = multivariate_normal(cov=loading @ loading.T + noise**2 * np.eye(n_outputs))

    def log_prob(X, y):
        mean = X @ coef.T
        return np.atleast_1d(residual.logpdf(np.reshape(y, mean.shape) - mean))

    return Bunch(X=X, y=y, log_prob=log_prob, coef=coef, loading=loading, noise=noise)


@validate_params(ROWS, prefer_skip_nested_validation=True)
def make_two_branches(n_samples=1000, *, noise=0.1, random_state=None):
    r"""Generate data with a bimodal p(y|x): two branches.

    .. math::

        y = s \, (1 + \tfrac12 \sin 3x) + \sigma e, \quad
        s = \pm 1 \text{ with equal chance}, \quad x \sim U(-1, 1).

    Parameters
    ----------
    n_samples : int, default=1000
        Number of rows.
    noise : float, default=0.1
        The scale :math:`\sigma` of the noise around each branch.
    random_state : int, RandomState or None, default=None
        Seed of the rows.

    Returns
    -------
    Bunch
        `X` of shape (n_samples, 1), `y` of shape (n_samples,), `log_prob`, a
        function of (X, y) that returns the exact log p(y|x) of each row in
        nats, and `branch`, a function of X that returns the upper branch; the
        lower one is its negative.

    Examples
    --------
    >>> from skcvae.datasets import make_two_branches
    >>> data = make_two_branches(n_samples=50, random_state=0)
    >>> data.X.shape, data.y.shape
    ((50, 1), (50,))
    """
    rng = np.random.default_rng(seed_from(random_state))
    X = rng.uniform(-1, 1, (n_samples, 1))
    sign = rng.choice([-1.0, 1.0], n_samples)
    y = sign * _branch(X) + noise * rng.standard_normal(n_samples)

    def log_prob(X, y):
        y = np.reshape(y, len(X))
        towards = [-0.5 * ((y - s * _branch(X)) / noise) ** 2 for s in (-1, 1)]
        return np.logaddexp(*towards) - np.log(2 * noise * np.sqrt(2 * np.pi))

    return Bunch(X=X, y=y, log_prob=log_prob, branch=_branch)


@validate_params(ROWS, prefer_skip_nested_validation=True)
def make_ring(n_samples=1000, *, noise=0.1, random_state=None):
    r"""Generate pairs on a ring of radius x, with uninformative means and marginals.

    .. math::

        y = x \, (\cos t, \sin t) + \sigma e, \quad t \sim U(0, 2\pi), \quad x \sim U(1, 2),

    so that :math:`\log p(y|x) = \log I_0(x \|y\| / \sigma^2)
    - (\|y\|^2 + x^2) / 2\sigma^2 - \log 2\pi\sigma^2`.

    Parameters
    ----------
    n_samples : int, default=1000
        Number of rows.
    noise : float, default=0.1
        The scale :math:`\sigma` of the noise around the ring.
    random_state : int, RandomState or None, default=None
        Seed of the rows.

    Returns
    -------
    Bunch
        `X` of shape (n_samples, 1), `y` of shape (n_samples, 2) and
        `log_prob`, a function of (X, y) that returns the exact log p(y|x) of
        each row in nats.

    Examples
    --------
    >>> from skcvae.datasets import make_ring
    >>> data = make_ring(n_samples=50, random_state=0)
    >>> data.y.shape
    (50, 2)
    """
    rng = np.random.default_rng(seed_from(random_state))
    X = rng.uniform(1, 2, (n_samples, 1))
    t = rng.uniform(0, 2 * np.pi, n_samples)
    y = X * np.column_stack([np.cos(t), np.sin(t)]) + noise * rng.standard_normal((n_samples, 2))

    def log_prob(X, y):
        radius, length = np.asarray(X)[:, 0], np.linalg.norm(np.reshape(y, (len(X), 2)), axis=1)
        # log I0(a) = log i0e(a) + a, which completes the square.
        log_bessel = np.log(i0e(radius * length / noise**2))
        return log_bessel - (length - radius) ** 2 / (2 * noise**2) - np.log(2 * np.pi * noise**2)

    return Bunch(X=X, y=y, log_prob=log_prob)


def _branch(X):
    return 1 + 0.5 * np.sin(3 * np.asarray(X)[:, 0])
