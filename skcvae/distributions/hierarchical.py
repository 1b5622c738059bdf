r"""Latent variables at several scales: each a Gaussian given the coarser ones.

.. math:: p(z) = \prod_s p(z_s \mid z_1, \dots, z_{s-1})

z holds its scales side by side along the last axis, the coarsest first. The divergence from
another such distribution is a sum over scales,

.. math:: KL(q \,\|\, p) = \sum_s E_{q(z_{<s})}
    KL\bigl(q(z_s \mid z_{<s}) \,\|\, p(z_s \mid z_{<s})\bigr),

where each term has a closed form given a draw of the coarser scales.
"""

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, Independent, kl_divergence

from skcvae.distributions.latent import (
    DiagonalGaussian,
    detached,
    divergence,
    reparameterize,
)


class HierarchicalGaussian(Distribution):
    """Diagonal Gaussians, each of which depends on the values of those before.

    `mean` is the draw at zero noise, along which `stddev` has the scales of each Gaussian: the
    moments of the whole have no closed form.

    Parameters
    ----------
    steps : sequence of callables
        From (state, z) of the scale before, None for the first, to its own state and the
        distribution of its z.
    sizes : sequence of int
        Length of each scale along the last axis.
    """

    arg_constraints: dict = {}
    has_rsample = True

    def __init__(self, steps: Sequence[Callable], sizes: Sequence[int]):
        self.steps, self.sizes = steps, list(sizes)
        self.first = steps[0](None, None)
        self.drawn: tuple = (None, [])  # the latest draw and its walk, for its divergence
        gaussian = self.first[1]
        event_shape = (*gaussian.event_shape[:-1], sum(self.sizes))
        super().__init__(gaussian.batch_shape, event_shape, validate_args=False)

    def walk(self, choose: Callable[[int, Independent], Tensor]) -> Iterator[tuple]:
        """Yield the distribution and the value of each scale, chosen given its number."""
        state, gaussian = self.first
        yield gaussian, (z := choose(0, gaussian))
        for i, step in enumerate(self.steps[1:], start=1):
            state, gaussian = step(state, z)
            yield gaussian, (z := choose(i, gaussian))

    def given(self, value: Tensor) -> list[tuple[Independent, Tensor]]:
        """Return the distribution of each scale given the coarser ones in a value, and its own."""
        parts = value.split(self.sizes, -1)
        return list(self.walk(lambda i, gaussian: parts[i]))

    def log_prob(self, value: Tensor) -> Tensor:
        return sum(gaussian.log_prob(z) for gaussian, z in self.given(value))

    def rsample(self, sample_shape: tuple[int, ...] = ()) -> Tensor:
        shape = self._extended_shape(sample_shape)
        return reparameterize(self, torch.randn(shape).to(self.first[1].mean))

    @property
    def mean(self) -> Tensor:
        return torch.cat([z for _, z in self._central()], -1)

    @property
    def variance(self) -> Tensor:
        return torch.cat([gaussian.variance for gaussian, _ in self._central()], -1)

    def _central(self) -> Iterator[tuple[Independent, Tensor]]:
        return self.walk(lambda i, gaussian: gaussian.mean)


@reparameterize.register
def _(distribution: HierarchicalGaussian, noise: Tensor) -> Tensor:
    parts = noise.split(distribution.sizes, -1)
    walk = list(distribution.walk(lambda i, gaussian: reparameterize(gaussian, parts[i])))
    z = torch.cat([part for _, part in walk], -1)
    distribution.drawn = z, walk
    return z


@divergence.register
def _(q: HierarchicalGaussian, p: HierarchicalGaussian, z: Tensor) -> Tensor:
    of_draw, walk = q.drawn
    pairs = zip(walk if of_draw is z else q.given(z), p.given(z), strict=True)
    terms = [kl_divergence(of_q, of_p) for (of_q, _), (of_p, _) in pairs]
    return torch.stack([term.expand(z.shape[:2]).mean(0) for term in terms], -1)


class _Detached(Distribution):
    """A distribution whose log density has no gradient but that through the value."""

    arg_constraints: dict = {}

    def __init__(self, distribution: Distribution):
        self.distribution = distribution
        shapes = distribution.batch_shape, distribution.event_shape
        super().__init__(*shapes, validate_args=False)

    def log_prob(self, value: Tensor) -> Tensor:
        # The gradients of the parameters cancel.
        at = self.distribution.log_prob(value.detach())
        return self.distribution.log_prob(value) - at + at.detach()


@detached.register
def _(distribution: HierarchicalGaussian) -> Distribution:
    return _Detached(distribution)


class GaussianHierarchy(nn.Module):
    """Read the numbers of each scale as a diagonal Gaussian, given z of the coarser ones.

    Parameters
    ----------
    gaussian : DiagonalGaussian
        Of all of z.
    sizes : sequence of int
        Length of each scale along the last axis.

    Attributes
    ----------
    parameter_shape : list of tuples of int
        Shape of the numbers of each scale.
    """

    def __init__(self, gaussian: DiagonalGaussian, sizes: Sequence[int]):
        super().__init__()
        self.gaussian, self.sizes, self.noise_shape = gaussian, sizes, gaussian.noise_shape
        self.parameter_shape = [(*gaussian.parameter_shape[:-1], size) for size in sizes]

    def forward(self, steps: Sequence[Callable]) -> HierarchicalGaussian:
        return HierarchicalGaussian(list(map(self._read, steps)), self.sizes)

    def _read(self, step: Callable) -> Callable:
        def read(state: Tensor | None, z: Tensor | None) -> tuple[Tensor, Independent]:
            state, numbers = step(state, z)
            return state, self.gaussian(numbers)

        return read
