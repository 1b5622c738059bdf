"""Moments of columns, which are those of more rows when they are joined."""

from typing import NamedTuple

import numpy as np


class Moments(NamedTuple):
    """Moments of the observed numbers of columns, about an origin; those of more can be added.

    Parameters
    ----------
    origin : ndarray of shape (n_columns,)
        The least number of the first rows with any, NaN before.
    total : ndarray of shape (n_columns,)
        Sum of the weights.
    mean, squares : ndarray of shape (n_columns,)
        Weighted mean, and sum of squared deviations from it, after the origin is subtracted.
    """

    origin: np.ndarray
    total: np.ndarray
    mean: np.ndarray
    squares: np.ndarray

    def joined(self, columns: np.ndarray, weight: np.ndarray) -> "Moments":
        """Return the moments of these numbers and of more, NaN left out (Chan et al., 1983)."""
        origin = np.where(np.isnan(self.origin), np.fmin.reduce(columns, axis=0), self.origin)
        observed = ~np.isnan(columns)
        u = np.where(observed, columns - origin, 0.0)
        new = weight @ observed
        total = self.total + new
        mean = weight @ u / np.where(new > 0, new, 1.0)
        u = np.where(observed, u - mean, 0.0)
        rest, share = weight @ u, new / np.where(total > 0, total, 1.0)
        squares = weight @ u**2 - rest**2 / np.where(new > 0, new, 1.0)
        apart = mean - self.mean
        between = self.total * share * apart**2
        return Moments(origin, total, self.mean + share * apart, self.squares + squares + between)
