r"""The linear model at which least squares ends, and training starts.

Networks with skip connections start at

.. math:: y = B x + b + \Lambda z + \epsilon, \quad z \sim N(0, I), \quad
    \epsilon \sim N(0, \mathrm{diag}(\psi)),

with :math:`B` from ridge regression and :math:`\Lambda, \psi` from the covariance of its
leave-one-out residuals, see :mod:`skcvae.factors`. The recognition network starts at the posterior
of z in this model, so that the bound is the log-likelihood.
"""

from typing import NamedTuple

import numpy as np
import torch
from sklearn.model_selection import GroupKFold
from torch import Tensor

from skcvae import ridge
from skcvae.data.weights import effective_rows
from skcvae.factors import factors
from skcvae.missing_outputs import Patterns, expected, filled_by_factors
from skcvae.ridge import N_FOLDS

NO_X = 1e12  # the penalty with which x is not used
FEWEST_ROWS = 3
FEW_ROWS = 8  # with fewer, leave-one-out errors and likelihoods are chance: y alone counts too
SMALLEST_SCALE = 1e-5  # of errors: float32 resolves little more
MOST_COLUMNS = 0.25  # of x or y, for each row or group: with more, residuals tell each other
SHARES = np.logspace(-8, 0, 33)  # of the identity in a shrunk covariance
FEWEST_STEPS, MOST_STEPS = 10, 500  # of expectation-maximisation, where outputs are missing
TOLERANCE = 1e-6  # of variances, at which it ends
MOST_WORK = 3e8  # multiplications
N_FACTORS = 16  # of residuals with NaN, where there are many outputs
MOST_OBSERVED = 500_000  # rows times outputs with gaps of their own, each fitted by itself


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
        labels = None if group is None else ridge.row_groups(x, y, group)
    else:
        coef, intercept, penalty, left_out, labels = ridge.fit(x, y, weight, group)
    residual = y - left_out
    if labels is not None:
        n_rows = max(n_rows * independent_share(share * residual, labels), FEWEST_ROWS)
    scale = np.sqrt(np.average(residual**2, axis=0, weights=weight)).clip(SMALLEST_SCALE)
    lost, n_apart = None, len(y) if labels is None else labels.max() + 1
    if max(coef.shape) > MOST_COLUMNS * n_apart and len(y) >= N_FOLDS:
        lost = left_out_losses(x, y, weight, labels)
    correlation = shrunk_covariance(np.sqrt(share * len(y)) * residual / scale, lost)
    covariance = correlation * np.outer(scale, scale)
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
    variance; expectation-maximisation then makes use of the other outputs (Little and Rubin,
    2019, section 11.4). Where its steps are slow, a few factors fill in the residuals.
    """
    columns, number = np.unique(~np.isnan(y), axis=1, return_inverse=True)
    if columns.size > MOST_OBSERVED:
        step = -(-columns.size // MOST_OBSERVED)
        return fit(*(None if part is None else part[::step] for part in (x, y, weight, group)))
    n_outputs, n_features = y.shape[1], 0 if x is None else x.shape[1]
    coef, intercept = np.zeros((n_outputs, n_features)), np.zeros(n_outputs)
    variance, penalty = np.full(n_outputs, float(FEWEST_ROWS)), np.full(n_outputs, NO_X)
    for i, rows in enumerate(columns.T):
        same = number == i
        if rows.any():
            parts = x, y[:, same], weight, group
            own = fit(*(None if part is None else part[rows] for part in parts))
            coef[same], intercept[same], covariance, penalty[same] = own
            variance[same] = covariance.diagonal()
    share = np.ones((len(y), 1)) / len(y) if weight is None else (weight / weight.sum())[:, None]
    parts = x, y, share, (coef, intercept, np.diag(variance))
    coef, intercept, covariance = _maximised(*parts, penalty) or _by_factors(*parts)
    # The errors of rows left out are wider; those of rows that were chosen by y are narrower.
    scale = np.sqrt(variance / covariance.diagonal()).clip(1)
    return _model(coef, intercept, covariance * np.outer(scale, scale), penalty)


def _maximised(x, y, share, start, penalty) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Return what expectation-maximisation finds, or None if its steps are slow."""
    coef, intercept, alone = start
    patterns, n_outputs = Patterns.of(y, share[:, 0]), y.shape[1]
    n_steps = int(MOST_WORK / (patterns.observed.size * n_outputs**2 + coef.size * len(y)))
    if n_steps < FEWEST_STEPS:
        return None
    n_prior, covariance = max(1.0, n_outputs**2 / len(y)), alone
    along = None if x is None else ridge.principal_axes(x, share[:, 0] * len(y))
    for _ in range(min(n_steps, MOST_STEPS)):
        mean = _mean(x, coef, intercept)
        residual, spread = expected(y - mean, covariance, patterns)
        if x is None:
            intercept = (share * (mean + residual)).sum(0)
        else:
            coef, intercept = along.coefficients(mean + residual, penalty)
        before, found = covariance, (residual * share).T @ residual + spread
        covariance = (len(y) * found + n_prior * alone) / (len(y) + n_prior)
        if np.abs(covariance - before).max() < TOLERANCE * alone.max():
            break
    return coef, intercept, covariance


def _by_factors(x, y, share, start) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the model with the covariance of residuals that a few factors complete."""
    coef, intercept, alone = start
    scale = np.sqrt(alone.diagonal())
    residual = (y - _mean(x, coef, intercept)) / scale
    filled = np.nan_to_num(residual)
    for _ in range(FEWEST_STEPS):
        correlation = shrunk_covariance(np.sqrt(share * len(y)) * filled)
        model = factors(torch.from_numpy(correlation), N_FACTORS)
        filled = filled_by_factors(residual, *(part.numpy() for part in model))
    covariance = shrunk_covariance(np.sqrt(share * len(y)) * filled)
    return coef, intercept, covariance * np.outer(scale, scale)


def _mean(x, coef: np.ndarray, intercept: np.ndarray) -> np.ndarray:
    return intercept if x is None else x @ coef.T + intercept


def independent_share(residual: np.ndarray, labels: np.ndarray) -> float:
    """Return the variance of a mean, if rows were independent, divided by that of groups."""
    sums = np.zeros((labels.max() + 1, residual.shape[1]))
    np.add.at(sums, labels, residual)
    return min(1.0, np.square(residual).sum() / (np.square(sums).sum() + 1e-30))


def left_out_losses(x, y, weight, labels) -> np.ndarray:
    """Return the losses of rows left out in folds, for each share of a shrunk covariance.

    Rows of one label are left out together.

    Returns
    -------
    ndarray of shape (n_rows, n_shares)
        Twice the negative log densities of standardised errors, but for a constant.
    """
    losses = []
    labels = np.arange(len(y)) if labels is None else labels
    folds = GroupKFold(min(N_FOLDS // 2, len(set(labels))), shuffle=True, random_state=0)
    for kept, held in folds.split(y, groups=labels):
        given = None if weight is None else weight[kept]
        if x is None:
            mean = np.average(y[kept], axis=0, weights=given)
            residual, error = y[kept] - mean, y[held] - mean
        else:
            coef, intercept, _, left_out, _ = ridge.fit(x[kept], y[kept], given, labels[kept])
            residual, error = y[kept] - left_out, y[held] - _mean(x[held], coef, intercept)
        scale = residual.std(axis=0) + 1e-9
        rows = residual / scale
        log_det, distances = _shrunk(rows.T @ rows / len(rows), error / scale)
        losses.append(log_det + distances)
    return np.concatenate(losses)


def _shrunk(covariance: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return log determinants of a covariance for all shares, and squared distances of rows."""
    values, vectors = np.linalg.eigh(covariance)
    variances = (1 - SHARES) * values.clip(0)[:, None] + SHARES
    return np.log(variances).sum(axis=0), (rows @ vectors) ** 2 @ (1 / variances)


def shrunk_covariance(rows: np.ndarray, lost: np.ndarray | None = None) -> np.ndarray:
    """Return a covariance, shrunk to the identity as rows left out find best.

    Of the shares whose leave-one-out likelihood (Hoffbeck and Landgrebe, 1996) is within a
    standard error of the best, the largest is taken. It shrinks less than Ledoit and Wolf's share
    where outputs nearly depend on each other linearly.

    Parameters
    ----------
    rows : ndarray of shape (n_rows, n_outputs)
        With mean zero and variances near one.
    lost : ndarray of shape (n_rows, n_shares), default=None
        Losses of rows left out in another way.

    Returns
    -------
    ndarray of shape (n_outputs, n_outputs)
        The covariance.
    """
    n_rows, n_outputs = rows.shape
    covariance = rows.T @ rows / n_rows
    if lost is None:
        log_det, distances = _shrunk(covariance * n_rows / (n_rows - 1), rows)
        left = 1 - (1 - SHARES) * n_rows / (n_rows - 1) ** 2 * distances  # the mean, too, moves
        left = left.clip(SMALLEST_SCALE**2)
        lost = log_det + np.log(left) + distances / left
    excess = lost - lost[:, [lost.mean(axis=0).argmin()]]
    share = SHARES[excess.mean(axis=0) <= excess.std(axis=0) / np.sqrt(n_rows - 1)].max()
    return (1 - share) * covariance + share * np.eye(n_outputs)
