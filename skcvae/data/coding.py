"""Encoding of rows for the networks, in chunks of bounded memory.

A row is a vector, an image (height, width), an image with channels first, or, where the
architecture says so, a sequence (length, channels). A coding maps rows of numpy arrays in the
user's units to tensors and back. Real numbers and counts have a :class:`Scaling`, labels a
:class:`~skcvae.data.labels.OneHot`, columns of several kinds a
:class:`~skcvae.data.table.Table`, all with the same methods.
"""

import math
import warnings
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from skcvae.data.moments import Moments

FORWARD_ROWS = 2048  # rows in one forward pass: fewer starve the cores, more miss the cache
FORWARD_NUMBERS = 2**22  # numbers in the widest tensor of one forward pass
SCALED_NUMBERS = 2**20  # numbers whose mean and variance are taken at once
FARTHEST = 1e15  # standard deviations
HEAVY = 10.0  # standard deviation over that of the middle half, beyond which a few numbers rule it
FAR = 4.0  # standard deviations; one value in 17 lies so far where the others are equal
LIMIT = 3.0  # scales, beyond which inputs of rare or far numbers grow like logarithms
RARE = 0.02  # share of rows, at each end, with which numbers of a constant column are rare
FEW = 0.1  # share of rows with other numbers than the median, which fewer do not replace
QUANTILE_ROWS = 10_000
MIDDLE_HALF = 1.349  # width of the middle half of N(0, 1)
KEPT_NUMBERS = 2**23  # numbers kept over all draws of a chunk, where quantiles need them all


class Scaling(NamedTuple):
    """A map of rows: standardisation, or the identity, and a limit on inputs far out.

    Parameters
    ----------
    loc, scale : ndarray of shape (*row_shape,)
        A row r is mapped to u = (r - loc) / scale.
    limit : ndarray of shape (*row_shape,)
        Of inputs, |u| beyond it is mapped to limit + log(1 + |u| - limit).
    """

    loc: np.ndarray
    scale: np.ndarray
    limit: np.ndarray

    @classmethod
    def identity(cls, row_shape: tuple[int, ...]) -> "Scaling":
        """Return the identity."""
        return cls(np.zeros(row_shape), np.ones(row_shape), np.full(row_shape, FARTHEST))

    @classmethod
    def identity_of(cls, array: np.ndarray, name: str) -> "Scaling":
        """Return the identity, if rows are within its reach."""
        coding = cls.identity(array.shape[1:])
        coding.check(array, name)
        return coding

    @classmethod
    def fit(
        cls,
        array: np.ndarray,
        weight: np.ndarray | None,
        name: str,
        *,
        standardise: bool = True,
        limited: bool = False,
    ) -> "Scaling":
        """Return the map to mean 0 and variance 1 of each column, or channel of an image.

        Without `standardise` it is the identity. Where a few far numbers rule the deviation of
        a column, its median and middle half take their place, with a warning; where the middle
        half is constant, the distance of the others does. If `limited`, such columns and those
        with rare numbers, which are otherwise constant, have a limit.
        """
        if not standardise:
            return cls.identity_of(array, name)
        coding = cls.standardising(array, weight, name)
        return coding._robust(array, name, limited) if array.ndim == 2 else coding

    @classmethod
    def standardising(cls, array: np.ndarray, weight: np.ndarray | None, name: str) -> "Scaling":
        """Return the map to mean 0 and variance 1, however far single numbers are.

        Constant columns are centred only; NaN entries are ignored. Moments are taken about the
        least number of a column, so that they are exact however far that is from zero.
        """
        row_shape = array.shape[1:]
        moments = Moments(origin=np.nan, total=0.0, mean=0.0, squares=0.0)
        with np.errstate(over="ignore", invalid="ignore"):
            for rows in slices(len(array), max(SCALED_NUMBERS // math.prod(row_shape), 1)):
                columns = columns_of(array[rows]).astype(float)
                share = np.ones(len(array[rows])) if weight is None else weight[rows]
                moments = moments.joined(columns, share.repeat(len(columns) // len(share)))
            scale = np.sqrt(moments.squares / np.where(moments.total > 0, moments.total, 1.0))
        if not np.isfinite(scale).all():
            raise ValueError(
                f"{name} cannot be standardised: values up to {np.nanmax(np.abs(array)):.3g} "
                f"overflow. Expected a finite variance; rescale {name} first."
            )
        channels = (*row_shape[:-2], 1, 1) if len(row_shape) > 1 else row_shape
        loc = (moments.mean + np.nan_to_num(moments.origin)).reshape(channels)
        scale = np.where(scale > 0, scale, 1.0).reshape(channels)
        limit = np.full(row_shape, FARTHEST)
        return cls(np.full(row_shape, loc), np.full(row_shape, scale), limit)

    @classmethod
    def fit_sequences(
        cls, array: np.ndarray, weight: np.ndarray | None, name: str, *, standardise: bool = True
    ) -> "Scaling":
        """Return the map of rows (length, channels), of each channel the same at all times."""
        coding = cls.fit(as_images(array), weight, name, standardise=standardise)
        return cls(*(np.ascontiguousarray(part[:, 0].T) for part in coding))

    def _robust(self, array: np.ndarray, name: str, limited: bool) -> "Scaling":
        """Return a map that does not follow from a few far numbers, if this one does."""
        some = thinned(array).astype(float)
        levels = [RARE, 0.25, 0.5, 0.75, 1 - RARE]
        least, lower, median, upper, most = np.nanquantile(some, levels, axis=0)
        middle = (upper - lower) / MIDDLE_HALF
        for column in np.flatnonzero(middle == 0):
            middle[column] = _spread_of_others(some[:, column] - median[column])
        extremes = np.stack([np.nanmin(array, axis=0), np.nanmax(array, axis=0)])
        is_far = np.abs(extremes - self.loc).max(axis=0) > FAR * self.scale
        far = is_far & (middle > 0) & (self.scale > HEAVY * middle)
        if far.any():
            _warn_of_far(array, np.flatnonzero(far)[0], median, middle, name)
        limit = np.where(limited & (far | (least == most)), LIMIT, self.limit)
        return Scaling(np.where(far, median, self.loc), np.where(far, middle, self.scale), limit)

    @property
    def row_shape(self) -> tuple[int, ...]:
        """Shape of one row in the user's units."""
        return self.loc.shape

    @property
    def code_shape(self) -> tuple[int, ...]:
        """Shape of one encoded row."""
        return self.loc.shape

    @property
    def labels(self) -> list[int]:
        """Columns that hold labels: none."""
        return []

    def check(self, array: np.ndarray, name: str) -> None:
        """Refuse numbers so far from those of `fit` that float32 cannot hold their squares."""
        for rows in slices(len(array), FORWARD_ROWS):
            block = np.reshape(array[rows], (-1, self.loc.size))
            with np.errstate(over="ignore"):
                distance = np.abs((block - self.loc.ravel()) / self.scale.ravel())
            far = np.argwhere(distance > FARTHEST)
            if len(far):
                row, column = far[0]
                raise ValueError(
                    f"{name} has {block[row, column]:.3g} in row {rows.start + row}, column "
                    f"{column}, {distance[row, column]:.2g} {self._unit} in "
                    f"fit, expected at most {FARTHEST:g}. Correct it, leave the row out, "
                    f"or rescale {name}."
                )

    @property
    def _unit(self) -> str:
        """How far numbers are, in words."""
        is_identity = not self.loc.any() and (self.scale == 1).all()
        return "from 0" if is_identity else "standard deviations from the mean"

    def to_tensor(self, array: np.ndarray, dtype: torch.dtype, device) -> Tensor:
        """Return encoded rows on a device, without a second copy of all in float64."""
        row_shape = self.loc.shape
        is_limited = self.limit.min(initial=FARTHEST) < FARTHEST
        out = torch.empty((len(array), *row_shape), dtype=dtype)
        for rows in slices(len(array), FORWARD_ROWS):
            block = np.reshape(array[rows], (-1, *row_shape))
            code = (block - self.loc) / self.scale
            if is_limited:
                excess = np.maximum(np.abs(code) - self.limit, 0)
                code += np.sign(code) * (np.log1p(excess) - excess)
            out[rows] = torch.from_numpy(code)
        return out.to(device)

    def to_array(self, tensor: Tensor) -> np.ndarray:
        """Return rows in the user's units, float64."""
        return tensor.double().cpu().numpy() * self.scale + self.loc

    def spread_to_array(self, tensor: Tensor) -> np.ndarray:
        """Return standard deviations in the user's units, float64."""
        return tensor.double().cpu().numpy() * self.scale

    def log_jacobian(self, array: np.ndarray | None = None) -> np.ndarray:
        """Return the log-Jacobian of each row, over its entries that are not NaN.

        Without rows it is that of one complete row.
        """
        gain = -np.log(self.scale).ravel()
        if array is None:
            return gain.sum(keepdims=True)
        if not np.isnan(array).any():
            return np.full(len(array), gain.sum())
        return ~np.isnan(array.reshape(len(array), -1)) @ gain


def _spread_of_others(distance: np.ndarray) -> float:
    """Return the scale of numbers other than a median, 0 if they are few."""
    others = np.abs(distance[(distance != 0) & ~np.isnan(distance)])
    return 2 * np.median(others) / MIDDLE_HALF if len(others) > FEW * len(distance) else 0.0


def _warn_of_far(array, column, median, middle, name):
    distance = np.abs(array[:, column] - median[column]) / middle[column]
    farthest = np.nanargmax(distance)
    warnings.warn(
        f"Column {column} of {name} has {array[farthest, column]:.4g} in row {farthest}, "
        f"{distance[farthest]:.3g} times the spread of its middle half, by which it is scaled. "
        "Correct it if it is an error, mark it as missing if it stands for that, or take the "
        "logarithm of a column with many such numbers.",
        UserWarning,
        stacklevel=2,
    )


def columns_of(array: np.ndarray) -> np.ndarray:
    """Return rows as a table with a column for each column, or channel of an image."""
    if array.ndim < 3:
        return np.ascontiguousarray(array).reshape(len(array), -1)
    return np.moveaxis(array, (-2, -1), (1, 2)).reshape(
        math.prod(array.shape[-2:]) * len(array), -1
    )


def as_images(sequences: np.ndarray) -> np.ndarray:
    """Return sequences (n, length, channels) as images of height one, with channels first."""
    return np.moveaxis(sequences, -1, 1)[:, :, None]


class Plan(NamedTuple):
    """Chunk sizes: rows per chunk, and draws per block for each of these rows."""

    rows: int
    draws: int


def rows_at_once(row_size: int) -> int:
    """Return how many rows of so many numbers, or draws for rows, one forward pass takes."""
    return max(min(FORWARD_ROWS, FORWARD_NUMBERS // row_size), 1)


def plan(n_rows: int, n_draws: int, row_size: int, draw_size: int = 0) -> Plan:
    """Choose chunks so that memory stays flat in rows and draws."""
    budget = rows_at_once(row_size)
    wanted = budget if n_draws <= 1 else math.ceil(budget / 4)
    kept = KEPT_NUMBERS // max(n_draws * draw_size, 1)
    rows = max(min(n_rows, wanted, kept), 1)
    return Plan(rows, max(min(n_draws, budget // rows), 1))


def thinned(array: np.ndarray) -> np.ndarray:
    """Return some rows, enough for quantiles, at random: what has a period would repeat."""
    n_rows = len(array)
    return array if n_rows <= QUANTILE_ROWS else array[at_random(n_rows, QUANTILE_ROWS, seed=0)]


def at_random(n_rows: int, n: int, seed: int) -> np.ndarray:
    """Return n random row numbers, in order."""
    return np.sort(np.random.default_rng(seed).permutation(n_rows)[:n])


def slices(n: int, size: int) -> Iterator[slice]:
    """Yield slices of at most `size` that cover range(n)."""
    for start in range(0, n, size):
        yield slice(start, min(start + size, n))
