"""Laws of training on y observed in part: the start, and the posterior of z given what is seen."""

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal
from torch.distributions import Independent, MultivariateNormal, Normal, kl_divergence

from skcvae import VAE, CVAERegressor, EnsembleRegressor, HybridStructuredPredictor
from skcvae.architectures import MLP
from skcvae.distributions import CorrelatedGaussian, detached, reparameterize, rescaled
from skcvae.factors import factors
from skcvae.inference.partial import given_observed
from skcvae.least_squares import fit
from skcvae.missing_outputs import Patterns, expected, filled_by_factors
from skcvae.networks.imputation import FactorImputer

NO_STEP = {"max_epochs": 1, "lr": 1e-12, "random_state": 0, "n_score_samples": 200}


def rows_with_gaps(n_rows, share=0.3, seed=0):
    """Return X, y with gaps and the whole y: three inputs, four correlated outputs."""
    rng = np.random.default_rng(seed)
    X, mixing = rng.normal(size=(n_rows, 3)), rng.normal(size=(4, 4))
    y = 5 + X @ rng.normal(size=(3, 4)) + rng.normal(size=(n_rows, 4)) @ mixing
    return X, np.where(rng.random(y.shape) < share, np.nan, y), y


def correlated(n_rows=5, n_latents=3):
    tril = torch.randn(n_rows, n_latents, n_latents).double().tril()
    tril.diagonal(dim1=-2, dim2=-1).abs_().add_(0.1)
    return CorrelatedGaussian(torch.randn(n_rows, n_latents).double(), tril)


def test_a_correlated_gaussian_is_torch_s():
    q = correlated()
    same = MultivariateNormal(q.loc, scale_tril=q.scale_tril)
    z = torch.randn(7, 5, 3).double()
    assert torch.allclose(q.log_prob(z), same.log_prob(z))
    assert torch.allclose(q.mean, same.mean)
    assert torch.allclose(q.stddev, same.stddev)
    p = Independent(Normal(*torch.rand(2, 5, 3).double().add(0.5)), 1)
    whole = MultivariateNormal(p.mean, p.variance.diag_embed())
    assert torch.allclose(kl_divergence(q, p), kl_divergence(same, whole))
    with pytest.raises(NotImplementedError):
        kl_divergence(q, Independent(torch.distributions.Laplace(p.mean, p.stddev), 1))


def test_draws_of_a_correlated_gaussian_have_its_covariance():
    q = correlated(2)
    z = reparameterize(q, torch.randn(200_000, 2, 3).double())
    for row, tril in zip(z.unbind(1), q.scale_tril, strict=True):
        assert torch.allclose(row.T.cov(), tril @ tril.T, rtol=0.03, atol=0.05)
    assert (reparameterize(q, torch.zeros(1, 2, 3).double())[0] == q.mean).all()


def test_a_correlated_gaussian_is_rescaled_and_detached():
    q = correlated()
    factor = 1 + torch.rand(5, 3).double()
    wide = rescaled(q, factor)
    assert torch.allclose(wide.stddev, factor * q.stddev)
    covariance = [p.scale_tril @ p.scale_tril.mT for p in (q, wide)]
    assert torch.allclose(covariance[1], factor[..., None] * factor[:, None] * covariance[0])
    q.loc.requires_grad_()
    assert not detached(q).log_prob(torch.zeros(5, 3).double()).requires_grad


@pytest.mark.parametrize("n_latents", [1, 2, 4])
def test_gaps_are_filled_by_their_mean_and_widen_the_posterior_exactly(n_latents):
    X, y, _ = rows_with_gaps(60)
    x, y = torch.tensor(X), torch.tensor(y)
    coef, intercept, covariance, _ = fit(X, y.numpy())
    loadings, noise = factors(covariance, n_latents)
    imputer = FactorImputer((3,), (4,), n_latents).double()
    with torch.no_grad():
        imputer.start_at(coef, intercept, loadings, noise)
        filled, spread = imputer(x, y)
    whole = MultivariateNormal(x @ coef.T + intercept, loadings @ loadings.T + noise.diag())
    observed = ~y.isnan()
    assert torch.allclose(filled, y.where(observed, given_observed(whole, y).mean))
    seen = loadings * observed[..., None]
    posterior = torch.linalg.inv(torch.eye(n_latents).double() + seen.mT @ (seen / noise[:, None]))
    complete = 1 / (1 + (loadings.T / noise @ loadings).diagonal())
    scaled = complete.sqrt()[:, None] * spread
    assert torch.allclose(scaled @ scaled.mT, posterior)
    assert torch.allclose(spread[observed.all(1)], torch.eye(n_latents).double(), atol=1e-6)


@pytest.mark.parametrize("weighted", [False, True])
def test_what_is_missing_has_its_conditional_mean_and_covariance(weighted):
    _, y, _ = rows_with_gaps(30)
    covariance = np.cov(np.random.default_rng(1).normal(size=(4, 9)))
    weight = np.arange(1.0, 31) if weighted else None
    filled, spread = expected(y, covariance, Patterns.of(y, weight))
    p = MultivariateNormal(torch.zeros(30, 4).double(), torch.tensor(covariance))
    given = given_observed(p, torch.tensor(y))
    observed = ~np.isnan(y)
    assert np.allclose(filled, np.where(observed, y, given.mean.numpy()))
    hidden = ~observed[:, :, None] & ~observed[:, None]
    mean = np.average(given.covariance_matrix.numpy() * hidden, axis=0, weights=weight)
    assert np.allclose(spread, mean)


@pytest.mark.parametrize("cls", [CVAERegressor, HybridStructuredPredictor])
def test_rows_with_gaps_are_worth_more_than_the_complete_ones_alone(cls):
    X, y, whole = rows_with_gaps(2000, share=0.5)
    train, test = slice(500), slice(500, None)
    complete = ~np.isnan(y[train]).any(axis=1)
    est = cls(partial_y=True, likelihood="gaussian", **NO_STEP)
    alone = est.fit(X[train][complete], y[train][complete]).score(X[test], whole[test])
    ungapped = cls(likelihood="gaussian", **NO_STEP).fit(X[train], whole[train])
    best = ungapped.score(X[test], whole[test])
    reached = est.fit(X[train], y[train]).score(X[test], whole[test])
    assert alone + 0.3 < reached > best - 0.3


def test_the_bound_is_the_log_likelihood_where_y_has_gaps():
    X, y, _ = rows_with_gaps(1000)
    est = CVAERegressor(partial_y=True, likelihood="gaussian", **NO_STEP)
    row = est.fit(X, y).history_[-1]
    assert -row["valid_loss"] == pytest.approx(row["valid_cll"], abs=0.2)  # of ten draws


def distance(model, best):
    """Return the divergence of one linear model from another, a mean over N(0, I) of x."""
    found, exact = (MultivariateNormal(m.intercept, m.covariance) for m in (model, best))
    gap = model.coef - best.coef
    slopes = (gap * torch.linalg.solve(model.covariance, gap)).sum() / 2
    return (kl_divergence(exact, found) + slopes).item()


@pytest.mark.parametrize("quantile", [0.2, 0.5])
def test_what_is_missing_may_depend_on_what_is_seen(quantile):
    X, _, whole = rows_with_gaps(2000, seed=1)
    y = whole.copy()
    y[whole[:, 0] > np.quantile(whole[:, 0], quantile), 1:] = np.nan  # a second measurement
    seen, best = ~np.isnan(y[:, 1]), fit(X, whole)
    assert distance(fit(X, y), best) < 0.1
    assert distance(fit(X[seen], whole[seen]), best) > 0.5


def test_outputs_that_x_tells_do_not_make_others_follow_it():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(100, 60)), rng.normal(size=(100, 4))
    y[:, 0] = X.sum(axis=1) / 8 + 0.05 * y[:, 0]
    gaps = np.where(rng.random(y.shape) < 0.2, np.nan, y)
    assert distance(fit(X, gaps), fit(X, y)) < 2


def test_noise_that_many_outputs_share_is_found_despite_gaps():
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(300, 3)) @ rng.normal(size=(3, 150)) + 0.3 * rng.normal(
        size=(300, 150)
    )
    X = rng.normal(size=(300, 2))
    y = X @ rng.normal(size=(2, 150)) + noise
    gaps = np.where(rng.random(y.shape) < 0.1, np.nan, y)
    assert distance(fit(X, gaps), fit(X, y)) < 0.1 * 150


def test_factors_fill_in_the_mean_given_what_is_observed():
    _, y, _ = rows_with_gaps(30)
    loadings, noise = np.random.default_rng(1).normal(size=(4, 2)), np.array([0.5, 1.0, 1.5, 2.0])
    whole = torch.from_numpy(loadings @ loadings.T + np.diag(noise))
    given = given_observed(MultivariateNormal(torch.zeros(4).double(), whole), torch.tensor(y))
    filled = filled_by_factors(y, loadings, noise)
    assert np.allclose(filled, np.where(np.isnan(y), given.mean.numpy(), y))


@pytest.mark.parametrize("cls", [CVAERegressor, VAE])
def test_an_output_that_is_observed_in_no_row_to_train_on(cls):
    X, _, y = rows_with_gaps(60)
    y[:40, 2] = np.nan
    given, gaps = ((y,), "partial_X") if cls is VAE else ((X, y), "partial_y")
    est = cls(**{gaps: True}, likelihood="gaussian", validation=20, **NO_STEP).fit(*given)
    assert np.isfinite(est.best_validation_score_)


@pytest.mark.parametrize("n_seen", [1, 2, 3, 8])
def test_an_output_that_is_seldom_seen_is_no_narrower_for_it(n_seen):
    X, _, y = rows_with_gaps(200)
    y = (y - y.mean(axis=0)) / y.std(axis=0)
    often = fit(X, y).covariance.diagonal()
    gaps = y.copy()
    gaps[n_seen:, 2] = np.nan
    model = fit(X, gaps)
    assert model.covariance.isfinite().all()
    assert torch.linalg.eigvalsh(model.covariance).min() > 0
    others = [0, 1, 3]
    assert torch.allclose(model.covariance.diagonal()[others], often[others], rtol=0.05)
    if n_seen < 3:
        assert model.covariance[2, 2] > 2


def test_a_density_with_gaps_starts_at_the_covariance():
    _, y, whole = rows_with_gaps(3000, share=0.2)
    vae = VAE(partial_X=True, likelihood="gaussian", **NO_STEP)
    reached = vae.fit(y[:1000]).score(whole[1000:])
    p = multivariate_normal(whole[:1000].mean(axis=0), np.cov(whole[:1000].T))
    assert reached == pytest.approx(p.logpdf(whole[1000:]).mean(), abs=0.1)


@pytest.mark.parametrize("cls", [CVAERegressor, VAE])
def test_linear_networks_fit_gaps_as_well_as_expectation_maximisation(cls):
    rng = np.random.default_rng(0)
    loadings = np.array([[1, 1, 1, 1, 0, 0], [0, 0, 1, 1, 1, 1.0]])
    whole = rng.normal(size=(1500, 2)) @ loadings + 0.4 * rng.normal(size=(1500, 6))
    gaps = np.where(rng.random(whole.shape) < 0.25, np.nan, whole)
    size, partial = ("n_components", "partial_X") if cls is VAE else ("latent_dim", "partial_y")
    X, train, test = rng.normal(size=(1500, 2)), slice(500), slice(500, None)
    given, new = [
        (y[rows],) if cls is VAE else (X[rows], y[rows])
        for y, rows in ((gaps, train), (whole, test))
    ]
    how = {size: 2, partial: True, "architecture": MLP(()), "likelihood": "gaussian"}
    how |= {"objective": "elbo", "max_epochs": 25, "lr": 0.01, "random_state": 0}
    reached = cls(**how).fit(*given).score(*new)
    best = fit(None, gaps[train])
    p = MultivariateNormal(best.intercept, best.covariance)
    assert reached > p.log_prob(torch.from_numpy(whole[test])).mean() - 0.1


@pytest.mark.parametrize("method", ["importance_sampling", "monte_carlo"])
@pytest.mark.parametrize(
    "params", [{}, {"prior": "mixture"}, {"likelihood": "bernoulli"}], ids=["t", "mixture", "b"]
)
def test_a_row_of_which_nothing_is_observed_has_the_probability_one(params, method):
    X, y, whole = rows_with_gaps(60)
    if "likelihood" in params:
        y, whole = ((part > 5).astype(float) for part in (y, whole))
    est = CVAERegressor(max_epochs=1, random_state=0, partial_y=True, **params)
    members = EnsembleRegressor(est, n_estimators=2, random_state=0)
    whole[::2] = np.nan
    for fitted in (est.fit(X, y), members.fit(X, y)):
        log_p = fitted.log_prob(X, whole, method=method, n_samples=20)
        assert (log_p[::2] == 0).all() and (log_p[1::2] != 0).all()
