r"""Distributions that networks end in: of z Gaussians, mixtures, flows; of y labels and blocks.

A network ends in two numbers per coordinate, a location :math:`\mu` and a raw
scale :math:`r`, read as :math:`\sigma = \mathrm{softplus}(r + c) + \sigma_{\min}`
with :math:`c` such that :math:`r = 0` means :math:`\sigma \approx 1`. A draw is
:math:`z = \mu + \sigma \epsilon` with :math:`\epsilon \sim N(0, I)` given from
outside, so that a network stays a pure function of its inputs. Mixtures of these
and flows are drawn from noise in the same way.

:class:`Labels` and :class:`Blocks` are what torch's distributions lack for y: labels with soft
targets, and outputs of several kinds in one row.
"""

import math
from collections.abc import Iterator, Sequence
from functools import singledispatch

import torch
from torch import Tensor
from torch.distributions import (
    Distribution,
    Independent,
    MixtureSameFamily,
    Normal,
    Transform,
    kl_divergence,
)
from torch.nn import functional as F
from torch.quasirandom import SobolEngine

N_SPREAD = 128  # draws for the moments of a flow
LOG_2PI = math.log(2 * math.pi)
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


class NormalizingFlow(Distribution):
    r"""A diagonal Gaussian whose noise is bent, :math:`z = \mu + \sigma \, T(\epsilon)`.

    Parameters
    ----------
    gaussian : Independent
        What z is where T is the identity.
    unbend : Transform
        The inverse of T, on flattened events, with a method `call_and_ladj` that
        returns values and the logarithm of the Jacobian's determinant.
    """

    arg_constraints: dict = {}
    has_rsample = True

    def __init__(self, gaussian: Independent, unbend: Transform):
        self.gaussian = gaussian
        self.unbend = unbend
        super().__init__(gaussian.batch_shape, gaussian.event_shape, validate_args=False)

    def log_prob(self, value: Tensor) -> Tensor:
        r"""Return the exact log density, by the change of variables.

        Parameters
        ----------
        value : Tensor of shape ... + batch + event
            Where.

        Returns
        -------
        Tensor of shape ... + batch
            :math:`\log N(\epsilon; 0, I) + \log |\det d\epsilon / dz|`, nats.
        """
        event_ndim = len(self.event_shape)
        loc, scale = self.gaussian.mean, self.gaussian.stddev
        bent = ((value - loc) / scale).flatten(-event_ndim)
        noise, log_det = self.unbend.call_and_ladj(bent)
        log_scale = scale.log().flatten(-event_ndim).sum(-1)
        return -0.5 * (noise.square() + LOG_2PI).sum(-1) + log_det - log_scale

    @property
    def mean(self) -> Tensor:
        """The mean, over `_spread`."""
        return self._spread().mean(0)

    @property
    def variance(self) -> Tensor:
        """The variances, over `_spread`."""
        return self._spread().var(0)

    def _spread(self) -> Tensor:
        """Return draws at quasi-random noise, the same for every flow of this size."""
        points = SobolEngine(self.event_shape.numel()).draw(N_SPREAD + 1)[1:]
        noise = torch.special.ndtri(points).to(self.gaussian.mean)
        return reparameterize(self, noise.reshape(N_SPREAD, 1, *self.event_shape))


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
    """
    return torch.addcmul(
        distribution.mean, distribution.stddev, _channels(noise, distribution.event_shape)
    )


@reparameterize.register
def _(distribution: MixtureSameFamily, noise: Tensor) -> Tensor:
    event = distribution.event_shape
    choice = noise.flatten(-len(event))[..., -math.prod(event[1:])]
    chosen = _chosen(distribution.mixture_distribution.probs, torch.special.ndtr(choice))
    rows = torch.arange(len(distribution.mixture_distribution.probs), device=noise.device)
    gaussian = distribution.component_distribution
    loc, scale = gaussian.mean[rows, chosen], gaussian.stddev[rows, chosen]
    return torch.addcmul(loc, scale, _channels(noise, event))


@reparameterize.register
def _(distribution: NormalizingFlow, noise: Tensor) -> Tensor:
    batch, event = distribution.batch_shape, distribution.event_shape
    noise = noise.expand(len(noise), *batch, *event).flatten(-len(event))
    bent = distribution.unbend.inv(noise).unflatten(-1, event)
    return reparameterize(distribution.gaussian, bent)


def _channels(noise: Tensor, event: torch.Size) -> Tensor:
    return noise.narrow(-len(event), 0, event[0])


def _chosen(probs: Tensor, uniform: Tensor) -> Tensor:
    """Return the component at a number in [0, 1], with the most probable one around a half."""
    ends = probs.cumsum(-1)
    top = probs.argmax(-1, keepdim=True)
    middle = (ends.gather(-1, top) - probs.gather(-1, top) / 2).squeeze(-1)
    turned = (uniform - 0.5 + middle) % 1
    return (turned[..., None] > ends).sum(-1).clamp_max(probs.shape[-1] - 1)


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
    Tensor of shape (n,)
        Nats. The estimate is the mean of log q(z) - log p(z) over the draws, unbiased;
        it may be negative.
    """
    try:
        return kl_divergence(q, p)
    except NotImplementedError:
        return (q.log_prob(z) - p.log_prob(z)).mean(0)


class Labels(Distribution):
    r"""One-hot coded labels, number by number.

    The log-probability of a number is :math:`y_k \log \pi_k`, so that their sum
    over the classes, which :class:`~torch.distributions.Independent` takes, is
    that of the label. Soft targets score the cross-entropy.

    Parameters
    ----------
    logits : Tensor of shape batch + (n_classes, ...) or batch + (n_classes * n_outputs,)
        Unnormalised.
    n_classes : int
        Number of classes.
    event_ndim : int
        How many of the last dimensions belong to one row; the classes are the
        first of them, or the blocks of a vector.
    """

    arg_constraints: dict = {}

    def __init__(self, logits: Tensor, n_classes: int, event_ndim: int):
        self.n_classes = n_classes
        self.event_ndim = event_ndim
        self.log_pi = self._by_class(logits).log_softmax(self._axis).reshape(logits.shape)
        super().__init__(logits.shape, validate_args=False)

    @property
    def _axis(self) -> int:
        return -max(self.event_ndim, 2)

    def _by_class(self, code: Tensor) -> Tensor:
        return code.unflatten(-1, (self.n_classes, -1)) if self.event_ndim == 1 else code

    @property
    def mean(self) -> Tensor:
        r"""The probabilities :math:`\pi`."""
        return self.log_pi.exp()

    @property
    def variance(self) -> Tensor:
        r"""The variances :math:`\pi (1 - \pi)`."""
        pi = self.mean
        return pi * (1 - pi)

    def expand(self, batch_shape, _instance=None) -> "Labels":
        """Return a distribution with more rows.

        Parameters
        ----------
        batch_shape : torch.Size
            The new batch shape, with the dimensions of a row.

        Returns
        -------
        Labels
            Sharing the numbers.
        """
        new = self._get_checked_instance(Labels, _instance)
        new.n_classes, new.event_ndim = self.n_classes, self.event_ndim
        new.log_pi = self.log_pi.expand(batch_shape)
        super(Labels, new).__init__(new.log_pi.shape, validate_args=False)
        return new

    def log_prob(self, value: Tensor) -> Tensor:
        """Return each number's share of the log-probability.

        Parameters
        ----------
        value : Tensor of the shape of `logits`, without its batch dimensions or with
            Coded labels, or weights of the classes that sum to one.

        Returns
        -------
        Tensor
            Of the shape of `logits`.
        """
        return value * self.log_pi

    def sample(self, sample_shape=torch.Size()) -> Tensor:  # noqa: B008
        """Return drawn labels, one-hot.

        Parameters
        ----------
        sample_shape : torch.Size, default=()
            Dimensions put before.

        Returns
        -------
        Tensor
            Zeros and ones.
        """
        log_pi = self.log_pi.detach().expand(*sample_shape, *self.log_pi.shape)
        # The largest log pi plus Gumbel noise is a draw.
        noisy = self._by_class(log_pi - torch.empty_like(log_pi).exponential_().log())
        drawn = noisy.argmax(self._axis, keepdim=True)
        return torch.zeros_like(noisy).scatter_(self._axis, drawn, 1.0).reshape(log_pi.shape)


class Blocks(Distribution):
    r"""Independent groups of outputs, side by side in one vector.

    .. math:: p(y) = \prod_g p_g(y_g)

    Parameters
    ----------
    parts : sequence of Distributions
        Of one batch shape, each over a vector.
    """

    arg_constraints: dict = {}

    def __init__(self, parts: Sequence[Distribution]):
        self.parts = list(parts)
        self.sizes = [p.event_shape[0] for p in self.parts]
        super().__init__(self.parts[0].batch_shape, (sum(self.sizes),), validate_args=False)

    def paired(self, y: Tensor) -> Iterator[tuple[Distribution, Tensor]]:
        """Return each group with its outputs.

        Parameters
        ----------
        y : Tensor of shape batch + (n_outputs,)
            All outputs.

        Returns
        -------
        iterator of (Distribution, Tensor)
            In order.
        """
        return zip(self.parts, y.split(self.sizes, -1), strict=True)

    @property
    def mean(self) -> Tensor:
        """The means."""
        return torch.cat([p.mean for p in self.parts], -1)

    @property
    def variance(self) -> Tensor:
        """The variances."""
        return torch.cat([p.variance for p in self.parts], -1)

    def expand(self, batch_shape, _instance=None) -> "Blocks":
        """Return a distribution with more rows.

        Parameters
        ----------
        batch_shape : torch.Size
            The new batch shape.

        Returns
        -------
        Blocks
            Sharing the numbers.
        """
        return Blocks([p.expand(batch_shape) for p in self.parts])

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the joint log-probability, the sum over the groups.

        Parameters
        ----------
        value : Tensor of shape batch + (n_outputs,)
            All outputs.

        Returns
        -------
        Tensor of shape batch
            Nats.
        """
        return sum(p.log_prob(part) for p, part in self.paired(value))

    def sample(self, sample_shape=torch.Size()) -> Tensor:  # noqa: B008
        """Return joint draws.

        Parameters
        ----------
        sample_shape : torch.Size, default=()
            Dimensions put before.

        Returns
        -------
        Tensor of shape sample_shape + batch + (n_outputs,)
            Each group's by its own distribution.
        """
        return torch.cat([p.sample(sample_shape) for p in self.parts], -1)
