r"""Metrics of draws of label maps against the maps of several annotators.

The distance of two label maps is

.. math:: d(a, b) = \frac1K \sum_k \bigl(1 - \mathrm{IoU}_k(a, b)\bigr),

the mean over the labels k, zero for a label in neither map. The annotations of a row are maps
S, its draws maps Y. Pixels of a row that some annotation has no label of are left out of all its
maps.
"""

from typing import NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment

from skcvae.data.annotations import labels_of
from skcvae.data.label_names import array_of
from skcvae.metrics._label_checks import (
    checked,
    checked_draws,
    chosen,
    of_both,
    warn_of_unknown_label,
)
from skcvae.pipelines import sample
from skcvae.pipelines._labels import without_ignored


class Distances(NamedTuple):
    """Distances of the maps of one row: between, and within annotations and draws."""

    between: np.ndarray
    annotations: np.ndarray
    draws: np.ndarray


def generalized_energy_distance(y, draws, *, labels=None, ignore_label=None):
    r"""Generalised energy distance of annotations and draws, averaged over rows.

    .. math::

        D^2 = 2 \, E\,d(S, Y) - E\,d(S, S') - E\,d(Y, Y'),

    where S and S' are annotations and Y and Y' draws of one row, and d is one minus the mean
    intersection over union. All means are over all pairs, those of a map and itself included,
    so that the distance is zero where annotations and draws are the same maps. A few draws
    give a larger expected distance than many: compare at equal numbers of draws.

    Parameters
    ----------
    y : array-like of shape (n_annotations, n_rows, ...)
        Label maps, annotations first: whole numbers or texts. An annotation of a row is absent
        where all of it is NaN, None or -1; each row has at least one. Pixels that are NaN or
        None in one of a row's annotations are left out of the row.
    draws : array-like of shape (n_draws, n_rows, ...)
        Draws of label maps, as returned by `sample`. Binary draws without observation noise are
        probabilities, whose likelier labels are ``(draws > 0.5).astype(int)``.
    labels : sequence of int, default=None
        Labels over which d takes the mean; not all need to occur. None takes all labels of y and
        draws but 0, the background.
    ignore_label : int or str, default=None
        The label of pixels that are not known, such as 255, read as NaN: the `ignore_label` of
        :class:`~skcvae.likelihoods.Categorical`.

    Returns
    -------
    float
        Between 0 and 2; lower is better.

    Raises
    ------
    ValueError
        If the shapes do not match, a row has no annotation, or no pixel that all of them have a
        label of, y or draws are not labels or have -1 in a part of a map, or there are no draws.

    Warns
    -----
    UserWarning
        If none of `labels` occurs, or 255, which often stands for no label, is counted as a class.

    References
    ----------
    Kohl et al. (2018), *A Probabilistic U-Net for Segmentation of Ambiguous Images*, NeurIPS,
    equation 5.

    Examples
    --------
    >>> import numpy as np
    >>> from skcvae.metrics import generalized_energy_distance
    >>> left, right = np.array([[[1, 1, 0, 0]]]), np.array([[[0, 0, 1, 1]]])
    >>> generalized_energy_distance([left, right], [left, left, right, right])
    0.0
    >>> generalized_energy_distance([left, right], [left, left])
    0.5
    """
    rows = _distances(y, draws, labels, ignore_label)
    return float(np.mean([2 * b.mean() - s.mean() - d.mean() for b, s, d in rows]))


def matched_iou(y, draws, *, labels=None, ignore_label=None):
    r"""Hungarian-matched intersection over union of annotations and draws.

    The annotations of a row, and its draws, are repeated until both are equally many, and
    matched so that the mean intersection over union of the pairs is largest. It is 1 where the
    draws have each annotation as often as annotators give it.

    Parameters
    ----------
    y : array-like of shape (n_annotations, n_rows, ...)
        Label maps, as in :func:`generalized_energy_distance`.
    draws : array-like of shape (n_draws, n_rows, ...)
        Draws of label maps, as returned by `sample`.
    labels, ignore_label : default=None
        As in :func:`generalized_energy_distance`.

    Returns
    -------
    float
        Mean over rows, between 0 and 1; higher is better.

    Raises
    ------
    ValueError
        As in :func:`generalized_energy_distance`.

    References
    ----------
    Kohl et al. (2019), *A Hierarchical Probabilistic U-Net for Modeling Multi-Scale
    Ambiguities*, arXiv:1905.13077.

    Examples
    --------
    >>> import numpy as np
    >>> from skcvae.metrics import matched_iou
    >>> left, right = np.array([[[1, 1, 0, 0]]]), np.array([[[0, 0, 1, 1]]])
    >>> matched_iou([left, right], [left, right, right, right])
    0.75
    """
    rows = _distances(y, draws, labels, ignore_label)
    return float(np.mean([1 - _matched(row.between) for row in rows]))


def best_of_n_iou(y, draws, *, labels=None, ignore_label=None):
    r"""Intersection over union of each annotation with the nearest of n draws, averaged.

    It tells whether each annotation is among the draws, however often, and grows with their
    number. Of draws from q(z|x,y) rather than p(z|x) it is the reconstruction IoU.

    Parameters
    ----------
    y : array-like of shape (n_annotations, n_rows, ...)
        Label maps, as in :func:`generalized_energy_distance`.
    draws : array-like of shape (n_draws, n_rows, ...)
        Draws of label maps, as returned by `sample`.
    labels, ignore_label : default=None
        As in :func:`generalized_energy_distance`.

    Returns
    -------
    float
        Mean over the annotations of a row, and over rows, between 0 and 1; higher is better.

    Raises
    ------
    ValueError
        As in :func:`generalized_energy_distance`.

    Examples
    --------
    >>> import numpy as np
    >>> from skcvae.metrics import best_of_n_iou
    >>> left, right = np.array([[[1, 1, 0, 0]]]), np.array([[[0, 0, 1, 1]]])
    >>> best_of_n_iou([left, right], [left, right, right, right])
    1.0
    >>> best_of_n_iou([left, right], [left, left])
    0.5
    """
    rows = _distances(y, draws, labels, ignore_label)
    return float(np.mean([1 - row.between.min(axis=1).mean() for row in rows]))


def sample_diversity(draws, *, labels=None, ignore_label=None):
    r"""Mean distance :math:`E\,d(Y, Y')` of different draws of a row, averaged over rows.

    Of annotations it is their disagreement, which the draws should have as well.

    Parameters
    ----------
    draws : array-like of shape (n_draws, n_rows, ...)
        Draws of label maps, as returned by `sample`, or annotations, of which some may be
        absent. Rows with a single one are left out.
    labels, ignore_label : default=None
        As in :func:`generalized_energy_distance`.

    Returns
    -------
    float
        Between 0, all maps are equal, and 1, no two overlap.

    Raises
    ------
    ValueError
        As in :func:`generalized_energy_distance`; or if no row has two maps.

    Examples
    --------
    >>> import numpy as np
    >>> from skcvae.metrics import sample_diversity
    >>> left, right = np.array([[[1, 1, 0, 0]]]), np.array([[[0, 0, 1, 1]]])
    >>> sample_diversity([left, right])
    1.0
    """
    rows = _distances(draws, None, labels, ignore_label, "draws")
    rows = [row.annotations for row in rows if len(row.annotations) > 1]
    if not rows:
        raise ValueError(
            f"draws must have a row with two maps, got at most one in {np.shape(draws)}."
        )
    return float(np.mean([d.sum() / (len(d) * (len(d) - 1)) for d in rows]))


def ged_scorer(estimator, X, y, *, n_samples=16, random_state=0):
    """Scorer: negative generalised energy distance of draws.

    Parameters
    ----------
    estimator : Pipeline, search or estimator
        A fitted estimator with a method `sample`, or a pipeline or search of one.
    X : array-like of shape (n_rows, ...)
        Inputs.
    y : array-like of shape (n_rows, n_annotations, ...)
        Label maps of several annotators, as in `fit` with ``annotations=True``. Pixels with the
        `ignore_label` of the estimator's likelihood are as NaN.
    n_samples : int, default=16
        Draws per row.
    random_state : int, RandomState or None, default=0
        Seed of the draws. With the default, scores are reproducible.

    Returns
    -------
    float
        The negative of :func:`generalized_energy_distance`; higher is better.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.model_selection import cross_val_score
    >>> from skcvae import CVAERegressor
    >>> from skcvae.metrics import ged_scorer
    >>> rng = np.random.default_rng(0)
    >>> X, y = rng.normal(size=(30, 2)), rng.integers(0, 2, size=(30, 3, 4))
    >>> est = CVAERegressor(
    ...     likelihood="bernoulli", annotations=True, max_epochs=2, random_state=0
    ... )
    >>> cross_val_score(est, X, y, scoring=ged_scorer, cv=3).shape
    (3,)
    """
    draws = sample(estimator, X, n_samples, random_state)
    y = array_of(without_ignored(estimator, y))
    if y.ndim < 3 or draws.shape[1:] != (len(y), *y.shape[2:]):
        raise ValueError(
            "y must have label maps of shape (n_rows, n_annotations, ...), for draws of shape "
            f"(n_draws, n_rows, ...), got {y.shape} and {draws.shape}."
        )
    return -generalized_energy_distance(np.moveaxis(y, 1, 0), draws)


def _distances(y, draws, labels, ignored, name="y"):
    """Return the distances of each row; without draws those of annotations alone."""
    y, present, seen, found = checked(y, name, ignored)
    draws = y[:0] if draws is None else checked_draws(y, draws, ignored)
    drawn = labels_of("draws", draws[:, seen]) if len(draws) else found[:0]
    asked, labels = labels, chosen(labels, of_both(found, drawn))
    warn_of_unknown_label(name, found, drawn if asked is None else [*drawn, *asked])
    return [
        _of_row(y[there, i][:, seen[i]], draws[:, i][:, seen[i]], labels)
        for i, there in enumerate(present.T)
    ]


def _of_row(annotations, draws, labels):
    s, d = (np.stack([part == k for k in labels]).astype(float) for part in (annotations, draws))
    return Distances(*(_distance(*pair) for pair in ((s, d), (s, s), (d, d))))


def _distance(a, b):
    """Return d of all pairs of maps, coded as (n_labels, n_maps, n_pixels)."""
    both = a @ b.swapaxes(1, 2)
    either = a.sum(-1)[:, :, None] + b.sum(-1)[:, None] - both
    return (1 - np.divide(both, either, out=np.ones_like(both), where=either > 0)).mean(axis=0)


def _matched(distance):
    """Return the mean distance of the best matching, each side repeated to equal numbers."""
    n_pairs = np.lcm(*distance.shape)
    repeated = distance
    for axis, size in enumerate(distance.shape):
        repeated = repeated.repeat(n_pairs // size, axis=axis)
    return repeated[linear_sum_assignment(repeated)].mean()
