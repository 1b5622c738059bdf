"""Laws of what training maximises and what its history says, in any units of y."""

import numpy as np
import pytest

from skcvae import CVAERegressor, NNRegressor, initial_weights
from skcvae.architectures import MLP
from skcvae.data.items import sampled
from skcvae.datasets import make_linear_gaussian
from skcvae.networks.layers import Dropout
from skcvae.objectives import ELBO

SMALL = MLP((8,))
STILL = {"lr": 1e-12, "max_epochs": 1, "early_stopping": False, "random_state": 0}


@pytest.fixture(autouse=True)
def random_start(monkeypatch):
    """Start at random weights: far from an optimum, and the same for rows and repetitions."""
    monkeypatch.setattr(initial_weights, "start", lambda *given: None)


in_part = pytest.mark.parametrize("partial_y", [False, True], ids=["whole", "in part"])


def rows(partial_y=False, n_rows=60):
    """Return rows whose outputs have scales of their own, a third of them NaN if asked."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_rows, 4))
    y = X[:, :3] + rng.normal(size=(n_rows, 1)) + 0.1 * rng.normal(size=(n_rows, 3))
    y = y * [1e-3, 1.0, 50.0] + 5
    hidden = rng.random(y.shape) < 0.3
    return X, np.where(hidden, np.nan, y) if partial_y else y


# Weights.


@in_part
def test_a_row_of_weight_two_is_trained_on_as_a_row_twice(partial_y):
    X, y = rows(partial_y)
    times = np.random.default_rng(1).integers(1, 5, len(X))
    est = NNRegressor(architecture=SMALL, partial_y=partial_y, max_epochs=15, random_state=0)
    est.set_params(
        lr=0.05,
        batch_size=10000,
        early_stopping=False,
        training__optimizer="SGD",
        training__max_grad_norm=None,
    )
    weighted = est.fit(X, y, sample_weight=times)
    found, history = weighted.predict(X), weighted.history_
    repeated = est.fit(X.repeat(times, axis=0), y.repeat(times, axis=0))
    np.testing.assert_allclose(found, repeated.predict(X), rtol=1e-3, atol=1e-3)
    for column in ("train_loss", "train_reconstruction"):
        expected = repeated.history_[:, column]
        np.testing.assert_allclose(history[:, column], expected, rtol=1e-4, atol=1e-4)


def test_only_the_proportions_of_weights_matter():
    X, y = rows()
    weight = np.random.default_rng(1).uniform(0.2, 2, len(X))
    est = CVAERegressor(architecture=SMALL, max_epochs=4, random_state=0)
    est.set_params(lr=0.001, training__optimizer="SGD", training__max_grad_norm=None)
    light, heavy = (est.fit(X, y, sample_weight=w).predict(X) for w in (weight, 16 * weight))
    np.testing.assert_allclose(heavy, light, rtol=1e-6)


# The history.


@in_part
def test_without_a_step_the_history_of_training_is_the_score(partial_y):
    X, y = rows(partial_y)
    weight = np.random.default_rng(1).uniform(0, 3, len(X)) ** 2
    est = NNRegressor(architecture=SMALL, partial_y=partial_y, **STILL).fit(
        X, y, sample_weight=weight
    )
    (row,) = est.history_
    score = est.score(X, y, sample_weight=weight)
    assert row["train_reconstruction"] == pytest.approx(score, abs=1e-4)
    assert row["train_loss"] == pytest.approx(-score, abs=1e-4)


@in_part
def test_of_a_model_without_z_every_column_of_the_validation_is_the_score(partial_y):
    X, y = rows(partial_y)
    est = NNRegressor(architecture=SMALL, partial_y=partial_y, max_epochs=5, random_state=0)
    est.set_params(training__temperature=None).fit(X, y, X_val=X[:20], y_val=y[:20])
    best = max(est.history_, key=lambda row: row["valid_cll"])
    score = est.score(X[:20], y[:20])
    for found in (best["valid_cll"], best["valid_reconstruction"], -best["valid_loss"]):
        assert found == pytest.approx(score, abs=1e-4)


@in_part
def test_other_units_of_y_move_the_history_by_the_logarithm_of_their_size(
    estimator_class, partial_y
):
    X, y = rows(partial_y)
    est = estimator_class(architecture=SMALL, partial_y=partial_y, max_epochs=2, random_state=0)
    size, n_observed = 1024.0, (~np.isnan(y[:20])).sum() / 20
    plain, scaled = (
        est.fit(X[20:], unit * y[20:], X_val=X[:20], y_val=unit * y[:20]).history_
        for unit in (1.0, size)
    )
    for column, sign in (("cll", -1), ("reconstruction", -1), ("loss", 1), ("kl", 0)):
        moved = np.subtract(scaled[:, f"valid_{column}"], plain[:, f"valid_{column}"])
        np.testing.assert_allclose(moved, sign * n_observed * np.log(size), atol=1e-4)


@pytest.mark.parametrize("size", [1024.0, 1 / 64])
def test_with_scales_other_units_of_y_move_the_history_by_all_of_their_pixels(
    estimator_class, size
):
    rng = np.random.default_rng(0)
    X, y = rng.random((50, 4)), rng.random((50, 8, 8))
    params = {"architecture": SMALL, "n_scales": 2, "max_epochs": 2, "random_state": 0}
    est = estimator_class(**params)
    if "initial_guess" in est.get_params():
        est.set_params(initial_guess=True)
    plain, scaled = (
        est.fit(X[20:], unit * y[20:], X_val=X[:20], y_val=unit * y[:20]).history_
        for unit in (1.0, size)
    )
    full, pooled = 8 * 8, 4 * 4
    for column, n_pixels in (
        ("valid_cll", -full),
        ("valid_reconstruction", -full - pooled),
        ("train_reconstruction", -full - pooled),
        ("valid_loss", full + pooled),
        ("train_loss", full + pooled),
        ("valid_kl", 0),
    ):
        moved = np.subtract(scaled[:, column], plain[:, column])
        np.testing.assert_allclose(moved, n_pixels * np.log(size), atol=1e-3, err_msg=column)


def test_validation_cll_is_the_score_of_ten_draws_on_average():
    """With a KL term that counts little, the recognition network is far too narrow."""
    data = make_linear_gaussian(
        n_samples=3400, n_features=2, n_outputs=4, n_latent=3, noise=0.3, random_state=0
    )
    X_val, y_val = data.X[400:], data.y[400:]
    est = CVAERegressor(latent_dim=3, kl_warmup=100, max_epochs=6, random_state=0)
    est.fit(data.X[:400], data.y[:400], X_val=X_val, y_val=y_val)
    found = max(est.history_[:, "valid_cll"])
    again = [est.log_prob(X_val, y_val, n_samples=10, random_state=seed) for seed in range(6)]
    error = np.sqrt(np.var(again, axis=0, ddof=1).mean() * (1 + 1 / 6) / len(X_val))
    assert abs(found - np.mean(again)) < 4 * error
    narrow_by = 0.1  # how far off an estimate with the recognition network alone would be
    assert 4 * error < narrow_by


@pytest.mark.parametrize("n_train_samples", [1, 3])
def test_without_a_step_training_and_validation_measure_the_same_bound(n_train_samples):
    """Of one, or three, draws: the bound of ten, as the estimate beside it has, is nearer."""
    X, y = rows(n_rows=4000)
    est = CVAERegressor(architecture=SMALL, objective="iwae", n_train_samples=n_train_samples)
    est.set_params(**{**STILL, "early_stopping": True}).fit(X, y, X_val=X, y_val=y)
    (row,) = est.history_
    assert row["valid_loss"] == pytest.approx(row["train_loss"], abs=0.2)
    assert -row["valid_loss"] < row["valid_cll"] - 1


# What is trained.


def test_the_first_weights_are_forgotten_however_long_the_average():
    X, y = rows()
    est = NNRegressor(architecture=SMALL, max_epochs=40, early_stopping=False, random_state=0)
    averaged, last = (
        est.set_params(training__ema_decay=d).fit(X, y).score(X, y) for d in (0.9999, 0.0)
    )
    first = est.set_params(**STILL).fit(X, y).score(X, y)
    assert last - averaged < 0.25 * (last - first)


def test_as_many_latent_variables_are_active_as_there_are_hidden_causes():
    data = make_linear_gaussian(
        n_samples=1000, n_features=2, n_outputs=3, n_latent=1, noise=0.3, random_state=1
    )
    est = CVAERegressor(latent_dim=4, max_epochs=25, random_state=0)
    est.set_params(lr=0.01, batch_size=128).fit(data.X, data.y)
    assert est.n_active_units_ == 1


# Draws and rows.


class Counting(ELBO):
    """The variational bound; it keeps the numbers of draws that it was given."""

    seen: set = set()

    def bound(self, model, given, x, y, noise):
        self.seen.add(len(noise))
        return super().bound(model, given, x, y, noise)


@pytest.mark.parametrize("n_samples", [1, 3])
def test_an_objective_has_as_many_draws_as_the_user_asks_for(n_samples):
    Counting.seen.clear()
    est = CVAERegressor(
        objective=Counting(), n_train_samples=n_samples, architecture=SMALL, max_epochs=1
    )
    est.fit(*rows())
    assert Counting.seen == {n_samples}


def test_dropout_does_not_share_its_stream_with_the_order_of_the_rows():
    est = CVAERegressor(architecture=MLP((8,), dropout=0.1), max_epochs=1, random_state=0)
    net = est.fit(*rows()).net_
    dropped = {m.generator.initial_seed() for m in net.module.modules() if isinstance(m, Dropout)}
    assert len(dropped) == 1
    assert net.iterator_train__source.initial_seed() not in dropped


def test_the_rows_that_a_coding_follows_from_are_spread_over_all():
    chosen = sampled(100_000, row_size=10, seed=0)
    assert (np.diff(chosen) > 0).all() and chosen.mean() == pytest.approx(50_000, rel=0.03)
    assert set(chosen) != set(sampled(100_000, row_size=10, seed=1))
