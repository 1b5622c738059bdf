"""Estimates against the exact log p(y|x) of a linear-Gaussian model."""

import pytest
import torch
from closed_form import make, noise
from torch.distributions import Independent, Laplace, Normal

from skcvae.inference import conditional_likelihood
from skcvae.inference.conditional_likelihood import WIDENING, importance_sampling, monte_carlo


def widened(*args):
    return importance_sampling(*args, widening=WIDENING)


ESTIMATES = [importance_sampling, widened, monte_carlo]


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
    assert max(errors[:2]) < errors[2]


@pytest.mark.parametrize("n_draws", [5, 20])
def test_a_wider_proposal_is_nearer_where_the_recognition_network_is_too_narrow(n_draws):
    model, x, y, exact = make(d_y=10, d_z=8, orthogonal=False)
    eps = noise(n_draws, len(x), 8)
    narrow, wide, _ = (
        (exact - estimate(model, x, y, eps.split(64)).log_prob).mean() for estimate in ESTIMATES
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
    assert (ess >= 1 - 1e-9).all() and (ess <= 30 + 1e-9).all()


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
