"""Correlated logits: fits are deterministic, draws without noise, and what is refused."""

import math

import numpy as np
import pytest
import torch

from skcvae import CVAERegressor, NNRegressor
from skcvae.architectures import Conv
from skcvae.inference.partial import given_observed
from skcvae.likelihoods import Bernoulli, Categorical, Columns, CorrelatedLogits, Gaussian

rng = np.random.default_rng(0)
X = rng.normal(size=(40, 2))
AGREE = np.repeat(rng.integers(0, 2, size=(40, 1)), 4, axis=1)
PARAMS = {"max_epochs": 3, "random_state": 0}


def module(rank=2, n_draws=4000, of=None, **params):
    torch.manual_seed(0)
    likelihood = CorrelatedLogits(of or Bernoulli(), rank=rank, n_draws=n_draws, **params)
    return likelihood.build((2,)).double().eval()


def test_one_seed_has_one_fit_and_one_score_and_no_global_state_is_touched():
    before = torch.random.get_rng_state(), np.random.get_state()[1].copy()
    fits = [
        NNRegressor(likelihood=CorrelatedLogits(Bernoulli(), rank=2), **PARAMS).fit(X, AGREE)
        for _ in range(2)
    ]
    first, second = (est.log_prob(X, AGREE) for est in fits)
    assert (first == second).all() and (first == fits[0].log_prob(X, AGREE)).all()
    alone = [fits[0].log_prob(X[i : i + 1], AGREE[i : i + 1])[0] for i in range(5)]
    np.testing.assert_allclose(alone, first[:5], atol=1e-5)
    assert (fits[0].sample(X, 3, 0) == fits[1].sample(X, 3, 0)).all()
    assert torch.equal(before[0], torch.random.get_rng_state())
    assert (before[1] == np.random.get_state()[1]).all()


def test_without_columns_and_scale_the_labels_are_independent():
    parameters = torch.randn(5, 3, 2, dtype=torch.float64)
    parameters[:, 1:] = 0
    y = torch.randint(2, (5, 2)).double()
    expected = Bernoulli().build((2,))(parameters[:, :1]).log_prob(y)
    torch.testing.assert_close(module()(parameters).log_prob(y), expected)


@pytest.mark.parametrize("n_draws", [32, 33])
def test_few_points_have_the_probabilities_of_single_labels(n_draws):
    p = module(rank=1, n_draws=n_draws)
    loc, column = torch.tensor([[0.0, 1.5], [2.0, -3.0]]).double()
    found = p(torch.stack([loc, column])[None]).mean.squeeze(0)
    u, weight = (torch.tensor(part) for part in np.polynomial.hermite_e.hermegauss(100))
    exact = weight @ torch.sigmoid(loc + u[:, None] * column) / math.sqrt(2 * math.pi)
    torch.testing.assert_close(found, exact, atol=0.01, rtol=0)
    if n_draws % 2 == 0:
        assert found[0].item() == pytest.approx(0.5, abs=1e-9)  # points and their negatives


def test_signs_of_correlated_logits_agree_as_often_as_gaussians_do():
    """Large logits: P(equal) = 1/2 + arcsin(r) / pi for a correlation of r."""
    angle = 0.9
    columns = 1e3 * torch.tensor([[1.0, math.cos(angle)], [0.0, math.sin(angle)]])
    parameters = torch.cat([torch.zeros(1, 2), columns]).double()
    exact = 0.5 + math.asin(math.cos(angle)) / math.pi
    p = module()(parameters)
    both = p.log_prob(torch.tensor([[1.0, 1.0], [0.0, 0.0]]).double()).exp().sum()
    assert both.item() == pytest.approx(exact, abs=0.01)
    torch.manual_seed(0)
    draws = p.sample((20_000,))
    assert (draws[:, 0] == draws[:, 1]).double().mean().item() == pytest.approx(exact, abs=0.015)


def test_the_diagonal_part_is_independent_noise():
    parameters = torch.zeros(4, 2, dtype=torch.float64)
    parameters[-1] = 1e3  # the raw scale
    p = module(diagonal=True)(parameters)
    every = torch.tensor([[a, b] for a in (0.0, 1.0) for b in (0.0, 1.0)]).double()
    torch.testing.assert_close(
        p.log_prob(every).exp(), torch.full((4,), 0.25).double(), atol=0.02, rtol=0
    )


def test_training_draws_anew_and_a_fitted_model_does_not():
    likelihood = module(n_draws=8)
    parameters, y = torch.randn(6, 3, 2).double(), torch.ones(6, 2).double()
    fixed = [likelihood(parameters).log_prob(y) for _ in range(2)]
    new = [likelihood.train()(parameters).log_prob(y) for _ in range(2)]
    assert torch.equal(*fixed)
    assert (new[0] != new[1]).all()


def test_draws_without_observation_noise_have_logits_of_their_own():
    est = NNRegressor(likelihood=CorrelatedLogits(Bernoulli(), rank=2), **PARAMS).fit(X, AGREE)
    means = est.sample(X, 200, 0, observation_noise=False)
    assert ((means > 0) & (means < 1)).all() and (means.std(axis=0) > 0).all()
    np.testing.assert_allclose(means.mean(axis=0), est.predict(X), atol=0.1)
    labels = NNRegressor(likelihood=CorrelatedLogits(rank=2), **PARAMS).fit(X, AGREE)
    assert set(np.unique(labels.sample(X, 5, 0, observation_noise=False))) <= {0, 1}
    partial = NNRegressor(
        likelihood=CorrelatedLogits(Bernoulli(), rank=2), partial_y=True, **PARAMS
    ).fit(X, AGREE)
    assert (partial.sample(X, 20, 0, observation_noise=False).std(axis=0) > 0).all()


def test_they_have_them_among_other_columns_too():
    likelihood = Columns(
        [
            ("real", Gaussian(), [0]),
            ("labels", CorrelatedLogits(Bernoulli(), rank=2), [1, 2, 3, 4]),
        ]
    )
    y = np.c_[X[:, :1], AGREE]
    est = NNRegressor(likelihood=likelihood, **PARAMS).fit(X, y)
    means = est.sample(X, 200, 0, observation_noise=False)
    assert (means[..., 1:].std(axis=0) > 0).all() and (means[..., 0] == means[0, :, 0]).all()
    np.testing.assert_allclose(means.mean(axis=0), est.predict(X), atol=0.1)


def test_what_is_known_of_a_row_tells_the_rest():
    columns = 1e3 * torch.ones(2, 2)
    est = module()(torch.cat([torch.zeros(1, 2), columns]).double())
    known = torch.tensor([1.0, math.nan]).double()
    assert given_observed(est, known).mean[1] > 0.99


def test_images_and_latent_variables():
    maps = np.repeat(AGREE.reshape(40, 2, 2), 4, axis=1).repeat(4, axis=2)
    est = CVAERegressor(
        architecture=Conv((4, 6)), likelihood=CorrelatedLogits(rank=3, n_draws=4),
        n_score_samples=5, **PARAMS,
    ).fit(maps + 0.0, maps)  # fmt: skip
    assert est.predict(maps).shape == maps.shape and est.classes_.tolist() == [0, 1]
    assert np.isfinite(est.score(maps, maps))
    assert isinstance(est.likelihood_.likelihood, Categorical)


@pytest.mark.parametrize("bad", [{"rank": 0}, {"n_draws": 0}, {"likelihood": Gaussian()}])
def test_parameters_out_of_range(bad):
    name = next(iter(bad))
    with pytest.raises(ValueError, match=f"The '{name}' parameter of CorrelatedLogits must be"):
        NNRegressor(likelihood=CorrelatedLogits(**bad)).fit(X, AGREE)
