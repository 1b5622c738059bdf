import itertools
import math

import numpy as np
import pytest
import torch
from scipy.integrate import quad

from skcvae._arrays import OneHot, Scaling
from skcvae.likelihoods import Bernoulli, Categorical, Gaussian
from skcvae.partial import Partial

LABELS = np.array([-3, 7, 100])
FAMILY = [Gaussian(), Gaussian(heteroscedastic=True), Bernoulli(), Categorical(classes=LABELS)]
SHAPES = [(1,), (3,), (2, 3)]

each = pytest.mark.parametrize("likelihood", FAMILY, ids=repr)


def coding(likelihood, y_shape):
    """Return how the networks see rows of y."""
    labels = likelihood.targets == "label"
    return OneHot(LABELS, y_shape) if labels else Scaling.identity(y_shape)


@each
@pytest.mark.parametrize("y_shape", SHAPES)
@pytest.mark.parametrize("wrap", [lambda module: module, Partial])
def test_shapes_and_gradients(likelihood, y_shape, wrap):
    y_shape = coding(likelihood, y_shape).code_shape
    module = wrap(likelihood.build(y_shape))
    parameters = torch.randn(7, 5, *module.parameter_shape, requires_grad=True)
    p = module(parameters)
    y = torch.rand(5, *y_shape)
    log_p = p.log_prob(y)
    assert p.mean.shape == p.variance.shape == (7, 5, *y_shape)
    assert p.sample().shape == (7, 5, *y_shape)
    assert log_p.shape == (7, 5)
    log_p.sum().backward()
    assert all((t.grad != 0).any() for t in [parameters, *module.parameters()])


@each
def test_outputs_are_independent_given_the_parameters(likelihood):
    whole, one = (likelihood.build(coding(likelihood, (n,)).code_shape) for n in (3, 1))
    parameters = torch.randn(4, *whole.parameter_shape)
    y = torch.rand(4, *whole.parameter_shape[1:])
    alone = [one(parameters[..., j::3]).log_prob(y[:, j::3]) for j in range(3)]
    torch.testing.assert_close(whole(parameters).log_prob(y), sum(alone))
    y[:, 1::3] = math.nan
    torch.testing.assert_close(Partial(whole)(parameters).log_prob(y), alone[0] + alone[2])


@pytest.mark.parametrize("likelihood", FAMILY[:2], ids=repr)
def test_density_integrates_to_one(likelihood):
    module = likelihood.build((1,)).double()
    p = module(torch.randn(*module.parameter_shape, dtype=torch.float64))
    loc, scale = p.mean.item(), p.stddev.item()
    total, _ = quad(
        lambda y: p.log_prob(torch.tensor([y], dtype=torch.float64)).exp().item(),
        loc - 12 * scale,
        loc + 12 * scale,
    )
    assert total == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("likelihood", FAMILY[2:], ids=repr)
@pytest.mark.parametrize("y_shape", SHAPES)
def test_mass_sums_to_one(likelihood, y_shape):
    rows = coding(likelihood, y_shape)
    outcomes = LABELS if likelihood.targets == "label" else [0.0, 1.0]
    every = np.array(list(itertools.product(outcomes, repeat=math.prod(y_shape))))
    p = likelihood.build(rows.code_shape)(torch.randn(1, *rows.code_shape, dtype=torch.float64))
    mass = p.log_prob(rows.to_tensor(every, torch.float64, "cpu")).exp()
    assert mass.sum().item() == pytest.approx(1)


def test_grey_targets_score_the_cross_entropy():
    logits, y = torch.randn(6), torch.rand(6)
    pi = torch.sigmoid(logits)
    expected = (y * pi.log() + (1 - y) * (1 - pi).log()).sum()
    torch.testing.assert_close(Bernoulli().build((6,))(logits[None]).log_prob(y), expected)


def test_extreme_logits_stay_finite():
    p = Bernoulli().build((2,))(torch.tensor([[-200.0, 200.0]]))
    assert p.log_prob(torch.tensor([1.0, 0.0])).item() == pytest.approx(-400)


def test_scale_starts_where_it_is_told_and_has_a_floor():
    module = Gaussian(init_scale=0.2, min_scale=0.05).build((3,))
    parameters = torch.zeros(1, 3)
    torch.testing.assert_close(module(parameters).stddev, torch.full((3,), 0.25))
    module.raw_scale.data.fill_(-100.0)
    torch.testing.assert_close(module(parameters).stddev, torch.full((3,), 0.05))


def test_bernoulli_refuses_targets_outside_the_unit_interval():
    Bernoulli().check_targets(np.array([0, 0.5, 1]))
    with pytest.raises(ValueError, match=r"expects y in \[0, 1\], got values in \[-1, 2\]"):
        Bernoulli().check_targets(np.array([-1, 0, 2]))


def test_targets_may_be_missing():
    for likelihood in FAMILY:
        likelihood.check_targets(np.array([np.nan, 0, 1]))


def test_categorical_takes_whole_numbers_alone():
    Categorical().check_targets(np.array([-3.0, 0, 2e9]))
    with pytest.raises(ValueError, match=r"expects labels, whole numbers, in y, got 2.5\."):
        Categorical().check_targets(np.array([1, np.nan, 2.5]))


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.int64, np.float32, bool])
def test_classes_are_those_of_the_targets_unless_named(dtype):
    y = np.array([[3, 0], [1, 1]]).astype(dtype)
    found = Categorical().classes_of(y)
    assert found.tolist() == ([0, 1] if dtype is bool else [0, 1, 3])
    assert found.dtype == (dtype if np.dtype(dtype).kind in "iu" else np.int64)
    named = Categorical(classes=[7, 3, 1, 0]).classes_of(y)
    assert named.tolist() == [0, 1, 3, 7] and named.dtype.kind in "iu"
    assert Categorical().classes_of(np.array([np.nan, 2, 1, 2])).tolist() == [1, 2]


@pytest.mark.parametrize("classes", [(-1, 0, 1), (0, 1, 300)])
def test_named_classes_stay_what_they_are(classes):
    found = Categorical(classes=classes).classes_of(np.array([0, 1], dtype=np.uint8))
    assert found.tolist() == list(classes) and found.dtype.kind in "iu"


@pytest.mark.parametrize("y", [[4, 4], [np.nan, 4], [np.nan]])
def test_one_class_is_none(y):
    with pytest.raises(ValueError, match="at least 2 classes, got labels "):
        Categorical().classes_of(np.array(y))


@pytest.mark.parametrize("classes", [(0, 0, 1), (0, 0.5), ("a", "b"), (0, np.nan)])
def test_classes_are_distinct_whole_numbers(classes):
    with pytest.raises(ValueError, match="'classes' parameter of Categorical must be distinct"):
        Categorical(classes=classes).classes_of(np.array([0, 1]))


@pytest.mark.parametrize("bad", [{"min_scale": 0.0}, {"init_scale": -1.0}, {"min_scale": "a"}])
def test_parameters_out_of_range(bad):
    with pytest.raises(ValueError, match=f"The '{next(iter(bad))}' parameter of Gaussian"):
        Gaussian(**bad).build((1,))
