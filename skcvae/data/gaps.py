"""Encoding of rows with missing entries: a fill, and a flag beside it."""

import warnings
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from skcvae.data.coding import Scaling, as_images, columns_of
from skcvae.data.tails import Tails

SHOWN = 5  # places in a warning


class Flagged(NamedTuple):
    """An affine map of rows in which NaN becomes the mean, and a flag for each number beside it.

    A vector becomes one of twice the length, numbers before flags; of an image the flags are
    channels. Where `fit` saw no gaps there is no flag, whose weights would not be trained.
    """

    scaling: Scaling | Tails
    had_gaps: np.ndarray  # of bool: whether the column, or the channel, had gaps in `fit`

    @classmethod
    def fit(cls, scaling: Scaling | Tails, rows: np.ndarray, *, are_sequences: bool) -> "Flagged":
        """Return the map of rows with NaN."""
        gaps = np.isnan(as_images(rows) if are_sequences else rows)
        had_gaps = columns_of(gaps).any(axis=0)
        had_gaps = had_gaps[:, None, None] if rows.ndim == 4 else had_gaps
        return cls(scaling, np.array(np.broadcast_to(had_gaps, scaling.row_shape)))

    @property
    def row_shape(self) -> tuple[int, ...]:
        """Shape of one row in the user's units."""
        return self.scaling.row_shape

    @property
    def code_shape(self) -> tuple[int, ...]:
        """Shape of one encoded row."""
        shape = self.scaling.row_shape
        size = self.scaling.code_shape[0] + shape[0]
        return (2, *shape) if len(shape) == 2 else (size, *shape[1:])

    def check(self, array: np.ndarray, name: str) -> None:
        """Refuse numbers that are too far from those of `fit`."""
        self.scaling.check(array, name)

    def to_tensor(self, array: np.ndarray, dtype: torch.dtype, device) -> Tensor:
        """Return encoded rows on a device."""
        code = self.scaling.to_tensor(array, dtype, device)
        return flagged(code, torch.from_numpy(self.had_gaps).to(device), self.code_shape)

    def new_gaps(self, array: np.ndarray) -> np.ndarray:
        """Return where rows have gaps that `fit` did not see: (n_positions, ndim of a row)."""
        gaps = np.isnan(array).any(axis=0)
        return np.argwhere(gaps & ~self.had_gaps.reshape(gaps.shape))


def flagged(code: Tensor, had_gaps: Tensor, code_shape: tuple[int, ...]) -> Tensor:
    """Return standardised rows with zero for NaN, and the flags of NaN beside them."""
    flags = code[:, : len(had_gaps)].isnan() & had_gaps
    return torch.cat([code.nan_to_num(0.0), flags.to(code)], 1).reshape(-1, *code_shape)


def warn_of_new_gaps(places: list, name: str, assumed: str) -> None:
    """Warn of gaps where `fit` saw none: `places` are columns, or positions in a row."""
    if places:
        more = ", ..." if len(places) > SHOWN else ""
        warnings.warn(
            f"{name} has gaps at {', '.join(map(repr, places[:SHOWN]))}{more}, where there were "
            f"none in fit: nothing was learned about them, they are read as {assumed}, and "
            "intervals are too narrow. Fit to rows with gaps there, of the data or made at "
            "random, or leave out the rows that have them.",
            UserWarning,
            stacklevel=2,
        )
