"""Between numpy arrays of the user and tensors of the networks."""

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from sklearn.preprocessing import StandardScaler
from torch import Tensor

FORWARD_ROWS = 2048  # rows in one forward pass: fewer starve the cores, more miss the cache
FORWARD_NUMBERS = 2**22  # numbers in the widest tensor of one forward pass
KEPT_NUMBERS = 2**23  # numbers kept over all draws of a chunk, where quantiles need them all


class Scaling(NamedTuple):
    """An affine map of rows, fitted or not.

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
        """Return the map to mean 0 and variance 1; constant columns are only centred."""
        flat = np.ascontiguousarray(array).reshape(len(array), -1)
        with np.errstate(over="ignore", invalid="ignore"):
            fitted = StandardScaler().fit(flat, sample_weight=weight)
        if not np.isfinite(fitted.var_).all():
            largest = np.abs(flat).max()
            raise ValueError(
                f"{name} cannot be standardised: values up to {largest:.3g} overflow. "
                f"Expected a finite variance; rescale {name} first."
            )
        row_shape = array.shape[1:]
        return cls(fitted.mean_.reshape(row_shape), fitted.scale_.reshape(row_shape))

    def to_tensor(self, array: np.ndarray, dtype: torch.dtype, device) -> Tensor:
        """Return mapped rows on a device, without a second copy of all in float64."""
        out = torch.empty((len(array), *self.loc.shape), dtype=dtype)
        for rows in slices(len(array), FORWARD_ROWS):
            block = np.reshape(array[rows], (-1, *self.loc.shape))
            out[rows] = torch.from_numpy((block - self.loc) / self.scale)
        return out.to(device)

    def to_array(self, tensor: Tensor) -> np.ndarray:
        """Return rows in the user's units, float64."""
        return tensor.double().cpu().numpy() * self.scale + self.loc

    @property
    def log_jacobian(self) -> float:
        """What a log density gains by going back to the user's units."""
        return -float(np.log(self.scale).sum())


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
