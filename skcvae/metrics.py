"""How good label maps and conditional likelihoods are, for one pixel.

Functions take arrays and return a float. As ``scoring=`` of scikit-learn's
model selection serve `pixel_accuracy_scorer` and `mean_iou_scorer`, which score
what `predict` returns, and the function `cll_per_pixel`. Of all three, higher is
better.

A target that is NaN was not observed, and does not count.
"""

import numpy as np
from sklearn.metrics import accuracy_score, jaccard_score, make_scorer
from sklearn.utils import assert_all_finite

from skcvae.pipelines import log_prob as log_prob_of

__all__ = [
    "cll_per_pixel",
    "intersection_over_union",
    "mean_iou_scorer",
    "negative_cll_per_pixel",
    "pixel_accuracy",
    "pixel_accuracy_scorer",
]


def pixel_accuracy(y_true, y_pred):
    """Return the share of labels that are right, over all rows and pixels.

    Parameters
    ----------
    y_true : array-like of shape (n_rows, ...)
        The labels; NaN where not observed.
    y_pred : array-like of shape (n_rows, ...)
        The labels predicted.

    Returns
    -------
    float
        From 0 to 1, all right.

    Raises
    ------
    ValueError
        If the shapes differ, no label is observed, or the prediction of one that
        is observed is not finite.

    Examples
    --------
    >>> import numpy as np
    >>> from skcvae.metrics import pixel_accuracy
    >>> pixel_accuracy([[[0, 1], [2, np.nan]]], [[[0, 1], [1, 1]]])
    0.66...
    """
    return float(accuracy_score(*_observed(y_true, y_pred)))


def intersection_over_union(y_true, y_pred, label=None):
    r"""Return how far the pixels of a class and those predicted to be overlap.

    .. math::

        \mathrm{IoU}_k = \frac{|\{y = k\} \cap \{\hat y = k\}|}
                              {|\{y = k\} \cup \{\hat y = k\}|},

    both counted over all rows and pixels together, not averaged over images.

    Parameters
    ----------
    y_true : array-like of shape (n_rows, ...)
        The labels; NaN where not observed.
    y_pred : array-like of shape (n_rows, ...)
        The labels predicted.
    label : int, default=None
        The class k. None is the mean over the classes that occur in `y_true` or
        `y_pred`, each of the same weight.

    Returns
    -------
    float
        From 0, apart, to 1, the same.

    Raises
    ------
    ValueError
        If `label` occurs in neither, the shapes differ, no label is observed, or
        the prediction of one that is observed is not finite.

    Examples
    --------
    >>> from skcvae.metrics import intersection_over_union
    >>> y_true, y_pred = [[[0, 0], [1, 1]]], [[[0, 1], [1, 1]]]
    >>> intersection_over_union(y_true, y_pred, label=0)
    0.5
    >>> intersection_over_union(y_true, y_pred)
    0.58...
    """
    y_true, y_pred = _observed(y_true, y_pred)
    present = np.union1d(y_true, y_pred)
    if label is not None and label not in present:
        raise ValueError(
            f"label must occur in y_true or y_pred, one of {present.tolist()}, got {label!r}."
        )
    labels = present if label is None else [label]
    return float(jaccard_score(y_true, y_pred, labels=labels, average="macro"))


def negative_cll_per_pixel(log_prob, y):
    r"""Return the negative conditional log-likelihood (CLL) for one output.

    .. math::

        -\frac{\sum_i \log p(y_i \mid x_i)}{\sum_i D_i},

    where row i has :math:`D_i` observed outputs.

    Parameters
    ----------
    log_prob : array-like of shape (n_rows,)
        Log p(y|x) of each row in nats, as `log_prob` of an estimator returns it.
    y : array-like of shape (n_rows,) or (n_rows, ...)
        The outputs it is of; NaN where not observed.

    Returns
    -------
    float
        Nats per output; lower is better.

    Raises
    ------
    ValueError
        If the numbers of rows differ or no output is observed.

    Examples
    --------
    >>> import numpy as np
    >>> from skcvae.metrics import negative_cll_per_pixel
    >>> negative_cll_per_pixel([-2.0, -6.0], np.zeros((2, 2, 2)))
    1.0
    """
    log_prob, y = np.asarray(log_prob), np.asarray(y)
    if log_prob.shape != y.shape[:1]:
        raise ValueError(
            f"log_prob must have shape (n_rows,), {y.shape[:1]} for y of shape {y.shape}, "
            f"got {log_prob.shape}."
        )
    n_observed = np.count_nonzero(~np.isnan(y))
    if not n_observed:
        raise ValueError(f"y must have an observed output, got none in shape {y.shape}.")
    return float(-log_prob.sum() / n_observed)


def cll_per_pixel(estimator, X, y):
    """Score an estimator by the conditional log-likelihood (CLL) for one output.

    Parameters
    ----------
    estimator : Pipeline, search or estimator
        Fitted; its last step, or its best estimator's, has a method `log_prob`.
    X : array-like of shape (n_rows, ...)
        Inputs.
    y : array-like of shape (n_rows,) or (n_rows, ...)
        Outputs; NaN where not observed.

    Returns
    -------
    float
        Nats per output; higher is better: minus :func:`negative_cll_per_pixel`.

    Examples
    --------
    >>> from sklearn.model_selection import cross_val_score
    >>> from skcvae import NNRegressor
    >>> from skcvae.datasets import make_ring
    >>> from skcvae.metrics import cll_per_pixel
    >>> ring = make_ring(n_samples=60, random_state=0)
    >>> est = NNRegressor(max_epochs=2, random_state=0)
    >>> cross_val_score(est, ring.X, ring.y, scoring=cll_per_pixel, cv=3).shape
    (3,)
    """
    return -negative_cll_per_pixel(log_prob_of(estimator, X, y), y)


pixel_accuracy_scorer = make_scorer(pixel_accuracy)
mean_iou_scorer = make_scorer(intersection_over_union)


def _observed(y_true, y_pred):
    """Return the labels that are observed and what was predicted there, both flat."""
    y_true, y_pred = np.asarray(y_true), np.asarray(y_pred)
    if y_true.shape != y_pred.shape:
        raise ValueError(
            f"y_pred must have the shape of y_true, {y_true.shape}, got {y_pred.shape}."
        )
    observed = ~np.isnan(y_true)
    if not observed.any():
        raise ValueError(f"y_true must have an observed label, got none in shape {y_true.shape}.")
    assert_all_finite(y_pred[observed], input_name="y_pred")
    return y_true[observed], y_pred[observed]
