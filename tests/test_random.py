import numpy as np
import pytest
import torch

from skcvae.inference.conditional_likelihood import row_noise
from skcvae.random import drawing_from, generator, normal_points, seed_from

RANDOM = {
    "linear": lambda: torch.nn.Linear(3, 2).weight,
    "dropout": lambda: torch.nn.functional.dropout(torch.ones(50)),
    "normal": lambda: torch.distributions.Normal(torch.zeros(9), 1.0).sample((2,)),
    "bernoulli": lambda: torch.distributions.Bernoulli(torch.full((50,), 0.5)).sample(),
    "categorical": lambda: torch.distributions.Categorical(torch.ones(9)).sample((20,)),
    "gamma": lambda: torch.distributions.Gamma(torch.ones(9), 1.0).sample(),
    "randn": lambda: torch.randn(9),
    "randperm": lambda: torch.randperm(50),
}


@pytest.mark.parametrize("draw", RANDOM.values(), ids=RANDOM)
def test_every_random_operation_draws_from_the_given_generator(draw):
    state = torch.get_rng_state()
    found = []
    for seed in (0, 0, 1):
        with drawing_from(generator(seed)):
            found.append(draw())
    assert torch.equal(found[0], found[1]) and not torch.equal(found[0], found[2])
    assert torch.equal(torch.get_rng_state(), state)


def test_seeds():
    assert seed_from(3) == seed_from(3) == seed_from(np.random.RandomState(3))
    before = np.random.get_state()[1].copy()
    assert seed_from(None) != seed_from(None)
    assert (np.random.get_state()[1] == before).all()


def test_noise_follows_the_row_not_its_place():
    rows = torch.randn(6, 4)
    noise = row_noise(rows, (5, 2), seed=0)
    order = torch.tensor([4, 1, 5])
    assert noise.shape == (5, 6, 2)
    assert torch.equal(row_noise(rows[order], (5, 2), seed=0), noise[:, order])
    assert not torch.equal(row_noise(rows, (5, 2), seed=1), noise)


def test_noise_is_standard_normal_and_independent_between_rows():
    noise = row_noise(torch.randn(400, 2), (100, 2), seed=0)
    assert noise.mean().abs() < 0.02 and (noise.std() - 1).abs() < 0.02
    between = torch.corrcoef(noise[..., 0].T).fill_diagonal_(0)
    assert between.abs().max() < 0.55 and between.mean().abs() < 0.01


@pytest.mark.parametrize("shape", [(1,), (3,), (2, 3, 3), (21_202,)])
def test_points_are_standard_normal_antithetic_and_the_same_at_every_call(shape):
    state = torch.get_rng_state()
    found = normal_points(64, shape)
    normal_points.cache_clear()
    with torch.inference_mode():
        again = normal_points(64, shape)
    assert torch.equal(found, again) and not again.is_inference()
    assert torch.equal(torch.get_rng_state(), state)
    assert found.shape == (64, *shape) and found.dtype == torch.float64
    assert torch.equal(found[:32], -found[32:])
    assert len(found.flatten(1).unique(dim=0)) == 64


def test_points_integrate_better_than_draws():
    """The error of E[max(z, 0)] = 1 / sqrt(2 pi) falls as that of a quadrature."""
    found = normal_points(128, (3,)).clamp_min(0).mean(0)
    assert (found - (2 * torch.pi) ** -0.5).abs().max() < 0.1 / 128**0.5
    corner = (normal_points(128, (3,)) > 0.5).double()
    assert (corner[:, 0] * corner[:, 1]).mean() == pytest.approx(0.3085**2, abs=0.01)
