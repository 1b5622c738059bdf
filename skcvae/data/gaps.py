"""Encoding of rows with missing entries: a fill, and a flag beside it."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from skcvae.data.coding import Scaling


class Flagged(NamedTuple):
    """An affine map of rows in which NaN becomes the mean, and a flag for each number beside it.

    A vector becomes one of twice the length, numbers before flags; of an image the flags are
    channels.

    Parameters
    ----------
    scaling : Scaling
        The map of the numbers.
    """

    scaling: Scaling

    @property
    def row_shape(self) -> tuple[int, ...]:
        """Shape of one row in the user's units."""
        return self.scaling.row_shape

    @property
    def code_shape(self) -> tuple[int, ...]:
        """Shape of one encoded row."""
        shape = self.scaling.row_shape
        return (2, *shape) if len(shape) == 2 else (2 * shape[0], *shape[1:])

    def check(self, array: np.ndarray, name: str) -> None:
        """Refuse numbers that are too far from those of `fit`."""
        self.scaling.check(array, name)

    def to_tensor(self, array: np.ndarray, dtype: torch.dtype, device) -> Tensor:
        """Return encoded rows on a device."""
        return flagged(self.scaling.to_tensor(array, dtype, device), self.code_shape)


def flagged(code: Tensor, code_shape: tuple[int, ...]) -> Tensor:
    """Return standardised rows with zero for NaN, and the flags of NaN beside them."""
    flags = code.isnan()
    return torch.stack([code.nan_to_num(0.0), flags.to(code)], 1).reshape(-1, *code_shape)
