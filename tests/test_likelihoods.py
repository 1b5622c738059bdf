import itertools

import numpy as np
import pytest
import torch
from scipy.integrate import quad

from skcvae.likelihoods import Bernoulli, Gaussian

FAMILY = [Gaussian(), Gaussian(heteroscedastic=True), Bernoulli()]
SHAPES = [(1,), (3,), (2, 3)]

each = pytest.mark.parametrize("likelihood", FAMILY, ids=repr)


@each
@pytest.mark.parametrize("y_shape", SHAPES)
def test_shapes_and_gradients(likelihood, y_shape):
    module = likelihood.build(y_shape)
    parameters = torch.randn(7, 5, *module.parameter_shape, requires_grad=True)
    p = module(parameters)
    y = torch.rand(5, *y_shape)
    log_p = p.log_prob(y)
    assert p.mean.shape == p.variance.shape == (7, 5, *y_shape)
    assert log_p.shape == (7, 5)
    log_p.sum().backward()
    assert all((t.grad != 0).any() for t in [parameters, *module.parameters()])


@each
def test_outputs_are_independent_given_the_parameters(likelihood):
    module = likelihood.build((3,))
    parameters = torch.randn(4, *module.parameter_shape)
    y = torch.rand(4, 3)
    alone = [
        likelihood.build((1,))(parameters[..., j : j + 1]).log_prob(y[:, j : j + 1])
        for j in range(3)
    ]
    torch.testing.assert_close(module(parameters).log_prob(y), sum(alone))


@pytest.mark.parametrize("likelihood", FAMILY[:2], ids=repr)
def test_density_integrates_to_one(likelihood):
    module = likelihood.build((1,)).double()
    p = module(torch.randn(*module.parameter_shape, dtype=torch.float64))
    loc, scale = p.mean.item(), p.stddev.item()
    total, _ = quad(
        lambda y: p.log_prob(torch.tensor([y], dtype=torch.float64)).exp().item(),
        loc - 12 * scale,
        loc + 12 * scale,
    )
    assert total == pytest.approx(1, abs=1e-6)


def test_mass_sums_to_one():
    p = Bernoulli().build((4,))(torch.randn(1, 4, dtype=torch.float64))
    every = torch.tensor(list(itertools.product([0.0, 1.0], repeat=4)), dtype=torch.float64)
    assert p.log_prob(every).exp().sum().item() == pytest.approx(1)


def test_grey_targets_score_the_cross_entropy():
    logits, y = torch.randn(6), torch.rand(6)
    pi = torch.sigmoid(logits)
    expected = (y * pi.log() + (1 - y) * (1 - pi).log()).sum()
    torch.testing.assert_close(Bernoulli().build((6,))(logits[None]).log_prob(y), expected)


def test_extreme_logits_stay_finite():
    p = Bernoulli().build((2,))(torch.tensor([[-200.0, 200.0]]))
    assert p.log_prob(torch.tensor([1.0, 0.0])).item() == pytest.approx(-400)


def test_scale_starts_where_it_is_told_and_has_a_floor():
    module = Gaussian(init_scale=0.2, min_scale=0.05).build((3,))
    parameters = torch.zeros(1, 3)
    torch.testing.assert_close(module(parameters).stddev, torch.full((3,), 0.25))
    module.raw_scale.data.fill_(-100.0)
    torch.testing.assert_close(module(parameters).stddev, torch.full((3,), 0.05))


def test_bernoulli_refuses_targets_outside_the_unit_interval():
    Bernoulli().check_targets(np.array([0, 0.5, 1]))
    with pytest.raises(ValueError, match=r"expects y in \[0, 1\], got values in \[-1, 2\]"):
        Bernoulli().check_targets(np.array([-1, 0, 2]))


@pytest.mark.parametrize("bad", [{"min_scale": 0.0}, {"init_scale": -1.0}, {"min_scale": "a"}])
def test_parameters_out_of_range(bad):
    with pytest.raises(ValueError, match=f"The '{next(iter(bad))}' parameter of Gaussian"):
        Gaussian(**bad).build((1,))
