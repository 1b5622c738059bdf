"""Product of independent distributions over parts of one vector."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.distributions import Distribution


class Product(Distribution):
    r"""Product of independent distributions over groups of outputs, concatenated in a vector.

    .. math:: p(y) = \prod_g p_g(y_g)

    Parameters
    ----------
    parts : sequence of Distributions
        Distributions over vectors, with the same batch shape.
    """

    arg_constraints: dict = {}

    def __init__(self, parts: Sequence[Distribution]):
        self.parts = list(parts)
        self.sizes = [p.event_shape[0] for p in self.parts]
        super().__init__(self.parts[0].batch_shape, (sum(self.sizes),), validate_args=False)

    def paired(self, y: Tensor) -> Iterator[tuple[Distribution, Tensor]]:
        """Iterate over the distributions of the groups and their outputs.

        Parameters
        ----------
        y : Tensor of shape batch + (n_outputs,)
            All outputs.

        Returns
        -------
        iterator of (Distribution, Tensor)
            One pair per group, in order.
        """
        return zip(self.parts, y.split(self.sizes, -1), strict=True)

    @property
    def mean(self) -> Tensor:
        return torch.cat([p.mean for p in self.parts], -1)

    @property
    def variance(self) -> Tensor:
        return torch.cat([p.variance for p in self.parts], -1)

    def expand(self, batch_shape, _instance=None) -> "Product":
        return Product([p.expand(batch_shape) for p in self.parts])

    def log_prob(self, value: Tensor) -> Tensor:
        return sum(p.log_prob(part) for p, part in self.paired(value))

    def by_draw(self, first: int) -> "Product":
        """Return the product of the parts, each by draw if it can be."""
        return Product([p.by_draw(first) if hasattr(p, "by_draw") else p for p in self.parts])

    def sample_mean(self) -> Tensor:
        """Return one draw of the mean, of parts that draw it, and else the mean."""
        means = (p.sample_mean() if hasattr(p, "sample_mean") else p.mean for p in self.parts)
        return torch.cat([*means], -1)

    def sample(self, sample_shape=torch.Size()) -> Tensor:  # noqa: B008
        return torch.cat([p.sample(sample_shape) for p in self.parts], -1)
