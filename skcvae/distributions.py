r"""Distributions that the networks end in: the diagonal Gaussian, labels, blocks of outputs.

A network ends in two numbers per coordinate, a location :math:`\mu` and a raw
scale :math:`r`, read as :math:`\sigma = \mathrm{softplus}(r + c) + \sigma_{\min}`
with :math:`c` such that :math:`r = 0` means :math:`\sigma \approx 1`. A draw is
:math:`z = \mu + \sigma \epsilon` with :math:`\epsilon \sim N(0, I)` given from
outside, so that a network stays a pure function of its inputs.

:class:`Labels` and :class:`Blocks` are what torch's distributions lack for y: labels with soft
targets, and outputs of several kinds in one row.
"""

import math
from collections.abc import Iterator, Sequence

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


class Labels(Distribution):
    r"""One-hot coded labels, number by number.

    The log-probability of a number is :math:`y_k \log \pi_k`, so that their sum
    over the classes, which :class:`~torch.distributions.Independent` takes, is
    that of the label. Soft targets score the cross-entropy.

    Parameters
    ----------
    logits : Tensor of shape (*batch, n_classes, ...) or (*batch, n_classes * n_outputs)
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
        y : Tensor of shape (*batch, n_outputs)
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
        value : Tensor of shape (*batch, n_outputs)
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
        Tensor of shape (*sample_shape, *batch, n_outputs)
            Each group's by its own distribution.
        """
        return torch.cat([p.sample(sample_shape) for p in self.parts], -1)
