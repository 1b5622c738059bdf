r"""Diagonal Gaussians, read from unbounded numbers.

A network ends in two numbers per coordinate, a location :math:`\mu` and a raw
scale :math:`r`, read as :math:`\sigma = \mathrm{softplus}(r + c) + \sigma_{\min}`
with :math:`c` such that :math:`r = 0` means :math:`\sigma \approx 1`.
"""

import math

from torch import Tensor
from torch.distributions import Independent, Normal
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


def scale_of(raw_scale: Tensor, min_scale: float) -> Tensor:
    """Return positive scales from unbounded numbers.

    Parameters
    ----------
    raw_scale : Tensor
        The raw scale; zero stands for a scale of one.
    min_scale : float
        The floor under every scale.

    Returns
    -------
    Tensor
        Of the same shape.
    """
    return F.softplus(raw_scale + UNIT) + min_scale


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
    scale = scale_of(raw_scale, min_scale)
    return Independent(Normal(loc, scale, validate_args=False), event_ndim, validate_args=False)


def detached(gaussian: Independent) -> Independent:
    """Return a diagonal Gaussian whose parameters get no gradient.

    Parameters
    ----------
    gaussian : Independent
        Any.

    Returns
    -------
    Independent
        Sharing the numbers.
    """
    loc, scale = gaussian.mean.detach(), gaussian.stddev.detach()
    normal = Normal(loc, scale, validate_args=False)
    return Independent(normal, len(gaussian.event_shape), validate_args=False)
