"""Outputs given those before: which may be read, draws, completion, moments, what is refused."""

import itertools
import math
import pickle

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn.base import clone

from skcvae import CVAERegressor, EnsembleRegressor, NNRegressor, load
from skcvae.architectures import Conv
from skcvae.distributions import ChainRule
from skcvae.inference.partial import given_observed, log_prob_of_observed
from skcvae.likelihoods import (
    Autoregressive,
    Bernoulli,
    Categorical,
    Columns,
    Gaussian,
    StudentT,
)
from skcvae.random import drawing_from, generator, normal_points

CLASSES = [0, 1, 2]
rng = np.random.default_rng(0)
X = rng.normal(size=(40, 2))
AGREE = np.repeat(rng.integers(0, 2, size=(40, 1)), 4, axis=1)
PARAMS = {"max_epochs": 3, "random_state": 0}
BITS = torch.tensor(list(itertools.product([0.0, 1.0], repeat=4))).double()

CASES = {
    "vector": (Bernoulli(), (7,)),
    "vector of labels": (Categorical(CLASSES), (3 * 5,)),
    "image": (Bernoulli(), (6, 7)),
    "narrow image": (Gaussian(), (5, 1)),
    "two channels": (Gaussian(heteroscedastic=True), (2, 4, 5)),
    "label map": (Categorical(CLASSES), (3, 4, 5)),
    "label maps": (Categorical(CLASSES), (3, 2, 4, 3)),
}
each_case = pytest.mark.parametrize("case", CASES)


def distribution(likelihood, y_shape, batch=(), **params):
    """Return a distribution with parameters at random, float64."""
    torch.manual_seed(0)
    module = Autoregressive(likelihood, width=8, **params).build(y_shape).double().eval()
    for parameter in module.network.parameters():  # strong enough to matter
        parameter.data *= 3
    return module(torch.randn(*batch, *module.parameter_shape, dtype=torch.float64))


def bits(y_shape=(4,), **params):
    """Return a distribution of four bits, and its 16 probabilities in the order of `BITS`."""
    p = distribution(Bernoulli(), y_shape, **params)
    return p, p.log_prob(BITS.view(16, *y_shape)).exp().detach()


@each_case
def test_an_output_depends_on_all_before_and_on_none_after(case):
    p = distribution(*CASES[case], batch=(200,))
    n_outputs, size = p.numbers.shape[1], p.order.size
    y = torch.randn(200, n_outputs, size, dtype=torch.float64, requires_grad=True)
    numbers = p.network(p.features, y)
    for i in range(n_outputs):
        (gradient,) = torch.autograd.grad(numbers[:, i].sum(), y, retain_graph=True)
        reads = (gradient != 0).any(0).any(-1)
        assert reads.tolist() == [j < i for j in range(n_outputs)]


@each_case
def test_drawing_in_order_evaluates_what_one_pass_does(case):
    p = distribution(*CASES[case], batch=(3,))
    found = []

    def choose(i, numbers):
        found.append(numbers)
        return torch.randn(3, p.order.size, dtype=torch.float64)

    y = p.network.path(p.features, choose)
    torch.testing.assert_close(torch.stack(found, 1), p.network(p.features, y))


def test_an_output_of_an_image_is_one_pixel_after_another_channel_by_channel():
    likelihood = Gaussian(heteroscedastic=True)
    p = distribution(likelihood, (2, 4, 5))
    code = torch.arange(40.0).view(2, 4, 5)
    ordered = p.order.ordered(code.flatten(), 1)[:, 0]
    assert ordered[:4].tolist() == [0, 20, 1, 21]  # channel 0 and 1 of the first two pixels
    assert torch.equal(p.order.encoded(ordered[:, None]), code)


@pytest.mark.parametrize("y_shape", [(4,), (2, 2), (2, 1, 2)])
def test_draws_follow_the_probabilities(y_shape):
    p, proba = bits(y_shape)
    assert proba.sum().item() == pytest.approx(1)
    with drawing_from(generator(0)):
        draws = p.sample((20_000,)).flatten(1)
    index = (draws * torch.tensor([8, 4, 2, 1])).sum(1).long()
    counts = np.bincount(index, minlength=16)
    assert stats.chisquare(counts, 20_000 * proba.numpy()).pvalue > 0.01


def test_draws_of_labels_follow_the_probabilities():
    p = distribution(Categorical(CLASSES), (3 * 2,))
    pairs = torch.tensor(list(itertools.product(range(3), repeat=2)))
    codes = torch.nn.functional.one_hot(pairs, 3).transpose(1, 2).reshape(9, 6).double()
    proba = p.log_prob(codes).exp().detach()
    assert proba.sum().item() == pytest.approx(1)
    with drawing_from(generator(0)):
        draws = p.sample((20_000,)).unflatten(1, (3, 2)).argmax(1)
    counts = np.bincount((draws * torch.tensor([3, 1])).sum(1), minlength=9)
    assert stats.chisquare(counts, 20_000 * proba.numpy()).pvalue > 0.01


def conditional(proba, known):
    """Return the probabilities of all bits given those that are not NaN, and that of these."""
    fits = (known.isnan() | (known == BITS)).all(1)
    joint = proba * fits
    return joint / joint.sum(), joint.sum()


@pytest.mark.parametrize("known", [[1, 0, math.nan, math.nan], [math.nan, 1, math.nan, 0]])
def test_completions_follow_the_probabilities_given_what_is_known(known):
    is_prefix = known[0] == 1
    p, proba = bits(n_draws=2 if is_prefix else 100)
    known = torch.tensor(known).double()
    expected, mass = conditional(proba, known)
    given = given_observed(p, known)
    tolerance = 1e-12 if is_prefix else 0.05
    found = log_prob_of_observed(p, known).exp()
    torch.testing.assert_close(found, mass, rtol=tolerance, atol=0)
    with drawing_from(generator(0)):
        draws = given.sample((5_000,))
    assert (draws[:, ~known.isnan()] == known[~known.isnan()]).all()
    counts = np.bincount((draws * torch.tensor([8, 4, 2, 1])).sum(1).long(), minlength=16)
    np.testing.assert_allclose(counts / 5_000, expected, atol=0.02)
    assert stats.chisquare(counts[expected > 0], 5_000 * expected[expected > 0]).pvalue > 0.01
    torch.testing.assert_close(
        given.mean.detach(), expected @ BITS, atol=0.3 if is_prefix else 0.1, rtol=0
    )


def test_known_outputs_that_come_first_have_an_exact_density_whatever_the_draws():
    densities = []
    for n_draws in (2, 64):
        p, _ = bits(n_draws=n_draws)
        densities.append([log_prob_of_observed(p, y) for y in BITS[:, :1].expand(-1, 4)[:2]])
    known = torch.tensor([[1, math.nan, math.nan, math.nan], [0, 1, 0, math.nan]]).double()
    few, many = (log_prob_of_observed(bits(n_draws=n)[0], known) for n in (2, 64))
    torch.testing.assert_close(few, many, rtol=0, atol=0)
    assert densities[0] == densities[1]


def test_linear_gaussian_outputs_have_the_exact_moments_of_any_number_of_draws():
    module = Autoregressive(Gaussian(), n_draws=2).build((5,)).double().eval()
    module.network.last.weight.data.zero_()
    p = module(torch.randn(module.parameter_shape, dtype=torch.float64))
    below = (module.network.shortcut.weight * module.network.shortcut.mask).detach()
    mixing = torch.linalg.inv(torch.eye(5).double() - below)
    torch.testing.assert_close(p.mean.detach(), (mixing @ p.numbers[:, 0]).detach())
    exact = mixing @ mixing.T * module.output(torch.zeros(1, 1)).variance.item()
    many = Autoregressive(Gaussian(), n_draws=4096).build((5,)).double().eval()
    many.load_state_dict(module.state_dict())
    found = many(torch.zeros(module.parameter_shape).double()).variance
    torch.testing.assert_close(found, exact.diagonal(), rtol=0.02, atol=0)
    y = torch.randn(9, 5, dtype=torch.float64)
    joint = torch.distributions.MultivariateNormal(mixing @ p.numbers[:, 0], exact)
    torch.testing.assert_close(p.log_prob(y), joint.log_prob(y))


def test_moments_of_vectors_are_those_of_many_draws_by_default():
    """Also far down a chain, where a bias of few draws would add up."""
    path = Autoregressive(Gaussian()).build((16,)).double().eval()
    path.network.last.weight.data.zero_()
    path.network.shortcut.weight.data.copy_(torch.eye(16).roll(-1, 1))  # a random walk
    p = path(torch.zeros(path.parameter_shape).double())
    exact = torch.arange(1, 17).double() * path.output(torch.zeros(1, 1)).variance.item()
    torch.testing.assert_close(p.variance.sqrt(), exact.sqrt(), rtol=0.06, atol=0)
    p, proba = bits()
    known = torch.tensor([math.nan, 1, math.nan, 0]).double()
    expected, _ = conditional(proba, known)
    for mean, share in ((p.mean, proba), (given_observed(p, known).mean, expected)):
        torch.testing.assert_close(mean.detach(), share @ BITS, atol=0.03, rtol=0)


def test_candidates_of_which_one_has_all_the_weight_are_warned_of():
    module = Autoregressive(Bernoulli(), n_draws=4).build((12,)).eval()
    module.network.shortcut.weight.data.mul_(100)  # the last is nearly decided by those before
    p = module(torch.zeros(module.parameter_shape))
    y = p.expand((200,)).sample()
    y[:, :6] = math.nan
    with pytest.warns(UserWarning, match="of 4 candidates the effective sample size is below 2"):
        given_observed(p, y).sample()


FITS = {
    "vector": (NNRegressor(likelihood=Autoregressive(Bernoulli())), AGREE),
    "map": (
        NNRegressor(
            architecture=Conv((4, 6)), likelihood=Autoregressive(Bernoulli(), n_draws=256)
        ),
        AGREE.reshape(40, 2, 2).repeat(2, axis=1),
    ),
    "latent": (CVAERegressor(likelihood=Autoregressive(Gaussian())), AGREE + X[:, :1]),
}


@pytest.mark.parametrize("name", FITS)
def test_one_seed_has_one_fit_and_rows_do_not_depend_on_others(name):
    est, y = FITS[name]
    before = torch.random.get_rng_state(), np.random.get_state()[1].copy()
    fits = [clone(est).set_params(**PARAMS).fit(X, y) for _ in range(2)]
    first, second = (fit.log_prob(X, y) for fit in fits)
    assert (first == second).all() and (first == fits[0].log_prob(X, y)).all()
    assert (fits[0].sample(X, 3, 0) == fits[1].sample(X, 3, 0)).all()
    np.testing.assert_allclose(fits[0].log_prob(X[:5], y[:5]), first[:5], atol=1e-4)
    np.testing.assert_allclose(fits[0].predict(X[:5]), fits[0].predict(X)[:5], atol=1e-5)
    completed = fits[0].complete(X, np.where(np.arange(y[0].size) < 2, y.reshape(40, -1), np.nan)
                                 .reshape(y.shape), 3, random_state=0)  # fmt: skip
    assert (completed.reshape(3, 40, -1)[..., :2] == y.reshape(40, -1)[:, :2]).all()
    assert torch.equal(before[0], torch.random.get_rng_state())
    assert (before[1] == np.random.get_state()[1]).all()


@pytest.mark.parametrize("name", FITS)
def test_predictions_are_moments_of_draws(name):
    est, y = FITS[name]
    est = clone(est).set_params(**PARAMS).fit(X, y)
    draws = est.sample(X[:8], 4000, random_state=0)
    mean, spread = est.predict(X[:8], return_std=True)
    np.testing.assert_allclose(draws.mean(axis=0), mean, atol=0.12 * spread.max())
    np.testing.assert_allclose(draws.std(axis=0), spread, atol=0.1 * spread.max())


def test_outputs_that_agree_are_learned_without_latent_variables():
    X = np.zeros((200, 1))
    y = np.repeat(np.arange(200)[:, None] % 2, 6, axis=1)
    params = {"max_epochs": 30, "lr": 0.02, "early_stopping": False, "random_state": 0}
    est = NNRegressor(likelihood=Autoregressive(Bernoulli()), **params).fit(X, y)
    assert est.score(X, y) == pytest.approx(-math.log(2), abs=0.02)
    draws = est.sample(X[:1], 1000, random_state=0)
    assert (draws == draws[..., :1]).mean() > 0.99
    independent = NNRegressor(likelihood="bernoulli", **params).fit(X, y)
    assert independent.score(X, y) < -6 * math.log(2) + 0.1


def test_perceptrons_are_trained_in_stacks_and_convolutions_alone():
    member = NNRegressor(likelihood=Autoregressive(Bernoulli()), **PARAMS)
    est = EnsembleRegressor(member, n_estimators=2, random_state=0).fit(X, AGREE)
    assert est.training_ == "2 in a stack of 2"
    alone = [clone(fit).fit(X, AGREE).score(X, AGREE) for fit in est.estimators_]
    np.testing.assert_allclose([fit.score(X, AGREE) for fit in est.estimators_], alone, atol=1e-5)
    est.fit(X, AGREE.reshape(40, 2, 2))
    assert est.training_ == "2 alone: layers Conv2d"


def test_training_draws_no_outputs_also_with_a_guess(monkeypatch):
    est = CVAERegressor(initial_guess=True, likelihood=Autoregressive(Categorical()), **PARAMS)
    labels = AGREE.reshape(40, 2, 2)
    with monkeypatch.context() as patched:
        patched.delattr(ChainRule, "_path")
        est.fit(X, labels)
    assert est.predict(X).shape == labels.shape
    assert est.classes_.tolist() == [0, 1]
    assert isinstance(est.likelihood_.likelihood, Categorical)


def test_images_larger_than_the_weights_are_loaded(tmp_path):
    """The noise of the averages has more numbers than a small network."""
    images = rng.integers(0, 2, size=(20, 24, 24))
    likelihood = Autoregressive(Bernoulli(), width=4, n_layers=1, n_draws=2)
    est = NNRegressor(architecture=Conv((4, 6)), likelihood=likelihood, **PARAMS)
    est.fit(X[:20], images).save(tmp_path / "images.skcvae")
    normal_points.cache_clear()
    again = load(tmp_path / "images.skcvae")
    assert (again.predict(X[:5]) == est.predict(X[:5])).all()
    assert (pickle.loads(pickle.dumps(est)).predict(X[:5]) == est.predict(X[:5])).all()


def test_a_fitted_model_is_exported_with_its_draws():
    est = NNRegressor(likelihood=Autoregressive(Bernoulli(), n_layers=1, n_draws=8), **PARAMS).fit(
        X, AGREE[:, :2]
    )
    sizes = ({0: torch.export.Dim("n")},)
    exported = torch.export.export(est.to_torch(), (torch.from_numpy(X),), dynamic_shapes=sizes)
    proba = est.predict(X[:7])
    np.testing.assert_allclose(exported.module()(torch.from_numpy(X[:7])).numpy(), proba)


def test_what_is_refused():
    images = AGREE.reshape(40, 2, 2)
    likelihood = Autoregressive(Bernoulli())
    table = Columns([("bits", likelihood, [0, 1, 2]), ("last", Gaussian(), [3])])
    for refused, y in ((likelihood, images), (table, AGREE)):
        with pytest.raises(
            ValueError, match="partial_y=True marginalises out entries of y, which"
        ):
            NNRegressor(likelihood=refused, partial_y=True).fit(X, y)
        with pytest.raises(ValueError, match="contains NaN.* in complete alone: leave out such"):
            NNRegressor(likelihood=refused).fit(X, np.where(y == y[0], np.nan, y))
    with pytest.raises(ValueError, match="n_scales=2 pools pixels by averaging"):
        NNRegressor(likelihood=likelihood, n_scales=2, initial_guess=True).fit(X, images)


@pytest.mark.parametrize(
    "bad",
    [{"width": 0}, {"n_layers": -1}, {"kernel_size": 2}, {"n_draws": 0}, {"n_features": "all"}],
)
def test_parameters_out_of_range(bad):
    with pytest.raises(ValueError, match=f"The '{next(iter(bad))}' parameter of Autoregressive"):
        NNRegressor(likelihood=Autoregressive(Bernoulli(), **bad)).fit(X, AGREE)


def test_likelihoods_whose_draws_do_not_follow_from_noise_are_refused():
    with pytest.raises(ValueError, match="The 'likelihood' parameter of Autoregressive must be"):
        NNRegressor(likelihood=Autoregressive(StudentT())).fit(X, AGREE)
