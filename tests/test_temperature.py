"""Laws of the temperature: a factor of the noise scale of y that rows held out choose."""

import numpy as np
import pytest
import torch
from sklearn.exceptions import ConvergenceWarning

import skcvae
from skcvae import CVAERegressor, NNRegressor, Training
from skcvae.likelihoods import Gamma, Gaussian, LogNormal, StudentT
from skcvae.training import temperature as module
from skcvae.training.temperature import has_density, set_temperature

LIKELIHOODS = [
    Gaussian(),
    Gaussian(heteroscedastic=True),
    StudentT(),
    StudentT(heteroscedastic=True),
    LogNormal(),
    LogNormal(heteroscedastic=True),
    Gamma(),
]


def rows(n_rows, noise, rng, positive=False):
    """Return X and y, or its exponential, with a noise scale."""
    X = rng.normal(size=(n_rows, 2))
    y = X + noise * rng.normal(size=(n_rows, 2))
    return X, np.exp(y) if positive else y


def fitted(likelihood, noise, seed=0, n_rows=200, **params):
    """Return a model of rows with noise 0.1, and rows with the noise of those held out."""
    rng, positive = np.random.default_rng(seed), isinstance(likelihood, LogNormal | Gamma)
    X_val, y_val = rows(200, noise, rng, positive)
    est = NNRegressor(likelihood=likelihood, max_epochs=8, random_state=seed, **params)
    est.fit(*rows(n_rows, 0.1, rng, positive), X_val=X_val, y_val=y_val)
    return est, rows(1000, noise, rng, positive)


def temperature_of(est):
    (found,) = (
        float(part) for name, part in est.net_.module.named_buffers() if "temperature" in name
    )
    return found


@pytest.mark.parametrize(
    ("likelihood", "noise"), [(one, (0.06, 0.16)[i % 2]) for i, one in enumerate(LIKELIHOODS)]
)
def test_noise_is_scaled_to_that_of_the_rows_held_out(likelihood, noise):
    est, (X, y) = fitted(likelihood, noise)
    plain, _ = fitted(likelihood, noise, training=Training(temperature=None))
    assert temperature_of(plain) == 1 and est.score(X, y) >= plain.score(X, y)
    assert est.best_validation_score_ >= plain.best_validation_score_
    deviations = [model.sample(X[:50], 200, random_state=0).std(0) for model in (est, plain)]
    positive = isinstance(likelihood, LogNormal | Gamma)
    if not positive:  # the mean of a log-normal grows with its scale
        np.testing.assert_array_equal(plain.predict(X), est.predict(X))
        ratio = deviations[0].mean() / deviations[1].mean()
        assert ratio == pytest.approx(temperature_of(est), rel=1e-4)


@pytest.mark.parametrize("heteroscedastic", [False, True])
def test_a_temperature_is_found(heteroscedastic):
    """Gaussian noise of 0.1, and 0.16 and 0.06 in the rows held out."""
    for noise in (0.06, 0.16):
        est, _ = fitted(Gaussian(heteroscedastic=heteroscedastic), noise)
        assert 0.5 < np.log(temperature_of(est)) / np.log(noise / 0.1) < 1.3


@pytest.mark.parametrize("seed", range(3))
def test_few_rows_move_it_toward_their_best_but_not_by_steps_within_chance(seed):
    """With many rows each step that gains is certain, and the best is reached."""
    found, best = {}, {}
    for n_rows in (30, 1000):
        rng = np.random.default_rng(seed)
        X_val, y_val = rows(n_rows, 0.06, rng)
        est = NNRegressor(likelihood=Gaussian(), max_epochs=15, random_state=seed)
        est.fit(*rows(200, 0.1, rng), X_val=X_val, y_val=y_val)
        found[n_rows], scores = temperature_of(est), {}
        for temperature in 2.0 ** (np.arange(-4, 5) / 4):
            set_temperature(est.net_.module.model, temperature)
            scores[temperature] = est.score(X_val, y_val)
        best[n_rows] = max(scores, key=scores.get)
    assert best[30] * 0.99 < found[30] < 1
    assert found[1000] == pytest.approx(best[1000])


def test_it_stays_one_unless_another_one_is_better_beyond_chance():
    found = [temperature_of(fitted(Gaussian(), 0.1, seed, n_rows=400)[0]) for seed in range(5)]
    assert np.mean(np.equal(found, 1)) >= 0.8


@pytest.mark.parametrize("likelihood", [Gaussian(), StudentT(heteroscedastic=True)], ids=repr)
def test_draws_and_moments_have_the_scale_of_the_density(likelihood):
    est, (X, _) = fitted(likelihood, 0.16)
    mean, std = est.predict(X[:3], return_std=True)
    draws = est.sample(X[:3], 20_000, random_state=0)
    np.testing.assert_allclose(draws.mean(0), mean, atol=0.01)
    np.testing.assert_allclose(draws.std(0), std, rtol=0.05)
    side = np.linspace(-4, 4, 401)
    grid = np.stack(np.meshgrid(side, side, indexing="ij"), -1).reshape(-1, 2)
    density = np.exp(est.log_prob(np.repeat(X[:1], len(grid), axis=0), grid))
    assert density.sum() * (side[1] - side[0]) ** 2 == pytest.approx(1, abs=0.01)


def test_outputs_with_few_values_images_and_all_rows_leave_it_at_one():
    rng = np.random.default_rng(0)
    X, y = rows(300, 0.1, rng)
    X_val, y_val = rows(200, 0.16, rng)
    held_out = {"X_val": X_val, "y_val": y_val}
    est = NNRegressor(likelihood=Gaussian(), max_epochs=8, random_state=0)
    assert temperature_of(est.fit(X, y, **held_out)) > 1
    few = {"X_val": X_val, "y_val": y_val.round()}
    assert temperature_of(est.fit(X, y.round(), **few)) == 1
    images = {"X_val": X_val, "y_val": y_val.reshape(-1, 2, 1)}
    assert temperature_of(est.fit(X, y.reshape(-1, 2, 1), **images)) == 1
    assert temperature_of(est.set_params(early_stopping=False).fit(X, y)) == 1


def test_the_score_and_the_summary_are_with_it():
    rng = np.random.default_rng(0)
    X_val, y_val = rows(200, 0.16, rng)
    est = NNRegressor(likelihood=Gaussian(), max_epochs=15, random_state=0)
    est.fit(*rows(200, 0.1, rng), X_val=X_val, y_val=y_val)
    assert est.best_validation_score_ == pytest.approx(est.score(X_val, y_val), abs=1e-4)
    assert est.best_validation_score_ > max(est.history_[:, "valid_cll"]) + 0.01
    assert f"temperature {temperature_of(est):.2f}" in est.summary()
    est.set_params(training=Training(temperature=None)).fit(*rows(200, 0.1, rng))
    assert "temperature" not in est.summary()


def test_rows_of_one_group_tell_as_much_as_one():
    rng = np.random.default_rng(0)
    X, y = rows(300, 0.1, rng)
    X_val, y_val = rows(3, 0.2, rng)
    repeated = {"X_val": X_val.repeat(100, 0), "y_val": y_val.repeat(100, 0)}
    est = NNRegressor(max_epochs=5, random_state=0).fit(X, y, **repeated)
    assert temperature_of(est) == 1


def test_a_warm_start_trains_without_it_and_chooses_anew():
    rng = np.random.default_rng(1)
    data, held_out = rows(200, 0.1, rng), rows(200, 0.1, rng)
    scores = []
    for training in (Training(), Training(temperature=None)):
        est, _ = fitted(Gaussian(), 0.16, training=training)
        before = temperature_of(est)
        est.set_params(warm_start=True, max_epochs=2)
        est.fit(*data, X_val=held_out[0], y_val=held_out[1])
        scores.append(est.history_[:, "valid_cll"])
        assert (before > 1) == (training.temperature is not None) and temperature_of(est) == 1
    assert scores[0] == scores[1]


def test_it_is_saved(tmp_path):
    est, new = fitted(Gaussian(), 0.16)
    est.save(tmp_path / "model")
    loaded = skcvae.load(tmp_path / "model")
    assert temperature_of(loaded) == temperature_of(est)
    np.testing.assert_array_equal(loaded.log_prob(*new), est.log_prob(*new))


def test_latent_variables_keep_their_scale():
    rng = np.random.default_rng(0)
    X_val, y_val = rows(300, 0.2, rng)
    data = rows(400, 0.1, rng)
    found = []
    for training in (Training(), Training(temperature=None)):
        est = CVAERegressor(objective="elbo", max_epochs=8, random_state=0, training=training)
        found.append(est.fit(*data, X_val=X_val, y_val=y_val))
    assert temperature_of(found[0]) > 1
    np.testing.assert_array_equal(*(est.encode(*data) for est in found))


def test_an_interrupt_keeps_the_fit(monkeypatch):
    calls = []

    def interrupted(*args):
        calls.append(args)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return scores(*args)

    scores = module.row_scores
    monkeypatch.setattr(module, "row_scores", interrupted)
    with pytest.warns(ConvergenceWarning, match="interrupted"):
        est, new = fitted(Gaussian(), 0.16)
    assert 1 <= temperature_of(est) <= 2
    assert np.isfinite(est.score(*new))


class FakeRows:
    def __init__(self, y):
        self.y = y

    def __getitem__(self, rows):
        return (self.y[rows],), None


def test_missing_entries_are_no_values():
    y = torch.arange(100.0)[:, None] % 3
    y[:50] = torch.nan
    assert not has_density(FakeRows(y)) and has_density(FakeRows(torch.rand(100, 1)))


@pytest.mark.parametrize("n_held_out", [5, 9, 10, 40])
def test_a_few_rows_held_out_do_not_narrow_the_noise(n_held_out):
    """They may all be near their means by chance."""
    rng = np.random.default_rng(0)
    X, y = rows(200, 0.1, rng)
    X_val, y_val = rows(n_held_out, 0.01, rng)
    est = NNRegressor(likelihood="gaussian", max_epochs=15, random_state=0)
    temperature = temperature_of(est.fit(X, y, X_val=X_val, y_val=y_val))
    assert temperature == 1 if n_held_out < 10 else temperature < 1
