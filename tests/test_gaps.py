"""NaN in X: a fill and a flag, for every network, as if they had been columns of X."""

import numpy as np
import pytest
import torch

import skcvae
from skcvae import CVAERegressor, EnsembleRegressor, NNRegressor
from skcvae.architectures import MLP, Conv, Temporal
from skcvae.data.coding import Scaling
from skcvae.data.gaps import Flagged

N = 50
rng = np.random.default_rng(0)
X = rng.normal(size=(N, 3)) * [1, 10, 0.1] + [0, 5, 100]
X[rng.random(X.shape) < 0.3] = np.nan
IMAGES = rng.normal(size=(N, 6, 4))
IMAGES[rng.random(IMAGES.shape) < 0.2] = np.nan
Y = rng.normal(size=(N, 2)) + np.isnan(X[:, :1])
QUICK = {"max_epochs": 2, "random_state": 0}


def coded(rows):
    """Return by hand what the networks read."""
    filled = (rows - np.nanmean(X, axis=0)) / np.nanstd(X, axis=0)
    return np.column_stack([np.nan_to_num(filled), np.isnan(rows)])


def test_gaps_are_fills_and_flags(estimator_class):
    est = estimator_class(partial_X=True, **QUICK).fit(X, Y)
    by_hand = estimator_class(normalize_X=False, **QUICK).fit(coded(X), Y)
    np.testing.assert_allclose(est.log_prob(X, Y), by_hand.log_prob(coded(X), Y), rtol=1e-5)
    np.testing.assert_allclose(est.predict(X), by_hand.predict(coded(X)), rtol=1e-5)
    np.testing.assert_allclose(est.sample(X, 2, 0), by_hand.sample(coded(X), 2, 0), rtol=1e-4)


def test_what_is_not_known_is_told_from_the_mean():
    y = np.isnan(X[:, 0]).astype(float)
    est = NNRegressor(partial_X=True, max_epochs=100, lr=0.03, random_state=0).fit(X, y)
    rows = np.nanmean(X, axis=0) * np.ones((2, 1))
    rows[0, 0] = np.nan
    hole, known = est.predict(rows)
    assert hole > 0.8 and known < 0.4


@pytest.mark.parametrize(
    ("shape", "code_shape"),
    [((3,), (6,)), ((4, 6), (2, 4, 6)), ((3, 4, 6), (6, 4, 6))],
)
def test_flags_of_images_are_channels(shape, code_shape):
    rows = rng.normal(size=(5, *shape))
    rows[0] = np.nan
    coding = Flagged(Scaling.identity(shape))
    code = coding.to_tensor(rows, torch.float64, "cpu").numpy()
    assert coding.code_shape == code.shape[1:] == code_shape and np.isfinite(code).all()
    numbers, flags = np.split(code.reshape(5, -1), 2, axis=1)
    np.testing.assert_array_equal(numbers[1:], rows[1:].reshape(4, -1))
    np.testing.assert_array_equal(flags[0] - flags[1:], 1)


@pytest.mark.parametrize(
    "architecture", [MLP((8,)), MLP((8,), bins=4), Conv((4, 6)), Temporal(4)], ids=repr
)
def test_every_architecture_reads_gaps(architecture, tmp_path):
    inputs = IMAGES if isinstance(architecture, Conv | Temporal) else X
    est = CVAERegressor(architecture=architecture, partial_X=True, **QUICK).fit(inputs, Y)
    est.save(tmp_path / "est.skcvae")
    again = skcvae.load(tmp_path / "est.skcvae")
    np.testing.assert_array_equal(again.log_prob(inputs, Y), est.log_prob(inputs, Y))
    module = est.to_torch()
    predicted = module(torch.tensor(inputs)).numpy()
    np.testing.assert_allclose(predicted, est.predict(inputs), rtol=1e-4, atol=1e-4)
    hidden = np.where(rng.random(Y.shape) < 0.5, np.nan, Y)
    assert np.isfinite(est.complete(inputs, hidden, random_state=0)).all()
    assert np.isfinite(est.encode(inputs, Y)).all()


def test_members_of_an_ensemble_read_gaps():
    member = NNRegressor(partial_X=True, max_epochs=1)
    est = EnsembleRegressor(member, n_estimators=2, random_state=0).fit(X, Y)
    assert np.isfinite(est.predict_interval(X, n_samples=10)).all()


def test_gaps_are_refused_unless_asked_for():
    filled = np.nan_to_num(X)
    with pytest.raises(ValueError, match="Input X contains NaN"):
        NNRegressor(**QUICK).fit(X, Y)
    est = NNRegressor(**QUICK).fit(filled, Y)
    with pytest.raises(ValueError, match="Input X contains NaN"):
        est.predict(X)
    with pytest.raises(ValueError, match="Input X contains infinity"):
        NNRegressor(partial_X=True, **QUICK).fit(np.where(np.isnan(X), np.inf, X), Y)
    filled[:, 1] = np.nan
    with pytest.raises(ValueError, match=r"X has columns that are NaN in every row.*\[1\]"):
        NNRegressor(partial_X=True, **QUICK).fit(filled, Y)
