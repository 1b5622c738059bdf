"""Sums and integrals of p(y|x) over all y, and conditionals of y in part that follow from it."""

import itertools

import numpy as np
import pytest
import torch
from scipy.special import logsumexp
from scipy.stats import multivariate_normal
from sklearn.base import clone

from skcvae import CVAERegressor, GSNNRegressor, HybridStructuredPredictor, NNRegressor
from skcvae.architectures import MLP, Conv
from skcvae.likelihoods import Gaussian

rng = np.random.default_rng(0)
X = rng.normal(size=(200, 2))
HIDDEN = X[:, :1] + rng.normal(size=(200, 1))  # a cause that all outputs share
QUICK = {"lr": 0.02, "early_stopping": False, "random_state": 0}
POINT = np.array([[0.3, -1.0]])


def outputs(n_outputs, n_labels=2):
    noise = np.random.default_rng(1).normal(size=(200, n_labels - 1, n_outputs))
    noisy = HIDDEN[:, None] + 0.5 * noise
    return (noisy > 0).sum(axis=1)


def all_outputs(n_outputs, n_labels=2):
    return np.array(list(itertools.product(range(n_labels), repeat=n_outputs)))


def at_point(y):
    return np.repeat(POINT, len(y), axis=0)


# Images of a few pixels: by the latent map, and by the coarser scales that only training uses.

TWO_SCALES = {"n_scales": 2, "initial_guess": True}
IMAGES = {
    "one scale": {},
    "two scales": TWO_SCALES,
    "two scales, resized": {"architecture": Conv((4, 6), image_size=(3, 4)), **TWO_SCALES},
    "no skip connections": {"architecture": Conv((4, 6), shortcut=False)},
    "latent scales": {"architecture": Conv((4, 6, 8), image_size=(4, 4), n_latent_scales=2)},
}

collapsed = pytest.mark.filterwarnings("ignore:No latent variable is used")  # none is needed


def with_strong_latent_variables(est):
    """Set all weights but the prior's at random: after a short fit z would hardly matter."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, weight in est.net_.module_.named_parameters():
            if "prior" not in name:  # a recognition network that is off, too
                weight.normal_(0, 0.0 if "bias" in name else 0.6, generator=generator)
    return est


def dependence(mass, whole):
    """Return the distance, between 0 and 1, of a mass from the product of its marginals."""
    mass, product = mass / mass.sum(), 1
    for column in whole.reshape(len(whole), -1).T:
        product = product * np.bincount(column, mass)[column]
    return np.abs(mass - product).sum() / 2


def image_model(kind, likelihood, setting, y, **params):
    params = {"architecture": Conv((4, 6)), "latent_dim": 2, **IMAGES[setting], **params}
    if kind is NNRegressor:
        params = {k: v for k, v in params.items() if k not in ("latent_dim", "initial_guess")}
    est = kind(likelihood=likelihood, max_epochs=2, **QUICK, **params).fit(X, y)
    return est if kind is NNRegressor else with_strong_latent_variables(est)


@collapsed
@pytest.mark.parametrize(
    ("kind", "likelihood", "n_labels", "setting"),
    [
        (CVAERegressor, "bernoulli", 2, "one scale"),
        (CVAERegressor, "bernoulli", 2, "two scales"),
        (GSNNRegressor, "categorical", 3, "two scales, resized"),
        (CVAERegressor, "bernoulli", 2, "no skip connections"),
        (CVAERegressor, "bernoulli", 2, "latent scales"),
        (GSNNRegressor, "bernoulli", 2, "two scales"),
        (HybridStructuredPredictor, "categorical", 3, "two scales"),
        (NNRegressor, "categorical", 3, "two scales, resized"),
    ],
)
def test_masses_of_all_images_sum_to_one(kind, likelihood, n_labels, setting):
    y = outputs(4, n_labels).reshape(-1, 2, 2)
    est = image_model(kind, likelihood, setting, y)
    whole = all_outputs(4, n_labels).reshape(-1, 2, 2)
    log_p = est.log_prob(at_point(whole), whole, n_samples=2000)
    assert logsumexp(log_p) == pytest.approx(0, abs=0.04)
    assert kind is NNRegressor or dependence(np.exp(log_p), whole) > 0.01


@collapsed
@pytest.mark.parametrize("setting", ["one scale", "two scales, resized"])
def test_the_density_of_an_image_integrates_to_one(setting):
    noise = np.random.default_rng(1).normal(size=(200, 1, 2))
    y = 5 + 3 * (HIDDEN[:, None] + 0.5 * noise)
    est = image_model(CVAERegressor, Gaussian(heteroscedastic=True), setting, y)
    (mean,), (std,) = est.predict(POINT, return_std=True)
    steps = np.arange(-5, 5.1, 0.5)
    grid = mean + std * np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 1, 2)
    density = np.exp(est.log_prob(at_point(grid), grid, n_samples=500))
    assert density.sum() * np.prod(std / 2) == pytest.approx(1, abs=0.03)


@collapsed
@pytest.mark.parametrize(
    ("kind", "setting"), [(CVAERegressor, "two scales"), (GSNNRegressor, "one scale")]
)
def test_pixels_that_are_missing_are_summed_out(kind, setting):
    y = outputs(4).astype(float)
    y[np.random.default_rng(1).random(y.shape) < 0.2] = np.nan
    est = image_model(kind, "bernoulli", setting, y.reshape(-1, 2, 2), partial_y=True)
    whole = all_outputs(4).astype(float)
    log_p = est.log_prob(at_point(whole), whole.reshape(-1, 2, 2), n_samples=5000)
    for n_missing in (1, 2, 3):
        part = whole[0].copy()
        part[:n_missing] = np.nan
        (found,) = est.log_prob(POINT, part.reshape(1, 2, 2), n_samples=5000)
        expected = logsumexp(log_p[(np.isnan(part) | (whole == part)).all(axis=1)])
        assert found == pytest.approx(expected, abs=0.1)


# Completion of discrete y against Bayes' theorem, by the masses of all y.

ONE_HIDDEN = {"architecture": MLP((16,)), "latent_dim": 1, "max_epochs": 40, **QUICK}
COMPLETED = {
    "alternated": CVAERegressor(**ONE_HIDDEN),
    "alternated, partial": CVAERegressor(partial_y=True, **ONE_HIDDEN),
    "chosen": GSNNRegressor(**{**ONE_HIDDEN, "max_epochs": 1}),
    "chosen, hybrid": HybridStructuredPredictor(alpha=0.0, **{**ONE_HIDDEN, "max_epochs": 1}),
}


@pytest.mark.parametrize(
    ("case", "likelihood", "n_labels"),
    [
        ("alternated", "categorical", 3),
        ("alternated, partial", "bernoulli", 2),
        ("chosen", "categorical", 3),
        ("chosen, hybrid", "bernoulli", 2),
    ],
)
def test_completions_of_labels_are_as_frequent_as_bayes_theorem_says(case, likelihood, n_labels):
    est = clone(COMPLETED[case]).set_params(likelihood=likelihood).fit(X, outputs(3, n_labels))
    if "chosen" in case:
        with_strong_latent_variables(est)
    whole = all_outputs(3, n_labels)
    mass = np.exp(est.log_prob(at_point(whole), whole, n_samples=1000))
    for observed in ([0, np.nan, np.nan], [0, n_labels - 1, np.nan], [np.nan, 0, 0]):
        fits = (np.isnan(observed) | (whole == observed)).all(axis=1)
        expected = mass * fits / mass[fits].sum()
        drawn = est.complete(POINT, [observed], n_samples=4000, n_steps=20, random_state=0)
        found = (drawn[:, 0] == whole[:, None]).all(axis=2).mean(axis=1)
        # Alternation is as exact as the recognition network is the posterior.
        assert np.abs(found - expected).sum() / 2 < (0.1 if "alternated" in case else 0.05)
        assert (
            np.abs(mass[fits] / mass.sum() - expected[fits]).max() > 0.1
        )  # they do say something


# Completion of real y in a linear model, whose p(y|x) is Gaussian and known.


def gaussian_of(est, x):
    """Return mean and covariance of p(y|x), from the means given z, and the deviations."""
    z, scale = est.encode(x, return_std=True)
    centre = est.decode(x, z)
    units = np.eye(z.shape[1])
    slopes = np.stack([est.decode(x, z + unit) - centre for unit in units], axis=-1)
    np.testing.assert_allclose(est.decode(x, z - 3 * units[0]), centre - 3 * slopes[..., 0])
    factor = slopes * scale[:, None]
    covariance = factor @ factor.mT
    _, std = est.predict(x, return_std=True)
    for i, found in enumerate(covariance):
        np.fill_diagonal(found, std[i] ** 2)
    return centre, covariance


@pytest.fixture(scope="module", params=[1, 2])
def linear(request):
    """A model without hidden layers of outputs in different units."""
    rng = np.random.default_rng(1)
    of_x, of_z = rng.normal(size=(2, 3)), rng.normal(size=(request.param, 3))
    y = X @ of_x + rng.normal(size=(200, request.param)) @ of_z + 0.5 * rng.normal(size=(200, 3))
    params = {"architecture": MLP(()), "likelihood": "gaussian", "max_epochs": 20, **QUICK}
    est = CVAERegressor(latent_dim=request.param, **params)
    y = y * [1, 10, 0.1] + [0, 5, 3]
    return est.fit(X, y), X[:2], y[:2], *gaussian_of(est, X[:2])


def test_the_density_of_a_linear_model_is_gaussian(linear):
    est, x, y, mean, covariance = linear
    rows = zip(mean, covariance, y, strict=True)
    expected = [multivariate_normal(*gaussian).logpdf(row) for *gaussian, row in rows]
    np.testing.assert_allclose(est.log_prob(x, y, n_samples=3000), expected, atol=0.1)


@pytest.mark.parametrize("hidden", [[0], [2], [0, 1], [1, 2]], ids=str)
def test_completions_of_a_linear_model_are_gaussian_given_what_is_observed(linear, hidden):
    est, x, y, means, covariances = linear
    u, o = hidden, [i for i in range(3) if i not in hidden]
    y = y.copy()
    y[:, u] = np.nan
    drawn = est.complete(x, y, n_samples=4000, n_steps=60, random_state=0)
    for i, (mean, covariance) in enumerate(zip(means, covariances, strict=True)):
        gain = covariance[np.ix_(u, o)] @ np.linalg.inv(covariance[np.ix_(o, o)])
        mean = mean[u] + gain @ (y[i, o] - mean[o])
        left = covariance[np.ix_(u, u)] - gain @ covariance[np.ix_(o, u)]
        root = np.linalg.cholesky(left)
        white = np.linalg.solve(root, (drawn[:, i, u] - mean).T)
        np.testing.assert_allclose(white.mean(axis=1), 0, atol=0.1)
        np.testing.assert_allclose(np.cov(white).reshape(left.shape), np.eye(len(u)), atol=0.12)
