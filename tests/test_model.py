import itertools
import math
from functools import partial

import pytest
import torch

from skcvae.architectures import MLP, Conv, Temporal
from skcvae.data.coding import Scaling
from skcvae.likelihoods import Bernoulli, Categorical, Gaussian
from skcvae.priors import Gaussian as GaussianPrior
from skcvae.priors import Standard
from skcvae.specification import Specification

N, DRAWS = 5, 7
ROWS = {
    "vectors": (MLP((8, 6)), (3,), (4,)),
    "flattened images": (MLP((8, 6)), (2, 6, 5), (2, 6, 5)),
    "image to image": (Conv((4, 5, 6), activation="tanh"), (2, 6, 5), (2, 6, 5)),
    "vector to image": (Conv((4, 6), activation="tanh"), (3,), (2, 6, 5)),
    "image to vector": (Conv((4, 6), activation="tanh"), (6, 5), (4,)),
    "latent scales": (Conv((4, 5, 6), n_latent_scales=2, activation="tanh"), (2, 6, 5), (2, 6, 5)),
    "sequence to sequence": (Temporal(4, activation="tanh"), (6, 2), (6, 3)),
    "sequence to shorter": (Temporal(4), (6, 2), (4, 1)),
    "vector to sequence": (Temporal(4), (3,), (6, 2)),
    "sequence to vector": (Temporal(4), (6, 2), (4,)),
}
LIKELIHOODS = [
    Gaussian(),
    Gaussian(heteroscedastic=True),
    Bernoulli(),
    Categorical(classes=(0, 1)),
]

each_kind_of_row = pytest.mark.parametrize("rows", ROWS)


def specification(rows, **parts):
    architecture, x_shape, y_shape = ROWS[rows]
    architecture = architecture.resolve(100, x_shape, y_shape)
    codings = Scaling.identity(x_shape), Scaling.identity(y_shape)
    latent_shape = architecture.latent_shape(2, y_shape) if "prior" in parts else None
    parts = {"likelihood": Gaussian(), "latent_shape": latent_shape, **parts}
    return Specification(architecture, x_coding=codings[0], y_coding=codings[1], **parts)


def build(rows="vectors", likelihood=None, prior=None, *, scales=1, in_part=False, **options):
    parts = {"likelihood": likelihood or Gaussian(), "prior": prior or GaussianPrior()}
    options = {"initial_guess": False, "recognition": True, **options}
    return specification(rows, n_scales=scales, partial_y=in_part, **parts, **options).build()


def baseline(rows, *, scales=1):
    return specification(rows, n_scales=scales).build()


def inputs(rows):
    _, x_shape, y_shape = ROWS[rows]
    return torch.randn(N, *x_shape), torch.rand(N, *y_shape)


def draws(given):
    return torch.randn(DRAWS, *given.prior.mean.shape)


@pytest.mark.parametrize(
    ("rows", "likelihood", "prior", "initial_guess", "in_part"),
    [
        combination
        for combination in itertools.product(
            ROWS, LIKELIHOODS, [GaussianPrior(), Standard()], [False, True], [False, True]
        )
        if combination[0] != "latent scales" or isinstance(combination[2], GaussianPrior)
    ],
)
def test_shapes_and_gradients_of_every_combination(
    rows, likelihood, prior, initial_guess, in_part
):
    model = build(rows, likelihood, prior, initial_guess=initial_guess, in_part=in_part)
    x, y = inputs(rows)
    if in_part:
        y[torch.rand_like(y) < 0.5] = math.nan
    given = model.condition(x)
    q = model.recognition(x, y)
    z = q.rsample((DRAWS,))
    log_w = given.likelihood(z).log_prob(y) + given.prior.log_prob(z) - q.log_prob(z)
    assert given.prior.batch_shape == q.batch_shape == (N,)
    assert given.likelihood(z).mean.shape == (DRAWS, *y.shape)
    assert log_w.shape == (DRAWS, N)
    log_w.sum().backward()
    assert all(weight.grad.isfinite().all() for weight in model.parameters())


@pytest.mark.parametrize("rows", [rows for rows in ROWS if rows != "vectors"])
def test_every_weight_is_reached(rows):
    model = build(rows, initial_guess=True)
    x, y = inputs(rows)
    given, q = model.condition(x), model.recognition(x, y)
    log_p = given.likelihood(q.rsample((DRAWS,))).log_prob(y)
    (log_p + given.prior.log_prob(q.mean)).sum().backward()
    assert all(weight.grad.abs().sum() > 0 for weight in model.parameters())


@each_kind_of_row
def test_what_is_not_observed_is_not_read(rows):
    model = build(rows, in_part=True)
    x, y = inputs(rows)
    y.view(N, -1)[:, ::2] = math.nan
    z = draws(model.condition(x))
    found = model.recognition(x, y).log_prob(z)
    some = model.recognition(x, y.where(~y.isnan(), 0.0)).log_prob(z)
    assert found.isfinite().all() and (found != some).all()


@each_kind_of_row
def test_initial_guess_feeds_the_prior_and_gradients_flow_through_it(rows):
    model = build(rows, initial_guess=True)
    model.condition(inputs(rows)[0]).prior.mean.sum().backward()
    guessing = [*model.baseline.parameters(), *model.output.head.parameters()]
    assert all(weight.grad.abs().sum() > 0 for weight in guessing)


@each_kind_of_row
def test_initial_guess_adds_its_features_before_the_shared_output(rows):
    model = build(rows, initial_guess=True)
    x, _ = inputs(rows)
    given = model.condition(x)
    z = draws(given)
    (guess,) = model.baseline(x)
    expected = model.output(guess + model.generation.given(x)(z)).mean
    torch.testing.assert_close(given.likelihood(z).mean, expected)


@each_kind_of_row
def test_deterministic_model_has_no_latent_variables(rows):
    model = baseline(rows)
    x, y = inputs(rows)
    given = model.condition(x)
    assert model.is_deterministic and given.prior is None and given.coarse() == []
    assert given.likelihood().mean.shape == y.shape


@each_kind_of_row
def test_without_noise_a_latent_model_answers_at_the_mean_of_its_prior(rows):
    noisy = build(rows, initial_guess=True)
    noiseless = build(rows, initial_guess=True, noiseless=True)
    noiseless.load_state_dict(noisy.state_dict())
    x, _ = inputs(rows)
    given = noisy.condition(x)
    found = noiseless.condition(x)
    assert noiseless.is_deterministic and not noisy.is_deterministic and found.prior is None
    torch.testing.assert_close(found.likelihood().mean, given.likelihood(given.prior.mean).mean)


@pytest.mark.parametrize("rows", ["flattened images", "image to image"])
@pytest.mark.parametrize("scales", [2, 3])
@pytest.mark.parametrize("make", [baseline, partial(build, initial_guess=True)])
def test_coarse_predictions_halve_and_follow_from_the_baseline_alone(rows, scales, make):
    model = make(rows, scales=scales)
    coarse = model.condition(inputs(rows)[0]).coarse()
    assert [p.event_shape for p in coarse] == [(2, 3, 3), (2, 2, 2)][: scales - 1]
    assert all(p.batch_shape == (N,) for p in coarse)
    sum(p.mean.sum() for p in coarse).backward()
    reached = {name.split(".")[0] for name, w in model.named_parameters() if w.grad is not None}
    assert reached == {"baseline", "coarse"}


def test_row_size_is_that_of_the_widest_layer():
    assert build().row_size == 6
    assert build(likelihood=Gaussian(heteroscedastic=True)).row_size == 8
    n_features = 4 + 2  # of the convolutions, and a linear one for each channel of y
    assert build("image to image").row_size == n_features * 6 * 5
    assert build("image to image", Categorical(classes=(0, 1))).row_size == n_features * 6 * 5
    assert baseline("vector to image").row_size == n_features * 6 * 5


@pytest.mark.parametrize("n_columns", [3, 100], ids=["one product", "a product of each input"])
@pytest.mark.parametrize("shortcut", [False, True])
def test_a_draw_has_the_features_that_it_has_among_several(n_columns, shortcut):
    torch.manual_seed(0)
    decoder = MLP((16,), shortcut=shortcut).decoder((2,), (n_columns,), (4,))
    x, z = torch.randn(5, n_columns), torch.randn(3, 5, 4)
    features = decoder.given(x)
    together = features(z)
    for one, expected in zip(z, together, strict=True):
        torch.testing.assert_close(features(one[None])[0], expected)
        torch.testing.assert_close(features(one), expected)
        torch.testing.assert_close(decoder(x, one), expected)
