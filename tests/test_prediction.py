"""`predict` is the mean of p(y|x): to an accuracy, of the row alone, with its deviation."""

import functools

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score

from skcvae import (
    CVAERegressor,
    EnsembleRegressor,
    GSNNRegressor,
    HybridStructuredPredictor,
    NNRegressor,
)
from skcvae.datasets import make_two_branches
from skcvae.likelihoods import Gamma, GaussianMixture, Hurdle, LogNormal

QUICK = {"max_epochs": 20, "random_state": 0}
CVAE = CVAERegressor(**QUICK)
SINGLE = {
    "cvae": CVAE,
    "mixture prior": clone(CVAE).set_params(prior="mixture"),
    "gsnn": GSNNRegressor(**QUICK),
    "hybrid": HybridStructuredPredictor(alpha=0.9, **QUICK),
    "nn": NNRegressor(likelihood=GaussianMixture(2), **QUICK),
}
MEMBERS = {
    **SINGLE,
    "ensemble": EnsembleRegressor(CVAE, n_estimators=2, random_state=0),
}
each_member = pytest.mark.parametrize("name", MEMBERS)
N_DRAWS = 4000


@functools.cache
def branches():
    train, test = (make_two_branches(n_samples=n, random_state=n) for n in (250, 40))
    return train, test


@functools.cache
def fitted(name):
    train, _ = branches()
    return MEMBERS[name].fit(train.X, train.y)


@each_member
def test_the_prediction_is_the_mean_of_draws_and_the_deviation_theirs(name):
    est, X = fitted(name), branches()[1].X
    mean, std = est.predict(X, return_std=True)
    draws = est.sample(X, N_DRAWS, random_state=0)
    error = draws.std(0) / N_DRAWS**0.5
    assert np.abs((draws.mean(0) - mean) / error).max() < 4 + 0.03 * N_DRAWS**0.5
    np.testing.assert_allclose(draws.std(0), std, rtol=0.15)


@each_member
def test_nothing_but_the_row_changes_a_prediction(name):
    est, X = fitted(name), branches()[1].X
    mean, std = est.predict(X, return_std=True)
    np.testing.assert_array_equal(est.predict(X), mean)
    order = np.random.default_rng(0).permutation(len(X))[:9]
    for found, expected in zip(est.predict(X[order], return_std=True), (mean, std), strict=True):
        np.testing.assert_allclose(found, expected[order], rtol=1e-9, atol=1e-12)
    before = est.get_params()
    est.set_params(**{name: 3 for name in before if name.endswith("n_score_samples")})
    np.testing.assert_array_equal(est.predict(X), mean)
    est.set_params(**{name: 100 for name in before if name.endswith("n_score_samples")})


@each_member
def test_where_y_has_two_branches_the_mean_is_between_them(name):
    est, (_, test) = fitted(name), branches()
    X = np.concatenate([test.X] * 2)
    y = np.concatenate([test.branch(test.X), -test.branch(test.X)])
    best = np.sqrt(np.mean(y**2))
    assert np.sqrt(np.mean((est.predict(X) - y) ** 2)) < 1.05 * best


@pytest.mark.parametrize("name", SINGLE)
def test_the_mean_of_an_ensemble_is_that_of_its_members(name):
    est, X = fitted("ensemble"), branches()[1].X
    for method in ("mean", "latent_mean"):
        members = [member.predict(X, method=method) for member in est.estimators_]
        np.testing.assert_allclose(est.predict(X, method=method), np.mean(members, axis=0))


# Skewed outputs.


@functools.cache
def skewed(n):
    rng = np.random.default_rng(n)
    X = rng.normal(size=(n, 3))
    return X, rng.gamma(1.5, np.exp(0.7 * X[:, 0] - 0.3 * X[:, 1]))


@pytest.mark.filterwarnings("ignore:No latent variable is used")
@pytest.mark.parametrize("likelihood", [Gamma(), LogNormal(), Hurdle(Gamma())], ids=repr)
def test_positive_outputs_have_the_mean_and_positive_draws(likelihood):
    X, y = skewed(300)
    if isinstance(likelihood, Hurdle):
        y = y * (np.arange(300) % 3 > 0)
    params = {"objective": "elbo", "max_epochs": 15, "random_state": 0}
    est = CVAERegressor(likelihood=likelihood, **params).fit(X, y)
    mean, std = est.predict(X, return_std=True)
    draws = est.sample(X, 400, random_state=0)
    assert (draws >= 0).all() and (draws == 0).any() == isinstance(likelihood, Hurdle)
    assert draws.mean() == pytest.approx(mean.mean(), rel=0.05)
    assert mean.mean() == pytest.approx(y.mean(), rel=0.15) and (std > 0).all()


@pytest.mark.filterwarnings("ignore:No latent variable is used")
def test_the_mean_of_gamma_outputs_explains_what_least_squares_does():
    X, y = skewed(500)
    X_test, y_test = skewed(2000)
    linear = r2_score(y_test, LinearRegression().fit(X, y).predict(X_test))
    params = {"objective": "elbo", "max_epochs": 15, "random_state": 0}
    est = CVAERegressor(likelihood="gamma", **params).fit(X, y)
    assert r2_score(y_test, est.predict(X_test)) > linear
