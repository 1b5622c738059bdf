"""The order of outputs, and the way from their codes to it and back."""

import math
from typing import NamedTuple

from torch import Tensor


class Order(NamedTuple):
    """The order of outputs: of a vector as they stand, of images by pixel and then channel.

    Parameters
    ----------
    code_shape : tuple of int
        Shape of one encoded row.
    size : int
        Numbers that encode one output: 1, or those of a one-hot code.
    """

    code_shape: tuple[int, ...]
    size: int

    @property
    def image_shape(self) -> tuple[int, ...]:
        """Channels, height and width; of a vector a single channel and row."""
        n_outputs = math.prod(self.code_shape) // self.size
        grid = self.code_shape[-2:] if len(self.code_shape) > 1 else (1, n_outputs)
        return n_outputs // math.prod(grid), *grid

    def ordered(self, flat: Tensor, size: int) -> Tensor:
        """Return numbers in order, from the layout of codes.

        Parameters
        ----------
        flat : Tensor of shape batch + (size * n_outputs,)
            Numbers as far from the others of their output as there are outputs.
        size : int
            Numbers of each output.

        Returns
        -------
        Tensor of shape batch + (n_outputs, size)
            The same numbers.
        """
        n_channels, *grid = self.image_shape
        parts = flat.unflatten(-1, (size, n_channels, math.prod(grid)))
        return parts.transpose(-1, -3).flatten(-3, -2)

    def encoded(self, y: Tensor) -> Tensor:
        """Return ordered outputs, batch + (n_outputs, size), in the layout of codes."""
        n_channels, *grid = self.image_shape
        y = y.unflatten(-2, (math.prod(grid), n_channels)).transpose(-1, -3)
        return y.reshape(*y.shape[:-3], *self.code_shape)
