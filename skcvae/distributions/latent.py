r"""Distributions of z, parameterised by network outputs, and Gaussians of few operations.

A network ends in two numbers per coordinate, a location :math:`\mu` and a raw scale
:math:`r`, read as :math:`\sigma = \mathrm{softplus}(r + c) + \sigma_{\min}` with :math:`c`
such that :math:`r = 0` means :math:`\sigma \approx 1`. A draw is
:math:`z = \mu + \sigma \epsilon` with :math:`\epsilon \sim N(0, I)` from outside, so that a
network stays a pure function of its inputs. Mixtures of Gaussians and flows are drawn
from noise in the same way; a distribution without a rule is refused.
"""

import math
from functools import singledispatch

import torch
from torch import Tensor, nn
from torch.distributions import (
    Distribution,
    Independent,
    MixtureSameFamily,
    Normal,
    kl_divergence,
    register_kl,
)
from torch.nn import functional as F

MIN_SCALE = 1e-3
UNIT = math.log(math.expm1(1.0))  # softplus(UNIT) = 1
LOG_ROOT_2_PI = math.log(2 * math.pi) / 2


class SharedScaleNormal(Normal):
    """A normal distribution; terms of a scale that rows share are computed once.

    torch's expands the scale, and its log density has nine operations instead of six, each of
    which costs as much as a product in a step of a small network. The derivative of a product
    takes two operations, that of a quotient five: the inverse of the scale is a factor.

    Parameters
    ----------
    loc : Tensor of shape (...)
        Means.
    scale : Tensor that broadcasts to the shape of loc
        Standard deviations.
    """

    def __init__(self, loc: Tensor, scale: Tensor):
        self.loc, self.scale, self.shared_scale = loc, scale.expand_as(loc), scale
        Distribution.__init__(self, loc.shape, validate_args=False)

    def expand(self, batch_shape, _instance=None) -> "SharedScaleNormal":
        return SharedScaleNormal(self.loc.expand(batch_shape), self.scale.expand(batch_shape))

    def log_prob(self, value: Tensor) -> Tensor:
        inverse = self.shared_scale.reciprocal()
        deviation, constant = (value - self.loc) * inverse, inverse.log() - LOG_ROOT_2_PI
        return torch.addcmul(constant, deviation, deviation, value=-0.5)


@register_kl(SharedScaleNormal, SharedScaleNormal)
def _(q: SharedScaleNormal, p: SharedScaleNormal) -> Tensor:
    inverse = p.scale.reciprocal()
    ratio, deviation = q.scale * inverse, (q.loc - p.loc) * inverse
    spread = torch.addcmul(-ratio.log() - 0.5, ratio, ratio, value=0.5)
    return torch.addcmul(spread, deviation, deviation, value=0.5)


def raw_scale_of(scale: Tensor | float) -> Tensor | float:
    """Return the raw numbers that `diagonal_normal` reads as `scale`."""
    raw = torch.as_tensor(scale, dtype=torch.float64).expm1().log() - UNIT
    return raw if isinstance(scale, Tensor) else raw.item()


def scale_of(raw_scale: Tensor, min_scale: float, start: float = 0.0) -> Tensor:
    """Return positive scales from unbounded numbers, and a number that is added to these."""
    return F.softplus(raw_scale + (start + UNIT)) + min_scale


def diagonal_normal(
    loc: Tensor, raw_scale: Tensor, *, min_scale: float, event_ndim: int, start: float = 0.0
) -> Independent:
    r"""Return :math:`N(\mu, \mathrm{diag}(\sigma^2))` from unbounded numbers."""
    scale = scale_of(raw_scale, min_scale, start)
    return Independent(SharedScaleNormal(loc, scale), event_ndim, validate_args=False)


class DiagonalGaussian(nn.Module):
    """Read (location, raw scale) as a diagonal Gaussian over z."""

    def __init__(
        self, latent_shape: tuple[int, ...], min_scale: float = MIN_SCALE, init_scale: float = 1.0
    ):
        super().__init__()
        self.parameter_shape = (2, *latent_shape)
        self.noise_shape = latent_shape
        self.min_scale = min_scale
        self.start = raw_scale_of(init_scale)

    def forward(self, parameters: Tensor) -> Distribution:
        event_ndim = len(self.parameter_shape) - 1
        loc, raw_scale = parameters.unbind(-event_ndim - 1)
        return diagonal_normal(
            loc, raw_scale, min_scale=self.min_scale, event_ndim=event_ndim, start=self.start
        )


def is_gaussian(distribution: Distribution) -> bool:
    """Return whether a distribution is a diagonal Gaussian."""
    return isinstance(distribution, Independent) and isinstance(distribution.base_dist, Normal)


@singledispatch
def detached(gaussian: Independent) -> Distribution:
    """Return a Gaussian whose parameters get no gradient."""
    loc, scale = gaussian.mean.detach(), gaussian.stddev.detach()
    normal = SharedScaleNormal(loc, scale)
    return Independent(normal, len(gaussian.event_shape), validate_args=False)


@singledispatch
def rescaled(gaussian: Independent, factor: Tensor) -> Distribution:
    """Return a Gaussian whose standard deviations are multiplied by a factor."""
    normal = SharedScaleNormal(gaussian.mean, factor * gaussian.stddev)
    return Independent(normal, len(gaussian.event_shape), validate_args=False)


@singledispatch
def reparameterize(distribution: Distribution, noise: Tensor) -> Tensor:
    r"""Turn standard normal noise into draws of z.

    A Gaussian's are :math:`z = \mu + \sigma \epsilon`, a flow's :math:`z = \mu +
    \sigma T(\epsilon)`. A mixture takes the first number of the last channel to
    choose a component by the normal cdf, and the others as :math:`\epsilon` of
    that component. Zero noise is E[z|x] of a Gaussian, the image of the base's mean
    of a flow, and the mean of the most probable component of a mixture.

    Parameters
    ----------
    distribution : Distribution
        With batch shape (n,) and event shape ``event``: a diagonal Gaussian, a
        mixture of them, or a flow.
    noise : Tensor of shape (n_draws, n, ...) or (n_draws, 1, ...)
        Standard normal :math:`\epsilon`. A Gaussian uses as many channels as it has
        where there are more, since the prior's noise is given to q as well.

    Returns
    -------
    Tensor of shape (n_draws, n, ...)
        The draws, differentiable in the parameters of `distribution`, but not in the
        weights of a mixture.

    Raises
    ------
    TypeError
        If there is no rule for the distribution. ``reparameterize.register`` adds one.
    """
    raise _no_rule(distribution)


@reparameterize.register
def _(distribution: Independent, noise: Tensor) -> Tensor:
    if not isinstance(distribution.base_dist, Normal):
        raise _no_rule(distribution)
    n_channels, axis = distribution.event_shape[0], -len(distribution.event_shape)
    if noise.shape[axis] > n_channels:
        noise = noise.narrow(axis, 0, n_channels)
    normal = distribution.base_dist  # Independent has its stddev from the variance
    return torch.addcmul(normal.mean, normal.stddev, noise)


@reparameterize.register
def _(distribution: MixtureSameFamily, noise: Tensor) -> Tensor:
    gaussian = distribution.component_distribution
    if not is_gaussian(gaussian):
        raise _no_rule(distribution)
    event = distribution.event_shape
    choice = noise.flatten(-len(event))[..., -math.prod(event[1:])]
    chosen = _component_at(distribution.mixture_distribution.probs, torch.special.ndtr(choice))
    # The shape, not the length, which torch.export would take for a constant.
    n_rows = distribution.mixture_distribution.probs.shape[0]
    rows = torch.arange(n_rows, device=noise.device)
    loc, scale = gaussian.mean[rows, chosen], gaussian.stddev[rows, chosen]
    return torch.addcmul(loc, scale, noise.narrow(-len(event), 0, event[0]))


def _component_at(probs: Tensor, uniform: Tensor) -> Tensor:
    """Return the component at a number in [0, 1], with the most probable one around a half."""
    ends = probs.cumsum(-1)
    top = probs.argmax(-1, keepdim=True)
    middle = (ends.gather(-1, top) - probs.gather(-1, top) / 2).squeeze(-1)
    turned = (uniform - 0.5 + middle) % 1
    return (turned[..., None] > ends).sum(-1).clamp_max(probs.shape[-1] - 1)


def component_means(mixture: MixtureSameFamily) -> tuple[Tensor, Tensor]:
    """Return the means of a mixture's components, the heaviest first, and their weights.

    Parameters
    ----------
    mixture : MixtureSameFamily
        With batch shape (n,) and K components.

    Returns
    -------
    means : Tensor of shape (K, n, ...)
        Near the modes of the mixture, where its components lie apart.
    weights : Tensor of shape (K, n)
        In decreasing order for each row.
    """
    probs, means = mixture.mixture_distribution.probs, mixture.component_distribution.mean
    weights, order = probs.sort(dim=-1, descending=True, stable=True)
    rows = torch.arange(len(probs), device=probs.device)[:, None]
    return means[rows, order].transpose(0, 1), weights.T


def _no_rule(distribution: Distribution) -> TypeError:
    base = getattr(distribution, "base_dist", distribution)
    return TypeError(
        "Latent variables expect a distribution with a rule that turns noise into draws: a "
        f"diagonal Gaussian, a mixture of them or a flow, got {type(base).__name__}. Register a "
        "rule with skcvae.distributions.reparameterize.register."
    )


@singledispatch
def divergence(q: Distribution, p: Distribution, z: Tensor) -> Tensor:
    r"""Return :math:`KL(q \| p)`, exact where torch knows it, else estimated.

    Parameters
    ----------
    q, p : Distribution
        With batch shape (n,).
    z : Tensor of shape (n_draws, n, ...)
        Draws from q.

    Returns
    -------
    Tensor of shape (n,), or (n, n_scales) of a :class:`HierarchicalGaussian`
        Nats. The estimate is the mean of log q(z) - log p(z) over the draws, unbiased;
        it may be negative.
    """
    try:
        return kl_divergence(q, p)
    except NotImplementedError:
        return (q.log_prob(z) - p.log_prob(z)).mean(0)
