"""The weights at which training starts.

Networks of real outputs start at :mod:`skcvae.least_squares`, those of other outputs at one step
of iterated least squares in x (McCullagh and Nelder, 1989, section 2.5), scaled by rows left out,
with z read at random. The hidden layers are random as ever, but cancel in the location, and
training departs from there.
"""

import math
from copy import deepcopy
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from skcvae.distributions import DiagonalGaussian, raw_scale_of
from skcvae.factors import coarse_factors, factors
from skcvae.far_outputs import bounded
from skcvae.generalised_linear import fit_generalised
from skcvae.least_squares import LinearModel, fit
from skcvae.model import Model
from skcvae.networks.linear_features import LinearFeatures
from skcvae.networks.temporal import LinearFilter, TemporalNetwork, by_time, from_time

MOST_OPERATIONS = 2e9  # of ridge regression, which reads as many rows as this allows
MOST_TIMES = 20_000  # of all rows, to which a linear filter is fitted
LEAST_WEIGHT = 1e-12  # of the largest: of less, rows left out could not be predicted
LEAST_NOISE = 0.03  # from which training departs: steps move y by more than a thousandth
UNSEEN_LOSS = 0.5  # nats; fits gained at a few rows held out, and lost by a whole nat
LEAST_NOISE_BESIDE_Z = 0.002  # of which z explains the rest


class Start(NamedTuple):
    """A linear model, with which training competes.

    Parameters
    ----------
    weights : dict of Tensor
        The state of a model that is this model.
    least_gain : float
        How many standard errors training has to gain over it; none where outputs share a z that
        is still random.
    unseen_loss : float
        Nats that a row beyond those held out is expected to lose by it: noise may be too narrow by
        chance, and what is rare not among those rows. None of labels, whose scores
        have a limit instead.
    """

    weights: dict[str, Tensor]
    least_gain: float
    unseen_loss: float


def departs_from(model: Model) -> bool:
    """Return whether training starts at the linear model, if a better epoch is chosen later.

    Convolutions that start there learn less of what is not linear.
    """
    convolutions = TemporalNetwork | LinearFeatures
    return not any(isinstance(part, convolutions) for part in model.modules())


@torch.no_grad()
def start(model: Model, rows, n_outputs: int) -> Start | None:
    """Set the weights of new networks to the linear model with some noise, where they can be.

    Where outputs are no real or positive numbers, it is one step of iterated least squares from
    the distribution that ignores x. Others are left as they are: networks without skip connections
    or of images, likelihoods without such a distribution, and no complete row of y.

    Parameters
    ----------
    model : Model
        Untrained.
    rows : Rows or StreamedRows
        The rows to train on; of many, evenly spaced ones are read.
    n_outputs : int
        Outputs of a row, of which a label is one.

    Returns
    -------
    Start or None
        The linear model with its own noise. None if the weights are not that model; with priors
        of another shape, p(z|x) is random.
    """
    if not _has_skips(model):
        return None
    is_linear = hasattr(model.output.likelihood, "start_at")
    x, y, weight, group = _some(rows, complete=not is_linear)
    if not len(y):
        return None
    weights = (_linear if is_linear else _generalised)(model, x, y, weight, group)
    if weights is None or not (model.generation is None or _is_standard(model.prior)):
        return None
    shares_z = model.generation is not None and n_outputs > 1
    unseen_loss = 0.0 if model.output.likelihood.has_labels else UNSEEN_LOSS
    return Start(weights, float(is_linear or not shares_z), unseen_loss)


def _linear(model: Model, x, y: Tensor, weight, group) -> dict[str, Tensor]:
    """Start at the linear model."""
    outputs = bounded(x, model.output.likelihood.read(y).flatten(1).numpy(), weight, group)
    reader = (model.generation if model.baseline is None else model.baseline.trunk).shortcut[0]
    if isinstance(reader, LinearFilter):
        kernel, linear = _filter(reader, x, torch.from_numpy(outputs), weight, group)
    else:
        linear = fit(x, outputs, weight, group)
        kernel = linear.coef
    _set_linear(model, kernel, linear)
    weights = deepcopy(model.state_dict())
    noise = LEAST_NOISE**2 * torch.eye(len(linear.covariance))
    wide = linear._replace(covariance=linear.covariance + noise)
    _set_linear(model, kernel, wide, LEAST_NOISE_BESIDE_Z)
    return weights


def _set_linear(model: Model, kernel: Tensor, linear: LinearModel, least: float = 0.0) -> None:
    """Set the weights to a linear model; `kernel` is what the networks of the location read.

    The noise beside z has standard deviations of at least `least`.
    """
    generation, likelihood = model.generation, model.output.likelihood
    coef, intercept, covariance, _ = linear
    loadings = None
    if generation is not None:
        # Draws from the prior alone seldom meet narrow noise.
        analyse = coarse_factors if model.recognition is None else factors
        loadings, variance = analyse(covariance, generation.shortcut[-1].in_features)
        variance = variance.clamp_min(least**2)
        covariance = variance.diag()
        _start_standard(model.prior)
        _start_at_posterior(model.recognition, coef, intercept, loadings, variance)
    maps = _maps(model, kernel, loadings)
    _set_affine(model.output.head, maps, intercept, n_locations=likelihood.n_locations)
    likelihood.start_at(covariance)


def _set_affine(head, maps: dict, *numbers, **options) -> None:
    """Start networks of one kind, which share an output layer, at an affine map."""
    next(iter(maps)).set_affine(head, maps, *numbers, **options)


def _filter(layer: LinearFilter, x, y: Tensor, weight, group) -> tuple[Tensor, LinearModel]:
    """Fit a linear filter to all times; return it, and the linear model of rows that it is."""
    rows = slice(None, None, -(-y[:, 0].numel() * layer.length // MOST_TIMES))
    seen = layer.windows(torch.from_numpy(x[rows]).unflatten(1, layer.in_shape))
    targets = by_time(y[rows].unflatten(1, layer.target), len(layer.target))
    label = np.arange(len(x)) if group is None else group
    others = (
        part if part is None else part[rows].repeat(layer.length) for part in (weight, label)
    )
    kernel = fit(seen.flatten(0, 1).numpy(), targets.flatten(0, 1).numpy(), *others).coef
    unit = torch.eye(x.shape[1]).to(kernel).unflatten(1, layer.in_shape)
    coef = from_time(layer.windows(unit) @ kernel.T, layer.target).flatten(1).T
    rest = fit(None, y.numpy() - x @ coef.T.numpy(), weight, group)
    by_row = by_time(rest.intercept.view(layer.target), len(layer.target))
    level = from_time(by_row.mean(0).expand_as(by_row), layer.target).flatten()
    ahead = rest.intercept - level
    return kernel, rest._replace(
        coef=coef, intercept=level, covariance=rest.covariance + ahead.outer(ahead)
    )


def _generalised(model: Model, x, y: Tensor, weight, group) -> dict[str, Tensor] | None:
    """Start at a generalised linear model in x, if the likelihood has a start."""
    generation, output = model.generation, model.output
    if not departs_from(model):
        return None
    found = output.likelihood.marginal(y, None if weight is None else torch.from_numpy(weight))
    if found is None:
        return None
    coef, numbers, spread = fit_generalised(output.likelihood, x, y, found, weight, group)
    loadings = None
    if generation is not None:
        # The noise explains all of y: without a share of z, z would not come to be used.
        loadings = output.head.linear.weight[: len(coef)] @ generation.shortcut[-1].weight
        loadings = spread.clip(max=1)[:, None] * loadings
        _start_standard(model.prior)
        _start_standard(model.recognition)
    _set_affine(output.head, _maps(model, coef, loadings), numbers)
    return deepcopy(model.state_dict())


def _maps(model: Model, coef: Tensor, loadings: Tensor | None) -> dict[nn.Module, list[Tensor]]:
    """Return what each network is to read of x, and of z, for the location."""
    maps = {} if model.baseline is None else {model.baseline.trunk: [coef]}
    if loadings is not None:
        share = torch.zeros_like(coef) if maps else coef
        has_x = len(model.generation.shortcut) > 1
        maps[model.generation] = [share, loadings.to(coef)] if has_x else [loadings.to(coef)]
    return maps


def _start_at_posterior(recognition, coef, intercept, loadings, variance) -> None:
    """Set q(z|x,y) to the posterior in the linear model."""
    if recognition is not None:
        precision = loadings.T / variance
        spread = 1 / (1 + (precision @ loadings).diagonal())
        read = spread[:, None] * precision
        maps = [-read @ coef, read] if coef.shape[1] else [read]
        if recognition.imputer is not None:
            recognition.imputer.start_at(coef, intercept, loadings, variance)
        others = raw_scale_of(spread.sqrt())
        _set_affine(recognition.head, {recognition.trunk: maps}, -read @ intercept, others)


def _start_standard(network) -> None:
    """Set the distribution of z of a network to N(0, I), where it is Gaussian."""
    if hasattr(network, "trunk") and _is_standard(network):
        nothing = torch.zeros(math.prod(network.family.noise_shape), 0, dtype=torch.double)
        _set_affine(network.head, {network.trunk: [nothing]}, nothing.sum(1))


def _is_standard(network) -> bool:
    """Return whether the distribution of z of a network can start at N(0, I)."""
    shape = getattr(network.family, "parameter_shape", None)
    return shape is None or isinstance(network.family, DiagonalGaussian)


def _has_skips(model) -> bool:
    """Return whether all networks of a model have skip connections."""
    if not isinstance(model, Model):
        return False
    for part in (model.baseline, model.generation, model.prior, model.recognition):
        trunk = getattr(part, "trunk", part if part is model.generation else None)
        if trunk is not None and not getattr(trunk, "shortcut", None):
            return False
    return True


def _some(rows, *, complete: bool) -> tuple[np.ndarray | None, Tensor, *[np.ndarray | None] * 2]:
    """Return x, y, weights and groups of rows, maybe complete ones: as many as are quick."""
    size = sum(map(Tensor.numel, rows[slice(1)][0]))
    most = max(MOST_OPERATIONS / size**2, math.sqrt(MOST_OPERATIONS / size))
    index = torch.linspace(0, rows.n_rows - 1, min(int(most), rows.n_rows)).long()
    arrays, weight = rows[index.to(rows.index_device)]
    missing = arrays[-1].flatten(1).isnan()
    has_y = ~(missing.any(1) if complete else missing.all(1))
    *x, y = [part[has_y].double().cpu() for part in arrays]
    if weight is not None:
        weight = weight[has_y].double().cpu().numpy()
        weight = weight.clip(LEAST_WEIGHT * weight.max(initial=0))
    group = None if rows.group is None else rows.group[index][has_y.cpu()]
    return (x[0].flatten(1).numpy() if x else None), y, weight, group
