r"""Convolutional layers, built from input and output shapes.

A row is a vector or an image, of shape (height, width) or with channels first.
Downsampling a side of h pixels gives :math:`\lceil h / 2 \rceil`, so images may have any
size.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from skcvae.networks.layers import Readout, Shape


def is_image(shape: Shape) -> bool:
    """Return whether a row of this shape is an image rather than a vector."""
    return len(shape) > 1


class Convolution(nn.Module):
    """A convolution of images of a fixed size, with any batch dimensions.

    Weights are stored channels last, which halves the time on a CPU.

    Attributes
    ----------
    out_shape : tuple of int
        Shape of one output.
    """

    def __init__(
        self,
        in_shape: Shape,
        channels: int,
        size: Shape,
        *,
        kernel_size: int,
        stride: int = 1,
        bias: bool = True,
    ):
        super().__init__()
        self.in_shape = tuple(in_shape)
        self.size = tuple(size)
        self.out_shape = (channels, *(math.ceil(side / stride) for side in size))
        self.conv = nn.Conv2d(
            math.prod(in_shape[:-2]), channels, kernel_size, stride, kernel_size // 2, bias=bias
        ).to(memory_format=torch.channels_last)

    def forward(self, images: Tensor) -> Tensor:
        batch = images.shape[: images.ndim - len(self.in_shape)]
        h = images.reshape(-1, self.conv.in_channels, *self.in_shape[-2:])
        if self.size != self.in_shape[-2:]:
            shrinks = self.size[0] < h.shape[-2] or self.size[1] < h.shape[-1]
            h = F.interpolate(h, self.size, mode="area" if shrinks else "nearest")
        return self.conv(h).unflatten(0, batch)


class ImageReadout(nn.Module):
    """A convolutional output layer with an output of a given shape."""

    def __init__(self, in_shape: Shape, out_shape: Shape, kernel_size: int):
        super().__init__()
        self.out_shape = out_shape
        self.conv = Convolution(
            in_shape, math.prod(out_shape[:-2]), out_shape[-2:], kernel_size=kernel_size
        )

    def forward(self, features: Tensor) -> Tensor:
        numbers = self.conv(features)
        numbers = numbers.float() if numbers.dtype == torch.bfloat16 else numbers
        return numbers.unflatten(-3, self.out_shape[:-2])


def entrance(in_shape: Shape, out_shape: Shape, *, bias: bool, **conv) -> nn.Module:
    """Return a layer from a row of any shape to a feature map."""
    if is_image(in_shape):
        return Convolution(in_shape, out_shape[0], bias=bias, **conv)
    return Readout(in_shape, out_shape, bias=bias)


def keep_variance(network: nn.Module) -> nn.Module:
    """Start the convolutions of a network at weights that keep the variance of features.

    Through many layers torch's own start leaves little of it: of a map of one pixel below five
    levels a thousandth (He, Zhang, Ren and Sun, 2015).
    """
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    return network


def split_maps(z: Tensor, sizes: Sequence[Shape]) -> list[Tensor]:
    """Return the maps that lie side by side in z, whose last axis counts their cells."""
    parts = z.split([height * width for height, width in sizes], -1)
    return [part.unflatten(-1, size) for part, size in zip(parts, sizes, strict=True)]


def level_sizes(size: Shape, n_levels: int) -> list[Shape]:
    """Return the height and width of each level; each level halves them, rounding up."""
    return [tuple(math.ceil(side / 2**level) for side in size) for level in range(n_levels)]
