"""Row access to arrays, memory maps and Datasets, in the user's units."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from torch.utils.data import Dataset

Row = tuple[np.ndarray, ...]


class Items:
    """Rows (x, y) of a Dataset, read item by item.

    Parameters
    ----------
    dataset : Dataset
        With a length; its items are pairs.
    check : callable, optional
        Takes the arrays of some rows, and returns them or raises.
    """

    def __init__(self, dataset: Dataset, check: Callable[..., Row] = lambda *arrays: arrays):
        self.dataset = dataset
        self.check = check

    def __len__(self) -> int:
        return len(self.dataset)

    def read(self, rows: np.ndarray) -> Row:
        """Return the arrays of some rows."""
        parts = zip(*(self._item(int(row)) for row in rows), strict=True)
        return self.check(*map(np.stack, parts))

    def _item(self, row: int) -> Row:
        item = self.dataset[row]
        if not isinstance(item, tuple | list) or len(item) != 2:
            raise TypeError(
                f"X as a Dataset must have items (x, y), got a {type(item).__name__} for item "
                f"{row}."
            )
        return tuple(np.asarray(part) for part in item)


class Arrays:
    """Rows of arrays of one length; nothing is copied.

    Parameters
    ----------
    *arrays : ndarray of shape (n, ...)
        Such as X and y, or y alone.
    """

    def __init__(self, *arrays: np.ndarray):
        self.arrays = arrays

    def __len__(self) -> int:
        return len(self.arrays[-1])

    def read(self, rows: np.ndarray) -> Row:
        """Return the arrays of some rows."""
        return tuple(array[rows] for array in self.arrays)


class Selection(NamedTuple):
    """Some rows of a source, and their weights.

    Parameters
    ----------
    source : Arrays or Items
        All rows.
    index : ndarray of shape (n,)
        The numbers of the selected rows.
    weight : ndarray of shape (n,) or None
        None where all weights are equal.
    """

    source: Arrays | Items
    index: np.ndarray
    weight: np.ndarray | None = None

    @classmethod
    def of(cls, source: Arrays | Items, weight: np.ndarray | None = None) -> "Selection":
        """Select the rows of positive weight; equal weights become None."""
        index = np.arange(len(source)) if weight is None else np.flatnonzero(weight)
        weight = None if weight is None else weight[index]
        return cls(source, index, None if weight is None or np.ptp(weight) == 0 else weight)

    @property
    def n_rows(self) -> int:
        """Number of selected rows."""
        return len(self.index)

    def part(self, rows: np.ndarray) -> "Selection":
        """Select some of the rows."""
        weight = None if self.weight is None else self.weight[rows]
        return Selection(self.source, self.index[rows], weight)

    def read(self, rows: np.ndarray | slice) -> Row:
        """Return the arrays of some of the rows."""
        return self.source.read(self.index[rows])

    def whole(self) -> Row:
        """Return the arrays of all selected rows, without a copy where none is left out."""
        if isinstance(self.source, Arrays) and self.n_rows == len(self.source):
            return self.source.arrays
        return self.read(slice(None))
