"""Residuals with NaN: their covariance, and what is expected of the missing."""

from typing import NamedTuple

import numpy as np


class Patterns(NamedTuple):
    """Rows by which of their outputs are observed.

    Parameters
    ----------
    observed : ndarray of shape (n_patterns, n_outputs)
        Whether an output is observed.
    rows : list of ndarray
        The numbers of the rows of each pattern.
    share : ndarray of shape (n_patterns,)
        Their shares of all weight.
    """

    observed: np.ndarray
    rows: list[np.ndarray]
    share: np.ndarray

    @classmethod
    def of(cls, y: np.ndarray, weight: np.ndarray | None = None) -> "Patterns":
        """Return the patterns of rows with NaN."""
        observed, number = np.unique(~np.isnan(y), axis=0, return_inverse=True)
        order = np.argsort(number, kind="stable")
        rows = np.split(order, np.cumsum(np.bincount(number))[:-1])
        share = np.bincount(number, weight)
        return cls(observed, rows, share / share.sum())


def expected(
    residual: np.ndarray, covariance: np.ndarray, patterns: Patterns
) -> tuple[np.ndarray, np.ndarray]:
    """Return residuals whose NaN are filled in by their means given the others of a row.

    Parameters
    ----------
    residual : ndarray of shape (n_rows, n_outputs)
        With mean zero.
    covariance : ndarray of shape (n_outputs, n_outputs)
        Of a row.
    patterns : Patterns
        Of the rows.

    Returns
    -------
    filled : ndarray of shape (n_rows, n_outputs)
        Without NaN.
    spread : ndarray of shape (n_outputs, n_outputs)
        The covariance of the missing given the others, a mean over rows.
    """
    seen = patterns.observed
    across = covariance * seen[:, :, None]
    both = seen[:, :, None] & seen[:, None]
    gain = np.linalg.solve(np.where(both, covariance, np.eye(len(covariance))), across)
    filled = np.nan_to_num(residual)
    for rows, to_all in zip(patterns.rows, gain, strict=True):
        filled[rows] = filled[rows] @ to_all
    known = np.einsum("m,mij,mik->jk", patterns.share, gain, across, optimize=True)
    return filled, covariance - known


def filled_by_factors(residual: np.ndarray, loadings: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Return residuals whose NaN are filled in by their means in a factor model.

    Parameters
    ----------
    residual : ndarray of shape (n_rows, n_outputs)
        With mean zero.
    loadings : ndarray of shape (n_outputs, n_factors)
        Of the factors.
    noise : ndarray of shape (n_outputs,)
        Variances of the noise.

    Returns
    -------
    ndarray of shape (n_rows, n_outputs)
        Without NaN.
    """
    observed, n_factors = ~np.isnan(residual), loadings.shape[1]
    squares = (loadings[:, :, None] * loadings[:, None]).reshape(len(loadings), -1)
    gain = ((observed / noise) @ squares).reshape(-1, n_factors, n_factors)
    told = np.nan_to_num(residual / noise) @ loadings
    z = np.linalg.solve(gain + np.eye(n_factors), told[..., None])[..., 0]
    return np.where(observed, residual, z @ loadings.T)
