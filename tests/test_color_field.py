"""Laws of images with correlated noise, and of weights by the rarity of colours."""

import math
import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.decomposition import PCA
from torch.distributions import MultivariateNormal

import skcvae
from skcvae import VAE, CVAERegressor, NNRegressor
from skcvae.architectures import Conv
from skcvae.data.coding import Scaling
from skcvae.data.field import FieldStatistics
from skcvae.distributions import FieldGaussian
from skcvae.likelihoods import ColorField, Gaussian
from skcvae.random import drawing_from, generator

SHAPES = [(2, 4, 3), (3, 2, 5), (4, 3), (1, 1, 2)]
TERMS = {
    "all": {"l2": 0.7, "mahalanobis": 2.0, "gradient": 0.5},
    "squared error": {"mahalanobis": 0.0, "gradient": 0.0},
    "components": {"l2": 0.0, "gradient": 0.0},
    "gradients": {"l2": 0.3, "mahalanobis": 0.0, "gradient": 3.0},
}

each_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)
each_terms = pytest.mark.parametrize("terms", TERMS)


def images(shape, n=300, seed=0):
    """Return images whose pixels are correlated, and whose values are not symmetric."""
    rng = np.random.default_rng(seed)
    return np.exp(0.3 * rng.normal(size=(n, *shape)).cumsum(-1).cumsum(-2))


def likelihood(terms="all", y=None, shape=SHAPES[0], **params):
    """Return a likelihood with the statistics of images."""
    made = ColorField(**{"n_components": 3, **TERMS[terms], **params})
    made.fit_coding(images(shape) if y is None else y)
    return made


def built(made, shape=SHAPES[0], seed=1):
    """Return a module, and parameters and scales at random, all float64."""
    module = made.build(shape)
    for part in module.modules():
        for name, buffer in part.named_buffers(recurse=False):
            setattr(part, name, buffer.double())
    module = module.double().eval()
    source = generator(seed)
    module.scales.raw_scale.data += 0.3 * torch.randn(shape, generator=source, dtype=torch.float64)
    parameters = torch.randn(module.parameter_shape, generator=source, dtype=torch.float64)
    return module, parameters


def dense_precision(made, shape):
    """Return the precision by its terms, one row and one difference at a time."""
    statistics = made.statistics
    n_rows, size = len(statistics.variances), math.prod(shape)
    P = statistics.components.reshape(n_rows, size).T
    ratio = statistics.variances[-1] / statistics.variances
    M = np.eye(size) - P @ P.T + (P * ratio) @ P.T
    number = np.arange(size).reshape(shape)
    L = np.zeros((size, size))
    for axis in (-1, -2):
        one = number.take(range(shape[axis] - 1), axis).ravel()
        other = number.take(range(1, shape[axis]), axis).ravel()
        difference = np.eye(size)[other] - np.eye(size)[one]
        L += difference.T @ difference
    precision = made.l2 * np.eye(size) + made.mahalanobis * M + made.gradient * L
    return precision * math.exp(-np.linalg.slogdet(precision)[1] / size)


def dense(made, shape, p):
    """Return the same distribution of flat images as torch's."""
    scale = p.scale.reshape(-1, math.prod(shape))[0]
    precision = torch.tensor(dense_precision(made, shape)) / torch.outer(scale, scale)
    return MultivariateNormal(p.mean.flatten(), precision_matrix=precision)


@each_shape
@each_terms
def test_the_density_is_that_of_the_dense_precision(shape, terms):
    made = likelihood(terms, shape=shape)
    module, parameters = built(made, shape)
    p = module(parameters)
    y = p.mean + torch.randn(50, *shape, generator=generator(2), dtype=torch.float64)
    expected = dense(made, shape, p)
    torch.testing.assert_close(
        p.log_prob(y), expected.log_prob(y.flatten(1)), rtol=1e-5, atol=1e-4
    )
    torch.testing.assert_close(p.variance.flatten(), expected.variance, rtol=1e-5, atol=1e-7)


@each_terms
def test_draws_have_the_covariance(terms):
    made = likelihood(terms)
    module, parameters = built(made)
    p = module(parameters)
    with drawing_from(generator(3)):
        draws = p.sample((40_000,)).flatten(1)
    expected = dense(made, SHAPES[0], p)
    white = (draws - expected.mean) @ torch.linalg.inv(expected.scale_tril).T
    torch.testing.assert_close(
        torch.cov(white.T), torch.eye(draws.shape[1], dtype=torch.float64), atol=0.04, rtol=0
    )
    torch.testing.assert_close(
        white.mean(0), torch.zeros(draws.shape[1], dtype=torch.float64), atol=0.03, rtol=0
    )


@each_terms
def test_the_density_integrates_to_one(terms):
    shape = (1, 1, 2)
    module, parameters = built(likelihood(terms, shape=shape), shape)
    p = module(parameters)

    (one, other), widest = p.mean.flatten(), 9 * p.stddev.max()
    steps = torch.linspace(-widest, widest, 801, dtype=torch.float64)
    grid = torch.cartesian_prod(one + steps, other + steps)
    mass = p.log_prob(grid.reshape(-1, *shape)).exp().sum() * steps.diff()[0] ** 2
    assert mass.item() == pytest.approx(1, abs=1e-3)


def test_whitening_is_undone_by_coloring():
    module, _ = built(likelihood())
    noise = torch.randn(5, *SHAPES[0], generator=generator(0), dtype=torch.float64)
    torch.testing.assert_close(
        module.noise.whiten(module.noise.color(noise)), noise, rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize("heteroscedastic", [False, True])
def test_with_the_squared_error_alone_it_is_the_gaussian(heteroscedastic):
    params = {"heteroscedastic": heteroscedastic, "init_scale": 0.5}
    made = likelihood("squared error", rarity=0.0, **params)
    plain = Gaussian(**params).build(SHAPES[0])
    field = made.build(SHAPES[0])
    parameters = torch.randn(7, *field.parameter_shape, generator=generator(0))
    y = torch.randn(7, *SHAPES[0], generator=generator(1))
    torch.testing.assert_close(field(parameters).log_prob(y), plain(parameters).log_prob(y))
    torch.testing.assert_close(field(parameters).variance, plain(parameters).variance)


@each_terms
def test_no_density_is_higher_than_the_smallest_scale_allows(terms):
    module, parameters = built(likelihood(terms, min_scale=0.05))
    module.scales.raw_scale.data.fill_(-1e3)
    p = module(parameters)
    highest = -math.prod(SHAPES[0]) * math.log(0.05 * math.sqrt(2 * math.pi))
    assert p.log_prob(p.mean).item() == pytest.approx(highest, abs=1e-3)


def test_the_density_is_of_full_precision_where_products_are_not():
    made = likelihood(rarity=0.0)
    p = made.build(SHAPES[0])(torch.zeros(1, *SHAPES[0]))
    y = torch.randn(5, *SHAPES[0], generator=generator(0))
    with torch.autocast("cpu", torch.bfloat16):
        found = p.log_prob(y)
    torch.testing.assert_close(found, p.log_prob(y))


def test_only_the_ratio_of_the_terms_matters():
    one, other = likelihood(), likelihood()
    other.set_params(**{name: 10 * value for name, value in TERMS["all"].items()})
    (first, parameters), (second, _) = built(one), built(other)
    y = torch.zeros(SHAPES[0], dtype=torch.float64)
    torch.testing.assert_close(first(parameters).log_prob(y), second(parameters).log_prob(y))


# Statistics.


def test_components_are_those_of_principal_component_analysis():
    y = images(SHAPES[0])
    statistics = likelihood(y=y).statistics
    scale = y.std(axis=(0, 2, 3), keepdims=True)
    pca = PCA(3).fit((y / scale).reshape(len(y), -1))
    found = statistics.components.reshape(3, -1)
    np.testing.assert_allclose(np.abs(found @ pca.components_.T), np.eye(3), atol=1e-3)
    # PCA divides by n - 1.
    np.testing.assert_allclose(
        statistics.variances, pca.explained_variance_ * (len(y) - 1) / len(y), rtol=1e-3
    )


def test_a_weight_of_two_is_a_row_twice():
    y, identity = images(SHAPES[0], n=40), Scaling.identity(SHAPES[0])
    weight = np.where(np.arange(40) < 10, 2.0, 1.0)
    weighted = FieldStatistics.fit(y, identity, weight, 2)
    repeated = FieldStatistics.fit(np.concatenate([y, y[:10]]), identity, None, 2)
    np.testing.assert_allclose(weighted.variances, repeated.variances, rtol=1e-4)


@pytest.mark.parametrize("y", [np.ones((5, 2, 4, 3)), images((2, 4, 3), n=1)])
def test_images_without_variation_have_no_components(y):
    made = likelihood(y=y)
    assert len(made.statistics.variances) == 0
    p = made.build(SHAPES[0]).eval()(torch.zeros(1, *SHAPES[0]))
    assert p.log_prob(torch.zeros(SHAPES[0])).isfinite() and p.variance.isfinite().all()


# Weights by rarity.


@each_shape
def test_weights_have_a_mean_of_one_and_rare_values_weigh_more(shape):
    y = images(shape)
    made = likelihood(y=y, shape=shape, rarity=0.9)
    coding = made.fit_coding(y)
    rarity = made.build(shape).rarity
    weights = rarity(coding.to_tensor(y, torch.float32, "cpu"))
    assert weights.mean().item() == pytest.approx(1, abs=1e-4)
    expected = list(shape)
    if len(shape) == 3:
        expected[0] = 1
    assert weights.shape == (len(y), *expected)
    frequencies = torch.tensor(made.statistics.frequencies).ravel()
    order = frequencies[frequencies > 0].argsort()
    by_rarity = rarity.weights[frequencies > 0][order]
    assert (by_rarity.diff() <= 1e-6).all() and by_rarity[0] > 2 * by_rarity[-1]


def test_weights_are_of_training_alone_and_never_of_the_density():
    made = likelihood(rarity=0.9)
    module, parameters = built(made)
    y = images(SHAPES[0], n=5)
    y = made.fit_coding(y).to_tensor(y, torch.float64, "cpu")
    trained, evaluated = module.train()(parameters), module.eval()(parameters)
    assert type(evaluated) is FieldGaussian
    u = (y - trained.mean) / trained.scale
    extra = ((module.rarity(y) - 1) * u.square()).flatten(1).sum(1)
    expected = evaluated.log_prob(y) - 0.5 * module.noise.l2 * extra
    assert (extra.abs() > 1e-3).all()
    torch.testing.assert_close(trained.log_prob(y), expected)
    torch.testing.assert_close(trained.expand((5,)).log_prob(y), expected)


def test_scales_are_fitted_without_the_weights():
    module, parameters = built(likelihood(rarity=0.9))
    y = torch.randn(5, *SHAPES[0], generator=generator(0), dtype=torch.float64)
    gradients = []
    for mode in (True, False):
        loss = module.train(mode)(parameters.requires_grad_()).log_prob(y).sum()
        gradients.append(torch.autograd.grad(loss, [module.scales.raw_scale, parameters]))
    torch.testing.assert_close(gradients[0][0], gradients[1][0])
    assert not torch.allclose(gradients[0][1], gradients[1][1])


# Fitted.

X = np.random.default_rng(1).normal(size=(60, 3))
Y = images((2, 8, 6), n=60)
PARAMS = {"architecture": Conv((4, 6)), "max_epochs": 2, "random_state": 0}


@pytest.fixture(scope="module")
def fitted():
    likelihood = ColorField(gradient=5.0, n_components=3)
    return CVAERegressor(likelihood=likelihood, **PARAMS).fit(X, Y)


def test_the_density_is_in_units_of_y():
    """One scale for all of y changes the log density by its log-Jacobian."""
    one, other = (
        NNRegressor(likelihood=ColorField(), **PARAMS).fit(X, factor * Y) for factor in (1, 8)
    )
    expected = one.log_prob(X, Y) - Y[0].size * math.log(8)
    np.testing.assert_allclose(other.log_prob(X, 8 * Y), expected, rtol=1e-4)


def test_a_file_and_a_pickle_hold_the_statistics(fitted, tmp_path):
    fitted.save(tmp_path / "field.skcvae")
    for again in (skcvae.load(tmp_path / "field.skcvae"), pickle.loads(pickle.dumps(fitted))):
        np.testing.assert_array_equal(again.log_prob(X, Y), fitted.log_prob(X, Y))
        kept = again.specification_.likelihood.statistics
        np.testing.assert_array_equal(
            kept.components, fitted.specification_.likelihood.statistics.components
        )


def test_the_parameter_object_is_not_changed(fitted):
    assert fitted.likelihood.statistics is None
    assert clone(fitted).likelihood.statistics is None


def test_draws_are_more_alike_at_neighbours_than_those_of_independent_noise(fitted):
    noise = fitted.sample(X[:20], 50, random_state=0)
    noise = noise - fitted.predict(X[:20])
    step = np.square(np.diff(noise, axis=-1)).mean() / np.square(noise).mean()
    assert step < 1.5  # 2 where pixels are independent


def test_a_vae_of_images_has_correlated_noise():
    params = {"x_shape": Y.shape[1:], "max_epochs": 2, "random_state": 0}
    vae = VAE(2, likelihood=ColorField(n_components=3), **params).fit(Y)
    assert vae.sample(3, random_state=0).shape == (3, *Y.shape[1:])
    assert np.isfinite(vae.score_samples(Y)).all()


def test_missing_pixels_are_refused(fitted):
    holes = np.where(np.arange(6) < 2, np.nan, Y)
    with pytest.raises(ValueError, match="ColorField expects whole images in y, got NaN"):
        CVAERegressor(likelihood=ColorField(), partial_y=True, **PARAMS).fit(X, holes)
    with pytest.raises(ValueError, match="ColorField expects whole images in y, got NaN"):
        fitted.complete(X, holes)
    np.testing.assert_array_equal(fitted.complete(X, Y, 2), np.stack([Y, Y]))
    with pytest.raises(ValueError, match="partial_y=True marginalises out entries of y, which"):
        CVAERegressor(likelihood=ColorField(), partial_y=True, **PARAMS).fit(X, Y)


def test_numbers_that_are_not_finite_are_left_to_training_to_tell():
    module, parameters = built(likelihood())
    p = module(torch.full_like(parameters, torch.nan))
    assert p.log_prob(torch.zeros(SHAPES[0]).double()).isnan()


@pytest.mark.parametrize(
    ("params", "y", "message"),
    [
        ({"l2": 0.0, "mahalanobis": 0.0}, Y, "positive sum of 'l2' and 'mahalanobis', got l2=0.0"),
        ({"rarity": 1.0}, Y, "The 'rarity' parameter of ColorField"),
        ({"gradient": -1.0}, Y, "The 'gradient' parameter of ColorField"),
        ({"statistics": "a"}, Y, "The 'statistics' parameter of ColorField"),
        ({}, Y.reshape(60, -1), r"rows of y to be images.*got rows of shape \(96,\)"),
        ({}, Y.reshape(60, 4, 4, 6), r"at most 3 channels.*got rows of shape \(4, 4, 6\)"),
    ],
)
def test_bad_input_is_refused_before_training(params, y, message):
    est = NNRegressor(likelihood=ColorField(**params), max_epochs=1)
    with pytest.raises(ValueError, match=message):
        est.fit(X, y)
    assert not hasattr(est, "net_")


def test_statistics_are_those_of_the_shape_of_y():
    made = likelihood()
    with pytest.raises(ValueError, match=r"FieldStatistics of images of shape \(2, 5, 5\)"):
        made.build((2, 5, 5))
    with pytest.raises(ValueError, match="which fit_coding estimates from y. Got None"):
        ColorField().build(SHAPES[0])
    worse = made.statistics._replace(variances=-made.statistics.variances)
    with pytest.raises(ValueError, match="FieldStatistics of images"):
        made.set_params(statistics=worse).build(SHAPES[0])


def test_several_resolutions_are_refused():
    est = NNRegressor(likelihood=ColorField(), n_scales=2, **PARAMS)
    with pytest.raises(ValueError, match="nor have they the statistics of pixels"):
        est.fit(X, Y)
