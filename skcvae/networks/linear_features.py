r"""Features of small images that are linear in the inputs, beside those of convolutions.

.. math:: h(x_1, x_2, \dots) = \Bigl( f(x_1, x_2, \dots), \; \sum_i W_i x_i + b \Bigr)

Each linear feature has a weight for each number of each input. They start at zero, so that
training begins with the convolutions alone.
"""

import math
from collections.abc import Callable, Sequence
from itertools import starmap

import torch
from torch import Tensor, nn

from skcvae.networks.layers import Readout, Shape

MOST_WEIGHTS = 1_000_000  # of the linear features of a network: with more it has none by default


@torch.no_grad()
def set_maps(layers: Sequence[nn.Linear], maps: Sequence[Tensor], n_read: int) -> None:
    """Set linear maps of several inputs, of which so many outputs are read.

    Parameters
    ----------
    layers : sequence of Linear
        One for each input; biases become zero.
    maps : sequence of Tensors of shape (n_outputs, n_inputs)
        For the first inputs; the others are not read.
    n_read : int
        Outputs that are zero where no map sets them.
    """
    for layer in layers:
        layer.weight[:n_read] = 0
        if layer.bias is not None:
            layer.bias.zero_()
    for layer, coef in zip(layers, maps, strict=False):
        n_rows = min(len(coef), layer.out_features)
        layer.weight[:n_rows, : coef.shape[1]] = coef[:n_rows]


class LinearFeatures(nn.Module):
    """A convolutional network whose last channels are linear in its inputs.

    Attributes
    ----------
    out_shape : tuple of int
        Shape of the features of one row, the linear ones behind the others.
    shortcut : ModuleList
        The linear map of each input.
    """

    def __init__(self, network: nn.Module, in_shapes: Sequence[Shape], n_channels: int):
        super().__init__()
        self.network = network
        self.n_hidden, *size = network.out_shape
        self.linear_shape = (n_channels, *size)
        self.out_shape = (self.n_hidden + n_channels, *size)
        self.start_dims = [-len(shape) for shape in in_shapes]
        self.shortcut = nn.ModuleList()
        for shape in in_shapes:
            n_features, has_bias = math.prod(self.linear_shape), not self.shortcut
            self.shortcut.append(nn.Linear(math.prod(shape), n_features, bias=has_bias))
        set_maps(self.shortcut, [], math.prod(self.linear_shape))

    def given(self, x: Tensor | None) -> Callable[[Tensor], Tensor]:
        """Return the features as a function of z; x enters once."""
        hidden = self.network.given(x)
        share = 0.0 if x is None else self._linear(0, x)

        def features(z: Tensor) -> Tensor:
            return self._joined(hidden(z), share + self._linear(-1, z))

        return features

    def forward(self, *inputs: Tensor) -> Tensor:
        linear = sum(starmap(self._linear, enumerate(inputs)))
        return self._joined(self.network(*inputs), linear)

    def scales(self, x: Tensor, n_scales: int) -> list[Tensor]:
        """Return the features without z at each resolution, linear ones at the full one."""
        full, *coarser = self.network.scales(x, n_scales)
        return [self._joined(full, self._linear(0, x)), *coarser]

    def scale_shapes(self, n_scales: int) -> list[Shape]:
        """Return the shapes of the features that `scales` returns."""
        return [self.out_shape, *self.network.scale_shapes(n_scales)[1:]]

    def _linear(self, i: int, x: Tensor) -> Tensor:
        return self.shortcut[i](x.flatten(self.start_dims[i]))

    def _joined(self, hidden: Tensor, linear: Tensor) -> Tensor:
        linear = linear.unflatten(-1, self.linear_shape).expand(*hidden.shape[:-3], -1, -1, -1)
        return torch.cat([hidden, linear], -3)

    @staticmethod
    @torch.no_grad()
    def set_affine(
        head: nn.Module,
        trunks: dict["LinearFeatures", list[Tensor]],
        intercept: Tensor,
        others: Tensor | float = 0,
        n_locations: int = 1,
    ) -> None:
        """Start networks that share an output layer at an affine map, as `Stack.set_affine` does.

        What the output layer reads of the convolutions starts at zero.
        """
        trunk, size = next(iter(trunks)), len(intercept)
        for part, maps in trunks.items():
            set_maps(part.shortcut, maps, math.prod(part.linear_shape))
        for parameter in head.parameters():
            parameter.zero_()
        n_cells = math.prod(trunk.linear_shape[1:])
        if isinstance(head, Readout):
            numbers = head.linear.bias.view(-1, size)
            numbers[:n_locations], numbers[n_locations:] = intercept, others
            for rows in head.linear.weight[: n_locations * size].split(size):
                rows[:, trunk.n_hidden * n_cells :].fill_diagonal_(1)
            return
        numbers = [intercept, others] if isinstance(others, Tensor) else [intercept]
        level = torch.cat(numbers)[: trunk.shortcut[0].out_features]
        trunk.shortcut[0].bias[: len(level)] = level
        kernels = head.conv.conv.weight
        middle, n_channels = kernels.shape[-1] // 2, len(level) // n_cells
        for i, kernel in enumerate(kernels[: n_locations * n_channels]):
            kernel[trunk.n_hidden + i % n_channels, middle, middle] = 1
