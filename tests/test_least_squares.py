"""Laws of the start of training: a linear model, and never less than that."""

import signal
import warnings
from contextlib import nullcontext

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from scipy.stats import multivariate_normal, nbinom, norm, poisson, t
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, PoissonRegressor, RidgeCV
from sklearn.metrics import log_loss, r2_score
from sklearn.model_selection import GridSearchCV
from skorch.callbacks import Callback

from skcvae import (
    VAE,
    CVAERegressor,
    EnsembleRegressor,
    GSNNRegressor,
    HybridStructuredPredictor,
    NNRegressor,
    Training,
    initial_weights,
    least_squares,
)
from skcvae.architectures import MLP
from skcvae.data.batches import Rows
from skcvae.factors import factors
from skcvae.least_squares import SHARES, shrunk_covariance
from skcvae.likelihoods import (
    Categorical,
    Columns,
    Gamma,
    Gaussian,
    Hurdle,
    LogNormal,
    MultivariateGaussian,
    Poisson,
)
from skcvae.training.temperature import temperatures
from skcvae.training.validation import by_group, lowest_gain

NO_STEP = {"max_epochs": 1, "lr": 1e-12, "random_state": 0, "n_score_samples": 200}


def linear_rows(n_rows, n_outputs=3, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, 4))
    mixing = np.tril(rng.normal(size=(n_outputs, n_outputs)), -1) + np.eye(n_outputs)
    y = X @ rng.normal(size=(4, n_outputs)) + rng.normal(size=(n_rows, n_outputs)) @ mixing.T
    return X, 5 + 3 * y


def log_density(fit_rows, rows):
    """Return the mean log density of ridge regression with the covariance of its residuals."""
    X, y = fit_rows
    ridge = RidgeCV(np.logspace(-3, 3, 7)).fit(X, y)
    covariance = np.cov((y - ridge.predict(X)).T)
    residuals = rows[1] - ridge.predict(rows[0])
    return multivariate_normal(np.zeros(y.shape[1]), covariance).logpdf(residuals).mean()


@pytest.mark.parametrize(
    "estimator",
    [
        CVAERegressor(likelihood="gaussian"),
        CVAERegressor(likelihood="gaussian", initial_guess=True),
        CVAERegressor(likelihood="gaussian", prior="standard"),
        CVAERegressor(likelihood="gaussian", architecture=MLP(64)),
        CVAERegressor(likelihood="gaussian", architecture=MLP(activation="relu", dropout=0.1)),
        CVAERegressor(likelihood="gaussian", latent_dim=7),
        CVAERegressor(likelihood="gaussian", partial_y=True),
        CVAERegressor(likelihood="multivariate_gaussian"),
        CVAERegressor(likelihood="gaussian_mixture"),
        CVAERegressor(likelihood="gaussian_mixture", partial_y=True),
        HybridStructuredPredictor(likelihood="gaussian"),
        NNRegressor(likelihood="multivariate_gaussian"),
        *(
            cls(likelihood=MultivariateGaussian(rank, heteroscedastic=wide))
            for cls, rank, wide in (
                (NNRegressor, None, True),
                (NNRegressor, 3, False),
                (NNRegressor, 3, True),
                (CVAERegressor, 1, False),
                (CVAERegressor, 2, True),
            )
        ),
    ],
    ids=repr,
)
def test_untrained_networks_have_the_density_of_least_squares(estimator):
    X, y = linear_rows(2000)
    estimator.set_params(**NO_STEP).fit(X[:1000], y[:1000])
    expected = log_density((X[:1000], y[:1000]), (X[1000:], y[1000:]))
    assert estimator.score(X[1000:], y[1000:]) == pytest.approx(expected, abs=0.03)


def test_the_bound_is_the_log_likelihood_at_the_start():
    X, y = linear_rows(1000)
    row = CVAERegressor(likelihood="gaussian", **NO_STEP).fit(X, y).history_[-1]
    assert -row["valid_loss"] == pytest.approx(row["valid_cll"], abs=0.2)  # of ten draws


@pytest.mark.parametrize("noise", ["dense", "walk"])
def test_noise_that_many_outputs_share_is_found_whole(noise):
    rng = np.random.default_rng(0)
    X, mixing = rng.normal(size=(800, 4)), np.tril(np.ones((30, 30)))
    if noise == "dense":
        mixing = np.eye(30) + 0.3 * np.tril(rng.normal(size=(30, 30)))
    y = X @ rng.normal(size=(4, 30)) + rng.normal(size=(800, 30)) @ mixing.T
    parts = (X[:400], y[:400]), (X[400:], y[400:])
    reached = CVAERegressor(max_epochs=8, random_state=0).fit(*parts[0]).score(*parts[1])
    assert reached > log_density(*parts) - 0.05 * 30
    # Draws from the prior alone meet less of it, and are not to lose what each output has.
    with pytest.warns(UserWarning, match="too independent given X: take CVAERegressor"):
        few, none = (
            cls(max_epochs=10, random_state=0).fit(*parts[0]).score(*parts[1])
            for cls in (GSNNRegressor, NNRegressor)
        )
    assert few > none + (10 if noise == "walk" else 0)


def test_a_density_starts_at_principal_components():
    _, y = linear_rows(3000)
    vae = VAE(**NO_STEP).fit(y[:1000])
    whole = multivariate_normal(y[:1000].mean(0), np.cov(y[:1000].T)).logpdf(y[1000:])
    assert vae.score(y[1000:]) == pytest.approx(whole.mean(), abs=0.03)


def test_a_scale_for_each_output_without_latent_variables():
    X, y = linear_rows(3000)
    nn = NNRegressor(likelihood="gaussian", **NO_STEP).fit(X[:1000], y[:1000])
    residuals = y[1000:] - nn.predict(X[1000:])
    _, spread = nn.predict(X[1000:], return_std=True)
    assert np.allclose(spread, residuals.std(axis=0), rtol=0.1)


@pytest.mark.parametrize("n_outputs", [1, 2, 6])
@pytest.mark.parametrize("n_latents", [1, 2, 6, 9])
def test_factors_have_the_covariance_and_a_diagonal_posterior(n_outputs, n_latents):
    _, y = linear_rows(500, n_outputs)
    covariance = torch.tensor(np.atleast_2d(np.cov(y.T)))
    loadings, noise = factors(covariance, n_latents)
    posterior = loadings.T / noise @ loadings
    assert torch.allclose(posterior, posterior.diagonal().diag(), atol=1e-8)
    total = loadings @ loadings.T + noise.diag()
    assert torch.allclose(total.diagonal().sum(), covariance.diagonal().sum(), rtol=0.3)
    if n_latents >= n_outputs:
        assert torch.allclose(total, covariance)
    assert (noise > 0).all()


def test_rounding_does_not_choose_between_equal_components():
    noise = 1e-14 * np.random.default_rng(0).normal(size=(3, 3, 3))
    found = [factors(torch.eye(3).double() + torch.from_numpy(part + part.T), 3) for part in noise]
    for loadings, variances in found[1:]:
        assert_allclose(loadings, found[0][0], atol=1e-6)
        assert_allclose(variances, found[0][1], atol=1e-6)


def test_the_linear_model_is_of_the_weighted_rows():
    (X, y), (X_other, y_other) = linear_rows(300), linear_rows(300, seed=1)
    weight = np.repeat([1.0, 1e-6], 300)
    both = least_squares.fit(np.r_[X, X_other], np.r_[y, y_other], weight)
    alone = least_squares.fit(X, y)
    assert torch.allclose(both.coef, alone.coef, rtol=0.01)
    assert torch.allclose(both.intercept, alone.intercept, rtol=0.01)
    assert torch.allclose(both.covariance, alone.covariance, rtol=0.1)


@pytest.mark.parametrize("same_y", [False, True])
def test_copies_of_a_row_do_not_make_the_model_more_certain(same_y):
    rng = np.random.default_rng(0)
    X, y = linear_rows(60)
    X = np.c_[X, rng.normal(size=(60, 20))]
    repeated = np.repeat(X, 5, axis=0), np.repeat(y, 5, axis=0)
    if not same_y:
        repeated[1][:] += 0.01 * rng.normal(size=(300, 3))
    once, often = least_squares.fit(X, y), least_squares.fit(*repeated)
    assert often.covariance.diagonal() / once.covariance.diagonal() == pytest.approx(1, abs=0.15)


def of_subjects(n_subjects, effect, seed=0):
    """Return four visits of each subject, whom the many columns of x tell apart."""
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(n_subjects), 4)
    X = rng.normal(size=(n_subjects, 30))[group] + 0.01 * rng.normal(size=(len(group), 30))
    y = effect * rng.normal(size=(n_subjects, 2))[group] + 0.3 * rng.normal(size=(len(group), 2))
    return X, y, group


@pytest.mark.parametrize("effect", [0.0, 1.0])
def test_groups_are_left_out_together(effect):
    X, y, group = of_subjects(60, effect)
    variance = {
        name: least_squares.fit(X, y, group=labels).covariance.diagonal().mean().item()
        for name, labels in {"groups": group, "no groups": None}.items()
    }
    assert variance["groups"] == pytest.approx(effect**2 + 0.3**2, rel=0.25)
    assert (variance["no groups"] < 0.7 * variance["groups"]) == (effect > 0)


@pytest.mark.parametrize("early_stopping", [True, False])
def test_groups_reach_the_start(early_stopping):
    X, y, group = of_subjects(40, 1.0)
    est = NNRegressor(**{**NO_STEP, "early_stopping": early_stopping})
    X_new, y_new, _ = of_subjects(200, 1.0, seed=1)
    given = clone(est).fit(X, y, groups=group).score(X_new, y_new)
    with pytest.warns(UserWarning, match="nearly the x") if early_stopping else nullcontext():
        est.fit(X, y)
    assert given > est.score(X_new, y_new) + 0.5


@pytest.mark.parametrize(
    ("cls", "n_kinds"),
    [
        (NNRegressor, 1),
        (CVAERegressor, 2),
        (NNRegressor, 3),
        *((c, 100) for c in (CVAERegressor, NNRegressor)),
    ],
)
def test_an_x_of_categories_is_no_worse_than_least_squares(cls, n_kinds):
    rng = np.random.default_rng(0)
    X = np.eye(n_kinds)[rng.integers(n_kinds, size=1400)][:, : max(n_kinds - 1, 1)]
    y = X @ rng.normal(size=(X.shape[1], 2)) + rng.normal(size=(1400, 2))
    parts = (X[:400], y[:400]), (X[400:], y[400:])
    est = cls(max_epochs=15, random_state=0).fit(*parts[0])
    assert est.score(*parts[1]) > log_density(*parts) - 0.1


def test_a_curved_density_is_learned_where_x_is_constant():
    rng = np.random.default_rng(0)
    angle = rng.uniform(0, 2 * np.pi, 500)
    y = np.c_[np.cos(angle), np.sin(angle)] + 0.05 * rng.normal(size=(500, 2))
    est = CVAERegressor(max_epochs=15, lr=0.003, random_state=0).fit(np.ones((500, 1)), y)
    assert est.score(np.ones((500, 1)), y) > norm(0, 0.71).logpdf(y).sum(1).mean() + 0.5


@pytest.mark.parametrize("n_distinct", [1, 2, 3])
def test_few_distinct_rows_of_x_give_a_model(n_distinct):
    rng = np.random.default_rng(0)
    X, y = (
        np.repeat(rng.normal(size=(n_distinct, 2)), 10, axis=0),
        rng.normal(size=(10 * n_distinct, 2)),
    )
    model = least_squares.fit(X, y)
    assert all(torch.isfinite(part).all() for part in model)
    assert (model.covariance.diagonal() > 0.3).all()


@pytest.mark.parametrize("n_outputs", [1, 4, 8])
@pytest.mark.parametrize("n_rows", [1, 2, 3, 4, 5, 6, 7])
def test_a_handful_of_rows_is_never_far_below_unit_scales(n_rows, n_outputs):
    rng, excess = np.random.default_rng(0), []
    for _ in range(50):
        rows, new = rng.normal(size=(n_rows, n_outputs)), rng.normal(size=(200, n_outputs))
        model = least_squares.fit(None, rows)
        density = multivariate_normal(model.intercept.numpy(), model.covariance.numpy())
        unit = norm(rows.mean(0), 1).logpdf(new).sum(axis=1).mean()
        excess.append((density.logpdf(new).mean() - unit) / n_outputs)
    assert np.mean(excess) > -0.5 and np.quantile(excess, 0.1) > -1


@pytest.mark.parametrize("n_rows", [2, 3, 5])
@pytest.mark.parametrize("cls", [CVAERegressor, NNRegressor, VAE])
def test_a_fit_to_a_handful_of_rows_is_not_below_the_density_of_y_alone(cls, n_rows):
    X, y = linear_rows(300)
    data = (y,) if cls is VAE else (X, y)
    est = cls(random_state=0).fit(*(part[:n_rows] for part in data))
    alone = norm(y[:n_rows].mean(0), y[:n_rows].std(0)).logpdf(y[100:]).sum(axis=1).mean()
    assert est.score(*(part[100:] for part in data)) > alone - 0.5


def test_a_row_of_nearly_all_weight_warns():
    X, y = linear_rows(50)
    est, weight = NNRegressor(max_epochs=2, random_state=0), np.r_[1e4, np.ones(49)]
    with pytest.warns(UserWarning, match="makes 50 rows count as 1.0") as seen:
        est.fit(X, y, sample_weight=weight)
    assert seen[0].filename == __file__
    est.score(X, y, sample_weight=weight)  # warnings are errors
    est.fit(X, y, sample_weight=np.r_[np.full(5, 1e4), np.ones(45)])
    est.fit(X[:3], y[:3], sample_weight=weight[:3])


def test_few_rows_give_the_scale_that_new_rows_find_most_likely():
    rng = np.random.default_rng(0)
    multiples = np.exp(np.linspace(-1, 1, 41))
    for n_rows in (8, 16, 32):
        density = np.zeros(len(multiples))
        for _ in range(2000):
            y = rng.normal(size=(n_rows, 1))
            location, variance = y.mean(), least_squares.fit(None, y).covariance.numpy()
            variance = variance * multiples
            density -= np.ravel(np.log(variance) + (1 + location**2) / variance)
        assert density.max() - density[20] < 2000 * 0.02


@pytest.mark.parametrize("n_rows", [8, 20, 60])
@pytest.mark.parametrize("correlation", [0.0, 0.1, 1.0])
def test_a_covariance_is_shrunk_as_rows_left_out_find_best(n_rows, correlation):
    rng = np.random.default_rng(n_rows)
    mixing = np.eye(6) + correlation * rng.normal(size=(6, 6))
    rows = rng.normal(size=(n_rows, 6)) @ mixing / np.linalg.norm(mixing, axis=0)

    def likelihood_of_each(share):
        for i, row in enumerate(rows):
            others = np.delete(rows, i, axis=0)
            covariance = others.T @ others / (n_rows - 1)
            shrunk = (1 - share) * covariance + share * np.eye(6)
            yield multivariate_normal(np.zeros(6), shrunk).logpdf(row)

    likelihoods = {s: np.array(list(likelihood_of_each(s))) for s in SHARES}
    best = max(likelihoods.values(), key=np.mean)
    errors = {s: (best - likelihoods[s]).std() / np.sqrt(n_rows - 1) for s in likelihoods}
    share = max(s for s in likelihoods if (best - likelihoods[s]).mean() <= errors[s])
    expected = (1 - share) * rows.T @ rows / n_rows + share * np.eye(6)
    assert np.allclose(shrunk_covariance(rows), expected)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("n_rows", [5, 10, 20])
def test_few_rows_are_never_far_below_a_gaussian_of_y_alone(n_rows):
    excess = []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(n_rows + 1000, 3))
        y = X @ rng.normal(size=(3, 2)) + 0.5 * rng.normal(size=(len(X), 2))
        est = CVAERegressor(max_epochs=30, random_state=0).fit(X[:n_rows], y[:n_rows])
        alone = multivariate_normal(y[:n_rows].mean(0), np.cov(y[:n_rows].T))
        excess.append(est.score(X[n_rows:], y[n_rows:]) - alone.logpdf(y[n_rows:]).mean())
    assert np.mean(excess) > -0.5


@pytest.mark.filterwarnings("ignore:No latent variable is used")
@pytest.mark.parametrize(
    ("cls", "n_rows"),
    [
        *((CVAERegressor, n) for n in (5, 20, 200)),
        *((NNRegressor, n) for n in (5, 200)),
        (GSNNRegressor, 20),
    ],
)
def test_noise_is_not_fitted(cls, n_rows):
    rng = np.random.default_rng(n_rows)
    X, y = rng.normal(size=(n_rows + 1000, 20)), rng.normal(size=(n_rows + 1000, 5))
    est = cls(max_epochs=30, random_state=0).fit(X[:n_rows], y[:n_rows])
    location, scale = y[:n_rows].mean(0), y[:n_rows].std(0, ddof=1)
    alone = multivariate_normal(location, np.diag(scale**2)).logpdf(y[n_rows:]).mean()
    assert est.score(X[n_rows:], y[n_rows:]) > alone - 0.5


def test_the_start_is_kept_where_no_epoch_is_better():
    X, y = linear_rows(300)
    start = CVAERegressor(**NO_STEP).fit(X, y)
    training = Training(ema_decay=0.0, patience=2)
    bad = CVAERegressor(**{**NO_STEP, "lr": 0.3, "max_epochs": 3}, training=training).fit(X, y)
    assert bad.score(X, y) == pytest.approx(start.score(X, y), abs=1e-6)


@pytest.mark.parametrize("cls", [CVAERegressor, NNRegressor, GSNNRegressor])
def test_as_many_inputs_as_outputs_start_at_least_squares_from_few_rows(cls):
    X = np.random.default_rng(0).normal(size=(300, 64))
    y = np.roll(X, 2, axis=1) + 0.1 * np.random.default_rng(1).normal(size=X.shape)
    est, ridge = cls(**NO_STEP).fit(X[:80], y[:80]), RidgeCV(np.logspace(-3, 3, 7))
    best = r2_score(y[80:], ridge.fit(X[:80], y[:80]).predict(X[80:]))
    assert r2_score(y[80:], est.predict(X[80:])) > best - 0.02


@pytest.mark.parametrize("n_rows", [72, 90, 117, 180])
def test_few_rows_for_each_input_have_errors_no_more_correlated_than_new_ones(n_rows):
    """Where rows are as many as inputs, left-out errors lie in a space of few dimensions."""
    X, y = np.random.default_rng(0).normal(size=(2, 400, 64))
    y = np.roll(X, 2, axis=1) + 0.1 * y
    model = least_squares.fit(X[:n_rows], y[:n_rows])
    errors = y[n_rows:] - X[n_rows:] @ model.coef.numpy().T - model.intercept.numpy()
    covariance = model.covariance.numpy()
    found, alone = (
        multivariate_normal(cov=part).logpdf(errors).mean()
        for part in (covariance, np.diag(covariance.diagonal()))
    )
    assert found > alone - 0.02 * 64


@pytest.mark.parametrize("likelihood", ["gaussian", "negative_binomial"])
@pytest.mark.parametrize("cls", [CVAERegressor, NNRegressor, GSNNRegressor])
def test_the_start_that_is_kept_is_fitted_to_the_rows_held_out_too(cls, likelihood):
    X, y = linear_rows(60)
    y = y if likelihood == "gaussian" else np.random.default_rng(0).poisson(3, size=y.shape)
    est = cls(likelihood=likelihood, **NO_STEP)
    whole = clone(est).fit(X, y, X_val=X[:20], y_val=y[:20])
    assert_allclose(est.fit(X, y).predict(X), whole.predict(X), rtol=1e-5, atol=1e-6)
    assert est.score(X, y) == pytest.approx(whole.score(X, y), rel=1e-5)
    given = clone(est).fit(X[20:], y[20:], X_val=X[:20], y_val=y[:20])
    assert np.abs(given.predict(X) - whole.predict(X)).max() > 0.01


def test_an_interrupt_while_the_start_is_fitted_to_all_rows_leaves_it(monkeypatch):
    calls = []

    def interrupted(*given):
        calls.append(given)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return start(*given)

    start = initial_weights.start
    monkeypatch.setattr(initial_weights, "start", interrupted)
    X, y = linear_rows(60)
    est = NNRegressor(**NO_STEP)
    with pytest.warns(ConvergenceWarning, match="interrupted after 1 of 1"):
        est.fit(X, y)
    assert len(calls) == 2 and np.isfinite(est.score(X, y))


def test_the_start_of_all_rows_keeps_the_temperature_that_rows_held_out_chose():
    X, y = linear_rows(400)
    y = y + np.random.default_rng(0).normal(scale=np.repeat([0, 9], 200)[:, None], size=y.shape)
    est = NNRegressor(validation=200, **{**NO_STEP, "lr": 1.0}).fit(X, y)
    assert "start_cll" in est.history_[0] and "temperature_cll" in est.history_[0]
    found = [float(part) for part in temperatures(est.net_.module_.model)]
    assert min(found) > 1


def tight_rows(n_rows):
    """Return rows whose outputs share their noise, have little of their own, and are curved."""
    rng = np.random.default_rng(8)
    X, shared = rng.normal(size=(n_rows, 5)), rng.normal(size=(n_rows, 1))
    y = X @ rng.normal(size=(5, 3)) + shared @ rng.normal(size=(1, 3))
    y = y + 0.1 * np.sin(2 * X[:, :1]) * [1, -1, 0.5]
    return X, y + 0.01 * rng.normal(size=y.shape)


def test_steps_that_throw_the_start_off_are_made_smaller():
    X, y = tight_rows(1400)
    est = CVAERegressor(max_epochs=110, random_state=0).fit(X[:400], y[:400])
    start = clone(est).set_params(**NO_STEP).fit(X[:400], y[:400])
    assert est.score(X[400:], y[400:]) > start.score(X[400:], y[400:]) + 0.2
    assert est.net_.lr == est.lr / 8
    assert [row["epoch"] for row in est.history_] == [*range(1, 1 + len(est.history_))]
    assert not any("start_cll" in row for row in est.history_)


@pytest.mark.parametrize(
    ("cls", "noise"),
    [
        (CVAERegressor, 0.1),
        (NNRegressor, 0.01),
        *((cls, 0.003) for cls in (CVAERegressor, NNRegressor, GSNNRegressor)),
    ],
)
def test_intervals_are_as_narrow_as_the_noise_of_a_linear_model(cls, noise):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1400, 3))
    y = X @ rng.normal(size=3) + noise * rng.normal(size=1400)
    est = cls(**NO_STEP).fit(X[:400], y[:400])
    low, high = est.predict_interval(X[400:], coverage=0.9).T
    assert 0.86 < ((low <= y[400:]) & (y[400:] <= high)).mean() < 0.94
    assert (high - low).mean() == pytest.approx(3.29 * noise, rel=0.15)
    assert est.score(X[400:], y[400:]) == pytest.approx(-np.log(noise) - 1.42, abs=0.1)


@pytest.mark.parametrize("error", [0.1, 0.03, 0.01])
def test_an_output_that_is_nearly_the_sum_of_others_is_tied_to_them(error):
    X, y = linear_rows(1400, n_outputs=2)
    total = y.sum(1) + error * np.random.default_rng(1).normal(size=1400)
    y = np.c_[y, total]
    est = CVAERegressor(**NO_STEP).fit(X[:400], y[:400])
    expected = log_density((X[:400], y[:400]), (X[400:], y[400:]))
    assert est.score(X[400:], y[400:]) == pytest.approx(expected, abs=0.15)


def test_training_departs_from_noise_that_steps_do_not_exceed():
    X = np.random.default_rng(0).normal(size=(100, 2))
    y = X @ np.ones((2, 2)) + 1e-4 * np.random.default_rng(1).normal(size=(100, 2))
    est = NNRegressor(early_stopping=False, **NO_STEP).fit(X, y)
    _, spread = est.predict(X, return_std=True)
    assert (spread / y.std(0)).min() > 0.029


def test_steps_of_a_schedule_and_few_rows_held_out_are_left_as_they_are():
    X, y = (part[:400] for part in tight_rows(1400))
    soon = Training(patience=3)  # so that epochs are left
    scheduled = CVAERegressor(training=clone(soon).set_params(lr_schedule="one_cycle"))
    few = CVAERegressor(training=soon, validation=9)
    for est in (scheduled, few):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            est.set_params(max_epochs=12, random_state=0).fit(X, y)
        assert est.net_.lr == est.lr and len(est.history_) < 12


def test_scores_of_a_training_that_was_given_up_do_not_count():
    rng = np.random.default_rng(2)
    X = rng.normal(size=(234, 5))
    y = X @ rng.normal(size=(5, 1)) + 0.3 * np.sin(2 * X[:, :1]) + 0.5 * rng.normal(size=(234, 1))
    est = CVAERegressor(max_epochs=25, lr=0.003, random_state=2, validation=30).fit(X, y)
    scores, best = (est.history_[:, name] for name in ("valid_cll", "valid_cll_best"))
    assert est.net_.lr < est.lr and est.best_validation_score_ < max(scores) - 0.01
    assert est.best_validation_score_ == [s for s, b in zip(scores, best, strict=True) if b][-1]


class Interrupt(Callback):
    """Interrupt the second training so many epochs after it began."""

    def __init__(self, after):
        self.after = after

    def on_train_begin(self, net, **kwargs):
        self.last = len(net.history) + self.after if len(net.history) else None

    def on_batch_begin(self, net, **kwargs):
        if self.last is not None and len(net.history) > self.last:
            signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("after", [0, 90])
def test_an_interrupt_of_the_second_training_keeps_the_epochs_that_had_ended(after):
    X, y = (part[:400] for part in tight_rows(1400))
    given = {"X_val": X[360:], "y_val": y[360:]}
    est = CVAERegressor(max_epochs=150, random_state=0)
    no_step = {"max_epochs": 1, "lr": 1e-12, "training": Training(temperature=None)}
    start = clone(est).set_params(**no_step).fit(X[:360], y[:360], **given)
    est.set_params(training=Training(callbacks=[Interrupt(after)]))
    with pytest.warns(ConvergenceWarning, match="interrupted after"):
        est.fit(X[:360], y[:360], **given)
    assert ("start_cll" in est.history_[0]) == (after == 0)
    gain = est.score(X, y) - start.score(X, y)
    assert gain > 0.1 if after else gain == pytest.approx(0, abs=1e-6)


class OutOfMemory(Callback):
    """Fail in the second training, after two of its epochs; note how many there were before."""

    def on_train_begin(self, net, **kwargs):
        type(self).n_before = len(net.history)

    def on_epoch_end(self, net, **kwargs):
        if self.n_before and len(net.history) == self.n_before + 2:
            raise MemoryError


def test_smaller_steps_that_fail_leave_the_start():
    X, y = linear_rows(60)
    training = Training(patience=2, temperature=None, callbacks=[OutOfMemory()])
    est = NNRegressor(lr=0.05, random_state=0, training=training)
    est.fit(X[:40], y[:40], X_val=X[40:], y_val=y[40:])
    assert len(est.history_) == OutOfMemory.n_before > 0
    expected = est.history_[0]["start_cll"]
    assert est.score(X[40:], y[40:]) == pytest.approx(expected, abs=1e-4)


def nearly_linear(curvature, n_rows=400):
    X, y = linear_rows(n_rows)
    return X, y + curvature * np.sin(3 * X[:, :1])


@pytest.mark.parametrize(
    ("curvature", "n_val", "departs"),
    [(0.0, 40, False), (6.0, 40, True), (6.0, 1, False)],
    ids=["a linear y", "a curved y", "one row held out"],
)
def test_training_departs_from_the_start_by_more_than_chance(curvature, n_val, departs):
    X, y = nearly_linear(curvature)
    given = {"X_val": X[:n_val], "y_val": y[:n_val]}
    start = NNRegressor(**NO_STEP).fit(X[n_val:], y[n_val:], **given)
    est = NNRegressor(max_epochs=60, random_state=0).fit(X[n_val:], y[n_val:], **given)
    change = abs(est.log_prob(X, y) - start.log_prob(X, y)).max()
    assert change > 0.1 if departs else change < 1e-4


@pytest.mark.parametrize("n_rows", [2, 3, 20])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_a_gain_exceeds_its_standard_error_in_any_unit(scale, n_rows):
    rng = np.random.default_rng(0)
    weight, decided = torch.full((n_rows,), scale, dtype=torch.double), []
    for _ in range(4000):
        gain = torch.from_numpy(scale * rng.normal(size=n_rows))
        decided.append(lowest_gain(gain, weight) > 0)
    distribution = t(n_rows - 1)
    widening = distribution.ppf(0.995) / norm.ppf(0.995)
    assert np.mean(decided) == pytest.approx(distribution.sf(widening), abs=0.02)


def test_rows_of_a_group_or_with_the_same_x_gain_as_one():
    x, gain = torch.tensor([[0.0], [1.0], [0.0], [2.0]]), torch.tensor([1.0, 2.0, 3.0, 4.0])
    weight = torch.tensor([3.0, 1.0, 1.0, 1.0])
    for arrays, group, expected in [
        ((x, x), None, ([1.5, 2.0, 4.0], [4.0, 1.0, 1.0])),
        ((x, x), np.array(["a", "a", "b", "b"]), ([1.25, 3.5], [4.0, 2.0])),
        ((x,), None, (gain, weight)),
        ((0 * x, x), None, ([1.5, 2.0, 4.0], [4.0, 1.0, 1.0])),
        ((0 * x, 0 * x), None, ([2.0], [6.0])),
        ((x, x), np.array(["a"] * 4), ([2.0], [6.0])),
    ]:
        found = by_group(Rows(arrays, None, group), gain, weight)
        assert all(map(torch.equal, found, map(torch.as_tensor, expected)))


@pytest.mark.parametrize("seed", [1, 10])
def test_few_rows_held_out_show_no_gain_of_a_network_that_knows_its_rows(seed):
    rng = np.random.default_rng(1000 + seed)
    X = rng.normal(size=(560, 500))
    y = 2 * X[:, 0] + X[:, 1] + rng.normal(size=560)
    est = CVAERegressor(random_state=seed).fit(X[:60], y[:60])
    ignoring_x = norm.logpdf(y[60:], y[:60].mean(), y[:60].std(ddof=1)).mean()
    assert est.score(X[60:], y[60:]) > ignoring_x - 0.1


def test_a_row_that_loses_is_to_be_expected_beyond_few_rows():
    gain = torch.full((200,), 0.25, dtype=torch.double)
    ones = torch.ones_like(gain)
    few, many = (lowest_gain(gain[:n], ones[:n], unseen_loss=0.5) for n in (6, 200))
    assert few < 0 < many < lowest_gain(gain, ones)
    twice = lowest_gain(gain[:6], 2 * ones[:6], unseen_loss=0.5)
    assert few == pytest.approx(twice)


def test_infinite_gains_are_gains_and_one_row_decides_nothing():
    weight = torch.ones(3, dtype=torch.double)
    gain = torch.tensor([0.1, -0.1, np.inf], dtype=torch.double)
    assert lowest_gain(gain, weight) > 0 > lowest_gain(-gain, weight)
    assert lowest_gain(weight[:1], weight[:1]) == lowest_gain(weight[:2], weight[:2]) == -np.inf


@pytest.mark.parametrize(
    "est",
    [
        CVAERegressor(architecture=MLP(shortcut=False)),
        CVAERegressor(likelihood="student_t", architecture=MLP(bins=4)),
        CVAERegressor(likelihood="bernoulli"),
        CVAERegressor(prior="mixture"),
        CVAERegressor(prior="flow"),
        CVAERegressor(partial_y=True),
    ],
    ids=repr,
)
def test_other_networks_train(est):
    X, y = linear_rows(100)
    y = 1 / (1 + np.exp(-y)) if est.likelihood == "bernoulli" else y
    if est.partial_y:
        y[::7, 0] = np.nan
    est.set_params(max_epochs=2, random_state=0).fit(X, y)
    assert np.isfinite(est.log_prob(X, y)).all()


@pytest.mark.filterwarnings("ignore:Most of the rows", "ignore:No latent")
def test_copies_of_a_row_held_out_decide_as_one_row():
    X, y = nearly_linear(6.0)
    copies = {"X_val": X[[0] * 20], "y_val": y[[0] * 20]}
    start = CVAERegressor(**NO_STEP).fit(X[1:], y[1:], **copies)
    est = CVAERegressor(max_epochs=20, random_state=0).fit(X[1:], y[1:], **copies)
    assert np.allclose(est.predict(X), start.predict(X), atol=1e-4)


@pytest.mark.parametrize("cls", [CVAERegressor, NNRegressor])
@pytest.mark.parametrize("largest", [1e8, 1e20])
def test_a_row_of_nearly_all_weight_is_fitted_without_an_error(cls, largest):
    X, y = linear_rows(50)
    weight = np.r_[largest, np.ones(49)]
    with pytest.warns(UserWarning, match="makes 50 rows count as 1.0"):
        est = cls(max_epochs=2, random_state=0).fit(X, y, sample_weight=weight)
    assert np.isfinite(est.predict(X)).all()


def test_weights_count_as_the_rows_that_they_are_worth():
    (X, y), weight = linear_rows(40), np.repeat([1.0, 1e-9], 20)
    weighted, alone = least_squares.fit(X, y, weight), least_squares.fit(X[:20], y[:20])
    assert torch.allclose(weighted.covariance, alone.covariance, rtol=0.02)


@pytest.mark.parametrize("column", ["x", "y"])
def test_columns_of_true_and_false_are_numbers(column):
    X, y = linear_rows(60)
    X, y = (X > 0, y) if column == "x" else (X, y > 5)
    est = NNRegressor(max_epochs=2, random_state=0).fit(X, y)
    same = NNRegressor(max_epochs=2, random_state=0).fit(X.astype(float), y.astype(float))
    assert np.array_equal(est.predict(X), same.predict(X.astype(float)))


NOISE = np.random.default_rng(0)
ROWS, BLUR = NOISE.normal(size=(100, 3)), NOISE.normal(size=(100, 50))
RELATED = {
    "noise": BLUR,
    "one": BLUR[:, 0],
    "linear": ROWS @ BLUR[:3] + BLUR,
    "sine": np.sin(2 * ROWS) + BLUR[:, :3] / 5,
}


def fitted_with(y, estimator_class, lr):
    """Return a fitted estimator, and what it said of the learning rate."""
    est = estimator_class(lr=lr, max_epochs=12, random_state=0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        est.fit(ROWS, RELATED[y])
    said = [str(one.message) for one in caught if one.category is ConvergenceWarning]
    return est, said


@pytest.mark.parametrize(
    ("estimator_class", "y"),
    [*zip([CVAERegressor, NNRegressor] * 2, RELATED, strict=True)],
)
def test_steps_that_are_too_large_are_named_where_the_start_is_kept(estimator_class, y):
    """Not so where there is nothing more to learn, at any learning rate that fits."""
    for lr in (1e-5, 0.003, 0.03):
        assert not fitted_with(y, estimator_class, lr)[1]
    est, (said,) = fitted_with(y, estimator_class, 0.5)
    assert "did not improve on its start" in said and "than lr=0.5," in said
    start, _ = fitted_with(y, estimator_class, 1e-12)
    np.testing.assert_allclose(est.predict(ROWS), start.predict(ROWS), atol=1e-4)


def test_steps_that_are_too_large_are_named_for_members_of_a_stack():
    member = NNRegressor(lr=1.0, max_epochs=12)
    with pytest.warns(ConvergenceWarning, match="did not improve on its start"):
        EnsembleRegressor(member, n_estimators=2, random_state=0).fit(ROWS, BLUR)


def test_validation_rows_unlike_those_to_train_on_are_no_fault_of_the_steps():
    x = np.random.default_rng(0).normal(size=(500, 1))
    y = x**2 + 0.01 * np.random.default_rng(1).normal(size=x.shape)
    training = {"max_epochs": 12, "lr": 0.03, "batch_size": 10, "random_state": 0}
    est = NNRegressor(likelihood="gaussian", training=Training(temperature=None), **training)
    est.fit(x, y, X_val=x[:50], y_val=2 - y[:50])  # warnings are errors
    assert "start_cll" in est.history_[0]
    lost = est.best_validation_score_ - np.max(est.history_[:, "valid_cll"])
    assert lost > 0.5


def outputs_of(likelihood, location, rng):
    """Return y that a likelihood accepts, around a location of shape (n_rows, 2)."""
    noise, chance = rng.normal(size=location.shape), rng.random(location.shape)
    real, label = location + noise, (location > 3 * chance - 1.5).astype(float)
    positive, count = np.exp(0.5 * real), rng.poisson(np.exp(location))
    names = {
        "poisson": count,
        "negative_binomial": rng.poisson(positive * np.exp(location)),
        "bernoulli": label,
        "categorical": label + (chance > 0.8),
        "gaussian_mixture": real,
        "log_normal": positive,
        "gamma": positive,
        "logit_normal": 1 / (1 + np.exp(-real)),
    }
    if isinstance(likelihood, Hurdle):
        return positive * (noise[::-1] > -0.5)
    return (
        np.c_[real[:, 0], label[:, 1], count]
        if isinstance(likelihood, Columns)
        else names[likelihood]
    )


HURDLE = Hurdle()
GENERALISED = [
    *("poisson", "negative_binomial", "bernoulli", "categorical", "gaussian_mixture"),
    *("log_normal", "gamma", "logit_normal", HURDLE, Hurdle(Gamma())),
    Columns(
        [("a", Gaussian(True), [0]), ("b", Categorical([0, 1]), [1]), ("c", Poisson(), [2, 3])]
    ),
]
each_generalised = pytest.mark.parametrize("likelihood", GENERALISED, ids=repr)


@pytest.mark.parametrize("kind", ["categorical", "poisson", "bernoulli"])
def test_z_is_used_where_few_rows_of_labels_or_counts_have_a_hidden_cause(kind):
    rng = np.random.default_rng(1)
    hidden, noise = 2 * rng.normal(size=(2100, 1)), rng.normal(size=(2100, 3))
    rows = {
        "categorical": np.digitize(hidden + noise, [-1, 1]),
        "poisson": rng.poisson(np.exp(1 + 0.5 * hidden), size=(2100, 3)),
        "bernoulli": hidden + noise > 0,
    }
    X, y = np.ones((2100, 1)), rows[kind]
    est, alone = (
        cls(likelihood=kind, lr=0.003, max_epochs=40, random_state=0).fit(X[:100], y[:100])
        for cls in (CVAERegressor, NNRegressor)
    )
    assert est.score(X[100:], y[100:]) > alone.score(X[100:], y[100:]) + 0.2
    assert np.corrcoef(est.sample(X[100:], 1, random_state=0)[0].T)[0, 1] > 0.1


@pytest.mark.filterwarnings("ignore:No latent variable is used", "ignore:.*rows to train on")
@pytest.mark.parametrize(
    ("kind", "likelihood"),
    [([CVAERegressor, NNRegressor][i % 2], part) for i, part in enumerate(GENERALISED)],
    ids=repr,
)
def test_no_likelihood_is_far_below_what_ignores_x(kind, likelihood):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(500, 150))
    y = outputs_of(likelihood, np.zeros((500, 2)), rng)
    fit = {"likelihood": likelihood, "max_epochs": 30, "random_state": 0}
    est = kind(**fit).fit(X[:100], y[:100])
    ignoring = NNRegressor(**fit).fit(np.zeros((100, 1)), y[:100])
    reached = est.score(X[100:], y[100:]) - ignoring.score(np.zeros((400, 1)), y[100:])
    assert reached > -0.3


@pytest.mark.parametrize("n_features", [None, 1, 4])
@pytest.mark.parametrize("n_rows, n_outputs", [(5, 64), (9, 64), (16, 64), (16, 12), (40, 64)])
@pytest.mark.parametrize("copies", [1, 2, 5])
def test_rows_that_depend_on_each_other_do_not_narrow_the_noise(
    n_rows, n_outputs, n_features, copies
):
    """Residuals sum to zero, and near copies tell each other: any row follows from the rest."""
    rng = np.random.default_rng(n_rows)
    x = None if n_features is None else rng.normal(size=(n_rows, n_features)).repeat(copies, 0)
    y = rng.normal(size=(n_rows, n_outputs)).repeat(copies, 0)
    y += 0.05 * rng.normal(size=y.shape)
    group = np.arange(n_rows).repeat(copies) if copies > 1 else None
    covariance = least_squares.fit(x, y, group=group).covariance.numpy()
    rows = rng.normal(size=(500, n_outputs))
    score = multivariate_normal(cov=covariance).logpdf(rows).mean()
    assert score > multivariate_normal(cov=np.eye(n_outputs)).logpdf(rows).mean() - n_outputs / 2


@pytest.mark.parametrize("n_outputs", [1, 2])
@pytest.mark.parametrize("likelihood", ["categorical", "bernoulli", "poisson"])
def test_training_exceeds_the_start_by_an_error_unless_outputs_share_z(likelihood, n_outputs):
    """A label is one output, though its code has a number for each class."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 3)), rng.integers(2, size=(60, n_outputs))
    fits = (cls(likelihood=likelihood, **NO_STEP) for cls in (CVAERegressor, NNRegressor))
    gains = [est.fit(X, y).net_.module.least_gain for est in fits]
    assert gains == [float(n_outputs == 1), 1.0]


@each_generalised
def test_the_start_has_the_mean_of_y_and_follows_x(likelihood):
    rng = np.random.default_rng(1)
    X = rng.normal(size=(2000, 3))
    y = outputs_of(likelihood, 0.5 * X[:, :2], rng)
    start = NNRegressor(likelihood=likelihood, **NO_STEP)
    alone = clone(start).fit(np.zeros_like(X), y)
    if likelihood in ("poisson", "negative_binomial", "bernoulli", "log_normal", HURDLE):
        np.testing.assert_allclose(alone.predict(X)[0], y.mean(0), rtol=0.05)
    if likelihood == "categorical":
        (found,) = alone.predict(X[:1], return_proba=True)[1]
        np.testing.assert_allclose(found[1], (y == 1).mean(0), atol=0.01)
    start.fit(X, y)
    assert start.score(X, y) > alone.score(X, y) + 0.05


def generalised_linear_model(likelihood, X, y, X_new, y_new):
    """Return the mean log probability of new rows, with a penalty chosen in folds."""
    if likelihood == "poisson":
        search = GridSearchCV(PoissonRegressor(max_iter=500), {"alpha": np.logspace(-3, 2, 6)})
        return poisson(search.fit(X, y).predict(X_new)).logpmf(y_new).mean()
    grid = {"C": np.logspace(-3, 2, 6)}
    search = GridSearchCV(LogisticRegression(max_iter=500), grid, scoring="neg_log_loss")
    return -log_loss(y_new, search.fit(X, y).predict_proba(X_new))


@pytest.mark.parametrize(
    ("likelihood", "strength", "n_rows", "n_columns"),
    [
        (["poisson", "bernoulli", "categorical"][(i + j) % 3], strength, *size)
        for i, size in enumerate([(50, 3), (200, 3), (1000, 3), (100, 50)])
        for j, strength in enumerate([0.0, 0.5, 1.0])
    ],
)
def test_the_start_is_as_good_as_a_generalised_linear_model(
    likelihood, strength, n_rows, n_columns
):
    """Also where x tells much: a step from the distribution that ignores x would be too short."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_rows + 1000, n_columns))
    if likelihood == "poisson":
        y = rng.poisson(np.exp(strength * X[:, 0] + 0.3))
    else:
        y = (4 * strength * X[:, 0] + rng.logistic(size=len(X)) > 0.5).astype(int)
    rows = X[:n_rows], y[:n_rows], X[n_rows:], y[n_rows:]
    est = NNRegressor(likelihood=likelihood, **NO_STEP).fit(*rows[:2])
    assert est.score(*rows[2:]) > generalised_linear_model(likelihood, *rows) - 0.04
    total = est.predict(X[:n_rows]).sum() if likelihood == "poisson" else None
    assert total is None or total == pytest.approx(y[:n_rows].sum(), rel=0.1)


@pytest.mark.parametrize("shape", [1.0, 50.0])
@pytest.mark.parametrize("level", [1.0, 1e5])
def test_the_start_has_the_dispersion_of_counts_given_x(level, shape):
    """Not that of all counts, which is wider where x tells much."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1500, 3))
    rate = level * np.exp(X[:, 0])
    y = rng.poisson(rate * rng.gamma(shape, 1 / shape, size=1500))
    est = NNRegressor(likelihood="negative_binomial", **NO_STEP).fit(X[:500], y[:500])
    exact = nbinom(shape, shape / (shape + rate[500:])).logpmf(y[500:]).mean()
    assert est.score(X[500:], y[500:]) > exact - 0.05


def test_the_start_of_a_hurdle_has_both_parts():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1500, 3))
    is_positive = X[:, 1] + rng.logistic(size=1500) > 0
    y = np.where(is_positive, np.exp(X[:, 0] + 0.2 * rng.normal(size=1500)), 0)
    log_y = np.log(np.where(is_positive, y, 1))
    density = norm(X[:, 0], 0.2).logpdf(log_y) - log_y
    share = 1 / (1 + np.exp(-X[:, 1]))
    exact = np.where(is_positive, np.log(share) + density, np.log1p(-share))[500:].mean()
    est = NNRegressor(likelihood=Hurdle(), **NO_STEP).fit(X[:500], y[:500])
    assert est.score(X[500:], y[500:]) > exact - 0.1


@pytest.mark.filterwarnings("ignore:No latent variable is used")
@pytest.mark.parametrize(
    ("cls", "seed"), [(CVAERegressor, 1), (NNRegressor, 0), (NNRegressor, 1), (GSNNRegressor, 0)]
)
def test_labels_that_x_separates_are_no_more_certain_than_rows_held_out_tell(cls, seed):
    X = np.random.default_rng(0).normal(size=(1100, 3))
    y = np.digitize(X[:, 0], [-0.5, 0.5])
    est = cls(likelihood="categorical", random_state=seed).fit(X[:100], y[:100])
    assert est.score(X[100:], y[100:]) > -0.25
    best = next(row["epoch"] for row in est.history_[::-1] if row["valid_cll_best"])
    earlier = [row["valid_cll"] for row in est.history_ if row["epoch"] < best]
    assert max(earlier, default=-np.inf) < np.log1p(-1 / 12)


@pytest.mark.parametrize("cls", [CVAERegressor, NNRegressor, GSNNRegressor])
@pytest.mark.parametrize("n_rows", [20, 50])
def test_counts_that_tell_their_rates_are_fitted_by_few_rows(cls, n_rows):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_rows + 1000, 3))
    y = rng.poisson(1e5 * np.exp(0.5 * X[:, 0]))
    rows = X[:n_rows], y[:n_rows], X[n_rows:], y[n_rows:]
    est = cls(likelihood="poisson", **NO_STEP).fit(*rows[:2])
    assert est.score(*rows[2:]) > generalised_linear_model("poisson", *rows) - 0.1


def test_the_generalised_linear_model_is_of_the_weighted_rows():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 2))
    y = rng.poisson(np.exp(X[:, 0]))
    X_all, y_all = np.r_[X, X], np.r_[y, rng.poisson(30, size=200)]
    weight = np.r_[np.ones(200), np.full(200, 1e-9)]
    est = NNRegressor(likelihood="poisson", early_stopping=False, **NO_STEP)
    alone = clone(est).fit(X, y).score(X, y)
    assert est.fit(X_all, y_all, weight).score(X, y) == pytest.approx(alone, abs=0.02)


@pytest.mark.parametrize("cls", [CVAERegressor, NNRegressor])
def test_rare_counts_are_not_ruled_out_since_none_is_held_out(cls):
    rng = np.random.default_rng(1)
    X = rng.normal(size=(1300, 3))
    y = rng.poisson(0.05 * np.exp(0.5 * X[:, 0]))
    est = cls(likelihood="poisson", max_epochs=100, random_state=1).fit(X[:300], y[:300])
    assert est.score(X[300:], y[300:]) > poisson(y[:300].mean()).logpmf(y[300:]).mean() - 0.03


def test_rare_amounts_are_not_memorised_since_none_is_held_out():
    rng = np.random.default_rng(4017)
    X = rng.normal(size=(1400, 3))
    is_zero = rng.random(1400) < 1 / (1 + np.exp(-(np.log(49) + 0.7 * X[:, 1])))
    y = np.where(is_zero, 0, np.exp(0.5 * X[:, 0] + 0.4 * rng.normal(size=1400)))
    est = NNRegressor(likelihood=Hurdle(LogNormal()), max_epochs=150, random_state=17)
    est.fit(X[:400], y[:400])
    assert est.score(X[400:], y[400:]) > -0.3
