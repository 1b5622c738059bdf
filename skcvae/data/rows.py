"""Rows of the user's where they lie: in arrays, memory-mapped or not, or in a Dataset."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from torch.utils.data import Dataset

Pair = tuple[np.ndarray, np.ndarray]


class Arrays:
    """Rows (x, y) of two arrays, of which nothing is copied.

    Parameters
    ----------
    X, y : ndarray of shape (n, ...)
        As they were given and checked.
    """

    def __init__(self, X: np.ndarray, y: np.ndarray):
        self.X = X
        self.y = y

    def __len__(self) -> int:
        return len(self.X)

    def __getitem__(self, rows: np.ndarray) -> Pair:
        return self.X[rows], self.y[rows]


class Items:
    """Rows (x, y) of a Dataset, read item by item.

    Parameters
    ----------
    dataset : Dataset
        With a length; its items are pairs.
    check : callable
        Takes the arrays of some rows, and returns them or raises.
    """

    def __init__(self, dataset: Dataset, check: Callable[..., Pair] = lambda X, y: (X, y)):
        self.dataset = dataset
        self.check = check

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, rows: np.ndarray) -> Pair:
        X, y = zip(*(self._item(int(row)) for row in rows), strict=True)
        return self.check(np.stack(X), np.stack(y))

    def _item(self, row: int) -> Pair:
        item = self.dataset[row]
        if not isinstance(item, tuple | list) or len(item) != 2:
            raise TypeError(
                f"X as a Dataset must have items (x, y), got a {type(item).__name__} for item "
                f"{row}."
            )
        return tuple(np.asarray(part) for part in item)


class Selection(NamedTuple):
    """Which rows of a source, and what they weigh.

    Parameters
    ----------
    source : Arrays or Items
        All rows.
    index : ndarray of shape (n,)
        Those that are meant.
    weight : ndarray of shape (n,) or None
        None where all weigh the same.
    """

    source: Arrays | Items
    index: np.ndarray
    weight: np.ndarray | None = None

    @classmethod
    def of(cls, source: Arrays | Items, weight: np.ndarray | None = None) -> "Selection":
        """Return the rows of positive weight; equal weights are none."""
        weight = None if weight is None or np.ptp(weight) == 0 else weight
        selection = cls(source, np.arange(len(source)), weight)
        return selection if weight is None else selection.part(np.flatnonzero(weight))

    @property
    def n_rows(self) -> int:
        """How many rows are meant."""
        return len(self.index)

    def part(self, rows: np.ndarray) -> "Selection":
        """Return some of the rows."""
        weight = None if self.weight is None else self.weight[rows]
        return Selection(self.source, self.index[rows], weight)

    def read(self, rows) -> Pair:
        """Return the arrays (X, y) of some of the rows."""
        return self.source[self.index[rows]]
