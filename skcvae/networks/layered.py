r"""A layered image: a foreground through a gate over a background.

.. math:: \eta = g \odot \eta_f(x, z_f) + (1 - g) \odot \eta_b(z_b), \quad
    g = \mathrm{sigmoid}(\gamma(x, z_f))

:math:`\eta` are the numbers of each pixel that a likelihood reads, for a Gaussian the means.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from skcvae.networks.convolutions import ImageReadout, is_image
from skcvae.networks.hourglass import Ascent
from skcvae.networks.layers import Readout, Shape


class Layers(NamedTuple):
    """The parts of an image.

    Parameters
    ----------
    foreground, background : Tensor or ndarray
        Images, or numbers of a likelihood for each pixel.
    gate : Tensor or ndarray
        The share of the foreground in each pixel, or its logit.
    """

    foreground: object
    background: object
    gate: object


class LayeredDecoder(nn.Module):
    """Decode (x, z) in two layers; x and the first part of z reach the foreground alone.

    With `shortcut` each layer adds a linear map of its vectors to its features.

    Attributes
    ----------
    out_shape : tuple of int
        Shape of the features of one row, (2, channels, height, width), the foreground's first.
    """

    def __init__(
        self,
        foreground: Ascent,
        background: Ascent,
        x_shape: Shape,
        sizes: tuple[int, int],
        *,
        shortcut: bool,
    ):
        super().__init__()
        self.foreground, self.background, self.sizes = foreground, background, sizes
        self.out_shape = (2, *foreground.out_shape)
        of_vectors = [shortcut and not is_image(x_shape), shortcut, shortcut]
        self.x_linear, self.front_linear, self.back_linear = (
            Readout(shape, foreground.out_shape, bias=False) if linear else None
            for shape, linear in zip((x_shape, sizes[:1], sizes[1:]), of_vectors, strict=True)
        )

    def given(self, x: Tensor) -> Callable[[Tensor], Tensor]:
        """Return the features as a function of z; x is encoded once."""
        foreground = self.foreground.given(x)
        share = 0.0 if self.x_linear is None else self.x_linear(x)

        def features(z: Tensor) -> Tensor:
            front, back = z.split(self.sizes, -1)
            h_front, h_back = foreground(front) + share, self.background(back)
            if self.front_linear is not None:
                h_front = h_front + self.front_linear(front)
                h_back = h_back + self.back_linear(back)
            return torch.cat([h_front, h_back], -3).unflatten(-3, (2, -1))

        return features


class LayeredReadout(nn.Module):
    """The output layer of both layers and of the gate, which the foreground's features give.

    With `mask` the numbers are not composed: those of the foreground, those of the background
    and the logit of the gate follow each other, as a likelihood of image and mask reads them.
    """

    def __init__(self, in_shape: Shape, out_shape: Shape, kernel_size: int, *, mask: bool):
        super().__init__()
        self.out_shape, self.mask = out_shape, mask
        n_numbers = math.prod(out_shape[:-2])
        n_numbers = n_numbers // 2 if mask else n_numbers
        self.foreground, self.background, self.gate = (
            ImageReadout(in_shape[1:], (n, *out_shape[-2:]), kernel_size)
            for n in (n_numbers, n_numbers, 1)
        )

    def forward(self, features: Tensor) -> Tensor:
        return self.composed(self.layers(features))

    def layers(self, features: Tensor) -> Layers:
        """Return the numbers of both layers, and the logit of the gate."""
        front, back = features.unbind(-4)
        return Layers(self.foreground(front), self.background(back), self.gate(front))

    def composed(self, layers: Layers) -> Tensor:
        """Return the numbers of the image."""
        if self.mask:
            return torch.cat(layers, -3)
        numbers = layers.background.lerp(layers.foreground, layers.gate.sigmoid())
        return numbers.unflatten(-3, self.out_shape[:-2])
