"""Displays and metrics of pipelines and frames: names of outputs, one feature among several."""

import functools

import matplotlib
import numpy as np
import pandas as pd
import polars as pl
import pytest
from matplotlib import pyplot
from sklearn.compose import make_column_transformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

import skcvae
from skcvae import NNRegressor
from skcvae.displays import (
    CalibrationDisplay,
    JointSamplesDisplay,
    PredictiveBandDisplay,
    SamplesDisplay,
)
from skcvae.likelihoods import Categorical, Columns, Gaussian
from skcvae.metrics import interval_coverage, pit

N, QUICK = 60, {"max_epochs": 1, "random_state": 0}
rng = np.random.default_rng(0)
X = pd.DataFrame({"size": rng.normal(size=N), "kind": rng.choice(["a", "b"], N)})
SHIFT = np.where(X["kind"] == "a", 5.0, -5.0)
Y = pd.DataFrame({"u": X["size"] + SHIFT, "v": rng.normal(size=N)}) + rng.normal(size=(N, 2))


@pytest.fixture(autouse=True)
def closed_figures():
    matplotlib.use("agg")
    yield
    pyplot.close("all")


@pytest.fixture(scope="module")
def pipeline():
    encode = make_column_transformer((OneHotEncoder(), ["kind"]), remainder="passthrough")
    est = NNRegressor(max_epochs=20, lr=0.02, random_state=0)
    return make_pipeline(encode, est).fit(X, Y)


def test_bands_along_one_feature_of_a_frame_are_a_mixture_over_the_others(pipeline):
    show = PredictiveBandDisplay.from_estimator
    display = show(pipeline, X, Y, feature="size", output="u", grid_resolution=5)
    assert display.ax_.get_xlabel() == "size" and display.ax_.get_ylabel() == "u"
    np.testing.assert_array_equal(display.y_true, Y["u"])
    assert np.ptp(display.bands[1], axis=-1).min() > 8  # both kinds
    for kind, sign in (("a", 1), ("b", -1)):
        part = X["kind"] == kind
        one = show(pipeline, X[part], Y[part], feature=0, output=0, grid_resolution=5)
        assert (one.median * sign > 2).all() and np.ptp(one.bands[1], axis=-1).max() < 8


@pytest.mark.parametrize(
    "convert", [lambda frame: frame, pl.from_pandas], ids=["pandas", "polars"]
)
def test_bands_of_one_column_have_its_name(convert):
    frame, y = convert(X[["size"]]), convert(Y["v"])
    est = NNRegressor(max_epochs=1, random_state=0).fit(frame, y)
    display = PredictiveBandDisplay.from_estimator(est, frame, y, n_samples=20)
    assert display.ax_.get_xlabel() == "size" and display.ax_.get_ylabel() == "v"
    named = PredictiveBandDisplay.from_estimator(est, frame, n_samples=20)
    assert named.ax_.get_ylabel() == "v"


def test_displays_take_outputs_with_names_of_several_levels():
    y = Y.set_axis(pd.MultiIndex.from_tuples([("a", "x"), ("a", "y")]), axis=1)
    with pytest.warns(UserWarning, match="not all texts"):
        est = NNRegressor(**QUICK).fit(X[["size"]], y)
    frame = X[["size"]]
    display = PredictiveBandDisplay.from_estimator(est, frame, y, output=1, n_samples=20)
    np.testing.assert_array_equal(display.y_true, Y["v"])
    assert CalibrationDisplay.from_estimator(est, frame, y).pit.shape == Y.shape
    joint = JointSamplesDisplay.from_estimator(est, frame[:1], y[:1], n_samples=20)
    assert joint.output_names == ["y[0]", "y[1]"]


@pytest.mark.parametrize("convert", [lambda y: y, pl.from_pandas, np.asarray])
def test_points_of_a_band_may_be_the_selected_output_alone(pipeline, convert):
    for output in ("v", 1):
        show = functools.partial(
            PredictiveBandDisplay.from_estimator,
            pipeline, X, feature="size", output=output, n_samples=20,
        )  # fmt: skip
        for y in (Y, Y["v"], Y[["v"]]):
            assert show(convert(y)).y_true.tolist() == Y["v"].tolist()
    if convert is not np.asarray:
        with pytest.raises(ValueError, match=r"y has columns \['u'\], expected \['u', 'v'\]"):
            show(convert(Y["u"]))
    with pytest.raises(ValueError, match=r"y must have shape \(n_rows, 2\), or be .* alone"):
        show(np.zeros((N, 3)))


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"output": "u"}, "X must be a single column.*by feature="),
        ({"feature": "size"}, r"y must be a single column.*by output="),
        ({"feature": "none", "output": 0}, "feature must be one of the 2 columns"),
        (
            {"feature": "size", "output": "w"},
            r"one of 2 outputs, or among their names \['u', 'v'\]",
        ),
        ({"feature": "size", "output": 2}, "one of 2 outputs"),
    ],
)
def test_what_to_select_is_asked_for(pipeline, params, message):
    with pytest.raises(ValueError, match=message):
        PredictiveBandDisplay.from_estimator(pipeline, X, Y, n_samples=20, **params)


def test_bands_over_categories_are_refused():
    kinds = {
        "text": X["kind"], "category": X["kind"].astype("category"), "boolean": X["kind"] == "a",
        "codes": pd.Series(rng.integers(0, 2, N)).astype("category"),
    }  # fmt: skip
    frame = X[["size"]].assign(**kinds)
    est = skcvae.tabular_pipeline(NNRegressor(**QUICK)).fit(frame, Y["u"])
    show = PredictiveBandDisplay.from_estimator
    assert show(est, frame, feature="size", n_samples=20).x_name == "size"
    polars = pl.DataFrame({name: frame[name].to_list() for name in ("size", "text", "boolean")})
    for table in (frame, polars):
        for feature in table.columns[1:]:
            match = f"feature must hold numbers, got categories in '{feature}'"
            with pytest.raises(ValueError, match=match):
                show(est, table, feature=feature, n_samples=20)
    array = X[["kind", "size"]].to_numpy()
    with pytest.raises(ValueError, match="feature must hold numbers, got categories in 0"):
        show(est, array, feature=0, n_samples=20)


def test_displays_of_numbers_refuse_labels_that_are_texts():
    labels = X[["kind", "kind"]].set_axis(["u", "v"], axis=1)
    est = NNRegressor(likelihood="categorical", **QUICK).fit(X[["size"]], labels)
    inputs = X[["size"]]
    for show in (
        lambda: CalibrationDisplay.from_estimator(est, inputs, labels),
        lambda: JointSamplesDisplay.from_estimator(est, inputs[:1], labels[:1]),
        lambda: PredictiveBandDisplay.from_estimator(est, inputs, output="u", n_samples=20),
        lambda: PredictiveBandDisplay.from_predictions([0], np.zeros((2, 1)), X=[0], y_true=["a"]),
        lambda: pit(labels, est.sample(inputs, 2)),
        lambda: interval_coverage(labels["u"], np.zeros((N, 2))),
    ):
        with pytest.raises(
            ValueError, match=r"numbers, got labels (such as '[ab]'|in \['u', 'v'\]|in y)"
        ):
            show()


@pytest.mark.parametrize("convert", [lambda k: k, lambda k: k > 0], ids=["integers", "booleans"])
def test_bands_of_labels_that_are_numbers_are_refused(convert):
    inputs, codes = X[["size"]], convert((X["kind"] == "a") * 1)
    show = functools.partial(PredictiveBandDisplay.from_estimator, n_samples=20)
    alone = NNRegressor(likelihood="categorical", **QUICK).fit(inputs, codes)
    with pytest.raises(ValueError, match="PredictiveBandDisplay expects .* labels in y"):
        show(alone, inputs, codes)
    table = pd.DataFrame({"kind": codes * 1, "u": Y["u"]})
    groups = [("k", Categorical(), ["kind"]), ("u", Gaussian(), ["u"])]
    est = make_pipeline(NNRegressor(likelihood=Columns(groups), **QUICK)).fit(inputs, table)
    for output in ("kind", 0):
        with pytest.raises(ValueError, match=r"PredictiveBandDisplay .* labels in \['kind'\]"):
            show(est, inputs, table, output=output)
    assert show(est, inputs, table, output="u").y_name == "u"


def test_joint_draws_are_named(pipeline):
    show = JointSamplesDisplay.from_estimator
    for y in (Y[:1], None, Y[:1].to_numpy()):
        assert show(pipeline, X[:1], y, n_samples=20).output_names == ["u", "v"]
    chosen = show(pipeline, X[:1], Y[:1], n_samples=20, outputs=["v", "u"])
    assert chosen.output_names == ["v", "u"]
    with pytest.raises(ValueError, match="or their names"):
        show(pipeline, X[:1], Y[:1], n_samples=20, outputs=["v", "w"])


def test_calibration_is_pooled_or_of_each_output_and_says_so(pipeline):
    display = CalibrationDisplay.from_estimator(pipeline, X, Y, kind="coverage")
    assert display.ax_.get_ylabel() == "share of outputs inside, 2 outputs pooled"
    for kind in ("coverage", "pit"):
        display = display.plot(kind=kind, multioutput="raw_values")
        labels = [text.get_text() for text in display.ax_.get_legend().get_texts()]
        assert labels == ["u", "v"] and "pooled" not in display.ax_.get_ylabel()
        assert len(display.lines_) == 2
    single = CalibrationDisplay.from_predictions(np.zeros(5), rng.normal(size=(9, 5)))
    assert "pooled" not in single.ax_.get_ylabel()
    with pytest.raises(ValueError, match="multioutput must be one of"):
        display.plot(multioutput="mean")


def test_curves_of_outputs_are_their_own():
    """A wide output and a narrow one, which pooled look calibrated."""
    y = np.random.default_rng(0).normal(size=(500, 2))
    draws = np.random.default_rng(1).normal(size=(200, 500, 2)) * [3, 0.3]
    display = CalibrationDisplay.from_predictions(y, draws, kind="coverage")
    pooled = display.line_.get_ydata()[50]
    wide, narrow = (
        line.get_ydata()[50]
        for line in display.plot(kind="coverage", multioutput="raw_values").lines_
    )
    assert wide > 0.9 > pooled > 0.3 > narrow
    assert pooled == pytest.approx((wide + narrow) / 2)


def test_many_outputs_have_no_curve_each():
    display = CalibrationDisplay.from_predictions(np.zeros((5, 7)), rng.normal(size=(9, 5, 7)))
    with pytest.raises(ValueError, match="at most 6 outputs"):
        display.plot(multioutput="raw_values")


def test_coverage_per_output_averages_to_the_pooled_one():
    y = rng.normal(size=(N, 3))
    y[::3, 1] = np.nan
    ends = np.sort(rng.normal(size=(N, 3, 2)), axis=-1)
    weight = rng.random(N)
    each = interval_coverage(y, ends, weight, multioutput="raw_values")
    for j in range(3):
        assert each[j] == pytest.approx(interval_coverage(y[:, j], ends[:, j], weight))
    shares = (weight[:, None] * ~np.isnan(y)).sum(axis=0)
    assert interval_coverage(y, ends, weight) == pytest.approx(np.average(each, weights=shares))
    y[:, 2] = np.nan
    assert np.isnan(interval_coverage(y, ends, multioutput="raw_values")).tolist() == [0, 0, 1]
    with pytest.raises(ValueError, match="multioutput must be one of"):
        interval_coverage(y, ends, multioutput="uniform_average")


def test_metrics_take_frames_as_they_take_arrays(pipeline):
    for targets in (Y, Y["u"]):
        est = pipeline if targets is Y else make_pipeline(pipeline[0], NNRegressor(max_epochs=1))
        est = est if targets is Y else est.fit(X, targets)
        ends, frame = (skcvae.predict_interval(est, X, 0.8, as_frame=f) for f in (False, True))
        assert interval_coverage(targets, frame) == interval_coverage(targets, ends)
        draws, frame = (skcvae.sample(est, X, 5, 0, as_frame=f) for f in (False, True))
        np.testing.assert_array_equal(pit(targets, frame, 0), pit(targets, draws, 0))
    with pytest.raises(ValueError, match="all rows of one draw"):
        pit(Y["u"], frame.swaplevel().sort_index().swaplevel())


def test_an_image_with_a_mask_says_which_channels_to_plot():
    y = rng.random((3, 4, 6, 6))
    with pytest.raises(ValueError, match=r"join=lambda X, y: y\[:, :3\]"):
        SamplesDisplay.from_predictions(None, y, y[None])
    display = SamplesDisplay.from_predictions(None, y, y[None], join=lambda X, y: y[:, :3])
    assert display.draws.shape == (1, 3, 6, 6, 3)
