"""Completions of y in the linear-Gaussian model, where their distribution is known."""

import math

import numpy as np
import pytest
import torch
from closed_form import SIGMA, Posterior, make
from torch.distributions import Independent, Normal

from skcvae import VAE, CVAERegressor, EnsembleRegressor
from skcvae.inference import completion
from skcvae.inference.completion import complete
from skcvae.inference.linearised import linearised

HIDDEN = torch.tensor([[1, 0, 0, 0], [1, 1, 0, 0], [0, 1, 1, 1]], dtype=torch.bool)


def linear_gaussian(*, recognition=True, partial=False, d_z=2):
    """Return a model, x, and y of which `HIDDEN` is NaN."""
    model, x, y, _ = make(n_rows=len(HIDDEN), d_z=d_z, orthogonal=True)
    model.recognition = (
        Posterior(model.prior, model.generation, partial=partial) if recognition else None
    )
    return model, x, y.masked_fill(HIDDEN, math.nan)


@torch.inference_mode()
def completed(model, x, y, n_draws=20_000, *, n_steps, observation_noise=True, seed=0):
    noise, outputs = (torch.Generator().manual_seed(seed + i) for i in range(2))
    return complete(
        model, x, y, n_draws, n_steps=n_steps, noise=noise, outputs=outputs,
        observation_noise=observation_noise,
    )  # fmt: skip


def moments(model, x):
    A, B, C = model.prior.of_x, model.generation.of_z, model.generation.of_x
    return x @ (C + B @ A).T, B @ B.T + SIGMA**2 * torch.eye(len(B), dtype=B.dtype)


def exact(model, x, y):
    """Yield for each row what is hidden, and its mean and covariance given x and the rest."""
    means, covariance = moments(model, x)
    for mean, row in zip(means, y, strict=True):
        u, o = row.isnan(), ~row.isnan()
        gain = covariance[u][:, o] @ torch.linalg.inv(covariance[o][:, o])
        shifted = mean[u] + gain @ (row[o] - mean[o])
        yield u, shifted, covariance[u][:, u] - gain @ covariance[o][:, u]


def assert_exact(found, model, x, y, atol=0.03):
    for i, (hidden, mean, covariance) in enumerate(exact(model, x, y)):
        drawn = found[:, i, hidden]
        torch.testing.assert_close(drawn.mean(0), mean, atol=atol, rtol=0)
        spread = torch.cov(drawn.T).reshape(covariance.shape)
        torch.testing.assert_close(spread, covariance, atol=atol, rtol=0.05)


@pytest.mark.parametrize("partial", [False, True])
def test_alternation_converges_to_the_conditional_of_what_is_hidden(partial):
    model, x, y = linear_gaussian(partial=partial)
    assert_exact(completed(model, x, y, n_steps=12), model, x, y)


def test_a_posterior_given_what_is_observed_is_exact_from_the_first_step(from_the_prior):
    model, x, y = linear_gaussian(partial=True, d_z=1)
    assert_exact(completed(model, x, y, n_steps=1), model, x, y)
    model.recognition.partial = False
    with pytest.raises(AssertionError):
        assert_exact(completed(model, x, y, n_steps=1), model, x, y)


class Distorted(torch.nn.Module):
    """A recognition network that is wrong in its locations and its scales."""

    def __init__(self, posterior):
        super().__init__()
        self.posterior, self.partial = posterior, posterior.partial

    def forward(self, x, y):
        q = self.posterior(x, y)
        return Independent(Normal(q.mean + 0.5 * q.stddev, 1.3 * q.stddev), 1)


@pytest.mark.parametrize("partial", [False, True])
def test_a_wrong_recognition_network_has_the_same_limit(partial):
    model, x, y = linear_gaussian(partial=partial)
    model.recognition = Distorted(model.recognition)
    assert_exact(completed(model, x, y, n_steps=12), model, x, y)


@pytest.mark.parametrize("recognition", [True, False])
def test_a_linear_model_is_exact_from_the_first_step(recognition):
    model, x, y = linear_gaussian(recognition=recognition)
    assert_exact(completed(model, x, y, n_steps=1), model, x, y)


def test_the_gaussian_of_a_linear_model_is_the_posterior_whatever_the_blocks():
    model, x, y = linear_gaussian()
    noise = torch.randn((40, len(y), 2), generator=torch.Generator().manual_seed(0)).to(y)
    found = [linearised(model.condition(x), y, blocks) for blocks in ([noise], noise.split(7))]
    expected = Posterior(model.prior, model.generation, partial=True)(x, y)
    for q in found:
        torch.testing.assert_close(q.mean, expected.mean)
        precision = torch.linalg.inv(q.scale_tril @ q.scale_tril.mT).diagonal(dim1=-2, dim2=-1)
        torch.testing.assert_close(precision, 1 / expected.variance)


@pytest.fixture
def from_the_prior(monkeypatch):
    """Take all candidates from the prior, as where z or y are large."""
    monkeypatch.setattr(completion, "linearised", lambda given, y, noise: given.prior)


def test_choosing_among_draws_of_the_prior_approaches_the_same(from_the_prior):
    model, x, y = linear_gaussian(recognition=False)
    errors = []
    for n_steps in (1, 10, 100):
        found = completed(model, x, y, 5000, n_steps=n_steps)
        expected = exact(model, x, y)
        errors.append(
            max(
                (found[:, i, u].mean(0) - mean).abs().max()
                for i, (u, mean, _) in enumerate(expected)
            )
        )
    assert errors[0] > errors[1] > errors[2]
    assert_exact(found, model, x, y, atol=0.06)


def test_one_draw_of_the_prior_is_not_chosen(from_the_prior):
    model, x, y = linear_gaussian(recognition=False)
    means, covariance = moments(model, x)
    found = completed(model, x, y, n_steps=1)
    torch.testing.assert_close(found.mean(0)[HIDDEN], means[HIDDEN], atol=0.05, rtol=0)
    variance = covariance.diagonal().expand(len(x), -1)
    torch.testing.assert_close(found.var(0)[HIDDEN], variance[HIDDEN], atol=0, rtol=0.05)


@pytest.mark.parametrize("recognition", [True, False])
def test_where_nothing_is_known_a_completion_is_a_draw(recognition):
    model, x, y = linear_gaussian(recognition=recognition)
    found = completed(model, x, torch.full_like(y, math.nan), n_steps=5)
    means, covariance = moments(model, x)
    torch.testing.assert_close(found.mean(0), means, atol=0.05, rtol=0)
    for i in range(len(x)):
        torch.testing.assert_close(torch.cov(found[:, i].T), covariance, atol=0.06, rtol=0.06)


def without_z():
    model, x, y = linear_gaussian()
    linear = torch.nn.Linear(3, 4).double()
    model.generation = model.prior = model.recognition = None
    model.baseline = lambda x: [linear(x)]
    return model, x, y


def test_without_z_what_is_known_says_nothing_of_the_rest():
    model, x, y = without_z()
    found = completed(model, x, y, n_steps=3)
    other = completed(model, x, y + 100, n_steps=3)
    assert torch.equal(found[:, HIDDEN], other[:, HIDDEN])
    (mean,) = model.baseline(x)
    torch.testing.assert_close(found.mean(0)[HIDDEN], mean[HIDDEN], atol=0.02, rtol=0)
    torch.testing.assert_close(
        found.std(0)[HIDDEN], torch.full_like(mean, SIGMA)[HIDDEN], atol=0.02, rtol=0
    )


MODELS = {
    "alternated": linear_gaussian,
    "alternated, partial": lambda: linear_gaussian(partial=True),
    "chosen": lambda: linear_gaussian(recognition=False),
    "without z": without_z,
}

of_each_model = pytest.mark.parametrize("model", MODELS)


@of_each_model
@pytest.mark.parametrize("observation_noise", [True, False])
def test_what_is_known_is_untouched(model, observation_noise):
    model, x, y = MODELS[model]()
    found = completed(model, x, y, 7, n_steps=2, observation_noise=observation_noise)
    assert found.shape == (7, *y.shape) and found.isfinite().all()
    assert torch.equal(found[:, ~HIDDEN], y[~HIDDEN].expand(7, -1))
    varies = observation_noise or model.generation is not None
    assert (found[0] != found[1])[HIDDEN].all() == varies


@of_each_model
def test_without_observation_noise_a_completion_is_a_mean_given_z(model):
    model, x, y = MODELS[model]()
    noisy = completed(model, x, y, n_steps=4)[:, HIDDEN]
    smooth = completed(model, x, y, n_steps=4, observation_noise=False)[:, HIDDEN]
    torch.testing.assert_close(smooth.mean(0), noisy.mean(0), atol=0.05, rtol=0)
    variance = noisy.var(0) - SIGMA**2
    torch.testing.assert_close(smooth.var(0), variance, atol=0.03, rtol=0.05)


@of_each_model
def test_seeds_are_followed_and_draws_are_independent(model):
    model, x, y = MODELS[model]()
    found = completed(model, x, y, 2000, n_steps=20)
    assert torch.equal(found, completed(model, x, y, 2000, n_steps=20))
    assert not torch.equal(found, completed(model, x, y, 2000, n_steps=20, seed=7))
    drawn = found[:, HIDDEN]
    between = torch.corrcoef(torch.stack([drawn[:-1, 0], drawn[1:, 0]]))[0, 1]
    assert between.abs() < 0.08


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("kind", ["constant", "twins", "sum", "x"])
@pytest.mark.parametrize("partial_y", [False, True])
def test_outputs_that_are_tied_are_completed_within_their_range(kind, partial_y):
    """The alternation alone diverges, by a factor at each step."""
    rng = np.random.default_rng(0)
    X, own = rng.normal(size=(150, 2)), rng.normal(size=(150, 2))
    last = {"constant": np.ones(150), "twins": own[:, 0], "sum": own.sum(1), "x": X[:, 0]}[kind]
    y = np.column_stack([own, last])
    est = CVAERegressor(partial_y=partial_y, max_epochs=10, random_state=0).fit(X, y)
    hidden = rng.random(y.shape) < 0.4
    for n_steps in (20, 100):
        found = est.complete(X, y, 5, mask=hidden, n_steps=n_steps, random_state=0)
        assert np.abs(found).max() < 2 * np.abs(y).max()


def test_a_constant_column_of_a_density_is_completed():
    y = np.column_stack([np.random.default_rng(0).normal(size=(150, 2)), np.ones(150)])
    est = VAE(max_epochs=10, random_state=0).fit(y)
    y[:, 2] = np.nan
    np.testing.assert_allclose(est.complete(y, 3, random_state=0)[..., 2], 1, atol=0.02)


@pytest.mark.parametrize("n_steps", [0, 2.0, None, "3"])
def test_steps_that_are_no_count_are_named(n_steps):
    X, y = np.zeros((30, 1)), np.random.default_rng(0).normal(size=(30, 2))
    member = CVAERegressor(max_epochs=1, random_state=0)
    for est in (member, EnsembleRegressor(member, n_estimators=2, random_state=0)):
        est.fit(X, y)
        with pytest.raises((TypeError, ValueError), match="n_steps"):
            est.complete(X, y, mask=y > 0, n_steps=n_steps)
