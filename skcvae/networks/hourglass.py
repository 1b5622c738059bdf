r"""Convolutional encoder and decoder.

Images enter at full resolution, and each level halves height and width. Vectors and
latent maps enter at the lowest resolution, finer maps at theirs. The decoder goes back through the
same sizes.
"""

import operator
from collections.abc import Callable, Iterator, Sequence
from functools import reduce
from itertools import zip_longest

from torch import Tensor, nn

from skcvae.networks.convolutions import (
    Convolution,
    entrance,
    is_image,
    level_sizes,
    split_maps,
)
from skcvae.networks.layers import ACTIVATIONS, Shape


class Descent(nn.Module):
    """Convolutional encoder: images and vectors to a feature map of low resolution.

    Attributes
    ----------
    level_shapes : list of tuples of int
        Shapes of the features that `levels` returns.
    out_shape : tuple of int
        Shape of the features of the lowest level.
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

    def layers(self) -> list[nn.Module]:
        """Return the layers of an encoder of images, those of the lowest resolution in one."""
        *finer, lowest = [
            nn.Sequential(c, self.activation) for c in (*self.entrances, *self.steps)
        ]
        return [*finer, nn.Sequential(lowest, self.last, self.activation)]


class Ascent(nn.Module):
    """Convolutional encoder and decoder: x, and draws of z if given, to features of y.

    x is encoded by a :class:`Descent`, z is added at the lowest resolution, and the
    sum is decoded. The first shape is None where there is no x. Further shapes are of latent
    maps of higher levels, which lie side by side in z.

    Attributes
    ----------
    out_shape : tuple of int
        Shape of the features of one row.
    """

    def __init__(
        self,
        in_shapes: Sequence[Shape | None],
        channels: Sequence[int],
        size: Shape,
        *,
        to_image: bool,
        kernel_size: int,
        activation: str,
        shortcut: bool,
    ):
        super().__init__()
        x_shape, *z_shapes = in_shapes
        sizes = level_sizes(size, len(channels))
        shapes = [(c, *level) for c, level in zip(channels, sizes, strict=True)]
        at_bottom = {"size": sizes[-1], "kernel_size": kernel_size}
        seen_shapes = []
        if x_shape is not None:
            self.descent = Descent(
                [x_shape], channels, size, kernel_size=kernel_size, activation=activation
            )
            self.mix = Convolution(shapes[-1], channels[-1], **at_bottom)
            seen_shapes = [*self.descent.level_shapes[-2::-1], x_shape]
        self.entrances = nn.ModuleList(
            entrance(z, h, bias=x_shape is None, size=h[1:], kernel_size=kernel_size)
            for z, h in zip(z_shapes, shapes[::-1], strict=False)
        )
        self.map_sizes = [shape[1:] for shape in z_shapes]
        climb = list(zip(shapes[:0:-1], shapes[-2::-1], strict=True)) if to_image else []
        self.steps = nn.ModuleList(
            Convolution(coarse, fine[0], fine[1:], kernel_size=kernel_size)
            for coarse, fine in climb
        )
        self.skips = nn.ModuleList(
            Convolution(seen, fine[0], fine[1:], kernel_size=kernel_size, bias=False)
            for seen, (_, fine) in zip(seen_shapes, climb, strict=False)
            if shortcut and is_image(x_shape)
        )
        self.activation = ACTIVATIONS[activation]()
        self.level_shapes = [shapes[-1], *(fine for _, fine in climb)]
        self.out_shape = self.level_shapes[-1]

    def given(self, x: Tensor | None) -> Callable[[Tensor], Tensor]:
        """Return the features as a function of z; x is encoded once."""
        share, skips = self._encode_x(x)

        def features(z: Tensor) -> Tensor:
            lowest, *finer = self._enter(z)
            return list(self._up(share + lowest, skips, finer))[-1]

        return features

    def forward(self, x: Tensor) -> Tensor:
        return self.scales(x, 1)[0]

    def scales(self, x: Tensor, n_scales: int) -> list[Tensor]:
        """Return the features without z at full, half and quarter resolution."""
        return list(self._up(*self._encode_x(x)))[: -n_scales - 1 : -1]

    def scale_shapes(self, n_scales: int) -> list[Shape]:
        """Return the shapes of the features that `scales` returns.

        Raises ValueError if the decoder has fewer levels.
        """
        if n_scales > len(self.level_shapes):
            raise ValueError(
                f"n_scales={n_scales} expects Conv to have at least {n_scales} levels, got "
                f"{len(self.level_shapes)}. Increase the length of channels."
            )
        return self.level_shapes[: -n_scales - 1 : -1]

    def layers(self) -> list[nn.Module]:
        """Return the layers of a decoder of z alone."""
        return [nn.Sequential(layer, self.activation) for layer in (*self.entrances, *self.steps)]

    def _enter(self, z: Tensor) -> list[Tensor]:
        """Return what z adds to the features of each level, the lowest first."""
        maps = [z] if len(self.map_sizes) == 1 else split_maps(z, self.map_sizes)
        return [enter(part) for enter, part in zip(self.entrances, maps, strict=True)]

    def _encode_x(self, x: Tensor | None) -> tuple[Tensor | float, list[Tensor]]:
        if x is None:
            return 0.0, []
        levels = self.descent.levels(x)
        seen = [*levels[-2::-1], x]
        skips = [skip(h) for skip, h in zip(self.skips, seen, strict=False)]
        return self.mix(levels[-1]), skips

    def _up(self, h: Tensor, *added: list[Tensor]) -> Iterator[Tensor]:
        h = self.activation(h)
        yield h
        for step, *parts in zip_longest(self.steps, *added):
            parts = [part for part in parts if part is not None]
            h = self.activation(reduce(operator.add, parts, step(h)))
            yield h
