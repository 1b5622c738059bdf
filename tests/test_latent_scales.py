"""Laws of latent variables at several scales."""

import functools
import itertools
import math

import numpy as np
import pytest
import torch
from scipy.stats import kstest
from sklearn.gaussian_process.kernels import RBF
from torch.distributions import kl_divergence

from skcvae import VAE, Autoencoder, CVAERegressor, GSNNRegressor, HybridStructuredPredictor
from skcvae.architectures import Conv
from skcvae.data.coding import Scaling
from skcvae.distributions import (
    DiagonalGaussian,
    HierarchicalGaussian,
    detached,
    divergence,
    reparameterize,
)
from skcvae.inference.conditional_likelihood import importance_sampling, monte_carlo
from skcvae.inference.posterior_collapse import kl_by_unit
from skcvae.likelihoods import Bernoulli
from skcvae.model import PriorNetwork
from skcvae.networks.convolutions import Convolution
from skcvae.networks.top_down import START, ResidualBlock, Scale
from skcvae.objectives import ELBO, IWAE, Hybrid
from skcvae.priors import Gaussian, GaussianProcess, Mixture
from skcvae.random import drawing_from, generator
from skcvae.specification import Specification

N = 4
SHAPES = {"image": (6, 5), "vector": (3,)}
QUICK = {"likelihood": "bernoulli", "max_epochs": 2, "random_state": 0, "n_score_samples": 5}

each_x = pytest.mark.parametrize("x_shape", SHAPES.values(), ids=SHAPES)


def conv(n_scales, size=(6, 5), **params):
    made = Conv((3, 4, 5, 6), activation="tanh", n_latent_scales=n_scales, **params)
    return made.resolve(10, size, size)


def model(n_scales, x_shape=(6, 5), latent_dim=2, prior=None, seed=0):
    """Return an untrained model in float64, with larger weights than it starts with."""
    built = new_model(conv(n_scales), x_shape, latent_dim, prior, seed)
    for scale in built.modules():
        if isinstance(scale, Scale):
            for weight in (*scale.block.second.parameters(), *scale.readout.parameters()):
                weight.data.div_(START)
    for weight in built.parameters():
        weight.data.mul_(1.5)
    return built.double()


def new_model(made, x_shape=(6, 5), latent_dim=2, prior=None, seed=0):
    y_shape = made.image_size
    parts = {
        "prior": prior or Gaussian(min_scale=0.3),
        "latent_shape": made.latent_shape(latent_dim, y_shape),
    }
    codings = Scaling.identity(x_shape), Scaling.identity(y_shape)
    with drawing_from(generator(seed)):
        return Specification(made, Bernoulli(), *codings, recognition=True, **parts).build()


def rows(x_shape=(6, 5), n=N, seed=1):
    source = generator(seed)
    x = torch.randn(n, *x_shape, generator=source, dtype=torch.float64)
    return x, torch.rand(n, 6, 5, generator=source, dtype=torch.float64)


def normal(*shape, seed=2):
    return torch.randn(shape, generator=generator(seed), dtype=torch.float64)


# Shapes, and what depends on what.


@pytest.mark.parametrize("size", [(6, 5), (32, 32), (17, 40), (128, 128)], ids=str)
def test_maps_halve_from_scale_to_scale_and_none_is_longer_than_eight(size):
    for n_scales in (1, 2, 3):
        made = Conv(n_latent_scales=n_scales).resolve(10, size, size)
        sizes = made.latent_sizes()
        assert len(sizes) == n_scales and max(sizes[-1]) <= 8
        for coarse, fine in itertools.pairwise(sizes):
            assert coarse == tuple(math.ceil(side / 2) for side in fine)
        assert math.prod(made.latent_shape(3, size)) == 3 * sum(map(math.prod, sizes))
        assert Conv().resolve(10, size, size).latent_sizes() == sizes[-1:]


@each_x
@pytest.mark.parametrize("n_scales", [2, 3])
def test_a_scale_depends_on_all_coarser_ones_and_on_no_finer_one(n_scales, x_shape):
    made, (x, y) = model(n_scales, x_shape), rows(x_shape)
    for p in (made.condition(x).prior, made.recognition(x, y)):
        z = normal(1, N, *p.event_shape).requires_grad_()
        for scale, (gaussian, _) in enumerate(p.given(z)):
            mean, sizes = gaussian.mean.sum(), p.sizes
            grad = torch.zeros_like(z)
            if scale:
                (grad,) = torch.autograd.grad(mean, [z], retain_graph=True)
            reached = [part.abs().sum() > 0 for part in grad.split(sizes, -1)]
            assert reached == [True] * scale + [False] * (n_scales - scale)


@each_x
def test_every_weight_is_reached_and_every_scale_reaches_y(x_shape):
    made, (x, y) = model(3, x_shape), rows(x_shape)
    q, given = made.recognition(x, y), made.condition(x)
    z = reparameterize(q, normal(7, N, *made.noise_shape))
    z.retain_grad()
    (given.likelihood(z).log_prob(y).sum() - divergence(q, given.prior, z).sum()).backward()
    assert all(weight.grad.abs().sum() > 0 for weight in made.parameters())
    assert all(part.abs().sum() > 0 for part in z.grad.split(q.sizes, -1))


@each_x
@torch.no_grad()
def test_every_scale_starts_near_the_standard_normal_with_y_or_without(x_shape):
    made, (x, y) = new_model(conv(3), x_shape, prior=Gaussian()).double(), rows(x_shape)
    q, given = made.recognition(x, y), made.condition(x)
    z = reparameterize(q, normal(7, N, *made.noise_shape))
    assert (divergence(q, given.prior, z) < 0.01).all()
    standard = torch.distributions.Normal(0.0, 1.0).log_prob(z).sum((-1, -2))
    torch.testing.assert_close(q.log_prob(z), standard, rtol=0, atol=0.3)


@torch.no_grad()
def test_features_of_a_new_network_keep_their_size_through_many_scales():
    architecture = Conv((16, 32, 32, 32, 32), n_latent_scales=4)
    made = new_model(architecture.resolve(10, (32, 32), (32, 32)), (32, 32), prior=Gaussian())
    source = generator(1)
    x, y = torch.randn(16, 32, 32, generator=source), torch.rand(16, 32, 32, generator=source)
    sizes = []
    for layer in made.modules():
        if isinstance(layer, (ResidualBlock, Convolution)):
            layer.register_forward_hook(lambda layer, x, h: sizes.append(h.std().item()))
    z = reparameterize(
        made.recognition(x, y), torch.randn(3, 16, *made.noise_shape, generator=source)
    )
    made.condition(x).prior.log_prob(z)
    made.condition(x).likelihood(z)
    assert max(sizes) < 5


def test_one_scale_is_the_model_of_one_map():
    one, plain = model(1), Conv((3, 4, 5, 6), activation="tanh").resolve(10, (6, 5), (6, 5))
    assert one.noise_shape == plain.latent_shape(2, (6, 5)) == (2, 1, 1)
    x = rows()[0]
    assert not isinstance(one.condition(x).prior, HierarchicalGaussian)
    fits = []
    for n_scales in ({}, {"n_latent_scales": 1}):
        images = x.numpy(), (x > 0).numpy().astype(int)
        est = CVAERegressor(architecture=Conv((3, 4), **n_scales), early_stopping=False, **QUICK)
        fits.append(est.fit(*images))
    first, second = fits
    assert first.history_[:, "train_loss"] == second.history_[:, "train_loss"]
    assert not [name for name in first.history_[-1] if "scale" in name]


def test_a_hierarchy_of_one_gaussian_is_that_gaussian():
    numbers = normal(N, 2, 3, 4)
    gaussian = DiagonalGaussian((3, 4))(numbers)
    other = DiagonalGaussian((3, 4))(numbers + 0.3)
    whole, of_other = (
        HierarchicalGaussian([lambda state, z, g=g: (None, g)], [4]) for g in (gaussian, other)
    )
    z = reparameterize(gaussian, normal(7, N, 3, 4))
    torch.testing.assert_close(reparameterize(whole, normal(7, N, 3, 4)), z)
    torch.testing.assert_close(whole.log_prob(z), gaussian.log_prob(z))
    torch.testing.assert_close(whole.mean, gaussian.mean)
    torch.testing.assert_close(whole.stddev, gaussian.stddev)
    expected = kl_divergence(gaussian, other)
    torch.testing.assert_close(divergence(whole, of_other, z)[:, 0], expected)


# Densities, draws and divergences.


@each_x
@torch.no_grad()
def test_draws_have_the_density(x_shape):
    made, (x, y) = model(3, x_shape), rows(x_shape)
    other, _ = rows(x_shape, seed=5)
    pairs = [
        (made.condition(x).prior, made.condition(0.8 * x + 0.2 * other).prior),
        (made.recognition(x, y), made.recognition(0.8 * x + 0.2 * other, y)),
    ]
    for p, q in pairs:
        z = reparameterize(p, normal(4000, N, *p.event_shape))
        # E_p[q/p] = 1 for any density q; of draws of another density than p it is not.
        ratio = (q.log_prob(z) - p.log_prob(z)).exp()
        assert ((ratio.mean(0) - 1).abs() < 4 * ratio.std(0) / math.sqrt(len(z))).all()
        assert (ratio.std(0) > 0.01).all()
        for gaussian, part in p.given(z):
            standard = ((part - gaussian.mean) / gaussian.stddev)[:, 0].flatten()
            assert kstest(standard, "norm").pvalue > 1e-3


@torch.no_grad()
def test_the_density_integrates_to_one():
    architecture = Conv((3, 4, 5), n_latent_scales=2, activation="tanh", image_size=(1, 4))
    made = architecture.resolve(10, (3,), (1, 4))
    assert made.latent_sizes() == [(1, 1), (1, 2)]
    gaussian = Gaussian(min_scale=0.3).build(made.latent_shape(1, (1, 4)))
    specification = Specification(
        made, Bernoulli(), Scaling.identity((3,)), Scaling.identity((1, 4)),
        prior=Gaussian(min_scale=0.3), latent_shape=gaussian.noise_shape, recognition=True,
    )  # fmt: skip
    with drawing_from(generator(0)):
        built = specification.build()
    assert isinstance(built.prior, PriorNetwork)
    p = built.double().condition(normal(N, 3)).prior
    eps = normal(40_000, N, 1, 3)
    wide = torch.distributions.Normal(0.0, 3.0)
    ratio = (p.log_prob(3 * eps) - wide.log_prob(3 * eps).sum((-1, -2))).exp()
    error = ratio.std(0) / math.sqrt(len(eps))
    assert (error < 0.02).all() and ((ratio.mean(0) - 1).abs() < 4 * error).all()


@torch.no_grad()
def test_the_kl_terms_of_the_scales_sum_to_the_divergence():
    made, (x, y) = model(3), rows()
    q, p = made.recognition(x, y), made.condition(x).prior
    z = reparameterize(q, normal(5000, N, *made.noise_shape))
    by_scale, gap = divergence(q, p, z), q.log_prob(z) - p.log_prob(z)
    assert by_scale.shape == (N, 3) and (by_scale > 0).all()
    error = gap.std(0) / math.sqrt(len(gap))
    assert ((by_scale.sum(1) - gap.mean(0)).abs() < 4 * error).all()
    # Less noise than the log ratios have: each term is exact given the coarser scales.
    of_one_draw = torch.stack([divergence(q, p, one[None]).sum(1) for one in z[:300]])
    assert (of_one_draw.std(0) < gap.std(0)).all()


def test_the_divergence_of_a_draw_is_that_of_its_value():
    made, (x, y) = model(3), rows()
    q, p = made.recognition(x, y), made.condition(x).prior
    z = reparameterize(q, normal(5, N, *made.noise_shape))
    of_draw, of_value = divergence(q, p, z), divergence(q, p, z.clone())
    torch.testing.assert_close(of_draw, of_value)
    torch.testing.assert_close(gradients(of_draw, made), gradients(of_value, made))
    reparameterize(q, normal(5, N, *made.noise_shape, seed=3))
    torch.testing.assert_close(divergence(q, p, z), of_value)


@torch.no_grad()
def test_the_terms_of_units_are_those_of_their_scale():
    made, (x, y) = model(3), rows()
    q, p = made.recognition(x, y), made.condition(x).prior
    units = kl_by_unit(made, x, y)
    assert units.shape == (N, math.prod(made.noise_shape)) and (units >= 0).all()
    at_the_means = divergence(q, p, q.mean[None])
    torch.testing.assert_close(units.sum(1), at_the_means.sum(1))


def test_zero_noise_is_the_mean_at_every_scale():
    made, (x, y) = model(3), rows()
    for p in (made.condition(x).prior, made.recognition(x, y)):
        zero = torch.zeros(1, 1, *p.event_shape, dtype=torch.float64)
        torch.testing.assert_close(reparameterize(p, zero)[0], p.mean)
        shared = reparameterize(p, normal(5, 1, *p.event_shape))
        assert shared.shape == (5, N, *p.event_shape)


@torch.no_grad()
def test_the_score_is_at_least_the_bound_and_does_not_depend_on_the_proposal():
    made, (x, y) = model(2), rows(n=2)
    noise = normal(4000, 2, *made.noise_shape)
    found, effective = importance_sampling(made, x, y, [noise])
    bound = ELBO().bound(made, made.condition(x), x, y, noise)
    assert (found >= bound.reconstruction - bound.total_kl).all()
    of_half = importance_sampling(made, x, y, [noise[:2000]]).effective_sample_size
    assert (effective > 20).all() and (effective / of_half).mean() > 1.5
    defensive = importance_sampling(made, x, y, [noise], n_draws=len(noise)).log_prob
    expected = monte_carlo(made, x, y, [normal(40_000, 2, *made.noise_shape, seed=3)]).log_prob
    torch.testing.assert_close(defensive, expected, atol=0.05, rtol=0)
    torch.testing.assert_close(found, expected, atol=0.2, rtol=0)


# Objectives.


def bound_of(objective, made, x, y, noise):
    return objective.bound(made, made.condition(x), x, y, noise)


def gradients(value, made):
    weights = [*made.recognition.parameters()]
    found = torch.autograd.grad(value.sum(), weights, retain_graph=True)
    return torch.cat([part.flatten() for part in found])


def test_a_detached_density_has_the_gradient_of_the_value_alone():
    made, (x, y) = model(3), rows()
    q = made.recognition(x, y)
    z = normal(5, N, *made.noise_shape).requires_grad_()
    log_q = detached(q).log_prob(z)
    torch.testing.assert_close(log_q, q.log_prob(z))
    torch.testing.assert_close(
        *(
            torch.autograd.grad(part.sum(), [z], retain_graph=True)
            for part in (log_q, q.log_prob(z))
        )
    )
    of_weights = gradients(log_q, made)
    assert of_weights.abs().max() < 1e-10 < gradients(q.log_prob(z), made).abs().max()


def test_the_importance_weighted_bound_of_one_draw_has_the_gradient_of_the_elbo():
    made, (x, y) = model(2), rows(n=1)
    many = 3000
    x, y = (part.expand(many, *part.shape[1:]) for part in (x, y))
    noise = normal(1, many, *made.noise_shape)
    of_iwae, of_elbo = (
        gradients(b.reconstruction - b.total_kl, made) / many
        for b in (bound_of(objective, made, x, y, noise) for objective in (IWAE(), ELBO()))
    )
    cosine = torch.nn.functional.cosine_similarity(of_iwae, of_elbo, 0)
    assert cosine > 0.9 and (of_iwae.norm() / of_elbo.norm() - 1).abs() < 0.2


def test_objectives_have_a_kl_term_for_each_scale():
    made, (x, y) = model(3), rows()
    noise = normal(4, N, *made.noise_shape)
    expected = bound_of(ELBO(), made, x, y, noise).kl
    assert expected.shape == (N, 3)
    torch.testing.assert_close(bound_of(IWAE(), made, x, y, noise).kl, expected)
    of_both = bound_of(Hybrid(0.3), made, x, y, torch.cat([noise, noise])).kl
    torch.testing.assert_close(of_both, 0.3 * expected)


@pytest.mark.parametrize("n_scales", [1, 3])
def test_free_nats_take_the_gradient_of_small_terms_alone(n_scales):
    made, (x, y) = model(n_scales), rows()
    noise = normal(4, N, *made.noise_shape)
    plain = bound_of(ELBO(), made, x, y, noise)
    terms = plain.kl.reshape(N, -1)
    free = terms.mean(0).min().item() + 1e-6  # the smallest term is free
    found = bound_of(ELBO(free), made, x, y, noise)
    torch.testing.assert_close(found.kl, plain.kl)
    costly = terms[:, terms.mean(0) > free]
    assert costly.shape[1] == n_scales - 1
    got = gradients(found.kl, made)
    torch.testing.assert_close(got, gradients(costly, made) if n_scales > 1 else 0 * got)


# Estimators.


@functools.cache
def images(n=40):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 8, 8))
    return X, (X + rng.normal(size=X.shape) > 0).astype(int)


@pytest.mark.parametrize(
    "kind",
    [CVAERegressor, functools.partial(HybridStructuredPredictor, 0.4)],
    ids=["cvae", "both"],
)
def test_the_history_has_the_kl_of_each_scale(kind):
    est = kind(architecture=Conv((4, 6, 8, 8), n_latent_scales=3), **QUICK).fit(*images())
    for row, prefix in itertools.product(est.history_, ("train", "valid")):
        by_scale = [row[f"{prefix}_kl_scale_{scale}"] for scale in (1, 2, 3)]
        assert sum(by_scale) == pytest.approx(row[f"{prefix}_kl"]) and min(by_scale) > 0
        assert f"{prefix}_kl_scale_4" not in row
    assert "valid_active_units" in est.history_[-1]
    loss = est.history_[-1, "train_reconstruction"]
    warm = est.net_.criterion_.kl_weight
    expected = warm * est.history_[-1, "train_kl"] - loss
    assert est.history_[-1, "train_loss"] == pytest.approx(expected)


def test_draws_from_the_prior_alone_train_a_hierarchy():
    est = GSNNRegressor(architecture=Conv((4, 6, 8), n_latent_scales=2), **QUICK).fit(*images())
    assert est.latent_shape_ == (4, 4 + 16) and np.isfinite(est.score(*images()))
    assert not [name for name in est.history_[-1] if "scale" in name]


REFUSED = {
    "a mixture": ({"prior": Mixture(2)}, "prior='gaussian'"),
    "standard": ({"prior": "standard"}, "prior='gaussian'"),
    "a process": ({"prior": GaussianProcess(RBF())}, "prior='gaussian'"),
    "too few levels": ({"architecture": Conv((4, 6), n_latent_scales=2)}, "got 1, levels"),
    "too small": ({"architecture": Conv(n_latent_scales=4)}, "expects as many sizes"),
    "none": ({"architecture": Conv(n_latent_scales=0)}, "n_latent_scales"),
    "negative": ({"objective": ELBO(-1.0)}, "free_nats"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_is_refused(case):
    params, message = REFUSED[case]
    est = CVAERegressor(**{"architecture": Conv(n_latent_scales=2), **QUICK, **params})
    with pytest.raises(ValueError, match=message):
        est.fit(*images())
    assert not [name for name in vars(est) if name.endswith("_")]


def test_vectors_and_densities_of_images_alone_are_refused():
    X, y = images()
    scales = Conv((4, 6, 8), n_latent_scales=2)
    message = "images in y given X, got rows of 8 numbers.* y_shape if .* or n_latent_scales=1"
    with pytest.raises(ValueError, match=message):
        CVAERegressor(architecture=scales, **QUICK).fit(X, y[:, 0])
    message = "n_latent_scales=2 is .* given inputs.* a vector: expected n_latent_scales=1.$"
    for kind in (VAE, Autoencoder):
        for rows, shape in ((X, None), (X.reshape(len(X), -1), X.shape[1:])):
            with pytest.raises(ValueError, match=message):
                kind(architecture=scales, x_shape=shape).fit(rows)


# A coarse bit and many local ones.


def cells(n, seed):
    """Return twelve independent cells, and four in the corners that are all on or all off."""
    rng = np.random.default_rng(seed)
    on = rng.integers(0, 2, (n, 4, 4))
    on[:, ::3, ::3] = on[:, :1, :1]
    return rng.normal(size=(n, 1)), np.kron(on, np.ones((1, 2, 2), int))


@functools.cache
def of_cells(channels, n_scales, free_nats):
    architecture = Conv(channels, n_latent_scales=n_scales, linear_features=False)
    est = CVAERegressor(
        architecture=architecture, likelihood="bernoulli", latent_dim=2,
        objective=ELBO(free_nats), max_epochs=14, batch_size=32, lr=3e-3,
        early_stopping=False, random_state=1, device="cpu",
    )  # fmt: skip
    return est.fit(*cells(600, 0))


one_scale = functools.partial(of_cells, (8, 16), 1, 0.0)
three_scales = functools.partial(of_cells, (8, 16, 16, 16), 3)


def share_of_like_corners(est):
    draws = est.sample(cells(100, 1)[0], 20, random_state=0, observation_noise=False)
    corners = (draws[..., ::6, ::6] > 0.5).sum((-1, -2))
    return np.isin(corners, (0, 4)).mean()


def test_a_coarse_scale_ties_together_what_is_far_apart():
    one, three = one_scale(), three_scales(0.5)
    # An eighth by chance.
    assert share_of_like_corners(one) < 0.3 < 0.5 < share_of_like_corners(three)
    assert three.score(*cells(100, 1)) > one.score(*cells(100, 1))


def test_free_nats_keep_the_coarse_scales_alive_where_they_die_without():
    without, free = three_scales(0.0), three_scales(0.5)
    kl = [[est.history_[-1, f"train_kl_scale_{i}"] for i in (1, 2, 3)] for est in (without, free)]
    (*of_dead, _), (*of_alive, _) = kl
    assert max(of_dead) < 0.3 and min(of_alive) > 0.4
    assert share_of_like_corners(without) < 0.3
