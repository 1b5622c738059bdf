"""Ridge regression of several outputs, with penalties that left-out errors choose."""

from typing import NamedTuple

import numpy as np
from sklearn import config_context
from sklearn.linear_model import Ridge, RidgeCV
from sklearn.model_selection import GroupKFold, cross_val_predict

from skcvae.data.hold_out import belonging
from skcvae.data.weights import effective_rows

PENALTIES = np.logspace(-5, 5, 21)
# Leave-one-out errors of few rows mislead. Divided by the number of rows, this is the least
# penalty, unless squared errors of a smaller one are 1 + HANDICAP / (n - FEW_ROWS) times smaller.
LEAST_PENALTY, HANDICAP, FEW_ROWS = 10.0, 50.0, 7
MOST_WORK = 2e9  # multiplications of a fold; of larger ones there are few
N_FOLDS, FEW_FOLDS = 10, 3  # where rows are left out together
ROWS_PER_OUTPUT = 2  # fewer tell no covariance of the errors
SMALLEST_VARIANCE = 1e-10  # of errors: float32 resolves little more


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

    Returns
    -------
    RidgeModel
        The model of all rows, and predictions of rows left out.
    """
    labels, n_rows = numbered(x, y, group), len(y) if weight is None else effective_rows(weight)
    if labels is not None:
        n_rows = min(n_rows, labels.max() + 1)
    left_out = _left_out(x, y, weight, labels)
    needed = HANDICAP / max(n_rows - FEW_ROWS, 1e-9)
    handicap = 1 + needed * (PENALTIES < LEAST_PENALTY / n_rows)
    chosen = _chosen_penalties((y[..., None] - left_out) * np.sqrt(handicap), weight)
    left_out = left_out[:, np.arange(y.shape[1]), chosen]
    fitted = coefficients(x, y, weight, PENALTIES[chosen])
    return RidgeModel(*fitted, PENALTIES[chosen], left_out, labels)


def numbered(x: np.ndarray | None, y: np.ndarray, group: np.ndarray | None) -> np.ndarray | None:
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
    labels = belonging((x, y), group)
    # One group is none: as many as there are y.
    return None if labels.max() in (0, len(y) - 1) else labels


def _left_out(x, y, weight, labels) -> np.ndarray:
    """Return left-out predictions of shape (n_rows, n_outputs, n_penalties)."""
    shape = *y.shape, len(PENALTIES)
    with config_context(enable_metadata_routing=False):  # else weights have to be asked for
        if labels is None:
            ridge = RidgeCV(
                PENALTIES, scoring=_unused, store_cv_results=True, alpha_per_target=True
            )
            return ridge.fit(x, y, weight).cv_results_.reshape(shape)
        ridge = Ridge(np.tile(PENALTIES, y.shape[1]), solver="svd")
        targets = np.repeat(y, len(PENALTIES), axis=1)
        n_folds = N_FOLDS if x.size * targets.shape[1] < MOST_WORK else FEW_FOLDS
        folds = GroupKFold(min(n_folds, len(set(labels))))
        given = {"groups": labels, "cv": folds, "params": {"sample_weight": weight}}
        return cross_val_predict(ridge, x, targets, **given).reshape(shape)


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


def coefficients(x, y, weight, penalty) -> tuple[np.ndarray, np.ndarray]:
    """Return coefficients and intercepts with a given penalty of each output."""
    model = Ridge(penalty).fit(x, y, weight)
    return np.atleast_2d(model.coef_), np.atleast_1d(model.intercept_)


def _unused(*arrays, **weights) -> float:
    """Return no score: with one, RidgeCV stores predictions; r2 of each output takes long."""
    return 0.0
