"""Ridge regression of several outputs, with penalties that left-out errors choose."""

from typing import NamedTuple

import numpy as np
from sklearn.model_selection import GroupKFold

from skcvae.data.hold_out import groups_of
from skcvae.data.weights import effective_rows

PENALTIES = np.logspace(-5, 5, 21)
# Leave-one-out errors of few rows mislead. Divided by the number of rows, this is the least
# penalty, unless squared errors of a smaller one are 1 + HANDICAP / (n - FEW_ROWS) times smaller.
LEAST_PENALTY, HANDICAP, FEW_ROWS = 10.0, 50.0, 7
MOST_WORK = 2e9  # multiplications of a fold; of larger ones there are few
N_FOLDS, FEW_FOLDS = 10, 3  # where rows are left out together
ROWS_PER_OUTPUT = 2  # fewer tell no covariance of the errors
SMALLEST_VARIANCE = 1e-10  # of errors: float32 resolves little more


class PrincipalAxes(NamedTuple):
    """Inputs along their principal axes, where ridge regression of any penalty is a division.

    Hastie, Tibshirani and Friedman (2009), *The Elements of Statistical Learning*, equation 3.47.

    Parameters
    ----------
    mean : ndarray of shape (n_features,)
        Of the inputs.
    axes : ndarray of shape (n_axes, n_features)
        Unit vectors.
    squares : ndarray of shape (n_axes,)
        Weighted sums of squares of the scores.
    scores : ndarray of shape (n_rows, n_axes)
        Centred inputs along the axes.
    weight : ndarray of shape (n_rows,)
        Weights of the rows.
    """

    mean: np.ndarray
    axes: np.ndarray
    squares: np.ndarray
    scores: np.ndarray
    weight: np.ndarray

    def coefficients(self, y: np.ndarray, penalty: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return coefficients and intercepts with a given penalty of each output."""
        y_mean, moments = self._moments(y)
        coef = (moments / (self.squares[:, None] + penalty)).T @ self.axes
        return coef, y_mean - coef @ self.mean

    def predictions(self, scores: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Return predictions of shape (n, n_outputs, n_penalties) for n rows of scores."""
        y_mean, moments = self._moments(y)
        found = [scores @ (moments / (self.squares[:, None] + p)) + y_mean for p in PENALTIES]
        return np.stack(found, axis=-1)

    def left_out(self, y: np.ndarray) -> np.ndarray:
        """Return predictions of shape (n_rows, n_outputs, n_penalties) without each row."""
        shrunk = self.scores**2 @ (1 / (self.squares[:, None] + PENALTIES))
        leverage = self.weight[:, None] * (shrunk + 1 / self.weight.sum())
        error = y[..., None] - self.predictions(self.scores, y)
        return y[..., None] - error / (1 - leverage[:, None])

    def _moments(self, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the mean of y, and weighted sums of its products with the scores."""
        mean = np.average(y, axis=0, weights=self.weight)
        return mean, (self.weight[:, None] * self.scores).T @ (y - mean)


def principal_axes(x: np.ndarray, weight: np.ndarray | None = None) -> PrincipalAxes:
    """Return inputs along their principal axes.

    Parameters
    ----------
    x : ndarray of shape (n_rows, n_features)
        Inputs.
    weight : ndarray of shape (n_rows,), default=None
        Weights of the rows.

    Returns
    -------
    PrincipalAxes
        As many as the smaller of the numbers of rows and features.
    """
    weight = np.ones(len(x)) if weight is None else weight
    mean = np.average(x, axis=0, weights=weight)
    _, scale, axes = np.linalg.svd(np.sqrt(weight)[:, None] * (x - mean), full_matrices=False)
    return PrincipalAxes(mean, axes, scale**2, (x - mean) @ axes.T, weight)


class RidgeModel(NamedTuple):
    """Ridge regression of n_outputs outputs.

    Parameters
    ----------
    coef : ndarray of shape (n_outputs, n_features)
        Coefficients.
    intercept : ndarray of shape (n_outputs,)
        Intercepts.
    penalty : ndarray of shape (n_outputs,)
        What left-out errors choose.
    left_out : ndarray of shape (n_rows, n_outputs)
        Predictions without each row, or in folds without all rows of its label.
    labels : ndarray of shape (n_rows,) or None
        Numbers of rows that belong together; None if none do.
    """

    coef: np.ndarray
    intercept: np.ndarray
    penalty: np.ndarray
    left_out: np.ndarray
    labels: np.ndarray | None


def fit(
    x: np.ndarray,
    y: np.ndarray,
    weight: np.ndarray | None = None,
    group: np.ndarray | None = None,
    along: PrincipalAxes | None = None,
) -> RidgeModel:
    """Fit ridge regression; rows of a group, or copies of a row of x, are left out together.

    Parameters
    ----------
    x : ndarray of shape (n_rows, n_features)
        Inputs.
    y : ndarray of shape (n_rows, n_outputs)
        Outputs.
    weight : ndarray of shape (n_rows,), default=None
        Weights of the rows.
    group : ndarray of shape (n_rows,), default=None
        Labels of rows that belong together.
    along : PrincipalAxes, default=None
        Of x and weight, where several y are fitted one after the other.

    Returns
    -------
    RidgeModel
        The model of all rows, and predictions of rows left out.
    """
    labels, n_rows = row_groups(x, y, group), len(y) if weight is None else effective_rows(weight)
    if labels is not None:
        n_rows = min(n_rows, labels.max() + 1)
    along = principal_axes(x, weight) if along is None else along
    left_out = along.left_out(y) if labels is None else _left_out(x, y, along.weight, labels)
    needed = HANDICAP / max(n_rows - FEW_ROWS, 1e-9)
    handicap = 1 + needed * (PENALTIES < LEAST_PENALTY / n_rows)
    chosen = _chosen_penalties((y[..., None] - left_out) * np.sqrt(handicap), weight)
    left_out = left_out[:, np.arange(y.shape[1]), chosen]
    penalty = PENALTIES[chosen]
    return RidgeModel(*along.coefficients(y, penalty), penalty, left_out, labels)


def row_groups(x: np.ndarray | None, y: np.ndarray, group: np.ndarray | None) -> np.ndarray | None:
    """Number the rows so that those that belong together have the same number.

    Parameters
    ----------
    x : ndarray of shape (n_rows, n_features) or None
        Inputs; None where groups are given.
    y : ndarray of shape (n_rows, n_outputs)
        Outputs.
    group : ndarray of shape (n_rows,) or None
        Labels of rows that belong together; without, copies of a row of x do.

    Returns
    -------
    ndarray of shape (n_rows,) or None
        None if no rows belong together.
    """
    if group is None and len(set(map(bytes, x))) == len(x):
        return None
    labels = groups_of((x, y), group)
    # One group is none: as many as there are y.
    return None if labels.max() in (0, len(y) - 1) else labels


def _left_out(x, y, weight, labels) -> np.ndarray:
    """Return predictions of shape (n_rows, n_outputs, n_penalties), in folds of labels."""
    found = np.empty((*y.shape, len(PENALTIES)))
    n_folds = N_FOLDS if x.size * found[0].size < MOST_WORK else FEW_FOLDS
    folds = GroupKFold(min(n_folds, len(set(labels))))
    for kept, held in folds.split(x, groups=labels):
        along = principal_axes(x[kept], weight[kept])
        scores = (x[held] - along.mean) @ along.axes.T
        found[held] = along.predictions(scores, y[kept])
    return found


def _chosen_penalties(residual: np.ndarray, weight: np.ndarray | None) -> np.ndarray:
    """Return the numbers of the best penalties, of (n_rows, n_outputs, n_penalties) residuals.

    That is one for all outputs where it keeps what ties them, such as sums, and else one for each.
    """
    errors = np.average(residual**2, axis=0, weights=weight) + SMALLEST_VARIANCE
    own = errors.argmin(axis=1)
    common = np.full_like(own, np.log(errors).sum(axis=0).argmin())
    if len(residual) < ROWS_PER_OUTPUT * len(own):
        return own
    number = np.arange(len(own))
    volume, of_common = (
        np.linalg.slogdet(np.atleast_2d(np.cov(residual[:, number, chosen].T, aweights=weight)))[1]
        for chosen in (own, common)
    )
    return common if of_common < volume else own
