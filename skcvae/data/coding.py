"""Between numpy arrays of the user and tensors of the networks.

A row is a vector, an image (height, width), or an image with channels first; of y also
columns of several kinds.
"""

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from sklearn.preprocessing import StandardScaler
from torch import Tensor

FORWARD_ROWS = 2048  # rows in one forward pass: fewer starve the cores, more miss the cache
FORWARD_NUMBERS = 2**22  # numbers in the widest tensor of one forward pass
SCALED_NUMBERS = 2**20  # numbers whose mean and variance are taken at once
KEPT_NUMBERS = 2**23  # numbers kept over all draws of a chunk, where quantiles need them all


class Scaling(NamedTuple):
    """Real numbers as the networks see them: an affine map of rows, fitted or not.

    Parameters
    ----------
    loc, scale : ndarray of shape (*row_shape,)
        A row r is mapped to (r - loc) / scale.
    """

    loc: np.ndarray
    scale: np.ndarray

    @classmethod
    def identity(cls, row_shape: tuple[int, ...]) -> "Scaling":
        """Return the map that changes nothing."""
        return cls(np.zeros(row_shape), np.ones(row_shape))

    @classmethod
    def standardizing(cls, array: np.ndarray, weight: np.ndarray | None, name: str) -> "Scaling":
        """Return the map to mean 0 and variance 1 of each column, or channel of an image.

        What is constant is only centred; NaN does not count.
        """
        row_shape = array.shape[1:]
        scaler = StandardScaler()
        with np.errstate(over="ignore", invalid="ignore"):
            for rows in slices(len(array), max(SCALED_NUMBERS // math.prod(row_shape), 1)):
                columns = columns_of(array[rows])
                share = None if weight is None else weight[rows]
                if share is not None:
                    share = share.repeat(len(columns) // len(share))
                scaler.partial_fit(columns, sample_weight=share)
        if not np.isfinite(scaler.var_).all():
            raise ValueError(
                f"{name} cannot be standardised: values up to {np.nanmax(np.abs(array)):.3g} "
                f"overflow. Expected a finite variance; rescale {name} first."
            )
        channels = (*row_shape[:-2], 1, 1) if len(row_shape) > 1 else row_shape
        loc, scale = (v.reshape(channels) for v in (scaler.mean_, scaler.scale_))
        return cls(
            np.broadcast_to(loc, row_shape).copy(), np.broadcast_to(scale, row_shape).copy()
        )

    @property
    def row_shape(self) -> tuple[int, ...]:
        """Shape of one row of the user's."""
        return self.loc.shape

    @property
    def code_shape(self) -> tuple[int, ...]:
        """Shape of one row of the networks'."""
        return self.loc.shape

    def to_tensor(self, array: np.ndarray, dtype: torch.dtype, device) -> Tensor:
        """Return mapped rows on a device, without a second copy of all in float64."""
        out = torch.empty((len(array), *self.row_shape), dtype=dtype)
        for rows in slices(len(array), FORWARD_ROWS):
            block = np.reshape(array[rows], (-1, *self.row_shape))
            out[rows] = torch.from_numpy((block - self.loc) / self.scale)
        return out.to(device)

    def to_array(self, tensor: Tensor) -> np.ndarray:
        """Return rows in the user's units, float64."""
        return tensor.double().cpu().numpy() * self.scale + self.loc

    def spread_to_array(self, tensor: Tensor) -> np.ndarray:
        """Return deviations in the user's units, float64."""
        return tensor.double().cpu().numpy() * self.scale

    def log_jacobian(self, array: np.ndarray) -> np.ndarray:
        """Return what each row's log density gains in the user's units; NaN gains nothing."""
        gain = -np.log(self.scale).ravel()
        if not np.isnan(array).any():
            return np.full(len(array), gain.sum())
        return ~np.isnan(array.reshape(len(array), -1)) @ gain


class OneHot(NamedTuple):
    """Labels as the networks see them: one number per class, 1 for the label's own.

    A map of labels becomes an image with a channel per class; a vector of
    labels becomes a longer vector, class by class.

    Parameters
    ----------
    classes : ndarray of shape (n_classes,)
        The labels, sorted.
    row_shape : tuple of int
        Shape of one row of labels.
    """

    classes: np.ndarray
    row_shape: tuple[int, ...]

    @property
    def cells(self) -> tuple[int, ...]:
        """Shape of one row, class by class."""
        return (len(self.classes), *self.row_shape)

    @property
    def code_shape(self) -> tuple[int, ...]:
        """Shape of one row of the networks'."""
        return self.cells if len(self.row_shape) > 1 else (math.prod(self.cells),)

    def to_tensor(self, array: np.ndarray, dtype: torch.dtype, device) -> Tensor:
        """Return coded rows on a device; where a label is NaN, so is its code."""
        labels = np.reshape(array, (-1, 1, *self.row_shape))
        code = (labels == self.classes.reshape(-1, *[1] * len(self.row_shape))).astype(float)
        code[np.broadcast_to(np.isnan(labels), code.shape)] = np.nan
        return torch.from_numpy(code).to(dtype).reshape(-1, *self.code_shape).to(device)

    def to_array(self, tensor: Tensor) -> np.ndarray:
        """Return the label of the highest number."""
        return self.most_likely(self._by_class(tensor).numpy())

    def spread_to_array(self, tensor: Tensor) -> np.ndarray:
        """Return NaN for each label: none has a deviation."""
        return np.full(self.to_array(tensor).shape, np.nan)

    def to_proba(self, tensor: Tensor) -> np.ndarray:
        """Return the numbers with an axis of classes, which sum to one in float64."""
        proba = self._by_class(tensor).double()
        return (proba / proba.sum(-len(self.cells), keepdim=True)).numpy()

    def _by_class(self, tensor: Tensor) -> Tensor:
        batch = tensor.shape[: tensor.ndim - len(self.code_shape)]
        return tensor.cpu().reshape(*batch, *self.cells)

    def most_likely(self, proba: np.ndarray) -> np.ndarray:
        """Return the label of the highest number along the axis of classes."""
        return self.classes[proba.argmax(axis=-len(self.cells))]

    def log_jacobian(self, array: np.ndarray) -> np.ndarray:
        """Return zeros: a mass has no units."""
        return np.zeros(len(array))


class Table(NamedTuple):
    """Columns of several kinds as the networks see them: the groups' codes side by side.

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
        """Shape of one row of the user's."""
        return (sum(map(len, self.columns)),)

    @property
    def sizes(self) -> list[int]:
        """How many numbers the networks see of each group."""
        return [coding.code_shape[0] for coding in self.codings]

    @property
    def code_shape(self) -> tuple[int, ...]:
        """Shape of one row of the networks'."""
        return (sum(self.sizes),)

    @property
    def labels(self) -> list[int]:
        """The columns that hold labels."""
        return [c for coding, part in self._groups() if isinstance(coding, OneHot) for c in part]

    def _groups(self) -> Iterator[tuple]:
        return zip(self.codings, self.columns, strict=True)

    def split(self, array: np.ndarray) -> Iterator[tuple]:
        """Return the coding and the columns of each group."""
        return ((coding, array[:, columns]) for coding, columns in self._groups())

    def to_tensor(self, array: np.ndarray, dtype: torch.dtype, device) -> Tensor:
        """Return coded rows on a device."""
        return torch.cat([c.to_tensor(part, dtype, device) for c, part in self.split(array)], 1)

    def to_array(self, tensor: Tensor) -> np.ndarray:
        """Return rows in the user's units, float64, with labels as numbers."""
        return self._joined([c.to_array(t) for c, t in self._coded(tensor)])

    def spread_to_array(self, tensor: Tensor) -> np.ndarray:
        """Return deviations in the user's units, float64; NaN for labels."""
        return self._joined([c.spread_to_array(t) for c, t in self._coded(tensor)])

    def _coded(self, tensor: Tensor) -> Iterator[tuple]:
        return zip(self.codings, tensor.split(self.sizes, -1), strict=True)

    def _joined(self, parts: list[np.ndarray]) -> np.ndarray:
        out = np.empty((*parts[0].shape[:-1], *self.row_shape))
        for columns, part in zip(self.columns, parts, strict=True):
            out[..., columns] = part
        return out

    def log_jacobian(self, array: np.ndarray) -> np.ndarray:
        """Return what each row's log density gains in the user's units."""
        return sum(coding.log_jacobian(part) for coding, part in self.split(array))


def columns_of(array: np.ndarray) -> np.ndarray:
    """Return rows as a table: a column of a table each, or a channel of an image."""
    if array.ndim < 3:
        return np.ascontiguousarray(array).reshape(len(array), -1)
    return np.moveaxis(array, (-2, -1), (1, 2)).reshape(
        math.prod(array.shape[-2:]) * len(array), -1
    )


class Plan(NamedTuple):
    """How much goes through the networks at once.

    Parameters
    ----------
    rows : int
        Rows per chunk.
    draws : int
        Draws per block, for each of these rows.
    """

    rows: int
    draws: int


def plan(n_rows: int, n_draws: int, row_size: int, draw_size: int = 0) -> Plan:
    """Choose chunks so that memory stays flat in rows and draws.

    Parameters
    ----------
    n_rows, n_draws : int
        The work.
    row_size : int
        Numbers per row and draw in the widest tensor of a forward pass.
    draw_size : int, default=0
        Numbers per row and draw that are kept for all draws of a chunk.

    Returns
    -------
    Plan
        At least one row and one draw.
    """
    budget = max(min(FORWARD_ROWS, FORWARD_NUMBERS // row_size), 1)
    wanted = budget if n_draws <= 1 else math.ceil(budget / 4)
    kept = KEPT_NUMBERS // max(n_draws * draw_size, 1)
    rows = max(min(n_rows, wanted, kept), 1)
    return Plan(rows, max(min(n_draws, budget // rows), 1))


def slices(n: int, size: int) -> Iterator[slice]:
    """Yield slices of at most `size` that cover range(n).

    Parameters
    ----------
    n, size : int
        Length of the whole and of a part.

    Yields
    ------
    slice
        In order.
    """
    for start in range(0, n, size):
        yield slice(start, min(start + size, n))
