import pytest
import torch

from skcvae.architectures import MLP
from skcvae.networks import PriorNetwork, StandardPrior
from skcvae.priors import Gaussian, Standard


def test_gaussian_prior_depends_on_x_and_reaches_every_weight():
    architecture = MLP((8,)).resolve(10, (3,), (2,))
    prior = PriorNetwork(architecture, [(3,)], Gaussian().build((2,)))
    p = prior(torch.randn(5, 3))
    assert p.batch_shape == (5,) and p.event_shape == (2,)
    assert (p.mean[0] != p.mean[1]).all()
    p.log_prob(torch.ones(5, 2)).sum().backward()
    assert all(weight.grad.abs().sum() > 0 for weight in prior.parameters())


@pytest.mark.parametrize("latent_shape", [(2,), (3, 2, 2)])
def test_standard_prior_is_the_same_for_every_x(latent_shape):
    p = StandardPrior(Standard().build(latent_shape))(torch.randn(5, 3), torch.randn(5, 4))
    assert p.batch_shape == (5,) and p.event_shape == latent_shape
    torch.testing.assert_close(p.mean, torch.zeros(5, *latent_shape))
    torch.testing.assert_close(p.stddev, torch.ones(5, *latent_shape))


def test_min_scale_must_be_positive():
    with pytest.raises(ValueError, match="'min_scale' parameter of Gaussian"):
        Gaussian(min_scale=0).build((2,))
