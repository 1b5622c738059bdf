"""Laws of a mixture of estimators."""

import copy
import functools
import pickle

import numpy as np
import pytest
import torch
from conftest import small_table
from scipy.integrate import trapezoid
from scipy.special import expit, logsumexp
from scipy.stats import ks_2samp, multivariate_normal, norm
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from torch.utils.data import TensorDataset

import skcvae
from skcvae import CVAERegressor, EnsembleRegressor, GSNNRegressor, NNRegressor
from skcvae.datasets import load_digits_label_maps, make_linear_gaussian, make_two_branches
from skcvae.likelihoods import Categorical, Columns, Gaussian, MultivariateGaussian

QUICK = {"max_epochs": 3}


@functools.cache
def fit_once(member_class):
    est = EnsembleRegressor(member_class(**QUICK), n_estimators=3, random_state=0)
    return est.fit(*small_table())


@pytest.fixture(params=[CVAERegressor, GSNNRegressor, NNRegressor], ids=lambda e: e.__name__)
def fitted(request):
    """A copy of a fit that the tests of this file share."""
    return copy.deepcopy(fit_once(request.param))


@pytest.fixture(scope="module")
def branches():
    data = make_two_branches(n_samples=300, random_state=0)
    est = EnsembleRegressor(CVAERegressor(max_epochs=25, lr=0.006), n_estimators=2, random_state=0)
    return est.fit(data.X, data.y), data


def test_the_density_is_the_mean_of_the_densities(fitted, data):
    of_members = np.array([member.log_prob(*data) for member in fitted.estimators_])
    log_p = fitted.log_prob(*data)
    np.testing.assert_allclose(log_p, logsumexp(of_members, axis=0) - np.log(3))
    assert (log_p >= of_members.mean(axis=0)).all() and log_p.dtype == np.float64
    weight = np.arange(60.0)
    assert fitted.score(*data) == np.mean(log_p)
    assert fitted.score(*data, sample_weight=weight) == np.average(log_p, weights=weight)
    few = fitted.log_prob(*data, n_samples=5, method="monte_carlo", random_state=1)
    assert few.shape == (60,)


def test_the_density_integrates_to_one(branches):
    est, _ = branches
    grid = np.linspace(-4, 4, 801)
    log_p = est.log_prob(np.full((801, 1), 0.3), grid, method="monte_carlo", n_samples=300)
    assert trapezoid(np.exp(log_p), grid) == pytest.approx(1, abs=0.01)


def test_one_member_is_the_estimator_itself(data):
    X, y = data
    ensemble = EnsembleRegressor(CVAERegressor(**QUICK), n_estimators=1, random_state=0).fit(X, y)
    (member,) = ensemble.estimators_
    alone = clone(member).fit(X, y)
    np.testing.assert_array_equal(ensemble.log_prob(X, y), alone.log_prob(X, y))
    for one, other in zip(
        ensemble.predict(X, return_std=True), alone.predict(X, return_std=True), strict=True
    ):
        np.testing.assert_allclose(one, other)
    drawn, other = ensemble.sample(X[:1], 2000, 0), alone.sample(X[:1], 2000, 1)
    assert ks_2samp(drawn[:, 0, 0], other[:, 0, 0]).pvalue > 0.01


def test_members_differ_and_draws_are_of_all_of_them(data):
    X, y = data
    est = EnsembleRegressor(NNRegressor(**QUICK), n_estimators=3, random_state=0).fit(X, y)
    assert len({member.random_state for member in est.estimators_}) == 3
    for i, member in enumerate(est.estimators_):
        member.sample = lambda X, n, seed, i=i, **_: np.full((n, len(X), 3), float(i))
    drawn = est.sample(X, 300, random_state=0)
    assert drawn.shape == (300, 60, 3) and (drawn == drawn[..., :1]).all()
    share = np.bincount(drawn[..., 0].astype(int).ravel()) / drawn[..., 0].size
    np.testing.assert_allclose(share, 1 / 3, atol=0.02)
    # Rows choose by themselves, and so do draws.
    assert len(np.unique(drawn[0, :, 0])) == len(np.unique(drawn[:, 0, 0])) == 3


def test_draws_agree_with_the_density(branches):
    est, data = branches
    X = data.X[:200]
    drawn = est.sample(X, 100, random_state=0)
    assert 0.45 < (drawn > 0).mean() < 0.55
    # E[log p(y|x)] over its own draws exceeds that of any other distribution.
    X = X.repeat(10, axis=0)
    own, other = est.sample(X, random_state=1)[0], est.estimators_[0].sample(X, 1, 1)[0]
    member, fine = est.estimators_[0], {"n_samples": 300}
    assert est.log_prob(X, own, **fine).mean() > member.log_prob(X, own, **fine).mean()
    assert member.log_prob(X, other, **fine).mean() > est.log_prob(X, other, **fine).mean()
    x, grid = X[:1], np.linspace(-3, 3, 601)
    log_p = est.log_prob(x.repeat(601, 0), grid, method="monte_carlo", n_samples=500)
    below = np.cumsum(np.exp(log_p)) * 0.01
    drawn = np.sort(est.sample(x, 4000, random_state=0)[:, 0])
    expected = np.searchsorted(drawn, grid) / 4000
    np.testing.assert_allclose(below, expected, atol=0.05)


def test_mean_and_deviation_are_those_of_the_mixture(fitted, data):
    X, _ = data
    mean, std = fitted.predict(X, return_std=True)
    np.testing.assert_array_equal(mean, fitted.predict(X))
    members = [m.predict(X, return_std=True) for m in fitted.estimators_]
    means, stds = map(np.array, zip(*members, strict=True))
    np.testing.assert_allclose(mean, means.mean(axis=0))
    # E[y²] - E[y]², from the members' own second moments.
    second = (stds**2 + means**2).mean(axis=0)
    np.testing.assert_allclose(std, np.sqrt(second - mean**2))
    drawn = fitted.sample(X[:5], 4000, random_state=0)
    np.testing.assert_allclose(drawn.mean(0), mean[:5], atol=0.15 * std.max())
    np.testing.assert_allclose(drawn.std(0), std[:5], rtol=0.1)


def test_quantiles_and_intervals_are_of_pooled_draws(fitted, data, monkeypatch):
    X, y = data
    found = fitted.predict_quantiles(X, [0.1, 0.5, 0.9], n_samples=2000)
    assert found.shape == (60, 3, 3) and (np.diff(found) > 0).all()
    drawn = np.quantile(fitted.sample(X, 2000, random_state=7), [0.1, 0.5, 0.9], axis=0)
    np.testing.assert_allclose(np.moveaxis(found, -1, 0), drawn, atol=0.3 * y.std())
    np.testing.assert_array_equal(found, fitted.predict_quantiles(X, [0.1, 0.5, 0.9], 2000))
    assert fitted.predict_quantiles(X, 0.5, n_samples=50).shape == y.shape
    assert fitted.predict_interval(X, coverage=0.5, n_samples=50).shape == (*y.shape, 2)
    monkeypatch.setattr("skcvae.data.coding.KEPT_NUMBERS", 7 * 2000 * 3)
    in_parts = fitted.predict_quantiles(X, [0.1, 0.5, 0.9], n_samples=2000)
    np.testing.assert_allclose(in_parts, found, atol=0.3 * y.std())


def test_away_from_the_data_members_differ_more():
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, (200, 1))
    y = np.sin(3 * X[:, 0]) + 0.1 * rng.normal(size=200)
    est = EnsembleRegressor(NNRegressor(max_epochs=30), n_estimators=3, random_state=0).fit(X, y)
    _, std = est.predict(np.array([[0.0], [8.0]]), return_std=True)
    assert std[1] > 2 * std[0]


def test_completions_keep_what_is_known(fitted, data):
    X, y = data
    hidden = np.tile([True, False, False], (60, 1))
    whole = fitted.complete(X, y, 20, hidden, n_steps=3, random_state=0)
    assert whole.shape == (20, 60, 3)
    assert (whole[..., 1:] == y[:, 1:]).all() and (np.ptp(whole[..., 0], axis=0) > 0).all()
    again = skcvae.complete(fitted, X, y, 20, hidden, n_steps=3, random_state=0)
    np.testing.assert_array_equal(whole, again)


def test_labels_are_the_most_likely_of_the_mean_probabilities():
    digits = load_digits_label_maps()
    X, y = digits.data[:80], digits.target[:80]
    member = NNRegressor(likelihood="categorical", max_epochs=1)
    est = EnsembleRegressor(member, n_estimators=2, random_state=0).fit(X, y)
    labels, proba = est.predict(X, return_proba=True)
    np.testing.assert_array_equal(labels, est.predict(X))
    of_members = [m.predict(X, return_proba=True)[1] for m in est.estimators_]
    np.testing.assert_allclose(proba, np.mean(of_members, axis=0))
    np.testing.assert_array_equal(labels, est.classes_[proba.argmax(axis=1)])
    assert labels.shape == y.shape and est.sample(X, 3).dtype == labels.dtype
    for refused in (
        lambda: est.predict(X, return_std=True),
        lambda: est.predict_quantiles(X),
        lambda: est.predict_interval(X),
    ):
        with pytest.raises(ValueError, match="expects numbers, got Categorical"):
            refused()


def test_in_tables_labels_are_those_of_most_members(data):
    X, y = data
    table = np.column_stack([y[:, 0], y[:, 1] > 5])
    likelihood = Columns([("size", Gaussian(), [0]), ("kind", Categorical(), [1])])
    est = EnsembleRegressor(NNRegressor(likelihood=likelihood, **QUICK), n_estimators=3)
    predicted = est.set_params(random_state=0).fit(X, table).predict(X)
    votes = np.mean([m.predict(X)[:, 1] for m in est.estimators_], axis=0)
    np.testing.assert_array_equal(predicted[:, 1], votes > 0.5)
    found = est.predict_quantiles(X, n_samples=20)
    _, std = est.predict(X, return_std=True)
    assert np.isnan(found[:, 1]).all() and np.isfinite(found[:, 0]).all()
    assert np.isnan(std[:, 1]).all() and np.isfinite(std[:, 0]).all()


def test_neither_n_jobs_nor_global_state_matter_and_nothing_global_changes(data):
    X, y = data
    before = np.random.get_state()[1].copy(), torch.get_rng_state()
    est = EnsembleRegressor(CVAERegressor(**QUICK), n_estimators=2, random_state=0)
    found = [clone(est).set_params(n_jobs=n_jobs).fit(X, y).log_prob(X, y) for n_jobs in (None, 2)]
    np.testing.assert_allclose(*found, rtol=1e-4)  # one stack, or a process for each member
    drawn = [est.fit(X, y).sample(X, 3, random_state=0) for _ in range(2)]
    np.testing.assert_array_equal(*drawn)
    assert (est.sample(X) != est.sample(X)).all()
    assert (np.random.get_state()[1] == before[0]).all()
    assert torch.equal(torch.get_rng_state(), before[1])
    assert est.set_params(random_state=1).fit(X, y).log_prob(X, y)[0] != found[0][0]


def test_the_first_members_stay_when_there_are_more(data):
    few, more = (
        EnsembleRegressor(NNRegressor(**QUICK), n_estimators=n, random_state=0).fit(*data)
        for n in (1, 2)
    )
    np.testing.assert_allclose(
        few.estimators_[0].predict(data[0]), more.estimators_[0].predict(data[0]), rtol=1e-4
    )


def test_weights_and_validation_rows_reach_the_members(data):
    X, y = data
    weight = np.r_[np.zeros(20), np.ones(40)]
    est = EnsembleRegressor(NNRegressor(**QUICK), n_estimators=2, random_state=0)
    est.fit(X, y, sample_weight=weight, X_val=X[:9], y_val=y[:9])
    for member in est.estimators_:
        again = clone(member).fit(X, y, sample_weight=weight, X_val=X[:9], y_val=y[:9])
        np.testing.assert_allclose(member.predict(X), again.predict(X), rtol=1e-4)


def test_datasets_are_read_by_the_members(data):
    rows = TensorDataset(*map(torch.tensor, data))
    est = EnsembleRegressor(NNRegressor(**QUICK), n_estimators=2, random_state=0).fit(rows)
    assert est.n_features_in_ == 4 and est.predict(data[0]).shape == (60, 3)


def test_pipelines_and_searches(data):
    X, y = data
    ensemble = EnsembleRegressor(CVAERegressor(**QUICK), n_estimators=2, random_state=0)
    pipeline = make_pipeline(PCA(2), ensemble)
    grid = {"ensembleregressor__estimator__latent_dim": [1, 2]}
    search = GridSearchCV(pipeline, grid, cv=2).fit(X, y)
    assert skcvae.sample(search, X, 4).shape == (4, 60, 3)
    assert skcvae.log_prob(search, X, y).mean() == pytest.approx(search.score(X, y))


def test_a_pickle_says_the_same(fitted, data):
    X, y = data
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.log_prob(X, y), fitted.log_prob(X, y))
    np.testing.assert_array_equal(again.sample(X, 2, 0), fitted.sample(X, 2, 0))


def test_a_failed_fit_changes_nothing(fitted, data):
    X, y = data
    before = fitted.predict(X)
    with pytest.raises(ValueError, match="Input y contains NaN"):
        fitted.fit(X, np.full_like(y, np.nan))
    np.testing.assert_array_equal(fitted.predict(X), before)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"estimator": make_pipeline(PCA(2), NNRegressor())}, "'estimator' parameter of Ensemble"),
        ({"estimator": NNRegressor}, "'estimator' parameter of Ensemble"),
        ({"n_estimators": 0}, "'n_estimators' parameter of EnsembleRegressor"),
        ({"estimator__max_epochs": 0}, "'max_epochs' parameter of NNRegressor"),
    ],
)
def test_bad_parameters_are_named(data, params, message):
    est = EnsembleRegressor(NNRegressor(**QUICK))
    with pytest.raises(ValueError, match=message):
        est.set_params(**params).fit(*data)


def test_by_default_members_are_cvaes():
    est = EnsembleRegressor().set_params(estimator__latent_dim=3)
    assert all(member.latent_dim == 3 for member in est._members(0))
    est = EnsembleRegressor()
    assert all(isinstance(member, CVAERegressor) for member in est._members(0))
    assert len(list(est._members(0))) == 5


# Draws of members are independent of each other.


def test_draws_of_members_share_no_noise(data):
    """Members of the same weights: no part of their draws is correlated."""
    X, y = data
    member = CVAERegressor(latent_dim=3, max_epochs=3, random_state=0).fit(X, y)
    seeds = []

    def sample(X, n_samples, seed, *, observation_noise):
        seeds.append(seed)
        return CVAERegressor.sample(member, X, n_samples, seed)

    est = EnsembleRegressor(n_estimators=4)
    est.estimators_ = [copy.copy(member) for _ in range(4)]
    for one in est.estimators_:
        one.sample = sample
    est.sample(X[:1], 10, random_state=0)
    assert len(set(seeds)) == 4
    n_draws, parts = 4000, []
    for seed in seeds:
        of_z = member.sample(X[:1], n_draws, seed, observation_noise=False)[:, 0]
        whole = member.sample(X[:1], n_draws, seed)[:, 0]
        parts += [of_z, whole - of_z]
    correlation = np.corrcoef(np.hstack(parts), rowvar=False)
    other_parts = np.kron(1 - np.eye(8), np.ones((3, 3))).astype(bool)
    assert np.abs(correlation[other_parts]).max() < 5 / np.sqrt(n_draws)


# Completions are of the members that explain what is observed.


FAR = 1000.0  # between the hidden outputs of the members, which tells whose a draw is


def two_members(X, y, shift, **params):
    """Return an ensemble of two: the second saw y scaled and shifted, its last output by FAR."""
    est = EnsembleRegressor()
    est.estimators_ = [
        NNRegressor(max_epochs=20, lr=0.01, random_state=0, **params).fit(X, seen)
        for seen in (y, y * [2, 1, 1] + [shift, -shift, FAR])
    ]
    return est


def share_of_the_second(est, X, y_partial, n_samples=4000):
    whole = est.complete(X, y_partial, n_samples, random_state=0)
    second = whole[..., 2] > FAR / 2
    assert (whole[..., :2] == y_partial[:, :2])[:, ~np.isnan(y_partial[:, :2])].all()
    return second.mean(axis=0)


def assert_share(found, log_odds, n_samples=4000):
    """Compare with the exact probability that the second member is chosen."""
    exact = expit(log_odds)
    deviation = np.sqrt(exact * (1 - exact) / n_samples)
    assert (np.abs(found - exact) < 5 * deviation + 1e-3).all()


@pytest.mark.parametrize("shift", [0.3, 2.0, 100.0])
@pytest.mark.parametrize("observed", [[0], [0, 1]], ids=len)
def test_completions_are_of_the_members_that_explain_the_observed(data, shift, observed):
    X, y = data
    est = two_members(X, y, shift, likelihood=Gaussian())
    X, y = X[:20], y[:20] + np.linspace(0, 1, 20)[:, None] * [shift, -shift, 0]
    partial = np.full_like(y, np.nan)
    partial[:, observed] = y[:, observed]
    log_p = []
    for member in est.estimators_:
        mean, std = member.predict(X, return_std=True)
        log_p.append(norm.logpdf(y, mean, std)[:, observed].sum(axis=1))
    exact = log_p[1] - log_p[0]
    assert np.ptp(exact) > 0.5  # rows differ in whom they are explained by
    assert_share(share_of_the_second(est, X, partial), exact)


def test_correlated_outputs_explain_members_together(data):
    X, y = data
    est = two_members(X, y, 1.0, likelihood=MultivariateGaussian())
    X, y = X[:20], y[:20] + np.linspace(0, 1, 20)[:, None] * [1.0, -1.0, 0]
    partial = np.where([True, True, False], y, np.nan)
    log_p, apart = [], []
    for member in est.estimators_:
        coding = member.y_coding_
        model = member._fitted.exact_model
        x = (X - member.specification_.x_coding.loc) / member.specification_.x_coding.scale
        p = model.condition(torch.from_numpy(x))
        covariance = p.likelihood().covariance_matrix.detach().numpy()[..., :2, :2]
        covariance = covariance * np.outer(coding.scale[:2], coding.scale[:2])
        residual = y[:, :2] - member.predict(X)[:, :2]
        cov = np.broadcast_to(covariance, (20, 2, 2))
        log_p.append(
            [multivariate_normal.logpdf(r, cov=c) for r, c in zip(residual, cov, strict=True)]
        )
        apart.append(
            norm.logpdf(residual, 0, np.sqrt(np.diagonal(cov, axis1=1, axis2=2))).sum(axis=1)
        )
    exact = np.subtract(log_p[1], log_p[0])
    assert np.abs(exact - (apart[1] - apart[0])).max() > 0.5
    assert_share(share_of_the_second(est, X, partial), exact)


@pytest.mark.parametrize("partial_y", [False, True])
def test_equal_members_complete_as_often(partial_y):
    data = make_linear_gaussian(400, n_outputs=4, n_latent=2, noise=0.3, random_state=0)
    est = CVAERegressor(partial_y=partial_y, max_epochs=30, random_state=0).fit(data.X, data.y)
    y = data.y[:20].copy()
    y[:, ::2] = np.nan
    log_p = [est._log_prob_observed(data.X[:20], y, None, 20, seed) for seed in range(10)]
    assert np.std(log_p, axis=0).max() < 0.2


def test_where_nothing_is_observed_each_member_completes_as_often(data):
    X, y = data
    est = two_members(X, y, 3.0)
    found = share_of_the_second(est, X[:10], np.full((10, 3), np.nan))
    assert_share(found, np.zeros(10))


def test_members_without_any_density_of_the_observed_weigh_the_same(data, monkeypatch):
    monkeypatch.setattr("skcvae.data.coding.FARTHEST", np.inf)
    X, y = data
    est = two_members(X, y, 0.0)
    partial = np.where([True, False, False], 1e30, np.nan) * np.ones((5, 1))
    with np.errstate(over="ignore"):
        whole = est.complete(X[:5], partial, 20, random_state=0)
    assert np.isfinite(whole).all()


@pytest.mark.parametrize("name", ["encode", "decode", "reconstruct", "predict_modes"])
def test_there_is_no_joint_latent_space(fitted, data, name):
    X, y = data
    for arguments in ((X, y), (), (X,)):
        with pytest.raises(TypeError, match=rf"has no {name}.* estimators_\[0\]\.{name}"):
            getattr(fitted, name)(*arguments)
    with pytest.raises(TypeError, match=rf"estimators_\[0\]\.{name}"):
        getattr(skcvae, name)(make_pipeline(fitted), X, y)
