"""Outputs far out, which least squares would follow: errors, or where x is far out, too."""

import numpy as np

from skcvae import ridge
from skcvae.data.coding import MIDDLE_HALF
from skcvae.ridge import N_FOLDS

FARTHEST = 5.0  # standard deviations: what is beyond counts as so far
N_STEPS = 20
TOLERANCE = 0.01  # of the scale of errors
SMALLEST_SCALE = 1e-9


def bounded(
    x: np.ndarray | None,
    y: np.ndarray,
    weight: np.ndarray | None = None,
    group: np.ndarray | None = None,
) -> np.ndarray:
    """Return outputs, of which those far out are moved closer: to 0, or to what x tells.

    Where x tells of outputs far out, they are no errors. A linear model of y as it is, to which
    then only errors that are far out are moved closer (winsorised residuals; Huber and Ronchetti,
    2009, *Robust Statistics*, section 7.8), has the smaller left-out errors, and is followed.

    Parameters
    ----------
    x : ndarray of shape (n_rows, n_features) or None
        Inputs.
    y : ndarray of shape (n_rows, n_outputs)
        Outputs, standardised, in which there may be NaN.
    weight : ndarray of shape (n_rows,), default=None
        Weights of the rows.
    group : ndarray of shape (n_rows,), default=None
        Labels of rows that belong together.

    Returns
    -------
    ndarray of shape (n_rows, n_outputs)
        The outputs.
    """
    found = y.clip(-FARTHEST, FARTHEST)
    far = np.flatnonzero((found != y).any(axis=0, where=~np.isnan(y)))
    if x is None or not len(far):
        return found
    patterns, number = np.unique(~np.isnan(y[:, far]), axis=1, return_inverse=True)
    for i, rows in enumerate(patterns.T):
        place = np.ix_(rows, far[number == i])
        if rows.sum() >= N_FOLDS:
            parts = (None if part is None else part[rows] for part in (weight, group))
            found[place] = _bounded(x[rows], y[place], *parts)
    return found


def _bounded(x, y, weight, group) -> np.ndarray:
    """Return complete outputs."""
    found, given = y.clip(-FARTHEST, FARTHEST), (weight, group, ridge.principal_axes(x, weight))
    least, _ = _errors(y - ridge.fit(x, found, *given).left_out, weight)
    moved, may_move = y, found != y
    for _ in range(N_STEPS):
        expected = ridge.fit(x, moved, *given).left_out
        errors, scale = _errors(y - expected, weight)
        near = expected + (y - expected).clip(-FARTHEST * scale, FARTHEST * scale)
        before, moved = moved, np.where(may_move, near, y)
        found, least = np.where(errors < least, moved, found), np.minimum(errors, least)
        if (np.abs(moved - before) < TOLERANCE * scale).all():
            break
    return found


def _errors(residual, weight) -> tuple[np.ndarray, np.ndarray]:
    """Return the size of errors, of which single ones count little, and their scale."""
    scale = 2 * _median(np.abs(residual), weight) / MIDDLE_HALF + SMALLEST_SCALE
    squares = np.minimum((residual / scale) ** 2, FARTHEST**2)
    return np.log(scale) + np.average(squares, axis=0, weights=weight) / 2, scale


def _median(array, weight) -> np.ndarray:
    """Return the weighted median of each column."""
    order = array.argsort(axis=0)
    weight = np.ones(len(array)) if weight is None else weight
    below = weight[order].cumsum(axis=0) < weight.sum() / 2
    return np.take_along_axis(np.take_along_axis(array, order, 0), below.sum(axis=0)[None], 0)[0]
