r"""The linear model at which least squares ends, and training starts.

Fully connected networks with skip connections start at

.. math:: y = B x + b + \Lambda z + \epsilon, \quad z \sim N(0, I), \quad
    \epsilon \sim N(0, \mathrm{diag}(\psi)),

with :math:`B` from ridge regression and :math:`\Lambda, \psi` from the principal components of
the covariance of its leave-one-out residuals (Tipping and Bishop, 1999). The recognition
network starts at the posterior of z in this model, so that the bound is the log-likelihood.
"""

from typing import NamedTuple

import numpy as np
import torch
from sklearn import config_context
from sklearn.linear_model import Ridge, RidgeCV
from sklearn.model_selection import GroupKFold, cross_val_predict
from torch import Tensor, nn

from skcvae.architectures.mlp import FEW_OUTPUTS
from skcvae.data.hold_out import belonging
from skcvae.data.weights import effective_rows

PENALTIES = np.logspace(-3, 5, 17)  # of ridge regression
LEAST_PENALTY = 10.0  # divided by the number of rows: leave-one-out errors of few mislead
FEWEST_ROWS = 3
FEW_ROWS = 8  # with fewer, leave-one-out errors and likelihoods are chance: y alone counts too
N_FOLDS = 10  # where rows of x are repeated
SHARES = np.logspace(-5, 0, 21)  # of the identity in a shrunk covariance
SMALLEST_SCALE = 0.03  # of the noise at the start: steps move y by more than a thousandth
NOISE_SHARE = 0.2  # of the least variance, if z could have all: a ring is found as fast as ever
MOST_NATS = 2.0  # that draws from the prior alone are to tell: some e^2 of them are needed


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
    """

    coef: Tensor
    intercept: Tensor
    covariance: Tensor


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
    n_rows, labels = len(y) if weight is None else effective_rows(weight), None
    unit, intercept = np.eye(y.shape[1]), np.average(y, axis=0, weights=weight)
    coef = np.zeros((len(unit), 0 if x is None else x.shape[1]))
    if n_rows < FEWEST_ROWS:
        return LinearModel(*map(torch.from_numpy, (coef, intercept, FEWEST_ROWS * unit)))
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
        coef, intercept, left_out = ridge(x, y, weight, penalties, labels)
    residual = y - left_out
    if labels is not None:
        n_rows = max(n_rows * independent_share(share * residual, labels), FEWEST_ROWS)
    scale = np.sqrt(np.average(residual**2, axis=0, weights=weight)) + 1e-9
    correlation = shrunk_covariance(np.sqrt(share * len(y)) * residual / scale)
    covariance = correlation * np.outer(scale, scale) + SMALLEST_SCALE**2 * unit
    of_y = np.clip((FEW_ROWS - n_rows) / (FEW_ROWS - FEWEST_ROWS), 0, 1)
    covariance = (1 - of_y) * covariance + of_y * unit
    covariance *= n_rows / (n_rows - 2)  # expected to be the most likely for new rows
    return LinearModel(*map(torch.from_numpy, (coef, intercept, covariance)))


def independent_share(residual: np.ndarray, labels: np.ndarray) -> float:
    """Return the variance of a mean, if rows were independent, divided by that of groups."""
    sums = np.zeros((labels.max() + 1, residual.shape[1]))
    np.add.at(sums, labels, residual)
    return min(1.0, np.square(residual).sum() / (np.square(sums).sum() + 1e-30))


def ridge(x, y, weight, penalties, labels) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return coefficients, intercepts and left-out predictions with the best penalties.

    These are without each row, or with labels in ten folds without rows of its label.

    Returns
    -------
    coef, intercept, left_out : ndarray
        Of shapes (n_outputs, n_features), (n_outputs,) and (n_rows, n_outputs).
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
    model = Ridge(penalties[chosen]).fit(x, y, weight)
    left_out = left_out[:, np.arange(y.shape[1]), chosen]
    return np.atleast_2d(model.coef_), np.atleast_1d(model.intercept_), left_out


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


def factors(covariance: Tensor, n_latents: int) -> tuple[Tensor, Tensor]:
    r"""Return loadings and noise variances, :math:`\Sigma \approx \Lambda\Lambda^\top + \psi`.

    Parameters
    ----------
    covariance : Tensor of shape (n_outputs, n_outputs)
        Positive definite.
    n_latents : int
        Number of latent variables.

    Returns
    -------
    loadings : Tensor of shape (n_outputs, n_latents)
        Orthogonal with respect to the noise, so that the posterior of z is diagonal; zero for
        latent variables beyond the number of outputs.
    noise : Tensor of shape (n_outputs,)
        Variances of the noise.
    """
    scale, values, vectors = _principal_components(covariance)
    noise = values[min(n_latents, len(values) - 1) :].mean()
    if len(values) <= min(n_latents, FEW_OUTPUTS):
        noise = NOISE_SHARE * noise
    return scale[:, None] * _loadings(values, vectors, noise, n_latents), noise * scale.square()


def coarse_factors(covariance: Tensor, n_latents: int) -> tuple[Tensor, Tensor]:
    r"""Return loadings so small that few draws of z from N(0, I) meet y, and noise variances.

    Parameters
    ----------
    covariance : Tensor of shape (n_outputs, n_outputs)
        Positive definite.
    n_latents : int
        Number of latent variables.

    Returns
    -------
    loadings : Tensor of shape (n_outputs, n_latents)
        Of principal components that outputs share; y tells `MOST_NATS` of z at most.
    noise : Tensor of shape (n_outputs,)
        Variances of the noise: what is left of each output.
    """
    scale, values, vectors = _principal_components(covariance)
    values, vectors = values[:n_latents], vectors[:, :n_latents]
    # The least noise with which the first components together tell that much.
    counts = torch.arange(1, len(values) + 1)
    levels = ((values.log().cumsum(0) - 2 * MOST_NATS) / counts).exp()
    noise = levels[levels < values][-1].clamp_min(1.0)
    loadings = _loadings(values, vectors, noise, n_latents)
    return scale[:, None] * loadings, scale.square() * (1 - loadings.square().sum(1))


def _principal_components(covariance: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the scales of outputs, and the variances and directions of their correlation."""
    scale = covariance.diagonal().sqrt()
    correlation = covariance / scale / scale[:, None]
    # numpy's: in a forked process torch's decompositions may wait for ever.
    values, vectors = map(torch.from_numpy, np.linalg.eigh(correlation.numpy()))
    vectors = vectors * torch.where(vectors[0] < 0, -1, 1)  # signs that rounding cannot flip
    return scale, values.flip(0).clamp_min(1e-6), vectors.flip(1)


def _loadings(values: Tensor, vectors: Tensor, noise: Tensor, n_latents: int) -> Tensor:
    """Return loadings of outputs of unit variance."""
    loadings = (vectors * (values - noise).clamp_min(0).sqrt())[:, :n_latents]
    return nn.functional.pad(loadings, (0, n_latents - loadings.shape[1]))
