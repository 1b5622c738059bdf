"""Batches of tensors on the device, with the noise for z.

They are slices of tensors that are there already. Where the data would take more
than `resident_bytes`, a batch is read and coded when its turn comes.
"""

from collections.abc import Callable, Iterator

import torch
from sklearn import get_config
from torch import Generator, Tensor
from torch.utils.data import Dataset

from skcvae._arrays import FORWARD_ROWS, slices
from skcvae._random import generator
from skcvae.omission import omit

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
        self.device = self.index_device = x.device

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, rows) -> tuple[Tensor, Tensor, Tensor | None]:
        return self.x[rows], self.y[rows], None if self.weight is None else self.weight[rows]


class StreamedRows(Dataset):
    """Rows of (x, y, weight) that are read and brought to the device when asked for.

    Parameters
    ----------
    read : callable
        Takes a slice or an array of row numbers and returns the tensors x and y.
    n_rows : int
        How many there are.
    weight : Tensor of shape (n_rows,) or None
        As of :class:`Rows`.
    device : torch.device
        Where they are wanted.
    log_jacobian : float
        As of :class:`Rows`.
    """

    index_device = torch.device("cpu")

    def __init__(
        self,
        read: Callable[..., tuple[Tensor, Tensor]],
        n_rows: int,
        weight: Tensor | None,
        *,
        device: torch.device,
        log_jacobian: float,
    ):
        self.read = read
        self.n_rows = n_rows
        self.weight = weight
        self.device = device
        self.log_jacobian = log_jacobian

    def __len__(self) -> int:
        return self.n_rows

    def __getitem__(self, rows) -> tuple[Tensor, Tensor, Tensor | None]:
        x, y = self.read(rows if isinstance(rows, slice) else rows.numpy())
        weight = None if self.weight is None else self.weight[rows]
        return self._sent(x), self._sent(y), None if weight is None else self._sent(weight)

    def _sent(self, tensor: Tensor) -> Tensor:
        if self.device.type != "cuda":
            return tensor
        return tensor.pin_memory().to(self.device, non_blocking=True)


def rows_of(
    read: Callable[..., tuple[Tensor, Tensor]],
    n_rows: int,
    weight: Tensor | None,
    *,
    device: torch.device,
    log_jacobian: float,
) -> Rows | StreamedRows:
    """Return rows on the device, or, where they would take too much of it, on demand.

    Parameters
    ----------
    read, n_rows, weight, device, log_jacobian
        As of :class:`StreamedRows`.

    Returns
    -------
    Rows or StreamedRows
        The same numbers either way.
    """
    x, y = read(slice(1))
    if n_rows * 4 * (x.numel() + y.numel()) > resident_bytes(device):
        return StreamedRows(read, n_rows, weight, device=device, log_jacobian=log_jacobian)
    x, y = (torch.empty((n_rows, *part.shape[1:])) for part in (x, y))
    for rows in slices(n_rows, FORWARD_ROWS):
        x[rows], y[rows] = read(rows)
    weight = None if weight is None else weight.to(device)
    return Rows(x.to(device), y.to(device), weight, log_jacobian=log_jacobian)


def resident_bytes(device: torch.device) -> int:
    """Return how much data training may keep on a device at once.

    Parameters
    ----------
    device : torch.device
        Where the networks are.

    Returns
    -------
    int
        Half of what a GPU has free; elsewhere scikit-learn's `working_memory`, one
        GiB unless ``sklearn.set_config`` says otherwise.
    """
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0] // 2
    return get_config()["working_memory"] * 2**20


class ShuffledBatches:
    """Iterate over rows in a new order each epoch, with noise of `shape` per example.

    Input omission noise is put on copies of x, if `omission` is above zero.
    """

    def __init__(
        self,
        dataset: Rows | StreamedRows,
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
        device = self.dataset.device
        n_draws, *row_shape = self.shape
        order = torch.randperm(len(self.dataset), generator=self.source)
        order = order.to(self.dataset.index_device)
        for rows in order.split(self.batch_size):
            x, y, weight = self.dataset[rows]
            if self.omission:
                x = omit(x, self.omission, self.source)
            noise = torch.randn((n_draws, len(x), *row_shape), generator=self.source)
            yield {"x": x, "y": y, "noise": noise.to(device, non_blocking=True)}, weight


class OrderedBatches:
    """Iterate over rows as they stand, `n_rows` at a time, with the same noise in each epoch."""

    def __init__(
        self,
        dataset: Rows | StreamedRows,
        batch_size: int,
        *,
        shape: tuple,
        seed: int,
        n_rows: int,
    ):
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
