"""Labels as users have them: texts, booleans, missing ones; one-hot codes are refused."""

import functools
import pickle
from contextlib import nullcontext

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skcvae
from skcvae import CVAERegressor, EnsembleRegressor, GSNNRegressor, NNRegressor
from skcvae.likelihoods import (
    Autoregressive,
    Bernoulli,
    Categorical,
    Columns,
    CorrelatedLogits,
    Gaussian,
    Poisson,
)
from skcvae.metrics import intersection_over_union, pixel_accuracy

N, QUICK = 40, {"max_epochs": 2, "random_state": 0}
rng = np.random.default_rng(0)
X = rng.normal(size=(N, 3))
NUMBERS = rng.integers(0, 3, (N, 2)) * (X[:, :1] > -1)
TEXTS = np.array(["cat", "dog", "eel"], dtype=object)[NUMBERS]
BOOLS = NUMBERS > 0
CLASSES = {
    "CVAERegressor": CVAERegressor(likelihood="categorical", **QUICK),
    "GSNNRegressor": GSNNRegressor(likelihood="categorical", **QUICK),
    "NNRegressor": NNRegressor(likelihood="categorical", **QUICK),
    "EnsembleRegressor": EnsembleRegressor(
        NNRegressor(likelihood="categorical", max_epochs=2), n_estimators=2, random_state=0
    ),
}
each = pytest.mark.parametrize("name", CLASSES)
NAMED = {"texts": (TEXTS, ["cat", "dog", "eel"]), "booleans": (BOOLS, [False, True])}


@functools.cache
def fitted(name, kind):
    y = {**NAMED, "numbers": (NUMBERS, None), "zeros and ones": (BOOLS * 1, None)}[kind][0]
    return skcvae.__dict__[name](**CLASSES[name].get_params(deep=False)).fit(X, y)


@each
@pytest.mark.parametrize(("kind", "plain"), [("texts", "numbers"), ("booleans", "zeros and ones")])
def test_answers_are_those_of_integers_by_other_names(name, kind, plain):
    y, classes = NAMED[kind]
    est, other = fitted(name, kind), fitted(name, plain)
    numbers = NUMBERS if plain == "numbers" else BOOLS * 1
    assert est.classes_.tolist() == classes
    named = np.array(classes, dtype=object)
    assert est.score(X, y) == other.score(X, numbers)
    predicted, proba = est.predict(X, return_proba=True)
    np.testing.assert_array_equal(predicted, named[other.predict(X)])
    np.testing.assert_array_equal(proba, other.predict(X, return_proba=True)[1])
    np.testing.assert_array_equal(est.sample(X, 3, 0), named[other.sample(X, 3, 0)])
    hidden = np.arange(2 * N).reshape(N, 2) % 3 == 0
    found = est.complete(X, y, 2, hidden, random_state=0)
    expected = other.complete(X, numbers, 2, hidden, random_state=0)
    np.testing.assert_array_equal(found, named[expected.astype(int)])
    np.testing.assert_array_equal(found[:, ~hidden], np.stack([y[~hidden]] * 2))


def test_latent_methods_name_labels():
    est, other = fitted("CVAERegressor", "texts"), fitted("CVAERegressor", "numbers")
    z = est.encode(X, TEXTS)
    np.testing.assert_array_equal(z, other.encode(X, NUMBERS))
    named = np.array(["cat", "dog", "eel"])
    np.testing.assert_array_equal(est.decode(X, z), named[other.decode(X, z)])
    np.testing.assert_array_equal(est.reconstruct(X, TEXTS), named[other.reconstruct(X, NUMBERS)])
    module = est.to_torch()  # a torch module has numbers alone
    np.testing.assert_array_equal(named[module(torch.tensor(X)).numpy()], est.predict(X))


@pytest.mark.parametrize(
    "y",
    [
        TEXTS.astype(str),
        TEXTS.tolist(),
        pd.DataFrame(TEXTS, columns=["a", "b"]),
        pd.DataFrame(TEXTS, columns=["a", "b"]).astype("category"),
        pl.DataFrame(TEXTS.tolist(), schema=["a", "b"], orient="row"),
    ],
    ids=["str", "list", "pandas", "categories", "polars"],
)
def test_texts_are_read_from_everything_that_holds_them(y):
    est = fitted("NNRegressor", "texts")
    assert est.score(X, y) == est.score(X, TEXTS)


@each
@pytest.mark.parametrize("kind", NAMED)
def test_copies_and_files_name_labels(name, kind, tmp_path):
    est = fitted(name, kind)
    est.save(tmp_path / "est.skcvae")
    for other in (pickle.loads(pickle.dumps(est)), skcvae.load(tmp_path / "est.skcvae")):
        assert other.classes_.tolist() == NAMED[kind][1]
        np.testing.assert_array_equal(other.predict(X), est.predict(X))


def test_frames_hold_texts():
    y = pd.Series(TEXTS[:, 0], name="animal")
    frame = NNRegressor(likelihood="categorical", **QUICK).fit(X, y).predict(X, as_frame=True)
    assert list(frame.columns) == ["animal"] and set(frame["animal"]) <= {"cat", "dog", "eel"}


@pytest.mark.parametrize("est", [NNRegressor(**QUICK), CLASSES["EnsembleRegressor"]], ids=repr)
def test_where_there_are_no_classes_the_error_says_so(est):
    est = clone(est)
    with pytest.raises(NotFittedError, match=f"{type(est).__name__} instance is not fitted yet"):
        _ = est.classes_
    est.set_params(**{max(p for p in est.get_params() if p.endswith("likelihood")): "auto"})
    est.fit(X, X)
    with pytest.raises(
        AttributeError, match=r"NNRegressor with likelihood=StudentT\(.*has no classes_"
    ):
        _ = est.classes_
    assert not hasattr(est, "classes_") and not hasattr(clone(est), "classes_")


@each
@pytest.mark.parametrize("kind", [*NAMED, "numbers"])
def test_frames_of_labels_come_with_arrays_of_probabilities(name, kind):
    est = fitted(name, kind)
    labels, proba = est.predict(X, return_proba=True, as_frame=True)
    pd.testing.assert_frame_equal(labels, est.predict(X, as_frame=True))
    np.testing.assert_array_equal(proba, est.predict(X, return_proba=True)[1])


def test_classes_may_name_more_than_occur():
    likelihood = Categorical(classes=["eel", "fox", "cat", "dog"])
    est = NNRegressor(likelihood=likelihood, **QUICK).fit(X, TEXTS)
    assert est.classes_.tolist() == ["cat", "dog", "eel", "fox"]
    assert likelihood.classes == ["eel", "fox", "cat", "dog"]


IGNORED = np.where(rng.random(NUMBERS.shape) < 0.3, 255, NUMBERS)


@pytest.mark.parametrize("estimator_class", [CVAERegressor, NNRegressor])
def test_an_ignored_label_is_not_observed(estimator_class):
    params = {"partial_y": True, **QUICK}
    est = estimator_class(likelihood=Categorical(ignore_label=255), **params).fit(X, IGNORED)
    holes = np.where(IGNORED == 255, np.nan, IGNORED)
    other = estimator_class(likelihood="categorical", **params).fit(X, holes)
    assert est.classes_.tolist() == [0, 1, 2]
    np.testing.assert_array_equal(est.log_prob(X, IGNORED), other.log_prob(X, holes))
    whole = est.complete(X, IGNORED, random_state=0)[0]
    np.testing.assert_array_equal(whole[IGNORED != 255], IGNORED[IGNORED != 255])
    assert set(np.unique(whole)) <= {0, 1, 2}


def test_an_ignored_text_is_not_observed():
    y = np.where(IGNORED == 255, "?", TEXTS)
    likelihood = Categorical(ignore_label="?")
    est = NNRegressor(likelihood=likelihood, partial_y=True, **QUICK).fit(X, y)
    assert est.classes_.tolist() == ["cat", "dog", "eel"]


ONE_HOT = np.eye(3)[NUMBERS[:, 0]]
MAPS = np.eye(3)[rng.integers(0, 3, (N, 5, 6))]


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (ONE_HOT, r"one-hot, .* axis 1: expected labels, y.argmax\(axis=1\)"),
        (MAPS, r"one-hot, .* axis -1: expected labels, y.argmax\(axis=-1\)"),
        (np.moveaxis(MAPS, -1, 1), r"y.argmax\(axis=1\)"),
        (IGNORED, r"label 255 beside \[0, 1, 2\].*Categorical\(ignore_label=255\)"),
        (
            rng.integers(-1, 3, (N, 2)),
            r"label -1 beside \[0, 1, 2\].*Categorical\(ignore_label=-1\)",
        ),
        (np.where(IGNORED == 255, -100, NUMBERS), r"label -100 beside \[0, 1, 2\]"),
        (np.where(BOOLS, True, TEXTS), r"texts and booleans, \['True', .*of one kind"),
        (np.where(BOOLS, "a", None), "at least 2 classes, got labels"),
        (np.vstack([TEXTS[:-1], [[1, 2]]]), r"y has numbers, \['1', '2'\], beside"),
    ],
)
def test_what_is_no_label_is_refused_with_what_to_do(y, message):
    with pytest.raises(ValueError, match=message):
        NNRegressor(likelihood="categorical", partial_y=True, **QUICK).fit(X, y)


def test_what_is_refused_may_be_said_to_be_labels():
    NNRegressor(likelihood=Categorical([0, 1]), **QUICK).fit(X, ONE_HOT)
    NNRegressor(likelihood=Categorical([0, 1, 2, 255]), **QUICK).fit(X, IGNORED)
    two_values = np.where(BOOLS, 255, 0)
    assert NNRegressor(likelihood="categorical", **QUICK).fit(X, two_values).classes_.tolist() == [
        0,
        255,
    ]


@pytest.mark.parametrize("around", [lambda labels: labels, CorrelatedLogits])
def test_advice_on_ignored_labels_names_them(around):
    with pytest.raises(ValueError, match="NaN, or ignore_label=255.*only if partial_y=True"):
        y = np.resize([0, 1, 255], (len(X), 4))
        NNRegressor(likelihood=around(Categorical(ignore_label=255)), **QUICK).fit(X, y)


def test_ignored_labels_need_partial_y():
    with pytest.raises(ValueError, match="whose label is ignored, only if partial_y=True"):
        NNRegressor(likelihood=Categorical(ignore_label=255), **QUICK).fit(X, IGNORED)


def test_labels_of_another_kind_are_refused():
    est = fitted("NNRegressor", "texts")
    for y in (NUMBERS, np.where(BOOLS, "cat", "fox")):
        with pytest.raises(ValueError, match=r"not in y in fit, expected among \['cat'"):
            est.score(X, y)
    with pytest.raises(ValueError, match="likelihood='categorical'"):
        NNRegressor(**QUICK).fit(X, TEXTS)


@pytest.mark.parametrize("shape", [(N,), (N, 4), (N, 4, 4)])
@pytest.mark.parametrize("axis", [1, -1])
@pytest.mark.parametrize("kind", ["integers", "booleans", "bytes", "gaps"])
def test_one_hot_codes_of_any_kind_are_refused(shape, axis, kind):
    code = np.moveaxis(np.eye(3)[rng.integers(0, 3, shape)], -1, axis)
    y = {"integers": code.astype(int), "booleans": code > 0, "bytes": code * 255, "gaps": code}[
        kind
    ]
    if kind == "gaps":
        y[::5] = np.nan
    est = CVAERegressor(likelihood="categorical", partial_y=kind == "gaps", **QUICK)
    with pytest.raises(ValueError, match="one-hot"):
        est.fit(X, y)


@pytest.mark.parametrize(
    ("y", "classes", "message"),
    [
        (np.full((N, 2), "a"), None, "at least 2 classes, got labels \\['a'\\]"),
        (TEXTS, [0, 1, 2], "labels such as '(cat|dog|eel)', expected the integers"),
        (np.c_[TEXTS[:, 0], NUMBERS[:, 1]], None, "y has numbers, .* expected labels of one kind"),
        (BOOLS, None, "at least 2 classes"),
    ],
)
def test_labels_that_cannot_be_classes_are_named(y, classes, message):
    ignored = False if y is BOOLS else None
    likelihood = Categorical(classes=classes, ignore_label=ignored)
    with pytest.raises(ValueError, match=message):
        CVAERegressor(likelihood=likelihood, partial_y=True, **QUICK).fit(X, y)


@pytest.mark.parametrize("ignored", [255, "unknown"])
def test_metrics_of_label_maps_skip_what_the_likelihood_ignores(ignored):
    whole = NUMBERS.astype(object) if ignored == 255 else TEXTS
    hidden = np.arange(2 * N).reshape(N, 2) % 4 == 0
    y = np.where(hidden, ignored, whole)
    y = y.astype(int) if ignored == 255 else y
    likelihood = Categorical(ignore_label=ignored)
    est = CVAERegressor(likelihood=likelihood, partial_y=True, **QUICK).fit(X, y)
    right = (est.predict(X) == whole)[~hidden].mean()
    assert skcvae.metrics.pixel_accuracy_scorer(est, X, y) == pytest.approx(right)
    known = np.where(hidden, None, whole)
    expected = skcvae.metrics.intersection_over_union(known, est.predict(X))
    assert skcvae.metrics.mean_iou_scorer(est, X, y) == expected


IGNORING = {
    "texts": (Categorical(ignore_label="void"), np.where(IGNORED == 255, "void", TEXTS), "void"),
    "negative": (Categorical(ignore_label=-1), np.where(IGNORED == 255, -1, NUMBERS), -1),
    "nested": (CorrelatedLogits(Categorical(ignore_label=255), rank=2, n_draws=4), IGNORED, 255),
    "columns": (
        Columns([("u", Gaussian(), [0]), ("k", Categorical(ignore_label=255), [1])]),
        np.column_stack([X[:, 0], IGNORED[:, 0]]),
        255,
    ),
}


@pytest.mark.parametrize("kind", IGNORING)
@pytest.mark.parametrize(
    "around",
    [
        lambda est: est,
        lambda est: make_pipeline(StandardScaler(), est),
        lambda est: EnsembleRegressor(est.set_params(random_state=None), n_estimators=2),
    ],
    ids=["alone", "pipeline", "ensemble"],
)
def test_cll_is_of_outputs_that_are_not_ignored(kind, around):
    likelihood, y, ignored = IGNORING[kind]
    est = around(NNRegressor(likelihood=likelihood, partial_y=True, **QUICK)).fit(X, y)
    expected = skcvae.log_prob(est, X, y).sum() / (y != ignored).sum()
    assert skcvae.metrics.cll_per_pixel(est, X, y) == pytest.approx(expected)


def test_cll_of_texts_is_that_of_their_numbers():
    holes = np.where(IGNORED == 255, None, TEXTS)
    numbers = np.where(IGNORED == 255, np.nan, NUMBERS)
    log_prob = np.ones(N)
    cll = skcvae.metrics.negative_cll_per_pixel
    assert cll(log_prob, holes) == cll(log_prob, numbers) < cll(log_prob, TEXTS) < 0


NESTED = {
    "CorrelatedLogits": lambda labels: CorrelatedLogits(labels, rank=2, n_draws=4),
    "Autoregressive": lambda labels: Autoregressive(labels, n_draws=4),
}


@pytest.mark.parametrize("nested", NESTED)
@pytest.mark.parametrize(("kind", "plain"), [("texts", NUMBERS), ("booleans", BOOLS * 1)])
def test_labels_inside_other_likelihoods_have_their_names(nested, kind, plain, tmp_path):
    y, classes = NAMED[kind]
    likelihood = NESTED[nested](Categorical())
    est = NNRegressor(likelihood=likelihood, **QUICK).fit(X, y)
    other = NNRegressor(likelihood=likelihood, **QUICK).fit(X, plain)
    assert est.classes_.tolist() == classes and likelihood.likelihood.classes is None
    named = np.array(classes, dtype=object)
    np.testing.assert_array_equal(est.predict(X), named[other.predict(X)])
    np.testing.assert_array_equal(est.sample(X, 3, 0), named[other.sample(X, 3, 0)])
    assert est.score(X, y) == other.score(X, plain)
    est.save(tmp_path / "est.skcvae")
    again = skcvae.load(tmp_path / "est.skcvae")
    np.testing.assert_array_equal(again.predict(X), est.predict(X))
    with pytest.raises(ValueError, match="labels .* that were not in y in fit"):
        est.score(X, np.full_like(y, "fox", dtype=object))


def test_correlated_logits_take_labels_by_default_and_numbers_otherwise():
    est = NNRegressor(likelihood="correlated_logits", **QUICK).fit(X, TEXTS)
    assert est.classes_.tolist() == ["cat", "dog", "eel"]
    grey = CorrelatedLogits(Bernoulli(), rank=2)
    assert NNRegressor(likelihood=grey, **QUICK).fit(X, BOOLS).predict(X).dtype == float


def test_a_label_is_ignored_by_correlated_logits_and_refused_by_an_autoregression():
    params = {"partial_y": True, **QUICK}
    inner = Categorical(ignore_label=255)
    est = NNRegressor(likelihood=CorrelatedLogits(inner, rank=2), **params).fit(X, IGNORED)
    holes = np.where(IGNORED == 255, np.nan, IGNORED)
    other = NNRegressor(likelihood=CorrelatedLogits(rank=2), **params).fit(X, holes)
    assert est.classes_.tolist() == [0, 1, 2]
    np.testing.assert_array_equal(est.log_prob(X, IGNORED), other.log_prob(X, holes))
    with pytest.raises(ValueError, match="can ignore no label, got .*255.*CorrelatedLogits"):
        NNRegressor(likelihood=Autoregressive(inner), **QUICK).fit(X, IGNORED)


MIXED = pd.DataFrame({"u": X[:, 0], "n": NUMBERS[:, 1], "kind": IGNORED[:, 0]})


def mixed(labels, kind=("kind",)):
    numbers = [("u", Gaussian(), ["u"]), ("n", Poisson(), slice("n", "n"))]
    return Columns([*numbers, ("kind", labels, kind)])


@pytest.mark.parametrize("table", [pd.DataFrame, pl.DataFrame, np.asarray])
def test_a_label_is_ignored_beside_numbers(table):
    y = MIXED.assign(n=MIXED["n"].where(MIXED["n"] > 0, 255))  # a count, not a label
    holes = y.assign(kind=y["kind"].where(y["kind"] < 255))
    likelihood = mixed(Categorical(ignore_label=255))
    if table is np.asarray:
        named = zip(likelihood.groups, range(3), strict=True)
        likelihood = Columns([(*pair, [i]) for (*pair, _), i in named])
    est = NNRegressor(likelihood=likelihood, partial_y=True, **QUICK).fit(X, table(y))
    other = NNRegressor(likelihood=mixed(Categorical()), partial_y=True, **QUICK).fit(X, holes)
    np.testing.assert_array_equal(est.log_prob(X, table(y)), other.log_prob(X, holes))
    with pytest.raises(ValueError, match="whose label is ignored, only if partial_y=True"):
        NNRegressor(likelihood=likelihood, **QUICK).fit(X, table(y))


def test_texts_beside_numbers_are_refused_with_what_to_do():
    y = MIXED.assign(kind=TEXTS[:, 0])
    message = "string such as .* in column 'kind'.*integers in likelihoods.Columns.*cat.codes"
    for labels in (Categorical(), Categorical(ignore_label=255)):
        with pytest.raises(ValueError, match=message):
            NNRegressor(likelihood=mixed(labels), **QUICK).fit(X, y)
    y = y.assign(kind=y["kind"].astype("category").cat.codes)
    assert NNRegressor(likelihood=mixed(Categorical()), **QUICK).fit(X, y).predict(X).shape == (
        N,
        3,
    )


def test_columns_of_one_name_are_refused():
    twice = pd.DataFrame(X, columns=["u", "v", "u"])
    for name, arrays in {"X": (twice, X), "y": (X, twice)}.items():
        with pytest.raises(ValueError, match=f"{name} must have columns of distinct .* named 'u'"):
            NNRegressor(**QUICK).fit(*arrays)
    est = NNRegressor(**QUICK).fit(X, X)
    with pytest.raises(ValueError, match="X must have columns of distinct"):
        est.predict(twice)


def test_a_column_in_two_groups_or_none_is_named():
    for kind, got in ((["kind", "n"], "'u', 'n', 'n', 'kind'"), (["n"], "'u', 'n', 'n'")):
        message = rf"each of the 3 columns of y, \['u', 'n', 'kind'\], .* got \[{got}\]"
        with pytest.raises(ValueError, match=message):
            NNRegressor(likelihood=mixed(Gaussian(), kind), **QUICK).fit(X, MIXED)


def test_a_label_to_ignore_is_no_class():
    for classes, ignored in (([0, 1, 255], 255), (["a", "b", "?"], "?")):
        y = np.array(classes)[np.arange(len(X)) % 2]
        likelihood = Categorical(classes=classes, ignore_label=ignored)
        with pytest.raises(ValueError, match="'ignore_label' .* must not be one of its 'classes'"):
            NNRegressor(likelihood=likelihood, partial_y=True, **QUICK).fit(X, y)


def test_an_unknown_label_is_not_counted_in_silence():
    y, predicted = np.array([[0, 1, 2, 255]]), np.array([[0, 1, 1, 1]])
    known = np.where(y == 255, np.nan, y)
    for metric in (pixel_accuracy, intersection_over_union):
        with pytest.warns(UserWarning, match="y_true has the label 255"):
            assert metric(y, predicted) < metric(known, predicted)
    assert pixel_accuracy(y, np.array([[0, 1, 1, 255]])) == 0.75  # a class of the predictions


@pytest.mark.parametrize("kind", ["SamplesDisplay", "AnnotationsDisplay"])
def test_displays_show_labels_to_ignore_as_missing(kind):
    pytest.importorskip("matplotlib").use("agg")
    from matplotlib import pyplot

    from skcvae import displays

    rng = np.random.default_rng(0)
    X, maps = rng.normal(size=(20, 2)), rng.integers(0, 3, (20, 4, 4))
    y = np.where(rng.random(maps.shape) < 0.2, 255, maps)
    likelihood = Categorical(ignore_label=255)
    est = NNRegressor(likelihood=likelihood, partial_y=True, architecture="mlp", **QUICK)
    shown = y if kind == "SamplesDisplay" else np.stack([y, y], 1)
    display = getattr(displays, kind).from_estimator(est.fit(X, y), X[:3], shown[:3])
    if kind == "AnnotationsDisplay":
        again = displays.AnnotationsDisplay.from_predictions(
            None, shown[:3].swapaxes(0, 1), display.draws, ignore_label=255
        )
        np.testing.assert_array_equal(again.annotations, display.annotations)
    truth = display.y_true if kind == "SamplesDisplay" else display.annotations[0]
    np.testing.assert_array_equal(np.isnan(truth), y[:3] == 255)
    assert list(display.label_names) == [0, 1, 2]
    pyplot.close("all")


def test_numbers_beside_texts_are_named():
    y = np.resize(np.array([1, 2, "3"], dtype=object), len(X))
    with pytest.raises(ValueError, match=r"numbers, \['1', '2'\], beside the labels \['3'\]"):
        NNRegressor(likelihood="categorical", **QUICK).fit(X, y)
    kinds = pd.Series(np.resize(["a", "b"], len(X)), dtype="category")
    with pytest.raises(ValueError, match="categories .*likelihood='categorical'"):
        NNRegressor(**QUICK).fit(X, kinds)


def test_missing_values_of_pandas_are_not_labels_beside_one_to_ignore():
    y = np.resize(np.array(["a", "b", "?", pd.NA, None, np.nan], dtype=object), len(X))
    plain = np.where([isinstance(label, str) and label != "?" for label in y], y, None)
    likelihoods = Categorical(ignore_label="?"), Categorical()
    codes = [one.codes_of(part) for one, part in zip(likelihoods, (y, plain), strict=True)]
    np.testing.assert_array_equal(*codes)
    assert np.isnan(codes[0]).sum() == sum(label is None for label in plain)


@pytest.mark.parametrize(
    ("n_labels", "advice"), [(2, "'bernoulli'"), (3, "'categorical'"), (11, None)]
)
def test_images_of_labels_that_are_read_as_numbers_are_told(n_labels, advice):
    maps = np.random.default_rng(0).integers(0, n_labels, size=(30, 4, 4))
    told = pytest.warns(UserWarning, match=f"whole numbers alone.*{advice}")
    with told if advice else nullcontext():
        CVAERegressor(**QUICK).fit(X[:30], maps)
    for likelihood, y in (("gaussian", maps), ("auto", maps + 0.5)):
        CVAERegressor(likelihood=likelihood, **QUICK).fit(X[:30], y)
