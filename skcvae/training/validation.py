"""Evaluation of rows held out, and whether a model is better than another by more than chance."""

import math

import torch
from scipy.special import ndtri, stdtrit
from torch import Tensor

from skcvae.data.batches import Rows, StreamedRows
from skcvae.data.coding import FORWARD_ROWS, slices
from skcvae.data.hold_out import groups_of
from skcvae.data.weights import effective_rows
from skcvae.inference.conditional_likelihood import WIDENING, double, importance_sampling
from skcvae.inference.posterior_collapse import has_units, kl_of_units
from skcvae.objectives.base import Bound

FEWEST_ROWS = 2.5  # two that are alike would decide
LEVEL = 0.995  # at which few rows widen the standard error, as Student's t the normal


def evaluated(
    module, arrays: tuple[Tensor, ...], noise: Tensor, n_at_once: int
) -> tuple[Bound | Tensor, ...]:
    """Return the bound, log p(y|x), and the KL of each unit where the prior is Gaussian.

    The bound alone if the model has no density; noise is (n_draws, n, ...).
    """
    model = module.model
    x, y = arrays if len(arrays) > 1 else (None, *arrays)
    given = model.condition(x)
    bound = module(arrays, noise, given)
    if model.is_deterministic:
        return bound, given.likelihood().log_prob(y)
    if given.prior is None:  # an autoencoder has no density
        return (bound,)
    blocks = noise.split(n_at_once)
    estimate = importance_sampling(
        model, x, y, blocks, given, widening=WIDENING, n_draws=len(noise)
    )
    # Moments of other priors have no closed form: too slow for every epoch.
    if model.recognition is None or not has_units(given.prior):
        return bound, estimate.log_prob
    units = kl_of_units(model.recognition(x, y), given.prior)
    return bound, estimate.log_prob, *units.unbind(1)


def row_scores(net, rows: Rows | StreamedRows) -> tuple[Tensor, Tensor]:
    """Return the CLL of each row, or its negative loss, and its weight, in float64."""
    scores, weights = [], []
    for batch in net.get_iterator(rows, training=False):
        step, weight = net.validation_step(batch), batch[1]
        bound, terms = step["y_pred"], step["terms"]
        value = bound.reconstruction - net.criterion_.kl_weight * bound.total_kl
        scores.append(double(terms[0] if terms else value))
        weights.append(torch.ones_like(scores[-1]) if weight is None else double(weight))
    return torch.cat(scores), torch.cat(weights)


def lowest_gain(
    gain: Tensor, weight: Tensor, n_errors: float = 1.0, unseen_loss: float = 0.0
) -> float:
    """Return a mean gain less so many of its standard errors, which few rows widen.

    Minus infinity for one or two rows, which tell no error; infinity for a mean of infinity.
    With `unseen_loss` one more row counts, which loses so many nats: a density that is too narrow
    gains alike at all of a few rows, until one is further out.
    """
    n_rows = effective_rows(weight)
    if n_rows < FEWEST_ROWS:
        return -math.inf
    if unseen_loss:
        gain = torch.cat([gain, gain.new_tensor([-unseen_loss])])
        weight = torch.cat([weight, weight.sum()[None] / n_rows])
        n_rows = effective_rows(weight)
    share = weight / weight.sum()
    mean = share @ gain
    widening = stdtrit(n_rows - 1, LEVEL) / ndtri(LEVEL) * (n_rows / (n_rows - 1)) ** 0.5
    error = (share * (gain - mean)).norm() * widening
    return float(mean - n_errors * error.nan_to_num())


def by_group(rows: Rows | StreamedRows, gain: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean gain, and the weight, of each group: more rows of it tell little new.

    Without groups, rows of one x are one; where x has few values, copies of x and y are.
    """
    if rows.group is None and len(rows[slice(1)][0]) < 2:
        return gain, weight
    arrays = []
    if rows.group is None:
        blocks = [rows[block][0] for block in slices(len(rows), FORWARD_ROWS)]
        arrays = [torch.cat(part).cpu().numpy() for part in zip(*blocks, strict=True)]
    number = torch.from_numpy(groups_of(arrays, rows.group)).to(gain.device)
    n_groups = int(number.max()) + 1
    total = gain.new_zeros(n_groups).index_add(0, number, weight)
    return gain.new_zeros(n_groups).index_add(0, number, weight * gain) / total, total


def has_independent(rows: Rows | StreamedRows, number: int) -> bool:
    """Return whether there are so many rows, those of a group counted as one."""
    one_each = torch.ones(len(rows), dtype=torch.float64)
    return len(rows) >= number and len(by_group(rows, one_each, one_each)[0]) >= number


def ceiling(module, held_out: Rows | StreamedRows) -> float:
    """Return the score above which rows held out cannot tell models from each other.

    After n labels that were all right, the next one is wrong with probability 1 / (n + 2), by the
    rule of succession. A network that is more certain than that has only seen too few errors.
    """
    output = getattr(module.model, "output", None)
    has_labels = getattr(getattr(output, "likelihood", None), "has_labels", False)
    return math.log1p(-1 / (len(held_out) + 2)) if has_labels else math.inf
