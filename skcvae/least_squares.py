r"""The linear model at which least squares ends, and training starts.

Fully connected networks with skip connections start at

.. math:: y = B x + b + \Lambda z + \epsilon, \quad z \sim N(0, I), \quad
    \epsilon \sim N(0, \mathrm{diag}(\psi)),

with :math:`B` from ridge regression and :math:`\Lambda, \psi` from the covariance of its
leave-one-out residuals, see :mod:`skcvae.factors`. The recognition network starts at the posterior
of z in this model, so that the bound is the log-likelihood.
"""

from typing import NamedTuple

import numpy as np
import torch
from sklearn import config_context
from sklearn.linear_model import Ridge, RidgeCV
from sklearn.model_selection import GroupKFold, cross_val_predict
from torch import Tensor

from skcvae.data.hold_out import belonging
from skcvae.data.weights import effective_rows

PENALTIES = np.logspace(-3, 5, 17)  # of ridge regression
LEAST_PENALTY = 10.0  # divided by the number of rows: leave-one-out errors of few mislead
NO_X = 1e12  # the penalty with which x is not used
FEWEST_ROWS = 3
FEW_ROWS = 8  # with fewer, leave-one-out errors and likelihoods are chance: y alone counts too
N_FOLDS = 10  # where rows of x are repeated
SHARES = np.logspace(-5, 0, 21)  # of the identity in a shrunk covariance
SMALLEST_SCALE = 0.03  # of the noise at the start: steps move y by more than a thousandth
N_STEPS = 20  # of expectation-maximisation, where outputs are missing
MOST_CUBED = 4e8  # rows times cubed outputs of it


class LinearModel(NamedTuple):
    """Ridge regression of encoded rows, float64.

    Parameters
    ----------
    coef : Tensor of shape (n_outputs, n_features)
        Coefficients; without inputs there are no features.
    intercept : Tensor of shape (n_outputs,)
        Intercepts.
    covariance : Tensor of shape (n_outputs, n_outputs)
        Of the leave-one-out residuals.
    penalty : Tensor of shape (n_outputs,)
        Of ridge regression.
    """

    coef: Tensor
    intercept: Tensor
    covariance: Tensor
    penalty: Tensor


def fit(
    x: np.ndarray | None,
    y: np.ndarray,
    weight: np.ndarray | None = None,
    group: np.ndarray | None = None,
) -> LinearModel:
    """Fit the linear model; leave-one-out errors choose the penalty of each output.

    Rows of a group are left out together; without groups, so are copies of a row of x.

    Parameters
    ----------
    x : ndarray of shape (n_rows, n_features) or None
        Inputs.
    y : ndarray of shape (n_rows, n_outputs)
        Outputs.
    weight : ndarray of shape (n_rows,), default=None
        Weights of the rows.
    group : ndarray of shape (n_rows,), default=None
        Labels of rows that belong together.

    Returns
    -------
    LinearModel
        Its covariance is shrunk and widened for few rows; of one or two, x is not used.
    """
    if np.isnan(y).any():
        return fit_observed(x, y, weight, group)
    n_rows, labels = len(y) if weight is None else effective_rows(weight), None
    unit, intercept = np.eye(y.shape[1]), np.average(y, axis=0, weights=weight)
    coef = np.zeros((len(unit), 0 if x is None else x.shape[1]))
    penalty = np.full(len(unit), NO_X)
    if n_rows < FEWEST_ROWS:
        return _model(coef, intercept, FEWEST_ROWS * unit, penalty)
    share = 1 / len(y) if weight is None else (weight / weight.sum())[:, None]
    if x is None:
        left_out = (intercept - share * y) / (1 - share)
    else:
        if group is not None or len(set(map(bytes, x))) < len(x):
            labels = belonging((x, y), group)
        if labels is not None and labels.max() in (0, len(x) - 1):
            labels = None  # one group is none: as many as there are y
        n_groups = len(y) if labels is None else labels.max() + 1
        penalties = PENALTIES[PENALTIES >= LEAST_PENALTY / min(n_rows, n_groups)]
        coef, intercept, penalty, left_out = ridge(x, y, weight, penalties, labels)
    residual = y - left_out
    if labels is not None:
        n_rows = max(n_rows * independent_share(share * residual, labels), FEWEST_ROWS)
    scale = np.sqrt(np.average(residual**2, axis=0, weights=weight)) + 1e-9
    correlation = shrunk_covariance(np.sqrt(share * len(y)) * residual / scale)
    covariance = correlation * np.outer(scale, scale) + SMALLEST_SCALE**2 * unit
    of_y = np.clip((FEW_ROWS - n_rows) / (FEW_ROWS - FEWEST_ROWS), 0, 1)
    covariance = (1 - of_y) * covariance + of_y * unit
    covariance *= n_rows / (n_rows - 2)  # expected to be the most likely for new rows
    return _model(coef, intercept, covariance, penalty)


def _model(*parts: np.ndarray) -> LinearModel:
    return LinearModel(*map(torch.from_numpy, parts))


def fit_observed(
    x: np.ndarray | None, y: np.ndarray, weight: np.ndarray | None, group: np.ndarray | None
) -> LinearModel:
    """Fit the linear model to y with NaN.

    Each output is fitted to the rows where it is observed, which gives its penalty and its
    variance; expectation-maximisation then makes use of the others (Little and Rubin, 2019,
    section 11.4). It has one penalty, the least: shrunk by different ones, outputs that nearly
    depend on each other linearly no longer would.
    """
    n_outputs = y.shape[1]
    coef, intercept = np.zeros((n_outputs, 0 if x is None else x.shape[1])), np.zeros(n_outputs)
    variance, penalty = np.ones((2, n_outputs))
    patterns, number = np.unique(~np.isnan(y), axis=1, return_inverse=True)
    for i, rows in enumerate(patterns.T):
        same = number == i
        given = [None if part is None else part[rows] for part in (x, y[:, same], weight, group)]
        part = fit(*given) if rows.any() else fit(None, np.zeros((1, same.sum())))
        coef[same], intercept[same], penalty[same] = part.coef, part.intercept, part.penalty
        variance[same] = part.covariance.diagonal()
    covariance = np.diag(variance)
    kept = slice(int(MOST_CUBED / n_outputs**3))
    x, y, weight = (None if part is None else part[kept] for part in (x, y, weight))
    n_prior = max(1.0, n_outputs**2 / len(y))  # rows of independent outputs: few shrink it
    for _ in range(N_STEPS if len(y) > n_outputs else 0):
        mean = intercept if x is None else x @ coef.T + intercept
        residual, spread = of_missing(y - mean, covariance, weight)
        filled = mean + residual
        if x is None:
            intercept = np.average(filled, axis=0, weights=weight)
        else:
            coef, intercept = _ridge(x, filled, weight, penalty.min())
        share = 1 / len(y) if weight is None else (weight / weight.sum())[:, None]
        covariance = (residual * share).T @ residual + spread
        covariance += n_prior / len(y) * np.diag(variance)
    scale = np.sqrt(variance / covariance.diagonal())
    covariance = covariance * np.outer(scale, scale)
    return _model(coef, intercept, covariance, penalty)


def of_missing(
    residual: np.ndarray, covariance: np.ndarray, weight: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return residuals whose NaN are filled in by their means given the others of a row.

    Parameters
    ----------
    residual : ndarray of shape (n_rows, n_outputs)
        With mean zero.
    covariance : ndarray of shape (n_outputs, n_outputs)
        Of a row.
    weight : ndarray of shape (n_rows,) or None
        Weights of the rows.

    Returns
    -------
    filled : ndarray of shape (n_rows, n_outputs)
        Without NaN.
    spread : ndarray of shape (n_outputs, n_outputs)
        The covariance of the missing given the others, a mean over rows.
    """
    observed, unit = ~np.isnan(residual), np.eye(len(covariance))
    both = observed[:, :, None] & observed[:, None]
    across = covariance * observed[:, :, None]
    gain = np.linalg.solve(np.where(both, covariance, unit), across)
    filled = np.einsum("ni,nij->nj", np.nan_to_num(residual), gain)
    return filled, np.average(covariance - gain.swapaxes(1, 2) @ across, axis=0, weights=weight)


def independent_share(residual: np.ndarray, labels: np.ndarray) -> float:
    """Return the variance of a mean, if rows were independent, divided by that of groups."""
    sums = np.zeros((labels.max() + 1, residual.shape[1]))
    np.add.at(sums, labels, residual)
    return min(1.0, np.square(residual).sum() / (np.square(sums).sum() + 1e-30))


def ridge(x, y, weight, penalties, labels) -> tuple[np.ndarray, ...]:
    """Return coefficients, intercepts, the best penalties and left-out predictions.

    These are without each row, or with labels in ten folds without rows of its label.

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
    errors = np.average((y[..., None] - left_out) ** 2, axis=0, weights=weight)
    chosen = errors.argmin(axis=1)
    left_out = left_out[:, np.arange(y.shape[1]), chosen]
    return *_ridge(x, y, weight, penalties[chosen]), penalties[chosen], left_out


def _ridge(x, y, weight, penalty) -> tuple[np.ndarray, np.ndarray]:
    """Return coefficients and intercepts with given penalties."""
    model = Ridge(penalty).fit(x, y, weight)
    return np.atleast_2d(model.coef_), np.atleast_1d(model.intercept_)


def _unused(*arrays, **weights) -> float:
    """Return no score: with one, RidgeCV stores predictions; r2 of each output takes long."""
    return 0.0


def shrunk_covariance(rows: np.ndarray) -> np.ndarray:
    """Return a covariance, shrunk to the identity as rows left out find best.

    Of the shares whose leave-one-out likelihood (Hoffbeck and Landgrebe, 1996) is within a
    standard error of the best, the largest is taken. It shrinks less than Ledoit and Wolf's share
    where outputs nearly depend on each other linearly.

    Parameters
    ----------
    rows : ndarray of shape (n_rows, n_outputs)
        With mean zero and variances near one.

    Returns
    -------
    ndarray of shape (n_outputs, n_outputs)
        The covariance.
    """
    n_rows, n_outputs = rows.shape
    covariance = rows.T @ rows / n_rows
    values, vectors = np.linalg.eigh(covariance * n_rows / (n_rows - 1))
    variances = (1 - SHARES) * values.clip(0)[:, None] + SHARES
    distances = (rows @ vectors) ** 2 @ (1 / variances)
    left = 1 - (1 - SHARES) / (n_rows - 1) * distances
    lost = np.log(variances).sum(axis=0) + np.log(left) + distances / left
    excess = lost - lost[:, [lost.mean(axis=0).argmin()]]
    share = SHARES[excess.mean(axis=0) <= excess.std(axis=0) / np.sqrt(n_rows - 1)].max()
    return (1 - share) * covariance + share * np.eye(n_outputs)
