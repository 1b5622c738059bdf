r"""Reparameterised draws of z: a deterministic function of given noise.

A draw is :math:`z = \mu + \sigma \epsilon` with :math:`\epsilon \sim N(0, I)`, so that a
network stays a pure function of its inputs. Mixtures of Gaussians and flows are sampled
from given noise in the same way.
"""

import math
from functools import singledispatch

import torch
from torch import Tensor
from torch.distributions import Distribution, MixtureSameFamily, kl_divergence


@singledispatch
def reparameterize(distribution: Distribution, noise: Tensor) -> Tensor:
    r"""Map standard normal noise to draws of z.

    A draw is :math:`z = \mu + \sigma \epsilon` for a Gaussian and :math:`z = \mu +
    \sigma T(\epsilon)` for a flow. For a mixture, the normal CDF of the first element of
    the last channel selects the component, and the other channels are its
    :math:`\epsilon`. Zero noise gives E[z|x] for a Gaussian, the image of the base
    mean for a flow, and the mean of the most probable component for a mixture.

    Parameters
    ----------
    distribution : Distribution
        With batch shape (n,) and event shape ``event``: a diagonal Gaussian, a
        mixture of them, or a flow.
    noise : Tensor of shape (n_draws, n, ...) or (n_draws, 1, ...)
        Standard normal :math:`\epsilon`. A Gaussian ignores surplus channels, since q
        gets noise of the prior's shape, which may have more.

    Returns
    -------
    Tensor of shape (n_draws, n, ...)
        The draws, differentiable in the parameters of `distribution`, but not in the
        weights of a mixture.
    """
    return torch.addcmul(
        distribution.mean, distribution.stddev, _channels(noise, distribution.event_shape)
    )


@reparameterize.register
def _(distribution: MixtureSameFamily, noise: Tensor) -> Tensor:
    event = distribution.event_shape
    choice = noise.flatten(-len(event))[..., -math.prod(event[1:])]
    chosen = _chosen(distribution.mixture_distribution.probs, torch.special.ndtr(choice))
    # Not len(), which torch.export would treat as a constant.
    n_rows = distribution.mixture_distribution.probs.shape[0]
    rows = torch.arange(n_rows, device=noise.device)
    gaussian = distribution.component_distribution
    loc, scale = gaussian.mean[rows, chosen], gaussian.stddev[rows, chosen]
    return torch.addcmul(loc, scale, _channels(noise, event))


def _channels(noise: Tensor, event: torch.Size) -> Tensor:
    return noise.narrow(-len(event), 0, event[0])


def _chosen(probs: Tensor, uniform: Tensor) -> Tensor:
    """Map uniform numbers to components; 0.5 is the middle of the most probable one's interval."""
    ends = probs.cumsum(-1)
    top = probs.argmax(-1, keepdim=True)
    middle = (ends.gather(-1, top) - probs.gather(-1, top) / 2).squeeze(-1)
    turned = (uniform - 0.5 + middle) % 1
    return (turned[..., None] > ends).sum(-1).clamp_max(probs.shape[-1] - 1)


def divergence(q: Distribution, p: Distribution, z: Tensor) -> Tensor:
    r"""Return :math:`KL(q \| p)`, in closed form where torch has one, else estimated.

    Parameters
    ----------
    q, p : Distribution
        With batch shape (n,).
    z : Tensor of shape (n_draws, n, ...)
        Draws from q.

    Returns
    -------
    Tensor of shape (n,)
        Nats. The estimate is the mean of log q(z) - log p(z) over the draws, unbiased;
        it may be negative.
    """
    try:
        return kl_divergence(q, p)
    except NotImplementedError:
        return (q.log_prob(z) - p.log_prob(z)).mean(0)
