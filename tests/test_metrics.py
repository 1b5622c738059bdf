import numpy as np
import pytest
from sklearn.metrics import jaccard_score
from sklearn.model_selection import GridSearchCV, cross_val_score

from skcvae import NNRegressor
from skcvae.metrics import (
    cll_per_pixel,
    intersection_over_union,
    mean_iou_scorer,
    negative_cll_per_pixel,
    pixel_accuracy,
    pixel_accuracy_scorer,
)

OF_LABELS = [pixel_accuracy, intersection_over_union]
SCORERS = [pixel_accuracy_scorer, mean_iou_scorer, cll_per_pixel]
of_labels = pytest.mark.parametrize("metric", OF_LABELS, ids=lambda f: f.__name__)


@pytest.fixture
def maps():
    rng = np.random.default_rng(0)
    y_true = rng.integers(0, 3, (5, 4, 6))
    return y_true, np.where(rng.random(y_true.shape) < 0.7, y_true, 1)


@of_labels
def test_perfect_is_one_and_all_wrong_is_zero(metric, maps):
    y, _ = maps
    assert metric(y, y) == 1
    assert metric(y, (y + 1) % 3) == 0
    assert isinstance(metric(y, y), float)


@of_labels
def test_neither_the_order_nor_the_names_nor_the_shape_matter(metric, maps):
    y_true, y_pred = maps
    expected = metric(y_true, y_pred)
    assert 0 < expected < 1
    order = np.random.default_rng(1).permutation(len(y_true))
    assert metric(y_true[order], y_pred[order]) == expected
    names = np.array([7, -1, 3])
    assert metric(names[y_true], names[y_pred]) == pytest.approx(expected)
    assert metric(y_true.reshape(5, -1), y_pred.reshape(5, -1)) == expected
    assert metric(y_true.tolist(), y_pred.astype(float)) == expected


def test_by_hand():
    y_true = np.array([[[0, 0], [1, 1]], [[0, 2], [2, 2]]])
    y_pred = np.array([[[0, 1], [1, 1]], [[0, 0], [2, 2]]])
    assert pixel_accuracy(y_true, y_pred) == 6 / 8
    of_each = [intersection_over_union(y_true, y_pred, label=k) for k in range(3)]
    assert of_each == pytest.approx([2 / 4, 2 / 3, 2 / 3])
    assert intersection_over_union(y_true, y_pred) == pytest.approx(np.mean(of_each))


def test_counts_are_over_all_rows_not_averaged_over_images():
    y_true, y_pred = np.array([[1, 1, 1, 1], [1, 0, 0, 0]]), np.array([[1, 1, 1, 1], [0, 1, 0, 0]])
    assert intersection_over_union(y_true, y_pred, label=1) == 4 / 6
    assert jaccard_score(y_true, y_pred, average="samples") == 1 / 2


def test_a_class_that_was_only_predicted_counts_as_missed():
    assert intersection_over_union([[0, 0]], [[0, 5]]) == pytest.approx((1 / 2 + 0) / 2)
    assert intersection_over_union([[0, 0]], [[0, 5]], label=5) == 0


@of_labels
def test_what_is_not_observed_does_not_count(metric, maps):
    y_true, y_pred = maps
    hidden = np.random.default_rng(2).random(y_true.shape) < 0.4
    partial = np.where(hidden, np.nan, y_true)
    expected = metric(y_true[~hidden], y_pred[~hidden])
    assert metric(partial, y_pred) == expected
    # Whatever is predicted there, a class of its own included.
    assert metric(partial, np.where(hidden, 9, y_pred)) == expected
    assert metric(partial, np.where(hidden, np.nan, y_pred)) == expected


@of_labels
@pytest.mark.parametrize("missing", [None, np.nan])
def test_what_is_missing_in_lists_of_texts_is_no_label(metric, missing):
    assert metric([["a", missing], ["b", "a"]], [["a", "b"], ["b", "a"]]) == 1


@of_labels
def test_bad_labels(metric, maps):
    y_true, y_pred = maps
    with pytest.raises(ValueError, match=r"shape of y_true, \(5, 4, 6\), got \(5, 24\)"):
        metric(y_true, y_pred.reshape(5, -1))
    with pytest.raises(ValueError, match="y_true must have an observed label"):
        metric(np.full(y_true.shape, np.nan), y_pred)
    with pytest.raises(ValueError, match="Input y_pred contains NaN"):
        metric(y_true, np.where(y_true == 0, np.nan, y_pred))


def test_a_class_that_occurs_nowhere_is_an_error():
    message = r"label must occur in y_true or y_pred, one of \[0, 1\], got 2"
    with pytest.raises(ValueError, match=message):
        intersection_over_union([[0, 1]], [[1, 1]], label=2)


def test_cll_is_of_one_observed_output():
    log_prob, y = np.array([-3.0, -5.0, -4.0]), np.zeros((3, 2, 2))
    assert negative_cll_per_pixel(log_prob, y) == 1
    assert negative_cll_per_pixel(log_prob, y.astype(int)) == 1
    assert negative_cll_per_pixel(log_prob, [0, 0, 0]) == 4
    y[0], y[1, 0] = np.nan, np.nan
    assert negative_cll_per_pixel([0.0, -5.0, -4.0], y) == 9 / 6
    assert isinstance(negative_cll_per_pixel(log_prob, y), float)


def test_bad_cll():
    with pytest.raises(ValueError, match=r"log_prob must have .* \(3,\) for y .* got \(2,\)"):
        negative_cll_per_pixel(np.zeros(2), np.zeros((3, 4)))
    with pytest.raises(ValueError, match="log_prob must have shape"):
        negative_cll_per_pixel(np.zeros((3, 4)), np.zeros((3, 4)))
    with pytest.raises(ValueError, match=r"y must have an observed output, .* \(3, 4\)"):
        negative_cll_per_pixel(np.zeros(3), np.full((3, 4), np.nan))


@pytest.fixture
def label_maps():
    rng = np.random.default_rng(0)
    return rng.normal(size=(20, 6, 6)), rng.integers(0, 3, (20, 6, 6))


@pytest.fixture
def segmenter():
    return NNRegressor(architecture="conv", likelihood="categorical", max_epochs=1, random_state=0)


def test_scorers_are_the_metrics(segmenter, label_maps):
    X, y = label_maps
    segmenter.fit(X, y)
    labels = segmenter.predict(X)
    assert pixel_accuracy_scorer(segmenter, X, y) == pixel_accuracy(y, labels)
    assert mean_iou_scorer(segmenter, X, y) == intersection_over_union(y, labels)
    assert cll_per_pixel(segmenter, X, y) == pytest.approx(segmenter.score(X, y) / 36)


@pytest.mark.parametrize("scoring", SCORERS, ids=["accuracy", "iou", "cll"])
def test_scorers_in_model_selection(segmenter, label_maps, scoring):
    scores = cross_val_score(segmenter, *label_maps, scoring=scoring, cv=2)
    assert scores.shape == (2,) and np.isfinite(scores).all()
    search = GridSearchCV(segmenter, {"max_epochs": [1, 2]}, scoring=scoring, cv=2)
    assert search.fit(*label_maps).best_params_["max_epochs"] in (1, 2)
