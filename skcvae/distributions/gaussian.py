r"""Diagonal Gaussians, parameterised by unconstrained network outputs.

A network predicts a location :math:`\mu` and a raw scale :math:`r` for each coordinate.
The scale is :math:`\sigma = \mathrm{softplus}(r + c) + \sigma_{\min}`, with :math:`c`
such that :math:`r = 0` gives :math:`\sigma \approx 1`.
"""

import math

from torch import Tensor
from torch.distributions import Independent, Normal
from torch.nn import functional as F

UNIT = math.log(math.expm1(1.0))  # softplus(UNIT) = 1


def raw_scale_of(scale: float) -> float:
    """Return the raw scale that corresponds to a scale.

    Parameters
    ----------
    scale : float
        A positive scale.

    Returns
    -------
    float
        Inverse softplus of the scale, shifted so that a scale of one maps to zero.
    """
    return math.log(math.expm1(scale)) - UNIT


def scale_of(raw_scale: Tensor, min_scale: float) -> Tensor:
    """Map raw scales to positive scales.

    Parameters
    ----------
    raw_scale : Tensor
        The raw scale; zero maps to a scale of one.
    min_scale : float
        Lower bound on every scale.

    Returns
    -------
    Tensor
        Of the same shape.
    """
    return F.softplus(raw_scale + UNIT) + min_scale


def diagonal_normal(
    loc: Tensor, raw_scale: Tensor, *, min_scale: float, event_ndim: int
) -> Independent:
    r"""Return :math:`N(\mu, \mathrm{diag}(\sigma^2))` from unconstrained parameters.

    Parameters
    ----------
    loc : Tensor
        The location :math:`\mu`.
    raw_scale : Tensor, broadcast against `loc`
        The raw scale :math:`r`; zero maps to a scale of one.
    min_scale : float
        Lower bound :math:`\sigma_{\min}` on every scale.
    event_ndim : int
        Number of trailing event dimensions.

    Returns
    -------
    Independent
        Batch shape ``batch``, event shape ``event``.
    """
    scale = scale_of(raw_scale, min_scale)
    return Independent(Normal(loc, scale, validate_args=False), event_ndim, validate_args=False)


def detached(gaussian: Independent) -> Independent:
    """Return a diagonal Gaussian with its parameters detached from the graph.

    Parameters
    ----------
    gaussian : Independent
        A diagonal Gaussian.

    Returns
    -------
    Independent
        The same distribution; its parameters get no gradient.
    """
    loc, scale = gaussian.mean.detach(), gaussian.stddev.detach()
    normal = Normal(loc, scale, validate_args=False)
    return Independent(normal, len(gaussian.event_shape), validate_args=False)
