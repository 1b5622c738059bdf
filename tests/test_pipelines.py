import numpy as np
import pandas as pd
import pytest
import torch
from sklearn import config_context
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.compose import TransformedTargetRegressor
from sklearn.decomposition import PCA
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skcvae
from skcvae import VAE, Autoencoder, CVAERegressor, HybridStructuredPredictor

QUICK = {"max_epochs": 2, "random_state": 0}


@pytest.fixture
def pipeline(estimator_class, data):
    return make_pipeline(PCA(2), estimator_class(**QUICK)).fit(*data)


def test_functions_equal_the_methods_of_the_last_step(pipeline, data):
    X, y = data
    inside, last = pipeline[:-1].transform(X), pipeline[-1]
    np.testing.assert_array_equal(skcvae.sample(pipeline, X, 3, 0), last.sample(inside, 3, 0))
    np.testing.assert_array_equal(skcvae.log_prob(pipeline, X, y), last.log_prob(inside, y))
    assert pipeline.score(X, y) == last.score(inside, y)
    hidden = np.tile([True, False, False], (60, 1))
    np.testing.assert_array_equal(
        skcvae.complete(pipeline, X, y, 2, hidden, n_steps=3, random_state=0),
        last.complete(inside, y, 2, hidden, n_steps=3, random_state=0),
    )
    event = lambda draws: draws.sum(axis=-1) > 15  # noqa: E731
    for found, expected in zip(
        skcvae.probability(pipeline, X, event), last.probability(inside, event), strict=True
    ):
        np.testing.assert_array_equal(found, expected)
    log_p, ess = skcvae.log_prob(pipeline, X, y, n_samples=5, return_ess=True)
    assert log_p.shape == ess.shape == (60,)


def test_latent_functions_equal_the_methods_of_the_last_step(data):
    X, y = data
    pipeline = make_pipeline(PCA(2), CVAERegressor(**QUICK)).fit(X, y)
    inside, last = pipeline[:-1].transform(X), pipeline[-1]
    z = skcvae.encode(pipeline, X, y)
    np.testing.assert_array_equal(z, last.encode(inside, y))
    np.testing.assert_array_equal(skcvae.encode(pipeline, X), last.encode(inside))
    np.testing.assert_array_equal(skcvae.decode(pipeline, X, z), last.decode(inside, z))
    found = skcvae.reconstruct(pipeline, X, y)
    np.testing.assert_array_equal(found, last.reconstruct(inside, y))
    mean, std = skcvae.encode(pipeline, X, y, return_std=True)
    assert mean.shape == std.shape == z.shape


def test_predict_parameters_pass_through(pipeline, data):
    mean, std = pipeline.predict(data[0], return_std=True)
    assert mean.shape == std.shape == data[1].shape


def test_a_search_without_a_fitted_model_says_what_it_lacks(data):
    X, y = data
    est = CVAERegressor(max_epochs=1, random_state=0)
    search = GridSearchCV(est, {"beta": [0.5, 1]}, cv=2, refit=False)
    for found in (search, search.fit(X, y)):
        with pytest.raises(TypeError, match="'sample', got GridSearchCV. Fit .* refit=True"):
            skcvae.sample(found, X)


def test_a_search_over_a_pipeline_is_looked_into(data):
    X, y = data
    pipeline = make_pipeline(PCA(2), make_pipeline(PCA(1), HybridStructuredPredictor(**QUICK)))
    grid = {"pipeline__hybridstructuredpredictor__alpha": [0.2, 0.8]}
    search = GridSearchCV(pipeline, grid, cv=2).fit(X, y)
    best = search.best_estimator_
    inside = best[-1][:-1].transform(best[:-1].transform(X))
    np.testing.assert_array_equal(
        skcvae.sample(search, X, 2, 0), best[-1][-1].sample(inside, 2, 0)
    )
    assert skcvae.log_prob(search, X, y).mean() == pytest.approx(search.score(X, y))


def test_regions_are_those_of_the_last_step(data):
    X, y = data
    pipeline = make_pipeline(PCA(2), CVAERegressor(**QUICK)).fit(X, y[:, 0])
    expected = pipeline[-1].predict_region(pipeline[:-1].transform(X), 0.5, 40)
    found = skcvae.predict_region(pipeline, X, coverage=0.5, n_samples=40)
    np.testing.assert_array_equal(found, expected)
    search = GridSearchCV(pipeline, {"cvaeregressor__beta": [1.0]}, cv=2).fit(X, y[:, 0])
    assert skcvae.predict_region(search, X).shape[::2] == (60, 2)
    with pytest.raises(TypeError, match="method 'predict_region', got LinearRegression"):
        skcvae.predict_region(LinearRegression().fit(X, y), X)


def test_every_method_has_a_function(estimator_class):
    known = {*dir(RegressorMixin), *dir(BaseEstimator), "fit", "predict", "summary"}
    own = {
        m
        for m in dir(estimator_class)
        if not m.startswith("_") and callable(getattr(estimator_class, m))
    }
    assert {m for m in own - known if not m.endswith("_request")} <= set(skcvae.__all__)


def test_an_estimator_alone_will_do(data):
    X, _ = data
    est = CVAERegressor(**QUICK).fit(*data)
    np.testing.assert_array_equal(skcvae.sample(est, X, 2, 0), est.sample(X, 2, 0))


@pytest.mark.parametrize(
    "function",
    ["sample", "predict_modes", "complete", "log_prob", "encode", "decode", "reconstruct"],
)
def test_what_cannot_sample_is_refused(data, function):
    X, y = data
    arguments = (X,) if function in ("sample", "predict_modes", "encode") else (X, y)
    for other in (LinearRegression(), make_pipeline(PCA(2), LinearRegression())):
        with pytest.raises(TypeError, match=f"method '{function}', got LinearRegression"):
            getattr(skcvae, function)(other.fit(X, y), *arguments)


@pytest.mark.parametrize("model", [VAE(**QUICK), Autoencoder(**QUICK)], ids=["VAE", "Autoencoder"])
def test_a_model_of_rows_alone_says_what_takes_the_place_of_a_function(data, model):
    X, y = data
    pipeline = make_pipeline(StandardScaler(), model).fit(X)
    own = {"encode": "transform", "decode": "inverse_transform", "predict_interval": None}
    has_density = hasattr(model, "score_samples")
    own["log_prob"] = "score_samples" if has_density else None
    for function, method in own.items():
        said = f"use the method '{method}'" if method else "it predicts no y"
        for est in (pipeline, pipeline[-1], FrozenEstimator(pipeline)):
            arguments = (X, y) if function in ("decode", "log_prob") else (X,)
            with pytest.raises(TypeError, match=f"models X alone: {said}"):
                getattr(skcvae, function)(est, *arguments)
    for method in ("transform", *["score_samples"] * has_density):
        assert len(getattr(pipeline, method)(X)) == len(X)
    assert pipeline.inverse_transform(pipeline.transform(X)).shape == X.shape


def test_weights_and_validation_rows_are_routed(data):
    X, y = data
    weight = np.arange(60.0)
    with config_context(enable_metadata_routing=True):
        est = CVAERegressor(**QUICK).set_fit_request(sample_weight=True)
        est.set_score_request(sample_weight=True)
        routed = cross_validate(est, X, y, cv=2, params={"sample_weight": weight})
        last = CVAERegressor(**QUICK).set_fit_request(X_val=True, y_val=True)
        pipeline = make_pipeline(PCA(2), last, transform_input=["X_val"])
        pipeline.fit(X, y, X_val=X[:9], y_val=y[:9])
    by_hand = CVAERegressor(**QUICK).fit(X[30:], y[30:], sample_weight=weight[30:])
    expected = by_hand.score(X[:30], y[:30], sample_weight=weight[:30])
    assert routed["test_score"][0] == expected
    inside = pipeline[0].transform(X)
    again = CVAERegressor(**QUICK).fit(inside, y, X_val=inside[:9], y_val=y[:9])
    np.testing.assert_array_equal(pipeline.predict(X), again.predict(inside))


def test_intervals_quantiles_and_modules_are_those_of_the_last_step(pipeline, data):
    X, _ = data
    inside, last = pipeline[:-1].transform(X), pipeline[-1]
    for found, expected in (
        (skcvae.predict(pipeline, X, return_std=True), last.predict(inside, return_std=True)),
        (skcvae.predict_interval(pipeline, X, 0.8), last.predict_interval(inside, 0.8)),
        (skcvae.predict_quantiles(pipeline, X=X), last.predict_quantiles(inside)),
        (skcvae.to_torch(pipeline)(torch.tensor(inside)).numpy(), last.predict(inside)),
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_a_transformer_of_y_is_refused_with_what_to_do(data):
    est = TransformedTargetRegressor(CVAERegressor(**QUICK), transformer=StandardScaler())
    est.fit(*data)
    for other in (est, make_pipeline(PCA(2), est).fit(*data)):
        with pytest.raises(TypeError, match="sample expects .*TransformedTargetRegressor.*inside"):
            skcvae.sample(other, data[0])


def test_a_frozen_estimator_is_looked_into(pipeline, data):
    frozen = FrozenEstimator(pipeline)
    expected = skcvae.sample(pipeline, data[0], 2, 0)
    np.testing.assert_array_equal(skcvae.sample(frozen, data[0], 2, 0), expected)


FAR = np.random.default_rng(0).normal(1000, 100, (60, 3))


@pytest.mark.parametrize("model", [CVAERegressor(**QUICK), VAE(**QUICK)], ids=["CVAE", "VAE"])
def test_rows_to_validate_on_that_were_not_transformed_are_noticed(model, data):
    """Those of other units by a warning, others by what is added to the error."""
    step = type(model).__name__.lower()
    given = {f"{step}__y_val": data[1][:9]} if isinstance(model, CVAERegressor) else {}
    given[f"{step}__X_val"] = FAR[:9]
    with pytest.warns(UserWarning, match="X_val is far from X.*In a pipeline.*validation="):
        make_pipeline(StandardScaler(), model).fit(FAR, data[1], **given)
    for shape in ((9, 3), (9, 3, 2)):
        given[f"{step}__X_val"] = np.ones(shape)
        with pytest.raises(ValueError, match="X.* (features|shape) .*In a pipeline.*validation="):
            make_pipeline(PCA(2), model).fit(FAR, data[1], **given)
    given[f"{step}__X_val"] = [["a", "b"]] * 9
    with pytest.raises(ValueError, match="X_val must hold numbers.*In a pipeline"):
        make_pipeline(PCA(2), model).fit(FAR, data[1], **given)


def test_rows_of_the_same_units_are_not_called_far(data):
    """Nor are rare columns, those of few far numbers, and what lies ahead in a trend."""
    rng = np.random.default_rng(0)
    X = np.column_stack([np.arange(60), rng.random(60) < 0.02, rng.standard_cauchy(60) ** 3])
    est = CVAERegressor(**QUICK)
    with pytest.warns(UserWarning, match="times the spread of its middle half"):
        est.fit(X[:50], data[1][:50], X_val=X[50:], y_val=data[1][50:])
    est.set_params(normalize_X=False).fit(FAR - 1000, data[1], X_val=FAR, y_val=data[1])


def test_predictions_of_a_frame_have_its_index_and_the_names_of_y(data):
    X = pd.DataFrame(data[0], index=[f"row {i}" for i in range(60)])
    y = pd.DataFrame(data[1], columns=["a", "b", "c"], index=X.index)
    est = make_pipeline(PCA(2), CVAERegressor(**QUICK))
    search = GridSearchCV(est, {"cvaeregressor__beta": [1.0]}, cv=2).fit(X, y)
    for fitted in (est.fit(X, y), search):
        for frame in skcvae.predict(fitted, X, return_std=True, as_frame=True):
            assert frame.index.equals(X.index) and frame.columns.equals(y.columns)
        np.testing.assert_array_equal(skcvae.predict(fitted, X), fitted.predict(X))
