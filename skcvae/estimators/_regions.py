"""Nested regions of y given x: scores whose level sets they are, their pieces and volumes.

A score takes draws of p(y|x) of shape (n_draws, n_rows, ...) and outputs of shape
(n_outputs, n_rows, ...), and gives a number for each, (n_outputs, n_rows): the smaller, the
further inside. Levels are shares of the draws, and go on beyond the outermost draws, in units
of the range of the draws, so that no two outputs tie there and no region is unbounded.
"""

import math
from functools import partial
from inspect import signature

import numpy as np
from scipy.special import gammaln, logsumexp
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _num_samples

from skcvae import pipelines
from skcvae.data.coding import plan, slices
from skcvae.pipelines._labels import likelihood_of
from skcvae.random import spawned

N_LEVELS = 129  # of the grid on which pieces are found; a step is below 0.05 deviations
FILLED = 1 / 64  # gaps below this share of the range of the draws: noise of log_prob
HUGE = 1e300  # stands for infinity


def draws_of(estimator, X, n_samples, row_size, seed):
    """Yield chunks of rows, their X, and draws, in bounded memory, from seeds of their own."""
    n_rows = _num_samples(X)
    chunks = [*slices(max(n_rows, 1), plan(n_rows, n_samples, 1, row_size).rows)]
    for rows, own in zip(chunks, spawned(seed, len(chunks)), strict=True):
        part = _safe_indexing(X, rows)
        yield rows, part, pipelines.sample(estimator, part, n_samples, own)


# Levels: the distribution function of sorted draws, piecewise linear, and its inverse.


def level(draws, y):
    """Return the smallest level whose quantile is at least y, of shape (n_rows, ...)."""
    n, width = len(draws), _width(draws)
    i = np.clip((draws < y).sum(axis=0), 1, n - 1)[None]
    left, right = (np.take_along_axis(draws, j, axis=0)[0] for j in (i - 1, i))
    inside = (i[0] - 1 + (y - left) / np.where(right > left, right - left, 1)) / (n - 1)
    beyond = np.where(y < draws[0], (y - draws[0]) / width, 1 + (y - draws[-1]) / width)
    return np.where((draws[0] <= y) & (y <= draws[-1]), inside, beyond)


def quantile(draws, levels):
    """Return the quantiles at levels that broadcast with a row of draws."""
    inside = np.clip(levels, 0, 1)
    place = np.broadcast_to(inside * (len(draws) - 1), draws.shape[1:])
    i = np.minimum(place.astype(int), len(draws) - 2)[None]
    left, right = (np.take_along_axis(draws, j, axis=0)[0] for j in (i, i + 1))
    return left + (place - i[0]) * (right - left) + (levels - inside) * _width(draws)


def _width(draws):
    width = draws[-1] - draws[0]
    return np.where(width > 0, width, 1.0)


def centrality(draws, y):
    """Return the mass of the smallest central interval that holds y, output by output."""
    draws = np.sort(draws, axis=0)
    below, above = level(draws, y), level(-draws[::-1], -y)
    return np.maximum(2 * np.maximum(below, above) - 1, 0)


def interval(draws, mass):
    """Return the central intervals of given masses, of shape (n_rows, ..., 2)."""
    draws = np.sort(draws, axis=0)
    return np.stack([quantile(draws, (1 - mass) / 2), quantile(draws, (1 + mass) / 2)], axis=-1)


def within_support(estimator, ends):
    """Cut intervals, of shape (n_rows, ..., 2, n_coverages), to what y can be."""
    likelihood = likelihood_of(estimator)
    if not hasattr(likelihood, "support"):
        return ends
    low, high = likelihood.support(ends.shape[1:-2])
    return np.clip(ends, low[..., None, None], high[..., None, None])


# Scores of joint regions.


def density(estimator, X, draws, y):
    """Return the mass of the smallest highest-density region that holds y (Hyndman, 1996)."""
    surprise = surprisal(estimator, X, np.concatenate([draws, y]))
    typical = np.sort(surprise[: len(draws)], axis=0)
    return np.array([level(typical, row) for row in surprise[len(draws) :]])


def surprisal(estimator, X, y):
    """Return -log p(y|x), finite, and smooth in y where the estimator has that option."""
    last, _ = pipelines.last_step(estimator, None, "log_prob")
    how = {"smooth": True} if "smooth" in signature(last.log_prob).parameters else {}
    log_p = _for_each(partial(pipelines.log_prob, **how), estimator, X, y)
    return np.clip(-log_p, -HUGE, HUGE)


def distance(estimator, X, draws, y):
    """Return the distance to the nearest draw, in standard deviations of the draws."""
    scale = _scale(draws)
    return np.array([_norm((row - draws) / scale).min(axis=0) for row in y])


def _scale(draws):
    scale = draws.std(axis=0)
    return np.where(scale > 0, scale, 1.0)


def latent(estimator, X, draws, y):
    """Return the distance of the code E[z|x,y] from E[z|x], in deviations of the prior."""
    mean, std = pipelines.encode(estimator, X, return_std=True)
    return _norm((_for_each(pipelines.encode, estimator, X, y) - mean) / std)


SCORES = {"density": density, "distance": distance, "latent": latent}


def _for_each(function, estimator, X, y):
    """Return a function of rows of X and y for each of several y of a row."""
    rows = np.tile(np.arange(y.shape[1]), len(y))
    found = function(estimator, _safe_indexing(X, rows), y.reshape(-1, *y.shape[2:]))
    return found.reshape(*y.shape[:2], *found.shape[1:])


def _norm(rows):
    return np.linalg.norm(rows.reshape(*rows.shape[:2], -1), axis=-1)


# Volumes.


def log_volume_of_density(estimator, X, draws, thresholds, seed):
    r"""Return :math:`\log \int_R dy`, by importance sampling: draws, weighted by 1 / p(y|x)."""
    surprise = surprisal(estimator, X, draws)
    ends = [quantile(np.sort(surprise, axis=0), threshold) for threshold in thresholds]
    inside = [np.where(surprise <= end, surprise, -np.inf) for end in ends]
    return logsumexp(inside, axis=1) - math.log(len(draws))


def log_volume_of_distance(estimator, X, draws, thresholds, seed):
    """Return the logarithm of the volume of a union of balls.

    A point of a ball counts one part in the number of the balls that hold it (Karp and Luby,
    1983).
    """
    rng, scale = np.random.default_rng(seed), _scale(draws)
    step, size = rng.normal(size=draws.shape), scale[0].size
    radius = rng.random(draws.shape[:2]) ** (1 / size) / _norm(step)
    step *= radius.reshape(*radius.shape, *[1] * (draws.ndim - 2))
    volume = np.log(scale).reshape(len(scale), -1).sum(axis=1) + math.log(len(draws))
    volume += size / 2 * math.log(math.pi) - gammaln(size / 2 + 1)
    shares = [_share(draws / scale, threshold * step, threshold) for threshold in thresholds]
    with np.errstate(divide="ignore"):  # a radius of zero has a volume of zero
        radii = np.log(thresholds)[:, None]
    return volume + size * radii + np.log(shares)


def _share(draws, steps, radius):
    """Return the share of the volume of balls that their union has."""
    points = zip(draws, steps, strict=True)
    shared = [(_norm(draw + step - draws) <= radius).sum(axis=0) for draw, step in points]
    return np.mean(1 / np.maximum(shared, 1), axis=0)


LOG_VOLUMES = {"density": log_volume_of_density, "distance": log_volume_of_distance}


# Pieces of the region of one output.


def support(likelihood):
    """Return where the support of a density begins: -inf, or 0 for positive numbers."""
    accepted = [_accepts(likelihood, value) for value in (-1.0, 0.0, 0.5, 1e300)]
    if accepted not in ([True] * 4, [False, False, True, True]):
        raise ValueError(
            f"predict_region expects a density of real or of positive numbers, got {likelihood!r}."
        )
    return -np.inf if accepted[0] else 0.0


def _accepts(likelihood, value):
    try:
        likelihood.check_targets(np.array([value]))
    except ValueError:
        return False
    return True


def pieces(estimator, drawn, score, threshold):
    """Return where a score is at most a threshold, of shape (n_rows, n_pieces, 2).

    Unions of balls have exact ends, others are interpolated on a grid of y. Rows with fewer pieces
    than others end in NaN.
    """
    likelihood = likelihood_of(estimator)
    lowest = -np.inf if likelihood is None else support(likelihood)
    found = []
    for _, X, draws in drawn:
        if draws[0, 0].size > 1:
            raise ValueError(
                f"predict_region expects one output, got rows of shape {draws.shape[2:]}."
            )
        draws = np.sort(draws, axis=0)
        if score is distance:
            balls = draws.reshape(len(draws), -1).T, threshold * _scale(draws).ravel()
            found += map(partial(_union, lowest=lowest), *balls)
            continue
        width = _width(draws)
        grid = _grid(draws, width, lowest)
        excess = score(estimator, X, draws, grid) - threshold
        columns = (part.reshape(len(part), -1).T for part in (grid, excess))
        found += map(partial(_pieces, lowest=lowest), *columns, FILLED * width.ravel())
    return _padded(found)


def _union(centers, radius, *, lowest):
    """Return the intervals of which balls around sorted numbers consist, (n_pieces, 2)."""
    gaps = np.flatnonzero(np.diff(centers) > 2 * radius)
    lower, upper = centers[[0, *gaps + 1]] - radius, centers[[*gaps, -1]] + radius
    return np.stack([np.maximum(lower, lowest), upper], axis=1)


def _grid(draws, width, lowest):
    """Return values of y, dense where there are draws and reaching far beyond them."""
    levels = np.linspace(0, 1, N_LEVELS)
    even, beyond = (
        part.reshape(-1, *[1] * (draws.ndim - 1)) for part in (levels, 2.0 ** np.arange(-7, 11))
    )
    low, high = draws[[0, -1]]
    below = low - beyond * width if lowest == -np.inf else lowest + (low - lowest) / (1 + beyond)
    parts = [
        below,
        low + even * (high - low),
        np.quantile(draws, levels, axis=0),
        high + beyond * width,
    ]
    return np.sort(np.concatenate(parts), axis=0)


def _pieces(grid, excess, gap, *, lowest):
    """Return the intervals in which a function is at most zero, of shape (n_pieces, 2)."""
    inside = np.pad(excess <= 0, 1)
    first, after = np.flatnonzero(inside[1:] != inside[:-1]).reshape(-1, 2).T
    grid, excess = np.pad(grid, 1, mode="edge"), np.pad(excess, 1, constant_values=HUGE)
    lower = np.where(first == 0, lowest, _crossing(grid, excess, first, first + 1))
    upper = np.where(after == len(inside) - 2, np.inf, _crossing(grid, excess, after + 1, after))
    joined = np.flatnonzero(lower[1:] - upper[:-1] <= gap)
    return np.stack([np.delete(lower, joined + 1), np.delete(upper, joined)], axis=1)


def _crossing(grid, excess, outside, inside):
    """Return the zeros of a piecewise linear function."""
    share = excess[inside] / (excess[inside] - excess[outside])
    return grid[inside] + share * (grid[outside] - grid[inside])


def _padded(rows):
    """Return arrays of shape (n_pieces, 2) as one of shape (n_rows, n_pieces, 2), with NaN."""
    found = np.full((len(rows), max([1, *map(len, rows)]), 2), np.nan)
    for row, own in zip(found, rows, strict=True):
        row[: len(own)] = own
    return found
