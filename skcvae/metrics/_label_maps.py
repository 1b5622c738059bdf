"""How good label maps are."""

import numpy as np
from sklearn.metrics import accuracy_score, jaccard_score, make_scorer
from sklearn.utils import assert_all_finite


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
