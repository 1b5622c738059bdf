"""Calibration metrics of draws and prediction intervals."""

import numpy as np

from skcvae.metrics._draws import (
    are_one_output,
    observed_outputs,
    weights_of_outputs,
    with_draws,
)
from skcvae.pipelines._frames import as_array
from skcvae.random import seed_from

MULTIOUTPUT = ("pooled", "raw_values")


def interval_coverage(y_true, intervals, sample_weight=None, *, multioutput="pooled"):
    """Coverage of prediction intervals: the share of outputs inside their intervals.

    Parameters
    ----------
    y_true : array-like of shape (n_rows,) or (n_rows, ...)
        True outputs; NaN if missing.
    intervals : array-like of shape (n_rows, ..., 2), or DataFrame
        Closed intervals, lower and upper bound for each output, as returned by
        `predict_interval`, also with ``as_frame=True``.
    sample_weight : array-like of shape (n_rows,), default=None
        Weights of the rows.
    multioutput : {"pooled", "raw_values"}, default="pooled"
        "pooled" is the share of all observed outputs together, in which intervals of one output
        that are too wide make up for others that are too narrow. "raw_values" is the share for
        each output by itself.

    Returns
    -------
    float or ndarray of shape (...)
        Between 0 and 1; an array of one for each output with "raw_values", NaN if an output is
        never observed. For calibrated intervals it equals their nominal coverage, up
        to sampling error.

    Raises
    ------
    ValueError
        If the shapes do not match, no output is observed, or the interval of an
        observed output is not finite.

    Examples
    --------
    >>> from skcvae.metrics import interval_coverage
    >>> interval_coverage([1.0, 2.0], [[0.5, 1.5], [2.5, 3.0]])
    0.5
    >>> interval_coverage(
    ...     [[1.0, 2.0], [3.0, 4.0]],
    ...     [[[0.5, 1.5], [2.5, 3.0]], [[2.5, 3.5], [3.5, 4.5]]],
    ...     multioutput="raw_values",
    ... )
    array([1. , 0.5])
    """
    if multioutput not in MULTIOUTPUT:
        raise ValueError(f"multioutput must be one of {MULTIOUTPUT}, got {multioutput!r}.")
    intervals = as_array(intervals, y_true, "intervals")
    y_true, observed = observed_outputs(y_true)
    if are_one_output(y_true.shape, intervals.shape[:-1]):
        intervals = intervals.reshape(*y_true.shape, -1)
    if intervals.shape != (*y_true.shape, 2):
        raise ValueError(
            f"intervals must have shape {(*y_true.shape, 2)} for y_true of shape {y_true.shape}, "
            f"got {intervals.shape}."
        )
    _check_ends(intervals, observed)
    inside = (intervals[..., 0] <= y_true) & (y_true <= intervals[..., 1])
    weight = np.where(observed, weights_of_outputs(sample_weight, y_true), 0)
    if multioutput == "pooled":
        return float(np.average(inside, weights=weight))
    with np.errstate(invalid="ignore"):
        return (inside * weight).sum(axis=0) / weight.sum(axis=0)


def _check_ends(intervals, observed):
    """Refuse intervals of observed outputs that have no ends, or have them swapped."""
    laws = {
        "be finite where y_true is observed (labels have none: leave their columns out of both)": (
            np.isfinite(intervals).all(axis=-1)
        ),
        "have the lower end first": ~(intervals[..., 0] > intervals[..., 1]),
    }
    for law, holds in laws.items():
        if not holds[observed].all():
            position = tuple(np.argwhere(observed & ~holds)[0].tolist())
            raise ValueError(f"intervals must {law}, got {intervals[position]} at {position}.")


def pit(y_true, draws, random_state=None):
    r"""Probability integral transform (PIT) of each output, estimated from draws.

    .. math::

        u = \frac{\#\{s : y_s < y\} + v \, (1 + \#\{s : y_s = y\})}{S + 1},
        \quad v \sim U(0, 1), \quad y_s \sim p(y|x).

    If the draws have the distribution of y, u is uniform on (0, 1). This is exact for
    any number of draws, and for discrete y, where ties occur. A histogram with a hump
    in the middle indicates overdispersed draws, a U shape underdispersed draws, and a
    slope biased draws. The PIT is marginal: the values of one row are dependent.

    Parameters
    ----------
    y_true : array-like of shape (n_rows,) or (n_rows, ...)
        True outputs, or latent variables known from a simulation; NaN if missing.
    draws : array-like of shape (n_samples, n_rows, ...)
        Draws of the outputs, as returned by `sample`.
    random_state : int, RandomState or None, default=None
        Seed of v. None uses a new seed at each call.

    Returns
    -------
    ndarray of the shape of `y_true`
        Values in [0, 1]; NaN for missing outputs.

    Raises
    ------
    ValueError
        If the shapes do not match, no output is observed, or a draw of an observed
        output is not finite.

    References
    ----------
    Czado, Gneiting and Held (2009), *Predictive Model Assessment for Count Data*,
    Biometrics 65; Talts et al. (2018), *Validating Bayesian Inference Algorithms
    with Simulation-Based Calibration*, arXiv:1804.06788.

    Examples
    --------
    >>> import numpy as np
    >>> from skcvae.metrics import pit
    >>> pit([2.5], np.arange(99.0)[:, None], random_state=0)
    array([0.03...])
    """
    y_true, draws, observed = with_draws(y_true, draws, at_least=1)
    v = np.random.default_rng(seed_from(random_state)).random(y_true.shape)
    below, ties = (draws < y_true).sum(axis=0), (draws == y_true).sum(axis=0)
    u = (below + v * (1 + ties)) / (len(draws) + 1)
    return np.where(observed, u, np.nan)
