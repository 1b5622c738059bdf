"""A density p(y) with nothing to condition on, through the training of the estimators."""

import functools
import math

import pytest
import torch
from torch.distributions import Independent, MultivariateNormal, Normal

from skcvae import Training
from skcvae.architectures import MLP
from skcvae.data.batches import Rows
from skcvae.data.coding import Scaling
from skcvae.inference.conditional_likelihood import importance_sampling, monte_carlo
from skcvae.likelihoods import Gaussian
from skcvae.objectives import ELBO, GSNN, IWAE, Hybrid
from skcvae.priors import Flow, Mixture, Standard
from skcvae.priors import Gaussian as GaussianPrior
from skcvae.random import drawing_from, generator
from skcvae.specification import Specification
from skcvae.training.net import Loss, ObjectiveModule, train

PRIORS = {
    "gaussian": GaussianPrior(),
    "standard": Standard(),
    "mixture": Mixture(2),
    "flow": Flow(1, hidden_layer_sizes=(16,), n_bins=4),
}
COVARIANCE = torch.tensor([[1.0, 0.8], [0.8, 1.0]])
ENTROPY = 0.5 * (2 * (1 + math.log(2 * math.pi)) + torch.logdet(COVARIANCE).item())

each_prior = pytest.mark.parametrize("name", PRIORS)


def rows(n_rows, seed):
    """Return draws of two correlated Gaussian variables."""
    noise = torch.randn((n_rows, 2), generator=generator(seed))
    return noise @ torch.linalg.cholesky(COVARIANCE).T


def untrained(name, *, recognition=True):
    if name == "flow":
        pytest.importorskip("zuko")
    with drawing_from(generator(0)):
        return Specification(
            MLP((16,)).resolve(1000, (), (2,)),
            Gaussian(init_scale=0.5),
            None,
            Scaling.identity((2,)),
            PRIORS[name],
            latent_shape=(2,),
            recognition=recognition,
        ).build()


def trained(model, objective, *, max_epochs, n_rows=2000, n_samples=1):
    module = ObjectiveModule(model, objective, n_samples)
    data, held_out = Rows((rows(n_rows, 0),)), Rows((rows(200, 1),))
    net = Training().net(
        module,
        data,
        held_out,
        loss=functools.partial(Loss, 0.0, 0),
        lr=0.01,
        max_epochs=max_epochs,
        batch_size=64,
        early_stopping=True,
        omission=0.0,
        seed=0,
        device="cpu",
    )
    train(net, data)
    model.eval()
    return net


@torch.inference_mode()
def entropy(model, y, estimate=importance_sampling, n_draws=300):
    """Return the mean of -log p(y) over rows, the entropy where p is the truth."""
    noise = torch.randn((n_draws, len(y), *model.noise_shape), generator=generator(3))
    return -estimate(model, None, y, noise.split(50)).log_prob.mean().item()


@each_prior
def test_a_density_of_correlated_outputs_is_learned(name):
    model, held_out = untrained(name), rows(2000, 2)
    before = entropy(model, held_out)
    net = trained(model, ELBO(), max_epochs=12)
    after = entropy(model, held_out)
    truth = MultivariateNormal(torch.zeros(2), COVARIANCE)
    exact = -truth.log_prob(held_out).mean().item()
    assert exact == pytest.approx(ENTROPY, abs=0.06)
    assert before > exact + 0.2
    assert after == pytest.approx(exact, abs=0.1)
    best = max(net.history[:, "valid_cll"])
    assert best == pytest.approx(-exact, abs=0.3)


@pytest.mark.parametrize("objective", [IWAE(), GSNN(), Hybrid(0.5)], ids=repr)
def test_other_objectives_train_too(objective):
    model = untrained("gaussian", recognition=objective.uses_recognition)
    held_out = rows(500, 2)
    before = entropy(model, held_out, monte_carlo)
    net = trained(model, objective, max_epochs=5, n_rows=1000, n_samples=5)
    assert entropy(model, held_out, monte_carlo) < before - 0.1
    assert net.history[-1, "train_loss"] < net.history[0, "train_loss"]


@each_prior
@torch.inference_mode()
def test_one_distribution_of_z_serves_all_rows(name):
    model, y = untrained(name), rows(7, 0)
    given = model.condition()
    assert given.prior.batch_shape == (1,)
    noise = torch.randn((30, 7, *model.noise_shape), generator=generator(0))
    found = importance_sampling(model, None, y, [noise]).log_prob
    alone = [importance_sampling(model, None, y[i : i + 1], [noise[:, i : i + 1]]) for i in (0, 6)]
    torch.testing.assert_close(
        found[[0, 6]], torch.cat([one.log_prob for one in alone]), rtol=1e-5, atol=0
    )


class Wide(torch.nn.Module):
    """A recognition network that covers all of the prior."""

    def forward(self, x, y):
        loc = torch.zeros(len(y), 2)
        return Independent(Normal(loc, torch.full_like(loc, 2.5)), 1)


@each_prior
def test_both_estimates_are_of_the_same_density(name):
    model, y = untrained(name), rows(200, 2)
    model.recognition = Wide()
    by_wide, by_prior = (
        entropy(model, y, estimate, n_draws=2000)
        for estimate in (importance_sampling, monte_carlo)
    )
    assert by_wide == pytest.approx(by_prior, abs=0.02)


def test_a_learned_prior_gets_gradients_and_the_standard_one_has_no_weights():
    model = untrained("gaussian")
    y, noise = rows(16, 0), torch.randn((1, 16, 2), generator=generator(0))
    bound = ObjectiveModule(model, ELBO())((y,), noise)
    (bound.reconstruction - bound.kl).sum().backward()
    assert (model.prior.numbers.grad != 0).all()
    assert not [*untrained("standard").prior.parameters()]
