"""Rows of a torch Dataset, read item by item, and a random part of many rows."""

from collections.abc import Callable

import numpy as np
from torch.utils.data import Dataset

from skcvae.data.coding import FORWARD_NUMBERS, at_random
from skcvae.data.reading import plain

Row = tuple[np.ndarray, ...]

SAMPLED_ROWS = 10_000  # for scaling, labels and sizes


class Items:
    """Rows of a Dataset, read item by item: items are (x, y), or x alone."""

    def __init__(
        self,
        dataset: Dataset,
        n_arrays: int = 2,
        check: Callable[..., Row] = lambda *arrays: arrays,
    ):
        self.dataset = dataset
        self.n_arrays = n_arrays
        self.check = check

    def __len__(self) -> int:
        return len(self.dataset)

    def read(self, rows: np.ndarray) -> Row:
        """Return the arrays of some rows."""
        items = [self._item(int(row)) for row in rows]
        try:
            arrays = list(map(np.stack, zip(*items, strict=True)))
        except ValueError as error:
            raise self._uneven(rows, items) or error from None
        return self.check(*arrays)

    def _uneven(self, rows: np.ndarray, items: list[Row]) -> ValueError | None:
        """Return the error for an item of another shape than the first of these."""
        names = ("x", "y")[: self.n_arrays]
        for name, parts in zip(names, zip(*items, strict=True), strict=True):
            first, shape = int(rows[0]), parts[0].shape
            for row, part in zip(rows, parts, strict=True):
                if part.shape != shape:
                    return ValueError(
                        f"X as a Dataset must have items of one shape, got {name} of shape "
                        f"{shape} for item {first}, and of {part.shape} for item {int(row)}."
                    )
        return None

    def _item(self, row: int) -> Row:
        item = self.dataset[row]
        if self.n_arrays == 1:
            if isinstance(item, tuple | list) and any(np.ndim(part) for part in item):
                raise TypeError(
                    f"X as a Dataset must have items x, one array each, got a "
                    f"{type(item).__name__} of {len(item)} for item {row}."
                )
            return (np.asarray(plain(item)),)
        if not isinstance(item, tuple | list) or len(item) != 2:
            raise TypeError(
                f"X as a Dataset must have items (x, y), got a {type(item).__name__} for item "
                f"{row}."
            )
        return tuple(np.asarray(plain(part)) for part in item)


def sampled(n_rows: int, row_size: int, seed: int) -> np.ndarray:
    """Return random row numbers, of as many rows as fit in memory easily."""
    n_sampled = min(n_rows, SAMPLED_ROWS, max(FORWARD_NUMBERS // row_size, 100))
    return at_random(n_rows, n_sampled, seed)
