"""Laws of what likelihoods and priors start from, and of the floors and bounds they keep."""

import math

import pytest
import torch
from sklearn.base import clone

from skcvae.distributions import divergence
from skcvae.likelihoods import (
    Gamma,
    Gaussian,
    GaussianMixture,
    LogNormal,
    MultivariateGaussian,
    NegativeBinomial,
    Poisson,
    StudentT,
)
from skcvae.likelihoods.bound import bounded, unbounded
from skcvae.priors import Gaussian as GaussianPrior
from skcvae.priors import Mixture, Standard

N_OUTPUTS = 3
REAL = [
    Gaussian(min_scale=0.05),
    Gaussian(heteroscedastic=True, min_scale=0.05),
    StudentT(min_scale=0.05),
    StudentT(heteroscedastic=True, min_scale=0.05),
    GaussianMixture(min_scale=0.05),
    MultivariateGaussian(min_scale=0.05),
    MultivariateGaussian(heteroscedastic=True, min_scale=0.05),
    MultivariateGaussian(rank=2, min_scale=0.05),
    MultivariateGaussian(rank=2, heteroscedastic=True, min_scale=0.05),
]
PREDICTED = [Gaussian(heteroscedastic=True), StudentT(heteroscedastic=True)]
COUNTS = [Poisson, NegativeBinomial]
EXCHANGEABLE = [
    *REAL[:5],
    Poisson(),
    NegativeBinomial(),
]

each_real = pytest.mark.parametrize("likelihood", REAL, ids=repr)


def built(of, shape=(N_OUTPUTS,)):
    torch.manual_seed(0)
    return of.build(shape).double()


def peaks(p):
    """Return where a density may be highest: its mean, or its components' means."""
    loc = getattr(p, "component_distribution", p).mean
    return loc.movedim(-2, 0) if hasattr(p, "component_distribution") else loc[None]


def assert_bounded(module, min_scale):
    """Fail unless no density exceeds that of independent Gaussians of the smallest scale."""
    for size in (0.0, 1.0, 100.0):
        for weight in module.parameters():
            weight.data.normal_().mul_(size)
        p = module(size * torch.randn(500, *module.parameter_shape).double())
        highest = -N_OUTPUTS * math.log(min_scale * math.sqrt(2 * math.pi))
        assert (torch.stack([p.log_prob(y) for y in peaks(p)]) <= highest + 1e-9).all()


# Floors and bounds.


@each_real
def test_no_density_is_higher_than_the_smallest_scale_allows(likelihood):
    assert_bounded(built(likelihood), 0.05)


@pytest.mark.parametrize("prior", [GaussianPrior(min_scale=0.05), Mixture(min_scale=0.05)])
def test_no_prior_density_is_higher_than_the_smallest_scale_allows(prior):
    assert_bounded(built(prior), 0.05)


@pytest.mark.parametrize("likelihood", COUNTS)
def test_rates_stay_within_a_factor_of_where_they_start(likelihood):
    module = built(likelihood(init_rate=3.0))
    for raw, bound in ((-1e6, -20), (1e6, 10)):
        p = module(torch.full(module.parameter_shape, raw).double())
        torch.testing.assert_close((p.mean / 3).log(), torch.full_like(p.mean, bound))


@pytest.mark.parametrize("likelihood", [*COUNTS, Gamma, LogNormal])
def test_logarithms_of_means_are_linear_until_far_out(likelihood):
    module = built(likelihood())
    raw = torch.zeros(5, *module.parameter_shape).double()
    raw[:, 0] = torch.tensor([-10, -5, 0, 2, 5]).view(-1, *[1] * (raw.ndim - 2))
    means = module(raw).mean.log()
    torch.testing.assert_close(means - means[2], raw[:, 0], rtol=0, atol=1e-5)


@pytest.mark.parametrize(("low", "high"), [(-20.0, 10.0), (-4.0, 4.0)])
def test_bounds_have_an_inverse_and_a_continuous_slope(low, high):
    number = torch.linspace(0.9 * low, 0.9 * high, 2001, dtype=torch.double)
    torch.testing.assert_close(bounded(unbounded(number, low, high), low, high), number)
    slope = bounded(2 * number, low, high).diff() / (2 * number).diff()
    assert slope.max() < 1 + 1e-9 and slope.min() > 0 and slope.diff().abs().max() < 0.01


# Starts.


@each_real
def test_noise_at_the_start_is_in_proportion_to_init_scale(likelihood):
    deviations = []
    for init_scale in (0.1, 0.4):
        likelihood = clone(likelihood).set_params(init_scale=init_scale, min_scale=1e-9)
        module = built(likelihood)
        parameters = torch.zeros(module.parameter_shape).double()
        p = module(parameters)
        deviations.append(getattr(p, "component_distribution", p).stddev)
    torch.testing.assert_close(deviations[1], 4 * deviations[0], rtol=1e-5, atol=0)


@pytest.mark.parametrize("likelihood", PREDICTED, ids=repr)
def test_the_network_moves_the_scale_more_slowly_than_the_location(likelihood):
    """Else noise explains y before z is put to use: on a ring, a nat is lost."""
    module = built(likelihood, (1,))
    parameters = torch.zeros(module.parameter_shape).double().requires_grad_()
    p = module(parameters).base_dist
    of_scale = torch.autograd.grad(p.scale.log().sum(), [parameters, module.raw_scale])
    of_loc = torch.autograd.grad(module(parameters).mean.sum(), parameters)[0]
    slowness = 3
    for faster in (of_loc.abs().sum(), of_scale[1].abs().sum()):
        assert 0 < slowness * of_scale[0].abs().sum() < faster


# Precision.


@each_real
def test_a_network_of_float32_loses_no_density(likelihood):
    """Also where outputs are tied together much more than they vary by themselves."""
    module = clone(likelihood).set_params(min_scale=1e-3).build((N_OUTPUTS,))
    torch.manual_seed(0)
    for weight in module.parameters():
        weight.data.normal_().mul_(10)
    parameters = 10 * torch.randn(200, *module.parameter_shape)
    y = module(parameters).mean + 0.001
    single = module(parameters).log_prob(y.float())
    double = module.double()(parameters.double()).log_prob(y.float().double())
    torch.testing.assert_close(single.double(), double, rtol=5e-3, atol=1e-3)


# Symmetry.


@pytest.mark.parametrize("likelihood", EXCHANGEABLE, ids=repr)
def test_the_order_of_outputs_does_not_matter(likelihood):
    module, order = built(likelihood), torch.tensor([2, 0, 1])
    parameters = torch.randn(20, *module.parameter_shape).double()
    y = torch.randint(5, (20, N_OUTPUTS)).double()
    expected = module(parameters).log_prob(y)
    for weight in module.parameters():
        weight.data = weight.data[..., order]
    torch.testing.assert_close(module(parameters[..., order]).log_prob(y[:, order]), expected)


@pytest.mark.parametrize("prior", [GaussianPrior(), Standard(), Mixture()], ids=repr)
def test_nothing_diverges_from_itself_and_everything_else_does(prior):
    module = built(prior)
    q = GaussianPrior().build((N_OUTPUTS,))(torch.randn(200, 2, N_OUTPUTS))
    p = module(torch.randn(200, *(module.parameter_shape or (1,))))
    z = q.mean + q.stddev * torch.randn(4000, 200, N_OUTPUTS)
    assert (divergence(q, q, z).abs() < 1e-6).all()
    assert (divergence(q, p, z) > 0).all()
