"""Displays show what was drawn, keep scikit-learn's convention and import matplotlib late."""

import sys

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

import skcvae
from skcvae import CVAERegressor, EnsembleRegressor, NNRegressor
from skcvae.datasets import Quadrants, make_linear_gaussian
from skcvae.displays import (
    AnnotationsDisplay,
    CalibrationDisplay,
    JointSamplesDisplay,
    PredictiveBandDisplay,
    ProgressionDisplay,
    SamplesDisplay,
    TrainingDisplay,
)

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("agg")
plt = pytest.importorskip("matplotlib.pyplot")

QUICK = {"max_epochs": 2, "random_state": 0}


@pytest.fixture(autouse=True)
def close_figures():
    plt.close("all")  # those of doctests
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def table():
    """One input, three outputs that depend on each other."""
    data = make_linear_gaussian(n_samples=60, n_features=1, random_state=0)
    return data.X, data.y


@pytest.fixture(scope="module")
def images():
    rng = np.random.default_rng(0)
    X, y = rng.random((30, 4, 6)), rng.random((30, 4, 6))
    return X, y, NNRegressor(**QUICK).fit(X, y)


def wrapped(y, X):
    """Return fitted estimators of each kind that can draw."""
    est = CVAERegressor(**QUICK)
    scaled = make_pipeline(StandardScaler(), est)
    return [
        est.fit(X, y),
        make_pipeline(PolynomialFeatures(), CVAERegressor(**QUICK)).fit(X, y),
        GridSearchCV(scaled, {"cvaeregressor__beta": [0.5, 1.0]}, cv=2).fit(X, y),
        EnsembleRegressor(CVAERegressor(**QUICK), n_estimators=2, random_state=0).fit(X, y),
    ]


@pytest.fixture(scope="module")
def estimators(table):
    return wrapped(table[1], table[0])


# The convention.


def each_display(images):
    """Return one display of each kind, from arrays."""
    rng = np.random.default_rng(0)
    y, draws = rng.normal(size=(50, 1)), rng.normal(size=(20, 50, 1))
    X, labels, est = images
    maps = (labels[None, :3] > 0.5).astype(int)
    return [
        AnnotationsDisplay.from_predictions(X[:3], maps, maps),
        CalibrationDisplay.from_predictions(y, draws),
        CalibrationDisplay.from_predictions(y, draws, kind="coverage"),
        JointSamplesDisplay.from_predictions(y[:3].T, draws[:, :3].swapaxes(1, 2)),
        PredictiveBandDisplay.from_predictions(np.arange(50), draws, X=[0, 1], y_true=[1, 2]),
        ProgressionDisplay.from_predictions(None, labels[:3], labels[None, :3]),
        SamplesDisplay.from_predictions(X[:3], labels[:3], labels[None, :3]),
        TrainingDisplay.from_estimator(est),
    ]


def test_each_display_has_axes_and_a_figure_and_plots_again(images):
    for display in each_display(images):
        assert isinstance(display.figure_, matplotlib.figure.Figure)
        for ax in np.ravel(display.ax_):
            assert ax.figure is display.figure_
        before = display.figure_
        assert display.plot() is display
        assert display.figure_ is not before
        assert display.plot(ax=display.ax_).figure_ is display.figure_
        display.figure_.draw_without_rendering()


def test_the_constructor_stores_and_nothing_else(images):
    for display in each_display(images):
        stored = {k: v for k, v in vars(display).items() if not k.endswith("_")}
        kept = type(display)(**stored)
        assert vars(kept).keys() == stored.keys()
        assert all(vars(kept)[name] is value for name, value in stored.items())


def test_global_settings_and_random_state_are_left_alone(images):
    settings, state = dict(matplotlib.rcParams), np.random.get_state()[1].copy()
    each_display(images)
    assert dict(matplotlib.rcParams) == settings
    assert (np.random.get_state()[1] == state).all()


def test_axes_of_another_number_are_refused(images):
    for display in each_display(images):
        _, axes = plt.subplots(7, 1)
        with pytest.raises(ValueError, match=r"ax must be an array of axes .* got \(7,\)"):
            display.plot(ax=axes)


def test_without_matplotlib_the_error_says_what_to_install(monkeypatch, images, estimators, table):
    for module in ("matplotlib", "matplotlib.pyplot"):
        monkeypatch.setitem(sys.modules, module, None)
    X, y = table
    with pytest.raises(ImportError, match="CalibrationDisplay requires matplotlib: pip install"):
        CalibrationDisplay.from_estimator(estimators[0], X, y)
    with pytest.raises(ImportError, match="SamplesDisplay requires matplotlib"):
        SamplesDisplay(draws=images[1][None]).plot()


# From an estimator or from its draws, the same.


def test_calibration_of_any_estimator(estimators, table):
    X, y = table
    for est in estimators:
        display = CalibrationDisplay.from_estimator(est, X, y, n_samples=9)
        same = CalibrationDisplay.from_predictions(y, skcvae.sample(est, X, 9, 0))
        np.testing.assert_array_equal(display.pit, same.pit)
        assert display.pit.shape == y.shape


def test_joint_samples_of_any_estimator(estimators, table):
    X, y = table
    for est in estimators:
        display = JointSamplesDisplay.from_estimator(est, X[:1], y[:1], n_samples=9)
        same = JointSamplesDisplay.from_predictions(y[:1], skcvae.sample(est, X[:1], 9, 0))
        np.testing.assert_array_equal(display.draws, same.draws)


def test_bands_of_any_estimator(table):
    X, y = table[0], table[1][:, 0]
    grid = np.linspace(X.min(), X.max(), 7)[:, None]
    for est in wrapped(y, X):
        found = PredictiveBandDisplay.from_estimator(est, X, y, n_samples=9, grid_resolution=7)
        draws = skcvae.sample(est, grid, 9, 0)
        same = PredictiveBandDisplay.from_predictions(grid, draws, X=X, y_true=y)
        for name in ("x", "median", "bands", "X", "y_true"):
            np.testing.assert_array_equal(getattr(found, name), getattr(same, name))


def test_samples_of_any_estimator(images):
    X, y, est = images
    flat = make_pipeline(PCA(3), CVAERegressor(**QUICK)).fit(X.reshape(30, -1), y)
    for fitted, rows in ((est, X[:4]), (flat, X[:4].reshape(4, -1))):
        display = SamplesDisplay.from_estimator(fitted, rows, y[:4], n_samples=2)
        draws = skcvae.sample(fitted, rows, 2, 0, observation_noise=False)
        np.testing.assert_array_equal(display.draws, draws)
        n_columns = 1 + 2 + (rows.ndim == 3)
        assert display.ax_.shape == display.images_.shape == (4, n_columns)


def test_training_of_any_estimator(estimators):
    for est, n_lines in zip(estimators, [1, 1, 1, 2], strict=True):
        display = TrainingDisplay.from_estimator(est)
        assert {len(lines) for lines in display.lines_.values()} == {n_lines}
    history = estimators[0].history_
    display = TrainingDisplay.from_estimator(estimators[0])
    for column, (line,) in display.lines_.items():
        np.testing.assert_array_equal(line.get_ydata(), history[:, column])


def test_training_without_validation_shows_what_is_there(table):
    est = CVAERegressor(early_stopping=False, **QUICK).fit(*table)
    assert set(TrainingDisplay.from_estimator(est).lines_) == {"train_reconstruction", "train_kl"}


@pytest.mark.parametrize("lr", [1e-30, 0.01], ids=["the start is kept", "an epoch is kept"])
def test_a_dot_marks_the_epoch_whose_weights_were_kept(lr):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 2))
    y = np.sin(3 * X[:, 0]) + 0.1 * rng.normal(size=300)
    est = CVAERegressor(max_epochs=20, lr=lr, random_state=0).fit(X, y)
    kept = [row["epoch"] for row in est.history_ if row["valid_cll_best"]]
    (line,) = TrainingDisplay.from_estimator(est).lines_["valid_cll"]
    is_marked = line.get_marker() == "o"
    dots = line.get_xdata()[line.get_markevery()] if is_marked else []
    assert list(dots) == kept[-1:] and is_marked == bool(kept) == (lr > 1e-3)


# What is shown.


def test_images_are_shown_as_they_are(images):
    X, y, _ = images
    display = SamplesDisplay.from_predictions(
        X[:3], y[:3], y[None, 3:6], predictions={"mean": y[6:9]}, row_names=["a", "b", "c"]
    )
    for column, shown in zip(display.images_.T, (X[:3], y[:3], y[6:9], y[3:6]), strict=True):
        for image, expected in zip(column, shown, strict=True):
            np.testing.assert_array_equal(image.get_array(), expected)
    assert [ax.get_title() for ax in display.ax_[0]] == ["input", "truth", "mean", "draw 1"]
    assert [ax.get_ylabel() for ax in display.ax_[:, 0]] == ["a", "b", "c"]
    assert display.legend_ is None


def test_label_maps_have_a_legend_and_keep_what_is_not_known():
    y = np.array([[[10, 20], [30, 10]]])
    display = SamplesDisplay.from_predictions(
        None, y, y[None], predictions={"known": np.where(y == 20, np.nan, y)}
    )
    assert display.label_names == {10: "10", 20: "20", 30: "30"}
    assert [text.get_text() for text in display.legend_.get_texts()] == ["10", "20", "30"]
    np.testing.assert_array_equal(display.images_[0, 0].get_array(), [[0, 1], [2, 0]])
    assert display.images_[0, 1].get_array().mask.tolist() == [[False, True], [False, False]]
    named = SamplesDisplay.from_predictions(
        None, None, y[None] * 1.0, label_names={10: "sky", 20: "sea", 30: "sand"}
    )
    assert [text.get_text() for text in named.legend_.get_texts()] == ["sky", "sea", "sand"]
    faces = {tuple(patch.get_facecolor()) for patch in named.legend_.get_patches()}
    assert len(faces) == 3


TERRAIN = np.array(["land", "sea", "sky"])


@pytest.mark.parametrize("labels", [np.arange(3), TERRAIN, np.array([False, True, True])])
def test_an_estimator_of_labels_shows_label_maps(images, labels):
    X, y, _ = images
    y = labels[(y * 3).astype(int)]
    est = NNRegressor(likelihood="categorical", **QUICK).fit(X, y)
    predictions = {"predicted": est.predict(X[:2])}
    display = SamplesDisplay.from_estimator(est, X[:2], y[:2], predictions=predictions)
    assert [*display.label_names] == np.unique(labels).tolist()
    names = [text.get_text() for text in display.legend_.get_texts()]
    assert names == [str(label) for label in np.unique(labels)]
    shown = display.images_[1, 1].get_array().astype(int)
    np.testing.assert_array_equal(np.unique(labels)[shown], y[1])


def test_missing_texts_are_plotted_as_missing():
    y = np.array([[["sea", "sky"], ["sky", None]]], dtype=object)
    y[0, 0, 1] = np.nan
    twice = lambda X, y: np.concatenate([y, y], axis=1)  # noqa: E731
    for join, height in ((None, 2), (twice, 4)):
        display = SamplesDisplay.from_predictions(
            None, y, TERRAIN[[[[[2, 1], [2, 2]]]]], join=join, label_names={"sea": "s", "sky": "h"}
        )
        shown = display.images_[0, 0].get_array()
        assert shown.mask.tolist() == [[False, True], [False, True]] * (height // 2)
    with pytest.raises(ValueError, match=r"labels of one kind, .* \[3, 'sea', 'sky'\]"):
        SamplesDisplay.from_predictions(None, y, np.full((1, *y.shape), 3))


@pytest.mark.parametrize("n_channels", [2, 4])
def test_an_image_and_its_mask_have_a_column_each(n_channels):
    rng = np.random.default_rng(0)
    X, y = rng.random((30, n_channels, 8, 8)), rng.integers(0, 2, (30, 2, 8, 8))
    X[:, -1] = X[:, -1] > 0.5
    est = NNRegressor(likelihood="bernoulli", annotations=True, **QUICK).fit(X, y)
    image = X[:3, 0] if n_channels == 2 else np.moveaxis(X[:3, :3], 1, -1)
    for display in (
        SamplesDisplay.from_estimator(est, X[:3], y[:3, 0]),
        AnnotationsDisplay.from_estimator(est, X[:3], y[:3]),
    ):
        titles = [ax.get_title() for ax in display.ax_[0, :2]]
        assert titles == ["input", f"channel {n_channels}"]
        for shown, expected in zip(display.images_.T, (image, X[:3, -1]), strict=False):
            np.testing.assert_array_equal([part.get_array() for part in shown], expected)
    with pytest.raises(ValueError, match=r"join=lambda X, y: y\[:, :[13]\]") as caught:
        SamplesDisplay.from_predictions(None, None, X[None, :3])
    join = eval(str(caught.value).split("join=")[1].rstrip("."))
    SamplesDisplay.from_predictions(None, None, X[None, :3], join=join)


def test_inputs_of_many_channels_say_how_to_plot_some():
    X, y = np.zeros((2, 5, 4, 4)), np.zeros((2, 4, 4))
    with pytest.raises(ValueError, match=r"X must be images .* from_predictions\(X\[:, :1\]"):
        SamplesDisplay.from_predictions(X, y, y[None])
    assert SamplesDisplay.from_predictions(X[:, :1], y, y[None]).ax_.shape == (2, 3)


def test_colours_are_channels_first_and_clipped():
    y = np.random.default_rng(0).random((2, 3, 4, 5))
    X = y.copy()
    X[0, :, 0, 0] = np.nan
    display = SamplesDisplay.from_predictions(X, y, 2 * y[None])
    assert display.draws.shape == (1, 2, 4, 5, 3)
    np.testing.assert_allclose(display.images_[0, 1].get_array(), np.moveaxis(y[0], 0, -1))
    assert display.images_[0, 2].get_array().max() == 1
    assert np.isfinite(display.images_[0, 0].get_array()).all()
    single = SamplesDisplay.from_predictions(None, y[:, :1], y[None, :, :1])
    assert single.draws.shape == (1, 2, 4, 5)


def test_what_is_known_of_an_image_is_joined_to_the_rest():
    whole = np.random.default_rng(0).random((3, 4, 4))
    task = Quadrants((4, 4))
    X, y = task.split(whole)
    display = SamplesDisplay.from_predictions(X, y, y[None], join=task.join)
    np.testing.assert_array_equal(display.y_true, whole)
    np.testing.assert_array_equal(display.draws[0], whole)
    np.testing.assert_array_equal(np.isnan(display.X), np.broadcast_to(~task.seen, (3, 4, 4)))
    alone = SamplesDisplay.from_predictions(
        X, y, y[None], join=lambda X, y: y.reshape(-1, 3, 4), draw_names=["A"]
    )
    assert [ax.get_title() for ax in alone.ax_[0]] == ["truth", "A"]


def test_bands_are_quantiles_in_the_order_of_x():
    draws = np.random.default_rng(0).normal(size=(200, 3))
    display = PredictiveBandDisplay.from_predictions([2, 0, 1], draws, coverages=(0.9, 0.5))
    np.testing.assert_array_equal(display.x, [0, 1, 2])
    expected = np.quantile(draws[:, [1, 2, 0]], [0.05, 0.95], axis=0).T
    np.testing.assert_allclose(display.bands[0], expected)
    assert len(display.bands_) == 2
    assert [band.get_label() for band in display.bands_] == ["90% band", "50% band"]
    assert display.scatter_ is None
    np.testing.assert_array_equal(display.line_.get_ydata(), np.median(draws, axis=0)[[1, 2, 0]])


def test_bands_of_a_frame_have_its_names(table):
    pd = pytest.importorskip("pandas")
    X, y = pd.DataFrame(table[0], columns=["dose"]), pd.Series(table[1][:, 0], name="effect")
    est = NNRegressor(**QUICK).fit(X, y)
    display = PredictiveBandDisplay.from_estimator(est, X, y, n_samples=5, grid_resolution=4)
    assert (display.ax_.get_xlabel(), display.ax_.get_ylabel()) == ("dose", "effect")
    assert len(display.scatter_.get_offsets()) == 60


def test_exact_draws_are_calibrated_and_narrow_ones_are_not():
    rng = np.random.default_rng(0)
    y, draws = rng.normal(size=1000), rng.normal(size=(99, 1000))
    for factor, calibrated in ((1, True), (0.5, False)):
        display = CalibrationDisplay.from_predictions(y, factor * draws, kind="coverage")
        nominal, inside = display.line_.get_data()
        assert (np.abs(inside - nominal).max() < 0.05) == calibrated
        heights = [bar.get_height() for bar in display.plot(n_bins=10).bars_]
        assert np.mean(heights) == pytest.approx(1)
        assert (np.ptp(heights) < 0.5) == calibrated


def test_the_coverage_curve_is_the_coverage_of_intervals():
    rng = np.random.default_rng(1)
    y, draws = rng.normal(size=(400, 2)), 0.7 * rng.normal(size=(999, 400, 2))
    y[0] = np.nan
    display = CalibrationDisplay.from_predictions(y, draws, kind="coverage")
    nominal, inside = display.line_.get_data()
    for coverage in (0.5, 0.9):
        ends = np.quantile(draws, [(1 - coverage) / 2, (1 + coverage) / 2], axis=0)
        expected = skcvae.metrics.interval_coverage(y, np.moveaxis(ends, 0, -1))
        assert np.interp(coverage, nominal, inside) == pytest.approx(expected, abs=0.01)


def test_a_reference_can_be_left_out(table):
    rng = np.random.default_rng(0)
    y, draws = rng.normal(size=30), rng.normal(size=(9, 30))
    display = CalibrationDisplay.from_predictions(y, draws, kind="coverage", name="first")
    n_lines = len(display.ax_.lines)
    same = {"kind": "coverage", "ax": display.ax_, "ref_line": False}
    CalibrationDisplay.from_predictions(y, draws, name="second", **same)
    assert len(display.ax_.lines) == n_lines + 1
    names = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert names == ["first", "second"]
    assert len({line.get_color() for line in display.ax_.lines if line.get_label() in names}) == 2


def test_joint_samples_have_an_axes_for_each_pair():
    draws = np.random.default_rng(0).normal(size=(40, 1, 4))
    display = JointSamplesDisplay.from_predictions(
        draws[0], draws, outputs=[3, 0, 1], output_names=list("abcd")
    )
    assert (len(display.scatters_), len(display.histograms_)) == (3, 3)
    np.testing.assert_array_equal(display.scatters_[0].get_offsets(), draws[:, 0, [3, 0]])
    assert [ax.get_xlabel() for ax in display.ax_[-1]] == ["d", "a", "b"]
    assert [ax.axison for ax in display.ax_[0]] == [True, False, False]
    assert sum(stairs.get_data().values.sum() for stairs in display.histograms_) == 3 * 40


def test_keywords_reach_matplotlib_by_any_alias():
    draws = np.random.default_rng(0).normal(size=(40, 3))
    display = PredictiveBandDisplay.from_predictions(
        range(3), draws, line_kw={"c": "red", "lw": 3}, band_kw={"alpha": 0.1}
    )
    assert (display.line_.get_color(), display.line_.get_linewidth()) == ("red", 3)
    assert {band.get_alpha() for band in display.bands_} == {0.1}


# Errors.


def test_bad_samples(images):
    X, y, est = images
    show = SamplesDisplay.from_predictions
    with pytest.raises(ValueError, match=r"X must have at most 20 rows.*got 30. Select some"):
        SamplesDisplay.from_estimator(est, X, y)
    with pytest.raises(ValueError, match=r"X must have at most 20 rows"):
        show(X, y, y[None])
    with pytest.raises(ValueError, match=r"y_true must have shape \(3, 4, 6\) .* got \(2, 4, 6\)"):
        show(X[:3], y[:2], y[None, :3])
    with pytest.raises(ValueError, match=r"predictions\['NN'\] must have shape"):
        show(X[:3], y[:3], y[None, :3], predictions={"NN": y[:2]})
    with pytest.raises(ValueError, match=r"X must have length 3 .* got 2"):
        show(X[:2], y[:3], y[None, :3])
    with pytest.raises(ValueError, match=r"draw_names must have length 1 .* got 2"):
        show(X[:3], y[:3], y[None, :3], draw_names=["a", "b"])
    with pytest.raises(ValueError, match=r"draws must be images .* got \(3, 24\).*join=lambda"):
        show(None, None, y[None, :3].reshape(1, 3, 24))
    with pytest.raises(ValueError, match=r"draws must be images .* with 1 or 3 channels"):
        show(None, None, np.zeros((1, 2, 4, 5, 5)))
    with pytest.raises(ValueError, match=r"a name for all labels .*\[0.0, 1.0\].*got {1"):
        show(None, None, np.eye(4)[None, None], label_names={1: "sky"})
    with pytest.raises(ValueError, match=r"y_true must have colours in \[0, 1\].*to 255"):
        show(None, np.full((1, 3, 2, 2), 255), np.zeros((1, 1, 3, 2, 2)))
    with pytest.raises(ValueError, match=r"draws must have shape .* got \(0, 3, 4, 6\)"):
        show(X[:3], y[:3], y[None, :3][:0])


def test_bad_bands(images):
    show, draws = PredictiveBandDisplay.from_predictions, np.zeros((5, 3))
    with pytest.raises(ValueError, match=r"X must be a single column.* got shape \(60, 2\)"):
        PredictiveBandDisplay.from_estimator(images[2], np.zeros((60, 2)))
    with pytest.raises(ValueError, match=r"draws must have .* single output.* got \(5, 3, 2\)"):
        show([0, 1, 2], np.zeros((5, 3, 2)))
    with pytest.raises(ValueError, match="X and y_true must be given together"):
        show([0, 1, 2], draws, X=[0])
    with pytest.raises(ValueError, match="X and y_true must be given together, with the same"):
        show([0, 1, 2], draws, X=[0], y_true=[0, 1])
    with pytest.raises(ValueError, match=r"y_true must be a single column.* got shape \(1, 2\)"):
        show([0, 1, 2], draws, X=[0], y_true=[[0, 1]])
    for coverages in (0.9, [], [0.5, 1.0]):
        with pytest.raises(ValueError, match="coverages must be a sequence of numbers between"):
            show([0, 1, 2], draws, coverages=coverages)


def test_bad_calibration():
    y, draws = np.zeros(5), np.zeros((3, 5))
    with pytest.raises(ValueError, match="kind must be one of .'pit', 'coverage'.*got 'roc'"):
        CalibrationDisplay.from_predictions(y, draws, kind="roc")
    with pytest.raises(ValueError, match=r"draws must have shape"):
        CalibrationDisplay.from_predictions(y, draws[:, :4])


def test_bad_joint_samples(estimators, table):
    X, y = table
    show, draws = JointSamplesDisplay.from_predictions, np.zeros((5, 1, 3))
    with pytest.raises(ValueError, match=r"X must have one row, such as X\[:1\], got 60"):
        JointSamplesDisplay.from_estimator(estimators[0], X, y)
    with pytest.raises(ValueError, match=r"draws must have .* one row and two outputs or more"):
        show(None, np.zeros((5, 2, 3)))
    with pytest.raises(ValueError, match=r"two outputs or more, got \(5, 1, 1\)"):
        show(None, np.zeros((5, 1, 1)))
    with pytest.raises(ValueError, match=r"y_true must have shape \(1, 3\), got \(3,\)"):
        show(np.zeros(3), draws)
    for outputs in ([0], [0, 3], range(9)):
        with pytest.raises(ValueError, match="outputs must be 2 to 8 indices between 0 and 2"):
            show(None, draws, outputs=outputs)
    with pytest.raises(ValueError, match="output_names must have length 3, got 2"):
        show(None, draws, output_names=["a", "b"])


def test_what_has_no_history_is_refused():
    with pytest.raises(TypeError, match="a fitted estimator with a history_, got PCA"):
        TrainingDisplay.from_estimator(make_pipeline(StandardScaler(), PCA()))
    with pytest.raises(TypeError, match="fitted .* got CVAERegressor"):
        TrainingDisplay.from_estimator(CVAERegressor())


# Several annotators.


def test_disagreement_is_the_share_of_pairs_that_differ():
    y = np.zeros((4, 2, 3, 3), dtype=int)
    y[0, 0, 0, 0] = y[:2, 0, 1, 1] = 5
    y[2:, 1] = -1
    draws = np.array([0, 0, 5])[:, None, None, None] * np.ones((3, 2, 3, 3))
    X = np.zeros((2, 3, 3))
    display = AnnotationsDisplay.from_predictions(X, y, draws, n_shown=3)
    found = display.disagreement_["annotations"]
    assert found[0, 0, 0] == pytest.approx(1 / 2) and found[0, 1, 1] == pytest.approx(2 / 3)
    assert found.sum() == pytest.approx(1 / 2 + 2 / 3)
    assert display.disagreement_["draws"] == pytest.approx(2 / 3)
    titles = [ax.get_title() for ax in display.ax_[0]]
    assert titles == [
        "input", *(f"annotation {i}" for i in (1, 2, 3)), *(f"draw {i}" for i in (1, 2, 3)),
        "annotations\ndisagree", "draws\ndisagree",
    ]  # fmt: skip
    assert display.images_[1, 3] is None and not display.ax_[1, 3].axison
    with pytest.raises(ValueError, match="y must have shape .* and draws .* got"):
        AnnotationsDisplay.from_predictions(X, y[:, :1], draws)
    for n_rows in (1, 3):
        with pytest.raises(ValueError, match="X must have length 2 for draws"):
            AnnotationsDisplay.from_predictions(np.zeros((n_rows, 3, 3)), y, draws)


def test_a_single_annotation_disagrees_with_no_other():
    y = np.zeros((3, 2, 2, 2), dtype=int)
    y[1:, 1] = -1
    display = AnnotationsDisplay.from_predictions(None, y, y[:1], n_shown=1)
    found = display.disagreement_
    assert (found["annotations"][0] == 0).all() and np.isnan(found["annotations"][1]).all()
    assert np.isnan(found["draws"]).all()
    drawn = [[image is not None for image in row] for row in display.images_[:, 2:]]
    assert drawn == [[True, False], [False, False]]


@pytest.mark.parametrize("X", [None, np.zeros((1, 2, 2))])
def test_annotations_have_the_legend_of_samples(X):
    y = np.array([10, 20, 30, 10]).reshape(1, 1, 2, 2)
    for names in (None, {10: "sky", 20: "sea", 30: "sand"}):
        legends = [
            AnnotationsDisplay.from_predictions(X, y, y, label_names=names).legend_,
            SamplesDisplay.from_predictions(X, y[0], y, label_names=names).legend_,
        ]
        texts = [[text.get_text() for text in legend.get_texts()] for legend in legends]
        faces = [[patch.get_facecolor() for patch in legend.get_patches()] for legend in legends]
        assert texts[0] == texts[1] == list((names or {10: "10", 20: "20", 30: "30"}).values())
        assert faces[0] == faces[1] and len(set(faces[0])) == 3
    assert AnnotationsDisplay.from_predictions(X, y, y, n_shown=0).legend_ is None


def test_annotations_and_draws_that_are_no_labels_are_refused():
    y = np.array([0, 1])[:, None, None, None] * np.ones((2, 1, 3, 3), dtype=int)
    show = AnnotationsDisplay.from_predictions
    with pytest.raises(ValueError, match=r"draws must hold labels.*got 0\.5"):
        show(None, y, y * 0.5)
    with pytest.raises(ValueError, match=r"y must hold labels.*got 0\.5"):
        show(None, y * 0.5, y)
    hole = y.copy()
    hole[1, 0, 0, 0] = -1
    for name, maps in (("y", (hole, y)), ("draws", (y, hole))):
        with pytest.raises(ValueError, match=f"{name} has -1 beside other values"):
            show(None, *maps)
    with pytest.raises(ValueError, match="n_draws above zero"):
        show(None, y, y[:0])
    X, real = np.zeros((30, 2)), np.zeros((30, 2, 3, 3)) + (np.arange(30) % 2)[:, None, None, None]
    est = NNRegressor(likelihood="gaussian", annotations=True, architecture="mlp", **QUICK).fit(
        X, real
    )
    with pytest.raises(ValueError, match="draws must hold labels"):
        AnnotationsDisplay.from_estimator(est, X[:2], real[:2].astype(int))


def test_annotations_beside_draws_of_an_estimator():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(30, 4, 4)), rng.integers(0, 2, size=(30, 2, 4, 4))
    est = CVAERegressor(likelihood="bernoulli", annotations=True, **QUICK).fit(X, y)
    display = AnnotationsDisplay.from_estimator(est, X[:2], y[:2], n_samples=5)
    draws = est.sample(X[:2], 5, 0, observation_noise=False)
    assert (display.draws == (draws > 0.5)).all()
    assert (display.annotations == y[:2].swapaxes(0, 1)).all()


def test_annotations_may_be_texts():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(30, 4, 4)), TERRAIN[rng.integers(0, 3, size=(30, 2, 4, 4))]
    est = CVAERegressor(likelihood="categorical", annotations=True, **QUICK).fit(X, y)
    display = AnnotationsDisplay.from_estimator(est, X[:2], y[:2], n_samples=5)
    assert (display.draws == est.sample(X[:2], 5, 0, observation_noise=False)).all()
    assert display.label_names == {name: name for name in TERRAIN.tolist()}
    expected = (y[:2, 0] != y[:2, 1]).astype(float)
    np.testing.assert_array_equal(display.disagreement_["annotations"], expected)
    shown = display.images_[1, 1].get_array().astype(int)
    np.testing.assert_array_equal(TERRAIN[shown], y[1, 0])


def test_names_may_be_an_index_or_an_array():
    y, draws = np.zeros((20, 2)), np.random.default_rng(0).normal(size=(30, 20, 2))
    names = np.array(["a", "b"])
    curves = CalibrationDisplay.from_predictions(
        y, draws, output_names=names, multioutput="raw_values"
    )
    assert curves.output_names == ["a", "b"]
    joint = JointSamplesDisplay.from_predictions(
        y[:1], draws[:, :1], output_names=names, outputs=["b", "a"]
    )
    assert joint.output_names == ["b", "a"]
    images = np.zeros((2, 3, 4, 4))
    shown = SamplesDisplay.from_predictions(
        None, None, images, row_names=[1, 2, 3], draw_names=np.array(["c", "d"])
    )
    assert shown.row_names == ["1", "2", "3"] and shown.draw_names == ["c", "d"]


def test_labels_of_bands_are_the_coverages():
    draws = np.random.default_rng(0).normal(size=(200, 5))
    coverages = [0.5, 0.975, 0.999, 0.005]
    bands = PredictiveBandDisplay.from_predictions(np.arange(5.0), draws, coverages=coverages)
    labels = {band.get_label() for band in bands.bands_}
    assert labels == {"50% band", "97.5% band", "99.9% band", "0.5% band"}


def test_keywords_of_scatter_are_those_of_matplotlib():
    x = np.arange(5.0)
    look = {"c": x, "cmap": "magma", "linewidths": 1}
    rows = {"X": x, "y_true": x, "scatter_kw": look}
    shown = PredictiveBandDisplay.from_predictions(x, np.zeros((9, 5)), **rows)
    np.testing.assert_array_equal(shown.scatter_.get_array(), x)
    assert shown.scatter_.get_linewidth() == [1]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("kind", ["pit", "coverage"])
def test_an_output_that_is_never_observed_has_no_curve(kind):
    u = np.column_stack([np.random.default_rng(0).random(30), np.full(30, np.nan)])
    display = CalibrationDisplay(pit=u).plot(kind=kind, multioutput="raw_values")
    last = display.lines_[1]
    heights = last.get_data().values if kind == "pit" else last.get_ydata()
    assert np.isnan(heights).all()


@pytest.mark.parametrize("n_bins", [0, -3, 2.5])
def test_numbers_of_bins_are_whole(n_bins):
    with pytest.raises((TypeError, ValueError), match="n_bins"):
        CalibrationDisplay(pit=np.linspace(0, 1, 9)).plot(n_bins=n_bins)


@pytest.mark.parametrize("outputs", [1, [True, False], [0, 1.0], [0, "c"]])
def test_outputs_are_indices_or_names(outputs):
    with pytest.raises(ValueError, match="outputs must be 2 to 8 indices"):
        JointSamplesDisplay.from_predictions(None, np.zeros((9, 1, 3)), outputs=outputs)


def test_bands_over_a_feature_without_values_are_refused():
    X = np.random.default_rng(0).normal(size=(20, 2))
    est = NNRegressor(partial_X=True, max_epochs=1, random_state=0)
    est.fit(np.where(X > 1, np.nan, X), X[:, 0])
    rows = np.where([True, False], np.nan, X)
    with pytest.raises(ValueError, match="feature 0 must have a value in X, got none"):
        PredictiveBandDisplay.from_estimator(est, rows, feature=0)
    with pytest.raises(ValueError, match="y must have 20 rows, as X, got 5"):
        PredictiveBandDisplay.from_estimator(est, X, X[:5, 0], feature=0)
