"""Encoding of tables whose columns are of several kinds."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from skcvae.data.labels import OneHot


class Table(NamedTuple):
    """Columns of several kinds: the codes of the groups, concatenated.

    Parameters
    ----------
    codings : list of Scaling or OneHot
        One for each group.
    columns : list of lists of int
        The columns of each group; every column is in one.
    """

    codings: list
    columns: list

    @property
    def row_shape(self) -> tuple[int, ...]:
        """Shape of one row in the user's units."""
        return (sum(map(len, self.columns)),)

    @property
    def sizes(self) -> list[int]:
        """Size of the code of each group."""
        return [coding.code_shape[0] for coding in self.codings]

    @property
    def code_shape(self) -> tuple[int, ...]:
        """Shape of one encoded row."""
        return (sum(self.sizes),)

    @property
    def labels(self) -> list[int]:
        """Columns that hold labels."""
        return [c for coding, part in self._groups() if isinstance(coding, OneHot) for c in part]

    def _groups(self) -> Iterator[tuple]:
        return zip(self.codings, self.columns, strict=True)

    def split(self, array: np.ndarray) -> Iterator[tuple]:
        """Return the coding and the columns of each group."""
        return ((coding, array[:, columns]) for coding, columns in self._groups())

    def check(self, array: np.ndarray, name: str) -> None:
        """Refuse labels that were not known in `fit`, group by group."""
        for coding, columns in self._groups():
            coding.check(array[:, columns], f"{name}[:, {columns}]")

    def to_tensor(self, array: np.ndarray, dtype: torch.dtype, device) -> Tensor:
        """Return encoded rows on a device."""
        return torch.cat([c.to_tensor(part, dtype, device) for c, part in self.split(array)], 1)

    def to_array(self, tensor: Tensor) -> np.ndarray:
        """Return rows in the user's units, float64, with labels as numbers."""
        return self._joined([c.to_array(t) for c, t in self._coded(tensor)])

    def spread_to_array(self, tensor: Tensor) -> np.ndarray:
        """Return standard deviations in the user's units, float64; NaN for labels."""
        return self._joined([c.spread_to_array(t) for c, t in self._coded(tensor)])

    def _coded(self, tensor: Tensor) -> Iterator[tuple]:
        return zip(self.codings, tensor.split(self.sizes, -1), strict=True)

    def _joined(self, parts: list[np.ndarray]) -> np.ndarray:
        out = np.empty((*parts[0].shape[:-1], *self.row_shape))
        for columns, part in zip(self.columns, parts, strict=True):
            out[..., columns] = part
        return out

    def log_jacobian(self, array: np.ndarray | None = None) -> np.ndarray:
        """Return the log-Jacobian of each row, or of one complete row."""
        if array is None:
            return sum(coding.log_jacobian() for coding in self.codings)
        return sum(coding.log_jacobian(part) for coding, part in self.split(array))
