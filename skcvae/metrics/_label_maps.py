"""Metrics of label maps."""

import warnings

import numpy as np
from sklearn.metrics import accuracy_score, jaccard_score
from sklearn.utils import assert_all_finite

from skcvae.data.label_names import (
    UNKNOWN_LABEL,
    array_of,
    check_whole,
    has_unknown_label,
    known,
)
from skcvae.pipelines._annotations import check_single
from skcvae.pipelines._frames import check_alike, check_names
from skcvae.pipelines._labels import without_ignored


def pixel_accuracy(y_true, y_pred):
    """Accuracy of label maps, over all rows and pixels.

    Parameters
    ----------
    y_true : array-like of shape (n_rows, ...)
        True labels; NaN if missing. Replace labels that stand for none, such as 255, by NaN.
    y_pred : array-like of shape (n_rows, ...)
        Predicted labels.

    Returns
    -------
    float
        Share of correct labels, between 0 and 1.

    Raises
    ------
    ValueError
        If the shapes differ, no label is observed, a label is not a whole number or a text, or
        the prediction of an observed label is not finite.

    Warns
    -----
    UserWarning
        If 255, which often stands for no label, is counted as a class.

    Examples
    --------
    >>> import numpy as np
    >>> from skcvae.metrics import pixel_accuracy
    >>> pixel_accuracy([[[0, 1], [2, np.nan]]], [[[0, 1], [1, 1]]])
    0.66...
    """
    return float(accuracy_score(*_observed(y_true, y_pred)))


def intersection_over_union(y_true, y_pred, label=None):
    r"""Intersection over union (Jaccard index) of label maps.

    .. math::

        \mathrm{IoU}_k = \frac{|\{y = k\} \cap \{\hat y = k\}|}
                              {|\{y = k\} \cup \{\hat y = k\}|},

    where pixels are counted over all rows together, not averaged over images.

    Parameters
    ----------
    y_true : array-like of shape (n_rows, ...)
        True labels; NaN if missing. Replace labels that stand for none, such as 255, by NaN.
    y_pred : array-like of shape (n_rows, ...)
        Predicted labels.
    label : int, default=None
        The class k. None averages, unweighted, over the classes that occur in `y_true`
        or `y_pred`.

    Returns
    -------
    float
        Between 0, no overlap, and 1, identical maps.

    Raises
    ------
    ValueError
        If `label` occurs in neither array, the shapes differ, no label is observed, a label is
        not a whole number or a text, or the prediction of an observed label is not finite.

    Warns
    -----
    UserWarning
        If 255, which often stands for no label, is counted as a class.

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


def pixel_accuracy_scorer(estimator, X, y):
    """Scorer: accuracy of `predict`.

    Parameters
    ----------
    estimator : Pipeline, search or estimator
        A fitted estimator of labels, or a pipeline or search of one.
    X : array-like of shape (n_rows, ...)
        Inputs.
    y : array-like of shape (n_rows, ...)
        True labels; NaN, or the `ignore_label` of the estimator's likelihood, if missing.

    Returns
    -------
    float
        The :func:`pixel_accuracy`; higher is better.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.model_selection import cross_val_score
    >>> from skcvae import NNRegressor
    >>> from skcvae.metrics import pixel_accuracy_scorer
    >>> rng = np.random.default_rng(0)
    >>> X, y = rng.normal(size=(30, 2)), rng.integers(0, 2, size=(30, 4))
    >>> est = NNRegressor(likelihood="categorical", max_epochs=2, random_state=0)
    >>> cross_val_score(est, X, y, scoring=pixel_accuracy_scorer, cv=3).shape
    (3,)
    """
    check_single(estimator, y)
    check_names(estimator, y)
    return pixel_accuracy(without_ignored(estimator, y), estimator.predict(X))


def mean_iou_scorer(estimator, X, y):
    """Scorer: mean intersection over union of `predict`.

    Parameters
    ----------
    estimator : Pipeline, search or estimator
        A fitted estimator of labels, or a pipeline or search of one.
    X : array-like of shape (n_rows, ...)
        Inputs.
    y : array-like of shape (n_rows, ...)
        True labels; NaN, or the `ignore_label` of the estimator's likelihood, if missing.

    Returns
    -------
    float
        The :func:`intersection_over_union`, averaged over the classes; higher is better.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.model_selection import cross_val_score
    >>> from skcvae import NNRegressor
    >>> from skcvae.metrics import mean_iou_scorer
    >>> rng = np.random.default_rng(0)
    >>> X, y = rng.normal(size=(30, 2)), rng.integers(0, 2, size=(30, 4))
    >>> est = NNRegressor(likelihood="categorical", max_epochs=2, random_state=0)
    >>> cross_val_score(est, X, y, scoring=mean_iou_scorer, cv=3).shape
    (3,)
    """
    check_single(estimator, y)
    check_names(estimator, y)
    return intersection_over_union(without_ignored(estimator, y), estimator.predict(X))


def _observed(y_true, y_pred):
    """Return the observed labels and their predictions, flattened."""
    check_alike(y_true, y_pred, "y_pred")
    y_true, y_pred = array_of(y_true), array_of(y_pred)
    if y_true.shape != y_pred.shape:
        raise ValueError(
            f"y_pred must have the shape of y_true, {y_true.shape}, got {y_pred.shape}."
        )
    observed = known(y_true)
    if not observed.any():
        raise ValueError(
            f"y_true must have an observed label, got only missing ones in shape {y_true.shape}."
        )
    assert_all_finite(y_pred[observed], input_name="y_pred")
    y_true, y_pred = (np.array(part[observed].tolist()) for part in (y_true, y_pred))
    check_whole("y_true", y_true)
    check_whole("y_pred", y_pred)
    if has_unknown_label(y_true) and UNKNOWN_LABEL not in y_pred:
        warnings.warn(
            f"y_true has the label {UNKNOWN_LABEL}, which is counted as a class. If it stands for "
            f"pixels without a label: np.where(y_true == {UNKNOWN_LABEL}, np.nan, y_true).",
            stacklevel=3,
        )
    return y_true, y_pred
