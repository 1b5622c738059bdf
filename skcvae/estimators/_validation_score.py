"""The score of the weights that are kept, and the warning where it is too low."""

import math
import warnings
from copy import deepcopy

import torch
from sklearn.exceptions import ConvergenceWarning
from torch import Tensor
from torch.distributions import MultivariateNormal

from skcvae.data.batches import Rows, StreamedRows
from skcvae.distributions.latent import MIN_SCALE
from skcvae.estimators._active_units import MIN_EPOCHS_BEFORE_WARNING
from skcvae.inference.partial import log_prob_of_observed
from skcvae.initial_weights import LEAST_NOISE
from skcvae.least_squares import fit
from skcvae.likelihoods.base import LikelihoodModule
from skcvae.model import Model
from skcvae.training.validation import row_scores

MAX_ROWS = 10_000  # of which the constant density is estimated
FEW_ROWS = 1000  # which tell whether training diverged
MOST_OUTPUTS = 256  # of which a covariance is
OF_ROWS = (
    "that ignores X. Rows held out may be unlike the rows to train on: see groups and validation. "
    "Else take a smaller lr, a smaller network, or look for outliers in X and y."
)
OF_OUTPUTS = (
    "that ignores X and has the covariance of the outputs. The model makes them too independent "
    "given X: take CVAERegressor with the automatic latent_dim, or "
    "likelihood='multivariate_gaussian'."
)
FEWEST_ROWS = 3  # held out
NOTABLE, MANY_ROWS = 0.5, 20  # nats, of so many rows: of fewer, a larger difference can be chance
NOTABLE_OF_ONE = 0.1  # nats of an output of a row to train on


def kept_score(history: list[dict]) -> float | None:
    """Return the validation score of what is kept: the CLL, or the negative loss.

    None if nothing was held out.
    """
    for name in ("temperature_cll", "start_cll"):
        if name in history[0]:
            return history[0][name]
    best = best_column(history)
    kept = [row for row in history if "valid_loss" in row and (best is None or row.get(best))]
    return kept[-1].get("valid_cll", -kept[-1]["valid_loss"]) if kept else None


def best_column(history: list[dict]) -> str | None:
    """Return the column that says which epochs were the best so far; None if the last is kept."""
    is_density = "valid_cll" in history[-1]
    name = "valid_cll_best" if is_density else "valid_loss_best"
    return name if name in history[-1] else None


def warn_if_constant_is_better(
    estimator, rows: Rows | StreamedRows, held_out: Rows | StreamedRows
) -> None:
    """Warn if a distribution that ignores x is better for the rows held out than what was learned.

    Weighted rows are not compared.
    """
    model = estimator.net_.module.model
    if held_out.weight is not None or len(held_out) < FEWEST_ROWS or not isinstance(model, Model):
        return
    if len(estimator.history_) < MIN_EPOCHS_BEFORE_WARNING:
        return
    found = estimator.best_validation_score_
    # A recognition network reads outputs to no less than the noise that training starts with.
    noise = MIN_SCALE if model.recognition is None else LEAST_NOISE
    for constant, which in constant_scores(model.output.likelihood, rows, held_out, noise):
        if found < constant - NOTABLE * max(1, MANY_ROWS / len(held_out)):
            warnings.warn(
                f"The best validation score is {found:.4g} nats per row, below the {constant:.4g} "
                f"of a {which}",
                UserWarning,
                stacklevel=7,
            )
            return


def warn_if_training_diverged(estimator, rows: Rows | StreamedRows) -> None:
    """Warn if rows to train on are less likely after training than if x were ignored.

    For fits without rows held out, of which the best epoch is kept. Weighted rows are not
    compared.
    """
    net = estimator.net_
    if rows.weight is not None or not isinstance(net.module.model, Model) or net.interrupted:
        return
    if len(net.history) < MIN_EPOCHS_BEFORE_WARNING:
        return
    some = Rows(*rows[slice(None, None, -(-len(rows) // FEW_ROWS))])
    n_outputs = some.arrays[-1][0].numel()
    with net.threads():
        found, log_jacobian = row_scores(net, some)[0].mean().item(), rows.log_jacobian[0]
    for constant, _ in constant_scores(net.module.model.output.likelihood, some, some):
        if found < constant - max(NOTABLE, NOTABLE_OF_ONE * n_outputs):
            warnings.warn(
                f"The rows to train on have {found + log_jacobian:.4g} nats each after "
                f"{len(net.history)} epochs, below the {constant + log_jacobian:.4g} of a "
                "distribution that ignores X: training has diverged, or not yet converged. Take a "
                f"smaller learning rate than lr={net.lr:g}, more epochs, or early_stopping=True.",
                ConvergenceWarning,
                stacklevel=7,
            )
        return  # independent outputs


def constant_scores(
    likelihood: LikelihoodModule,
    rows: Rows | StreamedRows,
    held_out: Rows | StreamedRows,
    noise: float = MIN_SCALE,
):
    """Yield mean log densities of rows held out, of distributions with the moments of others.

    Of real outputs: of a Gaussian for each output; of few outputs given X, then of one with
    their covariance. Of others: of the distribution at which training starts, if there is one.
    Beside each: the distribution, and what to do where a model is below it.
    """
    (*x, y), (*_, y_new) = _some(rows), _some(held_out)
    log_jacobian = held_out.log_jacobian[0]
    if not hasattr(likelihood, "start_at"):
        score = _marginal_score(deepcopy(likelihood), y, y_new)
        if score is not None:
            yield score + log_jacobian, f"distribution {OF_ROWS}"
        return
    y, y_new = y.flatten(1), y_new.flatten(1)
    mean = y.nanmean(0)
    # Constant columns have the noise that training starts with.
    variance = (y - mean).square().nanmean(0).clamp_min(LEAST_NOISE**2)
    lost = (y_new - mean).square() / variance + (2 * math.pi * variance).log()
    yield -lost.nansum(1).mean().item() / 2 + log_jacobian, f"Gaussian {OF_ROWS}"
    if x and 1 < len(mean) <= MOST_OUTPUTS:  # a short code of rows alone is a choice
        _, mean, covariance, _ = fit(None, y.numpy())
        covariance += noise**2 * torch.eye(len(mean))
        covariance.diagonal().clamp_min_(LEAST_NOISE**2)
        score = log_prob_of_observed(MultivariateNormal(mean, covariance), y_new).mean().item()
        yield score + log_jacobian, f"Gaussian {OF_OUTPUTS}"


@torch.no_grad()
def _marginal_score(likelihood: LikelihoodModule, y: Tensor, y_new: Tensor) -> float | None:
    """Return that of the distribution at which training starts; its scales are set."""
    complete = y[~y.flatten(1).isnan().any(1)]
    found = likelihood.marginal(complete) if len(complete) else None
    return None if found is None else likelihood(found[0]).log_prob(y_new).mean().item()


def _some(rows: Rows | StreamedRows) -> list[Tensor]:
    step = -(-len(rows) // MAX_ROWS)
    return [part.double().cpu() for part in rows[slice(None, None, step)][0]]
