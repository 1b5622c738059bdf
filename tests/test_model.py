import itertools

import pytest
import torch

from skcvae.architectures import MLP
from skcvae.likelihoods import Bernoulli, Gaussian
from skcvae.model import deterministic_model, latent_model, latent_size
from skcvae.priors import Gaussian as GaussianPrior
from skcvae.priors import Standard

N, DRAWS, X_SHAPE, Y_SHAPE, Z_SHAPE = 5, 7, (3,), (4,), (2,)
ARCHITECTURE = MLP((8, 6)).resolve(100, X_SHAPE, Y_SHAPE)


def build(likelihood=None, prior=None, initial_guess=False, recognition=True):
    return latent_model(
        ARCHITECTURE,
        (likelihood or Gaussian()).build(Y_SHAPE),
        (prior or GaussianPrior()).build(Z_SHAPE),
        x_shape=X_SHAPE,
        y_shape=Y_SHAPE,
        latent_shape=Z_SHAPE,
        initial_guess=initial_guess,
        recognition=recognition,
    )


@pytest.mark.parametrize(
    ("likelihood", "prior", "initial_guess"),
    [
        *itertools.product(
            [Gaussian(), Gaussian(heteroscedastic=True), Bernoulli()],
            [GaussianPrior(), Standard()],
            [False, True],
        )
    ],
    ids=repr,
)
def test_shapes_and_gradients_of_every_combination(likelihood, prior, initial_guess):
    model = build(likelihood, prior, initial_guess)
    x, y = torch.randn(N, *X_SHAPE), torch.rand(N, *Y_SHAPE)
    given = model.condition(x)
    q = model.recognition(x, y)
    z = q.rsample((DRAWS,))
    log_w = given.likelihood(z).log_prob(y) + given.prior.log_prob(z) - q.log_prob(z)
    assert given.prior.batch_shape == q.batch_shape == (N,)
    assert log_w.shape == (DRAWS, N)
    log_w.sum().backward()
    assert all(weight.grad is not None for weight in model.parameters())


def test_initial_guess_feeds_the_prior_and_gradients_flow_through_it():
    model = build(initial_guess=True)
    model.condition(torch.randn(N, *X_SHAPE)).prior.mean.sum().backward()
    assert all(weight.grad.abs().sum() > 0 for weight in model.baseline.parameters())
    assert model.output.head.linear.weight.grad.abs().sum() > 0


def test_initial_guess_adds_its_features_before_the_shared_output():
    model = build(initial_guess=True)
    x, z = torch.randn(N, *X_SHAPE), torch.randn(DRAWS, N, *Z_SHAPE)
    features = model.baseline(x) + model.generation.given(x)(z)
    expected = model.output(features).mean
    torch.testing.assert_close(model.condition(x).likelihood(z).mean, expected)


def test_deterministic_model_has_no_latent_variables():
    model = deterministic_model(ARCHITECTURE, Gaussian().build(Y_SHAPE), X_SHAPE)
    given = model.condition(torch.randn(N, *X_SHAPE))
    assert given.prior is None
    assert given.likelihood().mean.shape == (N, *Y_SHAPE)


def test_row_size_is_that_of_the_widest_layer():
    assert build().row_size == 6
    assert build(Gaussian(heteroscedastic=True)).row_size == 8


def test_latent_size_grows_with_the_outputs():
    sizes = [latent_size((d,)) for d in (1, 3, 48, 588, 10**6)]
    assert sizes == [1, 3, 14, 48, 64]
