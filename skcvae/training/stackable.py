"""Linear layers of several members as one batched product under :func:`torch.vmap`.

torch maps a linear layer over members by a chain of views and expansions; this rule is one
product.
"""

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from skcvae.networks.layers import Stack


class BatchedLinear(torch.autograd.Function):
    """A linear layer whose rule under vmap is a batched product.

    Gradients are taken outside of vmap, of the product.
    """

    @staticmethod
    def forward(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Return the layer of one member."""
        return F.linear(x, weight, bias)

    @staticmethod
    def setup_context(ctx, inputs, output) -> None:
        """Keep nothing: there is no backward pass inside of vmap."""

    @staticmethod
    def vmap(info, in_dims, x: Tensor, weight: Tensor, bias: Tensor | None):
        """Return the layers of all members, (M, ..., n_out), and the axis of members, 0."""
        x = x.expand(info.batch_size, *x.shape) if in_dims[0] is None else x.movedim(in_dims[0], 0)
        rows, weight = x.reshape(info.batch_size, -1, x.shape[-1]), weight.transpose(1, 2)
        h = rows @ weight if bias is None else torch.baddbmm(bias[:, None], rows, weight)
        return h.reshape(*x.shape[:-1], h.shape[-1]), 0


class StackableLinear(nn.Linear):
    """A linear layer that several members evaluate as one product."""

    def forward(self, x: Tensor) -> Tensor:
        return BatchedLinear.apply(x, self.weight, self.bias)


def stackable(module: nn.Module) -> nn.Module:
    """Return a copy of a module whose linear layers are :class:`StackableLinear`."""
    module = copy.deepcopy(module)
    for layer in module.modules():
        if type(layer) is nn.Linear:
            layer.__class__ = StackableLinear
        if isinstance(layer, Stack):
            layer.product = BatchedLinear.apply
    return module
