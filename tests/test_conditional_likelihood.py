"""Estimates against the exact log p(y|x) of a linear-Gaussian model."""

import math

import pytest
import torch
from closed_form import make, noise
from torch.distributions import Independent, Laplace, Normal

from skcvae.inference import conditional_likelihood
from skcvae.inference.completion import log_prob_observed
from skcvae.inference.conditional_likelihood import (
    WIDENING,
    importance_sampling,
    monte_carlo,
    prior_draws,
)
from skcvae.random import generator


def widened(*args):
    return importance_sampling(*args, widening=WIDENING)


def defensive(model, x, y, noise):
    n_draws = sum(map(len, noise))
    return importance_sampling(model, x, y, noise, widening=WIDENING, n_draws=n_draws)


def observed(model, x, y, noise):
    """The estimate of the observed entries, where all are observed."""
    how = {"n_steps": 5, "generators": (generator(0), generator(1))}
    return log_prob_observed(model, x, y, noise, n_draws=sum(map(len, noise)), **how)


ESTIMATES = [importance_sampling, widened, defensive, observed, monte_carlo]


def test_one_draw_is_exact_where_the_recognition_network_is():
    model, x, y, exact = make(orthogonal=True)
    found = importance_sampling(model, x, y, noise(1, len(x)).split(1))
    torch.testing.assert_close(found.log_prob, exact)


def test_all_weights_are_equal_where_the_recognition_network_is_exact():
    model, x, y, _ = make(orthogonal=True)
    found = importance_sampling(model, x, y, noise(50, len(x)).split(8))
    torch.testing.assert_close(found.effective_sample_size, torch.full((200,), 50.0).double())


@pytest.mark.parametrize("estimate", ESTIMATES, ids=lambda f: f.__name__)
def test_estimates_converge_from_below(estimate):
    model, x, y, exact = make(orthogonal=False)
    errors = [
        (exact - estimate(model, x, y, noise(S, len(x)).split(1000)).log_prob).mean().item()
        for S in (1, 100, 10_000)
    ]
    assert errors[0] > errors[1] > errors[2] - 1e-3
    assert abs(errors[2]) < 0.05


@pytest.mark.parametrize("n_draws", [10, 100, 1000])
def test_importance_sampling_is_closer_than_monte_carlo(n_draws):
    model, x, y, exact = make(orthogonal=False)
    eps = noise(n_draws, len(x))
    errors = [
        (estimate(model, x, y, eps.split(64)).log_prob - exact).abs().mean()
        for estimate in ESTIMATES
    ]
    assert max(errors[:-1]) < errors[-1]


@pytest.mark.parametrize("n_draws", [5, 20])
def test_a_wider_proposal_is_nearer_where_the_recognition_network_is_too_narrow(n_draws):
    model, x, y, exact = make(d_y=10, d_z=8, orthogonal=False)
    eps = noise(n_draws, len(x), 8)
    narrow, wide = (
        (exact - estimate(model, x, y, eps.split(64)).log_prob).mean()
        for estimate in (importance_sampling, widened)
    )
    assert abs(wide) < narrow


@pytest.mark.parametrize("estimate", ESTIMATES, ids=lambda f: f.__name__)
def test_estimates_are_unbiased_for_the_density(estimate):
    model, x, y, exact = make(n_rows=5, orthogonal=False)
    n_draws = 200_000
    found = estimate(model, x, y, noise(n_draws, 5).split(n_draws))
    ratio = (found.log_prob - exact).exp()
    spread = (1 / found.effective_sample_size).sqrt()
    assert ((ratio - 1).abs() < 5 * spread).all()


@pytest.mark.parametrize("estimate", ESTIMATES, ids=lambda f: f.__name__)
@pytest.mark.parametrize("block", [1, 7, 64, 1000])
def test_blocks_and_neighbours_do_not_matter(estimate, block):
    model, x, y, _ = make(orthogonal=False)
    eps = noise(64, len(x))
    whole = estimate(model, x, y, eps.split(64))
    found = estimate(model, x[50:60], y[50:60], eps[:, 50:60].split(block))
    torch.testing.assert_close(found.log_prob, whole.log_prob[50:60])
    torch.testing.assert_close(found.effective_sample_size, whole.effective_sample_size[50:60])


@pytest.mark.parametrize("estimate", ESTIMATES, ids=lambda f: f.__name__)
def test_effective_sample_size_lies_between_one_and_the_number_of_draws(estimate):
    model, x, y, _ = make(orthogonal=False)
    ess = estimate(model, x, y, noise(30, len(x)).split(30)).effective_sample_size
    assert (ess >= 1).all() and (ess <= 30).all()


@pytest.mark.parametrize("n_draws", [3, 49, 1000])
def test_no_rounding_makes_the_effective_sample_size_of_equal_weights_larger(n_draws):
    weights = torch.linspace(-800, 800, 999, dtype=torch.float64).expand(n_draws, -1)
    ess = conditional_likelihood.log_mean_exp(weights.split(7)).effective_sample_size
    torch.testing.assert_close(ess, torch.full_like(ess, n_draws))
    assert (ess <= n_draws).all()


def test_without_a_recognition_network_the_prior_is_the_proposal():
    model, x, y, _ = make(orthogonal=False)
    expected = monte_carlo(model, x, y, noise(20, len(x)).split(20)).log_prob
    model.recognition = None
    found = importance_sampling(model, x, y, noise(20, len(x)).split(20)).log_prob
    torch.testing.assert_close(found, expected)


def test_weights_far_below_the_smallest_number_do_not_underflow():
    model, x, y, _ = make(orthogonal=False)
    found = monte_carlo(model, x, y + 1e4, noise(10, len(x)).split(5))
    assert found.log_prob.isfinite().all() and (found.log_prob < -1e6).all()


def test_the_proposal_is_widened_towards_a_gaussian_prior_alone():
    loc, scale = torch.zeros(3, 2), torch.full((3, 2), 0.1)
    q = Independent(Normal(loc, scale), 1)
    wide = conditional_likelihood.widened(q, Independent(Normal(loc, torch.ones(3, 2)), 1), 0.5)
    torch.testing.assert_close(wide.stddev, torch.full((3, 2), 0.1**0.5))
    laplace = Independent(Laplace(loc, torch.ones(3, 2)), 1)
    assert conditional_likelihood.widened(q, laplace, 0.5) is q


# The defensive proposal.


class Misled(torch.nn.Module):
    """A recognition network that is off by some deviations, and too narrow or too wide."""

    partial = False

    def __init__(self, exact, shift, factor):
        super().__init__()
        self.exact, self.shift, self.factor = exact, shift, factor

    def forward(self, x, y):
        q = self.exact(x, y)
        return Independent(Normal(q.mean + self.shift * q.stddev, self.factor * q.stddev), 1)


RECOGNITION = [(0, 1), (3, 0.3), (0, 0.01), (50, 1), (1e4, 1), (0, 30)]
each_recognition = pytest.mark.parametrize(("shift", "factor"), RECOGNITION)


def misled(shift, factor, **sizes):
    model, x, y, exact = make(orthogonal=False, **sizes)
    model.recognition = Misled(model.recognition, shift, factor)
    return model, x, y, exact


@pytest.mark.parametrize("n_draws", [1, 2, 3, 7])
@pytest.mark.parametrize("estimate", [defensive, observed], ids=lambda f: f.__name__)
def test_the_defensive_estimate_is_unbiased_for_any_number_of_draws(estimate, n_draws):
    """Over many repetitions of the estimate: rows are copies of one."""
    model, x, y, exact = make(n_rows=1, orthogonal=False)
    n = 40_000
    found = estimate(model, x.expand(n, -1), y.expand(n, -1), noise(n_draws, n).split(2)).log_prob
    ratio = (found - exact).exp()
    assert (ratio.mean() - 1).abs() < 5 * ratio.std() / n**0.5 + 1e-9  # observed is exact


@each_recognition
@pytest.mark.parametrize("n_draws", [2, 10, 100])
@pytest.mark.parametrize("far", [0, 30, 1000])
def test_an_estimate_is_not_below_monte_carlo_by_more_than_the_share(shift, factor, n_draws, far):
    """Over the draws of the prior which the recognition network finds no likelier than that."""
    model, x, y, _ = misled(shift, factor)
    y, eps = y + far, noise(n_draws, len(x))
    n_prior = prior_draws(n_draws)
    given, q = model.condition(x), model.recognition(x, y)
    q = conditional_likelihood.widened(q, given.prior, WIDENING)
    z = given.prior.mean + given.prior.stddev * eps[:n_prior]
    log_w = given.likelihood(z).log_prob(y)
    counted = log_w.where(q.log_prob(z) <= given.prior.log_prob(z), -math.inf)
    bound = counted.logsumexp(0) - math.log(n_draws)
    assert (defensive(model, x, y, eps.split(7)).log_prob >= bound - 1e-9).all()
    if (shift, far) == (1e4, 0):  # where q never finds them likelier, that is Monte Carlo's
        few = monte_carlo(model, x, y, eps[:n_prior].split(7)).log_prob
        torch.testing.assert_close(bound, few + math.log(n_prior / n_draws))


@pytest.mark.parametrize("shift", [50, 1e4])
def test_a_recognition_network_that_is_far_off_costs_the_share_and_not_the_distance(shift):
    model, x, y, exact = misled(shift, 1)
    eps = noise(1000, len(x))
    found = defensive(model, x, y, eps.split(100)).log_prob
    alone = importance_sampling(model, x, y, eps.split(100)).log_prob
    assert (exact - alone).mean() > 500
    expected = monte_carlo(model, x, y, eps[: prior_draws(1000)].split(100)).log_prob
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)


def test_defence_costs_little_where_the_recognition_network_is_good():
    model, x, y, exact = make(orthogonal=True)
    for n_draws, most in ((10, 0.03), (100, 0.003)):
        found = defensive(model, x, y, noise(n_draws, len(x)).split(10))
        assert (exact - found.log_prob).mean().abs() < most
        assert found.effective_sample_size.mean() > 0.75 * n_draws


def test_the_first_draws_are_the_prior_s_and_two_draws_are_one_of_each():
    assert [prior_draws(n) for n in (1, 2, 3, 10, 100, 1000)] == [0, 1, 1, 2, 20, 200]
    model, x, y, _ = make(n_rows=5, orthogonal=False)
    eps = noise(1, 5)
    alone = [estimate(model, x, y, [eps]).log_prob for estimate in (widened, defensive)]
    torch.testing.assert_close(*alone)
