"""Laws of predictions at the components of a mixture prior."""

import numpy as np
import pytest
import torch
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skcvae
from skcvae import CVAERegressor, EnsembleRegressor, NNRegressor
from skcvae.architectures import Conv
from skcvae.datasets import make_two_branches
from skcvae.priors import Flow, Mixture

DATA = make_two_branches(n_samples=300, random_state=0)
X, y = DATA.X[:30], DATA.y[:30]
LONG = {"max_epochs": 40, "batch_size": 32, "lr": 0.01, "random_state": 0}


@pytest.fixture(scope="module")
def est():
    return CVAERegressor(prior=Mixture(4, scale=0.2), **LONG).fit(DATA.X, DATA.y)


@torch.inference_mode()
def prior_at(est, X):
    """Return the prior of a fitted estimator at rows of X."""
    fitted = est._fitted
    x = fitted.x_coding.to_tensor(X, fitted.exact_dtype, "cpu")
    return fitted.exact_model.condition(x).prior


def test_modes_are_decoded_component_means_by_weight(est):
    found, weights = est.predict_modes(X, return_weights=True)
    p = prior_at(est, X)
    probs = p.mixture_distribution.probs.numpy()
    means = p.component_distribution.mean.numpy()
    assert found.shape == weights.shape == (4, 30)
    order = np.argsort(-probs, axis=1, kind="stable")
    np.testing.assert_allclose(weights.T, np.take_along_axis(probs, order, 1), rtol=1e-6)
    z = np.take_along_axis(means, order[..., None], 1).swapaxes(0, 1)
    np.testing.assert_allclose(found, est.decode(X, z), rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(weights.sum(0), 1)
    assert (np.diff(weights, axis=0) <= 0).all()


def test_the_first_mode_is_the_prediction(est):
    np.testing.assert_allclose(
        est.predict_modes(X, 1)[0], est.predict(X, method="latent_mean"), rtol=1e-6
    )
    np.testing.assert_array_equal(est.predict_modes(X, 2), est.predict_modes(X)[:2])


def test_counts_may_be_of_numpy(est):
    np.testing.assert_array_equal(est.predict_modes(X, np.int64(2)), est.predict_modes(X, 2))


def test_modes_follow_from_the_row_alone(est):
    order = np.random.default_rng(0).permutation(30)[:7]
    np.testing.assert_allclose(
        est.predict_modes(X[order]), est.predict_modes(X)[:, order], rtol=1e-6, atol=1e-9
    )


def test_the_modes_are_the_branches(est):
    found, weights = est.predict_modes(X, return_weights=True)
    branch = DATA.branch(X)
    assert (np.abs(np.abs(found) - branch)[weights > 0.2] < 0.3).all()
    # Both branches are among the modes of most rows: no draw is needed to see both.
    kept = np.where(weights > 0.05, found, np.nan)
    assert ((np.nanmin(kept, 0) < 0) & (np.nanmax(kept, 0) > 0)).mean() > 0.9


@pytest.mark.parametrize("scale", [0.1, 0.5])
def test_a_fixed_scale_is_that_of_every_component(scale):
    est = CVAERegressor(prior=Mixture(3, scale=scale), max_epochs=2, random_state=0)
    p = prior_at(est.fit(DATA.X, DATA.y), X)
    np.testing.assert_allclose(p.component_distribution.stddev, scale, rtol=1e-6)
    assert np.isfinite(est.log_prob(X, y)).all()


def test_labels_of_images_have_modes():
    rng = np.random.default_rng(0)
    images = rng.normal(size=(30, 8, 6))
    maps = 3 + (images + rng.normal(size=(30, 1, 1)) > 0)
    est = CVAERegressor(
        architecture=Conv((4, 6)), likelihood="categorical", prior=Mixture(3),
        max_epochs=1, random_state=0,
    ).fit(images, maps)  # fmt: skip
    found, weights = est.predict_modes(images, 2, return_weights=True)
    assert found.shape == (2, 30, 8, 6) and weights.shape == (2, 30)
    assert set(np.unique(found)) <= {3, 4} and found.dtype == est.classes_.dtype


def test_pipelines_and_searches_have_modes(est):
    scaler = StandardScaler().fit(DATA.X)
    short = CVAERegressor(prior=Mixture(3), max_epochs=1, random_state=0)
    search = GridSearchCV(short, {"lr": [0.01]}, cv=2)
    pipeline = make_pipeline(StandardScaler(), search).fit(DATA.X, DATA.y)
    found, weights = skcvae.predict_modes(pipeline, X, 2, return_weights=True)
    last = search.fit(scaler.transform(DATA.X), DATA.y).best_estimator_
    expected = last.predict_modes(scaler.transform(X), 2, return_weights=True)
    np.testing.assert_array_equal(found, expected[0])
    np.testing.assert_array_equal(weights, expected[1])


@pytest.mark.parametrize("prior", ["gaussian", "standard", Flow(1, hidden_layer_sizes=(4,))])
def test_priors_without_components_are_refused_by_name(prior):
    if isinstance(prior, Flow):
        pytest.importorskip("zuko")
    est = CVAERegressor(prior=prior, max_epochs=1, random_state=0).fit(DATA.X, DATA.y)
    name = prior.capitalize() if isinstance(prior, str) else "Flow"
    with pytest.raises(ValueError, match=rf"expects a mixture prior.*got prior={name}\("):
        est.predict_modes(X)


def test_networks_without_latent_variables_and_ensembles_are_refused():
    nn = NNRegressor(max_epochs=1, random_state=0).fit(DATA.X, DATA.y)
    with pytest.raises(ValueError, match="NNRegressor has no latent variables, and so no modes"):
        nn.predict_modes(X)
    members = CVAERegressor(prior="mixture", max_epochs=1)
    ensemble = EnsembleRegressor(members, n_estimators=2, random_state=0).fit(DATA.X, DATA.y)
    with pytest.raises(TypeError, match=r"estimators_\[0\]\.predict_modes"):
        ensemble.predict_modes(X)
    assert ensemble.estimators_[0].predict_modes(X).shape == (5, 30)


@pytest.mark.parametrize("n_modes", [0, 5, 1.5])
def test_there_are_as_many_modes_as_components(est, n_modes):
    with pytest.raises((ValueError, TypeError), match="n_modes"):
        est.predict_modes(X, n_modes)


def test_the_scale_is_positive():
    with pytest.raises(ValueError, match="The 'scale' parameter of Mixture"):
        Mixture(scale=0.0).build((2,))
