r"""The convolutional networks: down to a map of low resolution, and up again.

A row is an image, (height, width) or with channels first, or a vector. Images
go in at full resolution; each level halves it, a side of h becoming
:math:`\lceil h / 2 \rceil`, so any size will do. Vectors join at the lowest
level, as latent maps do. The way up goes back through the same sizes.
"""

import math
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from skcvae.networks.layers import ACTIVATIONS, Readout, Shape


def is_image(shape: Shape) -> bool:
    """Return whether a row of this shape is an image rather than a vector.

    Parameters
    ----------
    shape : tuple of int
        Shape of one row.

    Returns
    -------
    bool
        Whether it has a height and a width.
    """
    return len(shape) > 1


class Convolution(nn.Module):
    """A convolution of images of one size, whatever dimensions stand before them.

    Weights lie channels last, which halves the time on a CPU.

    Parameters
    ----------
    in_shape : tuple of int
        Shape of one image; all dimensions before height and width are channels.
    channels : int
        Channels of the output.
    size : tuple of int
        Height and width to which the image is brought first.
    kernel_size : int
        Odd.
    stride : int, default=1
        Two halves height and width, rounded up.
    bias : bool, default=True
        Whether to add a number per channel.

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
    """A convolution as last layer, whose output has a given shape.

    Parameters
    ----------
    in_shape, out_shape : tuple of int
        Shapes of one row, in and out; both end in height and width.
    kernel_size : int
        Odd.
    """

    def __init__(self, in_shape: Shape, out_shape: Shape, kernel_size: int):
        super().__init__()
        self.out_shape = out_shape
        self.conv = Convolution(
            in_shape, math.prod(out_shape[:-2]), out_shape[-2:], kernel_size=kernel_size
        )

    def forward(self, features: Tensor) -> Tensor:
        return self.conv(features).unflatten(-3, self.out_shape[:-2])


def entrance(in_shape: Shape, out_shape: Shape, *, bias: bool, **conv) -> nn.Module:
    """Return the layer through which a row of any shape enters a map.

    Parameters
    ----------
    in_shape, out_shape : tuple of int
        Shapes of a row and of the map.
    bias : bool
        Whether to add a number per channel.
    **conv
        Parameters of the convolution, where the row is an image.

    Returns
    -------
    Module
        A convolution, or for a vector a linear layer.
    """
    if is_image(in_shape):
        return Convolution(in_shape, out_shape[0], bias=bias, **conv)
    return Readout(in_shape, out_shape, bias=bias)


class Descent(nn.Module):
    """From images and vectors to a map of low resolution.

    Parameters
    ----------
    in_shapes : sequence of tuples of int
        The shape of one row of each input.
    channels : sequence of int
        Channels at full resolution, which are not used here, and at each level.
    size : tuple of int
        Height and width of full resolution.
    kernel_size : int
        Of every convolution.
    activation : str
        A key of `ACTIVATIONS`.

    Attributes
    ----------
    level_shapes : list of tuples of int
        Shapes of what `levels` returns.
    out_shape : tuple of int
        Shape of the last of them.
    """

    def __init__(
        self,
        in_shapes: Sequence[Shape],
        channels: Sequence[int],
        size: Shape,
        *,
        kernel_size: int,
        activation: str,
    ):
        super().__init__()
        every = list(zip(channels, level_sizes(size, len(channels)), strict=True))
        shapes = [(c, *level) for c, level in every]
        self.out_shape = shapes[-1]
        self.is_image = [is_image(shape) for shape in in_shapes]
        self.level_shapes = shapes[1:] if any(self.is_image) else shapes[-1:]
        halving = {"kernel_size": kernel_size, "stride": 2}
        self.entrances = nn.ModuleList(
            entrance(
                shape, shapes[1] if is_image(shape) else shapes[-1], bias=i == 0,
                size=size, **halving,
            )
            for i, shape in enumerate(in_shapes)
        )  # fmt: skip
        self.steps = nn.ModuleList(
            Convolution(fine, coarse[0], fine[1:], **halving)
            for fine, coarse in zip(self.level_shapes, self.level_shapes[1:], strict=False)
        )
        self.last = Convolution(
            self.out_shape, self.out_shape[0], self.out_shape[1:], kernel_size=kernel_size
        )
        self.activation = ACTIVATIONS[activation]()

    def levels(self, *inputs: Tensor) -> list[Tensor]:
        """Return the features of each level, from half the resolution to the lowest."""
        found: list[Tensor] = []
        entered = [layer(x) for layer, x in zip(self.entrances, inputs, strict=True)]
        images = [h for h, wide in zip(entered, self.is_image, strict=True) if wide]
        vectors = [h for h, wide in zip(entered, self.is_image, strict=True) if not wide]
        if images:
            h = sum(images)
            for step in self.steps:
                found.append(self.activation(h))
                h = step(found[-1])
            vectors.append(h)
        found.append(self.activation(self.last(self.activation(sum(vectors)))))
        return found

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.levels(*inputs)[-1]


class Ascent(nn.Module):
    """From x, and draws of z where there are any, to features of y.

    x goes down by a :class:`Descent`; z joins at the lowest level; both go up.

    Parameters
    ----------
    in_shapes : sequence of tuples of int
        The shape of one row of x, and of z.
    channels : sequence of int
        Channels at full resolution and at each level.
    size : tuple of int
        Height and width of full resolution.
    to_image : bool
        Whether to go up to full resolution; otherwise the features are those of
        the lowest level.
    kernel_size : int
        Of every convolution.
    activation : str
        A key of `ACTIVATIONS`.
    shortcut : bool
        Whether x's features of each level are added to those of the way up.

    Attributes
    ----------
    out_shape : tuple of int
        Shape of the features of one row.
    """

    def __init__(
        self,
        in_shapes: Sequence[Shape],
        channels: Sequence[int],
        size: Shape,
        *,
        to_image: bool,
        kernel_size: int,
        activation: str,
        shortcut: bool,
    ):
        super().__init__()
        x_shape, *z_shape = in_shapes
        self.descent = Descent(
            [x_shape], channels, size, kernel_size=kernel_size, activation=activation
        )
        sizes = level_sizes(size, len(channels))
        shapes = [(c, *level) for c, level in zip(channels, sizes, strict=True)]
        at_bottom = {"size": sizes[-1], "kernel_size": kernel_size}
        self.mix = Convolution(shapes[-1], channels[-1], **at_bottom)
        self.entrances = nn.ModuleList(
            entrance(shape, shapes[-1], bias=False, **at_bottom) for shape in z_shape
        )
        climb = list(zip(shapes[:0:-1], shapes[-2::-1], strict=True)) if to_image else []
        self.steps = nn.ModuleList(
            Convolution(coarse, fine[0], fine[1:], kernel_size=kernel_size)
            for coarse, fine in climb
        )
        self.skips = nn.ModuleList(
            Convolution(seen, fine[0], fine[1:], kernel_size=kernel_size, bias=False)
            for seen, (_, fine) in zip(
                [*self.descent.level_shapes[-2::-1], x_shape], climb, strict=False
            )
            if shortcut and is_image(x_shape)
        )
        self.activation = ACTIVATIONS[activation]()
        self.level_shapes = [shapes[-1], *(fine for _, fine in climb)]
        self.out_shape = self.level_shapes[-1]

    def given(self, x: Tensor) -> Callable[[Tensor], Tensor]:
        """Return the features as a function of z alone, all work on x done once."""
        share, skips = self._of_x(x)
        (enter,) = self.entrances
        return lambda z: list(self._up(share + enter(z), skips))[-1]

    def forward(self, x: Tensor) -> Tensor:
        return self.scales(x, 1)[0]

    def scales(self, x: Tensor, n_scales: int) -> list[Tensor]:
        """Return the features without z at full resolution, a half, a quarter."""
        return list(self._up(*self._of_x(x)))[: -n_scales - 1 : -1]

    def scale_shapes(self, n_scales: int) -> list[Shape]:
        """Return the shapes of what `scales` returns.

        Raises ValueError where the way up has fewer levels.
        """
        if n_scales > len(self.level_shapes):
            raise ValueError(
                f"n_scales={n_scales} expects Conv to have at least {n_scales} levels, got "
                f"{len(self.level_shapes)}: take more channels."
            )
        return self.level_shapes[: -n_scales - 1 : -1]

    def _of_x(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        levels = self.descent.levels(x)
        seen = [*levels[-2::-1], x]
        skips = [skip(h) for skip, h in zip(self.skips, seen, strict=False)]
        return self.mix(levels[-1]), skips

    def _up(self, h: Tensor, skips: list[Tensor]) -> Iterator[Tensor]:
        h = self.activation(h)
        yield h
        for i, step in enumerate(self.steps):
            h = step(h)
            h = self.activation(h + skips[i] if skips else h)
            yield h


def level_sizes(size: Shape, n_levels: int) -> list[Shape]:
    """Return heights and widths, each half of the one before, rounded up.

    Parameters
    ----------
    size : tuple of int
        The first.
    n_levels : int
        How many.

    Returns
    -------
    list of tuples of int
        From full to lowest resolution.
    """
    return [tuple(math.ceil(side / 2**level) for side in size) for level in range(n_levels)]
