"""Product of independent distributions over parts of one vector or image."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.distributions import Distribution


class Product(Distribution):
    r"""Product of independent distributions over groups of outputs, concatenated.

    .. math:: p(y) = \prod_g p_g(y_g)

    Parameters
    ----------
    parts : sequence of Distributions
        Distributions over vectors, or over images, with the same batch shape.
    dim : int, default=-1
        The dimension of outputs that is concatenated, counted from the last.
    """

    arg_constraints: dict = {}

    def __init__(self, parts: Sequence[Distribution], dim: int = -1):
        self.parts, self.dim = list(parts), dim
        self.sizes = [p.event_shape[dim] for p in self.parts]
        batch_shape, event_shape = self.parts[0].batch_shape, list(self.parts[0].event_shape)
        event_shape[dim] = sum(self.sizes)
        super().__init__(batch_shape, torch.Size(event_shape), validate_args=False)

    def paired(self, y: Tensor) -> Iterator[tuple[Distribution, Tensor]]:
        """Iterate over the distributions of the groups and their outputs.

        Parameters
        ----------
        y : Tensor of shape batch + event
            All outputs.

        Returns
        -------
        iterator of (Distribution, Tensor)
            One pair per group, in order.
        """
        return zip(self.parts, y.split(self.sizes, self.dim), strict=True)

    @property
    def mean(self) -> Tensor:
        return torch.cat([p.mean for p in self.parts], self.dim)

    @property
    def variance(self) -> Tensor:
        return torch.cat([p.variance for p in self.parts], self.dim)

    def expand(self, batch_shape, _instance=None) -> "Product":
        return Product([p.expand(batch_shape) for p in self.parts], self.dim)

    def log_prob(self, value: Tensor) -> Tensor:
        return sum(p.log_prob(part) for p, part in self.paired(value))

    def sample(self, sample_shape=torch.Size()) -> Tensor:  # noqa: B008
        return torch.cat([p.sample(sample_shape) for p in self.parts], self.dim)
