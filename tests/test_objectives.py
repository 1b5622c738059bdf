import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from closed_form import make, noise
from torch import nn
from torch.distributions import Independent, Normal, kl_divergence

from skcvae import VAE, CVAERegressor
from skcvae.architectures import MLP
from skcvae.datasets import make_linear_gaussian
from skcvae.inference.conditional_likelihood import monte_carlo
from skcvae.objectives import (
    ELBO,
    GSNN,
    IWAE,
    Bound,
    Deterministic,
    Hybrid,
    MonteCarloLikelihood,
    Objective,
)
from skcvae.training.net import Loss, ObjectiveModule


def value(bound):
    return bound.reconstruction - bound.kl


def bound_of(objective, model, x, y, noise):
    """Return the bound as training does, with as many draws as there is noise for."""
    n_samples = len(noise) // objective.noise_per_sample
    return ObjectiveModule(model, objective, n_samples)((x, y), noise)


def test_bound_is_tight_where_the_recognition_network_is_exact():
    model, x, y, exact = make(orthogonal=True)
    bound = bound_of(ELBO(), model, x, y, noise(4000, len(x)))
    torch.testing.assert_close(value(bound), exact, atol=0.15, rtol=0.0)


def test_bound_lies_below_the_log_likelihood_elsewhere():
    model, x, y, exact = make(orthogonal=False)
    for objective in (ELBO(), GSNN()):
        bound = bound_of(objective, model, x, y, noise(500, len(x)))
        assert value(bound).mean() < exact.mean()


def test_terms_are_the_papers():
    model, x, y, _ = make(orthogonal=False)
    eps = noise(3, len(x))
    given, q = model.condition(x), model.recognition(x, y)
    z = q.mean + q.stddev * eps
    bound = bound_of(ELBO(), model, x, y, eps)
    torch.testing.assert_close(bound.kl, kl_divergence(q, given.prior))
    torch.testing.assert_close(bound.reconstruction, given.likelihood(z).log_prob(y).mean(0))
    z = given.prior.mean + given.prior.stddev * eps
    bound = bound_of(GSNN(), model, x, y, eps)
    assert (bound.kl == 0).all()
    torch.testing.assert_close(bound.reconstruction, given.likelihood(z).log_prob(y).mean(0))


@pytest.mark.parametrize("alpha", [0.1, 0.5, 0.9])
def test_hybrid_is_the_weighted_sum(alpha):
    model, x, y, _ = make(orthogonal=False)
    eps = noise(4, len(x))
    hybrid = bound_of(Hybrid(alpha), model, x, y, eps)
    cvae, gsnn = bound_of(ELBO(), model, x, y, eps[:2]), bound_of(GSNN(), model, x, y, eps[2:])
    expected = alpha * value(cvae) + (1 - alpha) * value(gsnn)
    torch.testing.assert_close(value(hybrid), expected)


def test_deterministic_objective_is_the_log_likelihood():
    model, x, y, _ = make(orthogonal=False)
    model.generation = None
    linear = torch.nn.Linear(3, 4).double()
    model.baseline = lambda x: [linear(x)]
    bound = ObjectiveModule(model, Deterministic())((x, y), noise(0, len(x)))
    expected = model.output(linear(x)).log_prob(y)
    torch.testing.assert_close(bound.reconstruction, expected)
    assert (bound.kl == 0).all()


def test_loss_weighs_the_kl_and_the_examples():
    bound = Bound(torch.tensor([1.0, 2.0]), torch.tensor([0.5, 1.5]))
    loss = Loss()
    assert loss(bound).item() == pytest.approx(-0.5)
    assert loss(bound, torch.tensor([2.0, 0.0])).item() == pytest.approx(-0.5)
    loss.kl_weight = 2.0
    assert loss(bound).item() == pytest.approx(0.5)


def kl_weights(loss, n_epochs):
    """Return the weight of the KL term in each epoch."""
    weights = []
    for number in range(1, n_epochs + 1):
        loss.begin_epoch(number, n_epochs)
        weights.append(loss.kl_weight)
    return weights


def test_warmup_grows_linearly_and_is_off_by_default():
    weights = kl_weights(Loss(beta=1.0, warmup=3), 5)
    assert weights == pytest.approx([0.5, 1.0, 1.5, 2.0, 2.0])
    assert kl_weights(Loss(), 2) == [1, 1]
    assert kl_weights(Loss(beta=0.5), 2) == [1.5, 1.5]


@pytest.mark.parametrize("n_epochs, n_warmup", [(4, 0), (10, 2), (100, 20), (300, 20)])
def test_automatic_warmup_takes_a_fifth_of_the_epochs_and_twenty_at_most(n_epochs, n_warmup):
    weights = kl_weights(Loss(warmup=None), n_epochs)
    assert weights == kl_weights(Loss(warmup=n_warmup), n_epochs)
    assert weights.count(1) == n_epochs - n_warmup


def test_switching_to_training_reaches_every_layer():
    objective = ObjectiveModule(make(orthogonal=True)[0], ELBO())
    for mode in (False, True):
        objective.train(mode)
        assert all(module.training == mode for module in objective.modules())


# The bound of many draws.


class Gaussian(nn.Module):
    """A recognition network with weights of its own, near the exact posterior or on it."""

    def __init__(self, posterior, x, y, *, away):
        super().__init__()
        q = posterior(x, y)
        self.loc = nn.Parameter((q.mean + away).detach())
        self.log_scale = nn.Parameter((q.stddev.log() + away).detach())

    def forward(self, x, y):
        return Independent(Normal(self.loc, self.log_scale.exp()), 1)


def with_weights(*, away, n_rows=3):
    model, x, y, exact = make(n_rows=n_rows, orthogonal=True)
    model.recognition = Gaussian(model.recognition, x, y, away=away)
    return model, x, y, exact


def gradients(of, model, *, within):
    """Return the gradient of a sum with respect to the weights of a part of a model."""
    found = torch.autograd.grad(of, [*getattr(model, within).parameters()])
    return torch.cat([part.flatten() for part in found])


def plain(model, x, y, eps):
    """Return the bound of Burda et al., with the gradient that autograd gives it."""
    given, q = model.condition(x), model.recognition(x, y)
    z = q.mean + q.stddev * eps
    log_w = given.likelihood(z).log_prob(y) + given.prior.log_prob(z) - q.log_prob(z)
    return log_w.logsumexp(0) - math.log(len(eps))


@pytest.mark.parametrize("n_draws", [1, 5])
def test_many_draws_have_the_bound_of_burda(n_draws):
    model, x, y, _ = with_weights(away=0.3)
    eps = noise(n_draws, len(x))
    bound = bound_of(IWAE(), model, x, y, eps)
    torch.testing.assert_close(value(bound), plain(model, x, y, eps))
    torch.testing.assert_close(bound.kl, bound_of(ELBO(), model, x, y, eps).kl)


def test_one_draw_is_the_lower_bound():
    model, x, y, _ = with_weights(away=0.3)
    eps = noise(20_000, len(x))
    found = [value(bound_of(IWAE(), model, x, y, one)) for one in eps[:500].split(1)]
    one_by_one = torch.stack(found)
    expected = value(bound_of(ELBO(), model, x, y, eps))
    error = one_by_one.std(0) / len(one_by_one) ** 0.5
    assert ((one_by_one.mean(0) - expected).abs() < 4 * error + 0.02).all()


@torch.no_grad()
def test_the_bound_grows_towards_the_log_likelihood_with_the_draws():
    model, x, y, exact = make(orthogonal=False)
    eps = noise(1024, len(x))
    elbo = value(bound_of(ELBO(), model, x, y, eps)).mean()
    means = []
    for k in (1, 4, 32, 1024):
        found = [value(bound_of(IWAE(), model, x, y, part)) for part in eps.split(k)]
        means.append(torch.stack(found).mean())
    assert means[0] == pytest.approx(elbo.item(), abs=0.05)
    assert all(fewer < more for fewer, more in pairwise(means))
    assert abs(means[-1] - exact.mean()) < 0.02


def test_weights_of_the_prior_and_the_generation_network_get_the_plain_gradient():
    model, x, y, _ = with_weights(away=0.3)
    eps = noise(7, len(x))
    for part in ("prior", "generation"):
        found = gradients(value(bound_of(IWAE(), model, x, y, eps)).sum(), model, within=part)
        expected = gradients(plain(model, x, y, eps).sum(), model, within=part)
        torch.testing.assert_close(found, expected)


def recognition_gradients(bound, model, x, y, n=500, n_draws=4):
    found = [
        gradients(bound(model, x, y, eps).sum(), model, within="recognition")
        for eps in noise(n * n_draws, len(x)).split(n_draws)
    ]
    return torch.stack(found)


def doubly(model, x, y, eps):
    return value(bound_of(IWAE(), model, x, y, eps))


def test_the_doubly_reparameterised_gradient_has_the_same_expectation():
    model, x, y, _ = with_weights(away=0.3)
    found, expected = (recognition_gradients(b, model, x, y) for b in (doubly, plain))
    error = ((found.var(0) + expected.var(0)) / len(found)).sqrt()
    assert ((found.mean(0) - expected.mean(0)).abs() < 4 * error).all()
    assert (found.mean(0).abs() > 4 * error).any()


def test_the_doubly_reparameterised_gradient_varies_less_near_the_posterior():
    model, x, y, _ = with_weights(away=0.05)
    found, expected = (recognition_gradients(b, model, x, y, 200) for b in (doubly, plain))
    assert (found.var(0) < 0.5 * expected.var(0)).all()


def test_the_doubly_reparameterised_gradient_is_zero_at_the_posterior():
    model, x, y, _ = with_weights(away=0.0)
    found, expected = (recognition_gradients(b, model, x, y, 20) for b in (doubly, plain))
    torch.testing.assert_close(found, torch.zeros_like(found))
    assert (expected.abs() > 0.01).any()


def test_a_fit_with_many_draws_is_as_good_and_shows_its_terms():
    data = make_linear_gaussian(n_samples=200, random_state=0)
    params = {"max_epochs": 10, "lr": 0.01, "random_state": 0}
    one = CVAERegressor(**params).fit(data.X, data.y)
    many = CVAERegressor(objective="iwae", n_train_samples=5, **params).fit(data.X, data.y)
    assert many.score(data.X, data.y) > one.score(data.X, data.y) - 0.2
    row = many.history_[-1]
    assert row["train_loss"] == pytest.approx(row["train_kl"] - row["train_reconstruction"])
    assert row["train_kl"] > 0 and many.n_active_units_ > 0


def test_a_lighter_kl_term_lets_more_of_y_into_z():
    data = make_linear_gaussian(n_samples=200, random_state=0)
    params = {"max_epochs": 8, "lr": 0.01, "random_state": 0}
    fits = [CVAERegressor(beta=beta, **params).fit(data.X, data.y) for beta in (0.0, -0.9)]
    usual, lighter = (est.history_[-1] for est in fits)
    assert lighter["train_kl"] > 2 * usual["train_kl"]
    assert lighter["train_reconstruction"] > usual["train_reconstruction"]


@pytest.mark.parametrize("params", [{"beta": 0.5}, {"kl_warmup": 3}])
@pytest.mark.parametrize("objective", ["iwae", "gsnn"])
def test_an_objective_without_a_kl_term_has_nothing_to_weigh(params, objective):
    X = torch.randn(20, 2).numpy()
    est = CVAERegressor(objective=objective, **params)
    with pytest.raises(ValueError, match=f"'{objective}'.*expects beta=0 and kl_warmup=0"):
        est.fit(X, X)
    assert not hasattr(est, "net_")


@pytest.mark.parametrize("likelihood", ["poisson", "negative_binomial"])
def test_the_importance_weighted_bound_trains_with_masses_in_float64(likelihood):
    X = np.random.default_rng(0).normal(size=(60, 2))
    y = np.random.default_rng(1).poisson(np.exp(X))
    est = CVAERegressor(
        likelihood=likelihood, objective="iwae", n_train_samples=2, max_epochs=3, random_state=0
    )
    assert np.isfinite(est.fit(X, y).score(X, y))


# The log of the mean.


def test_the_log_of_the_mean_is_the_estimate_of_the_log_likelihood():
    model, x, y, _ = make(orthogonal=False)
    eps = noise(7, len(x))
    bound = bound_of(MonteCarloLikelihood(), model, x, y, eps)
    estimate = monte_carlo(model, x, y, eps.split(3))
    torch.testing.assert_close(value(bound).double(), estimate.log_prob)
    assert (bound.kl == 0).all()


def test_the_log_of_the_mean_is_above_the_mean_of_the_logs_and_equal_with_one_draw():
    model, x, y, _ = make(orthogonal=False)
    eps = noise(20, len(x))
    above, mean = (
        value(bound_of(of, model, x, y, eps)) for of in (MonteCarloLikelihood(), GSNN())
    )
    assert (above > mean).all()
    one, other = (
        value(bound_of(of, model, x, y, eps[:1])) for of in (MonteCarloLikelihood(), GSNN())
    )
    torch.testing.assert_close(one, other)


@torch.no_grad()
def test_the_log_of_the_mean_grows_towards_the_log_likelihood_with_the_draws():
    model, x, y, exact = make(orthogonal=False)
    eps = noise(8192, len(x))
    means = []
    for k in (8, 64, 512, 8192):
        found = [value(bound_of(MonteCarloLikelihood(), model, x, y, e)) for e in eps.split(k)]
        means.append(torch.stack(found).mean())
    assert all(fewer < more for fewer, more in pairwise(means))
    assert abs(means[-1] - exact.mean()) < 0.1


@pytest.mark.filterwarnings("ignore:The best validation score")  # outputs are independent
def test_the_log_of_the_mean_lets_draws_differ_where_the_mean_of_the_logs_does_not():
    """Two answers for every x: from the prior alone, only one of the two objectives finds both."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 1))
    y = rng.choice([-1.0, 1.0], size=(200, 1)) * np.ones(3) + 0.1 * rng.normal(size=(200, 3))
    share = {}
    for objective in ("gsnn", "monte_carlo"):
        est = CVAERegressor(
            architecture=MLP(shortcut=False), likelihood="gaussian", objective=objective,
            n_train_samples=10, latent_dim=1, max_epochs=20, lr=0.01, random_state=0,
        ).fit(X, y)  # fmt: skip
        means = est.sample(X, 20, random_state=0, observation_noise=False).mean(axis=-1)
        share[objective] = (abs(means) > 0.5).mean()
    assert share["gsnn"] < 0.1 and share["monte_carlo"] > 0.8


def test_the_log_of_the_mean_has_no_term_to_weigh():
    X = torch.randn(20, 2).numpy()
    with pytest.raises(ValueError, match="objective='monte_carlo'.*expects beta=0"):
        CVAERegressor(objective="monte_carlo", beta=0.5).fit(X, X)


class Own(Objective):
    """The ELBO, with its terms changed."""

    def __init__(self, change=None):
        self.change = change

    def bound(self, model, given, x, y, noise):
        assert noise.shape[1] == len(y)
        bound = ELBO().bound(model, given, x, y, noise)
        return bound if self.change is None else self.change(bound)


CHANGES = {
    "a plain tuple": (tuple, r"returned a tuple of shapes \(2,\), \(2,\)"),
    "a tensor": (lambda bound: bound.kl, "returned a Tensor"),
    "nothing": (lambda bound: (), "returned a tuple of shapes "),
    "a mean": (lambda bound: bound._replace(reconstruction=bound.kl.mean()), r"shapes \(\), \(2,"),
    "a mean of the kl": (lambda bound: bound._replace(kl=bound.kl.mean()), r"\(2,\), \(\)"),
    "constants": (lambda bound: Bound(*(t.detach() for t in bound)), "it has no gradient"),
    "numbers": (lambda bound: Bound(1.0, 0.0), r"a Bound of shapes \(\), \(\)"),
    "columns": (lambda bound: Bound(*(term[:, None] for term in bound)), r"\(2, 1\), \(2, 1\)"),
}


@torch.no_grad()
def test_an_objective_of_ones_own_trains_where_gradients_are_off():
    rows = np.random.default_rng(0).normal(size=(40, 2))
    est = CVAERegressor(objective=Own(), max_epochs=2, random_state=0).fit(rows, rows)
    assert len(est.history_) == 2


@pytest.mark.parametrize("early_stopping", [True, False])
@pytest.mark.parametrize(
    "params", [{}, {"prior": "gaussian_process"}, {"initial_guess": True, "n_train_samples": 3}]
)
@pytest.mark.parametrize("name", CHANGES)
def test_an_objective_of_ones_own_returns_two_numbers_for_each_example(
    no_training, name, params, early_stopping
):
    change, message = CHANGES[name]
    rows = torch.randn(40, 2, generator=torch.Generator().manual_seed(0)).numpy()
    est = CVAERegressor(objective=Own(change), early_stopping=early_stopping, **params)
    with pytest.raises(ValueError, match=rf"objective=Own\(.*must return a .*ound.*{message}"):
        est.fit(rows, rows)


def test_the_trial_of_an_objective_changes_nothing():
    rows = torch.randn(40, 2, generator=torch.Generator().manual_seed(0)).numpy()
    for cls, arrays in ((CVAERegressor, (rows, rows)), (VAE, (rows,))):
        known, own = (
            cls(
                architecture=MLP((8,), dropout=0.5),
                objective=objective,
                max_epochs=3,
                random_state=0,
            ).fit(*arrays)
            for objective in ("elbo", Own())
        )
        expected = known.net_.module.model.state_dict()
        for name, part in own.net_.module.model.state_dict().items():
            assert torch.equal(part, expected[name])
