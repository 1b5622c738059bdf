r"""Proper scoring rules of draws.

Both are the mean distance of draws to y minus half the mean distance between draws,

.. math::

    \frac1S \sum_s \|y_s - y\| - \frac1{2 S (S - 1)} \sum_{s, t} \|y_s - y_t\|,

an unbiased estimate of the score of the distribution for any number of draws.
"""

import numpy as np
from scipy.spatial.distance import pdist

from skcvae.metrics._draws import weights_of_outputs, with_draws
from skcvae.pipelines import sample
from skcvae.pipelines._annotations import check_single
from skcvae.pipelines._frames import check_names
from skcvae.pipelines._labels import check_numbers_only


def crps(y_true, draws, sample_weight=None):
    r"""The continuous ranked probability score (CRPS), averaged over outputs.

    .. math::

        \mathrm{CRPS}(p, y) = E|Y - y| - \tfrac12 E|Y - Y'|
        = \int (P(Y \le t) - 1\{y \le t\})^2 \, dt, \quad Y, Y' \sim p.

    The CRPS is marginal: it ignores the dependence between outputs. For a point
    prediction it is the absolute error.

    Parameters
    ----------
    y_true : array-like of shape (n_rows,) or (n_rows, ...)
        True outputs; NaN if missing.
    draws : array-like of shape (n_samples, n_rows, ...)
        At least two draws, as returned by `sample`.
    sample_weight : array-like of shape (n_rows,), default=None
        Weights of the rows.

    Returns
    -------
    float
        In units of y; lower is better. The estimate is unbiased for any number of
        draws, and can therefore be negative.

    Raises
    ------
    ImportError
        If scoringrules is not installed: ``pip install skcvae[metrics]``.
    ValueError
        If the shapes do not match, no output is observed, or a draw of an observed
        output is not finite.

    References
    ----------
    Gneiting and Raftery (2007), *Strictly Proper Scoring Rules, Prediction, and
    Estimation*, JASA 102; Zamo and Naveau (2018), *Estimation of the CRPS with
    Limited Information*, Mathematical Geosciences 50.

    Examples
    --------
    >>> from skcvae.metrics import crps
    >>> crps([0.0], [[-1.0], [0.0], [1.0]])
    0.0
    >>> crps([2.0], [[-1.0], [0.0], [1.0]])
    1.33...
    """
    y_true, draws, observed = with_draws(y_true, draws, at_least=2)
    # Probability weighted moments ("pwm"): the mean over pairs, from sorted draws.
    scores = _scoringrules().crps_ensemble(
        y_true[observed], draws[:, observed], m_axis=0, estimator="pwm", backend="numpy"
    )
    weight = weights_of_outputs(sample_weight, y_true)
    return float(np.average(scores, weights=weight[observed]))


def energy_score(y_true, draws, sample_weight=None):
    r"""Energy score, averaged over rows.

    .. math::

        \mathrm{ES}(p, y) = E\|Y - y\| - \tfrac12 E\|Y - Y'\|, \quad Y, Y' \sim p,

    with the Euclidean norm over all outputs of a row: draws must be joint draws.
    For a single output it is the CRPS.

    Parameters
    ----------
    y_true : array-like of shape (n_rows,) or (n_rows, ...)
        True outputs; NaN if missing. A row is scored on its observed outputs.
    draws : array-like of shape (n_samples, n_rows, ...)
        At least two draws, as returned by `sample`.
    sample_weight : array-like of shape (n_rows,), default=None
        Weights of the rows.

    Returns
    -------
    float
        In units of y; lower is better. The estimate is unbiased for any number of draws.

    Raises
    ------
    ValueError
        If the shapes do not match, no output is observed, or a draw of an observed
        output is not finite.

    References
    ----------
    Gneiting and Raftery (2007), *Strictly Proper Scoring Rules, Prediction, and
    Estimation*, JASA 102.

    Examples
    --------
    >>> from skcvae.metrics import energy_score
    >>> energy_score([[0.0, 0.0]], [[[3.0, 4.0]], [[-3.0, -4.0]]])
    0.0
    """
    y_true, draws, observed = with_draws(y_true, draws, at_least=2)
    rows = np.flatnonzero(observed.reshape(len(y_true), -1).any(axis=1))
    scores = [_energy(y_true[i][observed[i]], draws[:, i][:, observed[i]]) for i in rows]
    weight = weights_of_outputs(sample_weight, y_true).reshape(len(y_true), -1)[rows, 0]
    return float(np.average(scores, weights=weight))


def crps_scorer(estimator, X, y, *, n_samples=100, random_state=0):
    """Scorer: negative CRPS of draws.

    Parameters
    ----------
    estimator : Pipeline, search or estimator
        A fitted estimator with a method `sample`, or a pipeline or search of one.
    X : array-like of shape (n_rows, ...)
        Inputs.
    y : array-like of shape (n_rows,) or (n_rows, ...)
        True outputs; NaN if missing.
    n_samples : int, default=100
        Draws per row.
    random_state : int, RandomState or None, default=0
        Seed of the draws. With the default, scores are reproducible.

    Returns
    -------
    float
        In units of y, the negative of :func:`crps`; higher is better.

    Examples
    --------
    >>> from sklearn.model_selection import cross_val_score
    >>> from skcvae import NNRegressor
    >>> from skcvae.datasets import make_ring
    >>> from skcvae.metrics import crps_scorer
    >>> ring = make_ring(n_samples=60, random_state=0)
    >>> est = NNRegressor(max_epochs=2, random_state=0)
    >>> cross_val_score(est, ring.X, ring.y, scoring=crps_scorer, cv=3).shape
    (3,)
    """
    check_single(estimator, y)
    check_names(estimator, y)
    check_numbers_only(estimator, "The CRPS")
    return -crps(y, sample(estimator, X, n_samples, random_state))


def energy_scorer(estimator, X, y, *, n_samples=100, random_state=0):
    """Scorer: negative energy score of draws.

    Parameters
    ----------
    estimator : Pipeline, search or estimator
        A fitted estimator with a method `sample`, or a pipeline or search of one.
    X : array-like of shape (n_rows, ...)
        Inputs.
    y : array-like of shape (n_rows,) or (n_rows, ...)
        True outputs; NaN if missing.
    n_samples : int, default=100
        Draws per row.
    random_state : int, RandomState or None, default=0
        Seed of the draws. With the default, scores are reproducible.

    Returns
    -------
    float
        In units of y, the negative of :func:`energy_score`; higher is better.

    Examples
    --------
    >>> from sklearn.model_selection import cross_val_score
    >>> from skcvae import NNRegressor
    >>> from skcvae.datasets import make_ring
    >>> from skcvae.metrics import energy_scorer
    >>> ring = make_ring(n_samples=60, random_state=0)
    >>> est = NNRegressor(max_epochs=2, random_state=0)
    >>> cross_val_score(est, ring.X, ring.y, scoring=energy_scorer, cv=3).shape
    (3,)
    """
    check_single(estimator, y)
    check_names(estimator, y)
    check_numbers_only(estimator, "The energy score")
    return -energy_score(y, sample(estimator, X, n_samples, random_state))


def _energy(y, draws):
    """Return the score of one row of flat outputs; pdist does not store the differences."""
    draws = draws.reshape(len(draws), -1)
    return np.linalg.norm(draws - y, axis=1).mean() - pdist(draws).mean() / 2


def _scoringrules():
    try:
        import scoringrules
    except ImportError as error:
        raise ImportError(
            "The CRPS requires the package scoringrules: pip install skcvae[metrics]."
        ) from error
    return scoringrules
