"""Laws of features that are linear in the inputs, beside those of convolutions."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal
from sklearn.base import clone
from sklearn.metrics import r2_score

from skcvae import VAE, Autoencoder, CVAERegressor, NNRegressor
from skcvae.architectures import Conv, Temporal
from skcvae.likelihoods import Gaussian
from skcvae.networks.linear_features import LinearFeatures

NO_STEP = {"max_epochs": 1, "lr": 1e-12, "random_state": 0, "n_score_samples": 200}
SIZE = (6, 5)
SHAPES = [SIZE, (2, *SIZE), (2, 3, *SIZE), (4,)]
BATCHES = [(5,), (1,), (7, 5)]

each_batch = pytest.mark.parametrize("batch", BATCHES, ids=str)
each_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)


def resolved(y_shape=SIZE, **params):
    conv = Conv((4, 6), activation="tanh", **params)
    return conv.resolve(10, SIZE, y_shape)


def randomised(network):
    """Return a network whose linear features are not zero."""
    for layer in network.shortcut:
        layer.reset_parameters()
    return network


# Networks.


@each_batch
@each_shape
@pytest.mark.parametrize("y_shape", SHAPES, ids=str)
def test_networks_give_the_shapes_they_announce(shape, y_shape, batch):
    conv = resolved(y_shape)
    latent_shape = conv.latent_shape("auto", y_shape)
    x, y, z = (torch.randn(*batch, *part) for part in (shape, y_shape, latent_shape))
    encoder, decoder = conv.encoder(shape, y_shape), conv.decoder(y_shape, shape, latent_shape)
    baseline = conv.decoder(y_shape, shape)
    n_scales = len(baseline.network.level_shapes)
    found = [encoder(x, y), decoder.given(x)(z), *baseline.scales(x, n_scales)]
    announced = [encoder.out_shape, decoder.out_shape, *baseline.scale_shapes(n_scales)]
    assert [h.shape for h in found] == [(*batch, *shape) for shape in announced]


@each_shape
@pytest.mark.parametrize("y_shape", [SIZE, (3,)], ids=str)
def test_all_draws_at_once_are_each_draw_alone_and_x_enters_once(shape, y_shape):
    conv = resolved(y_shape)
    latent_shape = conv.latent_shape(3, y_shape)
    decoder = randomised(conv.decoder(y_shape, shape, latent_shape))
    x, z = torch.randn(5, *shape), torch.randn(7, 5, *latent_shape)
    of_z = decoder.given(x)
    torch.testing.assert_close(of_z(z), torch.stack([decoder.given(x)(one) for one in z]))
    calls = []
    decoder.shortcut[0].register_forward_hook(lambda *args: calls.append("x"))
    of_z(z)
    assert not calls


@each_shape
def test_the_last_channels_are_linear_in_every_number_and_start_at_zero(shape):
    encoder = resolved().encoder(shape, SIZE)

    def linear(x, y):
        return encoder(x, y)[..., encoder.n_hidden :, :, :]

    x, y = torch.randn(9, *shape), torch.randn(9, *SIZE)
    assert (linear(x, y) == 0).all()
    randomised(encoder)
    at_zero = linear(0 * x, 0 * y)
    torch.testing.assert_close(linear(3 * x, 3 * y) - at_zero, 3 * (linear(x, y) - at_zero))
    for i in range(x[0].numel()):
        moved = x.clone()
        moved.flatten(1)[:, i] += 1
        assert (linear(moved, y) != linear(x, y)).any()


@pytest.mark.parametrize("x_shape", [(6,), SIZE, ()], ids=str)
@pytest.mark.parametrize("y_shape", [(3, *SIZE), (3,)], ids=str)
@pytest.mark.parametrize("n_locations", [1, 2])
def test_networks_start_at_a_given_affine_map(x_shape, y_shape, n_locations):
    conv, size, gen = resolved(y_shape), math.prod(y_shape), torch.Generator().manual_seed(0)
    latent_shape = conv.latent_shape("auto", y_shape)
    shapes = [shape for shape in (x_shape, latent_shape) if shape]
    maps = [torch.randn(size, math.prod(shape), generator=gen) for shape in shapes]
    level = torch.randn(size, generator=gen)
    trunk = randomised(conv.decoder(y_shape, x_shape or None, latent_shape))
    head = conv.head(trunk.out_shape, (n_locations + 1, *y_shape))
    LinearFeatures.set_affine(head, {trunk: maps}, level, n_locations=n_locations)
    x, z = (torch.randn(4, *shape, generator=gen) for shape in (x_shape, latent_shape))
    found = head(trunk.given(x if x_shape else None)(z))
    inputs = [x, z] if x_shape else [z]
    expected = sum(v.flatten(1) @ m.T for v, m in zip(inputs, maps, strict=True)) + level
    for i in range(n_locations):
        torch.testing.assert_close(found[:, i].flatten(1), expected, rtol=1e-4, atol=1e-4)
    assert (found[:, n_locations] == 0).all()


# Where there are any.


@pytest.mark.parametrize(
    ("x_shape", "y_shape", "found"),
    [
        ((28, 28), (28, 28), True),
        ((5,), (40, 40), True),
        ((40, 40), (5,), True),
        ((), (28, 28), True),
        ((32, 32), (32, 32), False),
        ((8, 8), (16, 16), False),
        ((3, 64, 64), (5,), False),
    ],
)
def test_small_images_that_are_not_resized_have_linear_features(x_shape, y_shape, found):
    assert Conv().resolve(10, x_shape, y_shape).linear_features == found
    assert not Conv(linear_features=False).resolve(10, x_shape, y_shape).linear_features
    deep = Conv(n_latent_scales=2).resolve(10, x_shape, y_shape)
    assert not deep.linear_features


def test_linear_features_can_be_asked_for_where_they_are_possible():
    assert Conv(linear_features=True).resolve(10, (64, 64), (64, 64)).linear_features
    for conv, x_shape in ((Conv(n_latent_scales=2), (16, 16)), (Conv(), (8, 8))):
        conv.set_params(linear_features=True)
        with pytest.raises(ValueError, match="linear_features=True expects images of the size"):
            conv.resolve(10, x_shape, (16, 16))


# The start of training.


def noisy(n_rows, n_outputs):
    """Return inputs (n, 4), their effects and correlated noise (n, n_outputs), and its law."""
    gen = np.random.default_rng(0)
    mixing = np.tril(gen.normal(size=(n_outputs, n_outputs)), -1) / np.sqrt(n_outputs)
    mixing += np.eye(n_outputs)
    x, noise = gen.normal(size=(n_rows, 4)), gen.normal(size=(n_rows, n_outputs)) @ mixing.T
    effect = x @ gen.normal(size=(4, n_outputs)) + 0.5 * np.arange(n_outputs)
    return x, effect, noise, multivariate_normal(
        np.zeros(n_outputs), mixing @ mixing.T
    )  # fmt: skip


SEQUENCES, IMAGES = Temporal(4), Conv((4, 6))


@pytest.mark.parametrize(
    ("architecture", "x_shape", "y_shape", "params"),
    [
        (SEQUENCES, (4,), (3, 1), {}),
        (SEQUENCES, (4,), (3, 2), {"initial_guess": True}),
        (SEQUENCES, (4,), (3, 2), {"likelihood": "gaussian_mixture"}),
        (SEQUENCES, (2, 2), (3, 1), {}),
        (SEQUENCES, (2, 2), (3, 2), {"initial_guess": True, "partial_y": True}),
        (SEQUENCES, (2, 2), (3,), {"likelihood": "gaussian"}),
        (SEQUENCES, (2, 2), (3,), {"likelihood": "gaussian_mixture", "latent_dim": 5}),
        (SEQUENCES, (2, 2), (3,), {"likelihood": "multivariate_gaussian"}),
        (IMAGES, (4,), (4, 4), {}),
        (IMAGES, (4,), (1, 3, 4), {"initial_guess": True}),
        (IMAGES, (4,), (2, 2), {"likelihood": "gaussian_mixture"}),
        (IMAGES, (2, 2), (2, 2), {"likelihood": Gaussian(heteroscedastic=True)}),
        (IMAGES, (2, 2), (2, 2), {"initial_guess": True}),
        (IMAGES, (2, 2), (3,), {"likelihood": "gaussian", "partial_y": True}),
        (IMAGES, (2, 2), (3,), {"likelihood": "gaussian_mixture", "latent_dim": 4}),
        (IMAGES, (2, 2), (3,), {"likelihood": "multivariate_gaussian"}),
    ],
    ids=str,
)
def test_training_starts_at_least_squares(architecture, x_shape, y_shape, params):
    x, effect, noise, law = noisy(3000, math.prod(y_shape))
    x, y = x.reshape(-1, *x_shape), (effect + noise).reshape(-1, *y_shape)
    est = CVAERegressor(architecture=architecture, **params, **NO_STEP).fit(x[:2000], y[:2000])
    assert est.score(x[2000:], y[2000:]) == pytest.approx(
        law.logpdf(noise[2000:]).mean(), abs=0.05
    )


def test_a_vae_of_images_starts_at_its_principal_components():
    _, _, noise, law = noisy(3000, 16)
    y = noise.reshape(-1, 4, 4)
    vae = VAE(n_components=15, architecture=IMAGES, **NO_STEP).fit(y[:2000])
    assert vae.score(y[2000:]) == pytest.approx(law.logpdf(noise[2000:]).mean(), abs=0.1)


@pytest.mark.parametrize("has_features", [True, False])
@pytest.mark.parametrize(
    ("architecture", "name", "shape"),
    [(SEQUENCES, "shortcut", (3, 1)), (IMAGES, "linear_features", (1, 2, 2))],
)
def test_without_linear_features_training_starts_at_random(
    architecture, name, shape, has_features
):
    x, effect, noise, _ = noisy(500, math.prod(shape))
    architecture = clone(architecture).set_params(**{name: has_features})
    y = (effect + 0.1 * noise).reshape(-1, *shape)
    est = NNRegressor(architecture=architecture, **NO_STEP).fit(x, y)
    assert ("start_cll" in est.history_[0]) == has_features
    assert not has_features or r2_score(y.reshape(500, -1), est.predict(x).reshape(500, -1)) > 0.9


@pytest.mark.parametrize("likelihood", ["bernoulli", "categorical"])
def test_networks_of_labels_start_at_random(likelihood):
    x, y, _, _ = noisy(300, 16)
    est = NNRegressor(architecture=IMAGES, likelihood=likelihood, **NO_STEP)
    est.fit(x, (y > 0).astype(int).reshape(-1, 4, 4))
    assert "start_cll" not in est.history_[0]


# Fits.


@pytest.mark.parametrize(("x_shape", "y_shape"), [((4,), (8, 8)), ((8, 8), (8, 8))], ids=str)
def test_a_linear_relation_is_found_from_few_images(x_shape, y_shape):
    gen = np.random.default_rng(0)
    x = gen.normal(size=(200, *x_shape))
    coef = gen.normal(size=(math.prod(x_shape), 64)) / 2
    y = x.reshape(200, -1) @ coef + gen.normal(size=(200, 1)) + 0.2 * gen.normal(size=(200, 64))
    law = multivariate_normal(cov=np.ones((64, 64)) + 0.04 * np.eye(64))
    y = y.reshape(-1, *y_shape)
    est = CVAERegressor(architecture="conv", max_epochs=5, random_state=0).fit(x[:150], y[:150])
    expected = law.logpdf(y[150:].reshape(50, -1) - x[150:].reshape(50, -1) @ coef).mean()
    n_coefs = math.prod(x_shape) / 150  # each costs half a nat of each output
    assert est.score(x[150:], y[150:]) > expected - 64 * (0.1 + 1.5 * n_coefs)


@pytest.mark.parametrize("pretraining", [None, "stacked"])
def test_autoencoders_have_none(pretraining):
    x = np.random.default_rng(0).normal(size=(60, 8, 8))
    architecture = Conv((4, 6), linear_features=True)
    params = {"architecture": architecture, "pretraining": pretraining, "max_epochs": 2}
    est = Autoencoder(3, **params, random_state=0).fit(x)
    assert not any(isinstance(part, LinearFeatures) for part in est.net_.module_.modules())
    assert est.transform(x).shape == (60, 3)


def test_the_torch_module_is_exported_for_any_number_of_rows():
    x, effect, noise, _ = noisy(60, 16)
    y = (effect + noise).reshape(-1, 4, 4)
    module = CVAERegressor(architecture=IMAGES, **NO_STEP).fit(x, y).to_torch()
    rows, given = ({0: torch.export.Dim("rows")}, None), torch.tensor(x)
    program = torch.export.export(module, (given, None), dynamic_shapes=rows)
    for n_rows in (2, 60):
        found, expected = program.module()(given[:n_rows], None), module(given[:n_rows], None)
        torch.testing.assert_close(found, expected)
