"""From rows of arrays, memory maps and Datasets to batches of tensors with noise for z.

A batch is a slice of tensors on the device. Data that would take more than
`resident_bytes` are read and encoded batch by batch instead. Rows are a tuple of arrays,
(x, y), or (y,) without inputs; the last one is modelled.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from operator import attrgetter, itemgetter
from typing import NamedTuple

import numpy as np
import torch
from sklearn import get_config
from torch import Generator, Tensor
from torch.utils.data import Dataset

from skcvae.data import hold_out
from skcvae.data.coding import FORWARD_ROWS, plan, slices
from skcvae.data.items import Items, Row
from skcvae.data.omission import omit
from skcvae.data.weights import warn_of_few
from skcvae.random import generator

VALIDATION_DRAWS = 10

Tensors = tuple[Tensor, ...]


class Selection(NamedTuple):
    """Some rows of a source, and their weights."""

    source: Row | Items  # all rows, such as (X, y), or (y,)
    index: np.ndarray  # the numbers of the selected rows
    weight: np.ndarray | None = None  # None if all weights are equal
    group: np.ndarray | None = None  # labels of rows that belong together
    row: np.ndarray | None = None  # numbers of the user's rows, of which these are annotations

    @classmethod
    def select(
        cls, source: Row | Items, weight: np.ndarray | None = None, groups=None, row=None
    ) -> "Selection":
        """Select the rows of positive weight; weights get mean one, and equal ones become None.

        `weight`, `groups` and `row` are those of all rows; without groups, annotations of a row
        belong together.
        """
        n_rows = len(source) if isinstance(source, Items) else len(source[-1])
        index = np.arange(n_rows) if weight is None else np.flatnonzero(weight)
        row = None if row is None else row[index]
        group = row if groups is None else hold_out.group_labels(groups, n_rows)[index]
        if weight is None or np.ptp(weight[index]) == 0:
            return cls(source, index, None, group, row)
        weight = weight[index] / weight.max()  # first, since a sum may overflow
        warn_of_few(weight)
        return cls(source, index, weight / weight.mean(), group, row)

    def split(
        self, validation, fraction: float, seed: int, *, has_labels: bool = False
    ) -> "list[Selection]":
        """Return the rows to train on, and those to validate on.

        The latter are a random share, unless y has labels, rows of x are repeated, or there are
        groups or another rule: see :mod:`skcvae.data.hold_out`. Items of a Dataset are not
        compared.
        """
        index = self.index
        if len(index) < 2:
            raise ValueError(
                "early_stopping=True holds out a share of the rows and needs at least 2, got "
                "n_samples = 1. Set early_stopping=False or give rows to validate on."
            )
        arrays = () if isinstance(self.source, Items) else self.source
        rule = self.group, validation, fraction, seed
        parts = hold_out.split(arrays, index, *rule, has_labels=has_labels, row=self.row)
        return list(map(self.subset, parts))

    def subset(self, rows: np.ndarray) -> "Selection":
        """Select some of the rows."""
        source, *of_rows = self
        return Selection(source, *(None if part is None else part[rows] for part in of_rows))

    def read(self, rows: np.ndarray | slice) -> Row:
        """Return the arrays of some of the rows."""
        if isinstance(self.source, Items):
            return self.source.read(self.index[rows])
        return tuple(map(itemgetter(self.index[rows]), self.source))


class Rows(Dataset):
    """Encoded rows on the device, with weights of mean one; `source` has them not encoded.

    Rows of one `group` belong together.
    """

    def __init__(
        self,
        arrays: Tensors,
        weight: Tensor | None = None,
        group: np.ndarray | None = None,
        *,
        source: "StreamedRows | None" = None,
    ):
        self.arrays = arrays
        self.weight = weight
        self.group = group
        self.source = source
        self.device = self.index_device = arrays[-1].device
        self.n_rows = len(arrays[-1])

    def __len__(self) -> int:
        return self.n_rows

    def __getitem__(self, rows) -> tuple[Tensors, Tensor | None]:
        weight = None if self.weight is None else self.weight[rows]
        chosen = itemgetter(rows)
        if isinstance(rows, Tensor):  # faster than brackets, in a step of a small network
            chosen = partial(torch.index_select, dim=0, index=rows)
        return tuple(map(chosen, self.arrays)), weight

    @property
    def log_jacobian(self) -> tuple[float, float]:
        """Mean log-Jacobian of the coding of y, and of y pooled to the coarser scales."""
        return (0.0, 0.0) if self.source is None else self.source.log_jacobian


class StreamedRows(Dataset):
    """Rows of a selection that are read, encoded and sent to the device batch by batch.

    `jacobian` maps the selection to its log-Jacobian, which the history needs.
    """

    index_device = torch.device("cpu")

    def __init__(self, selection: Selection, codings, device, jacobian: Callable):
        self.selection = selection
        self.codings = codings
        self.device = torch.device(device)
        self.jacobian = jacobian
        self.n_rows = len(selection.index)
        self.group = selection.group
        self.weight = weight = selection.weight
        if weight is not None:  # of mean one, so that the loss does not depend on their scale
            self.weight = torch.tensor(weight / weight.mean(), dtype=torch.float32)

    def __len__(self) -> int:
        return self.n_rows

    def __getitem__(self, rows) -> tuple[Tensors, Tensor | None]:
        weight = None if self.weight is None else self._sent(self.weight[rows])
        rows = rows if isinstance(rows, slice) else rows.numpy()
        return tuple(map(self._sent, self.encoded(rows))), weight

    @cached_property
    def log_jacobian(self) -> tuple[float, float]:
        """Mean log-Jacobian of the coding of y, and of y pooled to the coarser scales."""
        return self.jacobian(self.selection)

    def encoded(self, rows: slice | np.ndarray) -> list[Tensor]:
        """Return the encoded arrays of some rows, on the CPU."""
        encoded = []
        for coding, array in zip(self.codings, self.selection.read(rows), strict=True):
            encoded.append(coding.to_tensor(array, torch.float32, "cpu"))
        return encoded

    def _sent(self, tensor: Tensor) -> Tensor:
        if self.device.type != "cuda":
            return tensor.to(self.device)
        return tensor.pin_memory().to(self.device, non_blocking=True)

    def resident(self) -> "Rows | StreamedRows":
        """Return all rows on the device, or self if they do not fit."""
        parts = self.encoded(slice(0, FORWARD_ROWS))
        n_bytes = sum(map(attrgetter("nbytes"), parts)) / len(parts[-1]) * self.n_rows
        if n_bytes > resident_bytes(self.device):
            return self
        if self.n_rows > FORWARD_ROWS:
            parts = self._joined(parts)
        weight = None if self.weight is None else self.weight.to(self.device)
        sent = tuple(map(partial(Tensor.to, device=self.device), parts))
        return Rows(sent, weight, self.group, source=self)

    def _joined(self, first: list[Tensor]) -> list[Tensor]:
        """Concatenate encoded chunks, the first of which is given."""
        whole = [torch.empty((self.n_rows, *part.shape[1:])) for part in first]
        for rows in slices(self.n_rows, FORWARD_ROWS):
            parts = self.encoded(rows) if rows.start else first
            for array, part in zip(whole, parts, strict=True):
                array[rows] = part
        return whole


def resident_bytes(device: torch.device) -> int:
    """Return the memory limit of resident data, in bytes."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0] // 2
    return get_config()["working_memory"] * 2**20


@dataclass
class ShuffledBatches:
    """Iterate over rows in a new order each epoch, with noise of `shape` per example.

    Input omission noise is applied to copies of x, if `omission` is above zero.
    """

    dataset: Rows | StreamedRows
    batch_size: int
    shape: tuple[int, ...]
    source: Generator
    omission: float = 0.0

    def __iter__(self) -> Iterator[tuple[dict, Tensor | None]]:
        n_draws, *row_shape = self.shape
        order = torch.randperm(self.dataset.n_rows, generator=self.source)
        order = order.to(self.dataset.index_device)
        for rows in order.split(self.batch_size):
            (*x, y), weight = self.dataset[rows]
            if self.omission:
                x = [omit(part, self.omission, self.source) for part in x]
            noise = torch.randn((n_draws, len(y), *row_shape), generator=self.source)
            noise = noise.to(self.dataset.device, non_blocking=True)
            yield {"arrays": (*x, y), "noise": noise}, weight


@dataclass
class OrderedBatches:
    """Iterate over rows in order, `n_rows` at a time, with the same noise in each epoch."""

    dataset: Rows | StreamedRows
    batch_size: int  # of training
    shape: tuple[int, ...]
    seed: int
    row_size: int  # numbers per row in the widest tensor

    @property
    def n_rows(self) -> int:
        """Rows in one batch."""
        return plan(self.dataset.n_rows, 1, self.row_size).rows

    def __iter__(self) -> Iterator[tuple[dict, Tensor | None]]:
        n_draws, *row_shape = self.shape
        n_draws = max(n_draws, VALIDATION_DRAWS)
        source = generator(self.seed)
        for rows in slices(self.dataset.n_rows, self.n_rows):
            arrays, weight = self.dataset[rows]
            shape = (n_draws, len(arrays[-1]), *row_shape)
            noise = torch.randn(shape, generator=source).to(arrays[-1])
            yield {"arrays": arrays, "noise": noise}, weight
