"""Laws of every likelihood, and what is particular to each."""

import itertools
import math
import re

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.integrate import quad
from sklearn.base import clone

from skcvae import CVAERegressor, NNRegressor
from skcvae.data.coding import Scaling
from skcvae.data.labels import OneHot
from skcvae.data.table import Table
from skcvae.inference.partial import Partial, given_observed, log_prob_of_observed
from skcvae.likelihoods import (
    Autoregressive,
    Bernoulli,
    Categorical,
    Columns,
    CorrelatedLogits,
    Gamma,
    Gaussian,
    GaussianMixture,
    Hurdle,
    LogitNormal,
    LogNormal,
    MultivariateGaussian,
    NegativeBinomial,
    Poisson,
    StudentT,
)

LABELS = np.array([-3, 7, 100])
GAUSSIAN = [Gaussian(), Gaussian(heteroscedastic=True)]
STUDENT = [StudentT(), StudentT(heteroscedastic=True)]
MIXTURE = [GaussianMixture(), GaussianMixture(n_components=1)]
VECTORS = [
    MultivariateGaussian(),
    MultivariateGaussian(heteroscedastic=True),
    MultivariateGaussian(rank=2),
    MultivariateGaussian(rank=1, heteroscedastic=True),
]
DISCRETE = [Bernoulli(), Categorical(classes=LABELS)]
CORRELATED = [
    CorrelatedLogits(Bernoulli(), rank=2, n_draws=256),
    CorrelatedLogits(Categorical(classes=LABELS), rank=1, n_draws=256),
    CorrelatedLogits(Bernoulli(), rank=1, diagonal=True, n_draws=2048),
]
AUTOREGRESSIVE = [
    Autoregressive(Bernoulli(), width=8, n_draws=512),
    Autoregressive(Categorical(classes=LABELS), width=8, n_layers=1, n_draws=512),
]
AUTOREGRESSIVE_REAL = [
    Autoregressive(Gaussian(), width=8, n_layers=1, n_draws=512),
    Autoregressive(Gaussian(heteroscedastic=True), width=8, n_layers=0, n_draws=512),
]
COUNTS = [Poisson(), NegativeBinomial(init_rate=3.0)]
POSITIVE = [LogNormal(), Gamma(init_mean=2.0), LogNormal(True), Gamma(True)]
BETWEEN = [LogitNormal(), LogitNormal(heteroscedastic=False, logit_mean=2.0, logit_scale=3.0)]
ZERO_OR_POSITIVE = [Hurdle(), Hurdle(Gamma(init_scale=0.5))]
TABLE = [
    Columns(
        [
            ("label", Categorical(classes=LABELS), [2]),
            ("real", Gaussian(), [0]),
            ("count", Poisson(), [1]),
        ]
    ),
    Columns([("pair", MultivariateGaussian(), [2, 0]), ("one", GaussianMixture(), [1])]),
]
REAL = GAUSSIAN + STUDENT + MIXTURE + VECTORS + AUTOREGRESSIVE_REAL
INDEPENDENT = GAUSSIAN + STUDENT + DISCRETE + COUNTS + POSITIVE + BETWEEN + ZERO_OR_POSITIVE
JOINT = [*MIXTURE, *VECTORS, *CORRELATED, TABLE[1]]
FAMILY = [
    *(REAL + DISCRETE + CORRELATED + AUTOREGRESSIVE),
    *(COUNTS + POSITIVE + BETWEEN + ZERO_OR_POSITIVE + TABLE),
]
SHAPES = [(1,), (3,), (2, 3)]
CASES = [
    (likelihood, y_shape)
    for likelihood in FAMILY
    for y_shape in SHAPES
    if (likelihood not in TABLE or y_shape == (3,))
    and (likelihood not in VECTORS or y_shape == (3,))
    and (likelihood not in AUTOREGRESSIVE + AUTOREGRESSIVE_REAL or y_shape != (1,))
]

each = pytest.mark.parametrize("likelihood", FAMILY, ids=repr)
each_case = pytest.mark.parametrize(("likelihood", "y_shape"), CASES, ids=repr)


def coding(likelihood, y_shape):
    """Return how the networks see rows of y."""
    if likelihood.coding is Table:
        columns = [columns for *_, columns in likelihood.groups]
        return Table([coding(part, (len(c),)) for _, part, c in likelihood.groups], columns)
    labels = likelihood.coding is OneHot
    return OneHot(LABELS, y_shape) if labels else Scaling.identity(y_shape)


def of_few_draws(likelihood):
    """Return a likelihood for laws that hold for any number of draws of its own."""
    has_draws = likelihood in CORRELATED + AUTOREGRESSIVE + AUTOREGRESSIVE_REAL
    return clone(likelihood).set_params(n_draws=64) if has_draws else likelihood


def built(likelihood, y_shape=(3,)):
    """Return a module with parameters of its own at random, float64."""
    torch.manual_seed(0)
    module = likelihood.build(coding(likelihood, y_shape).code_shape).double()
    for parameter in module.parameters():
        parameter.data += 0.3 * torch.randn_like(parameter)
    return module


def some(likelihood, y_shape=(3,), batch=()):
    """Return a distribution with parameters at random, float64."""
    module = built(likelihood, y_shape).eval()
    return module(torch.randn(*batch, *module.parameter_shape, dtype=torch.float64))


def fitted(likelihood, y, n_steps=250):
    """Return the distribution that maximises the likelihood of draws, the same for all."""
    torch.manual_seed(0)
    if likelihood in CORRELATED:  # fewer draws and steps are enough, and faster
        likelihood, n_steps = clone(likelihood).set_params(n_draws=16), 100
    module = likelihood.build(y.shape[1:]).double()
    parameters = (0.1 * torch.randn(module.parameter_shape, dtype=y.dtype)).requires_grad_()
    optimizer = torch.optim.Adam([parameters, *module.parameters()], lr=0.1)
    for _ in range(n_steps):
        optimizer.zero_grad()
        (-module(parameters).log_prob(y).mean()).backward()
        optimizer.step()
    return module.eval()(parameters)


@each_case
@pytest.mark.parametrize("wrap", [lambda module: module, Partial], ids=["whole", "partial"])
def test_shapes_and_gradients(likelihood, y_shape, wrap):
    y_shape = coding(likelihood, y_shape).code_shape
    module = wrap(of_few_draws(likelihood).build(y_shape))
    parameters = torch.randn(7, 5, *module.parameter_shape, requires_grad=True)
    p = module(parameters)
    y = torch.rand(5, *y_shape)
    log_p = p.log_prob(y)
    assert p.mean.shape == p.variance.shape == (7, 5, *y_shape)
    assert p.sample().shape == (7, 5, *y_shape)
    assert module.read(y).shape == y.shape
    assert log_p.shape == (7, 5)
    log_p.sum().backward()
    assert all((t.grad != 0).any() for t in [parameters, *module.parameters()])
    assert all(t.grad.isfinite().all() for t in [parameters, *module.parameters()])


@each_case
@pytest.mark.parametrize("wrap", [lambda module: module, Partial], ids=["whole", "partial"])
def test_expanded_distributions_are_repeated_ones(likelihood, y_shape, wrap):
    module = wrap(built(of_few_draws(likelihood), y_shape))
    p = module(torch.randn(5, *module.parameter_shape, dtype=torch.float64))
    wide, y = p.expand((3, 5)), p.sample()
    for found, expected in (
        (wide.mean, p.mean),
        (wide.variance, p.variance),
        (wide.log_prob(y), p.log_prob(y)),
    ):
        torch.testing.assert_close(found, expected.expand(3, *expected.shape))
    assert wide.sample().shape == (3, 5, *y.shape[1:])


@each
def test_moments_are_those_of_draws(likelihood):
    p = some(likelihood)
    draws = p.sample((40_000,))
    error = p.stddev / math.sqrt(len(draws))
    assert ((draws.mean(0) - p.mean).abs() < 5 * error + 1e-12).all()
    torch.testing.assert_close(draws.var(0), p.variance, rtol=0.15, atol=1e-12)


@pytest.mark.parametrize("likelihood", INDEPENDENT, ids=repr)
def test_outputs_are_independent_given_the_parameters(likelihood):
    whole, one = (likelihood.build(coding(likelihood, (n,)).code_shape) for n in (3, 1))
    parameters = torch.randn(4, *whole.parameter_shape)
    y = torch.rand(4, *whole.parameter_shape[1:])
    alone = [one(parameters[..., j::3]).log_prob(y[:, j::3]) for j in range(3)]
    torch.testing.assert_close(whole(parameters).log_prob(y), sum(alone))
    y[:, 1::3] = math.nan
    torch.testing.assert_close(Partial(whole)(parameters).log_prob(y), alone[0] + alone[2])


@each
def test_what_is_observed_and_the_rest_given_it_make_up_the_whole(likelihood):
    p = some(of_few_draws(likelihood), batch=(8,))
    y = p.sample()
    hidden = torch.rand(8, 3) < 0.5
    hidden[0], hidden[1] = False, True
    rows = coding(likelihood, (3,))
    rest = hidden.double().masked_fill(hidden, math.nan)  # as an array of the user's has it
    hidden = rows.to_tensor(rest.numpy(), torch.float64, "cpu").isnan()
    known, unknown = y.masked_fill(hidden, math.nan), y.masked_fill(~hidden, math.nan)
    found = log_prob_of_observed(p, known)
    conditional = given_observed(p, known)
    torch.testing.assert_close(found + log_prob_of_observed(conditional, unknown), p.log_prob(y))
    torch.testing.assert_close(found[0], p.log_prob(y)[0])
    torch.testing.assert_close(found[1], torch.zeros((), dtype=torch.float64))
    assert conditional.sample().shape == conditional.mean.shape == y.shape


@each_case
def test_codings_are_of_the_class_and_the_shape_that_the_likelihood_announces(likelihood, y_shape):
    rows = coding(likelihood, y_shape)
    y = rows.to_array(some(likelihood, y_shape, batch=(9,)).sample())
    likelihood = clone(likelihood)
    found = likelihood.fit_coding(y, normalize=False)
    assert type(found) is likelihood.coding
    assert found.row_shape == y_shape
    assert found.code_shape == rows.code_shape == likelihood.code_shape(y_shape)


def grid(p, n=300, width=9.0):
    """Return points of a plane around a distribution, and the area of one."""
    axes = [
        torch.linspace(-width, width, n, dtype=torch.float64) * s + m
        for m, s in zip(p.mean, p.stddev, strict=True)
    ]
    area = math.prod((axis[1] - axis[0]).item() for axis in axes)
    return torch.stack(torch.meshgrid(*axes, indexing="ij"), -1), area


@pytest.mark.parametrize("likelihood", REAL, ids=repr)
def test_density_integrates_to_one(likelihood):
    p = some(likelihood, (1,))
    loc, scale = p.mean.item(), p.stddev.item()
    total, _ = quad(
        lambda u: (
            scale * p.log_prob(torch.tensor([loc + scale * u], dtype=torch.float64)).exp().item()
        ),
        -math.inf,
        math.inf,
    )
    assert total == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("likelihood", POSITIVE + ZERO_OR_POSITIVE, ids=repr)
def test_density_of_positive_numbers_and_the_mass_at_zero_make_up_one(likelihood):
    p = some(likelihood, (1,))

    def mass(log_y):
        y = torch.tensor([math.exp(log_y)], dtype=torch.float64)
        return math.exp(p.log_prob(y).item() + log_y)

    centre = math.log(p.mean.item())
    total = sum(quad(mass, centre + a, centre + a + 5, limit=200)[0] for a in range(-30, 20, 5))
    if likelihood in ZERO_OR_POSITIVE:
        total += p.log_prob(torch.zeros(1, dtype=torch.float64)).exp().item()
    assert total == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("likelihood", POSITIVE, ids=repr)
def test_draws_of_positive_outputs_are_positive(likelihood):
    y = np.random.default_rng(0).lognormal(3, 2, size=(200, 2))
    est = CVAERegressor(likelihood=likelihood, max_epochs=2, random_state=0).fit(y[:, :1], y)
    assert (est.sample(y[:, :1], 50, random_state=0) > 0).all()
    assert (est.predict(y[:, :1]) > 0).all() and np.isfinite(est.log_prob(y[:, :1], y)).all()
    for bad in (0.0, -2.0):
        with pytest.raises(ValueError, match=rf"expects positive numbers in y, got {bad:g}\."):
            clone(est).fit(y[:, :1], np.where(y < 1, bad, y))


@pytest.mark.parametrize("likelihood", BETWEEN, ids=repr)
def test_density_between_two_ends_integrates_to_one_and_to_its_moments(likelihood):
    p = some(likelihood, (1,))

    def mass(logit, power):
        y = 1 / (1 + math.exp(-logit))
        density = p.log_prob(torch.tensor([y], dtype=torch.float64)).exp().item()
        return density * y * (1 - y) * y**power

    edges = np.linspace(-35, 35, 15)
    mean, square = p.mean.item(), (p.variance + p.mean**2).item()
    for power, expected in enumerate((1, mean, square)):
        found = sum(quad(mass, a, b, args=(power,))[0] for a, b in itertools.pairwise(edges))
        assert found == pytest.approx(expected, abs=1e-4)


def test_outputs_stay_between_their_ends_and_have_no_units():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 2))
    y = 1 / (1 + np.exp(-2 * X - rng.normal(size=X.shape)))
    est = CVAERegressor(likelihood="logit_normal", max_epochs=8, random_state=0).fit(X, y)
    low, high = np.array([-5.0, 100.0]), np.array([5.0, 1000.0])
    wide = clone(est).set_params(likelihood=LogitNormal(low, high))
    scaled = low + (high - low) * y
    wide.fit(X, scaled)
    draws = wide.sample(X, 200, random_state=0)
    assert ((low < draws) & (draws < high)).all()
    ends = wide.predict_interval(X)
    assert ((low <= ends.min(axis=-1)) & (ends.max(axis=-1) <= high)).all()
    np.testing.assert_allclose(
        wide.log_prob(X, scaled),
        est.log_prob(X, y) - np.log(high - low).sum(),
        atol=0.02,
    )
    np.testing.assert_allclose(wide.predict(X), low + (high - low) * est.predict(X), rtol=0.01)
    assert est.score(X, y) > 1.3  # uniform numbers have 0


def test_a_bounded_output_of_a_known_law_is_found():
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, size=(2000, 1))
    logit = 1 + 2 * X + np.hypot(0.5, X) * rng.normal(size=X.shape)
    y = 1 / (1 + np.exp(-logit))
    params = {"max_epochs": 30, "lr": 0.01, "batch_size": 64, "random_state": 0}
    est = NNRegressor(likelihood="logit_normal", **params).fit(X[:1500], y[:1500])
    exact = stats.norm.logpdf(logit, 1 + 2 * X, np.hypot(0.5, X)) - np.log(y) - np.log1p(-y)
    assert est.score(X[1500:], y[1500:]) == pytest.approx(exact[1500:].mean(), abs=0.05)


@pytest.mark.parametrize("value", [0.1, 0.45, 0.9])
def test_a_constant_bounded_output_has_logits_of_scale_one(value):
    likelihood = LogitNormal()
    likelihood.fit_coding(np.full((30, 1), value))
    assert likelihood.logit_scale == 1


def test_bounded_outputs_that_float32_cannot_tell_from_the_end_are_refused():
    LogitNormal().fit_coding(np.array([[1e-30], [0.5], [1 - 2e-6]]))
    y = np.array([[0.5], [1 - 1e-7]])
    with pytest.raises(ValueError, match="at least 1e-06 .* below high=1.0, .* model high - y"):
        LogitNormal().fit_coding(y)
    LogitNormal().check_targets(y)  # draws may be there


@pytest.mark.parametrize("bad", [0.0, 1.0, -2.0, 7.0])
def test_outputs_at_or_beyond_an_end_are_refused(bad):
    X, y = np.zeros((20, 1)), np.linspace(0.1, 0.9, 20)
    est = CVAERegressor(likelihood="logit_normal", max_epochs=1, random_state=0).fit(X, y)
    with pytest.raises(ValueError, match=rf"between low=0.0 and high=1.0 in y, got {bad:g}\."):
        est.log_prob(X, np.where(y > 0.5, bad, y))
    with pytest.raises(ValueError, match="predict_region expects a density of real or"):
        est.predict_region(X)


@pytest.mark.parametrize(
    "params", [{"low": 1}, {"high": np.inf}, {"low": [0, 0]}, {"logit_scale": 0.0}]
)
def test_ends_that_are_none_are_refused(params):
    est = CVAERegressor(likelihood=LogitNormal(**params), max_epochs=1)
    with pytest.raises(ValueError, match=next(iter(params))):
        est.fit(np.zeros((20, 1)), np.linspace(0.1, 0.9, 20))


def test_the_logarithm_of_a_log_normal_output_is_gaussian():
    y = torch.tensor([[0.3, 2.0], [7.0, 1.0]], dtype=torch.float64)
    positive, gaussian = (
        LogNormal(init_scale=0.7).build((2,)),
        Gaussian(init_scale=0.7).build((2,)),
    )
    raw = torch.zeros(2, 1, 2, dtype=torch.float64)
    found, expected = positive.double()(raw), gaussian.double()(raw)
    exact = expected.log_prob(y.log()) - y.log().sum(-1)
    torch.testing.assert_close(found.log_prob(y), exact, rtol=0.01, atol=0)


def test_zeros_are_as_frequent_as_in_the_data_and_have_no_units():
    rng = np.random.default_rng(0)
    y = np.where(rng.random((400, 2)) < [0.2, 0.7], 0, rng.gamma(2, 3, size=(400, 2)))
    X = rng.normal(size=(400, 1))
    est = CVAERegressor(likelihood="hurdle", max_epochs=8, lr=0.01, random_state=0).fit(X, y)
    draws = est.sample(X, 30, random_state=0)
    assert (draws >= 0).all()
    np.testing.assert_allclose((draws == 0).mean(axis=(0, 1)), (y == 0).mean(axis=0), atol=0.05)
    other = clone(est).fit(X, 1000 * y)
    gain = other.log_prob(X, 1000 * y) - est.log_prob(X, y)
    exact = -np.log(1000) * (y > 0).sum(axis=1)
    assert gain.mean() == pytest.approx(exact.mean(), abs=0.02)
    np.testing.assert_allclose(gain, exact, atol=0.5)
    with pytest.raises(ValueError, match="expects numbers >= 0 in y, got -1"):
        clone(est).fit(X, y - 1)


@pytest.mark.parametrize("likelihood", ["log_normal", "gamma", "hurdle"])
def test_positive_images_are_of_one_scale(likelihood):
    y = np.random.default_rng(0).lognormal(size=(20, 8, 8))
    est = CVAERegressor(likelihood=likelihood, initial_guess=True, n_scales=2, max_epochs=1)
    with pytest.raises(ValueError, match="n_scales=2 pools pixels by averaging"):
        est.fit(y[:, 0], y)


def test_a_hurdle_is_before_a_positive_likelihood():
    for other in ("gamma", Gaussian()):
        with pytest.raises(ValueError, match="'likelihood' parameter of Hurdle must be"):
            CVAERegressor(likelihood=Hurdle(other), max_epochs=1).fit([[1], [2]], [0, 1])


@pytest.mark.parametrize("likelihood", MIXTURE + VECTORS + AUTOREGRESSIVE_REAL, ids=repr)
def test_joint_density_integrates_to_one_and_to_its_marginals(likelihood):
    p = some(likelihood, (2,))
    points, area = grid(p)
    density = p.log_prob(points).exp()
    assert density.sum().item() * area == pytest.approx(1, abs=1e-6)
    first = points[:, 0].clone()
    step = area / (first[1, 0] - first[0, 0])
    first[:, 1] = math.nan
    marginal = log_prob_of_observed(p.expand(first.shape[:1]), first).exp()
    torch.testing.assert_close(marginal, density.sum(1) * step, atol=1e-8, rtol=1e-6)


@pytest.mark.parametrize("likelihood", DISCRETE + CORRELATED + AUTOREGRESSIVE, ids=repr)
@pytest.mark.parametrize("y_shape", SHAPES)
def test_mass_sums_to_one(likelihood, y_shape):
    rows = coding(likelihood, y_shape)
    outcomes = LABELS if likelihood.coding is OneHot else [0.0, 1.0]
    every = np.array(list(itertools.product(outcomes, repeat=math.prod(y_shape))))
    p = some(likelihood, y_shape)
    mass = p.log_prob(rows.to_tensor(every, torch.float64, "cpu")).exp()
    assert mass.sum().item() == pytest.approx(1)


@pytest.mark.parametrize("likelihood", COUNTS, ids=repr)
def test_mass_of_counts_sums_to_one(likelihood):
    p = some(likelihood, (1,))
    every = torch.arange(2000.0)[:, None]
    assert p.log_prob(every).exp().sum().item() == pytest.approx(1)


@each
def test_extreme_parameters_stay_finite(likelihood):
    module = of_few_draws(likelihood).build(coding(likelihood, (3,)).code_shape)
    y = module(torch.zeros(module.parameter_shape)).sample().float()
    for sign in (-200.0, 200.0):
        parameters = torch.full(module.parameter_shape, sign, requires_grad=True)
        p = module(parameters)
        p.log_prob(y).backward()
        assert p.log_prob(y).isfinite() and parameters.grad.isfinite().all()
        assert p.mean.isfinite().all() and p.sample().isfinite().all()


@each
def test_maximum_likelihood_finds_the_distribution_of_draws(likelihood):
    truth = some(likelihood)
    y, fresh = truth.sample((2000,)), truth.sample((2000,))
    found = fitted(likelihood, y)
    excess = truth.log_prob(fresh).mean() - found.log_prob(fresh).mean()
    assert abs(excess.item()) < 0.03


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
        value = 0.5 if likelihood in BETWEEN else 1
        likelihood.check_targets(np.array([[np.nan, value, value]]))


@each_case
def test_the_support_is_what_is_accepted_as_targets_and_drawn(likelihood, y_shape):
    low, high = likelihood.support(y_shape)
    assert low.shape == high.shape == y_shape
    y = some(likelihood, y_shape).sample((50,)).numpy()
    if likelihood.coding is Scaling:
        assert ((low <= y) & (y <= high)).all()
    for end, beyond in ((low, low - 1), (high, high + 1)):
        for place in zip(*np.nonzero(np.isfinite(end)), strict=True):
            targets = np.full((1, *y_shape), np.nan)
            targets[0, *place] = beyond[place]
            with pytest.raises(ValueError, match="expects"):
                likelihood.check_targets(targets)


def test_categorical_takes_whole_numbers_alone():
    Categorical().check_targets(np.array([-3.0, 0, 2e9]))
    with pytest.raises(ValueError, match=r"expects integer labels in y, got 2.5\."):
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


@pytest.mark.parametrize("classes", [(0, 0, 1), (0, 0.5), ("a", "a"), ("a", None), (0, np.nan)])
def test_classes_are_distinct_integers(classes):
    with pytest.raises(ValueError, match="'classes' parameter of Categorical must be .*distinct"):
        Categorical(classes=classes).classes_of(np.array([0, 1]))


@pytest.mark.parametrize("bad", [{"min_scale": 0.0}, {"init_scale": -1.0}, {"min_scale": "a"}])
def test_parameters_out_of_range(bad):
    with pytest.raises(ValueError, match=f"The '{next(iter(bad))}' parameter of Gaussian"):
        Gaussian(**bad).build((1,))


# Student's t.


@pytest.mark.parametrize("raw", [-100.0, 0.0, 100.0])
def test_degrees_of_freedom_leave_a_variance(raw):
    module = StudentT(init_df=4.0).build((2,))
    p = module(torch.zeros(1, 2))
    torch.testing.assert_close(p.base_dist.df, torch.full((2,), 4.0))
    module.family.raw_df.data.fill_(raw)
    p = module(torch.zeros(1, 2))
    assert ((p.base_dist.df >= 2.1) & (p.base_dist.df <= 200)).all()
    assert p.variance.isfinite().all()


@pytest.mark.parametrize("df", [2.5, 5.0])
def test_degrees_of_freedom_are_found(df):
    y = torch.distributions.StudentT(torch.tensor([df], dtype=torch.float64)).sample((10_000,))
    found = fitted(StudentT(), y).base_dist.df
    assert found.item() == pytest.approx(df, rel=0.2)


# Mixtures.


@pytest.mark.parametrize("y_shape", SHAPES)
def test_components_start_apart_and_weigh_the_same(y_shape):
    module = GaussianMixture(n_components=4).build(y_shape)
    p = module(torch.zeros(module.parameter_shape))
    loc = p.component_distribution.mean
    assert loc.shape == (4, *y_shape)
    assert (loc.sort(0).values.diff(dim=0) > 0.5).all()
    torch.testing.assert_close(p.mixture_distribution.probs, torch.full((4,), 0.25))


def test_two_branches_are_found_with_their_weights():
    branch = torch.where(torch.rand(2000, 1, dtype=torch.float64) < 0.3, 1.0, -1.0)
    y = branch * torch.tensor([1.0, -1.0]) + 0.1 * torch.randn(2000, 2, dtype=torch.float64)
    p = fitted(GaussianMixture(n_components=2), y)
    weight, order = p.mixture_distribution.probs.sort()
    torch.testing.assert_close(weight.float(), torch.tensor([0.3, 0.7]), atol=0.05, rtol=0)
    expected = torch.tensor([[1.0, -1.0], [-1.0, 1.0]], dtype=torch.float64)
    torch.testing.assert_close(p.component_distribution.mean[order], expected, atol=0.05, rtol=0)


# The multivariate Gaussian.


@pytest.mark.parametrize("likelihood", VECTORS, ids=repr)
def test_correlations_are_found(likelihood):
    truth = torch.tensor([[1.0, 0.8, -0.4], [0.8, 1.0, 0.0], [-0.4, 0.0, 1.0]])
    y = torch.randn(5000, 3).double() @ torch.linalg.cholesky(truth).double().T
    found = fitted(likelihood, y).covariance_matrix.float()
    if likelihood.rank != 1:
        torch.testing.assert_close(found, truth, atol=0.06, rtol=0)
    assert found[0, 1].item() == pytest.approx(0.8, abs=0.06)


@pytest.mark.parametrize("rank", [None, 1])
@pytest.mark.parametrize("shape", [(2, 3), (12, 2), (2, 3, 4)])
def test_images_and_sequences_have_no_covariance_matrix(rank, shape):
    expected = f"vectors, got rows of shape {shape}. Use likelihood='gaussian' for images and seq"
    with pytest.raises(ValueError, match=re.escape(expected)):
        MultivariateGaussian(rank=rank).build(shape)


# Counts.


@pytest.mark.parametrize("likelihood", COUNTS, ids=repr)
def test_counts_are_whole_and_not_negative(likelihood):
    likelihood.check_targets(np.array([0.0, np.nan, 3, 1e6]))
    likelihood.check_targets(np.array([0, 3]))
    for bad in (-1, 0.5, 2e9):
        with pytest.raises(
            ValueError, match=rf"expects counts, integers >= 0.*got {re.escape(f'{bad:g}')}\."
        ):
            likelihood.check_targets(np.array([1, np.nan, bad]))


@pytest.mark.parametrize("mean", [1.0, 1e4, 1e8, 1e9])
def test_large_counts_have_the_mass_that_scipy_has(mean):
    y = np.float32(mean * np.array([0.5, 1, 1 + mean**-0.5, 1.5])).round()
    for likelihood, exact in (
        (Poisson(mean), stats.poisson(mean)),
        (NegativeBinomial(mean), stats.nbinom(10, 1 / (1 + 0.1 * mean))),
    ):
        p = likelihood.build((1,))(torch.zeros(1, 1))
        found = p.log_prob(torch.tensor(y)[:, None]).detach().numpy()
        np.testing.assert_allclose(found, exact.logpmf(y.astype(int)), rtol=1e-7, atol=1e-4)


@pytest.mark.parametrize("scale", [1.0, 0.1, 0.002])
@pytest.mark.parametrize("mean", [1e-6, 150.0, 1e9])
def test_gamma_densities_are_scipys_however_narrow(mean, scale):
    log_mean, scale = torch.tensor(mean).log(), torch.tensor(scale)
    concentration = scale.double().item() ** -2
    exact = stats.gamma(concentration, scale=log_mean.double().exp().item() / concentration)
    y = torch.tensor(exact.ppf([0.01, 0.5, 0.99]).astype(np.float32))
    found = Gamma.family(log_mean, scale).log_prob(y)
    np.testing.assert_allclose(found, exact.logpdf(y.double()), rtol=1e-6, atol=1e-4)


@pytest.mark.parametrize("likelihood", [Poisson, NegativeBinomial])
def test_rates_start_at_the_mean_of_the_counts_and_y_is_read_around_it(likelihood):
    y = np.array([[0, 4000, 0], [2, 6000, 0], [np.nan, np.nan, 0]])
    rate = likelihood().rate_of(y)
    assert rate.tolist() == [1, 5000, 0.01]
    assert likelihood(init_rate=2.0).rate_of(y) == 2
    module = likelihood(init_rate=rate).build((3,))
    p = module(torch.zeros(1, 3))
    torch.testing.assert_close(p.mean, torch.as_tensor(rate), rtol=1e-6, atol=0)
    read = module.read(torch.tensor(y, dtype=torch.float32))
    torch.testing.assert_close(module.read(p.mean).float(), torch.zeros(3))
    assert (read[:2].abs() < 2).all() and read[2].isnan().tolist() == [True, True, False]


@pytest.mark.parametrize("init_rate", [0.0, -1.0, [1.0, 2.0], "a"])
def test_rates_are_positive_and_of_the_shape_of_y(init_rate):
    with pytest.raises(ValueError, match="The 'init_rate' parameter of Poisson must be"):
        Poisson(init_rate).build((3,))


def test_a_small_dispersion_is_the_poisson_distribution():
    counts = torch.arange(30.0)[:, None]
    found, expected = (
        likelihood.build((1,))(torch.zeros(1, 1)).log_prob(counts)
        for likelihood in (NegativeBinomial(4.0, init_dispersion=1e-6), Poisson(4.0))
    )
    torch.testing.assert_close(found, expected, atol=1e-3, rtol=0)


def test_dispersion_is_the_excess_of_the_variance():
    p = NegativeBinomial(5.0, init_dispersion=0.4).build((2,))(torch.zeros(1, 2))
    expected = torch.full((2,), 5 + 0.4 * 25, dtype=torch.float64)
    torch.testing.assert_close(p.variance, expected)


# Columns.


def columns(*groups):
    return Columns([(f"g{i}", *group) for i, group in enumerate(groups)])


@pytest.mark.parametrize(
    ("named", "got"),
    [
        (([0, 1],), r"\[0, 1\]"),
        (([0, 1], [1, 2]), r"\[0, 1, 1, 2\]"),
        (([0, 1], [2, 3]), r"\[0, 1, 2, 3\]"),
        (([0, 1], [-1]), r"\[-1, 0, 1\]"),
    ],
)
def test_every_column_is_in_one_group(named, got):
    likelihood = columns(*((Gaussian(), part) for part in named))
    with pytest.raises(ValueError, match=f"each of the 3 columns .* exactly one group, got {got}"):
        likelihood.check_targets(np.zeros((4, 3)))


@pytest.mark.parametrize("y", [np.zeros(4), np.zeros((4, 1, 1))])
def test_columns_are_of_a_table(y):
    with pytest.raises(ValueError, match="Columns expects y of shape"):
        columns((Gaussian(), [0])).check_targets(y)


@pytest.mark.parametrize(
    "groups",
    [
        [],
        None,
        [("a", Gaussian())],
        [("a", "gaussian", [0])],
        [("a", Gaussian, [0])],
        [("a", Gaussian(), 0)],
        [("a", Gaussian(), [])],
        [("a", Gaussian(), [True])],
        [(0, Gaussian(), [0])],
        [("a", columns((Gaussian(), [0])), [0])],
    ],
    ids=repr,
)
def test_groups_are_names_likelihoods_and_columns(groups):
    likelihood = Columns(groups)
    for method in (likelihood.check_targets, likelihood.codes_of):
        with pytest.raises(ValueError, match="The 'groups' parameter of Columns must be"):
            method(np.zeros((4, 1)))


@pytest.mark.parametrize(
    ("group", "meant"),
    [
        (
            ("a", "gaussian", ["u", "v"]),
            r"an object, such as Gaussian\(\), not the name 'gaussian'",
        ),
        (("a", Gaussian(), "v"), r"a list of columns, such as \['v'\]"),
        (("a", Gaussian(), 0), r"a list of columns, such as \[0\]"),
    ],
)
def test_a_bare_name_in_a_group_is_refused_with_what_was_meant(group, meant):
    with pytest.raises(ValueError, match=f"Columns must be .*: expected {meant}"):
        Columns([group]).check_targets(np.zeros((4, 1)))


def test_what_is_no_group_can_still_be_shown():
    for groups in (None, [("a", Gaussian())]):
        assert Columns(groups).get_params()["groups"] is groups
        assert "Columns" in repr(Columns(groups))


def test_names_of_groups_differ():
    with pytest.raises(ValueError, match="not unique"):
        Columns([("a", Gaussian(), [0]), ("a", Poisson(), [1])]).check_targets(np.zeros((4, 2)))


def test_a_group_is_named_where_its_columns_are_wrong():
    likelihood = columns((Gaussian(), [1]), (Poisson(), [0, 2]), (Bernoulli(), [3]))
    y = np.array([[0, 0.5, 2, np.nan]])
    likelihood.check_targets(y)
    with pytest.raises(ValueError, match="group 'g1': Poisson expects counts.* got -1"):
        likelihood.check_targets(y - np.array([0, 0, 3, 0]))


def test_parameters_of_groups_are_reached_by_name():
    likelihood = columns((Gaussian(), [0]), (GaussianMixture(), [1]))
    likelihood.set_params(g1__n_components=5, g0=StudentT())
    assert likelihood.get_params()["g1__n_components"] == 5
    assert isinstance(likelihood.groups[0][1], StudentT) and likelihood.groups[0][2] == [0]
    with pytest.raises(ValueError, match="Invalid parameter"):
        likelihood.set_params(g2__n_components=5)
