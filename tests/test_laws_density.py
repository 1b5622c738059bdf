"""Laws of estimates, draws and predictions: independence of noise, proportion, precision."""

import math

import numpy as np
import pytest
import torch
from closed_form import Linear, Prior, make, noise
from sklearn.base import clone
from torch.distributions import Independent, MultivariateNormal, Normal

from skcvae import CVAERegressor
from skcvae.architectures import MLP
from skcvae.distributions import reparameterize
from skcvae.inference.completion import complete
from skcvae.inference.conditional_likelihood import WIDENING, importance_sampling, monte_carlo
from skcvae.inference.moments import moments
from skcvae.model import Model
from skcvae.priors import Mixture


@pytest.fixture(scope="module")
def rows():
    """Two outputs that share a hidden cause."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 3))
    return X, X[:, :2] + rng.normal(size=(300, 1)) + 0.2 * rng.normal(size=(300, 2))


@pytest.fixture(scope="module")
def fitted(rows):
    smooth = MLP((32,), activation="tanh")
    est = CVAERegressor(architecture=smooth, latent_dim=2, max_epochs=20, random_state=0)
    return est.set_params(device="cpu").fit(*rows)


# The draws behind an estimate are independent.


@pytest.mark.parametrize("method", ["importance_sampling", "monte_carlo"])
def test_the_variance_of_log_prob_falls_as_one_over_the_number_of_draws(fitted, rows, method):
    X, y = rows[0][:50], fitted.predict(rows[0][:50])
    few, many = (
        np.var([fitted.log_prob(X, y, random_state=seed, **params) for seed in range(15)], axis=0)
        for params in ({"n_samples": n, "method": method} for n in (100, 900))
    )
    assert 5 < few.mean() / many.mean() < 16


def test_rows_of_other_chunks_have_draws_of_their_own(fitted):
    X = np.ones((3000, 3))
    of_three_draws = fitted.predict_quantiles(X, 0.5, n_samples=3)
    assert len(np.unique(of_three_draws, axis=0)) == len(X)


def test_quantiles_of_equal_rows_are_uncorrelated(fitted):
    n_rows = 4096
    found = fitted.predict_quantiles(np.ones((n_rows, 3)), 0.5, n_samples=3)
    spectrum = np.fft.rfft((found - found.mean(axis=0)) / found.std(axis=0), axis=0)
    together = spectrum[:, :, None] * spectrum[:, None].conj()
    correlation = np.fft.irfft(together, axis=0)[1:] / n_rows
    assert np.abs(correlation).max() < 7 / np.sqrt(n_rows)


def test_where_nothing_is_known_completions_vary_as_draws_do(fitted):
    X = np.zeros((4000, 3))
    drawn = fitted.sample(X, random_state=0)[0]
    completed = fitted.complete(X, np.full_like(drawn, np.nan), n_steps=1, random_state=0)[0]
    np.testing.assert_allclose(np.cov(completed.T), np.cov(drawn.T), rtol=0.15)


def test_between_two_draws_quantiles_are_linear_in_the_level(fitted, rows):
    levels = [0.0, 0.25, 0.5, 1.0]
    found = fitted.predict_quantiles(rows[0], levels, n_samples=2)
    low, high = found[..., :1], found[..., 3:]
    np.testing.assert_allclose(found, low + (high - low) * levels)


# Precision.


@pytest.mark.parametrize("offset", [1e6, -1e9])
def test_far_from_zero_the_origin_of_x_and_y_does_not_matter(fitted, rows, offset):
    X, y = rows
    far = clone(fitted).fit(X + offset, y + offset)
    rounding = abs(offset) * 1e-12
    np.testing.assert_allclose(
        far.predict(X + offset) - offset, fitted.predict(X), rtol=1e-3, atol=1e-3 + rounding
    )


def test_a_prediction_follows_its_own_row_to_twelve_digits(fitted, rows):
    X, _ = rows
    whole = fitted.predict(X)
    alone = np.concatenate([fitted.predict(X[i : i + 1]) for i in range(50)])
    np.testing.assert_allclose(alone, whole[:50], rtol=1e-11, atol=1e-12)


def test_small_changes_of_x_change_predictions_in_proportion(fitted, rows):
    X, _ = rows
    slopes = [
        (fitted.predict(X + step) - fitted.predict(X - step)) / (2 * step) for step in (1e-4, 1e-6)
    ]
    np.testing.assert_allclose(slopes[1], slopes[0], rtol=1e-4, atol=1e-6)


@torch.inference_mode()
def test_one_draw_repeated_is_worth_one_draw_and_no_rounding_adds_up():
    model, x, y, _ = make(n_rows=20, orthogonal=False)
    model, x, y, eps = model.float(), x.float(), y.float(), noise(1, 20).float()
    for estimate in (importance_sampling, monte_carlo):
        once, often = estimate(model, x, y, [eps]), estimate(model, x, y, [eps] * 500)
        assert once.log_prob.dtype == torch.float64
        torch.testing.assert_close(often.log_prob, once.log_prob, rtol=1e-12, atol=1e-10)
        assert (often.effective_sample_size - 500).abs().max() < 1e-6


@torch.inference_mode()
def test_moments_over_one_draw_repeated_are_those_over_one():
    model, x, _, _ = make(n_rows=20, orthogonal=False)
    model, x, eps = model.float(), x.float(), noise(1, 20).float()
    once, often = (moments(model, x, [eps] * times) for times in (1, 500))
    for found, expected in zip(often, once, strict=True):
        assert found.dtype == torch.float64
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-10)


@torch.inference_mode()
@pytest.mark.parametrize("times", [1, 3, 11])
def test_one_draw_repeated_has_no_variance_below_zero_however_far_z_goes(times):
    model, x, _, _ = make(n_rows=200, orthogonal=False)
    model.generation.of_z.mul_(1e9)
    _, variance = moments(model, x, [noise(1, 200)] * times)
    assert (variance >= 0).all()


# The proposal.


class Wide(torch.nn.Module):
    """A recognition network whose scales are larger than the prior's."""

    def forward(self, x, y):
        loc = torch.zeros(len(x), 2, dtype=x.dtype)
        return Independent(Normal(loc, torch.full_like(loc, 2.0)), 1)


def test_a_proposal_wider_than_the_prior_stays_as_it_is():
    model, x, y, _ = make(n_rows=20, orthogonal=False)
    model.recognition = Wide()
    eps = noise(10, 20)
    plain = importance_sampling(model, x, y, eps.split(5))
    moved = importance_sampling(model, x, y, eps.split(5), widening=WIDENING)
    torch.testing.assert_close(moved.log_prob, plain.log_prob)


def test_a_mixture_has_a_component_at_every_number():
    """Also at the ends of the most probable one, where sums of weights are rounded."""
    torch.manual_seed(0)
    p = Mixture(7).build((1,))(torch.randn(20_000, 21, 1))
    half = p.mixture_distribution.probs.max(-1).values / 2
    ends = torch.special.ndtri(torch.stack([0.5 - half, 0.5 + half]))
    choices = torch.cat([ends * (1 + i * 6e-8) for i in range(-4, 5)])
    choices = torch.cat([choices, torch.full((1, 20_000), -40.0), torch.full((1, 20_000), 40.0)])
    z = reparameterize(p, torch.stack([torch.zeros_like(choices), choices], -1))
    means = p.component_distribution.mean[..., 0]
    assert (z == means).any(-1).all()


# Completion, where outputs depend on each other given z.


class Correlated(torch.nn.Module):
    """The likelihood N(features, COVARIANCE)."""

    def forward(self, features):
        return MultivariateNormal(features, COVARIANCE)


class ExactPosterior(torch.nn.Module):
    """Of one latent variable, exactly q(z|x,y) for whole y."""

    partial = False

    def __init__(self, prior, generation):
        super().__init__()
        self.prior, self.generation = prior, generation

    def forward(self, x, y):
        B = self.generation.of_z
        pull = torch.linalg.solve(COVARIANCE, B)
        precision = 1 + (B * pull).sum()
        mean = self.prior(x).mean
        loc = mean + (y - self.generation.given(x)(mean)) @ pull / precision
        return Independent(Normal(loc, precision.rsqrt().expand(loc.shape)), 1)


COVARIANCE = torch.tensor([[1.0, 0.8, 0.3], [0.8, 1.0, 0.0], [0.3, 0.0, 1.0]]).double()


@torch.inference_mode()
@pytest.mark.parametrize("observation_noise", [True, False])
def test_completions_condition_on_outputs_that_noise_ties_to_the_hidden(observation_noise):
    """y = B z + e with correlated e: the conditional of two outputs given one is known."""
    B = torch.tensor([[1.0], [-0.5], [2.0]]).double()
    prior, generation = Prior(torch.zeros(1, 1).double()), Linear(torch.zeros(3, 1).double(), B)
    posterior = ExactPosterior(prior, generation)
    model = Model(Correlated(), prior=prior, generation=generation, recognition=posterior)
    x, y = torch.zeros(1, 1).double(), torch.tensor([[1.5, math.nan, math.nan]]).double()
    generators = (torch.Generator().manual_seed(seed) for seed in (0, 1))
    found = complete(
        model, x, y, 20_000, n_steps=30, observation_noise=observation_noise,
        **dict(zip(("noise", "outputs"), generators, strict=True)),
    )[:, 0, 1:]  # fmt: skip
    whole = B @ B.T + COVARIANCE
    mean = whole[1:, 0] / whole[0, 0] * 1.5
    torch.testing.assert_close(found.mean(0), mean, atol=0.05, rtol=0)
    if observation_noise:
        left = whole[1:, 1:] - whole[1:, :1] @ whole[:1, 1:] / whole[0, 0]
        torch.testing.assert_close(torch.cov(found.T), left, atol=0.06, rtol=0.03)


def test_probabilities_are_those_of_the_quantiles_and_of_independent_repetitions(fitted, rows):
    X = rows[0][:40]
    lower, upper = np.moveaxis(fitted.predict_interval(X, 0.8, n_samples=4000)[:, 0], -1, 0)
    p, error = fitted.probability(
        X, lambda y: (y[..., 0] > lower) & (y[..., 0] < upper), n_samples=4000
    )
    np.testing.assert_allclose(p, 0.8, atol=0.04)
    assert (np.abs(p - 0.8) < 5 * error).mean() > 0.9
    repeated = [clone_draws.mean(axis=0) for clone_draws in np.split(
        fitted.sample(X, 100 * 50, random_state=1)[..., 1] > 1, 50
    )]  # fmt: skip
    _, error = fitted.probability(X, lambda y: y[..., 1] > 1, n_samples=100)
    assert np.std(repeated, axis=0).mean() == pytest.approx(error.mean(), rel=0.15)


def test_intervals_of_several_coverages_are_those_of_each(fitted, rows):
    found = fitted.predict_interval(rows[0], coverage=[0.5, 0.9])
    each = [fitted.predict_interval(rows[0], coverage=level) for level in (0.5, 0.9)]
    np.testing.assert_array_equal(found, np.stack(each, axis=-1))
    with pytest.raises(ValueError, match="coverage must be .* got 1.5"):
        fitted.predict_interval(rows[0], coverage=[0.5, 1.5])
    with pytest.raises(ValueError, match="coverage must be a number or a non-empty sequence"):
        fitted.predict_interval(rows[0], coverage=[])
    with pytest.raises(ValueError, match="as_frame=True expects a single coverage"):
        fitted.predict_interval(rows[0], coverage=[0.5], as_frame=True)


def test_a_certain_event_leaves_an_error_and_a_wrong_answer_is_refused(fitted, rows):
    p, error = fitted.probability(rows[0], lambda y: y[..., 0] > -1e9, n_samples=50)
    assert (p == 1).all() and (error > 0.02).all()
    for event in (lambda y: y[..., 0], lambda y: y > 0, lambda y: True):
        with pytest.raises(ValueError, match=r"event must return bool of shape"):
            fitted.probability(rows[0], event)
    for event in (lambda y: y["rent"] < 1000, lambda y: y[..., 99] > 0):
        with pytest.raises(ValueError, match=r"positions and no names: y\[..., 0\] is the first"):
            fitted.probability(rows[0], event)
    with pytest.raises(TypeError, match="event must be a function of draws.* got 'y > 0'"):
        fitted.probability(rows[0], "y > 0")
