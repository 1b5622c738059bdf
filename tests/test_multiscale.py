"""y at lower resolution, and what its prediction adds to an objective."""

import inspect
import math
import pickle
import re

import numpy as np
import pytest
import torch
from sklearn.base import clone

from skcvae import NNRegressor
from skcvae.architectures import MLP, Conv
from skcvae.data.coding import Scaling
from skcvae.data.pooling import pooled, pooled_shape
from skcvae.likelihoods import Bernoulli, Categorical, Gaussian
from skcvae.objectives import ELBO, GSNN, Deterministic, Hybrid, MultiScale, Objective
from skcvae.priors import Gaussian as GaussianPrior
from skcvae.specification import Specification
from skcvae.training.net import ObjectiveModule

SIZES = [(8, 8), (9, 7), (1, 5), (2, 3)]

each_size = pytest.mark.parametrize("size", SIZES, ids=str)
each_scale = pytest.mark.parametrize("halvings", [0, 1, 2])


@each_size
@each_scale
@pytest.mark.parametrize("leading", [(5,), (5, 3), (5, 2, 3)])
def test_pooled_images_have_the_pooled_shape(size, halvings, leading):
    found = pooled(torch.rand(*leading, *size), halvings)
    assert found.shape == pooled_shape((*leading, *size), halvings)
    assert found.shape == (*leading, *(math.ceil(side / 2**halvings) for side in size))


@each_size
@each_scale
@pytest.mark.parametrize("share_of_nan", [0, 0.5])
def test_pixels_are_means_of_what_is_observed_of_their_blocks(size, halvings, share_of_nan):
    y = torch.rand(6, 2, *size, dtype=torch.float64)
    y[torch.rand_like(y) < share_of_nan] = math.nan
    found, side = pooled(y, halvings), 2**halvings
    for i in range(found.shape[-2]):
        for j in range(found.shape[-1]):
            block = y[..., i * side : (i + 1) * side, j * side : (j + 1) * side]
            expected = block.flatten(-2).nanmean(-1)
            torch.testing.assert_close(found[..., i, j], expected, equal_nan=True)


@each_scale
def test_where_nothing_is_observed_nothing_is_known(halvings):
    y = torch.rand(3, 8, 8)
    y[:, :4, :4] = math.nan
    expected = torch.zeros(3, 8 // 2**halvings, 8 // 2**halvings, dtype=torch.bool)
    expected[:, : 4 // 2**halvings, : 4 // 2**halvings] = True
    assert torch.equal(pooled(y, halvings).isnan(), expected)


@each_size
@each_scale
def test_pooled_labels_are_shares_of_the_classes(size, halvings):
    labels = torch.randint(4, (6, *size))
    labels[0] = 2
    code = torch.nn.functional.one_hot(labels, 4).movedim(-1, 1).double()
    code[1, :, 0, 0] = math.nan
    shares = pooled(code, halvings)
    total = shares.sum(1)
    torch.testing.assert_close(total[~total.isnan()], torch.ones_like(total[~total.isnan()]))
    assert total[2:].isfinite().all()
    assert torch.equal(shares[0].argmax(0).unique(), torch.tensor([2]))


def make(architecture, likelihood, n_scales, *, latent, in_part):
    shape = (3, 9, 7)
    architecture = architecture.resolve(10, (9, 7), shape)
    latent_shape = architecture.latent_shape(2, shape)
    codings = Scaling.identity((9, 7)), Scaling.identity(shape)
    parts = {"n_scales": n_scales, "partial_y": in_part}
    if latent:
        parts |= {"prior": GaussianPrior(), "latent_shape": latent_shape}
        parts |= {"initial_guess": True, "recognition": True}
    model = Specification(architecture, likelihood, *codings, **parts).build()
    return model, latent_shape if latent else ()


OBJECTIVES = {
    "elbo": ELBO(),
    "gsnn": GSNN(),
    "hybrid": Hybrid(0.3),
    "deterministic": Deterministic(),
}


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("architecture", [MLP((6,)), Conv((4, 5, 6))], ids=repr)
@pytest.mark.parametrize(
    "likelihood", [Gaussian(), Bernoulli(), Categorical(classes=(0, 1, 2))], ids=repr
)
@pytest.mark.parametrize("n_scales", [1, 2, 3])
@pytest.mark.parametrize("in_part", [False, True])
def test_the_coarse_predictions_are_added(objective, architecture, likelihood, n_scales, in_part):
    latent = objective != "deterministic"
    model, latent_shape = make(architecture, likelihood, n_scales, latent=latent, in_part=in_part)
    inner = OBJECTIVES[objective]
    whole = MultiScale(inner)
    assert whole.noise_per_sample == inner.noise_per_sample
    x, y = torch.randn(5, 9, 7), torch.rand(5, 3, 9, 7).softmax(1)
    if in_part:
        y[:, :, :5, :4] = math.nan
    noise = torch.randn(2, 5, *latent_shape)
    given = model.condition(x)
    found, expected = (one.bound(model, given, x, y, noise) for one in (whole, inner))
    coarse = given.coarse()
    gain = sum(p.log_prob(pooled(y, i)) for i, p in enumerate(coarse, start=1))
    torch.testing.assert_close(found.reconstruction, expected.reconstruction + gain)
    torch.testing.assert_close(found.kl, expected.kl)
    assert len(coarse) == n_scales - 1
    assert found.reconstruction.shape == (5,) and found.reconstruction.isfinite().all()
    assert n_scales == 1 or (gain != 0).all()


def test_no_weight_is_there_twice_and_all_are_trained():
    model, latent_shape = make(
        Conv((4, 5, 6), activation="tanh"), Gaussian(), 3, latent=True, in_part=False
    )
    whole = ObjectiveModule(model, MultiScale(ELBO()))
    places = [weight.data_ptr() for _, weight in whole.named_parameters(remove_duplicate=False)]
    assert len(set(places)) == len(places) == len([*model.parameters()])
    x, y = torch.randn(5, 9, 7), torch.rand(5, 3, 9, 7)
    bound = whole((x, y), torch.randn(1, 5, *latent_shape))
    (bound.reconstruction - bound.kl).sum().backward()
    assert all(weight.grad.abs().sum() > 0 for weight in whole.parameters())


def test_switching_to_training_reaches_every_layer():
    model, _ = make(MLP((6,)), Gaussian(), 2, latent=True, in_part=False)
    whole = ObjectiveModule(model, MultiScale(ELBO()))
    for mode in (False, True):
        whole.train(mode)
        assert all(module.training == mode for module in whole.modules())


def test_every_attribute_is_that_of_the_objective_inside():
    names = re.findall(r"^(\w+) : ", inspect.cleandoc(Objective.__doc__), re.M)
    assert {*names, "bound"} == {name for name in vars(Objective) if not name.startswith("_")}
    inner = ELBO()
    for name in names:
        setattr(inner, name, f"the {name} of the one inside")
    whole = MultiScale(inner)
    assert {name: getattr(whole, name, None) for name in names} == {
        name: getattr(inner, name) for name in names
    }


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int8, np.int16, np.int32, np.float16])
def test_the_type_of_the_pixels_does_not_matter(dtype):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(30, 2)), rng.random((30, 5, 7)) < 0.5
    est = NNRegressor(likelihood="bernoulli", n_scales=2, max_epochs=1, random_state=0)
    expected = clone(est).fit(X, y.astype(float)).predict(X)
    np.testing.assert_array_equal(est.fit(X, y.astype(dtype)).predict(X), expected)


def test_a_start_that_is_kept_ends_a_fit():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(30, 7, 5)), rng.normal(size=(30, 5, 7))
    est = NNRegressor(n_scales=2, max_epochs=2, random_state=0).fit(X, y)
    assert "start_cll" in est.history_[0]
    assert np.array_equal(pickle.loads(pickle.dumps(est)).predict(X), est.predict(X))
