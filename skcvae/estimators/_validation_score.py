"""The validation score of the weights that are kept, and the warning where it is too low."""

import math
import warnings

import torch
from torch import Tensor
from torch.distributions import MultivariateNormal

from skcvae.data.batches import Rows, StreamedRows
from skcvae.estimators._active_units import MIN_EPOCHS_BEFORE_WARNING
from skcvae.inference.partial import log_prob_of_observed
from skcvae.initial_weights import LEAST_NOISE
from skcvae.least_squares import fit
from skcvae.model import Model

MAX_ROWS = 10_000  # of which the constant density is estimated
MOST_OUTPUTS = 256  # of which a covariance is
OF_ROWS = (
    ". Rows held out may be unlike the rows to train on: see groups and validation. Else take a "
    "smaller lr, a smaller network, or look for outliers in X and y."
)
OF_OUTPUTS = (
    " and has the covariance of the outputs. The model makes them too independent given X: take "
    "CVAERegressor with the automatic latent_dim, or likelihood='multivariate_gaussian'."
)
FEWEST_ROWS = 3  # held out
NOTABLE, MANY_ROWS = 0.5, 20  # nats, of so many rows: of fewer, a larger difference can be chance


def kept_score(history: list[dict], is_best_kept: bool) -> float | None:
    """Return the validation score of what is kept: the CLL, or the negative loss.

    Parameters
    ----------
    history : list of dict
        A row for each epoch.
    is_best_kept : bool
        Whether the weights of the best epoch are kept, else those of the last one.

    Returns
    -------
    float or None
        None if nothing was held out.
    """
    for name in ("temperature_cll", "start_cll"):
        if name in history[0]:
            return history[0][name]
    held_out = [row for row in history if "valid_loss" in row]
    scores = [row.get("valid_cll", -row["valid_loss"]) for row in held_out]
    return max(scores) if scores and is_best_kept else next(reversed(scores), None)


def warn_if_constant_is_better(
    estimator, rows: Rows | StreamedRows, held_out: Rows | StreamedRows
) -> None:
    """Warn if a Gaussian that ignores x is better for the rows held out than what was learned.

    Parameters
    ----------
    estimator : Estimator
        Fitted to real outputs; others, and weighted rows, are not compared.
    rows, held_out : Rows or StreamedRows
        The rows to train, and to validate on.
    """
    model = estimator.net_.module.model
    if held_out.weight is not None or len(held_out) < FEWEST_ROWS:
        return
    if not isinstance(model, Model) or not hasattr(model.output.likelihood, "start_at"):
        return
    if len(estimator.history_) < MIN_EPOCHS_BEFORE_WARNING:
        return
    found = estimator.best_validation_score_
    for constant, advice in constant_scores(rows, held_out):
        if found < constant - NOTABLE * max(1, MANY_ROWS / len(held_out)):
            warnings.warn(
                f"The best validation score is {found:.4g} nats per row, below the {constant:.4g} "
                f"of a Gaussian that ignores X{advice}",
                UserWarning,
                stacklevel=7,
            )
            return


def constant_scores(rows: Rows | StreamedRows, held_out: Rows | StreamedRows):
    """Yield mean log densities of rows held out, of Gaussians with the moments of others.

    Yields
    ------
    score : float
        Of a Gaussian for each output; of few outputs given X, then of one with their covariance.
    advice : str
        What to do where a model is below it.
    """
    (*x, y), (*_, y_new) = _some(rows), _some(held_out)
    mean = y.nanmean(0)
    # Constant columns have the noise that training starts with.
    variance = (y - mean).square().nanmean(0).clamp_min(LEAST_NOISE**2)
    lost = (y_new - mean).square() / variance + (2 * math.pi * variance).log()
    yield -lost.nansum(1).mean().item() / 2 + held_out.log_jacobian[0], OF_ROWS
    if x and 1 < len(mean) <= MOST_OUTPUTS:  # a short code of rows alone is a choice
        _, mean, covariance, _ = fit(None, y.numpy())
        covariance += LEAST_NOISE**2 * torch.eye(len(mean))
        score = log_prob_of_observed(MultivariateNormal(mean, covariance), y_new).mean().item()
        yield score + held_out.log_jacobian[0], OF_OUTPUTS


def _some(rows: Rows | StreamedRows) -> list[Tensor]:
    step = -(-len(rows) // MAX_ROWS)
    return [part.flatten(1).double().cpu() for part in rows[slice(None, None, step)][0]]
