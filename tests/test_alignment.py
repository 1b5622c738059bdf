"""No number is of an output, or a row, and the draws of another: names agree, or are refused."""

import copy
import functools

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skcvae import VAE, ConformalRegressor, CVAERegressor, EnsembleRegressor, NNRegressor
from skcvae.displays import CalibrationDisplay, JointSamplesDisplay, PredictiveBandDisplay
from skcvae.likelihoods import Categorical, Columns, Gaussian
from skcvae.metrics import (
    cll_per_pixel,
    crps,
    crps_scorer,
    energy_score,
    energy_scorer,
    intersection_over_union,
    interval_coverage,
    mean_iou_scorer,
    negative_cll_per_pixel,
    pit,
    pixel_accuracy,
    pixel_accuracy_scorer,
)

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("agg")
pyplot = pytest.importorskip("matplotlib.pyplot")

N, QUICK = 30, {"max_epochs": 1, "random_state": 0}
rng = np.random.default_rng(0)
INDEX = [f"r{i}" for i in range(N)]
X = pd.DataFrame(rng.normal(size=(N, 2)), columns=["p", "q"], index=INDEX)
Y = pd.DataFrame({"u": X["p"], "v": 5 + X["q"]}) + rng.normal(size=(N, 2))
LABELS = pd.DataFrame(rng.integers(0, 3, (N, 2)), columns=["u", "v"], index=INDEX)
EST = NNRegressor(**QUICK).fit(X, Y)
OF_LABELS = NNRegressor(likelihood="categorical", **QUICK).fit(X, LABELS)


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    pyplot.close("all")


METRICS = {
    "interval_coverage": (interval_coverage, Y, EST.predict_interval(X, as_frame=True)),
    "crps": (crps, Y, EST.sample(X, 5, 0, as_frame=True)),
    "energy_score": (energy_score, Y, EST.sample(X, 5, 0, as_frame=True)),
    "pit": (lambda y, draws: pit(y, draws, 0).mean(), Y, EST.sample(X, 5, 0, as_frame=True)),
    "pixel_accuracy": (pixel_accuracy, LABELS, OF_LABELS.predict(X, as_frame=True)),
    "intersection_over_union": (
        intersection_over_union, LABELS, OF_LABELS.predict(X, as_frame=True),
    ),
}  # fmt: skip
each = pytest.mark.parametrize("metric", METRICS)


def of_arrays(metric):
    """Return a metric of arrays, compared by position."""
    function, y, _ = METRICS[metric]
    found = {
        "interval_coverage": EST.predict_interval(X),
        "pixel_accuracy": OF_LABELS.predict(X),
        "intersection_over_union": OF_LABELS.predict(X),
    }
    return function(y.to_numpy(), found.get(metric, EST.sample(X, 5, 0)))


@each
def test_frames_with_the_same_names_are_as_arrays(metric):
    function, y, frame = METRICS[metric]
    for given in (y, y.reset_index(drop=True), pl.from_pandas(y), y.to_numpy()):
        assert function(given, frame) == of_arrays(metric)
    numbered = y.set_axis(range(2), axis=1)
    assert function(numbered, frame) == of_arrays(metric)


@each
@pytest.mark.parametrize("convert", [lambda y: y, pl.from_pandas], ids=["pandas", "polars"])
def test_other_outputs_are_refused(metric, convert):
    function, y, frame = METRICS[metric]
    for other in (y[["v", "u"]], y.rename(columns={"v": "w"})):
        with pytest.raises(ValueError, match="the columns of y_true in the same order, got"):
            function(convert(other), frame)


@each
@pytest.mark.parametrize(
    "names",
    [[0, 1], [2020, 2021], [*pd.to_datetime(["2020", "2021"])], [("a", 0), ("a", 1)], ["a", 1]],
    ids=["default", "numbers", "dates", "tuples", "mixed"],
)
def test_names_of_any_type_are_compared(metric, names):
    function, y, frame = METRICS[metric]
    columns = pd.Index(names, tupleize_cols=False)
    if frame.columns.nlevels > 1:
        columns = pd.MultiIndex.from_product([columns, ["lower", "upper"]])
    frame, y = frame.set_axis(columns, axis=1), y.set_axis(names, axis=1)
    assert function(y, frame) == of_arrays(metric)
    for other in (y.iloc[:, ::-1], y.set_axis([*names[:1], 7], axis=1)):
        with pytest.raises(ValueError, match="the columns of y_true in the same order, got"):
            function(other, frame)


@each
def test_names_that_frames_lack_are_not_compared(metric):
    function, y, frame = METRICS[metric]
    numbers = {"u": 0, "v": 1}
    frame = frame.rename(columns=numbers)
    for names in (["a", "b"], pd.MultiIndex.from_tuples([("a", "x"), ("a", "y")])):
        assert function(y.set_axis(names, axis=1), frame) == of_arrays(metric)


@each
def test_other_rows_are_refused(metric):
    function, y, frame = METRICS[metric]
    for other in (y[::-1], y.rename(index={"r29": "s29"})):
        with pytest.raises(ValueError, match=r"the index of y_true .* got \['r"):
            function(other, frame)
    function, y, frame = METRICS["interval_coverage"]
    with pytest.raises(ValueError, match="the index of y_true"):  # positions, but shuffled
        function(y.reset_index(drop=True)[::-1], frame.reset_index(drop=True))


def test_outputs_and_rows_of_other_numbers_are_refused():
    for metric in ("crps", "energy_score", "pit"):
        function, y, draws = METRICS[metric]
        for other in (y["u"].rename(None), y[: N // 2], y["u"].to_numpy()):
            with pytest.raises(ValueError, match="draws must have shape"):
                function(other, draws)


COLUMNS = {
    "Series": lambda y: y["u"],
    "DataFrame": lambda y: y[["u"]],
    "vector": lambda y: y["u"].to_numpy(),
    "column": lambda y: y[["u"]].to_numpy(),
}


@pytest.mark.parametrize("fit", COLUMNS)
def test_a_single_output_may_have_an_axis_of_its_own_or_none(fit):
    est = NNRegressor(**QUICK).fit(X, COLUMNS[fit](Y))
    draws, ends = est.sample(X, 20, 0), est.predict_interval(X)
    frame = est.predict_interval(X, as_frame=True)
    calls = [
        lambda y: crps(y, draws), lambda y: crps(y, est.sample(X, 20, 0, as_frame=True)),
        lambda y: energy_score(y, draws), lambda y: pit(y, draws, 0).tolist(),
        lambda y: interval_coverage(y, ends), lambda y: interval_coverage(y, frame),
        lambda y: interval_coverage(y, frame[frame.columns[0][0]]),
        lambda y: crps_scorer(est, X, y), lambda y: energy_scorer(est, X, y),
        lambda y: cll_per_pixel(est, X, y),
        lambda y: CalibrationDisplay.from_estimator(est, X, y).pit.mean(),
        lambda y: PredictiveBandDisplay.from_estimator(
            est, X, y, feature="p", n_samples=20
        ).y_true.tolist(),
    ]  # fmt: skip
    for call in calls:
        found = [np.ravel(call(convert(Y))) for convert in COLUMNS.values()]
        np.testing.assert_array_equal(found[1:], found[:1] * 3)


def test_frames_whose_parts_are_apart_are_refused():
    _, y, draws = METRICS["pit"]
    ends = METRICS["interval_coverage"][2]
    within = draws.iloc[[*range(N), *range(2 * N - 1, N - 1, -1), *range(2 * N, 5 * N)]]
    for other in (draws.swaplevel().sort_index().swaplevel(), within):
        with pytest.raises(ValueError, match="all rows of one draw"):
            pit(y, other)
    with pytest.raises(ValueError, match="both ends of an output"):
        interval_coverage(y, ends.iloc[:, [0, 2, 1, 3]])


def test_rows_may_have_several_keys():
    index = pd.MultiIndex.from_arrays([["a", "b"] * (N // 2), range(N)])
    inputs, y = X.set_axis(index), Y.set_axis(index)
    ends, draws = (ask(inputs, as_frame=True) for ask in (EST.predict_interval, EST.sample))
    assert interval_coverage(y, ends) == of_arrays("interval_coverage")
    assert pit(y, draws).shape == Y.shape
    with pytest.raises(ValueError, match="the index of y_true"):
        pit(y[::-1], draws)


def test_log_densities_are_of_their_rows():
    log_prob = pd.Series(EST.log_prob(X, Y), INDEX)
    assert negative_cll_per_pixel(log_prob, Y) == -cll_per_pixel(EST, X, Y)
    with pytest.raises(ValueError, match="log_prob must have the index of y_true"):
        negative_cll_per_pixel(log_prob[::-1], Y)


@functools.cache
def fits():
    """Return a pipeline, one of labels, and a conformal estimator."""
    pipeline = make_pipeline(StandardScaler(), NNRegressor(**QUICK)).fit(X, Y)
    labels = make_pipeline(StandardScaler(), OF_LABELS.__class__(**OF_LABELS.get_params()))
    conformal = ConformalRegressor(NNRegressor(**QUICK)).fit(X, Y)
    return pipeline, labels.fit(X, LABELS), conformal.conformalize(X, Y)


def refusals(y):
    """Return calls that compare outputs with those of fit."""
    pipeline, labels, conformal = fits()
    show = {"n_samples": 20}
    return {
        "crps_scorer": lambda: crps_scorer(pipeline, X, y),
        "energy_scorer": lambda: energy_scorer(EST, X, y),
        "cll_per_pixel": lambda: cll_per_pixel(pipeline, X, y),
        "pixel_accuracy_scorer": lambda: pixel_accuracy_scorer(labels, X, y.astype(int)),
        "mean_iou_scorer": lambda: mean_iou_scorer(OF_LABELS, X, y.astype(int)),
        "calibration": lambda: CalibrationDisplay.from_estimator(pipeline, X, y, **show),
        "joint": lambda: JointSamplesDisplay.from_estimator(pipeline, X[:1], y[:1], **show),
        "band": lambda: PredictiveBandDisplay.from_estimator(
            pipeline, X, y, feature="p", output="u", **show
        ),
        "conformalize": lambda: copy.deepcopy(conformal).conformalize(X, y),
        "contains": lambda: conformal.contains(X, y),
        "conformal score": lambda: conformal.score(X, y),
    }


@pytest.mark.parametrize("call", refusals(Y))
def test_outputs_with_other_names_than_in_fit_are_refused(call):
    with pytest.raises(ValueError, match=r"y has columns \['v', 'u'\], expected \['u', 'v'\]"):
        refusals(Y[["v", "u"]])[call]()
    for y in (Y, Y.to_numpy(), Y.set_axis([0, 1], axis=1)):
        refusals(y)[call]()


@pytest.mark.parametrize("y", [Y["u"], Y[["u"]]], ids=["Series", "DataFrame"])
@pytest.mark.parametrize(
    "est",
    [
        NNRegressor(**QUICK),
        EnsembleRegressor(NNRegressor(max_epochs=1), n_estimators=2, random_state=0),
        make_pipeline(StandardScaler(), NNRegressor(**QUICK)),
        ConformalRegressor(NNRegressor(**QUICK)),
    ],
    ids=["estimator", "ensemble", "pipeline", "conformal"],
)
def test_scores_of_a_single_output_are_of_that_output(est, y):
    est.fit(X, y)
    other = Y["v"] if y.ndim == 1 else Y[["v"]]
    for convert in (lambda y: y, pl.from_pandas):
        with pytest.raises(ValueError, match=r"y has columns \['v'\], expected \['u'\]"):
            est.score(X, convert(other))
    unnamed = pl.Series(y.to_numpy().ravel())
    expected = est.score(X, y)
    for same in (y.to_numpy(), pl.from_pandas(y), unnamed, Y["u"].rename(None)):
        assert est.score(X, same) == expected


def test_validation_rows_are_of_the_same_output():
    with pytest.raises(ValueError, match=r"y_val has columns \['v'\], expected \['u'\]"):
        NNRegressor(**QUICK).fit(X, Y["u"], X_val=X, y_val=Y["v"])


def test_ignored_labels_are_ignored_in_pipelines_too():
    y = LABELS.to_numpy().copy()
    y[::2, 0] = 255
    est = NNRegressor(likelihood=Categorical(ignore_label=255), partial_y=True, **QUICK)
    pipeline = make_pipeline(StandardScaler(), est).fit(X, y)
    expected = pixel_accuracy(np.where(y == 255, np.nan, y), pipeline.predict(X))
    assert pixel_accuracy_scorer(pipeline, X, y) == expected
    forest = RandomForestClassifier(2, random_state=0).fit(X, LABELS)
    assert pixel_accuracy_scorer(forest, X, forest.predict(X)) == 1


def test_names_of_frames_are_in_displays_of_predictions():
    draws = EST.sample(X, 20, 0, as_frame=True)
    unnamed = EST.sample(X, 20, 0)
    for y, given in ((Y, unnamed), (Y.to_numpy(), draws)):
        assert CalibrationDisplay.from_predictions(y, given).output_names == ["u", "v"]
        display = CalibrationDisplay.from_predictions(y, given, output_names=["a", "b"])
        assert display.output_names == ["a", "b"]
    row = EST.sample(X[:1], 20, 0, as_frame=True)
    for y, given in ((Y[:1], unnamed[:, :1]), (None, row), (Y[:1], row)):
        assert JointSamplesDisplay.from_predictions(y, given).output_names == ["u", "v"]
    single = NNRegressor(**QUICK).fit(X[["p"]], Y["u"])
    draws = single.sample(X[["p"]], 20, 0, as_frame=True)
    band = PredictiveBandDisplay.from_predictions(X["p"], draws)
    assert (band.x_name, band.y_name) == ("p", "u")
    band = PredictiveBandDisplay.from_predictions(X["p"], draws, x_name="a", y_name="b")
    assert (band.x_name, band.y_name) == ("a", "b")


def test_masks_are_those_of_y():
    est = CVAERegressor(**QUICK).fit(X, Y)
    hidden = pd.DataFrame({"u": np.ones(N, bool), "v": np.zeros(N, bool)}, index=INDEX)
    completed = est.complete(X, Y, mask=hidden)[0]
    assert (completed[:, 0] != Y["u"]).all()
    np.testing.assert_array_equal(completed[:, 1], Y["v"])
    for mask in (hidden[["v", "u"]], hidden.set_axis(["c", "d"], axis=1), hidden[::-1]):
        with pytest.raises(ValueError, match="mask (has columns|must have the index)"):
            est.complete(X, Y, mask=mask)
    with pytest.raises(ValueError, match="mask has columns"):
        est.complete(X, np.asarray(Y), mask=hidden[["v", "u"]])
    vae = VAE(partial_X=True, **QUICK).fit(Y)
    with pytest.raises(ValueError, match="mask must have the columns of X_partial"):
        vae.complete(Y, mask=hidden[["v", "u"]])


@pytest.mark.parametrize("display", [CalibrationDisplay, JointSamplesDisplay])
def test_output_names_do_not_contradict_those_of_columns(display):
    y, draws = Y[:1], np.random.default_rng(0).normal(size=(20, 1, 2))
    assert display.from_predictions(y, draws, output_names=["u", "v"]).output_names == ["u", "v"]
    with pytest.raises(ValueError, match="output_names must be in the order of"):
        display.from_predictions(y, draws, output_names=["v", "u"])
    with pytest.raises(ValueError, match="output_names must have length 2"):
        display.from_predictions(np.asarray(y), draws, output_names=["u"])


@pytest.mark.parametrize("kind", ["columns", "categorical"])
def test_labels_have_no_distances(kind):
    groups = [("real", Gaussian(), ["u"]), ("label", Categorical(), ["v"])]
    y = LABELS if kind == "categorical" else Y.assign(v=LABELS["v"])
    est = NNRegressor(likelihood=Columns(groups) if kind == "columns" else kind, **QUICK)
    found = r"\['v'\]" if kind == "columns" else "y"
    for pipe in (est.fit(X, y), make_pipeline(StandardScaler(), est).fit(X, y)):
        for measure in (crps_scorer, energy_scorer, CalibrationDisplay.from_estimator):
            with pytest.raises(ValueError, match=f"numbers, got labels in {found}"):
                measure(pipe, X, y)


def test_intervals_have_ends_in_order():
    ends = EST.predict_interval(X)
    with pytest.raises(ValueError, match="lower end first, got .* at \\(0, 0\\)"):
        interval_coverage(Y, ends[..., ::-1])
    ends[:, 1] = np.nan
    with pytest.raises(ValueError, match=r"finite .* got \[nan nan\] at \(0, 1\)"):
        interval_coverage(Y, ends)
    assert 0 <= interval_coverage(Y["u"], ends[:, 0]) <= 1
