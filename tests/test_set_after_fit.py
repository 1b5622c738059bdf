"""Parameters set after a fit are those of the next fit; what was fitted is unchanged."""

import re

import numpy as np
import pytest
from sklearn.base import clone

from skcvae import (
    VAE,
    Autoencoder,
    ConformalRegressor,
    CVAERegressor,
    EnsembleRegressor,
    GSNNRegressor,
    HybridStructuredPredictor,
    HybridStructuredPredictorCV,
    NNRegressor,
    Training,
)

rng = np.random.default_rng(0)
X, Y = rng.normal(size=(2, 60, 2))
QUICK = {"max_epochs": 6, "random_state": 0}
ESTIMATORS = [
    CVAERegressor(**QUICK),
    CVAERegressor(early_stopping=False, partial_y=True, **QUICK),
    CVAERegressor(annotations=True, **QUICK),
    GSNNRegressor(**QUICK),
    HybridStructuredPredictor(**QUICK),
    NNRegressor(**QUICK),
    HybridStructuredPredictorCV(alphas=(0, 1), cv=2, **QUICK),
    EnsembleRegressor(NNRegressor(annotations=True, **QUICK), n_estimators=2),
    VAE(**QUICK),
    Autoencoder(**QUICK),
    Autoencoder(early_stopping=False, **QUICK),
    ConformalRegressor(NNRegressor(**QUICK), n_samples=20, random_state=0),
]
OTHER = {
    "alphas": (0.3, 0.6),
    "architecture": "conv",
    "cv": 3,
    "estimator": NNRegressor(likelihood="laplace", annotations=True),
    "likelihood": "categorical",
    "objective": "iwae",
    "prior": "gaussian_mixture",
    "region": "distance",
    "training": Training(temperature=2.0),
}
# A prediction is made as these say when it is made.
READ_NOW = {"n_jobs", "n_score_samples", "predict", "verbose"}


def other(name, value):
    """Return a value that a parameter could have had, unlike the one of the fit."""
    if name in OTHER:
        return OTHER[name]
    if isinstance(value, bool):
        return not value
    return value + 1 if isinstance(value, int) else 0.5 if isinstance(value, float) else 1


def is_annotated(est):
    return "annotations=True" in repr(est)


def fitted(est):
    if is_annotated(est):
        return est.fit(X, np.stack([Y, Y + 0.1], axis=1))
    if isinstance(est, Autoencoder):
        return est.fit(X, X_val=X[:9])
    return est.fit(X) if isinstance(est, VAE) else est.fit(X, Y)


def answers(est, y):
    """Return what a fitted estimator says: its summary and its predictions."""
    said = {"summary": est.summary(), "score": getattr(est, "best_validation_score_", None)}
    for name in ("predict", "transform", "score_samples", "predict_quantiles", "predict_interval"):
        if hasattr(est, name):
            said[name] = getattr(est, name)(X[:5])
    if hasattr(est, "log_prob") and not isinstance(est, ConformalRegressor):
        said["log_prob"] = est.log_prob(X[:5], y[:5], n_samples=10)
    return said


@pytest.mark.parametrize("est", ESTIMATORS, ids=lambda est: re.sub(r"\W+", "-", repr(est)))
def test_parameters_set_after_a_fit_are_those_of_the_next(est):
    y = np.stack([Y, Y + 0.1], axis=1) if is_annotated(est) else Y
    est = fitted(clone(est))
    if isinstance(est, ConformalRegressor):
        est.conformalize(X, Y)
    before = answers(est, y)
    for name, value in est.get_params(deep=False).items():
        if name not in READ_NOW:
            setattr(est, name, other(name, value))
    after = answers(est, y)
    assert before.keys() == after.keys()
    for name, value in before.items():
        np.testing.assert_array_equal(value, after[name], err_msg=name)
