r"""Temporal convolutional networks, built from input and output shapes.

A row is a vector or a sequence of shape (..., length, channels); dimensions before the length
count channels too. Features are a sequence of the length of y, to which every input is mapped
linearly, and residual blocks of dilated convolutions add to it,

.. math::

    h_0 = \sum_i W_i x_i + b, \quad
    h_{i+1} = h_i + V_i \, \phi(U_i *_{2^i} h_i),

so that linear relations have a path of their own (Bai, Kolter and Koltun, 2018). A convolution
is a linear layer of the values that it reads side by side. With skip connections, further features
are linear in the inputs at all times, or, where these have the length of y, in those nearby.
"""

import math
import operator
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from skcvae.networks.layers import ACTIVATIONS, Dropout, Readout, Shape
from skcvae.networks.linear_features import MOST_WEIGHTS, set_maps

FARTHEST_LAG = 8  # of a linear filter, in times


def is_sequence(shape: Shape) -> bool:
    """Return whether a row of this shape is a sequence rather than a vector."""
    return len(shape) > 1


def by_time(x: Tensor, in_ndim: int) -> Tensor:
    """Return sequences, of so many dimensions a row, with all that count channels at the end."""
    return x.movedim(-2, -in_ndim).flatten(1 - in_ndim)


def from_time(h: Tensor, shape: Shape) -> Tensor:
    """Return rows of a shape from sequences with all that count channels at the end."""
    others = (*shape[:-2], shape[-1])
    return h.unflatten(-1, others).movedim(-len(others) - 1, -2)


class DilatedConvolution(nn.Module):
    """A convolution along time of sequences, padded with zeros to the same length."""

    def __init__(self, n_channels: int, n_outputs: int, kernel_size: int, dilation: int):
        super().__init__()
        self.kernel_size, self.dilation = kernel_size, dilation
        self.linear = nn.Linear(kernel_size * n_channels, n_outputs)

    def windows(self, h: Tensor) -> Tensor:
        """Return the values that are read at each time, side by side."""
        reach = self.dilation * (self.kernel_size // 2)
        length, padded = h.shape[-2], F.pad(h, (0, 0, reach, reach))
        starts = range(0, 2 * reach + 1, self.dilation)
        return torch.cat([padded[..., s : s + length, :] for s in starts], -1)

    def forward(self, h: Tensor) -> Tensor:
        return self.linear(self.windows(h))


class ResidualBlock(nn.Module):
    """A sequence plus a pointwise map of what a dilated convolution reads from it."""

    def __init__(
        self, n_channels: int, kernel_size: int, dilation: int, *, activation: str, dropout: float
    ):
        super().__init__()
        self.conv = DilatedConvolution(n_channels, n_channels, kernel_size, dilation)
        self.activation = ACTIVATIONS[activation]()
        self.dropout = Dropout(dropout) if dropout else nn.Identity()
        self.mix = nn.Linear(n_channels, n_channels)

    def forward(self, h: Tensor) -> Tensor:
        return h + self.mix(self.dropout(self.activation(self.conv(h))))


class SequenceEntrance(nn.Module):
    """A layer from a sequence to features, linear where it has their length.

    Another length is brought to theirs, after blocks of its own, by a linear map along time.
    """

    def __init__(
        self, in_shape: Shape, out_shape: Shape, blocks: Callable[[], nn.Module], *, bias: bool
    ):
        super().__init__()
        self.in_ndim = len(in_shape)
        (length, n_channels), in_length = out_shape, in_shape[-2]
        self.linear = nn.Linear(math.prod(in_shape) // in_length, n_channels, bias=bias)
        self.blocks, self.along = nn.Identity(), None
        if in_length != length:
            self.blocks, self.along = blocks(), nn.Linear(in_length, length, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        h = self.blocks(self.linear(by_time(x, self.in_ndim)))
        return h if self.along is None else self.along(h.mT).mT


class LinearPath(nn.Module):
    """A linear layer from all of an input to a target of some shape, as features by time."""

    def __init__(self, in_shape: Shape, target: Shape, length: int, *, bias: bool):
        super().__init__()
        self.in_ndim, self.target, self.length = len(in_shape), target, length
        self.in_features = math.prod(in_shape)
        self.linear = nn.Linear(self.in_features, math.prod(target), bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        numbers = self.linear(x.flatten(-self.in_ndim))
        if is_sequence(self.target):
            return by_time(numbers.unflatten(-1, self.target), len(self.target))
        missing = -numbers.shape[-1] % self.length
        return F.pad(numbers, (0, missing)).unflatten(-1, (self.length, -1))

    def start_at(self, intercept: Tensor) -> None:
        """Set the intercepts, one for each number of the target."""
        self.linear.bias.copy_(intercept)


class LinearFilter(DilatedConvolution):
    """A linear layer from a sequence to a target of its length, which reads nearby times."""

    def __init__(self, in_shape: Shape, target: Shape, length: int):
        n_channels, n_outputs = math.prod(in_shape) // length, math.prod(target) // length
        super().__init__(n_channels, n_outputs, 2 * min(FARTHEST_LAG, length - 1) + 1, 1)
        self.in_shape, self.target, self.length = in_shape, target, length

    def windows(self, x: Tensor) -> Tensor:
        """Return what is read of x at each time, (n, length, n_numbers)."""
        return super().windows(by_time(x, len(self.in_shape)))

    def start_at(self, intercept: Tensor) -> None:
        """Set the intercepts, the same at all times."""
        self.linear.bias.copy_(by_time(intercept.view(self.target), len(self.target)).mean(0))


class TemporalNetwork(nn.Module):
    """Sequences and vectors to a sequence of features: encoder and decoder alike.

    Attributes
    ----------
    out_shape : tuple of int
        Shape of the features of one row, (length, channels); those of the skip connections are
        the last channels, as many numbers as the target has.
    shortcut : ModuleList
        The skip connection of each input, empty if there are none.
    """

    def __init__(
        self,
        in_shapes: Sequence[Shape],
        target: Shape,
        length: int,
        n_channels: int,
        *,
        n_blocks: int,
        kernel_size: int,
        shortcut: bool,
        **block,
    ):
        super().__init__()
        self.shortcut, n_linear = nn.ModuleList(), 0
        n_weights = sum(map(math.prod, in_shapes)) * math.prod(target)
        if shortcut and n_weights <= MOST_WEIGHTS:
            n_linear = -(-math.prod(target) // length)
            self.shortcut.extend(
                LinearFilter(shape, target, length)
                if is_sequence(target) and is_sequence(shape) and shape[-2] == length
                else LinearPath(shape, target, length, bias=i == 0)
                for i, shape in enumerate(in_shapes)
            )
        self.n_hidden, inside = n_channels, (length, n_channels)
        self.out_shape = (length, n_channels + n_linear)

        def blocks() -> nn.Sequential:
            return nn.Sequential(
                *(ResidualBlock(n_channels, kernel_size, 2**i, **block) for i in range(n_blocks))
            )

        self.entrances = nn.ModuleList(
            SequenceEntrance(shape, inside, blocks, bias=i == 0)
            if is_sequence(shape)
            else Readout(shape, inside, bias=i == 0)
            for i, shape in enumerate(in_shapes)
        )
        self.blocks = blocks()

    def given(self, x: Tensor | None) -> Callable[[Tensor], Tensor]:
        """Return the features as a function of the last input; x enters once."""
        paths = self.entrances, self.shortcut
        shares = [path[0](x) if path and x is not None else 0.0 for path in paths]

        def features(z: Tensor) -> Tensor:
            of_z = [path[-1](z) if path else 0.0 for path in paths]
            return self._joined(*map(operator.add, shares, of_z))

        return features

    def forward(self, *inputs: Tensor) -> Tensor:
        paths = self.entrances, self.shortcut
        sums = (sum(m(x) for m, x in zip(path, inputs, strict=False)) for path in paths)
        return self._joined(*sums)

    def _joined(self, hidden: Tensor, linear: Tensor | float) -> Tensor:
        """Return the features, given the sums of all inputs on both ways."""
        h = self.blocks(hidden)
        return torch.cat([h, linear], -1) if self.shortcut else h

    @staticmethod
    @torch.no_grad()
    def set_affine(
        head: nn.Module,
        trunks: dict["TemporalNetwork", list[Tensor]],
        intercept: Tensor,
        others: Tensor | float = 0,
        n_locations: int = 1,
    ) -> None:
        """Start networks that share an output layer at an affine map, as `Stack.set_affine` does.

        The map of an input that enters by a filter is that of what is read at each time; it has
        one intercept for all times. What the hidden channels add starts at zero.
        """
        trunk, size = next(iter(trunks)), len(intercept)
        for part, maps in trunks.items():
            set_maps([layer.linear for layer in part.shortcut], maps, size)
        weight, bias = head.linear.weight.zero_(), head.linear.bias.zero_()
        length, n_channels = trunk.out_shape
        n_linear = n_channels - trunk.n_hidden
        if isinstance(head, SequenceReadout):
            trunk.shortcut[0].start_at(intercept)
            for rows in weight[: n_locations * n_linear].split(n_linear):
                rows[:, trunk.n_hidden :] = torch.eye(n_linear)
            return
        bias.view(-1, size)[:n_locations], bias.view(-1, size)[n_locations:] = intercept, others
        columns = torch.arange(length * n_channels).view(length, n_channels)
        columns = columns[:, trunk.n_hidden :].flatten()[:size]
        for rows in weight[: n_locations * size].split(size):
            rows[range(len(columns)), columns] = 1

    def scales(self, x: Tensor, n_scales: int) -> list[Tensor]:
        """Return the features without z, at full resolution only."""
        return [self(x)] * n_scales

    def scale_shapes(self, n_scales: int) -> list[Shape]:
        """Return the shapes of the features that `scales` returns.

        Raises ValueError if there is more than one scale.
        """
        if n_scales > 1:
            raise ValueError(
                f"n_scales={n_scales} pools images, and architecture=Temporal() has sequences of "
                "one resolution: expected n_scales=1."
            )
        return [self.out_shape]


class SequenceReadout(nn.Module):
    """A linear output layer, the same at every time, with an output of a given shape."""

    def __init__(self, in_shape: Shape, out_shape: Shape):
        super().__init__()
        self.out_shape = out_shape
        self.linear = nn.Linear(in_shape[-1], math.prod(out_shape) // out_shape[-2])

    def forward(self, features: Tensor) -> Tensor:
        numbers = self.linear(features)
        # Sums over outputs, such as log densities, need more than the 8 bits of bfloat16.
        numbers = numbers.float() if numbers.dtype == torch.bfloat16 else numbers
        return from_time(numbers, self.out_shape)
