r"""The diagonal Gaussian that the networks share, and its reparameterisation.

A network ends in two numbers per coordinate, a location :math:`\mu` and a raw
scale :math:`r`, read as :math:`\sigma = \mathrm{softplus}(r + c) + \sigma_{\min}`
with :math:`c` such that :math:`r = 0` means :math:`\sigma \approx 1`. A draw is
:math:`z = \mu + \sigma \epsilon` with :math:`\epsilon \sim N(0, I)` given from
outside, so that a network stays a pure function of its inputs.
"""

import math

import torch
from torch import Tensor
from torch.distributions import Distribution, Independent, Normal
from torch.nn import functional as F

UNIT = math.log(math.expm1(1.0))  # softplus(UNIT) = 1


def raw_scale_of(scale: float) -> float:
    """Return the raw number that `diagonal_normal` reads as `scale`.

    Parameters
    ----------
    scale : float
        A positive scale.

    Returns
    -------
    float
        Its inverse softplus, shifted so that a scale of one is zero.
    """
    return math.log(math.expm1(scale)) - UNIT


def diagonal_normal(
    loc: Tensor, raw_scale: Tensor, *, min_scale: float, event_ndim: int
) -> Independent:
    r"""Return :math:`N(\mu, \mathrm{diag}(\sigma^2))` from unbounded numbers.

    Parameters
    ----------
    loc : Tensor
        The location :math:`\mu`.
    raw_scale : Tensor, broadcast against `loc`
        The raw scale :math:`r`; zero stands for a scale of one.
    min_scale : float
        The floor :math:`\sigma_{\min}` under every scale.
    event_ndim : int
        How many of the last dimensions belong to one event.

    Returns
    -------
    Independent
        Batch shape ``batch``, event shape ``event``.
    """
    scale = F.softplus(raw_scale + UNIT) + min_scale
    return Independent(Normal(loc, scale, validate_args=False), event_ndim, validate_args=False)


def reparameterize(distribution: Distribution, noise: Tensor) -> Tensor:
    r"""Return :math:`z = \mu + \sigma \epsilon`.

    Parameters
    ----------
    distribution : Distribution
        A diagonal Gaussian with batch shape (n,) and event shape ``event``.
    noise : Tensor of shape (n_draws, n, ...) or (n_draws, 1, ...)
        Standard normal :math:`\epsilon`.

    Returns
    -------
    Tensor of shape (n_draws, n, ...)
        The draws, differentiable in the parameters of `distribution`.
    """
    return torch.addcmul(distribution.mean, distribution.stddev, noise)
