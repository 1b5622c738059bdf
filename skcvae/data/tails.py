"""Encoding of inputs some of which lie far out."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from skcvae.data.coding import FARTHEST, HEAVY, Scaling


class Tails(NamedTuple):
    """Columns that are limited, and those of them with heavy tails once more, without a limit.

    Far numbers that are errors or stand for something are read from the limited column, and
    what is linear in a column with heavy tails from the other.

    Parameters
    ----------
    scaling : Scaling
        Of all columns.
    columns : ndarray of int of shape (n_heavy,)
        Those with heavy tails.
    linear : Scaling
        Of these, by their standard deviations.
    """

    scaling: Scaling
    columns: np.ndarray
    linear: Scaling

    @classmethod
    def fit(cls, scaling: Scaling, X: np.ndarray, weight: np.ndarray | None) -> "Scaling | Tails":
        """Return the scaling itself if no column has heavy tails."""
        limited = np.flatnonzero(scaling.limit < FARTHEST)
        if not len(limited):
            return scaling
        linear = Scaling.standardising(X[:, limited], weight, "X")
        heavy = linear.scale > HEAVY * scaling.scale[limited]
        if not heavy.any():
            return scaling
        return cls(scaling, limited[heavy], Scaling(*(part[heavy] for part in linear)))

    @property
    def row_shape(self) -> tuple[int, ...]:
        """Shape of one row in the user's units."""
        return self.scaling.row_shape

    @property
    def code_shape(self) -> tuple[int, ...]:
        """Shape of one encoded row."""
        return (len(self.scaling.loc) + len(self.columns),)

    def check(self, array: np.ndarray, name: str) -> None:
        """Refuse numbers that are too far from those of `fit`."""
        self.scaling.check(array, name)

    def to_tensor(self, array: np.ndarray, dtype: torch.dtype, device) -> Tensor:
        """Return encoded rows on a device."""
        rows = np.reshape(array, (-1, *self.row_shape))
        linear = self.linear.to_tensor(rows[:, self.columns], dtype, device)
        return torch.cat([self.scaling.to_tensor(rows, dtype, device), linear], 1)
