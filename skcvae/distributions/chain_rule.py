r"""Outputs of which each has a distribution given those before it.

.. math:: p(y) = \prod_j p(y_j \mid y_1, \ldots, y_{j-1})

The density is exact. Draws take one output after another. Given some outputs, the others are
drawn in order, with the known ones in their places, and a draw has the weight

.. math:: w = \prod_{j \ \mathrm{known}} p(y_j \mid y_1, \ldots, y_{j-1}),

so that the mean of w estimates the density of what is known, and resampling by w draws the rest
(sampling-importance resampling, Rubin, 1988). If the known outputs are the first ones, w is the
same for all draws, and both are exact.
"""

import functools
import math
import warnings
from collections.abc import Callable, Iterator

import torch
from torch import Generator, Tensor, nn
from torch.distributions import Bernoulli, Distribution, Independent, Normal

from skcvae.distributions.order import Order

AT_ONCE = 8  # draws
LEAST_SIZE = 2.0  # effective sample size, below which one draw has most of the weight
FEW_ROWS = 0.1  # share of the rows in which that is no reason to warn


class ChainRule(Distribution):
    """Distribution of encoded rows, one output after another.

    Mean and variance, and what is estimated given known outputs, are averages over draws with
    the same noise for all rows. For outputs that come after the last known one they average
    conditional moments instead of draws.

    Parameters
    ----------
    numbers : Tensor of shape batch + (n_outputs, n_numbers)
        What x and z say of each output, in order.
    features : Tensor of shape batch + feature_shape
        What the network reads of x and z.
    network : Module
        Returns numbers to be added, given features and the outputs before.
    family : callable
        Maps numbers, (..., n_numbers), to a distribution over one output.
    order : Order
        Of the outputs.
    averaged : callable
        Takes no argument and returns standard normal numbers: those of the draws that are
        averaged, (n_draws, n_outputs), and those of averages over draws of z too, (n, n_outputs).
    known : Tensor of shape batch + (n_outputs, size), default=None
        The outputs on which the others are conditioned, in order; NaN where unknown.
    """

    arg_constraints: dict = {}

    def __init__(
        self,
        numbers: Tensor,
        features: Tensor,
        network: nn.Module,
        family: Callable[[Tensor], Distribution],
        order: Order,
        averaged: Callable[[], tuple[Tensor, Tensor]],
        known: Tensor | None = None,
    ):
        self.numbers, self.features, self.known = numbers, features, known
        self.network, self.family, self.order = network, family, order
        self.averaged = averaged
        shapes = numbers.shape[:-2], torch.Size(order.code_shape)
        super().__init__(*shapes, validate_args=False)

    def expand(self, batch_shape, _instance=None) -> "ChainRule":
        batch = tuple(batch_shape)
        return self._with(
            self.numbers.expand(*batch, -1, -1),
            self.features.expand(*batch, *self.network.feature_shape),
            None if self.known is None else self.known.expand(*batch, -1, -1),
        )

    def _with(self, numbers: Tensor, features: Tensor, known: Tensor | None) -> "ChainRule":
        same = self.network, self.family, self.order, self.averaged
        return ChainRule(numbers, features, *same, known)

    def by_draw(self, first: int) -> "ChainRule":
        """Return the distribution with one draw for the averages of each row.

        The first dimension of the batch is that of draws of z, numbered from `first`, and their
        noise differs. The average over draws of z is then one over both, and as exact.
        """
        points = self.averaged()[1]
        index = (first + torch.arange(self.batch_shape[0], device=points.device)) % len(points)
        same = self.numbers, self.features, self.network, self.family, self.order
        return ChainRule(*same, lambda: (points[index].unsqueeze(0), points), self.known)

    def given(self, code: Tensor) -> "ChainRule":
        """Return the distribution given the outputs that are not NaN."""
        p = self.expand(torch.broadcast_shapes(self.batch_shape, self._batch_of(code)))
        known = self._ordered(code).expand(*p.batch_shape, -1, -1)
        known = known if p.known is None else p.known.where(known.isnan(), known)
        return p._with(p.numbers, p.features, known)

    def _batch_of(self, code: Tensor) -> torch.Size:
        return code.shape[: code.ndim - len(self.event_shape)]

    def _ordered(self, code: Tensor) -> Tensor:
        return self.order.ordered(code.flatten(-len(self.event_shape)), self.order.size)

    def log_prob(self, value: Tensor) -> Tensor:
        if self.known is None:
            return self._terms(self._ordered(value)).sum(-1)
        return self.log_prob_observed(value)

    def _conditionals(self, y: Tensor) -> Distribution:
        """Return the distributions of all outputs given those before in y."""
        return self.family(self.numbers + self.network(self.features, y))

    def _terms(self, y: Tensor) -> Tensor:
        return self._conditionals(y).log_prob(y)

    def log_prob_observed(self, code: Tensor) -> Tensor:
        """Return the log density of the outputs that are not NaN, exact if they are the first."""
        log_p = self.given(code)._log_prob_known()
        return log_p if self.known is None else log_p - self._log_prob_known()

    def _log_prob_known(self) -> Tensor:
        if self._is_exact():
            seen = self._seen()
            return self._terms(self.known.nan_to_num()).where(seen, 0.0).sum(-1)
        log_w = torch.cat([log_w for _, log_w in self._fixed_paths()])
        return log_w.logsumexp(0) - math.log(len(log_w))

    def _seen(self) -> Tensor:
        return ~self.known[..., 0].isnan()

    def _is_exact(self) -> bool:
        """Return whether known outputs come before all others in every row."""
        seen = self._seen()
        return bool((seen[..., :-1] | ~seen[..., 1:]).all())

    @property
    def guess(self) -> Tensor:
        """What x and z alone say of the mean."""
        return self.order.encoded(self.family(self.numbers).mean)

    @property
    def mean(self) -> Tensor:
        return self.order.encoded(self._moments[0])

    @property
    def variance(self) -> Tensor:
        return self.order.encoded(self._moments[1])

    @functools.cached_property
    def _moments(self) -> tuple[Tensor, Tensor]:
        """Mean and variance, in order, by the law of total variance."""
        paths = zip(*map(self._given_paths, self._fixed_paths()), strict=True)
        log_w, centre, spread = map(torch.cat, paths)
        weight = log_w.softmax(0)[..., None, None]
        mean = (weight * centre).sum(0)
        spread = spread + (centre - mean).square()
        return mean, (weight * spread).sum(0)

    def _given_paths(self, paths: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Return log weights, means and variances of outputs given those drawn before them."""
        y, log_w = paths
        p = self._conditionals(y)
        if self.known is None:
            return log_w, p.mean, p.variance
        known_later = self._seen().flip(-1).cumsum(-1).flip(-1)[..., None] > 0
        return log_w, y.where(known_later, p.mean), p.variance.where(~known_later, 0.0)

    def _fixed_paths(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield some draws at a time whose noise is the same for all rows, and log weights."""
        noise, _ = self.averaged()
        shape = *self.batch_shape, noise.shape[-1]
        ones = [1] * (len(shape) + 1 - noise.ndim)
        noise = noise.view(*noise.shape[:-1], *ones, -1)
        for block in noise.split(AT_ONCE):
            y, log_w = self._path(block.expand(-1, *shape))
            # Hidden maps of images are larger than y.
            size = len(y) if len(self.network.feature_shape) == 1 else 1
            yield from zip(y.split(size), log_w.split(size), strict=True)

    @torch.no_grad()
    def _path(self, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Return draws, noise.shape + (size,), and their log weights, from standard noise."""
        wide = self.expand(noise.shape[:-1])
        numbers = wide.numbers.reshape(-1, *self.numbers.shape[-2:])
        features = wide.features.reshape(-1, *self.network.feature_shape)
        eps = noise.reshape(-1, noise.shape[-1])
        log_w = torch.zeros_like(eps[:, 0])
        known = None if wide.known is None else wide.known.reshape(-1, *wide.known.shape[-2:])

        def choose(i: int, shift: Tensor) -> Tensor:
            p = self.family(numbers[:, i] + shift)
            value = _from_noise(p, eps[:, i, None])
            if known is None:
                return value
            seen = ~known[:, i].isnan()
            value = known[:, i].where(seen, value)
            log_w.add_(p.log_prob(value).where(seen[:, 0], 0.0))
            return value

        y = self.network.path(features, choose)
        return y.reshape(*noise.shape, y.shape[-1]), log_w.reshape(noise.shape[:-1])

    def sample(self, sample_shape=torch.Size()) -> Tensor:  # noqa: B008
        return self.sample_from(None, sample_shape)

    def sample_from(self, source: Generator | None, sample_shape=torch.Size()) -> Tensor:  # noqa: B008
        """Return draws from a generator, or from torch's own."""
        shape = (*sample_shape, *self.batch_shape, self.numbers.shape[-2])

        def path() -> tuple[Tensor, Tensor]:
            return self._path(self.numbers.new_empty(shape).normal_(generator=source))

        if self.known is None or self._is_exact():
            return self.order.encoded(path()[0])
        return self.order.encoded(_chosen((path() for _ in self.averaged()[0]), source))


def _chosen(candidates: Iterator[tuple[Tensor, Tensor]], source: Generator | None) -> Tensor:
    """Return one of the candidates, by their weights: the Gumbel-max trick."""
    y, best, all_log_w = None, None, []
    for drawn, log_w in candidates:
        all_log_w.append(log_w)
        score = log_w - torch.empty_like(log_w).exponential_(generator=source).log()
        better = torch.ones_like(score, dtype=torch.bool) if y is None else score > best
        y = drawn if y is None else drawn.where(better[..., None, None], y)
        best = score if best is None else score.where(better, best)
    _check_weights(torch.stack(all_log_w))
    return y


def _check_weights(log_w: Tensor) -> None:
    """Warn if many rows have weights of which one dominates."""
    size = 1 / log_w.softmax(0).square().sum(0)
    share = (size < LEAST_SIZE).double().mean().item()
    if share > FEW_ROWS:
        warnings.warn(
            "outputs before known ones were drawn by importance resampling, and of "
            f"{len(log_w)} candidates the effective sample size is below {LEAST_SIZE:g} in "
            f"{share:.0%} of the rows: draws fit badly to what is known. Expected more "
            "candidates, n_draws of Autoregressive, or outputs in another order, known ones "
            "first.",
            stacklevel=2,
        )


def _from_noise(p: Independent, noise: Tensor) -> Tensor:
    """Return the draw of one output that follows from standard normal noise, (..., 1)."""
    base = p.base_dist
    if isinstance(base, Normal):
        return torch.addcmul(base.mean, base.stddev, noise)
    uniform = torch.special.ndtr(noise)
    if isinstance(base, Bernoulli):
        return (uniform < base.mean).to(noise)
    below = base.mean.cumsum(-1)[..., :-1]
    label = (uniform >= below).sum(-1, keepdim=True)
    return torch.zeros_like(base.mean).scatter_(-1, label, 1.0)
