import numpy as np
import pytest
import torch

from skcvae.random import drawing_from, generator, row_noise, seed_from

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
