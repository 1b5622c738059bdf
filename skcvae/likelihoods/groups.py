"""The module of a likelihood for each group of columns."""

import math

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from skcvae.distributions import Product
from skcvae.likelihoods.base import LikelihoodModule


class Groups(LikelihoodModule):
    """The likelihood modules of groups, applied to slices of the network output and of y.

    Parameters
    ----------
    modules : list of LikelihoodModule
        One for each group.
    sizes : list of int
        The size of the code of each group.
    """

    def __init__(self, modules: list[nn.Module], sizes: list[int]):
        shares = [math.prod(module.parameter_shape) for module in modules]
        super().__init__((sum(shares),))
        self.groups = nn.ModuleList(modules)
        self.shares, self.sizes = shares, sizes

    def forward(self, parameters: Tensor) -> Distribution:
        shares = parameters.split(self.shares, -1)
        pairs = zip(self.groups, shares, strict=True)
        return Product([g(share.unflatten(-1, g.parameter_shape)) for g, share in pairs])

    def marginal(self, y: Tensor, weight: Tensor | None = None) -> tuple[Tensor, Tensor] | None:
        pairs = zip(self.groups, y.split(self.sizes, -1), strict=True)
        found = [g.marginal(part, weight) for g, part in pairs]
        if None in found:
            return None
        numbers, responses = zip(*found, strict=True)
        responses = [part.flatten(1) for part in responses]
        return torch.cat([part.flatten() for part in numbers]), torch.cat(responses, 1)

    def read(self, y: Tensor) -> Tensor:
        pairs = zip(self.groups, y.split(self.sizes, -1), strict=True)
        return torch.cat([g.read(part) for g, part in pairs], -1)
