"""Laws of which rows are held out: at random, by groups, the last ones, or by a splitter."""

import re
import warnings

import numpy as np
import pandas as pd
import pytest
import sklearn
import torch
from conftest import ESTIMATORS, UNSUPERVISED
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_digits, load_iris
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    GroupShuffleSplit,
    KFold,
    LeaveOneGroupOut,
    PredefinedSplit,
    ShuffleSplit,
    StratifiedGroupKFold,
    StratifiedKFold,
    TimeSeriesSplit,
    cross_validate,
    train_test_split,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from skorch.callbacks import Callback

import skcvae
from skcvae import VAE, CVAERegressor, EnsembleRegressor, NNRegressor
from skcvae.architectures import MLP
from skcvae.data import hold_out
from skcvae.data.batches import Selection
from skcvae.data.dependence import warn_of_dependence

N_ROWS = 60
ALL = [*ESTIMATORS, *UNSUPERVISED, EnsembleRegressor]
ALL_OF_Y = [cls for cls in ALL if cls not in UNSUPERVISED]
every_estimator = pytest.mark.parametrize("cls", ALL, ids=lambda cls: cls.__name__)
SPLITTERS = [
    GroupKFold(6),
    GroupShuffleSplit(test_size=0.3, random_state=1),
    KFold(3, shuffle=True, random_state=1),
    LeaveOneGroupOut(),
    PredefinedSplit(np.repeat([0, -1], 30)),
    ShuffleSplit(test_size=7, random_state=1),
    StratifiedGroupKFold(2),
    StratifiedKFold(2),
    TimeSeriesSplit(2, gap=3),
]


def table(n_rows=N_ROWS):
    """Return rows of x and y whose first columns are the number of the row."""
    X = np.random.default_rng(0).normal(size=(n_rows, 3))
    X[:, 0] = np.arange(n_rows)
    return X, X[:, :2]


class Noted(Callback):
    """Note the first columns of the rows to train on and to validate on, of all fits."""

    splits: list = []

    def on_train_begin(self, net, X, **kwargs):
        parts = filter(None, net.get_split_datasets(X))
        first_columns = (part[:][0][0][:, 0].numpy().round().astype(int) for part in parts)
        self.splits.append(tuple(first_columns))


def unfitted(cls, **params):
    """Return a small estimator that notes its splits, or an ensemble of two of them."""
    Noted.splits.clear()
    params = {"architecture": MLP((2,)), "max_epochs": 1, "normalize_X": False, **params}
    params["training"] = skcvae.Training(callbacks=[Noted()])
    if cls is EnsembleRegressor:
        return cls(NNRegressor(**params), n_estimators=2, random_state=0)
    return cls(random_state=0, **params)


def split_of(cls, X, y, *, params=None, **given):
    """Return a fitted estimator, and the rows to train on and to validate on of each net."""
    est = unfitted(cls, **(params or {}))
    est = est.fit(X, **given) if cls in UNSUPERVISED else est.fit(X, y, **given)
    assert len(Noted.splits) == (2 if cls is EnsembleRegressor else 1)
    return est, Noted.splits.copy()


# Of all estimators.


@every_estimator
def test_no_group_is_on_both_sides(cls):
    X, y = table()
    groups = np.random.default_rng(1).permutation(np.repeat(list("abcdef"), 10))
    _, splits = split_of(cls, X, y, groups=groups, params={"validation_fraction": 0.2})
    for kept, held_out in splits:
        assert not set(groups[kept]) & set(groups[held_out])
        assert len(held_out) == 10  # a fifth of 60 rows has room for one group
        assert sorted([*kept, *held_out]) == list(range(N_ROWS))


@every_estimator
@pytest.mark.parametrize("in_order", [True, False])
def test_copies_are_on_one_side(cls, in_order):
    rows = np.tile(np.arange(20), 3)
    rows = rows if in_order else np.random.default_rng(1).permutation(rows)
    X, y = (part[rows] for part in table(20))
    _, splits = split_of(cls, X, y)
    for kept, held_out in splits:
        assert len(held_out) == 6 and not set(kept) & set(held_out)


@every_estimator
def test_an_int_holds_out_the_last_rows_of_positive_weight(cls):
    X, y = table()
    weight = np.random.default_rng(1).integers(0, 3, N_ROWS)
    _, splits = split_of(cls, X, y, sample_weight=weight, params={"validation": 9})
    for kept, held_out in splits:
        np.testing.assert_array_equal([*kept, *held_out], np.flatnonzero(weight))
        assert len(held_out) == 9


@every_estimator
def test_the_rows_of_a_splitter_are_used(cls):
    X, y = table()
    fold = np.random.default_rng(1).integers(-1, 2, N_ROWS)
    _, splits = split_of(cls, X, y, params={"validation": PredefinedSplit(fold)})
    for kept, held_out in splits:
        np.testing.assert_array_equal(kept, np.flatnonzero(fold != 0))
        np.testing.assert_array_equal(held_out, np.flatnonzero(fold == 0))


@every_estimator
def test_by_default_the_split_is_that_of_train_test_split(cls):
    X, y = table()
    est, splits = split_of(cls, X, y)
    seeds = [member.seed_ for member in getattr(est, "estimators_", [est])]
    for (kept, held_out), seed in zip(splits, seeds, strict=True):
        expected = train_test_split(np.arange(N_ROWS), test_size=0.1, random_state=seed)
        np.testing.assert_array_equal(kept, expected[0])
        np.testing.assert_array_equal(held_out, expected[1])


# The random split.


@pytest.mark.parametrize("fraction", [0.01, 0.1, 0.25, 0.5])
@pytest.mark.parametrize("n_rows", [2, 7, 60, 199])
def test_if_no_rows_belong_together_blocks_are_split_as_rows(n_rows, fraction):
    found = hold_out.random_split(np.arange(n_rows), fraction, seed=3)
    expected = train_test_split(np.arange(n_rows), test_size=fraction, random_state=3)
    for part, rows in zip(found, expected, strict=True):
        np.testing.assert_array_equal(part, rows)


@pytest.mark.parametrize("fraction", [0.05, 0.1, 0.3, 0.9])
def test_the_share_of_the_rows_is_kept_whatever_the_size_of_the_groups(fraction):
    rng = np.random.default_rng(0)
    for seed in range(50):
        block = rng.permutation(np.repeat(np.arange(8), rng.integers(1, 30, 8)))
        sizes = np.bincount(block)
        kept, held_out = hold_out.random_split(block, fraction, seed)
        room = np.ceil(fraction * len(block))
        assert not set(block[kept]) & set(block[held_out])
        assert sorted([*kept, *held_out]) == list(range(len(block)))
        assert len(kept) and 0 < len(held_out) <= max(room, sizes.min())
        left = set(range(8)) - set(block[held_out])
        assert len(left) == 1 or all(sizes[i] > room - len(held_out) for i in left)


@pytest.mark.parametrize("fraction", [0.1, 0.25])
@pytest.mark.parametrize("counts", [[97, 3], [90, 5, 2, 2, 1], [20] * 5, [1] * 8 + [92]])
def test_each_label_is_on_both_sides_in_proportion(counts, fraction):
    n_rows, n_held_out = sum(counts), int(np.ceil(fraction * sum(counts)))
    for seed in range(50):
        label = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))
        kept, held_out = hold_out.random_split(np.arange(n_rows), fraction, seed, label)
        assert len(held_out) == n_held_out and sorted([*kept, *held_out]) == list(range(n_rows))
        found = np.bincount(label[held_out], minlength=len(counts))
        expected = fraction * np.array(counts)
        is_rare = (np.array(counts) > 1) & (expected < 1)
        assert (found[is_rare] == 1).all() and (found[np.array(counts) == 1] == 0).all()
        assert abs(found - expected).max() <= len(counts)
        assert set(label[kept]) == set(label)


@pytest.mark.parametrize("n_copies", [2, 5])
def test_copies_of_a_rare_label_are_to_train_on(n_copies):
    label = np.repeat([0, 1], [100 - n_copies, n_copies])
    block = np.r_[np.arange(100 - n_copies), np.full(n_copies, 100 - n_copies)]
    for seed in range(50):
        kept, held_out = hold_out.random_split(block, 0.1, seed, label)
        assert set(label[kept]) == {0, 1} and len(held_out) == 10


def test_labels_are_held_out_at_random():
    label = np.repeat([0, 1], [95, 5])
    times = np.zeros(100)
    for seed in range(2000):
        times[hold_out.random_split(np.arange(100), 0.1, seed, label)[1]] += 1
    assert abs(times[95:] - 400).max() < 72 and abs(times[:95] - 18000 / 95).max() < 60


@pytest.mark.parametrize("n_values", [2, 30, 31])
@pytest.mark.parametrize("as_text", [True, False])
def test_labels_are_one_output_of_few_values(n_values, as_text):
    y = np.arange(200) % n_values
    number = hold_out.labels((np.zeros((200, 2)), y.astype(str) if as_text else y), np.arange(200))
    assert (number is None) == (n_values == 31)
    two = np.c_[y, y] % 2
    assert hold_out.labels((two, two), np.arange(200)) is None
    assert hold_out.labels((two,), np.arange(200)) is None


@pytest.mark.parametrize("cls", ALL_OF_Y, ids=lambda cls: cls.__name__)
def test_a_rare_label_is_to_train_and_to_validate_on(cls):
    X, _ = table()
    y = np.repeat(["no", "yes"], [57, 3])
    _, splits = split_of(cls, X, y, params={"likelihood": "categorical"})
    for kept, held_out in splits:
        assert (y[kept] == "yes").sum() == 2 and (y[held_out] == "yes").sum() == 1


def test_each_group_is_held_out_in_its_turn():
    block = np.repeat(np.arange(10), 6)
    times = np.zeros(10)
    for seed in range(1000):
        _, held_out = hold_out.random_split(block, 0.1, seed)
        times[np.unique(block[held_out])] += 1
    assert times.sum() == 1000 and abs(times - 100).max() < 40  # 4 standard deviations


def test_a_seed_gives_the_split_and_no_global_state_is_used():
    X, y = table()
    groups = np.arange(N_ROWS) // 4
    for validation in ("random", ShuffleSplit(test_size=0.1), GroupShuffleSplit(test_size=0.1)):
        params = {"validation": validation}
        state = np.random.get_state()[1].copy()
        given = {} if isinstance(validation, ShuffleSplit) else {"groups": groups}
        first, again = (split_of(NNRegressor, X, y, params=params, **given)[1] for _ in range(2))
        np.testing.assert_array_equal(np.random.get_state()[1], state)
        np.testing.assert_array_equal(first[0][1], again[0][1])
        unfitted(NNRegressor, **params).set_params(random_state=1).fit(X, y, **given)
        assert set(Noted.splits[0][1]) != set(first[0][1])
    assert validation.random_state is None  # the user's own


@pytest.mark.parametrize("rule", [9, *SPLITTERS], ids=lambda rule: type(rule).__name__)
def test_an_int_and_a_splitter_are_of_rows_where_these_have_annotations(rule):
    X, y = table()
    annotations = np.repeat(y[:, None, :1].round(), 3, axis=1) % 2
    annotations[::5, 1] = annotations[3] = np.nan  # a row without an annotation is left out
    rows = np.delete(np.arange(N_ROWS), 3)
    if isinstance(rule, PredefinedSplit):
        rule = PredefinedSplit(rule.test_fold[rows])
    groups = rows // 6 if "Group" in type(rule).__name__ else None
    last = rows[:-9], rows[-9:]
    expected = last if rule == 9 else next(rule.split(X[rows], rows % 2, groups))
    params = {"annotations": True, "validation": rule}
    groups = None if groups is None else np.arange(N_ROWS) // 6
    _, [found] = split_of(NNRegressor, X, annotations, params=params, groups=groups)
    for there, part in zip(found, expected, strict=True):
        part = np.sort(part if rule == 9 else rows[part])
        assert (
            sorted(there) == np.repeat(part, (~np.isnan(annotations[part, :, 0])).sum(1)).tolist()
        )


def test_groups_may_be_the_numbers_of_rows_with_annotations():
    X, y = table()
    annotations = np.repeat(y[:, None], 2, axis=1)
    params = {"annotations": True, "validation": GroupKFold(6)}
    _, [(kept, held_out)] = split_of(
        NNRegressor, X, annotations, params=params, groups=np.arange(N_ROWS)
    )
    assert sorted([*kept, *held_out]) == np.arange(N_ROWS).repeat(2).tolist()
    assert set(kept).isdisjoint(held_out) and len(held_out) == 20


@pytest.mark.parametrize("annotations", [True, False])
def test_a_split_of_other_rows_is_refused(annotations):
    X, y = table()
    rule = PredefinedSplit(np.repeat([0, -1], 30))
    weight = np.repeat([0, 1], [1, N_ROWS - 1])
    y = np.repeat(y[:, None], 2, axis=1) if annotations else y
    with pytest.raises(ValueError, match="must split the 59 rows to fit, got row 59"):
        unfitted(NNRegressor, validation=rule, annotations=annotations).fit(X, y, weight)


def test_rows_of_weight_zero_are_on_neither_side():
    X, y = table()
    weight, groups = np.ones(N_ROWS), np.arange(N_ROWS) // 6
    weight[::4] = 0
    for params in ({}, {"validation": GroupKFold(5)}):
        ((kept, held_out),) = split_of(
            NNRegressor, X, y, params=params, groups=groups, sample_weight=weight
        )[1]
        assert sorted([*kept, *held_out]) == np.flatnonzero(weight).tolist()
        assert not set(groups[kept]) & set(groups[held_out])


@pytest.mark.parametrize("splitter", SPLITTERS, ids=lambda splitter: type(splitter).__name__)
def test_splitters_get_x_y_and_groups_and_come_back_from_a_file(splitter, tmp_path):
    X, _ = table()
    y = np.arange(N_ROWS) // 2 % 2
    groups = np.arange(N_ROWS) // 5
    needs_groups = "Group" in type(splitter).__name__
    given = {"groups": groups} if needs_groups else {}
    params = {"validation": splitter, "likelihood": "categorical"}
    est, ((kept, held_out),) = split_of(NNRegressor, X, y, params=params, **given)
    expected = next(iter(splitter.split(X, y, groups if needs_groups else None)))
    np.testing.assert_array_equal(kept, expected[0])
    np.testing.assert_array_equal(held_out, expected[1])
    est.set_params(training=None).save(tmp_path / "one")
    assert repr(skcvae.load(tmp_path / "one").validation) == repr(splitter)


# Rows that belong together.


def copies_of(X, y):
    return hold_out.copies((X, y), np.arange(len(X)))


def test_copies_and_groups_join():
    """Groups a and b have a copy in common, so that they are held out together."""
    X, y = table()
    X[10], y[10] = X[0], y[0]
    groups = np.repeat(list("abcdef"), 10)
    block = hold_out.blocks((X, y), np.arange(N_ROWS), groups)
    assert len(set(block)) == 5 and len(set(block[:20])) == 1


@pytest.mark.parametrize("n_copies", [2, 3, 10])
def test_copies_are_recognised_in_all_kinds_of_numbers(n_copies):
    rng = np.random.default_rng(0)
    X, iris = rng.normal(size=(50, 2)), np.unique(load_iris().data, axis=0)
    cases = [
        (X, rng.normal(size=50)),
        (X[:, :1], rng.normal(size=(50, 1))),
        (X, rng.poisson(2.0, size=50)),
        (np.ones((50, 1)), rng.normal(size=50)),
        (np.repeat(X[:10], 5, axis=0), rng.normal(size=(50, 2))),  # visits, recorded twice
        (iris[:, :2], iris[:, 2:]),
        (rng.integers(0, 256, (50, 3, 4)), rng.integers(0, 2, (50, 3, 4))),
        (X, np.where(rng.random((50, 2)) < 0.3, np.nan, X)),
    ]
    for x, y in cases:
        order = rng.permutation(np.tile(np.arange(len(x)), n_copies))
        block = copies_of(x[order], y[order])
        assert len(set(zip(order, block, strict=True))) == len(set(block)) == len(x)


def test_in_tables_of_few_values_equal_rows_are_no_copies():
    """Else whole values of y would be missing from the rows to train on."""
    rng = np.random.default_rng(0)
    x = np.column_stack([rng.integers(0, 3, 500), rng.integers(0, 4, 500)])
    for scaled in (x, x / 7 + 0.1):
        for y in (rng.integers(0, 2, 500), rng.poisson(3.0, 500), 4 * x[:, 0] + x[:, 1] % 2):
            coincide = len(set(map(tuple, np.column_stack([x, y])))) < 250
            mixed = not np.array_equal(y, 4 * x[:, 0] + x[:, 1] % 2)
            assert coincide and (len(set(copies_of(scaled, y))) == 500) == mixed
    assert len(set(hold_out.copies((x,), np.arange(500)))) == 500  # of x alone


@pytest.mark.parametrize("cls", [NNRegressor, VAE])
def test_if_all_rows_are_the_same_they_are_split_nevertheless(cls):
    _, ((kept, held_out),) = split_of(cls, np.zeros((20, 3)), np.zeros(20))
    assert len(kept), len(held_out) == (18, 2)


# The warning.


def subjects(n_subjects=30, n_visits=20, n_features=3):
    rng = np.random.default_rng(0)
    subject = np.repeat(np.arange(n_subjects), n_visits)
    X = rng.normal(size=(n_subjects, n_features))
    return X[subject], X[subject, :1] + rng.normal(size=(len(subject), 2)), subject


def split_and_compared(X, y, groups=None, validation="random"):
    """Split rows, and warn if those held out depend on the others."""
    selection = Selection.select((X, y), groups=groups)
    kept, held_out = selection.split(validation=validation, fraction=0.1, seed=0)
    warn_of_dependence(kept, held_out)


@pytest.mark.parametrize("n_features", [1, 2, 5])
def test_visits_of_subjects_warn_unless_groups_are_given(n_features):
    X, y, subject = subjects(n_features=n_features)
    with pytest.warns(UserWarning, match="pass their groups to fit"):
        split_and_compared(X, y)
    with pytest.warns(UserWarning, match="pass their groups to fit"):
        split_and_compared(X, y, validation=ShuffleSplit(test_size=0.1))
    split_and_compared(X, y, groups=subject)
    split_and_compared(X, y, validation=40)


@pytest.mark.parametrize("other", ["visit", "continuous", "two"])
@pytest.mark.parametrize("n_features", [1, 3])
def test_subjects_warn_where_other_columns_vary(n_features, other):
    X, y, subject = subjects(n_features=n_features)
    new = np.random.default_rng(1).normal(size=(len(X), 2))
    visit = np.tile(np.arange(20.0), 30)[:, None]
    X = np.hstack([X, {"visit": visit % 10, "continuous": new[:, :1], "two": new}[other]])
    columns = re.escape(str(list(range(n_features))))
    with pytest.warns(UserWarning, match=f"in the columns {columns} of X.*pass their groups"):
        split_and_compared(X, y)
    split_and_compared(X, y, groups=subject)


def test_two_visits_of_each_subject_warn_too():
    X, y, _ = subjects(300, 2)
    with pytest.warns(UserWarning, match="9.% of the rows held out .* pass their groups to fit"):
        split_and_compared(X, y)


def test_ages_and_sizes_of_subjects_warn_too_and_so_do_images_with_several_answers():
    rng, rows = np.random.default_rng(0), np.repeat(np.arange(30), 10)
    ages = np.column_stack([rng.integers(20, 80, 30), *rng.normal(150, 15, (2, 30)).round()])
    kinds = np.column_stack([ages[:, :2], rng.integers(0, 2, (30, 2))])
    for x in (ages, kinds, rng.integers(0, 256, (30, 8, 8))):
        with pytest.warns(UserWarning, match="pass their groups to fit"):
            split_and_compared(x[rows], rng.normal(size=300))


def test_the_warning_names_the_line_of_the_call():
    X, y, _ = subjects()
    with pytest.warns(UserWarning, match="pass their groups to fit") as seen:
        unfitted(NNRegressor).fit(X, y)
    assert seen[0].filename == __file__


def usual_tables():
    """Yield tables in which x repeat without anything to warn of."""
    rng = np.random.default_rng(0)
    iris, diabetes = load_iris().data, load_diabetes()
    for columns in ([0], [1], [2], [3], [2, 3], [1, 3], [0, 1, 2]):
        yield iris[:, columns], np.delete(iris, columns, axis=1)
    yield diabetes.data, diabetes.target
    for column in range(10):
        yield diabetes.data[:, [column]], diabetes.target
    categories = rng.integers(0, 5, (1000, 3))
    yield categories, rng.normal(size=1000)
    yield (categories - categories.mean(0)) / categories.std(0), rng.normal(size=1000)
    yield np.eye(30)[rng.integers(0, 30, 1000)], rng.normal(size=1000)
    yield rng.normal(20, 5, (2000, 1)).round(1), rng.normal(size=2000)
    yield np.repeat([[0.1], [0.3], [1], [3], [10]], 50, axis=0), rng.normal(size=250)
    doses = np.stack(np.meshgrid(np.logspace(0, 2, 12), np.logspace(0, 1, 12)), -1)
    yield np.tile(doses.reshape(-1, 2), (4, 1)), rng.normal(size=576)


def test_tables_of_few_values_or_rounded_numbers_do_not_warn():
    for X, y in usual_tables():
        split_and_compared(X, y)  # warnings are errors


@pytest.mark.parametrize("n_features", [1, 2, 5])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_of_subjects_belong_together_and_those_of_a_category_do_not(n_features, dtype):
    X, y, subject = subjects(n_features=n_features)
    X = ((X - X.mean(0)) / X.std(0)).astype(dtype)
    assert np.array_equal(hold_out.groups_of((X, y)), subject)
    assert np.array_equal(hold_out.groups_of((X, y), subject % 3), subject % 3)
    for X, y in usual_tables():
        assert len(set(hold_out.groups_of((X.astype(dtype), y)))) > 0.6 * len(X)


@pytest.mark.parametrize("n_copies", [2, 3, 10, 20])
@pytest.mark.parametrize("jitter", [1e-9, 1e-3, 0.02])
@pytest.mark.parametrize("n_features", [4, 30])
def test_near_copies_of_x_warn_unless_groups_are_given(n_copies, jitter, n_features):
    rng, group = np.random.default_rng(0), np.repeat(np.arange(400 // n_copies), n_copies)
    X = 1e3 + rng.normal(size=(len(group), n_features))[group]
    X += jitter * rng.normal(size=X.shape)
    X[:, 0] = 7  # a constant column
    with pytest.warns(UserWarning, match="nearly the x of rows to train on"):
        split_and_compared(X, X[:, 1])
    split_and_compared(X, X[:, 1], groups=group)
    split_and_compared(X, X[:, 1], validation=40)  # of whole clusters
    order = rng.permutation(len(X))
    with pytest.warns(UserWarning, match="nearly the x of rows to train on"):
        split_and_compared(X[order], X[order, 1], validation=40)


def test_rows_that_the_user_gives_to_validate_on_are_not_compared():
    rng = np.random.default_rng(0)
    X = np.repeat(rng.normal(size=(100, 4)), 4, axis=0) + 1e-6 * rng.normal(size=(400, 4))
    unfitted(NNRegressor).fit(X, X[:, 0], X_val=X, y_val=X[:, 0])  # warnings are errors
    with pytest.warns(UserWarning, match="nearly the x of rows to train on"):
        unfitted(NNRegressor).fit(X, X[:, 0])


def tables_without_clusters():
    rng = np.random.default_rng(0)
    for n_features in (1, 2, 5, 40):
        X = rng.normal(size=(500, n_features))
        yield from (X, np.exp(2 * X), np.c_[X, rng.integers(0, 3, (500, 2))])
        for n_rows in (5, 20, 60):
            yield X[:n_rows]
    for n_rows in (50, 100, 200):
        yield from rng.normal(size=(30, n_rows, 1))
        yield from np.dstack([rng.normal(size=(30, n_rows)), rng.integers(0, 2, (30, n_rows))])
    centers = rng.normal(size=(10, 5))
    yield 3 * centers[rng.integers(0, 10, 500)] + rng.normal(size=(500, 5))
    yield np.c_[np.zeros(99), [1e300] * 49 + [0] * 50]
    yield load_diabetes().data


def test_tables_without_clusters_do_not_warn():
    for X in tables_without_clusters():
        split_and_compared(X, X[:, 0])  # warnings are errors
    rng = np.random.default_rng(0)
    X = np.where(rng.random((100, 4)) < 0.3, np.nan, rng.normal(size=(100, 4)))
    split_and_compared(X, X[:, 0])


def windows(n_columns, step=1, n_channels=1, n_rows=200):
    series = np.random.default_rng(0).normal(size=(n_rows * step + n_columns, n_channels))
    starts = np.arange(0, n_rows * step, step)
    return np.stack([series[start : start + n_columns] for start in starts])


@pytest.mark.parametrize(
    "y",
    [
        windows(12)[..., 0],
        windows(12)[::-1, :, 0],  # the latest first
        windows(12)[:, ::-1, 0],
        windows(12, step=4)[..., 0],
        windows(12, n_channels=3),
        windows(2)[..., 0],
    ],
    ids=["hourly", "rows reversed", "columns reversed", "every fourth", "channels", "two"],
)
def test_overlapping_windows_warn_unless_the_last_rows_are_held_out(y):
    X = np.random.default_rng(1).normal(size=(len(y), 2))
    with pytest.warns(UserWarning, match="windows of a series that overlap"):
        split_and_compared(X, y)
    split_and_compared(X, y, validation=30)


def test_rows_of_y_that_are_no_windows_do_not_warn():
    rng, images = np.random.default_rng(0), load_digits().images
    X = rng.normal(size=(len(images), 2))
    labels = rng.integers(0, 2, len(images))
    for y in (images[:, 4:], images > 8, np.eye(2)[labels], labels, windows(12, 12)[:, :, 0]):
        split_and_compared(X[: len(y)], y)  # warnings are errors


# Metadata.


@pytest.mark.parametrize("routing", [False, True])
def test_searches_validation_and_pipelines_pass_groups_on(routing):
    X, y = table()
    groups = np.random.default_rng(1).integers(0, 12, N_ROWS)
    for cls in (NNRegressor, VAE, EnsembleRegressor):
        est = unfitted(cls, validation_fraction=0.3)
        pipe = make_pipeline(FunctionTransformer(), est)
        name = f"{cls.__name__.lower()}__groups"
        given = {"cv": GroupKFold(2), "error_score": "raise"}
        scored = {"scoring": lambda est, X, y=None: 0.0} if cls is VAE else {}
        with sklearn.config_context(enable_metadata_routing=routing):
            if routing:
                est.set_fit_request(groups=True)
                GridSearchCV(est, {}, **given, **scored).fit(X, y, groups=groups)
                pipe.fit(X, y, groups=groups)
                cross_validate(pipe, X, y, params={"groups": groups}, **given, **scored)
            else:
                search = GridSearchCV(pipe, {}, **given, **scored)
                search.fit(X, y, groups=groups, **{name: groups})
                pipe.fit(X, y, **{name: groups})
                params = {name: groups}
                given["cv"] = list(GroupKFold(2).split(X, y, groups))
                cross_validate(pipe, X, y, params=params, **given, **scored)
        assert len(Noted.splits) == (3 + 1 + 2) * (2 if cls is EnsembleRegressor else 1)
        for kept, held_out in Noted.splits:
            assert not set(groups[kept]) & set(groups[held_out])


def test_a_search_over_ways_to_hold_out():
    X, y = table()
    grid = {"validation": ["random", 6, KFold(3)]}
    search = GridSearchCV(unfitted(NNRegressor), grid, cv=2, error_score="raise").fit(X, y)
    assert len(search.cv_results_["params"]) == 3
    assert clone(search.best_estimator_).validation is not None


# A Dataset.


class Rows(torch.utils.data.Dataset):
    def __init__(self, *arrays):
        self.arrays = arrays

    def __len__(self):
        return len(self.arrays[0])

    def __getitem__(self, row):
        return tuple(array[row] for array in self.arrays)


def test_items_have_groups_an_order_and_splitters_but_are_not_compared():
    X, y = table()
    groups = np.arange(N_ROWS) % 12
    ((kept, held_out),) = split_of(NNRegressor, Rows(X, y), None, groups=groups)[1]
    assert not set(groups[kept]) & set(groups[held_out])
    for validation in (7, GroupKFold(4), PredefinedSplit(np.arange(N_ROWS) // 50 - 1)):
        given = {"groups": groups} if isinstance(validation, GroupKFold) else {}
        params = {"validation": validation}
        splits = [
            split_of(NNRegressor, *rows, params=params, **given)[1]
            for rows in ((X, y), (Rows(X, y), None))
        ]
        for of_arrays, of_items in zip(*(part[0] for part in splits), strict=True):
            np.testing.assert_array_equal(of_arrays, of_items)


# Errors.


class Odd(KFold):
    """A splitter whose first split is given."""

    def __init__(self, *parts):
        super().__init__()
        self.parts = parts

    def split(self, X, y=None, groups=None):
        return iter([self.parts] if self.parts else [])


ROWS = np.arange(N_ROWS)
GROUPS = ROWS // 10
BAD = [
    ({}, {"groups": GROUPS[:-1]}, r"groups must have one label for each of the 60 rows.*\(59,\)"),
    ({}, {"groups": GROUPS[:, None]}, r"groups must have one label.*got shape \(60, 1\)"),
    ({}, {"groups": np.zeros(N_ROWS)}, "groups must be at least 2"),
    ({}, {"groups": np.where(ROWS == 3, np.nan, GROUPS)}, "groups must not be missing, got nan f"),
    ({}, {"groups": [None, *GROUPS[1:]]}, "groups must not be missing, got None for row 0"),
    ({}, {"groups": ["a", np.nan] * 30}, "groups must not be missing, got nan for row 1"),
    (
        {},
        {"groups": pd.Series(["a", pd.NA] * 30, dtype=object)},
        "groups must not be missing, got <NA> for row 1",
    ),
    ({"validation": N_ROWS}, {}, "below the number of rows, 60, got 60"),
    ({"validation": 0}, {}, "The 'validation' parameter"),
    ({"validation": "last"}, {}, "The 'validation' parameter"),
    ({"validation": 0.1}, {}, "The 'validation' parameter"),
    ({"validation": 7}, {"groups": GROUPS}, "rows on both: 1, such as 5"),
    ({"validation": KFold(7, shuffle=True)}, {"groups": GROUPS}, "must keep the rows of a group"),
    ({"validation": GroupKFold(3)}, {}, "'groups' parameter should not be None"),
    ({"validation": Odd()}, {}, "must have rows to train on in its first split"),
    ({"validation": Odd(ROWS, [])}, {}, "must have rows to validate on in its first split"),
    ({"validation": Odd(ROWS, ROWS[:5])}, {}, "must not validate on rows to train on"),
    (
        {"validation": Odd(ROWS[:9], ROWS[9:] / 1)},
        {},
        "row numbers, or masks of 60 bools.* 51 of float64",
    ),
    (
        {"validation": Odd(ROWS > 9, ROWS[:9])},
        {},
        "or masks of 60 bools.* 60 of bool",
    ),
    ({"validation": Odd(ROWS[:9] > 5, ROWS[:9] < 6)}, {}, "masks of 60 bools.* 9 of bool"),
    ({"validation": 5, "early_stopping": False}, {}, "early_stopping=False holds no rows out"),
    ({"validation": 5}, {"X_val": True}, r"^X_val .*: leave out X_val, or validation=5\.$"),
    ({}, {"groups": GROUPS, "X_val": True}, r"^X_val .*: leave out X_val, or groups\.$"),
    (
        {"validation": 5},
        {"groups": GROUPS, "X_val": True},
        r"^X_val .*: leave out X_val, or validation=5 and groups\.$",
    ),
]


@pytest.mark.filterwarnings("ignore:The groups parameter is ignored by KFold")
@pytest.mark.parametrize(("params", "given", "message"), BAD)
@pytest.mark.parametrize("cls", [CVAERegressor, VAE, EnsembleRegressor])
def test_errors_say_what_was_got_and_leave_the_estimator(cls, params, given, message):
    X, y = table()
    est = unfitted(cls, **params)
    given, rows = dict(given), (X,) if cls is VAE else (X, y)
    if given.pop("X_val", False):
        given |= {"X_val": X} if cls is VAE else {"X_val": X, "y_val": y}
    before = dict(vars(est))
    with pytest.raises(ValueError, match=message):
        est.fit(*rows, **given)
    assert vars(est) == before


def test_a_splitter_may_have_masks():
    X, y = table()
    numbers, masks = (
        unfitted(CVAERegressor, validation=Odd(*parts)).fit(X, y)
        for parts in ((ROWS[20:], ROWS[:20]), (ROWS >= 20, ROWS < 20))
    )
    np.testing.assert_array_equal(masks.predict(X), numbers.predict(X))


def test_without_rows_held_out_groups_have_no_use():
    X, y = table()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        params = {"early_stopping": False}
        ((kept,),) = split_of(NNRegressor, X, y, params=params, groups=GROUPS)[1]
    assert len(kept) == N_ROWS
