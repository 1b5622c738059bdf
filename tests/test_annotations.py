"""Several annotations of each row: each is a row of its own, those of one x stay together."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from torch.utils.data import TensorDataset

from skcvae import CVAERegressor, EnsembleRegressor, NNRegressor, load
from skcvae.data.annotations import Annotated, present_annotations
from skcvae.likelihoods import (
    Autoregressive,
    Bernoulli,
    Categorical,
    Columns,
    CorrelatedLogits,
    Gamma,
    Gaussian,
    GaussianMixture,
    Hurdle,
    NegativeBinomial,
    Poisson,
    StudentT,
)
from skcvae.metrics import (
    cll_per_pixel,
    crps_scorer,
    energy_scorer,
    ged_scorer,
    generalized_energy_distance,
    mean_iou_scorer,
    pixel_accuracy_scorer,
)

PARAMS = {"max_epochs": 2, "early_stopping": False, "random_state": 0}
rng = np.random.default_rng(0)
X = rng.normal(size=(30, 2))
REAL = rng.normal(size=(30, 3, 4))
REAL[5, 1], REAL[7, :2] = np.nan, np.nan
MAPS = rng.integers(0, 3, size=(30, 3, 4, 5))
MAPS[5, 1], MAPS[7, :2] = -1, -1
THERE = np.ones((30, 3), dtype=bool)
THERE[5, 1], THERE[7, :2] = False, False
ROW = np.nonzero(THERE)[0]
CASES = {
    "table": (CVAERegressor(**PARAMS), REAL),
    "single output": (NNRegressor(**PARAMS), REAL[..., 0]),
    "maps": (CVAERegressor(likelihood="categorical", **PARAMS), MAPS),
}
each_case = pytest.mark.parametrize("case", CASES)


def fitted(case, weight=None, **params):
    est, y = CASES[case]
    return type(est)(**{**est.get_params(deep=False), "annotations": True, **params}).fit(
        X, y, weight
    )


DTYPES = (int, float, object)
TEXTS = np.where(MAPS == -1, None, np.array(["a", "b", "c"])[MAPS])


@pytest.mark.parametrize("y", [REAL, REAL[..., 0], MAPS, MAPS.astype(np.int8), TEXTS])
def test_what_is_absent_is_nan_or_none_or_minus_one(y):
    assert (present_annotations(y) == THERE).all()


LABELS = [Categorical(), Bernoulli(), Poisson(), NegativeBinomial()]
CODED = [
    *LABELS,
    CorrelatedLogits(),
    Autoregressive(Bernoulli()),
    Columns([("a", Poisson(), [0])]),
]
NUMBERS = [
    StudentT(), Gaussian(), GaussianMixture(), Hurdle(), Gamma(), Autoregressive(Gaussian()),
    Categorical(classes=[-1, 0]), Columns([("a", Poisson(), [0]), ("b", Gaussian(), [1])]),
]  # fmt: skip


@pytest.mark.parametrize("likelihood", CODED + NUMBERS, ids=repr)
def test_minus_one_marks_what_is_absent_where_it_cannot_be_a_value(likelihood):
    maps = np.array([[[-1, -1], [0, 1]]])
    found = Annotated.of([0], maps, likelihood).present.tolist()
    assert found == [[likelihood in NUMBERS, True]]
    for dtype in (float, np.int8, object):
        assert (Annotated.of([0], maps.astype(dtype), likelihood).present == found).all()


@pytest.mark.parametrize("likelihood", ["auto", "gaussian", "gaussian_mixture"])
def test_numbers_are_the_same_as_integers(likelihood):
    y = np.random.default_rng(0).integers(-2, 3, size=(30, 3))
    ends = [
        NNRegressor(likelihood=likelihood, annotations=True, **PARAMS).fit(X, part).log_prob(X, y)
        for part in (y, y.astype(float))
    ]
    assert np.isfinite(ends[0]).all()
    np.testing.assert_array_equal(*ends)


@pytest.mark.parametrize("ignored", [255, -1, "void"])
def test_an_annotation_of_ignored_labels_is_absent(ignored):
    maps = TEXTS if ignored == "void" else MAPS
    y = np.where(THERE[..., None, None], maps, ignored)
    y[0, 0, 0] = ignored
    likelihood = Categorical(ignore_label=ignored)
    est = NNRegressor(likelihood=likelihood, annotations=True, partial_y=True, **PARAMS)
    log_p = est.fit(X, y).log_prob(X, y)
    assert (np.isnan(log_p) == ~THERE).all()
    assert est.score(X, y) == pytest.approx(log_p[THERE].mean())
    n_known = (y[THERE] != ignored).sum()
    assert cll_per_pixel(est, X, y) == pytest.approx(log_p[THERE].sum() / n_known)


@each_case
def test_cll_is_of_one_output_of_the_annotations_that_are_present(case):
    est, y = fitted(case), CASES[case][1]
    expected = np.nansum(est.log_prob(X, y)) / y[THERE].size
    assert cll_per_pixel(est, X, y) == pytest.approx(expected)


@pytest.mark.parametrize("ignored", [255, "void"])
def test_what_fit_ignores_the_scorer_leaves_out(ignored):
    maps = TEXTS if ignored == "void" else MAPS
    y = np.where(THERE[..., None, None], maps, ignored)
    y[:, 0, 0] = ignored
    likelihood = Categorical(ignore_label=ignored)
    est = NNRegressor(likelihood=likelihood, annotations=True, partial_y=True, **PARAMS).fit(X, y)
    draws = est.sample(X, 16, random_state=0)
    found = ged_scorer(est, X, y)
    assert found == ged_scorer(est, X, y.tolist())
    y = y.swapaxes(0, 1)
    assert found == -generalized_energy_distance(y, draws, ignore_label=ignored)


@pytest.mark.parametrize("missing", [None, np.nan])
def test_what_is_missing_in_a_list_of_texts_is_no_label(missing):
    y = np.where(THERE[..., None, None], TEXTS, missing).tolist()
    est = NNRegressor(likelihood="categorical", annotations=True, **PARAMS).fit(X, y)
    assert est.classes_.tolist() == ["a", "b", "c"]
    assert (np.isnan(est.log_prob(X, y)) == ~THERE).all()
    assert ged_scorer(est, X, y) == ged_scorer(est, X, TEXTS)


@pytest.mark.parametrize("likelihood", LABELS, ids=repr)
def test_minus_one_as_a_label_is_refused_with_its_cause(likelihood):
    est = NNRegressor(likelihood=likelihood, annotations=True, **PARAMS)
    for y, dtype in product((np.where(MAPS == 1, 1, -1), np.where(MAPS == 0, -1, MAPS)), DTYPES):
        with pytest.raises(ValueError, match="-1 beside other values.*another code.*partial_y"):
            est.fit(X, y.astype(dtype))
    signs = np.where(MAPS[..., 0, 0] == 1, 1, -1)
    for y in (*(signs.astype(dtype) for dtype in DTYPES), np.where(THERE, signs, np.nan)):
        with pytest.raises(ValueError, match="y has -1 and 1 alone, and -1 marks an annotation"):
            est.fit(X, y)


@pytest.mark.parametrize("y", [MAPS, MAPS[..., 0, 0]], ids=["maps", "one label"])
@pytest.mark.parametrize("dtype", [np.int8, *DTYPES])
def test_labels_are_read_alike_in_all_dtypes(y, dtype):
    est = NNRegressor(likelihood="categorical", annotations=True, **PARAMS)
    expected = est.fit(X, y).log_prob(X, y)
    found = est.fit(X, y.astype(dtype))
    assert found.classes_.tolist() == [0, 1, 2]
    np.testing.assert_array_equal(found.log_prob(X, y.astype(dtype)), expected)
    assert cll_per_pixel(found, X, y.astype(dtype)) == cll_per_pixel(est, X, y)
    if y.ndim > 2:
        assert ged_scorer(found, X, y.astype(dtype)) == ged_scorer(est, X, y)


@pytest.mark.parametrize("dtype", [int, float])
def test_minus_one_is_a_class_where_it_is_named(dtype):
    y = MAPS.astype(dtype)
    signs = np.where(THERE, np.where(MAPS[..., 0, 0] == 1, 1, -1), np.nan)
    for classes, part in ((range(-1, 3), y), ((-1, 1), signs)):
        likelihood = Categorical(classes=[*classes], ignore_label=255)
        est = NNRegressor(likelihood=likelihood, annotations=True, **PARAMS).fit(X, part)
        there = THERE if part is signs else np.ones_like(THERE)
        assert (np.isfinite(est.log_prob(X, part)) == there).all()


@each_case
def test_each_annotation_is_a_row_of_its_own(case):
    est, y = CASES[case]
    expected = type(est)(**est.get_params(deep=False)).fit(X[ROW], y[THERE])
    found = fitted(case)
    assert found.y_shape_ == y.shape[2:]
    assert (found.sample(X, 3, random_state=0) == expected.sample(X, 3, random_state=0)).all()
    log_p = found.log_prob(X, y)
    assert (np.isnan(log_p) == ~THERE).all()
    np.testing.assert_array_equal(log_p[THERE], expected.log_prob(X[ROW], y[THERE]))
    assert found.score(X, y) == pytest.approx(expected.score(X[ROW], y[THERE]))


def test_weights_are_of_rows_or_of_annotations():
    weight = np.random.default_rng(1).uniform(0, 1, size=(30, 3))
    weight[3, 2] = 0
    est, y = CASES["table"]
    expected = CVAERegressor(**est.get_params(deep=False)).fit(X[ROW], y[THERE], weight[THERE])
    found = fitted("table", weight)
    assert (found.predict(X) == expected.predict(X)).all()
    expected = expected.score(X[ROW], y[THERE], weight[THERE])
    assert found.score(X, y, weight) == pytest.approx(expected)
    by_row, spread = (
        fitted("table", w).predict(X) for w in (weight[:, 0], weight[:, :1] * np.ones(3))
    )
    assert (by_row == spread).all() and (by_row != found.predict(X)).any()


def test_annotations_of_one_x_are_on_one_side_of_the_split(monkeypatch):
    sides = []
    est = CVAERegressor(annotations=True, max_epochs=1, random_state=0, validation_fraction=0.3)
    specify = CVAERegressor._net

    def noted(self, training, module, device, rows=None, validation=None):
        sides.extend([rows.arrays[0], validation.arrays[0]])
        return specify(self, training, module, device, rows, validation)

    monkeypatch.setattr(CVAERegressor, "_net", noted)
    est.fit(X, REAL)
    kept, held_out = ({tuple(row) for row in side.tolist()} for side in sides)
    assert kept.isdisjoint(held_out) and len(kept) + len(held_out) == len(X)
    assert len(sides[0]) + len(sides[1]) == THERE.sum()
    assert 5 <= len(held_out) <= 12


def test_rows_to_validate_on_have_annotations_too():
    est = CVAERegressor(annotations=True, max_epochs=2, random_state=0)
    est.fit(X[:20], REAL[:20], X_val=X[20:], y_val=REAL[20:])
    assert np.isfinite(est.history_[-1]["valid_cll"])
    with pytest.raises(ValueError, match="expects y_val of shape"):
        est.fit(X[:20], REAL[:20], X_val=X[20:], y_val=np.zeros(10))


def test_an_entry_may_be_missing_where_the_annotation_is_not():
    y = REAL.copy()
    y[0, 0, 2] = np.nan
    est = CVAERegressor(annotations=True, partial_y=True, **PARAMS).fit(X, y)
    assert (np.isnan(est.log_prob(X, y)) == ~THERE).all()
    with pytest.raises(ValueError, match="Input y contains NaN"):
        CVAERegressor(annotations=True, **PARAMS).fit(X, y)


def test_with_the_rest_of_the_package(tmp_path):
    frame = pd.DataFrame(X, columns=["a", "b"])
    est = NNRegressor(annotations=True, likelihood="categorical", **PARAMS).fit(frame, MAPS)
    assert est.feature_names_in_.tolist() == ["a", "b"]
    est.save(tmp_path / "model")
    again = load(tmp_path / "model")
    np.testing.assert_array_equal(again.log_prob(frame, MAPS), est.log_prob(frame, MAPS))
    search = GridSearchCV(est, {"lr": [0.001, 0.01]}, cv=2, scoring=ged_scorer).fit(X, MAPS)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    both = EnsembleRegressor(est, n_estimators=2, random_state=0).fit(X, MAPS)
    assert both.sample(X, 4, random_state=0).shape == (4, 30, 4, 5)
    assert np.isfinite(both.score(X, MAPS))


@each_case
def test_scorers_of_one_y_refuse_several_and_name_those_that_do_not(case):
    est, y = fitted(case), CASES[case][1]
    search = GridSearchCV(est, {"lr": [0.001]}, cv=2).fit(X, y)
    both = EnsembleRegressor(est, n_estimators=2, random_state=0).fit(X, y)
    of_labels = pixel_accuracy_scorer, mean_iou_scorer
    scorers = of_labels if case == "maps" else (crps_scorer, energy_scorer)
    for scorer, model in product(scorers, (est, make_pipeline(est), search, both)):
        with pytest.raises(ValueError, match="one annotation .*got .* score, .* and ged_scorer"):
            scorer(model, X, y)
        assert np.isfinite(scorer(model, X, y[:, 2]))
        if case == "single output":
            assert scorer(model, X, y[:, [2]]) == scorer(model, X, y[:, 2])


@pytest.mark.parametrize("y", [MAPS[:, 0], MAPS[:9], MAPS[..., 0, 0], MAPS[..., :2]])
def test_the_scorer_of_annotations_names_the_shape_that_it_was_given(y):
    with pytest.raises(ValueError, match=r"\(n_rows, n_annotations, ...\).*got ") as caught:
        ged_scorer(fitted("maps"), X, y)
    assert f"got {y.shape} and (16, 30, 4, 5)" in str(caught.value)


@pytest.mark.parametrize(
    ("X", "y", "weight", "match"),
    [
        (X, REAL[:9], None, r"row for each of the 30 rows of X, got \(9, 3, 4\)"),
        (X, REAL[:, 0, 0], None, r"expects y of shape \(n_rows, n_annotations, ...\)"),
        (X, np.full((30, 2, 2), np.nan), None, "y must have an annotation, got only absent ones"),
        (X, np.zeros((30, 0, 4)), None, r"expects y of shape .*, got \(30, 0, 4\)"),
        (X, REAL, np.ones(3), r"sample_weight must have .* \(30,\) or \(30, 3\), got \(3,\)"),
        (TensorDataset(), None, None, "expects arrays X and y, got a Dataset"),
    ],
)
def test_bad_annotations(X, y, weight, match):
    est = CVAERegressor(annotations=True)
    with pytest.raises(ValueError, match=match):
        est.fit(X, y, weight)
    assert not hasattr(est, "net_")


def test_values_return_to_their_annotations():
    values = np.arange(THERE.sum())
    found = Annotated.of(X, REAL, Gaussian()).by_row(values)
    assert (found[THERE] == values).all() and np.isnan(found[~THERE]).all()
