"""Six jobs as users do them, by public names alone."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, train_test_split

import skcvae
from skcvae import CVAERegressor
from skcvae.architectures import MLP
from skcvae.datasets import load_digits_label_maps, load_digits_quadrants
from skcvae.displays import CalibrationDisplay, SamplesDisplay
from skcvae.likelihoods import Categorical
from skcvae.metrics import interval_coverage, pixel_accuracy

N = 400


@pytest.fixture(scope="module")
def trips():
    """Return trips and their minutes by two clocks that disagree a little."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"km": rng.gamma(4, 1.5, N), "by": rng.choice(["bike", "van"], N)})
    minutes = np.where(frame["by"] == "van", 2.0, 4.0) * frame["km"] + rng.normal(size=N)
    frame.loc[rng.random(N) < 0.1, "km"] = np.nan
    y = pd.DataFrame({"depart": minutes, "arrive": minutes + rng.normal(size=N) / 3})
    return train_test_split(frame, y, random_state=0)


@pytest.fixture(scope="module")
def model(trips):
    X, _, y, _ = trips
    est = CVAERegressor(max_epochs=40, lr=0.01, batch_size=50, random_state=0)
    return skcvae.tabular_pipeline(est).fit(X, y)


def test_from_a_frame_to_intervals(trips, model):
    _, X, _, y = trips
    intervals = skcvae.predict_interval(model, X, coverage=0.9, as_frame=True)
    assert (intervals.index == y.index).all()
    width = intervals["arrive", "upper"] - intervals["arrive", "lower"]
    assert width[X["km"].isna()].mean() > 2 * width[X["km"].notna()].mean()
    each = interval_coverage(y, intervals, multioutput="raw_values")
    assert (each > 0.75).all()
    display = CalibrationDisplay.from_estimator(model, X, y, kind="coverage")
    assert display.output_names == ["depart", "arrive"]


def test_a_joint_probability(trips, model):
    _, X, _, y = trips
    both = lambda draws: (draws > [20, 20]).all(axis=-1)  # noqa: E731
    p, error = skcvae.probability(model, X, both)
    happened = (y > 20).all(axis=1)
    assert p[happened].mean() > p[~happened].mean() + 0.4 and (error < 0.02).all()


def test_a_grid_search(trips):
    X, X_test, y, y_test = trips
    grid = {"cvaeregressor__likelihood": ["gaussian", "student_t"]}
    est = CVAERegressor(architecture=MLP((16,)), max_epochs=3, random_state=0)
    search = GridSearchCV(skcvae.tabular_pipeline(est), grid, cv=2).fit(X, y)
    assert np.isfinite(search.score(X_test, y_test))
    assert skcvae.sample(search, X_test, 3, as_frame=True).loc[2].shape == y_test.shape


def test_inpainting():
    digits = load_digits_quadrants(n_quadrants=1)
    X, y = digits.data[:300], digits.target[:300]
    est = CVAERegressor(likelihood="bernoulli", max_epochs=3, random_state=0).fit(X, y)
    display = SamplesDisplay.from_estimator(est, X[:3], y[:3], join=digits.task.join)
    assert display.draws.shape[:2] == (4, 3)
    observed = np.zeros(y.shape, dtype=bool)
    observed[:, ::2] = True
    whole = est.complete(X[:5], y[:5], 2, ~observed[:5], random_state=0)
    np.testing.assert_array_equal(whole[:, observed[:5]], np.stack([y[:5][observed[:5]]] * 2))


def test_label_maps_with_unlabelled_pixels():
    maps = load_digits_label_maps()
    X, y = maps.data[:200], maps.target[:200].copy()
    y[:, 0] = 255
    likelihood = Categorical(ignore_label=255)
    est = CVAERegressor(likelihood=likelihood, partial_y=True, max_epochs=3, random_state=0)
    with pytest.raises(ValueError, match=r"Categorical\(ignore_label=255\)"):
        clone(est).set_params(likelihood="categorical").fit(X, y)
    predicted, proba = est.fit(X, y).predict(X, return_proba=True)
    assert pixel_accuracy(maps.target[:200, 1:], predicted[:, 1:]) > 0.5
    np.testing.assert_allclose(proba.sum(axis=1), 1)


def test_save_and_serve_a_pipeline(trips, model, tmp_path):
    _, X, _, _ = trips
    skcvae.save(model, tmp_path / "trips.skcvae")
    again = skcvae.load(tmp_path / "trips.skcvae")
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    module, inputs = skcvae.to_torch(again), torch.tensor(again[:-1].transform(X))
    np.testing.assert_allclose(module(inputs).numpy(), again.predict(X), rtol=1e-6)
