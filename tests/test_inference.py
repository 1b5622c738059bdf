import pytest
import torch
from closed_form import SIGMA, make, noise

from skcvae.inference.moments import deterministic, draws, moments, points


def test_deterministic_inference_takes_the_mean_of_the_prior():
    model, x, _, _ = make(orthogonal=False)
    A, B, C = model.prior.of_x, model.generation.of_z, model.generation.of_x
    torch.testing.assert_close(deterministic(model, x), x @ (C + B @ A).T)


@pytest.mark.parametrize("block", [1, 7, 5000])
def test_moments_are_those_of_the_marginal(block):
    model, x, _, _ = make(n_rows=10, orthogonal=False)
    n_draws = 5000 if block > 1 else 500
    mean, variance = moments(model, x, noise(n_draws, 10).split(block))
    B = model.generation.of_z
    expected = (B.square().sum(1) + SIGMA**2).expand(10, -1)
    tolerance = 8 / n_draws**0.5
    torch.testing.assert_close(mean, deterministic(model, x), atol=tolerance, rtol=0)
    torch.testing.assert_close(variance, expected, atol=0, rtol=tolerance)


def test_moments_over_the_points_are_exact_where_the_decoder_is_linear():
    model, x, _, _ = make(n_rows=10, orthogonal=False)
    mean, variance = moments(model, x, points(model).split(50))
    torch.testing.assert_close(mean, deterministic(model, x), atol=1e-12, rtol=1e-12)
    expected = (model.generation.of_z.square().sum(1) + SIGMA**2).expand(10, -1)
    torch.testing.assert_close(variance, expected, rtol=0.05, atol=0)


def test_moments_do_not_cancel_far_from_zero():
    model, x, _, _ = make(n_rows=10, orthogonal=False)
    eps = noise(200, 10)
    _, variance = moments(model, x, eps.split(50))
    _, shifted = moments(model, x + 1e7, eps.split(50))
    torch.testing.assert_close(shifted, variance, rtol=1e-5, atol=0)


def test_draws_have_the_joint_covariance_of_the_marginal():
    model, x, _, _ = make(n_rows=2, orthogonal=False)
    blocks = noise(40_000, 2).split(15_000)
    y = torch.cat([*draws(model, x, blocks, torch.Generator().manual_seed(1))])
    B = model.generation.of_z
    covariance = B @ B.T + SIGMA**2 * torch.eye(4)
    assert y.shape == (40_000, 2, 4)
    torch.testing.assert_close(torch.cov(y[:, 0].T), covariance, atol=0.12, rtol=0.05)
    torch.testing.assert_close(y.mean(0), deterministic(model, x), atol=0.05, rtol=0)
