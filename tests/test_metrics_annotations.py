"""Metrics of several annotators: closed forms, invariances, absent annotations."""

import itertools

import numpy as np
import pytest
from sklearn.metrics import jaccard_score

from skcvae.metrics import (
    best_of_n_iou,
    generalized_energy_distance,
    intersection_over_union,
    matched_iou,
    sample_diversity,
)

OF_BOTH = [generalized_energy_distance, matched_iou, best_of_n_iou]
of_both = pytest.mark.parametrize("metric", OF_BOTH, ids=lambda f: f.__name__)


@pytest.fixture
def maps():
    rng = np.random.default_rng(0)
    return rng.integers(0, 3, (4, 5, 6, 3)), rng.integers(0, 3, (6, 5, 6, 3))


def distance(a, b, labels=(1, 2)):
    """Return d of two maps by scikit-learn."""
    ious = jaccard_score(a.ravel(), b.ravel(), labels=labels, average=None, zero_division=1)
    return 1 - ious.mean()


def by_pairs(a, b):
    return np.array([[distance(s, t) for t in b] for s in a])


def test_the_energy_distance_is_that_of_all_pairs(maps):
    y, draws = maps
    expected = [
        2 * by_pairs(s, d).mean() - by_pairs(s, s).mean() - by_pairs(d, d).mean()
        for s, d in zip(y.swapaxes(0, 1), draws.swapaxes(0, 1), strict=True)
    ]
    assert generalized_energy_distance(y, draws) == pytest.approx(np.mean(expected))


def test_the_best_matching_is_the_best_of_all(maps):
    y, draws = maps[0], maps[1][:4]
    best = []
    for s, d in zip(y.swapaxes(0, 1), draws.swapaxes(0, 1), strict=True):
        iou = 1 - by_pairs(s, d)
        best.append(max(iou[range(4), list(p)].mean() for p in itertools.permutations(range(4))))
    assert matched_iou(y, draws) == pytest.approx(np.mean(best))


def test_the_nearest_draw_of_each_annotation(maps):
    y, draws = maps
    pairs = zip(y.swapaxes(0, 1), draws.swapaxes(0, 1), strict=True)
    expected = np.mean([(1 - by_pairs(s, d)).max(axis=1) for s, d in pairs])
    assert best_of_n_iou(y, draws) == pytest.approx(expected)
    assert best_of_n_iou(y, draws) > best_of_n_iou(y, draws[:2])


def test_the_diversity_is_of_different_draws(maps):
    y, _ = maps
    expected = [
        np.mean([distance(a, b) for a, b in itertools.combinations(s, 2)])
        for s in y.swapaxes(0, 1)
    ]
    assert sample_diversity(y) == pytest.approx(np.mean(expected))
    assert sample_diversity(y[[0, 0, 0]]) == 0


@of_both
def test_the_same_maps_are_the_best(metric, maps):
    y, draws = maps
    best = 0 if metric is generalized_energy_distance else 1
    order = np.random.default_rng(1).permutation(4)
    assert metric(y, y[order]) == pytest.approx(best, abs=1e-6)
    # As often as annotators give them: repeated all together they are still the same.
    assert metric(y, np.concatenate([y, y])) == pytest.approx(best, abs=1e-6)
    assert abs(metric(y, draws) - best) > 0.1


@of_both
def test_the_order_of_annotations_draws_and_rows_does_not_matter(metric, maps):
    y, draws = maps
    rng = np.random.default_rng(1)
    rows = rng.permutation(5)
    found = metric(y[rng.permutation(4)][:, rows], draws[rng.permutation(6)][:, rows])
    assert found == pytest.approx(metric(y, draws))


@of_both
@pytest.mark.parametrize("dtype", [int, float, np.int8])
def test_absent_annotations_are_as_if_they_were_not_there(metric, dtype, maps):
    y, draws = (part.astype(dtype) for part in maps)
    y[1:3, 0] = -1 if y.dtype.kind == "i" else np.nan
    parts = [metric(maps[0][[0, 3], :1], draws[:, :1]), metric(maps[0][:, 1:], draws[:, 1:])]
    assert metric(y, draws) == pytest.approx((parts[0] + 4 * parts[1]) / 5)
    if metric is generalized_energy_distance:
        rest = maps[0][:, 1:]
        expected = (sample_diversity(maps[0][[0, 3], :1]) + 4 * sample_diversity(rest)) / 5
        assert sample_diversity(y) == pytest.approx(expected)


HOLES = {  # what stands for a pixel without a label
    "nan": (lambda maps: maps.astype(float), np.nan, None),
    "none": (lambda maps: maps.astype(object), None, None),
    "255": (lambda maps: maps, 255, 255),
    "-1": (lambda maps: maps, -1, -1),
    "text": (lambda maps: np.array(["0", "1", "2"])[maps], "void", "void"),
}


@of_both
@pytest.mark.parametrize("kind", HOLES)
def test_pixels_that_an_annotation_does_not_know_are_left_out_of_a_row(metric, kind, maps):
    read, hole, ignored = HOLES[kind]
    y, draws = map(read, maps)
    background, *labels = np.unique(draws)
    holed = np.random.default_rng(1).random(y.shape) < 0.1
    holed[:, 1], holed[2:, 0] = False, True  # known all over, and absent
    given = np.where(holed, hole, y)
    seen = ~(holed & ~holed.all(axis=(2, 3), keepdims=True)).any(axis=0)
    without = [np.where(seen, part, background) for part in (y, draws)]
    without[0] = np.where(holed.all(axis=(2, 3), keepdims=True), hole, without[0])
    kw = {"labels": labels, "ignore_label": ignored}
    assert metric(given, draws, **kw) == pytest.approx(metric(*without, **kw))
    assert 0 < metric(given, draws, **kw) != pytest.approx(metric(y, draws, **kw))
    if metric is generalized_energy_distance:
        expected = sample_diversity(without[0], **kw)
        assert sample_diversity(given, **kw) == pytest.approx(expected)


@of_both
def test_pixels_left_out_have_no_part_in_the_labels(metric, maps):
    y, draws = maps
    y[0, :, :2], draws[0, :, :2] = 255, 7
    cropped = metric(y[:, :, 2:], draws[:, :, 2:])
    assert metric(y, draws, ignore_label=255) == pytest.approx(cropped)


@of_both
def test_255_is_not_counted_as_a_class_in_silence(metric, maps):
    y, draws = maps
    y[0, 0] = 255
    with pytest.warns(UserWarning, match="y has the label 255.*: ignore_label=255"):
        metric(y, draws)
    absent = np.where(y == 255, -1, y)
    assert metric(y, draws, ignore_label=255) == metric(absent, draws)
    strange = draws.copy()
    strange.flat[0] = 255
    with pytest.raises(ValueError, match="draws must have a class of every pixel, got ignore_l"):
        metric(y, strange, ignore_label=255)
    metric(y, draws, labels=[1, 255])
    draws[0, 0] = 255
    metric(y, draws)


@of_both
def test_labels_are_all_but_the_background_unless_named(metric, maps):
    y, draws = maps
    assert metric(y, draws) == metric(y, draws, labels=[1, 2])
    one = metric(y == 2, draws == 2, labels=[True])
    assert metric(y, draws, labels=[2]) == pytest.approx(one)
    names = np.array([0, 7, 3])
    assert metric(names[y], names[draws]) == pytest.approx(metric(y, draws))
    best = 0 if metric is generalized_energy_distance else 1
    assert metric(0 * y, 0 * draws) == best  # nothing but background: no two maps differ


def test_of_single_maps_it_is_the_intersection_over_union(maps):
    y, draws = maps[0][:1, :1], maps[1][:1, :1]
    iou = intersection_over_union(y == 1, draws == 1, label=True)
    assert matched_iou(y, draws, labels=[1]) == pytest.approx(iou)
    assert best_of_n_iou(y, draws, labels=[1]) == pytest.approx(iou)
    assert generalized_energy_distance(y, draws, labels=[1]) == pytest.approx(2 * (1 - iou))


@of_both
def test_bad_annotations(metric, maps):
    y, draws = maps
    with pytest.raises(ValueError, match=r"draws must have shape \(n_draws, 5, 6, 3\) for y"):
        metric(y, draws[:, :4])
    with pytest.raises(ValueError, match="an annotation of each row, got none for row"):
        metric(np.where(np.arange(5)[:, None, None] == 2, -1, y), draws)
    apart = np.where(np.arange(6)[:, None] // 2 == np.arange(4)[:, None, None, None], np.nan, y)
    with pytest.raises(ValueError, match="y must have a pixel of each row .* none for row 2"):
        metric(np.where(np.arange(5)[:, None, None] == 2, apart, y), draws)
    with pytest.raises(ValueError, match="Input draws contains NaN"):
        metric(y, np.where(draws == 0, np.nan, draws))
    with pytest.raises(ValueError, match=r"y must have shape \(n_annotations, n_rows, ...\)"):
        metric(y[:, :, 0, 0], draws)
    with pytest.raises(ValueError, match="draws must have a row with two maps"):
        sample_diversity(draws[:1])
    with pytest.raises(ValueError, match=r"y must have shape .*, got \(0, 5, 6, 3\)"):
        metric(y[:0], draws)
    with pytest.raises(ValueError, match="draws must have .* at least one draw, got"):
        metric(y, draws[:0])


@of_both
def test_only_labels_are_compared(metric, maps):
    y, draws = maps[0] % 2, maps[1] % 2
    assert metric(y.astype(float), draws.astype(float)) == metric(y, draws)
    with pytest.raises(ValueError, match=r"draws must hold labels.*\(draws > 0.5\).astype\(int\)"):
        metric(y, draws * 0.9)
    with pytest.raises(ValueError, match=r"y must hold labels.*got 0.9.*\(y > 0.5\)"):
        metric(y * 0.9, draws)
    with pytest.raises(ValueError, match="draws must hold labels"):
        sample_diversity(draws * 0.9)
    for dtype in (int, float):
        with pytest.raises(ValueError, match="y has -1 beside other values"):
            metric(np.where(y == 0, -1, y).astype(dtype), draws)
        with pytest.raises(ValueError, match="draws has -1 .*another code"):
            metric(y, np.where(draws == 0, -1, draws).astype(dtype))


@of_both
def test_draws_of_nothing_but_minus_one_are_named(metric, maps):
    for absent in (-1, -1.0):
        with pytest.raises(ValueError, match="draws has nothing but -1, which marks"):
            metric(maps[0], np.full(maps[1].shape, absent))
        with pytest.raises(
            ValueError, match="draws must have an annotation of each row, got none"
        ):
            sample_diversity(np.full(maps[1].shape, absent))


@of_both
@pytest.mark.parametrize("labels", [[], "1", 1, ["1"]])
def test_labels_are_some_of_those_of_the_maps(metric, labels, maps):
    with pytest.raises(ValueError, match=r"labels must be a sequence of some .*\[0, 1, 2\]"):
        metric(*maps, labels=labels)


@of_both
def test_labels_of_which_none_occurs_are_named(metric, maps):
    y, draws = maps
    names = np.array(["a", "b", "c"])
    for parts, labels in ((maps, [10]), (maps, (7, 8)), ((names[y], names[draws]), ["void"])):
        with pytest.warns(UserWarning, match="None of labels=.* occurs among those"):
            metric(*parts, labels=labels)
        with pytest.warns(UserWarning, match="None of labels="):
            sample_diversity(parts[1], labels=labels)
    known, only_drawn = metric(y, draws, labels=[1, 2]), metric(0 * y, draws, labels=[2, 10])
    assert metric(y, draws, labels=[1, 2, 10]) == pytest.approx(
        known * 2 / 3 + (metric is not generalized_energy_distance) / 3
    )
    assert np.isfinite(only_drawn)


@of_both
@pytest.mark.parametrize("missing", [None, np.nan])
def test_maps_of_texts_are_compared_as_those_of_numbers(metric, missing, maps):
    names = np.array(["a", "b", "c"])
    y, draws = (names[part] for part in maps)
    expected = metric(*maps, labels=[0, 1, 2])
    assert metric(y, draws) == metric(y.astype(object), draws) == expected
    assert metric(y, draws.astype(object)) == expected
    absent = y.astype(object)
    absent[1:3, 0] = missing
    parts = [metric(y[[0, 3], :1], draws[:, :1]), metric(y[:, 1:], draws[:, 1:])]
    assert metric(absent, draws) == pytest.approx((parts[0] + 4 * parts[1]) / 5)
    with pytest.raises(
        ValueError, match=r"draws must have labels such as .*'a'.* got \[0, 1, 2\]"
    ):
        metric(y, maps[1])
