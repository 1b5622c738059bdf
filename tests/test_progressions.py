"""Progressions of one feature of x, and their display."""

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skcvae import CVAERegressor, NNRegressor, progression
from skcvae.displays import ProgressionDisplay

rng = np.random.default_rng(0)
X = rng.normal(size=(30, 3))
IMAGES = rng.random((30, 4, 6)) + X[:, 1, None, None]
QUICK = {"max_epochs": 2, "random_state": 0, "latent_dim": 2}


@pytest.fixture(scope="module")
def est():
    return CVAERegressor(**QUICK).fit(X, IMAGES)


def moved(X, column, value):
    X = np.array(X, dtype=float)
    X[:, column] = value
    return X


@pytest.mark.parametrize("column", [0, 2, -1])
def test_each_step_decodes_the_same_z_at_another_value(est, column):
    z, values = est.encode(X, IMAGES), [-1, 0.5, 7]
    found = progression(est, X, column, values, z)
    expected = [est.decode(moved(X, column, value), z) for value in values]
    np.testing.assert_array_equal(found, expected)
    assert found.shape == (3, *IMAGES.shape) and (found[0] != found[1]).all()


def test_a_number_of_values_goes_from_the_lowest_to_the_highest(est):
    z = est.encode(X, IMAGES)
    values = np.linspace(X[:, 1].min(), X[:, 1].max(), 4)
    np.testing.assert_array_equal(progression(est, X, 1, 4, z), progression(est, X, 1, values, z))
    assert len(progression(est, X, 1)) == 7


def test_by_default_z_is_the_prior_s_mean_at_x_as_it_is(est):
    found = progression(est, X, 1, [0.0, 1.0])
    np.testing.assert_array_equal(found, progression(est, X, 1, [0.0, 1.0], est.encode(X)))
    np.testing.assert_array_equal(
        progression(est, X[:1], 1, X[:1, 1])[0], est.decode(X[:1], est.encode(X[:1]))
    )


def test_x_is_left_as_it_is_and_whole_numbers_may_move_by_parts(est):
    whole = np.round(X).astype(np.int8)
    before = whole.copy()
    z = est.encode(X, IMAGES)
    found = progression(est, whole, 1, [0.1, 101.3], z)
    np.testing.assert_array_equal(whole, before)
    expected = [est.decode(moved(whole, 1, value), z) for value in (0.1, 101.3)]
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_features_of_frames_have_names(library):
    frames = pytest.importorskip(library)
    table = frames.DataFrame({name: X[:, i] for i, name in enumerate("abc")})
    est = CVAERegressor(**QUICK).fit(table, IMAGES)
    z = est.encode(table, IMAGES)
    values = [-1.0, 2.0]
    expected = [
        est.decode(frames.DataFrame({n: moved(X, 1, v)[:, i] for i, n in enumerate("abc")}), z)
        for v in values
    ]
    np.testing.assert_array_equal(progression(est, table, "b", values, z), expected)
    np.testing.assert_array_equal(progression(est, table, 1, values, z), expected)
    np.testing.assert_array_equal(table["b"], X[:, 1])
    assert len(progression(est, table, "b", 3, z)) == 3


@pytest.mark.parametrize("library", ["pandas", "polars"])
@pytest.mark.parametrize("names", [["blue", "red"], ["1", "2"]])
def test_values_of_names_are_names(library, names):
    frames = pytest.importorskip(library)
    table = frames.DataFrame({"colour": names * 15})
    pipeline = make_pipeline(OneHotEncoder(sparse_output=False), CVAERegressor(**QUICK))
    pipeline.fit(table, IMAGES)
    z = rng.normal(size=(30, 2))
    found = progression(pipeline, table, "colour", names, z)
    expected = [pipeline[-1].decode(np.tile(np.eye(2)[i], (30, 1)), z) for i in range(len(names))]
    np.testing.assert_array_equal(found, expected)
    assert (found[0] != found[1]).any()
    with pytest.raises(ValueError, match="Pass a list of values"):
        progression(pipeline, table, "colour", 5, z)


def test_steps_are_between_the_numbers_of_a_column(est):
    holes = np.array(X)
    holes[0, 1] = np.nan
    z = est.encode(X, IMAGES)
    values = np.linspace(X[1:, 1].min(), X[1:, 1].max(), 3)
    np.testing.assert_array_equal(
        progression(est, holes, 1, 3, z), progression(est, X, 1, values, z)
    )


def test_draws_of_z_come_after_the_values(est):
    z = rng.normal(size=(4, 30, 2))
    found = progression(est, X, 1, [0.0, 1.0], z)
    expected = np.stack([progression(est, X, 1, [0.0, 1.0], draw) for draw in z], axis=1)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_values_are_those_of_the_first_step_of_a_pipeline():
    pipeline = make_pipeline(StandardScaler(), CVAERegressor(**QUICK)).fit(10 * X + 3, IMAGES)
    z = pipeline[-1].encode(pipeline[0].transform(10 * X + 3), IMAGES)
    found = progression(pipeline, 10 * X + 3, 1, [-2.0, 8.0], z)
    inside = [pipeline[0].transform(moved(10 * X + 3, 1, value)) for value in (-2.0, 8.0)]
    np.testing.assert_array_equal(found, [pipeline[-1].decode(part, z) for part in inside])
    search = GridSearchCV(pipeline, {"cvaeregressor__beta": [0.5]}, cv=2).fit(X, IMAGES)
    assert progression(search, X, 1, 3).shape == (3, *IMAGES.shape)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ((X, 3), "one of the 3 columns"),
        ((X, -4), "one of the 3 columns"),
        ((X, "b"), "one of the 3 columns"),
        ((pd.DataFrame(X, columns=list("abc")), "d"), "a name in a DataFrame"),
        ((X, 0, 1), "at least 2 steps"),
        ((X, True), "feature must be .* got True"),
        ((X, np.True_), "feature must be"),
        ((X, [0, 1]), "feature must be"),
        ((pd.DataFrame(X), True), "feature must be .* got True"),
        ((pd.DataFrame(X), np.True_), "feature must be .* got .*True"),
        ((pd.DataFrame(X), np.array([0, 1])), "feature must be"),
        ((X, 0, True), "at least 2 steps"),
        ((X, 0, 2.5), "a number of steps"),
        ((X, 0, "ab"), "a list of values"),
        ((X, 0, [[1.0], [1.0, 2.0]]), "a list of values"),
        ((X, 0, ["a"]), r"values must be finite numbers.*got \['a'\]"),
        ((X, 0, [1.0, "0.5"]), "values must be finite numbers"),
        ((X, 0, [1.0, None]), "values must be finite numbers"),
        ((X, 0, [np.nan]), r"values must be finite numbers.*got \[nan\]"),
        ((X, 0, [1.0, np.inf]), "values must be finite numbers"),
        ((pd.DataFrame(X), 0, ["a"]), "values must be finite numbers"),
        ((X.astype(object), 0, ["a"]), "values must be finite numbers"),
        ((np.full((3, 3), np.nan), 0, 5), "values=5 .* two differ"),
        ((np.array([["a", "b", "c"]]), 0, 5), "values=5 .* Pass a list of values"),
        ((X, 0, []), "a list of values"),
        ((X, 0, [[1.0]]), "a list of values"),
        ((X[:1], 0, 5), "Pass a list of values"),
        ((X[:, 0], 0), "shape"),
    ],
)
def test_what_does_not_fit_is_refused(est, args, message):
    with pytest.raises(ValueError, match=message):
        progression(est, *args)


def test_without_latent_variables_there_is_nothing_to_fix():
    est = NNRegressor(max_epochs=1, random_state=0).fit(X, IMAGES)
    with pytest.raises(ValueError, match="no latent variables"):
        progression(est, X, 0)


# The display.


def test_rows_show_what_progression_returns(est):
    pytest.importorskip("matplotlib").use("agg")
    z = est.encode(X[:4], IMAGES[:4])
    display = ProgressionDisplay.from_estimator(est, X[:4], 1, [0, 0.123], z, y=IMAGES[:4])
    shown = np.array([[image.get_array() for image in row] for row in display.images_])
    np.testing.assert_array_equal(shown[:, 0], IMAGES[:4])
    expected = progression(est, X[:4], 1, [0, 0.123], z)
    np.testing.assert_array_equal(shown[:, 1:].swapaxes(0, 1), expected)
    assert [ax.get_title() for ax in display.ax_[0]] == ["image", "0", "0.123"]
    display = ProgressionDisplay.from_estimator(est, X[:4], 1, 3, row_names=list("abcd"))
    assert [ax.get_title() for ax in display.ax_[0]] == ["lowest", "", "highest"]
    assert [ax.get_ylabel() for ax in display.ax_[:, 0]] == list("abcd")


def test_values_of_any_kind_are_titles(est):
    pytest.importorskip("matplotlib").use("agg")
    display = ProgressionDisplay.from_estimator(est, X[:2], 1, np.array([False, True]))
    assert [ax.get_title() for ax in display.ax_[0]] == ["False", "True"]


COLOURS = rng.random((30, 3, 4, 6))


@pytest.mark.parametrize(
    ("rows", "params", "message"),
    [
        (IMAGES, {"y": IMAGES[:3]}, r"^y must have shape \(4, 4, 6\), .* got \(3, 4, 6\)"),
        (IMAGES, {"y": IMAGES[:4, 0]}, "^y must have shape"),
        (COLOURS, {"y": 255 * COLOURS[:4]}, r"^y must have colours in \[0, 1\]"),
        (IMAGES, {"z": np.zeros((4, 4, 2))}, r"^z must have shape \(4, 2\), .* got \(4, 4, 2\)"),
        (IMAGES, {"z": np.zeros((3, 2))}, "^z must have shape"),
        (IMAGES, {"row_names": ["a"]}, "^row_names must have length 4 for images"),
        (IMAGES, {"value_names": ["a"]}, "^value_names must have length 7 for images"),
    ],
)
def test_errors_of_the_display_name_its_arguments(rows, params, message):
    pytest.importorskip("matplotlib").use("agg")
    est = CVAERegressor(**QUICK).fit(X, rows)
    with pytest.raises(ValueError, match=message) as error:
        ProgressionDisplay.from_estimator(est, X[:4], 1, **params)
    assert "draws" not in str(error.value) and "y_true" not in str(error.value)


def test_outputs_may_be_joined_to_images():
    pytest.importorskip("matplotlib").use("agg")
    steps = rng.random((3, 2, 24))
    display = ProgressionDisplay.from_predictions(
        X[:2], None, steps, join=lambda X, y: y.reshape(-1, 4, 6)
    )
    np.testing.assert_array_equal(display.images, steps.reshape(3, 2, 4, 6))


@pytest.mark.parametrize(
    ("params", "message"),
    [
        (
            {"images": IMAGES[None, :4], "y_true": IMAGES[:3]},
            "^y_true must have shape .* one value",
        ),
        ({"images": COLOURS[None, :2], "y_true": 9 * COLOURS[:2]}, "^y_true must have colours"),
        ({"images": rng.random((3, 2, 24))}, "images must be images"),
        ({"images": rng.random(3)}, "n_values, n_rows"),
        ({"images": rng.random((2, 21, 4, 6))}, "at most 20"),
        ({"images": rng.random((3, 2, 4, 6)), "value_names": ["a"]}, "value_names must have"),
        ({"images": rng.random((3, 2, 4, 6)), "row_names": ["a"]}, "row_names must have"),
    ],
)
def test_what_is_no_grid_is_refused(params, message):
    with pytest.raises(ValueError, match=message):
        ProgressionDisplay.from_predictions(None, **{"y_true": None, **params})
