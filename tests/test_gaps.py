"""NaN in X: a fill and a flag, for every network, as if they had been columns of X."""

import numpy as np
import pandas as pd
import pytest
import torch

import skcvae
from skcvae import VAE, CVAERegressor, EnsembleRegressor, NNRegressor
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
    coding = Flagged(Scaling.identity(shape), np.ones(shape, bool))
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


NEW = {  # rows of fit, whose gaps differ, and a row with a gap where there was none
    "columns": (X.copy(), (1,), "1"),
    "images": (IMAGES[:, None].repeat(2, 1), (1, 2, 3), r"\(1, 2, 3\)"),
    "flat images": (IMAGES.reshape(N, -1).copy(), (5,), "5"),
    "sequences": (IMAGES.copy(), (2, 1), r"\(2, 1\)"),
}
READ_BY = {
    "columns": {},
    "images": {"architecture": Conv((4, 6))},
    "flat images": {},
    "sequences": {"architecture": Temporal(4)},
}
NEW["columns"][0][:, 1] = NEW["images"][0][:, 1] = NEW["flat images"][0][:, 5] = 1.0
NEW["sequences"][0][..., 1] = 1.0


@pytest.mark.parametrize("kind", NEW)
def test_gaps_that_were_not_seen_are_named_and_read_as_the_mean(kind):
    rows, place, named = NEW[kind]
    est = NNRegressor(partial_X=True, **READ_BY[kind], **QUICK).fit(rows, Y)
    filled, gap = rows[:1].copy(), rows[:1].copy()
    filled[0][place], gap[0][place] = 1.0, np.nan  # the mean of a column of ones
    message = f"X has gaps at {named}, where there were none in fit: .* the mean of fit"
    with pytest.warns(UserWarning, match=message):
        found = est.predict(gap)
    np.testing.assert_allclose(found, est.predict(filled), rtol=1e-5)
    module = est.to_torch()
    np.testing.assert_allclose(module(torch.tensor(gap)), module(torch.tensor(filled)), rtol=1e-5)


def test_gaps_that_were_not_seen_have_the_names_of_their_columns():
    frame = pd.DataFrame(X, columns=["a", "b", "c"]).fillna({"b": 5.0, "c": 100.0})
    est = CVAERegressor(partial_X=True, **QUICK).fit(frame, Y)
    new = pd.DataFrame(X, columns=["a", "b", "c"])
    methods = {"predict_interval": (), "log_prob": (Y,), "encode": (Y,), "complete": (Y,)}
    for method, arguments in methods.items():
        with pytest.warns(UserWarning, match="X has gaps at 'b', 'c', where"):
            getattr(est, method)(new, *arguments)


def test_masked_numbers_are_gaps():
    whole = np.ma.masked_array(np.nan_to_num(X, nan=7.0), mask=np.isnan(X))
    est = NNRegressor(partial_X=True, **QUICK)
    found = est.fit(whole, Y).predict(whole)
    np.testing.assert_array_equal(found, est.fit(X, Y).predict(X))
    with pytest.raises(ValueError, match="NaN"):
        NNRegressor(**QUICK).fit(X[:, :1] == 1, np.ma.masked_array(Y, mask=Y > 1))


def test_members_of_an_ensemble_read_gaps():
    member = NNRegressor(partial_X=True, max_epochs=1)
    est = EnsembleRegressor(member, n_estimators=2, random_state=0).fit(X, Y)
    assert np.isfinite(est.predict_interval(X, n_samples=10)).all()


def test_gaps_are_refused_unless_asked_for():
    filled = np.nan_to_num(X)
    advice = r"Input X contains NaN.*partial_X=True.*skcvae\.tabular_pipeline"
    with pytest.raises(ValueError, match=advice):
        NNRegressor(**QUICK).fit(X, Y)
    with pytest.raises(ValueError, match=advice.replace("X con", "X_val con")):
        NNRegressor(**QUICK).fit(filled, Y, X_val=X, y_val=Y)
    est = NNRegressor(**QUICK).fit(filled, Y)
    with pytest.raises(ValueError, match="Input X contains NaN"):
        est.predict(X)
    with pytest.raises(ValueError, match="Input X contains infinity"):
        NNRegressor(partial_X=True, **QUICK).fit(np.where(np.isnan(X), np.inf, X), Y)
    filled[:, 1] = np.nan
    with pytest.raises(ValueError, match=r"X has columns or .* NaN in every row.*\[1\]"):
        NNRegressor(partial_X=True, **QUICK).fit(filled, Y)


@pytest.mark.parametrize("partial", [False, True])
def test_gaps_are_read_as_in_fit_whatever_the_parameter_says_later(partial):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 3)), rng.normal(size=(60, 2))
    holes = np.where(rng.random(X.shape) < 0.2, np.nan, X)
    rows = holes if partial else X
    est = NNRegressor(partial_X=partial, max_epochs=2, random_state=0).fit(rows, y)
    density = VAE(partial_X=partial, max_epochs=2, random_state=0).fit(rows)
    for fitted, ask in ((est, est.predict), (density, density.score_samples)):
        fitted.set_params(partial_X=not partial)
        if partial:
            assert np.isfinite(ask(holes)).all()
        else:
            with pytest.raises(ValueError, match="contains NaN"):
                ask(holes)
