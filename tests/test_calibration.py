"""Scoring rules and calibration of draws, where the truth is known."""

import builtins
from functools import partial

import numpy as np
import pytest
import torch
from closed_form import make
from scipy.stats import kstest, norm, poisson
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

import skcvae
from skcvae import CVAERegressor, NNRegressor
from skcvae.architectures import MLP
from skcvae.datasets import make_linear_gaussian, make_ring, make_two_branches
from skcvae.metrics import (
    crps,
    crps_scorer,
    energy_score,
    energy_scorer,
    interval_coverage,
    pit,
)

each_rule = pytest.mark.parametrize("rule", [crps, energy_score], ids=lambda f: f.__name__)
each_metric = pytest.mark.parametrize(
    "metric", [crps, energy_score, pit], ids=lambda f: f.__name__
)


@pytest.fixture
def drawn():
    rng = np.random.default_rng(0)
    return rng.normal(size=(5, 2, 3)), rng.normal(size=(7, 5, 2, 3))


def by_definition(y, draws):
    """Return the score of one row, (S,) and (S, D), as the formula says."""
    n = len(draws)
    between = sum(np.linalg.norm(a - b) for a in draws for b in draws) / (n * (n - 1))
    return np.mean([np.linalg.norm(a - y) for a in draws]) - between / 2


# Scoring rules.


def test_rules_equal_the_formula(drawn):
    y, draws = drawn
    rows = [by_definition(y[i].ravel(), draws[:, i].reshape(7, -1)) for i in range(5)]
    assert energy_score(y, draws) == pytest.approx(np.mean(rows))
    outputs = [by_definition(y[i], draws[(slice(None), *i, None)]) for i in np.ndindex(y.shape)]
    assert crps(y, draws) == pytest.approx(np.mean(outputs))
    assert type(crps(y, draws)) is type(energy_score(y, draws)) is float


def test_rules_equal_another_package(drawn):
    rules = pytest.importorskip("scoringrules")
    y, draws = drawn
    flat = np.moveaxis(draws.reshape(7, 5, 6), 0, 1)
    theirs = rules.es_ensemble(y.reshape(5, 6), flat, estimator="fair", backend="numpy")
    assert energy_score(y, draws) == pytest.approx(theirs.mean())
    theirs = rules.crps_ensemble(y, draws, m_axis=0, estimator="fair", backend="numpy")
    assert crps(y, draws) == pytest.approx(theirs.mean())


def test_of_one_output_the_energy_score_is_the_crps(drawn):
    y, draws = drawn[0][:, 0, 0], drawn[1][:, :, 0, 0]
    assert energy_score(y, draws) == pytest.approx(crps(y, draws))
    assert energy_score(y[:, None], draws[..., None]) == pytest.approx(crps(y, draws))


@each_rule
def test_what_is_not_observed_does_not_count(rule, drawn):
    y, draws = drawn[0][:, 0], drawn[1][:, :, 0]
    y_partial, hidden = y.copy(), draws.copy()
    y_partial[:, 2], y_partial[4] = np.nan, np.nan
    hidden[:, :, 2] = np.nan
    assert rule(y_partial, hidden) == pytest.approx(rule(y[:4, :2], draws[:, :4, :2]))


@each_rule
def test_a_row_of_weight_two_is_a_row_twice(rule, drawn):
    y, draws = drawn
    rows = [0, 1, 1, 3]
    assert rule(y, draws, [1, 2, 0, 1, 0]) == pytest.approx(rule(y[rows], draws[:, rows]))


@each_rule
@pytest.mark.parametrize("n_samples", [2, 10])
def test_draws_from_the_truth_score_best(rule, n_samples):
    rng = np.random.default_rng(1)
    y = rng.normal(size=(8000, 2))
    draws = rng.normal(size=(n_samples, *y.shape))
    best = rule(y, draws)
    for other in (draws + 0.4, 1.4 * draws, 0.6 * draws):
        assert rule(y, other) > best + 0.01
    # The expected value is that of the distribution, however few the draws.
    exact = {crps: 1 / np.sqrt(np.pi), energy_score: np.sqrt(np.pi) / 2}
    assert best == pytest.approx(exact[rule], abs=0.015)


def test_only_the_energy_score_sees_what_ties_outputs_together():
    rng = np.random.default_rng(2)
    y = np.repeat(rng.normal(size=(4000, 1)), 2, axis=1)
    tied = np.repeat(rng.normal(size=(20, 4000, 1)), 2, axis=2)
    apart = tied.copy()
    apart[..., 1] = rng.permuted(tied[..., 1], axis=0)
    assert crps(y, apart) == pytest.approx(crps(y, tied))
    assert energy_score(y, apart) > energy_score(y, tied) + 0.05


# Ranks.


def draws_from_the_truth(n_samples=19):
    """Yield y and draws of it for each generator whose p(y|x) is known."""
    rng = np.random.default_rng(3)
    data = make_linear_gaussian(n_samples=1000, random_state=0)
    z, e = rng.normal(size=(n_samples, 1000, 2)), rng.normal(size=(n_samples, 1000, 3))
    yield data.y, data.X @ data.coef.T + z @ data.loading.T + data.noise * e
    data = make_two_branches(n_samples=1000, noise=0.1, random_state=0)
    sign, e = rng.choice([-1, 1], (n_samples, 1000)), rng.normal(size=(n_samples, 1000))
    yield data.y, sign * data.branch(data.X) + 0.1 * e
    data = make_ring(n_samples=1000, noise=0.1, random_state=0)
    t, e = rng.uniform(0, 2 * np.pi, (n_samples, 1000)), rng.normal(size=(n_samples, 1000, 2))
    yield data.y, data.X * np.stack([np.cos(t), np.sin(t)], axis=-1) + 0.1 * e


def assert_uniform(u, distance=None):
    """Fail unless each output's u is uniform: by a test, or up to a distance of the CDF."""
    for column in u.reshape(len(u), -1).T:
        found = kstest(column, "uniform")
        assert found.pvalue > 0.01 if distance is None else found.statistic < distance


def test_ranks_among_draws_from_the_truth_are_uniform():
    for y, draws in draws_from_the_truth():
        u = pit(y, draws, random_state=0)
        assert u.shape == y.shape
        assert_uniform(u)
        with pytest.raises(AssertionError):
            assert_uniform(pit(y, 0.7 * draws, random_state=0))


def test_ranks_are_uniform_for_counts_and_for_a_single_draw():
    rng = np.random.default_rng(4)
    rate = rng.uniform(0.1, 3, 2000)
    assert_uniform(pit(rng.poisson(rate), rng.poisson(rate, (30, 2000)), random_state=0))
    assert_uniform(pit(rng.poisson(rate), rng.poisson(rate, (1, 2000)), random_state=0))


def test_with_many_draws_it_is_the_distribution_function():
    y = np.linspace(-2, 2, 5)
    draws = norm.ppf((np.arange(10_000) + 0.5) / 10_000)[:, None].repeat(5, axis=1)
    np.testing.assert_allclose(pit(y, draws), norm.cdf(y), atol=2e-4)
    between = pit([1.0] * 100, np.sort(poisson(1).rvs((10_000, 1), random_state=0)).repeat(100, 1))
    assert poisson(1).cdf(0) - 0.02 < between.min() < between.max() < poisson(1).cdf(1) + 0.02


def test_the_seed_decides_between_ties_and_holes_stay():
    y, draws = np.array([1.0, np.nan, 1.0]), np.ones((4, 3))
    first = pit(y, draws, random_state=0)
    np.testing.assert_array_equal(first, pit(y, draws, random_state=0))
    assert (first != pit(y, draws))[[0, 2]].all()
    assert np.isnan(first).tolist() == [False, True, False]


def test_global_random_state_is_left_alone(drawn):
    before = np.random.get_state()[1].copy()
    pit(*drawn)
    assert (np.random.get_state()[1] == before).all()


# Intervals.


def test_coverage_of_exact_quantiles():
    y = np.random.default_rng(5).normal(size=(5000, 2))
    for coverage in (0.5, 0.9):
        ends = norm.interval(coverage)
        intervals = np.broadcast_to(ends, (5000, 2, 2))
        assert interval_coverage(y, intervals) == pytest.approx(coverage, abs=0.015)


def test_coverage_by_hand():
    y, intervals = [1.0, 2.0, np.nan, 5.0], [[1, 2], [0, 1], [0, np.inf], [5, 5]]
    assert interval_coverage(y, intervals) == 2 / 3
    assert interval_coverage(y, intervals, sample_weight=[1, 3, 9, 1]) == 2 / 5
    assert isinstance(interval_coverage(y, intervals), float)


# Errors.


@each_metric
def test_bad_draws(metric, drawn):
    y, draws = drawn
    with pytest.raises(ValueError, match=r"draws must have shape \(n_samples, 5, 2, 3\) .* got"):
        metric(y, draws[:, :4])
    with pytest.raises(ValueError, match=r"draws must have shape .* at least [12], got \(0, 5"):
        metric(y, draws[:0])
    with pytest.raises(ValueError, match="Input draws contains NaN"):
        metric(y, np.full_like(draws, np.nan))
    with pytest.raises(ValueError, match=r"y_true must have .* shape \(5, 2, 3\)"):
        metric(np.full_like(y, np.nan), draws)


@each_rule
def test_a_single_draw_and_bad_weights(rule, drawn):
    y, draws = drawn
    with pytest.raises(ValueError, match="n_samples at least 2, got"):
        rule(y, draws[:1])
    with pytest.raises(ValueError, match="[Nn]egative"):
        rule(y, draws, [1, 1, 1, 1, -1])
    for weight in ([1, 1], [0, 0, 0, 0, 0], "balanced"):
        with pytest.raises(ValueError, match="sample_weight"):
            rule(y, draws, weight)


@each_rule
def test_outputs_without_a_weight_are_refused(rule, drawn):
    y, draws = drawn
    y = np.where(np.arange(5).reshape(-1, 1, 1) < 3, np.nan, y)
    weight = [1, 1, 1, 0, 0]
    with pytest.raises(ValueError, match="sample_weight .* rows with an observed output"):
        rule(y, draws, weight)
    with pytest.raises(ValueError, match="sample_weight .* rows with an observed output"):
        interval_coverage(y, np.zeros((*y.shape, 2)), weight)


def test_bad_intervals():
    with pytest.raises(ValueError, match=r"intervals must have shape \(3, 2\) .* got \(2, 3\)"):
        interval_coverage(np.zeros(3), np.zeros((2, 3)))
    with pytest.raises(ValueError, match="intervals must be finite"):
        interval_coverage(np.zeros(3), np.full((3, 2), np.nan))
    with pytest.raises(ValueError, match="y_true must have"):
        interval_coverage([np.nan], np.zeros((1, 2)))


def test_without_scoringrules_the_error_says_what_to_install(monkeypatch, drawn):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name == "scoringrules":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=r"pip install skcvae\[metrics\]"):
        crps(*drawn)


# Fitted estimators.


@pytest.mark.parametrize(
    ("scorer", "metric"), [(crps_scorer, crps), (energy_scorer, energy_score)]
)
def test_scorers_are_the_metrics_and_search(scorer, metric, data):
    X, y = data
    plain = MLP(shortcut=False)  # which does not start at least squares
    est = NNRegressor(architecture=plain, max_epochs=2, random_state=0)
    est = make_pipeline(PCA(2), est).fit(X, y)
    assert scorer(est, X, y) == scorer(est, X, y) == -metric(y, skcvae.sample(est, X, 100, 0))
    few = partial(scorer, n_samples=7, random_state=1)
    assert few(est, X, y) == -metric(y, skcvae.sample(est, X, 7, 1))
    grid = {"nnregressor__max_epochs": [1, 40]}
    search = GridSearchCV(est, grid, scoring=scorer, cv=2).fit(X, y)
    assert search.best_params_ == {"nnregressor__max_epochs": 40}


@pytest.fixture(scope="module")
def linear_gaussian():
    data = make_linear_gaussian(n_samples=3000, n_features=3, n_latent=1, random_state=0)
    est = CVAERegressor(max_epochs=10, batch_size=64, random_state=0)
    return est.fit(data.X[:2000], data.y[:2000]), data.X[2000:], data.y[2000:]


def test_a_fitted_model_is_calibrated(linear_gaussian):
    est, X, y = linear_gaussian
    draws = est.sample(X, 99, random_state=0)
    assert_uniform(pit(y, draws, random_state=0), distance=0.07)
    covered = interval_coverage(y, est.predict_interval(X, coverage=0.8, n_samples=400))
    assert covered == pytest.approx(0.8, abs=0.03)
    narrow = draws.mean(0) + 0.5 * (draws - draws.mean(0))
    with pytest.raises(AssertionError):
        assert_uniform(pit(y, narrow), distance=0.07)


@torch.inference_mode()
def ranks_of_z(model, x, n_draws=99):
    """Return the PIT of z ~ p(z|x) among draws of q(z|x,y), y ~ p(y|x,z)."""
    with skcvae.random.drawing_from(torch.Generator().manual_seed(0)):
        given = model.condition(x)
        z = given.prior.sample()
        q = model.recognition(x, given.likelihood(z[None]).sample()[0])
        return pit(z.numpy(), q.sample((n_draws,)).numpy(), random_state=0)


def test_simulation_based_calibration_of_the_exact_posterior():
    model, x, _, _ = make(n_rows=1000, d_z=2, orthogonal=True)
    assert_uniform(ranks_of_z(model, x))
    model.generation.of_z.data *= 0.5
    model.recognition = make(n_rows=1, d_z=2, orthogonal=True)[0].recognition
    with pytest.raises(AssertionError):
        assert_uniform(ranks_of_z(model, x))


def test_simulation_based_calibration_of_a_fitted_model(linear_gaussian):
    est, X, _ = linear_gaussian
    x = est.specification_.x_coding.to_tensor(X, torch.float32, "cpu")
    model = est.net_.module_.model.to("cpu")
    assert_uniform(ranks_of_z(model, x), distance=0.07)
