"""Batches that are slices of tensors already on the device, with the noise for z."""

from collections.abc import Iterator

import torch
from torch import Generator, Tensor
from torch.utils.data import Dataset

from skcvae._arrays import slices
from skcvae._random import generator
from skcvae.omission import omit_square

VALIDATION_DRAWS = 10


class Rows(Dataset):
    """Rows of (x, y, weight) as tensors on the device; weights have mean one, or are None.

    `log_jacobian` is what their mean log density gains in the user's units.
    """

    def __init__(
        self, x: Tensor, y: Tensor, weight: Tensor | None = None, *, log_jacobian: float = 0.0
    ):
        self.x = x
        self.y = y
        self.weight = weight
        self.log_jacobian = log_jacobian

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, rows) -> tuple[Tensor, Tensor, Tensor | None]:
        return self.x[rows], self.y[rows], None if self.weight is None else self.weight[rows]


class ShuffledBatches:
    """Iterate over rows in a new order each epoch, with noise of `shape` per example.

    Input omission noise is put on copies of x, if `omission` is above zero.
    """

    def __init__(
        self,
        dataset: Rows,
        batch_size: int,
        *,
        shape: tuple,
        source: Generator,
        omission: float = 0.0,
    ):
        self.dataset = dataset
        self.batch_size = batch_size
        self.shape = shape
        self.source = source
        self.omission = omission

    def __iter__(self) -> Iterator[tuple[dict, Tensor | None]]:
        device = self.dataset.x.device
        n_draws, *row_shape = self.shape
        order = torch.randperm(len(self.dataset), generator=self.source).to(device)
        for rows in order.split(self.batch_size):
            x, y, weight = self.dataset[rows]
            if self.omission:
                x = omit_square(x, self.omission, self.source)
            noise = torch.randn((n_draws, len(x), *row_shape), generator=self.source)
            yield {"x": x, "y": y, "noise": noise.to(device, non_blocking=True)}, weight


class OrderedBatches:
    """Iterate over rows as they stand, `n_rows` at a time, with the same noise in each epoch."""

    def __init__(self, dataset: Rows, batch_size: int, *, shape: tuple, seed: int, n_rows: int):
        del batch_size
        self.dataset = dataset
        self.n_rows = n_rows
        self.shape = shape
        self.seed = seed

    def __iter__(self) -> Iterator[tuple[dict, Tensor | None]]:
        n_draws, *row_shape = self.shape
        n_draws = max(n_draws, VALIDATION_DRAWS)
        source = generator(self.seed)
        for rows in slices(len(self.dataset), self.n_rows):
            x, y, weight = self.dataset[rows]
            noise = torch.randn((n_draws, len(x), *row_shape), generator=source).to(x)
            yield {"x": x, "y": y, "noise": noise}, weight
