"""Laws that hold for every estimator."""

import copy
import functools
import io
import pickle
import threading

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from conftest import LATENT, UNSUPERVISED, answer, each_kind, judged_by, small_table
from scipy.integrate import trapezoid
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score

from skcvae import (
    VAE,
    Autoencoder,
    CVAERegressor,
    GSNNRegressor,
    HybridStructuredPredictor,
    NNRegressor,
    Training,
)
from skcvae.architectures import MLP
from skcvae.likelihoods import Gaussian, MultivariateGaussian, StudentT
from skcvae.objectives import ELBO, Hybrid

QUICK = {"max_epochs": 3, "random_state": 0}


@functools.cache
def fit_once(estimator_class):
    return estimator_class(**QUICK).fit(*small_table())


@pytest.fixture
def fitted(estimator_class):
    """A copy of a fit that the tests of this file share."""
    return copy.deepcopy(fit_once(estimator_class))


# Parameters.


def of_numpy(value):
    """Return a number as numpy has it, and of single precision where that is exact."""
    if isinstance(value, bool | int):
        return np.bool_(value) if isinstance(value, bool) else np.int64(value)
    if isinstance(value, float):
        return np.float32(value) if np.float32(value) == value else np.float64(value)
    return value


@pytest.mark.parametrize(
    "est",
    [
        HybridStructuredPredictor(0.5, n_score_samples=3),
        CVAERegressor(objective=Hybrid(0.5), n_train_samples=2),
        CVAERegressor(objective=ELBO(0.5), initial_guess=True, partial_y=True, kl_warmup=1),
        NNRegressor(batch_size=16, omission=0.25, validation=10, training=Training(patience=2)),
        NNRegressor(
            likelihood=MultivariateGaussian(rank=1), architecture=MLP(bins=3, dropout=0.5)
        ),
        Autoencoder(noise=0.5, masking=0.25, contraction=0.5),
        VAE(n_components=2),
    ],
)
def test_numbers_of_numpy_are_numbers(est, data):
    est.set_params(validation_fraction=0.25, **QUICK)
    other = clone(est).set_params(**{k: of_numpy(v) for k, v in est.get_params().items()})
    found, expected = (e.fit(*data).history_[:, "train_loss"] for e in (other, est))
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert all(isinstance(loss, float) for loss in found)
    np.testing.assert_allclose(answer(other, data[0]), answer(est, data[0]), rtol=1e-4)


# Shapes.


@each_kind(
    "shapes",
    [
        *(((4,), y_shape) for y_shape in [(), (1,), (3,), (2, 3), (1, 2, 3)]),
        *((x_shape, y_shape) for x_shape in [(2, 3), (2, 3, 3)] for y_shape in [(), (2, 3)]),
    ],
)
def test_shapes_are_those_of_fit(estimator_class, shapes):
    x_shape, y_shape = shapes
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(20, *x_shape)), rng.normal(size=(20, *y_shape))
    est = estimator_class(max_epochs=1, random_state=0).fit(X, y)
    mean, std = est.predict(X, return_std=True)
    assert mean.shape == std.shape == est.predict(X, method="latent_mean").shape == y.shape
    assert est.sample(X, n_samples=1).shape == (1, *y.shape)
    assert est.sample(X[:1], n_samples=5).shape == (5, 1, *y_shape)
    assert est.predict_quantiles(X, 0.5, n_samples=9).shape == y.shape
    assert est.predict_quantiles(X, [0.1, 0.2, 0.3], n_samples=9).shape == (*y.shape, 3)
    assert est.predict_interval(X, n_samples=9).shape == (*y.shape, 2)
    log_p, ess = est.log_prob(X, y, return_ess=True)
    assert log_p.shape == ess.shape == (20,)
    assert isinstance(est.score(X, y), float)
    assert mean.dtype == std.dtype == log_p.dtype == est.sample(X).dtype == np.float64


@each_kind("dtype", [np.float16, np.float32, np.int64, "F", "list", "torch", "frame"])
def test_kinds_of_input(estimator_class, data, dtype):
    X, y = data
    kinds = {
        "F": np.asfortranarray,
        "list": np.ndarray.tolist,
        "torch": torch.tensor,
        "frame": pd.DataFrame,
    }
    given = kinds[dtype](X) if dtype in kinds else X.astype(dtype)
    est = estimator_class(**QUICK).fit(given, y)
    assert est.predict(given).shape == y.shape
    if dtype in kinds:
        np.testing.assert_allclose(est.predict(given), est.predict(X))


# What a row says does not depend on its neighbours.


@pytest.mark.parametrize(
    "ask",
    [
        lambda est, X, y: est.predict(X),
        lambda est, X, y: est.predict(X, method="latent_mean"),
        lambda est, X, y: est.predict(X, return_std=True)[1],
        lambda est, X, y: est.log_prob(X, y),
        lambda est, X, y: est.log_prob(X, y, method="monte_carlo"),
    ],
    ids=["predict", "latent_mean", "std", "importance", "monte_carlo"],
)
@pytest.mark.filterwarnings("ignore:The effective sample size")
def test_order_and_subset_do_not_matter(fitted, data, ask):
    X, y = data
    whole = ask(fitted, X, y)
    order = np.random.default_rng(1).permutation(len(X))[:25]
    np.testing.assert_allclose(ask(fitted, X[order], y[order]), whole[order], rtol=1e-5)
    np.testing.assert_allclose(ask(fitted, X[7:8], y[7:8]), whole[7:8], rtol=1e-5)


def test_chunks_and_batches_do_not_matter(fitted, data, monkeypatch):
    X, y = (rows[:20] for rows in data)
    before = fitted.log_prob(X, y), fitted.predict(X), fitted.predict(X, return_std=True)[1]
    monkeypatch.setattr("skcvae.data.coding.FORWARD_ROWS", 7)
    fitted.set_params(batch_size=1)
    after = fitted.log_prob(X, y), fitted.predict(X), fitted.predict(X, return_std=True)[1]
    for one, other in zip(before, after, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


# Likelihoods.


def test_score_is_the_mean_of_log_prob_and_repeats_to_the_last_digit(fitted, data):
    log_p = fitted.log_prob(*data)
    assert fitted.score(*data) == np.average(log_p) == fitted.score(*data)
    weight = np.arange(60.0)
    assert fitted.score(*data, sample_weight=weight) == np.average(log_p, weights=weight)


def test_densities_are_in_the_units_of_y(estimator_class, data):
    X, y = data
    plain = fit_once(estimator_class)
    scaled = estimator_class(**QUICK).fit(X, 1000 * y - 7)
    np.testing.assert_allclose(scaled.predict(X), 1000 * plain.predict(X) - 7, rtol=1e-3)
    expected = plain.score(X, y) - 3 * np.log(1000)
    assert scaled.score(X, 1000 * y - 7) == pytest.approx(expected, abs=1e-3)


@each_kind("y_shape", [(), (1,), (2,), (2, 2)])
def test_the_default_likelihood_follows_from_the_shape_of_a_row_of_y(estimator_class, y_shape):
    X = np.random.default_rng(0).normal(size=(20, 4))
    y = X[:, : int(np.prod(y_shape))].reshape(-1, *y_shape)
    expected = Gaussian() if len(y_shape) > 1 else StudentT(heteroscedastic=True)
    est = estimator_class(max_epochs=1, random_state=0).fit(X, y)
    assert repr(est.likelihood_) == repr(expected)
    same = clone(est).set_params(likelihood=expected).fit(X, y)
    np.testing.assert_array_equal(same.predict(X), est.predict(X))


ONE_OUTPUT = [Gaussian(), Gaussian(heteroscedastic=True), StudentT(heteroscedastic=True)]


@pytest.mark.filterwarnings("ignore:No latent variable is used")  # none is needed
@each_kind("likelihood", ONE_OUTPUT)
def test_density_of_one_output_integrates_to_one(estimator_class, likelihood):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 1))
    y = 3 * X[:, 0] + rng.normal(size=60)
    est = estimator_class(likelihood=likelihood, max_epochs=10, random_state=0).fit(X, y)
    (mean,), (std,) = est.predict([[0.7]], return_std=True)
    grid = np.linspace(mean - 6 * std, mean + 6 * std, 201)
    density = np.exp(est.log_prob(np.full((len(grid), 1), 0.7), grid, n_samples=1000))
    assert trapezoid(density, grid) == pytest.approx(1, abs=0.05)


def test_draws_agree_with_moments_quantiles_and_intervals(fitted, data):
    X = data[0][:5]
    draws = fitted.sample(X, n_samples=4000, random_state=0)
    mean, std = fitted.predict(X, return_std=True)
    np.testing.assert_allclose(draws.mean(0), mean, atol=0.1 * std.max())
    np.testing.assert_allclose(draws.std(0), std, rtol=0.2)
    interval = fitted.predict_interval(X, coverage=0.8, n_samples=4000)
    inside = (draws >= interval[..., 0]) & (draws <= interval[..., 1])
    assert inside.mean() == pytest.approx(0.8, abs=0.02)
    quantiles = fitted.predict_quantiles(X, (0.1, 0.9), n_samples=4000)
    np.testing.assert_allclose(interval, quantiles)


def test_draws_without_observation_noise_vary_with_z_alone(fitted, data):
    X = data[0][:5]
    draws = fitted.sample(X, n_samples=2000, random_state=0, observation_noise=False)
    std = fitted.predict(X, return_std=True)[1]
    assert (draws.std(0) < 1.1 * std).all()
    np.testing.assert_allclose(draws.mean(0), fitted.predict(X), atol=std.max() / 10)
    assert (draws.std(0) < 1e-12).all() == isinstance(fitted, NNRegressor)


def test_prediction_does_not_change_when_the_deviation_is_asked_for(fitted, data):
    X, _ = data
    np.testing.assert_array_equal(fitted.predict(X), fitted.predict(X, return_std=True)[0])


def test_effective_sample_size_is_bounded(fitted, data):
    ess = fitted.log_prob(*data, n_samples=40, return_ess=True)[1]
    assert (ess >= 1 - 1e-6).all() and (ess <= 40 + 1e-6).all()


def test_a_collapse_of_the_weights_is_a_warning(latent_class, data):
    X, y = data
    networks = MLP(shortcut=False)  # others start at the exact posterior of a linear model
    est = latent_class(**QUICK, likelihood="gaussian", architecture=networks).fit(X, y)
    with pytest.warns(UserWarning, match="size of log_prob is 1.* of 100 draws.* standard error"):
        est.log_prob(X, y + 100)


def test_without_a_recognition_network_both_methods_agree(data):
    for est in (GSNNRegressor(**QUICK), HybridStructuredPredictor(alpha=0, **QUICK)):
        est.fit(*data)
        assert est.net_.module_.model.recognition is None
        np.testing.assert_array_equal(
            est.log_prob(*data), est.log_prob(*data, method="monte_carlo")
        )


def test_the_ends_of_alpha_are_the_other_estimators(data):
    X, _ = data
    for alpha, other in ((0, GSNNRegressor), (1, CVAERegressor)):
        hybrid = HybridStructuredPredictor(alpha=alpha, **QUICK).fit(*data)
        np.testing.assert_array_equal(hybrid.predict(X), other(**QUICK).fit(*data).predict(X))


# Random state.


def drawn(est, X, n_samples=1, random_state=None):
    """Return draws of y for the rows of X, or of X; the codes of an autoencoder."""
    if not hasattr(est, "sample"):
        return est.transform(X)
    given = () if type(est) in UNSUPERVISED else (X,)
    return est.sample(*given, n_samples, random_state)


def test_same_seed_same_fit_and_no_global_state_is_touched(any_class, data):
    X, y = data
    params = {"architecture": MLP(dropout=0.2), "max_epochs": 3}
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()
    first = any_class(random_state=3, **params).fit(X, y)
    torch.rand(7)
    second = any_class(random_state=3, **params).fit(X, y)
    np.testing.assert_array_equal(answer(first, X), answer(second, X))
    np.testing.assert_array_equal(drawn(first, X, 3, 5), drawn(second, X, 3, 5))
    torch.set_rng_state(torch_state)
    drawn(any_class(max_epochs=1).fit(X, y), X)
    drawn(first, X, 3)
    first.score(X, y)
    pickle.loads(pickle.dumps(first))
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert (np.random.get_state()[1] == numpy_state).all()


def test_other_seeds_other_fits(any_class, data):
    X, y = data
    predictions = [
        answer(any_class(max_epochs=1, random_state=seed).fit(X, y), X)
        for seed in (0, 1, None, None)
    ]
    for i, one in enumerate(predictions):
        assert all((one != other).any() for other in predictions[:i])


def test_each_call_of_sample_is_new_unless_seeded(fitted, data):
    X, _ = data
    assert (fitted.sample(X) != fitted.sample(X)).any()
    np.testing.assert_array_equal(fitted.sample(X, 2, 0), fitted.sample(X, 2, 0))
    same_row = fitted.sample(np.repeat(X[:1], 50, axis=0), random_state=0)[0]
    assert len(np.unique(same_row, axis=0)) == 50


def test_fits_in_threads_do_not_feel_each_other(any_class, data):
    X, y = data

    def fit(seed, out):
        est = any_class(architecture=MLP((8,), dropout=0.1), max_epochs=2, random_state=seed)
        out[seed] = answer(est.fit(X, y), X)

    alone, together = {}, {}
    for seed in range(3):
        fit(seed, alone)
    threads = [threading.Thread(target=fit, args=(seed, together)) for seed in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for seed in range(3):
        np.testing.assert_array_equal(alone[seed], together[seed])


# The scikit-learn contract beyond scikit-learn's checks.


def test_copies_answer_the_same(any_class, data):
    X, y = data
    fitted = copy.deepcopy(fit_once(any_class))
    stream = io.BytesIO()
    joblib.dump(fitted, stream)
    copies = [
        pickle.loads(pickle.dumps(fitted)),
        joblib.load(io.BytesIO(stream.getvalue())),
        copy.deepcopy(fitted),
        copy.copy(fitted),
    ]
    for other in copies:
        np.testing.assert_array_equal(answer(other, X), answer(fitted, X))
        assert other.score(X, y) == fitted.score(X, y)
        assert other.history_[:, "train_loss"] == fitted.history_[:, "train_loss"]
        assert repr(other) == repr(fitted)


def test_pickles_hold_arrays_and_no_tensors(fitted):
    assert b"torch" not in pickle.dumps(fitted)


def test_a_pickle_from_a_machine_with_cuda_loads_without(fitted, data, monkeypatch):
    X, _ = data
    est = fitted.set_params(device="cuda")
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    other = pickle.loads(pickle.dumps(est))
    np.testing.assert_array_equal(other.predict(X), est.predict(X))


def test_clone_is_unfitted_and_keeps_every_parameter(estimator_class):
    est = estimator_class(
        architecture=MLP((5,), dropout=0.1),
        training=Training(callbacks=[], optimizer_params={"betas": (0.5, 0.9)}),
    )
    other = clone(est)
    assert not hasattr(other, "net_")
    assert other.architecture is not est.architecture
    assert other.training is not est.training
    assert repr(other) == repr(est) and other.training.optimizer_params == {"betas": (0.5, 0.9)}


def test_changing_parameters_after_fit_changes_no_prediction(fitted, data):
    X, y = data
    before, score = fitted.predict(X), fitted.score(X, y)
    fitted.set_params(architecture=MLP((7, 7, 7)), likelihood="bernoulli", normalize_y=False)
    np.testing.assert_array_equal(fitted.predict(X), before)
    assert fitted.score(X, y) == score
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(fitted)).predict(X), before)


def test_grid_search_over_alpha_and_nested_parameters(data):
    grid = {
        "alpha": [0.0, 0.5, 1.0],
        "architecture__hidden_layer_sizes": [(4,), (8,)],
        "training__optimizer_params": [None, {"betas": (0.5, 0.9)}],
    }
    est = HybridStructuredPredictor(max_epochs=1, random_state=0)
    search = GridSearchCV(est, grid, cv=2, n_jobs=2, error_score="raise").fit(*data)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.best_estimator_.architecture_.hidden_layer_sizes in {(4,), (8,)}
    assert search.score(*data) == search.best_estimator_.score(*data)


def test_cross_validation_scores_are_those_of_score(any_class, data):
    scores = cross_val_score(any_class(max_epochs=1, random_state=0), *data, cv=3)
    est = any_class(max_epochs=1, random_state=0).fit(data[0][20:], data[1][20:])
    assert scores[0] == est.score(data[0][:20], data[1][:20])


def test_nested_parameters_turn_a_name_into_its_object(estimator_class):
    est = estimator_class().set_params(architecture__dropout=0.3, likelihood__min_scale=0.01)
    assert est.architecture.dropout == 0.3 and est.likelihood.min_scale == 0.01
    est.set_params(architecture="mlp", architecture__dropout=0.2)
    assert est.architecture.dropout == 0.2


def test_feature_names_are_kept_and_checked(any_class, data):
    X, y = data
    frame = pd.DataFrame(X, columns=list("abcd"))
    est = any_class(**QUICK).fit(frame, pd.DataFrame(y))
    assert est.feature_names_in_.tolist() == list("abcd")
    with pytest.raises(ValueError, match="feature names should match"):
        answer(est, frame[list("dcba")])


def test_a_series_is_a_one_dimensional_y(estimator_class, data):
    X, y = data
    est = estimator_class(**QUICK).fit(X, pd.Series(y[:, 0]))
    np.testing.assert_array_equal(
        est.predict(X), estimator_class(**QUICK).fit(X, y[:, 0]).predict(X)
    )


# Weights, validation rows, warm starts.


def test_a_row_of_weight_zero_is_as_if_absent(any_class, data):
    X, y = data
    weight = np.ones(60)
    weight[::3] = 0
    X_wild, y_wild = np.where(weight[:, None], X, 1e6), np.where(weight[:, None], y, -1e6)
    found = any_class(**QUICK).fit(X_wild, y_wild, sample_weight=weight)
    expected = any_class(**QUICK).fit(X[weight > 0], y[weight > 0])
    np.testing.assert_array_equal(answer(found, X), answer(expected, X))


def test_rows_of_weight_zero_do_not_count_in_sizes():
    X = np.random.default_rng(0).normal(size=(600, 2))
    weight = np.repeat([1, 0], 300)
    found, expected = (
        CVAERegressor(max_epochs=1, random_state=0).fit(*rows)
        for rows in ((X, X, weight), (X[:300], X[:300]))
    )
    assert found.architecture_.get_params() == expected.architecture_.get_params()


@pytest.mark.filterwarnings("ignore:sample_weight makes")
@pytest.mark.parametrize("span", [10, 25, 100])
def test_weights_may_differ_by_any_factor(span):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(100, 2))
    weight = 10.0 ** rng.uniform(-span, span, 100)
    est = NNRegressor(max_epochs=1, random_state=0).fit(X, X, sample_weight=weight)
    assert np.isfinite(est.log_prob(X, X)).all()


def test_equal_weights_are_no_weights(any_class, data):
    X, y = data
    found = any_class(**QUICK).fit(X, y, sample_weight=np.full(60, 7.0))
    np.testing.assert_array_equal(answer(found, X), answer(fit_once(any_class), X))


def test_weights_count_by_their_ratios(any_class, data):
    X, y = data
    weight = np.arange(1.0, 61.0)
    expected, *others = (
        any_class(**QUICK).fit(X, y, sample_weight=factor * weight) for factor in (1, 1e-30, 1e30)
    )
    for found, factor in zip(others, (1e-30, 1e30), strict=True):
        np.testing.assert_allclose(answer(found, X), answer(expected, X), rtol=1e-5, atol=1e-5)
        assert found.score(X, y, factor * weight) == pytest.approx(expected.score(X, y, weight))


def test_one_absurd_number_is_named_and_spoils_no_answer(any_class, data):
    X, y = data
    est = fit_once(any_class)
    for number in (1e300, -1e30):
        wild = X.copy()
        wild[7, 2] = number
        for ask in (lambda: answer(est, wild), lambda: est.score(wild, y)):  # noqa: B023
            with pytest.raises(ValueError, match="^X has .* in row 7, column 2,"):
                ask()
    assert np.isfinite(answer(est, np.where(np.arange(4) == 2, 1e10, X))).all()


def test_heavy_rows_are_fitted_better(estimator_class, data):
    X, y = data
    y = y + 10 * (np.arange(60) % 2)[:, None]
    weight = np.where(np.arange(60) % 2, 1.0, 50.0)
    est = estimator_class(max_epochs=40, lr=0.01, early_stopping=False, random_state=0)
    est.fit(X, y, sample_weight=weight)
    error = np.abs(est.predict(X) - y).mean(1)
    assert error[::2].mean() < error[1::2].mean()


def test_given_validation_rows_replace_the_share(any_class, data):
    X, y = data
    held_out = {"X_val": X[:5], "y_val": y[:5]}
    if any_class in UNSUPERVISED:
        held_out.pop("y_val")
    est = any_class(max_epochs=4, random_state=0).fit(X, y, **held_out)
    column = judged_by(est)
    assert est.history_[-1][column] != est.history_[0][column]
    loose = any_class(max_epochs=4, random_state=0, early_stopping=False).fit(X, y)
    assert "valid_loss" not in loose.history_[-1]


def test_warm_start_goes_on_where_the_last_fit_ended(any_class, data):
    X, y = data
    params = {"early_stopping": False, "random_state": 0, "max_epochs": 10, "lr": 0.01}
    est = any_class(warm_start=True, **params).fit(X, y)
    coding, cold = est.specification_.y_coding, est.history_[0]["train_loss"]
    est.fit(X, y)
    assert est.specification_.y_coding is coding
    assert est.history_[0]["train_loss"] < cold


@pytest.mark.parametrize("random_state", [None, np.random.RandomState(0)])
def test_a_warm_start_holds_out_the_same_rows_without_a_seed(any_class, data, random_state):
    est = any_class(warm_start=True, max_epochs=1, random_state=random_state).fit(*data)
    seed = est.seed_
    assert est.fit(*data).seed_ == seed != est.set_params(warm_start=False).fit(*data).seed_


# Training reaches what it should.


def test_history_shows_both_terms_in_the_units_of_y(estimator_class, data):
    X, y = data
    est = estimator_class(max_epochs=5, random_state=0).fit(X, y)
    for part in ("train", "valid"):
        loss, reconstruction, kl = (
            np.array(est.history_[:, f"{part}_{name}"])
            for name in ("loss", "reconstruction", "kl")
        )
        np.testing.assert_allclose(loss, kl - reconstruction)
        assert (kl >= 0).all() and (kl > 0).any() == (
            estimator_class in (CVAERegressor, HybridStructuredPredictor)
        )


def test_validation_cll_in_the_history_is_that_of_log_prob(data):
    X, y = data
    est = NNRegressor(max_epochs=5, random_state=0).fit(X, y, X_val=X, y_val=y)
    best = max(est.history_[:, "valid_cll"])
    assert est.score(X, y) == pytest.approx(best, abs=1e-4)


OPTIONS = [
    *((estimator, {"initial_guess": True}) for estimator in LATENT),
    *((estimator, {"prior": "standard"}) for estimator in LATENT),
    *((estimator, {"beta": 2.0}) for estimator in LATENT if estimator is not GSNNRegressor),
]


@pytest.mark.parametrize(
    ("latent_class", "params", "n_train_samples"),
    [(*option, 1 + 2 * (i % 2)) for i, option in enumerate(OPTIONS)],
)
def test_options_of_latent_models_train(latent_class, data, params, n_train_samples):
    X, y = data
    params = {"max_epochs": 12, "lr": 0.01, "early_stopping": False, **params}
    est = latent_class(random_state=0, n_train_samples=n_train_samples, **params)
    est.fit(X, y)
    losses = est.history_[:, "train_loss"]
    assert losses[-1] < losses[0] and np.isfinite(est.score(X, y))


@each_kind(
    "choice",
    [
        ("AdamW", "constant"),
        ("AdamW", "one_cycle"),
        ("SGD", "one_cycle"),
        (torch.optim.RMSprop, "constant"),
    ],
)
def test_optimizers_and_schedules(estimator_class, data, choice):
    optimizer, lr_schedule = choice
    est = estimator_class(
        architecture=MLP(shortcut=False),  # least squares, the start of others, is hard to improve
        lr=0.001,
        max_epochs=6,
        random_state=0,
        training=Training(optimizer=optimizer, lr_schedule=lr_schedule),
    )
    losses = est.fit(*data).history_[:, "train_loss"]
    assert min(losses[1:]) < losses[0]


@each_kind(
    "params",
    [
        {},
        {"likelihood": "categorical"},
        {
            "architecture": "conv", "x_shape": (2, 2), "omission": 0.4, "n_scales": 2,
            "y_shape": (1, 3), "initial_guess": True, "partial_y": True,
        },
    ],
)  # fmt: skip
def test_everything_runs_on_every_device(estimator_class, data, device, params):
    X, y = data
    y = np.sign(y - 5) if "likelihood" in params else y
    est = estimator_class(device=device, max_epochs=2, random_state=0, **params).fit(X, y)
    assert next(est.net_.module_.parameters()).device.type == device
    assert np.isfinite(est.score(X, y))
    assert est.sample(X, 3).shape == (3, 60, 3)
    hidden = y == y.max(axis=1, keepdims=True)
    completed = est.complete(X, y, 3, hidden)
    assert np.isfinite(completed).all() and (completed[:, ~hidden] == y[~hidden]).all()
    moved = pickle.loads(pickle.dumps(est.set_params(device="cpu")))
    np.testing.assert_allclose(moved.predict(X), est.predict(X), rtol=1e-6)
    assert moved.score(X, y) == pytest.approx(est.score(X, y), abs=1e-3)
