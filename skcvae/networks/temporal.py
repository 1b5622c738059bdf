r"""Temporal convolutional networks, built from input and output shapes.

A row is a vector or a sequence of shape (..., length, channels); dimensions before the length
count channels too. Features are a sequence of the length of y, to which every input is mapped
linearly, and residual blocks of dilated convolutions add to it,

.. math::

    h_0 = \sum_i W_i x_i + b, \quad
    h_{i+1} = h_i + V_i \, \phi(U_i *_{2^i} h_i),

so that linear relations have a path of their own (Bai, Kolter and Koltun, 2018). A convolution
is a linear layer of the values that it reads side by side.
"""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from skcvae.networks.layers import ACTIVATIONS, Dropout, Readout, Shape


def is_sequence(shape: Shape) -> bool:
    """Return whether a row of this shape is a sequence rather than a vector."""
    return len(shape) > 1


class DilatedConvolution(nn.Module):
    """A convolution along time of sequences, padded with zeros to the same length."""

    def __init__(self, n_channels: int, kernel_size: int, dilation: int):
        super().__init__()
        self.kernel_size, self.dilation = kernel_size, dilation
        self.linear = nn.Linear(kernel_size * n_channels, n_channels)

    def forward(self, h: Tensor) -> Tensor:
        reach = self.dilation * (self.kernel_size // 2)
        length, padded = h.shape[-2], F.pad(h, (0, 0, reach, reach))
        starts = range(0, 2 * reach + 1, self.dilation)
        return self.linear(torch.cat([padded[..., s : s + length, :] for s in starts], -1))


class ResidualBlock(nn.Module):
    """A sequence plus a pointwise map of what a dilated convolution reads from it."""

    def __init__(
        self, n_channels: int, kernel_size: int, dilation: int, *, activation: str, dropout: float
    ):
        super().__init__()
        self.conv = DilatedConvolution(n_channels, kernel_size, dilation)
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
        by_time = x.movedim(-2, -self.in_ndim).flatten(1 - self.in_ndim)
        h = self.blocks(self.linear(by_time))
        return h if self.along is None else self.along(h.mT).mT


class TemporalNetwork(nn.Module):
    """Sequences and vectors to a sequence of features: encoder and decoder alike.

    Attributes
    ----------
    out_shape : tuple of int
        Shape of the features of one row, (length, channels).
    """

    def __init__(
        self,
        in_shapes: Sequence[Shape],
        length: int,
        n_channels: int,
        *,
        n_blocks: int,
        kernel_size: int,
        **block,
    ):
        super().__init__()
        self.out_shape = (length, n_channels)

        def blocks() -> nn.Sequential:
            return nn.Sequential(
                *(ResidualBlock(n_channels, kernel_size, 2**i, **block) for i in range(n_blocks))
            )

        self.entrances = nn.ModuleList(
            SequenceEntrance(shape, self.out_shape, blocks, bias=i == 0)
            if is_sequence(shape)
            else Readout(shape, self.out_shape, bias=i == 0)
            for i, shape in enumerate(in_shapes)
        )
        self.blocks = blocks()

    def given(self, x: Tensor | None) -> Callable[[Tensor], Tensor]:
        """Return the features as a function of the last input; x enters once."""
        share = 0.0 if x is None else self.entrances[0](x)
        return lambda z: self.blocks(share + self.entrances[-1](z))

    def forward(self, *inputs: Tensor) -> Tensor:
        pairs = zip(self.entrances, inputs, strict=True)
        return self.blocks(sum(entrance(part) for entrance, part in pairs))

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
        self.numbers = (*out_shape[:-2], out_shape[-1])
        self.linear = nn.Linear(in_shape[-1], math.prod(self.numbers))

    def forward(self, features: Tensor) -> Tensor:
        numbers = self.linear(features)
        # Sums over outputs, such as log densities, need more than the 8 bits of bfloat16.
        numbers = numbers.float() if numbers.dtype == torch.bfloat16 else numbers
        return numbers.unflatten(-1, self.numbers).movedim(-len(self.numbers) - 1, -2)
