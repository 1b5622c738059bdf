"""Laws of layered networks, of images with masks, and of the posterior's mode."""

import copy
import itertools

import numpy as np
import pytest
import torch
from sklearn.base import clone

import skcvae
from skcvae import VAE, Autoencoder, CVAERegressor, GSNNRegressor, NNRegressor
from skcvae.architectures import Conv, Layered
from skcvae.inference.partial import given_observed, log_prob_of_observed
from skcvae.likelihoods import (
    Bernoulli,
    Categorical,
    ColorField,
    Columns,
    Gamma,
    Gaussian,
    GaussianMixture,
    Hurdle,
    LogNormal,
    MaskedImage,
    NegativeBinomial,
    Poisson,
    StudentT,
)

N = 12
QUICK = {"max_epochs": 1, "random_state": 0, "n_score_samples": 5, "latent_dim": 8}
rng = np.random.default_rng(0)
X = rng.normal(size=(N, 3))
OTHER = rng.normal(size=(N, 3))
IMAGES = 5 + 3 * rng.normal(size=(N, 2, 8, 6))
MASKS = (rng.random((N, 1, 8, 6)) < 0.5).astype(float)
MASKS[: N // 2] = np.nan
MASKED = {"architecture": Layered((4, 6), mask=True), "partial_y": True}
GREY = {"architecture": Layered((4, 6))}
CASES = {
    "gaussian": ({**GREY}, IMAGES),
    "no shortcut": ({"architecture": Layered((4, 6), shortcut=False)}, IMAGES),
    "grey": ({**GREY}, IMAGES[:, 0]),
    "heteroscedastic": ({**GREY, "likelihood": Gaussian(True)}, IMAGES),
    "student": ({**GREY, "likelihood": "student_t"}, IMAGES),
    "mixture": ({**GREY, "likelihood": "gaussian_mixture"}, IMAGES),
    "counts": ({**GREY, "likelihood": "poisson"}, IMAGES.clip(0).round()),
    "bernoulli": ({**GREY, "likelihood": "bernoulli"}, rng.random((N, 8, 6))),
    "labels": ({**GREY, "likelihood": "categorical"}, rng.integers(0, 3, (N, 8, 6))),
    "resized": ({"architecture": Layered((4, 6), image_size=(5, 7))}, IMAGES),
    "mixture prior": ({**GREY, "prior": "mixture"}, IMAGES),
    "masked": (
        {**MASKED, "likelihood": MaskedImage(Gaussian())},
        np.concatenate([IMAGES, MASKS], axis=1),
    ),
    "masked pixels": (
        {**MASKED, "likelihood": MaskedImage(Bernoulli())},
        np.concatenate([rng.random((N, 1, 8, 6)), MASKS], axis=1),
    ),
}
INDEPENDENT = [
    Gaussian(), Gaussian(True), StudentT(), Bernoulli(), Poisson(), NegativeBinomial(), Gamma(),
    LogNormal(), Hurdle(),
]  # fmt: skip
MEANS = ["gaussian", "no shortcut", "grey", "heteroscedastic", "student", "resized", "masked"]
each = pytest.mark.parametrize("case", CASES)


@pytest.fixture(scope="module")
def fitted():
    """Return fits that tests share and leave as they are, with codes of their rows."""
    found = {}

    def fit(case):
        if case not in found:
            params, y = CASES[case]
            est = CVAERegressor(**params, **QUICK).fit(X, y)
            found[case] = est, est.encode(X, y)
        return found[case]

    return fit


def with_gates(est, factor=1.0, offset=0.0):
    """Return a copy whose gates' logits are scaled and moved."""
    est = copy.deepcopy(est)
    conv = est._fitted.model.output.head.gate.conv.conv
    with torch.no_grad():
        conv.weight.mul_(factor)
        conv.bias.mul_(factor).add_(offset)
    return est


# Layers.


@each
def test_shapes(fitted, case):
    est, z = fitted(case)
    y = CASES[case][1]
    layers = est.decode_layers(X, z)
    assert z.shape == (N, 8)
    assert layers.foreground.shape == layers.background.shape == y.shape
    assert layers.gate.shape == (N, *y.shape[-2:])
    assert 0 < layers.gate.min() < layers.gate.max() < 1
    draws = est.decode_layers(X, np.stack([z, z + 1, z]))
    for several, one in zip(draws, layers, strict=True):
        assert several.shape == (3, *one.shape)
        np.testing.assert_allclose(several[2], one, rtol=1e-4, atol=1e-4)
    assert est.sample(X, 2).shape == (2, *y.shape) and np.isfinite(est.log_prob(X, y)).all()


@each
def test_with_the_gate_at_one_the_image_is_the_foreground_and_at_zero_the_background(fitted, case):
    est, z = fitted(case)
    layers = est.decode_layers(X, z)
    np.testing.assert_array_equal(with_gates(est, 0, 1e4).decode(X, z), layers.foreground)
    np.testing.assert_array_equal(with_gates(est, 0, -1e4).decode(X, z), layers.background)
    assert (layers.foreground != layers.background).any()


@pytest.mark.parametrize("case", MEANS)
def test_means_are_the_foreground_through_the_gate_over_the_background(fitted, case):
    est, z = fitted(case)
    foreground, background, gate = est.decode_layers(X, z)
    gate = gate if foreground.ndim == 3 else gate[:, None]
    np.testing.assert_allclose(
        est.decode(X, z), gate * foreground + (1 - gate) * background, rtol=1e-4, atol=1e-5
    )


@each
def test_x_changes_the_foreground_alone(fitted, case):
    est, z = fitted(case)
    here, there = est.decode_layers(X, z), est.decode_layers(OTHER, z)
    np.testing.assert_array_equal(here.background, there.background)
    assert (here.gate != there.gate).any()
    if case != "labels":
        assert (here.foreground != there.foreground).mean() > 0.3


@pytest.mark.parametrize("case", [case for case in CASES if case != "mixture"])
def test_x_changes_no_pixel_whose_gate_is_zero(fitted, case):
    est, z = fitted(case)
    middle = est.decode_layers(X, z).gate
    logits = np.log(middle / (1 - middle))
    est = with_gates(est, 1e7, -1e7 * np.median(logits))
    y, moved = est.decode(X, z), est.decode(OTHER, z)
    shut = (est.decode_layers(X, z).gate == 0) & (est.decode_layers(OTHER, z).gate == 0)
    assert 0 < shut.mean() < 1
    same = (y == moved) if y.ndim == 3 else (y == moved).all(axis=1)
    assert same[shut].all()
    assert case == "labels" or not same[~shut].all()


@each
def test_the_first_codes_are_the_foreground_s_and_the_last_the_background_s(fitted, case):
    est, z = fitted(case)
    front, back = z.copy(), z.copy()
    front[:, :6] += 1
    back[:, 6:] += 1
    layers, moved = est.decode_layers(X, z), est.decode_layers(X, front)
    np.testing.assert_array_equal(moved.background, layers.background)
    assert (moved.gate != layers.gate).any()
    moved = est.decode_layers(X, back)
    np.testing.assert_array_equal(moved.foreground, layers.foreground)
    np.testing.assert_array_equal(moved.gate, layers.gate)


def test_with_the_shortcut_linear_effects_of_x_are_learned_in_few_steps():
    A = np.random.default_rng(1).normal(size=(5, 1, 8, 8))
    x = np.random.default_rng(2).normal(size=(500, 5))
    y = np.tensordot(x, A, 1) + 0.3 * np.random.default_rng(3).normal(size=(500, 1, 8, 8))

    def error(shortcut):
        est = CVAERegressor(
            architecture=Layered((4, 6), shortcut=shortcut), prior="standard", latent_dim=4,
            max_epochs=3, early_stopping=False, random_state=0,
        ).fit(x, y)  # fmt: skip
        return np.mean((est.predict(x[:60]) - np.tensordot(x[:60], A, 1)) ** 2) / np.var(y)

    assert error(True) < 0.5 * error(False)


@pytest.mark.parametrize(("share", "n_background"), [(0.25, 2), (0.01, 1), (0.99, 7), (0.5, 4)])
def test_both_layers_get_codes(share, n_background):
    layered = Layered((4, 6), background_share=share).resolve(N, (3,), (8, 6))
    decoder = layered.decoder((8, 6), (3,), layered.latent_shape(8, (8, 6)))
    assert decoder.sizes == (8 - n_background, n_background)


@pytest.mark.parametrize("size", [(1, 1), (2, 1), (3, 3)])
@pytest.mark.parametrize("prior", ["gaussian", "mixture", "standard"])
@pytest.mark.parametrize("channels", [(16, 32), (4, 8), (4, 4)])
def test_images_may_be_as_small_as_a_pixel(size, prior, channels):
    y = rng.normal(size=(N, *size))
    est = CVAERegressor(architecture=Layered(channels), prior=prior, **QUICK).fit(X, y)
    layers = est.decode_layers(X, est.encode(X, y))
    assert layers.background.shape == layers.gate.shape == (N, *size)


def test_layers_through_a_pipeline(fitted):
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer

    est, z = fitted("gaussian")
    pipeline = make_pipeline(FunctionTransformer(lambda X: X[:, :3]), est)
    wide = np.concatenate([X, X], axis=1)
    for found, expected in zip(
        skcvae.decode_layers(pipeline, wide, z), est.decode_layers(X, z), strict=True
    ):
        np.testing.assert_array_equal(found, expected)


# Masks.


@pytest.mark.parametrize("case", ["masked", "masked pixels"])
def test_the_mean_of_the_mask_is_the_gate(fitted, case):
    est, z = fitted(case)
    gate = est.decode_layers(X, z).gate
    np.testing.assert_allclose(est.decode(X, z)[:, -1], gate, rtol=1e-6)
    drawn = est.complete(X, np.where(np.isnan(CASES[case][1]), np.nan, CASES[case][1]), 3)
    assert np.isin(drawn[:, :, -1], (0, 1)).all()


@pytest.mark.parametrize("case", ["masked", "masked pixels"])
def test_codes_are_those_of_the_image_alone(fitted, case):
    est, _ = fitted(case)
    y = CASES[case][1]
    known, unknown = y.copy(), y.copy()
    known[:, -1], unknown[:, -1] = 1, np.nan
    codes = est.encode(X, known, return_std=True), est.encode(X, unknown, return_std=True)
    np.testing.assert_array_equal(*codes)
    assert np.ptp(codes[0][0], axis=0).min() > 0


def masked_pixels(of=None, n_channels=2, size=(1, 2)):
    torch.manual_seed(0)
    module = MaskedImage(of or Gaussian(True)).build((n_channels + 1, *size)).double()
    return module(torch.randn(5, *module.parameter_shape).double())


@pytest.mark.parametrize("of", [Gaussian(True), StudentT(), Bernoulli()], ids=repr)
def test_masks_that_are_not_known_are_summed_out(of):
    p = masked_pixels(of)
    assert p.event_shape == (3, 1, 2) and p.batch_shape == (5,)
    image = torch.rand(5, 2, 1, 2).double()
    whole = [
        p.log_prob(torch.cat([image, torch.tensor(bits).double().expand(5, 1, 1, 2)], 1))
        for bits in itertools.product((0.0, 1.0), repeat=2)
    ]
    unknown = torch.cat([image, torch.full((5, 1, 1, 2), torch.nan).double()], 1)
    torch.testing.assert_close(torch.stack(whole).logsumexp(0), log_prob_of_observed(p, unknown))


def test_the_density_of_a_pixel_integrates_to_one():
    p = masked_pixels(n_channels=1, size=(1, 1))
    grid = torch.linspace(-12, 12, 4001).double()
    y = torch.stack([grid, torch.full_like(grid, torch.nan)], -1)[:, None, :, None, None]
    mass = torch.trapezoid(p.log_prob(y.expand(-1, 5, -1, -1, -1)).exp(), grid, dim=0)
    torch.testing.assert_close(mass, torch.ones(5).double(), rtol=1e-5, atol=1e-5)


def test_pixels_of_a_known_mask_are_those_of_its_layer():
    p = masked_pixels()
    image = torch.rand(5, 2, 1, 2).double()
    for layer, logit, bit in ((p.front, p.logit, 1.0), (p.back, -p.logit, 0.0)):
        y = torch.cat([image, torch.full((5, 1, 1, 2), bit).double()], 1)
        expected = layer.log_prob(image) + logit.sigmoid().log().sum((-3, -2, -1))
        torch.testing.assert_close(p.log_prob(y), expected)


def test_the_mask_is_weighted_in_training_where_it_is_known():
    module = MaskedImage(Gaussian(True), mask_weight=3).build((3, 1, 2))
    numbers = torch.randn(5, *module.parameter_shape)
    weighted, p = module(numbers), module.eval()(numbers)
    image = torch.rand(5, 2, 1, 2)
    for bit, times in ((1.0, 2), (0.0, 2), (torch.nan, 0)):
        y = torch.cat([image, torch.full((5, 1, 1, 2), bit)], 1)
        of_mask = (p.logit if bit else -p.logit).sigmoid().log().sum((-3, -2, -1))
        expected = p.log_prob(y) + times * of_mask
        torch.testing.assert_close(log_prob_of_observed(weighted, y), expected)


def test_fits_depend_on_the_weight_of_the_mask():
    params, y = CASES["masked"]
    first, second = (
        CVAERegressor(**{**params, "likelihood": of}, **QUICK).fit(X, y)
        for of in (MaskedImage(Gaussian()), MaskedImage(Gaussian(), mask_weight=3))
    )
    gates = [est.predict(X)[:, -1] for est in (first, second)]
    assert np.isfinite(gates).all() and (gates[0] != gates[1]).any()


@pytest.mark.parametrize("of", INDEPENDENT, ids=repr)
def test_moments_do_not_depend_on_the_precision_of_the_gate(of):
    module = MaskedImage(of).build((2, 1, 2))
    numbers = torch.randn(5, *module.parameter_shape, generator=torch.Generator().manual_seed(0))
    p, precise = module(numbers), copy.deepcopy(module).double()(numbers.double())
    for moment in ("mean", "variance"):
        found, expected = getattr(p, moment), getattr(precise, moment)
        torch.testing.assert_close(found.double(), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("of", INDEPENDENT, ids=repr)
def test_rows_may_be_flat(of):
    images = (
        rng.random((N, 4, 4)) if isinstance(of, Bernoulli) else 1.0 + rng.poisson(3, (N, 4, 4))
    )
    y = np.stack([images, (images > images.mean()).astype(float)], axis=1)
    flat = y.reshape(N, -1)
    params = {"likelihood": MaskedImage(of), "partial_y": True, **QUICK}
    est = CVAERegressor(**params).fit(X, y)
    of_rows = CVAERegressor(**params, y_shape=(2, 4, 4)).fit(X, flat)
    mean, std = est.predict(X, return_std=True)
    assert np.isfinite(std).all()
    for found, expected in zip(
        (*of_rows.predict(X, return_std=True), of_rows.predict(X, method="latent_mean")),
        (mean, std, est.predict(X, method="latent_mean")),
        strict=True,
    ):
        np.testing.assert_array_equal(found, expected.reshape(N, -1))
    np.testing.assert_array_equal(of_rows.log_prob(X, flat), est.log_prob(X, y))
    hidden = y.copy()
    hidden[:, 1] = np.nan
    np.testing.assert_array_equal(
        of_rows.complete(X, hidden.reshape(N, -1), random_state=0),
        est.complete(X, hidden, random_state=0).reshape(1, N, -1),
    )
    wrong = flat.copy()
    wrong[3, -1] = 0.3
    for call in (of_rows.log_prob, of_rows.encode, clone(of_rows).fit):
        with pytest.raises(
            ValueError, match=r"masks of 0 and 1 in the last channel of y, got 0.3"
        ):
            call(X, wrong)


def test_rows_of_a_density_may_be_flat():
    y = np.concatenate([IMAGES, np.nan_to_num(MASKS)], axis=1)
    flat = y.reshape(N, -1)
    params = {"likelihood": MaskedImage(Gaussian()), "max_epochs": 1, "random_state": 0}
    est = VAE(**params, x_shape=(3, 8, 6)).fit(flat)
    expected = VAE(**params).fit(y)
    np.testing.assert_array_equal(est.transform(flat), expected.transform(y))
    found, whole = est.score_samples(flat, n_samples=5), expected.score_samples(y, n_samples=5)
    np.testing.assert_array_equal(found, whole)
    flat[3, -1] = 0.3
    with pytest.raises(ValueError, match="in the last channel of X, got 0.3"):
        est.transform(flat)
    with pytest.raises(ValueError, match=r"rows of X of shape .* got rows .*\(144,\).* x_shape"):
        VAE(**params).fit(flat)


def test_masks_are_found_in_flat_rows_after_loading(tmp_path):
    y = np.concatenate([IMAGES, np.nan_to_num(MASKS)], axis=1).reshape(N, -1)
    est = CVAERegressor(likelihood=MaskedImage(Gaussian()), y_shape=(3, 8, 6), **QUICK).fit(X, y)
    est.save(tmp_path / "model")
    loaded = skcvae.load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.log_prob(X, y), est.log_prob(X, y))
    y[0, -1] = 0.3
    with pytest.raises(ValueError, match="masks of 0 and 1"):
        loaded.log_prob(X, y)


@pytest.mark.parametrize("size", [(8,), (8, 0), (8.5, 6), (6, 8), (7, 5)])
def test_the_size_of_masks_is_that_of_the_images(size):
    y = np.concatenate([IMAGES, np.nan_to_num(MASKS)], axis=1)
    for rows in (y, y.reshape(N, -1)):
        est = CVAERegressor(
            likelihood=MaskedImage(Gaussian(), image_size=size), y_shape=(3, 8, 6), **QUICK
        )
        with pytest.raises(ValueError, match="The 'image_size' parameter of MaskedImage must be"):
            est.fit(X, rows)


def test_moments_are_those_of_draws():
    p = masked_pixels()
    draws = p.sample((40_000,))
    torch.testing.assert_close(draws.mean(0), p.mean, atol=0.06, rtol=0)
    torch.testing.assert_close(draws.var(0), p.variance, atol=0.1, rtol=0.1)
    assert p.expand((3, 5)).sample().shape == (3, 5, 3, 1, 2)


def test_what_is_missing_follows_what_is_observed():
    """Bayes' rule: p(mask|image) = p(image, mask) / p(image), pixel by pixel."""
    p = masked_pixels(size=(1, 1))
    image = torch.rand(5, 2, 1, 1).double()
    image[:, 0] = torch.nan
    both = [torch.cat([image, torch.full((5, 1, 1, 1), m).double()], 1) for m in (1, torch.nan)]
    log_p, log_evidence = (log_prob_of_observed(p, y) for y in both)
    found = given_observed(p, both[1]).mean[:, 2, 0, 0]
    torch.testing.assert_close(found, (log_p - log_evidence).exp())
    known = given_observed(p, both[0]).mean
    torch.testing.assert_close(known[:, :2], p.front.mean)


def test_masks_are_learned_and_found_without_them():
    """Squares brighter than their surroundings; half of the masks are not known."""
    rng = np.random.default_rng(0)
    corners = rng.integers(0, 5, size=(200, 2))
    rows, columns = np.indices((8, 8))
    inside = [(abs(rows - i - 1.5) < 2) & (abs(columns - j - 1.5) < 2) for i, j in corners]
    masks = np.array(inside, dtype=float)[:, None]
    images = 2 * masks + 0.1 * rng.normal(size=masks.shape)
    y = np.concatenate([images, masks], axis=1)
    y[::2, 1] = np.nan
    est = CVAERegressor(
        architecture=Layered((8, 16), mask=True), likelihood=MaskedImage(Gaussian()),
        partial_y=True, prior="standard", latent_dim=8, max_epochs=17, early_stopping=False,
        random_state=0,
    ).fit(np.ones((200, 1)), y)  # fmt: skip
    unknown = np.concatenate([images, np.full_like(masks, np.nan)], axis=1)
    found = est.decode(np.ones((200, 1)), est.encode(np.ones((200, 1)), unknown))[:, 1]
    assert skcvae.metrics.intersection_over_union(masks[:, 0], found > 0.5, label=1) > 0.9


# The posterior's mode.


def log_joint(est, X, y, z):
    """Return log p(y,z|x) of each row, in coded units."""
    model = est._fitted.model
    x = est.specification_.x_coding.to_tensor(X, torch.float32, "cpu")
    target = est.specification_.y_coding.to_tensor(y, torch.float32, "cpu")
    given, z = model.condition(x), torch.as_tensor(z, dtype=torch.float32)
    with torch.no_grad():
        log_p = given.likelihood(z[None]).log_prob(target)[0] + given.prior.log_prob(z)
    return log_p.numpy()


@pytest.mark.parametrize("case", ["gaussian", "mixture prior", "masked", "labels"])
def test_steps_never_lower_the_joint_density(fitted, case):
    est, start = fitted(case)
    y = CASES[case][1]
    better = est.encode(X, y, n_steps=30)
    gain = log_joint(est, X, y, better) - log_joint(est, X, y, start)
    assert gain.min() > -1e-3 and gain.mean() > 0.1
    some = np.array([7, 2])
    np.testing.assert_allclose(
        est.encode(X[some], y[some], n_steps=30), better[some], rtol=1e-3, atol=1e-4
    )


def test_the_mode_of_a_linear_gaussian_model_is_its_posterior_mean():
    from skcvae.architectures import MLP

    y = X @ rng.normal(size=(3, 4)) + rng.normal(size=(N, 4))
    est = CVAERegressor(
        architecture=MLP(()), likelihood="gaussian", prior="standard", latent_dim=2,
        max_epochs=20, random_state=0,
    ).fit(X, y)  # fmt: skip
    z = np.stack([np.zeros((N, 2)), np.tile([1.0, 0], (N, 1)), np.tile([0, 1.0], (N, 1))])
    loc, scale, _ = est.specification_.y_coding
    zero, *ones = (est.decode(X, z) - loc) / scale
    W = np.stack([one[0] - zero[0] for one in ones], axis=1)
    noise = est._fitted.model.output.likelihood(torch.zeros(2, 4, 1)[:1, :, 0][None]).stddev
    precision = np.diag(1 / noise.detach().numpy().ravel() ** 2)
    gain = np.linalg.solve(np.eye(2) + W.T @ precision @ W, W.T @ precision)
    expected = ((y - loc) / scale - zero) @ gain.T
    np.testing.assert_allclose(est.encode(X, y, n_steps=500), expected, atol=2e-3)


def test_steps_that_lead_away_from_the_mode_are_not_taken():
    est = GSNNRegressor(architecture=Conv((4, 6)), **QUICK).fit(X, IMAGES)
    start = est.encode(X)
    near = est.decode(X, start) + 1e-4 * rng.normal(size=IMAGES.shape)
    found = est.encode(X, near, n_steps=1)
    np.testing.assert_allclose(found, start, atol=1e-6)


def test_the_mode_needs_no_recognition_network():
    level = 9 * np.random.default_rng(0).normal(size=(len(IMAGES), 1, 1, 1))
    images = IMAGES + level  # without what pixels share, z is not used
    est = GSNNRegressor(architecture=Conv((4, 6)), **QUICK).fit(X, images)
    z = est.encode(X, images, n_steps=20)
    before = log_joint(est, X, images, est.encode(X))
    assert (log_joint(est, X, images, z) > before).all()


@pytest.mark.parametrize(
    ("args", "params"),
    [((X, IMAGES), {"n_steps": -1}), ((X, IMAGES), {"n_steps": 2.5}), ((X,), {"n_steps": 5}),
     ((X, IMAGES), {"n_steps": 5, "return_std": True})],
)  # fmt: skip
def test_steps_are_a_count_of_steps_towards_y(fitted, args, params):
    with pytest.raises(ValueError, match="n_steps"):
        fitted("gaussian")[0].encode(*args, **params)


# Bad input.


@pytest.mark.parametrize(
    ("est", "y", "message"),
    [
        (CVAERegressor(architecture=Layered()), IMAGES[:, 0, 0], "images in y"),
        (CVAERegressor(architecture=Layered(), latent_dim=1), IMAGES, "latent_dim"),
        (CVAERegressor(architecture=Layered(), initial_guess=True), IMAGES, "initial_guess=False"),
        (NNRegressor(architecture=Layered()), IMAGES, "latent variables"),
        (CVAERegressor(architecture=Layered(mask=True)), IMAGES, "MaskedImage"),
        *(
            (CVAERegressor(architecture=Layered(mask=True), likelihood=of), y, "MaskedImage")
            for of in (*INDEPENDENT, GaussianMixture(), Categorical(), ColorField())
            for y in (MASKS[6:, 0] + 1, MASKS[6:] + 1, np.tile(MASKS[6:] + 1, (1, 2, 1, 1)))
            if not isinstance(of, Bernoulli)
        ),
        (
            CVAERegressor(architecture=Layered(mask=True), likelihood="bernoulli"),
            MASKS[6:, 0],
            "MaskedImage",
        ),
        (CVAERegressor(architecture=Layered(background_share=1)), IMAGES, "background_share"),
        (CVAERegressor(architecture=Layered(mask=2)), IMAGES, "mask"),
        (CVAERegressor(likelihood=MaskedImage(Gaussian())), IMAGES, "masks of 0 and 1"),
        (CVAERegressor(likelihood=MaskedImage(Gaussian())), IMAGES[:, 0], "channels"),
        (CVAERegressor(likelihood=MaskedImage(Gaussian())), IMAGES[:, :1], "channels"),
        (CVAERegressor(likelihood=MaskedImage(Gaussian(), mask_weight=0)), IMAGES, "mask_weight"),
        (CVAERegressor(likelihood=MaskedImage(Categorical())), MASKS[6:], "likelihood"),
        (CVAERegressor(likelihood=MaskedImage(MaskedImage(Gaussian()))), IMAGES, "likelihood"),
        (CVAERegressor(likelihood=MaskedImage("gaussian")), IMAGES, "likelihood"),
        (
            CVAERegressor(likelihood=MaskedImage(ColorField())),
            np.concatenate([IMAGES, IMAGES > 5], axis=1)[:, [0, 3]],
            r"Gaussian\(\). Got ColorField instead\.$",
        ),
        (
            CVAERegressor(likelihood=MaskedImage(Gaussian())),
            IMAGES.reshape(N, -1),
            "Set y_shape if images are flattened",
        ),
        (
            CVAERegressor(likelihood=MaskedImage(GaussianMixture()), partial_y=True),
            np.concatenate([IMAGES, MASKS], axis=1),
            "independent numbers",
        ),
        (CVAERegressor(likelihood=MaskedImage(Columns([]))), IMAGES, "likelihood"),
        (CVAERegressor(likelihood=MaskedImage(Gaussian)), IMAGES, "likelihood"),
    ],
    ids=repr,
)
def test_what_does_not_fit_is_refused(est, y, message):
    with pytest.raises(ValueError, match=message):
        est.fit(X[-len(y) :], y)
    assert not hasattr(est, "net_")


@pytest.mark.parametrize("cls", [VAE, Autoencoder])
@pytest.mark.parametrize("rows", [IMAGES, X], ids=["images", "tables"])
def test_images_alone_have_no_foreground(cls, rows):
    with pytest.raises(ValueError, match="this model has none: expected an estimator with inputs"):
        cls(architecture=Layered()).fit(rows)


def test_only_layered_networks_have_layers():
    est = CVAERegressor(architecture=Conv((4, 6)), **QUICK).fit(X, IMAGES)
    with pytest.raises(ValueError, match="layered architecture"):
        est.decode_layers(X, est.encode(X))


def test_codes_of_layers_have_the_latent_shape(fitted):
    est, z = fitted("gaussian")
    with pytest.raises(ValueError, match="z must be of shape"):
        est.decode_layers(X, z[:, :3])
