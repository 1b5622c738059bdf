"""Progressions of one feature of x, and their display."""

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

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
    whole = np.round(X).astype(int)
    before = whole.copy()
    z = est.encode(X, IMAGES)
    found = progression(est, whole, 1, [0.25, 0.75], z)
    np.testing.assert_array_equal(whole, before)
    expected = [est.decode(moved(whole, 1, value), z) for value in (0.25, 0.75)]
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
        ({"images": rng.random((3, 2, 24))}, "images must be images"),
        ({"images": rng.random(3)}, "n_values, n_rows"),
        ({"images": rng.random((2, 21, 4, 6))}, "at most 20"),
        ({"images": rng.random((3, 2, 4, 6)), "value_names": ["a"]}, "value_names must have"),
        ({"images": rng.random((3, 2, 4, 6)), "row_names": ["a"]}, "row_names must have"),
    ],
)
def test_what_is_no_grid_is_refused(params, message):
    with pytest.raises(ValueError, match=message):
        ProgressionDisplay.from_predictions(None, None, **params)
