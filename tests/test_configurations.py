"""Label maps with known joint probabilities: stripes that agree or not, classes that are flipped.

Annotations are all configurations, weighted by their probabilities, so the data are exact.
"""

import numpy as np
import pytest

from skcvae import CVAERegressor, NNRegressor, Training
from skcvae.architectures import MLP
from skcvae.likelihoods import Autoregressive, Bernoulli, Categorical, CorrelatedLogits

WITHIN = 0.02
FIRST, SECOND = np.array([(1, 1), (1, 0), (0, 1), (0, 0)]).T[..., None]
STRIPES = np.zeros((4, 3, 3), dtype=int)
STRIPES[..., 0], STRIPES[..., 2] = FIRST, SECOND
FLIPS = np.zeros((4, 3, 3), dtype=int)
FLIPS[..., 0], FLIPS[..., 2] = 1 + FIRST, 3 + SECOND  # class 1 may become 2, class 3 may become 4
TRUTH = {
    "stripes": (STRIPES, np.array([[0.45, 0.05, 0.05, 0.45], [0.1, 0.6, 0.2, 0.1]])),
    "flips": (FLIPS, np.array([[0.5, 0.1, 0.1, 0.3], [0.12, 0.28, 0.18, 0.42]])),
}
PARAMS = {
    "annotations": True, "architecture": MLP((32, 32)), "early_stopping": False, "lr": 0.02,
    "max_epochs": 500, "batch_size": 64, "random_state": 0,
    "training": Training(lr_schedule="one_cycle"),
}  # fmt: skip
LATENT = {"latent_dim": 2, "objective": "iwae", "n_train_samples": 20, **PARAMS}
SHORT = {**PARAMS, "lr": 0.01, "max_epochs": 120}
CORRELATED = CorrelatedLogits(Bernoulli(), rank=2, n_draws=256)
MODELS = {
    "latents": (
        "stripes",
        CVAERegressor(likelihood="bernoulli", **{**LATENT, "max_epochs": 400}),
    ),
    "correlated logits": (
        "stripes",
        NNRegressor(likelihood=CORRELATED, **{**PARAMS, "lr": 0.01, "max_epochs": 450}),
    ),
    "pixel by pixel": (
        "stripes",
        NNRegressor(likelihood=Autoregressive(Bernoulli()), **SHORT),
    ),
    "pixel by pixel, classes": (
        "flips",
        NNRegressor(likelihood=Autoregressive(Categorical()), **SHORT),
    ),
    "latents, classes": (
        "flips",
        CVAERegressor(likelihood="categorical", **{**LATENT, "lr": 0.01}),
    ),
}


def errors(est, toy, n_rows=16):
    """Return the errors of the probabilities of configurations, (2, 4), after a fit."""
    maps, truth = TRUTH[toy]
    kind = np.arange(n_rows) % 2
    y = np.broadcast_to(maps, (n_rows, *maps.shape))
    est.fit(np.eye(2)[kind], y, truth[kind])
    # Pixels that are drawn one after the other take longest, and err least.
    n_draws = 20_000 if isinstance(est.likelihood, Autoregressive) else 40_000
    draws = est.sample(np.eye(2), n_draws, random_state=0)
    found = [(draws == configuration).all(axis=(-1, -2)).mean(axis=0) for configuration in maps]
    return np.stack(found, axis=1) - truth


@pytest.mark.parametrize("model", MODELS)
def test_joint_configurations_have_their_probabilities(model):
    toy, est = MODELS[model]
    assert abs(errors(est, toy)).max() < WITHIN


@pytest.mark.parametrize("toy", TRUTH)
def test_a_model_of_independent_labels_misses_them(toy):
    likelihood = "bernoulli" if toy == "stripes" else "categorical"
    est = NNRegressor(likelihood=likelihood, **{**PARAMS, "max_epochs": 100})
    assert abs(errors(est, toy)).max() > 10 * WITHIN
