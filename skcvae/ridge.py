"""Ridge regression of several outputs, with penalties that left-out errors choose."""

import numpy as np
from sklearn import config_context
from sklearn.linear_model import Ridge, RidgeCV
from sklearn.model_selection import GroupKFold, cross_val_predict

N_FOLDS = 10  # where rows are left out together
ROWS_PER_OUTPUT = 2  # fewer tell no covariance of the errors
SMALLEST_VARIANCE = 1e-10  # of errors: float32 resolves little more


def fit(x, y, weight, penalties, labels) -> tuple[np.ndarray, ...]:
    """Return coefficients, intercepts, the best penalties and left-out predictions.

    These are without each row, or with labels in ten folds without rows of its label.

    Parameters
    ----------
    x : ndarray of shape (n_rows, n_features)
        Inputs.
    y : ndarray of shape (n_rows, n_outputs)
        Outputs.
    weight : ndarray of shape (n_rows,) or None
        Weights of the rows.
    penalties : ndarray
        To choose from.
    labels : ndarray of shape (n_rows,) or None
        Numbers of rows that are left out together.

    Returns
    -------
    coef, intercept, penalty, left_out : ndarray
        Of shapes (n_outputs, n_features), (n_outputs,), (n_outputs,) and (n_rows, n_outputs).
    """
    shape = *y.shape, len(penalties)
    with config_context(enable_metadata_routing=False):  # else weights have to be asked for
        if labels is None:
            ridge = RidgeCV(
                penalties, scoring=_unused, store_cv_results=True, alpha_per_target=True
            )
            left_out = ridge.fit(x, y, weight).cv_results_.reshape(shape)
        else:
            ridge = Ridge(np.tile(penalties, y.shape[1]), solver="svd")
            targets = np.repeat(y, len(penalties), axis=1)
            folds = GroupKFold(min(N_FOLDS, len(set(labels))))
            given = {"groups": labels, "cv": folds, "params": {"sample_weight": weight}}
            left_out = cross_val_predict(ridge, x, targets, **given).reshape(shape)
    residual = y[..., None] - left_out
    chosen = _chosen_penalties(residual, weight)
    left_out = left_out[:, np.arange(y.shape[1]), chosen]
    return *coefficients(x, y, weight, penalties[chosen]), penalties[chosen], left_out


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
