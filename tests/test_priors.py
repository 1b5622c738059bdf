"""Laws that hold for every prior."""

import builtins
import copy
import functools
import math
import pickle

import numpy as np
import pytest
import torch
from scipy.stats import kstest, kurtosis
from sklearn.base import clone
from sklearn.gaussian_process.kernels import Matern
from torch.distributions import (
    Distribution,
    Independent,
    Laplace,
    MultivariateNormal,
    Normal,
    kl_divergence,
)

from skcvae import CVAERegressor, GSNNRegressor, HybridStructuredPredictor
from skcvae.architectures import MLP, Conv
from skcvae.data.coding import Scaling
from skcvae.datasets import make_two_branches
from skcvae.distributions import MIN_SCALE, divergence, reparameterize
from skcvae.inference.conditional_likelihood import importance_sampling, monte_carlo
from skcvae.inference.moments import deterministic, draws, moments, points
from skcvae.inference.posterior_collapse import kl_by_unit
from skcvae.likelihoods import Gaussian as GaussianLikelihood
from skcvae.model import PriorNetwork, StandardPrior
from skcvae.priors import Flow, Gaussian, GaussianProcess, Mixture, Standard
from skcvae.random import drawing_from, generator
from skcvae.specification import Specification

PRIORS = {
    "gaussian": Gaussian(min_scale=0.3),
    "standard": Standard(),
    "mixture": Mixture(3, min_scale=0.3),
    "fixed scale": Mixture(3, scale=0.5),
    "flow": Flow(hidden_layer_sizes=(16,), min_scale=0.3),
    "gaussian_process": GaussianProcess(Matern(2.0), min_scale=0.3),
}
MAP = (2, 3, 3)
DIFFERENTIABLE = [name for name, prior in PRIORS.items() if prior.differentiable_draws]
N, FEATURES = 4, 3

# A process is of y given z alone, and knows the codes of its rows: tests/test_gaussian_process.py.
NETWORKS = [name for name in PRIORS if name != "gaussian_process"]

each_prior = pytest.mark.parametrize("name", PRIORS)
each_network = pytest.mark.parametrize("name", NETWORKS)


def prior_of(name):
    if name == "flow":
        pytest.importorskip("zuko")
    return PRIORS[name]


def network(name, latent_shape, seed=0):
    """Return a prior network in float64, with larger weights than it starts with."""
    architecture, y_shape = (Conv((4, 6)), (2, 6, 5)) if latent_shape == MAP else (MLP((8,)), (2,))
    made = architecture.resolve(10, (FEATURES,), y_shape)
    with drawing_from(generator(seed)):
        family = prior_of(name).build(latent_shape)
        if family.parameter_shape is None:
            if name == "gaussian_process":
                codes = torch.randn(6, *latent_shape)
                family.condition(inputs(6, seed=3), codes, 0.3 * codes.sigmoid() + 0.3)
            return StandardPrior(family).double().eval()
        built = PriorNetwork(made, [(FEATURES,)], family)
        for weight in built.parameters():
            weight.data.mul_(1.5)
    return built.double()


def inputs(n=N, seed=1):
    return torch.randn(n, FEATURES, generator=generator(seed), dtype=torch.float64)


def noise_for(built, n_draws, n=N, seed=2):
    shape = (n_draws, n, *built.noise_shape)
    return torch.randn(shape, generator=generator(seed), dtype=torch.float64)


@each_prior
@pytest.mark.parametrize("latent_shape", [(1,), (3,), MAP])
@torch.no_grad()
def test_shapes(name, latent_shape):
    built = network(name, latent_shape)
    p, noise = built(inputs()), noise_for(built, 7)
    assert p.batch_shape == (N,) and p.event_shape == latent_shape
    assert p.mean.shape == p.stddev.shape == (N, *latent_shape)
    z = reparameterize(p, noise)
    assert z.shape == (7, N, *latent_shape) and p.log_prob(z).shape == (7, N)
    shared = reparameterize(p, noise[:, :1])
    torch.testing.assert_close(shared[:, 0], z[:, 0])
    assert shared.shape == z.shape


@each_prior
@pytest.mark.parametrize("n_latent", [1, 2])
@torch.no_grad()
def test_density_integrates_to_one(name, n_latent):
    p = network(name, (n_latent,))(inputs())
    axis = torch.linspace(-20, 20, 20_001 if n_latent == 1 else 301, dtype=torch.float64)
    grid = torch.cartesian_prod(*[axis] * n_latent).reshape(-1, 1, n_latent)
    mass = p.log_prob(grid).exp().sum(0) * (axis[1] - axis[0]) ** n_latent
    torch.testing.assert_close(mass, torch.ones(N, dtype=torch.float64), atol=5e-3, rtol=0)


@each_prior
@torch.no_grad()
def test_draws_of_one_number_have_the_density(name):
    built = network(name, (1,))
    p = built(inputs())
    drawn = reparameterize(p, noise_for(built, 4000))[..., 0]
    axis = torch.linspace(-25, 25, 20_001, dtype=torch.float64)
    cdf = p.log_prob(axis[:, None, None]).exp().cumsum(0) * (axis[1] - axis[0])
    for i in range(N):
        found = kstest(drawn[:, i].detach().numpy(), lambda z, i=i: np.interp(z, axis, cdf[:, i]))
        assert found.pvalue > 0.001


@each_prior
@pytest.mark.parametrize("latent_shape", [(3,), MAP])
@torch.no_grad()
def test_draws_have_the_density_and_the_moments(name, latent_shape):
    built = network(name, latent_shape)
    p = built(inputs())
    z = reparameterize(p, noise_for(built, 3000))
    # E_p[q/p] = 1 for any density q; of draws of another density than p it is not.
    q = built(inputs() + 0.2)
    ratio = (q.log_prob(z) - p.log_prob(z)).exp()
    error = ratio.std(0) / math.sqrt(len(z)) + 1e-9
    assert ((ratio.mean(0) - 1).abs() < 4 * error).all()
    tolerance = 0.1 * p.stddev.max().item()
    torch.testing.assert_close(z.mean(0), p.mean, atol=tolerance, rtol=0)
    torch.testing.assert_close(z.std(0), p.stddev, atol=tolerance, rtol=0)


@each_prior
def test_gradients_of_the_density_reach_every_weight(name):
    built = network(name, (2,))
    built(inputs()).log_prob(inputs()[:, :2].requires_grad_()).sum().backward()
    assert all(weight.grad.abs().sum() > 0 for weight in built.parameters())


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_gradients_of_draws_are_those_of_the_density(name):
    """d/dw E[z^2], by reparameterised draws and by the integral over the density."""
    built = network(name, (1,))
    weights = [*built.parameters()]
    if not weights:
        pytest.skip("no weights")
    x, axis = inputs(1), torch.linspace(-25, 25, 20_001, dtype=torch.float64)
    # Normal quantiles: draws without randomness.
    quantiles = torch.special.ndtri((torch.arange(2000) + 0.5).double() / 2000)
    drawn = reparameterize(built(x), quantiles[:, None, None]).square().mean()
    density = built(x).log_prob(axis[:, None, None])[:, 0].exp()
    integral = (axis.square() * density).sum() * (axis[1] - axis[0])
    for one, other in zip(
        torch.autograd.grad(drawn, weights), torch.autograd.grad(integral, weights), strict=True
    ):
        torch.testing.assert_close(one, other, rtol=0.05, atol=0.02 * float(other.abs().max()))


@each_prior
@torch.no_grad()
def test_estimated_kl_agrees_with_the_closed_form_or_the_integral(name):
    p = network(name, (1,))(inputs())
    q = Independent(Normal(torch.ones(N, 1).double(), torch.full((N, 1), 0.5).double()), 1)
    z = reparameterize(q, torch.randn(40_000, N, 1, generator=generator(3)).double())
    estimate = (q.log_prob(z) - p.log_prob(z)).mean(0)
    torch.testing.assert_close(divergence(q, p, z), estimate, atol=0.03, rtol=0.03)
    axis = torch.linspace(-10, 10, 20_001, dtype=torch.float64)[:, None, None]
    log_q = q.log_prob(axis)
    integral = (log_q.exp() * (log_q - p.log_prob(axis))).sum(0) * (axis[1] - axis[0])[0, 0]
    torch.testing.assert_close(estimate, integral, atol=0.03, rtol=0.03)


# What kind of distribution each one is.


def test_gaussian_prior_depends_on_x_and_standard_prior_does_not():
    p = network("gaussian", (2,))(inputs())
    assert (p.mean[0] != p.mean[1]).all()
    p = network("standard", MAP)(inputs())
    torch.testing.assert_close(p.mean, torch.zeros(N, *MAP, dtype=torch.float64))
    torch.testing.assert_close(p.stddev, torch.ones(N, *MAP, dtype=torch.float64))


@pytest.mark.parametrize("latent_shape", [(1,), (3,), MAP])
def test_components_start_apart_and_none_is_left_out(latent_shape):
    built = network("mixture", latent_shape)
    start = built.family.start
    for i, one in enumerate(start):
        assert all((one != other).all() for other in start[:i])
    p = built(inputs())
    z = reparameterize(p, noise_for(built, 2000))
    by_component = p.component_distribution.log_prob(z.unsqueeze(2)).argmax(-1)
    assert all((by_component == k).any() for k in range(3))


@pytest.mark.parametrize("latent_shape", [(1,), MAP])
def test_zero_noise_is_the_mean_of_the_most_probable_component(latent_shape):
    built = network("mixture", latent_shape)
    p = built(inputs(50))
    z = reparameterize(p, torch.zeros(1, 1, *built.noise_shape, dtype=torch.float64))[0]
    best = p.mixture_distribution.probs.argmax(-1)
    assert len(best.unique()) > 1 or latent_shape == MAP
    torch.testing.assert_close(z, p.component_distribution.mean[torch.arange(50), best])


@torch.no_grad()
def test_components_are_chosen_as_often_as_they_weigh():
    built = network("mixture", (2,))
    p = built(inputs())
    z = reparameterize(p, noise_for(built, 20_000))
    posterior = (
        p.component_distribution.log_prob(z.unsqueeze(2)) + p.mixture_distribution.logits
    ).softmax(-1)
    torch.testing.assert_close(posterior.mean(0), p.mixture_distribution.probs, atol=0.02, rtol=0)


def test_a_mixture_of_one_is_a_gaussian():
    parameters = torch.randn(N, 3, 2, generator=generator(0))
    mixture = Mixture(1).build((2,))(parameters)
    gaussian = Gaussian().build((2,))(parameters[:, :2])
    z = torch.randn(5, N, 2, generator=generator(1))
    torch.testing.assert_close(mixture.log_prob(z), gaussian.log_prob(z))


def test_a_flow_inverts_its_draws_and_starts_near_its_gaussian():
    built = network("flow", (3,))
    p, noise = built(inputs()), noise_for(built, 50)
    unit = (reparameterize(p, noise) - p.gaussian.mean) / p.gaussian.stddev
    torch.testing.assert_close(p.inverse(unit), noise, atol=1e-6, rtol=0)
    with drawing_from(generator(0)):
        fresh = Flow().build((3,))
    parameters = torch.randn(N, *fresh.parameter_shape, generator=generator(0))
    p = fresh(parameters)
    z = reparameterize(p.gaussian, noise.float())
    near = (p.log_prob(z) - p.gaussian.log_prob(z)).abs().mean()
    assert near < 1


# Against exact answers, over a grid of z.


class Fixed(torch.nn.Module):
    def __init__(self, q):
        super().__init__()
        self.q = q

    def forward(self, x, y):
        return self.q


def small_model(name, n_latent=1, **params):
    prior = clone(prior_of(name)).set_params(**params)
    with drawing_from(generator(0)):
        architecture = MLP((8,)).resolve(10, (FEATURES,), (2,))
        model = Specification(
            architecture,
            GaussianLikelihood(init_scale=0.5),
            Scaling.identity((FEATURES,)),
            Scaling.identity((2,)),
            prior,
            latent_shape=(n_latent,),
            initial_guess=True,
            recognition=True,
        ).build()
    return model.double()


@each_prior
@torch.inference_mode()
def test_estimates_of_the_likelihood_agree_with_quadrature(name):
    model, x = small_model(name), inputs()
    given = model.condition(x)
    drawn = reparameterize(given.prior, noise_for(model, 1, seed=5))
    y = given.likelihood(drawn).mean[0] + 0.3
    model.recognition = Fixed(Independent(Normal(given.prior.mean, 1.5 * given.prior.stddev), 1))
    z = torch.linspace(-20, 20, 10_001, dtype=torch.float64)[:, None, None].expand(-1, N, 1)
    joint = given.likelihood(z).log_prob(y) + given.prior.log_prob(z)
    exact = joint.logsumexp(0) + math.log(40 / 10_000)
    defensive = functools.partial(importance_sampling, n_draws=20_000)
    for estimate in (importance_sampling, defensive, monte_carlo):
        found = estimate(model, x, y, noise_for(model, 20_000).split(5000))
        error = (1 / found.effective_sample_size).sqrt()
        assert ((found.log_prob - exact).abs() < 4 * error + 1e-3).all()
        assert (error < 0.2).all()


@each_prior
@torch.inference_mode()
def test_moments_draws_and_quadrature_agree(name):
    model, x = small_model(name), inputs()
    given = model.condition(x)
    z = torch.linspace(-20, 20, 10_001, dtype=torch.float64)[:, None, None].expand(-1, N, 1)
    weight = given.prior.log_prob(z).exp()[..., None] * (40 / 10_000)
    centres = given.likelihood(z).mean
    exact = (weight * centres).sum(0)
    variance = (weight * centres.square()).sum(0) - exact.square()
    mean, spread = moments(model, x, noise_for(model, 20_000).split(5000))
    tolerance = 4 * spread.max().sqrt().item() / math.sqrt(20_000)
    torch.testing.assert_close(mean, exact, atol=tolerance, rtol=0)
    mean, spread = moments(model, x, points(model).split(50))
    assert ((mean - exact).abs() < 0.02 * spread.sqrt()).all()
    blocks = noise_for(model, 20_000, seed=1).split(7000)
    smooth = torch.cat([*draws(model, x, blocks, torch.Generator(), observation_noise=False)])
    torch.testing.assert_close(smooth.mean(0), exact, atol=tolerance, rtol=0)
    torch.testing.assert_close(smooth.var(0), variance, atol=0.02, rtol=0.06)
    assert deterministic(model, x).shape == (N, 2)


# Fitted.


LONG = {"n_samples": 300, "max_epochs": 40, "batch_size": 32, "lr": 0.01}


@functools.cache
def fitted(name, n_samples=100, **params):
    data = make_two_branches(n_samples=n_samples, random_state=0)
    params = {"random_state": 0, **params}
    return CVAERegressor(prior=prior_of(name), **params).fit(data.X, data.y), data


@each_network
def test_half_of_the_draws_lie_on_each_branch(name):
    est, data = fitted(name, **LONG)
    drawn = est.sample(data.X[:200], n_samples=50, random_state=0)
    assert 0.45 < (drawn > 0).mean() < 0.55
    assert est.n_active_units_ == 1
    far = np.abs(np.abs(drawn) - data.branch(data.X[:200])) > 0.5
    assert far.mean() < (0.25 if name in ("gaussian", "standard") else 0.05)


def test_with_a_mixture_the_prediction_is_a_branch_and_not_between():
    between, data = fitted("gaussian", **LONG)
    on_one, _ = fitted("mixture", **LONG)
    distance = [
        np.abs(np.abs(est.predict(data.X, method="latent_mean")) - data.branch(data.X)).mean()
        for est in (between, on_one)
    ]
    assert distance[1] < 0.2 < distance[0]


@each_network
def test_everything_is_asked_of_every_prior(name):
    est, data = fitted(name, max_epochs=3, latent_dim=2, initial_guess=True)
    X, y = data.X[:20], data.y[:20]
    assert np.isfinite(est.score(X, y))
    mean, std = est.predict(X, return_std=True)
    assert mean.shape == std.shape == est.complete(X, np.full(20, np.nan))[0].shape
    order = np.random.default_rng(0).permutation(20)[:7]
    for ask in (est.predict, est.predict_interval, lambda X: est.predict(X, method="latent_mean")):
        if ask != est.predict_interval:
            np.testing.assert_allclose(ask(X[order]), ask(X)[order], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(
        est.log_prob(X[order], y[order]), est.log_prob(X, y)[order], rtol=1e-4, atol=1e-5
    )
    for other in (pickle.loads(pickle.dumps(est)), copy.deepcopy(est)):
        np.testing.assert_array_equal(other.predict(X), est.predict(X))
        assert other.score(X, y) == est.score(X, y)


@each_prior
def test_the_seed_alone_decides_and_global_state_is_untouched(name):
    state, validates = torch.get_rng_state(), Distribution._validate_args
    fit = functools.partial(fitted.__wrapped__, name)
    first, data = fit(max_epochs=2)
    torch.rand(3)
    second, _ = fit(max_epochs=2)
    np.testing.assert_array_equal(first.predict(data.X), second.predict(data.X))
    np.testing.assert_array_equal(first.sample(data.X, 2, 0), second.sample(data.X, 2, 0))
    other, _ = fit(max_epochs=2, random_state=1)
    assert (other.predict(data.X) != first.predict(data.X)).any()
    torch.set_rng_state(state)
    fit(max_epochs=1)[0].sample(data.X)
    assert torch.equal(torch.get_rng_state(), state)
    assert Distribution._validate_args == validates


@each_prior
def test_latent_maps(name):
    rng = np.random.default_rng(0)
    images = rng.normal(size=(30, 8, 6))
    est = CVAERegressor(
        architecture=Conv((4, 6)), prior=prior_of(name), latent_dim=2, max_epochs=2, random_state=0
    ).fit(images, images + rng.normal(size=(30, 1, 1)))
    log_p = est.log_prob(images, images, n_samples=5)
    assert len(est.latent_shape_) == 3 and np.isfinite(log_p).all()
    assert est.sample(images, 2).shape == (2, 30, 8, 6)


@pytest.mark.parametrize("name", [n for n in DIFFERENTIABLE if n in NETWORKS])
@pytest.mark.parametrize("estimator", [GSNNRegressor, HybridStructuredPredictor])
def test_objectives_that_draw_from_the_prior_train(name, estimator):
    data = make_two_branches(n_samples=100, random_state=0)
    est = estimator(prior=prior_of(name), max_epochs=5, random_state=0).fit(data.X, data.y)
    losses = est.history_[:, "train_loss"]
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("estimator", [GSNNRegressor, HybridStructuredPredictor])
def test_objectives_that_draw_from_the_prior_refuse_a_mixture(estimator):
    data = make_two_branches(n_samples=50, random_state=0)
    est = estimator(prior="mixture")
    with pytest.raises(ValueError, match="must be differentiable; got prior=Mixture()"):
        est.fit(data.X, data.y)
    assert not hasattr(est, "net_") and not hasattr(est, "prior_")


def test_a_hybrid_of_the_cvae_alone_takes_a_mixture_until_a_warm_start_needs_draws():
    data = make_two_branches(n_samples=50, random_state=0)
    est = HybridStructuredPredictor(1, prior="mixture", max_epochs=2, warm_start=True)
    est.fit(data.X, data.y).set_params(alpha=0.5)
    before = est.predict(data.X)
    with pytest.raises(ValueError, match="got prior=Mixture()"):
        est.fit(data.X, data.y)
    np.testing.assert_array_equal(est.predict(data.X), before)


# Active units.


def test_units_of_a_gaussian_prior_add_up_to_the_kl():
    model, x = small_model("gaussian", n_latent=3), inputs()
    y = torch.randn(N, 2, generator=generator(5), dtype=torch.float64)
    total = kl_divergence(model.recognition(x, y), model.condition(x).prior)
    torch.testing.assert_close(kl_by_unit(model, x, y).sum(1), total)


@each_prior
def test_no_unit_is_active_where_q_is_the_prior(name):
    model, x = small_model(name, n_latent=2), inputs()
    p = model.condition(x).prior
    model.recognition = Fixed(Independent(Normal(p.mean, p.stddev), 1))
    torch.testing.assert_close(kl_by_unit(model, x, None), torch.zeros(N, 2).double())


@each_network
def test_a_fit_that_uses_no_latent_variable_warns(name):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 2))
    est = CVAERegressor(prior=prior_of(name), beta=30.0, max_epochs=30, random_state=0)
    est.set_params(early_stopping=False)
    with pytest.warns(UserWarning, match="No latent variable is used.*kl_warmup=20.*latent_dim"):
        est.fit(X, X + 0.5 * rng.normal(size=(300, 2)))
    assert est.n_active_units_ == 0


@each_network
def test_each_epoch_counts_active_units_where_the_prior_is_gaussian(name):
    data = make_two_branches(n_samples=100, random_state=0)
    est = CVAERegressor(prior=prior_of(name), latent_dim=3, max_epochs=5, random_state=0)
    est.fit(data.X, data.y, X_val=data.X, y_val=data.y)
    cll = est.history_[:, "valid_cll"]
    counted = est.history_[cll.index(max(cll))].get("valid_active_units")
    assert counted == (est.n_active_units_ if name in ("gaussian", "standard") else None)


def test_without_a_recognition_network_no_active_units_are_counted():
    data = make_two_branches(n_samples=100, random_state=0)
    est = GSNNRegressor(max_epochs=2, random_state=0).fit(data.X, data.y)
    assert "valid_cll" in est.history_[-1] and "valid_active_units" not in est.history_[-1]


# Mistakes.


@pytest.mark.parametrize(
    ("prior", "message"),
    [
        (Gaussian(min_scale=0), "'min_scale' parameter of Gaussian"),
        (Mixture(0), "'n_components' parameter of Mixture"),
        (Mixture(min_scale=0.0), "'min_scale' parameter of Mixture"),
        (Flow(0), "'n_transforms' parameter of Flow"),
        (Flow(n_bins=1), "'n_bins' parameter of Flow"),
        (Flow(n_context=0), "'n_context' parameter of Flow"),
        (Flow(hidden_layer_sizes=()), "'hidden_layer_sizes' parameter of Flow.*Got \\(\\)"),
        (
            Flow(hidden_layer_sizes=(8, 0)),
            "'hidden_layer_sizes' parameter of Flow.*Got \\(8, 0\\)",
        ),
    ],
    ids=repr,
)
def test_parameters_out_of_range_are_named(prior, message):
    with pytest.raises(ValueError, match=message):
        prior.build((2,))


def test_without_zuko_the_error_says_what_to_install(monkeypatch):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name == "zuko":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=r"pip install skcvae\[flow\]"):
        Flow().build((2,))


# Lower bounds on scales.


@pytest.mark.parametrize("name", ["gaussian", "mixture", "flow"])
@torch.no_grad()
def test_min_scale_is_the_floor_of_the_recognition_network_too(name):
    model = small_model(name, n_latent=2, min_scale=0.5)
    x, y = inputs(), torch.zeros(N, 2, dtype=torch.float64)
    model.recognition.head.linear.bias.fill_(-1e3)
    floor = torch.full((N, 2), 0.5, dtype=torch.float64)
    torch.testing.assert_close(model.recognition(x, y).stddev, floor)
    model.recognition.head.linear.bias.fill_(0.0)
    assert (model.recognition(x, y).stddev > 0.5).all()


@torch.no_grad()
def test_the_standard_prior_leaves_the_recognition_network_the_default_floor():
    model = small_model("standard", n_latent=2)
    model.recognition.head.linear.bias.fill_(-1e3)
    q = model.recognition(inputs(), torch.zeros(N, 2, dtype=torch.float64))
    torch.testing.assert_close(q.stddev, torch.full((N, 2), MIN_SCALE, dtype=torch.float64))


# Priors of a user's own.


class LaplacePrior(Gaussian):
    """The Gaussian prior's numbers, read as another distribution."""

    family = staticmethod(lambda loc, scale: Independent(Laplace(loc, scale), 1))

    def build(self, latent_shape):
        module = super().build(latent_shape)
        return Read(module, self.family)


class Read(torch.nn.Module):
    def __init__(self, inner, family):
        super().__init__()
        self.inner, self.family = inner, family
        self.parameter_shape, self.noise_shape = inner.parameter_shape, inner.noise_shape

    def forward(self, parameters):
        gaussian = self.inner(parameters)
        return self.family(gaussian.mean, gaussian.stddev)


class HeavyTailed(Independent):
    """Laplace variables, with a rule: the quantile function of the noise's probability."""

    def __init__(self, loc, scale):
        super().__init__(Laplace(loc, scale), 1)


class Tied(MultivariateNormal):
    """Gaussian variables with correlation 0.8, with a rule."""

    def __init__(self, loc, scale):
        d = loc.shape[-1]
        correlation = torch.full((d, d), 0.8).to(loc) + 0.2 * torch.eye(d).to(loc)
        super().__init__(loc, scale_tril=scale[..., None] * torch.linalg.cholesky(correlation))


@reparameterize.register
def _(distribution: HeavyTailed, noise):
    return distribution.base_dist.icdf(torch.special.ndtr(noise))


@reparameterize.register
def _(distribution: Tied, noise):
    return distribution.mean + (distribution.scale_tril @ noise[..., None]).squeeze(-1)


class HeavyTailedPrior(LaplacePrior):
    family = HeavyTailed


class TiedPrior(LaplacePrior):
    family = Tied


def shared_cause(n_rows=60):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_rows, 2))
    return X, X + rng.normal(size=(n_rows, 1))


def test_a_prior_without_a_rule_is_refused_before_training():
    est = CVAERegressor(prior=LaplacePrior(), max_epochs=2, random_state=0)
    with pytest.raises(ValueError, match="cannot be sampled from.*a rule .* got Laplace") as error:
        est.fit(*shared_cause())
    assert "prior=LaplacePrior()" in str(error.value)
    assert "skcvae.distributions.reparameterize.register" in str(error.value)
    assert not hasattr(est, "net_")


def test_draws_without_a_rule_are_refused():
    distribution = Independent(Laplace(torch.zeros(3, 2), torch.ones(3, 2)), 1)
    with pytest.raises(TypeError, match="a rule that turns noise into draws.*got Laplace"):
        reparameterize(distribution, torch.zeros(5, 3, 2))


def draws_of_z(est, n_draws=40_000):
    """Return standardised draws of z at one row."""
    with torch.inference_mode():
        model = est._fitted.exact_model
        p = model.condition(torch.zeros(1, 2, dtype=torch.float64)).prior
        noise = torch.randn((n_draws, 1, 2), generator=generator(0), dtype=torch.float64)
        z = reparameterize(p, noise)[:, 0]
    return ((z - p.mean) / p.stddev).numpy()


@pytest.mark.parametrize("objective", ["elbo", "iwae", "gsnn"])
def test_a_registered_rule_makes_a_prior_one_to_train_and_draw_with(objective):
    X, y = shared_cause()
    for prior in (HeavyTailedPrior(), TiedPrior()):
        est = CVAERegressor(prior=prior, objective=objective, latent_dim=2, max_epochs=3)
        est.set_params(random_state=0).fit(X, y)
        assert est.sample(X, 3, random_state=0).shape == (3, *y.shape)
        assert np.isfinite(est.log_prob(X, y)).all()


def test_draws_follow_the_registered_rule():
    X, y = shared_cause()
    params = {"latent_dim": 2, "max_epochs": 1, "random_state": 0}
    heavy = draws_of_z(CVAERegressor(prior=HeavyTailedPrior(), **params).fit(X, y))
    tied = draws_of_z(CVAERegressor(prior=TiedPrior(), **params).fit(X, y))
    np.testing.assert_allclose(kurtosis(heavy), 3, atol=0.5)
    np.testing.assert_allclose(kurtosis(tied), 0, atol=0.1)
    np.testing.assert_allclose(np.cov(heavy.T), np.eye(2), atol=0.05)
    np.testing.assert_allclose(np.cov(tied.T), [[1, 0.8], [0.8, 1]], atol=0.05)
