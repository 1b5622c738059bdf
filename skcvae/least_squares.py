r"""The start of training: the linear model at which least squares would end.

Fully connected networks with skip connections start at

.. math:: y = B x + b + \Lambda z + \epsilon, \quad z \sim N(0, I), \quad
    \epsilon \sim N(0, \mathrm{diag}(\psi)),

with :math:`B` from ridge regression and :math:`\Lambda, \psi` from the principal components of
the covariance of its leave-one-out residuals (Tipping and Bishop, 1999). The recognition
network starts at the posterior of z in this model, so that the bound is the log-likelihood.
The hidden layers are random as ever, but cancel in the location, and training departs from there.
"""

import math
from typing import NamedTuple

import numpy as np
import torch
from sklearn import config_context
from sklearn.linear_model import Ridge, RidgeCV
from sklearn.model_selection import GroupKFold, cross_val_predict
from torch import Tensor, nn

from skcvae.data.hold_out import belonging
from skcvae.data.weights import effective_rows
from skcvae.distributions import DiagonalGaussian, raw_scale_of
from skcvae.model import Model
from skcvae.networks.layers import Stack, set_affine

PENALTIES = np.logspace(-3, 5, 17)  # of ridge regression
LEAST_PENALTY = 10.0  # divided by the number of rows: leave-one-out errors of few mislead
MOST_OPERATIONS = 2e9  # of ridge regression, which reads as many rows as this allows
FEWEST_ROWS = 3
FEW_ROWS = 8  # with fewer, leave-one-out errors and likelihoods are chance: y alone counts too
N_FOLDS = 10  # where rows of x are repeated
FARTHEST = 5.0  # standard deviations: y beyond counts as so far
SHARES = np.logspace(-5, 0, 21)  # of the identity in a shrunk covariance
SMALLEST_SCALE = 0.03  # of the noise at the start: steps move y by more than a thousandth
NOISE_SHARE = 0.2  # of the least variance, if z could have all: a ring is found as fast as ever
PRIOR_NOISE_SHARE = 0.8  # the same without a recognition network


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
            labels = belonging(x, group)
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


def factors(
    covariance: Tensor, n_latents: int, noise_share: float = NOISE_SHARE
) -> tuple[Tensor, Tensor]:
    r"""Return loadings and noise variances, :math:`\Sigma \approx \Lambda\Lambda^\top + \psi`.

    Parameters
    ----------
    covariance : Tensor of shape (n_outputs, n_outputs)
        Positive definite.
    n_latents : int
        Number of latent variables.
    noise_share : float
        Least variance of the noise, in terms of the least variance of any direction, where there
        are as many latent variables as outputs.

    Returns
    -------
    loadings : Tensor of shape (n_outputs, n_latents)
        Orthogonal with respect to the noise, so that the posterior of z is diagonal; zero for
        latent variables beyond the number of outputs.
    noise : Tensor of shape (n_outputs,)
        Variances of the noise.
    """
    variance = covariance.diagonal()
    scale = variance.sqrt()
    # numpy's: in a forked process torch's decompositions may wait for ever.
    correlation = covariance / scale / scale[:, None]
    values, vectors = map(torch.from_numpy, np.linalg.eigh(correlation.numpy()))
    vectors = vectors * torch.where(vectors[0] < 0, -1, 1)  # signs that rounding cannot flip
    values, vectors = values.flip(0).clamp_min(1e-6), vectors.flip(1)
    noise = values[n_latents:].mean() if n_latents < len(values) else noise_share * values[-1]
    loadings = (vectors * (values - noise).clamp_min(0).sqrt())[:, :n_latents]
    loadings = nn.functional.pad(loadings, (0, n_latents - loadings.shape[1]))
    return scale[:, None] * loadings, noise * variance


@torch.no_grad()
def start(model: Model, rows) -> bool:
    """Set the weights of new networks to the linear model, where they can be.

    Where outputs are no real or positive numbers, a network without z starts at one step of
    iterated least squares from the distribution that ignores x. Others are left as they are:
    networks without skip connections or of images, likelihoods without such a distribution, and
    no complete row of y.

    Parameters
    ----------
    model : Model
        Untrained.
    rows : Rows or StreamedRows
        The rows to train on; of many, evenly spaced ones are read.

    Returns
    -------
    bool
        Whether they are now that model; with priors of another shape, p(z|x) is random.
    """
    if not _has_skips(model):
        return False
    (*x, y), weight, group = _some(rows)
    if not len(y):
        return False
    likelihood = model.output.likelihood
    if hasattr(likelihood, "start_at"):
        y = likelihood.read(y).flatten(1).clip(-FARTHEST, FARTHEST).numpy()
        _start_linear(model, fit(*x or [None], y, weight, group), len(x))
        family = getattr(model.prior, "family", None)
        shaped = getattr(family, "parameter_shape", None) is not None
        return not shaped or isinstance(family, DiagonalGaussian)
    # Noise that explains all of y at the start would keep z from being used.
    found = None
    if model.generation is None:
        found = likelihood.marginal(y, None if weight is None else torch.from_numpy(weight))
    if found is None:
        return False
    numbers, response = found[0].flatten(), found[1].flatten(1)
    coef = fit(*x or [None], response.clip(-FARTHEST, FARTHEST).numpy(), weight, group).coef
    set_affine(model.output.head, {model.baseline.trunk: [coef]}, numbers)
    return True


def _start_linear(model: Model, linear: LinearModel, n_inputs: int) -> None:
    coef, intercept, covariance = linear
    generation = model.generation
    trunks = {} if model.baseline is None else {model.baseline.trunk: [coef]}
    if generation is not None:
        # Draws from the prior alone seldom meet narrow noise.
        least = NOISE_SHARE if model.recognition is not None else PRIOR_NOISE_SHARE
        loadings, variance = factors(covariance, generation.first[-1].in_features, least)
        covariance = variance.diag()
        share = torch.zeros_like(coef) if trunks else coef
        trunks[generation] = [*[share][:n_inputs], loadings]
        _start_encoders(model, coef, intercept, loadings, variance)
    set_affine(model.output.head, trunks, intercept)
    model.output.likelihood.start_at(covariance)


def _start_encoders(model: Model, coef, intercept, loadings, variance) -> None:
    """Set p(z|x) to N(0, I), and q(z|x,y) to the posterior in the linear model."""
    if model.recognition is not None:
        precision = loadings.T / variance
        spread = 1 / (1 + (precision @ loadings).diagonal())
        read = spread[:, None] * precision
        maps = [-read @ coef, read] if coef.shape[1] else [read]
        trunk, head = model.recognition.trunk, model.recognition.head
        set_affine(head, {trunk: maps}, -read @ intercept, raw_scale_of(spread.sqrt()))
    if hasattr(model.prior, "trunk") and isinstance(model.prior.family, DiagonalGaussian):
        zeros = torch.zeros(loadings.shape[1], 0, dtype=coef.dtype)
        set_affine(model.prior.head, {model.prior.trunk: [zeros]}, zeros.sum(1))


def _has_skips(model) -> bool:
    """Return whether all networks of a model have skip connections."""
    if not isinstance(model, Model):
        return False
    for part in (model.baseline, model.generation, model.prior, model.recognition):
        trunk = getattr(part, "trunk", part if part is model.generation else None)
        if trunk is not None and not (isinstance(trunk, Stack) and trunk.shortcut):
            return False
    return True


def _some(rows) -> tuple[list, np.ndarray | None, np.ndarray | None]:
    """Return x and y of complete rows, weights and groups: as many as can be fitted quickly."""
    size = sum(map(Tensor.numel, rows[slice(1)][0]))
    most = max(MOST_OPERATIONS / size**2, math.sqrt(MOST_OPERATIONS / size))
    index = torch.linspace(0, rows.n_rows - 1, min(int(most), rows.n_rows)).long()
    arrays, weight = rows[index.to(rows.index_device)]
    complete = ~arrays[-1].flatten(1).isnan().any(1)
    *x, y = [part[complete].double().cpu() for part in arrays]
    weight = None if weight is None else weight[complete].double().cpu().numpy()
    group = None if rows.group is None else rows.group[index][complete.cpu()]
    return [*[part.flatten(1).numpy() for part in x], y], weight, group
