"""Probabilistic prediction of structured outputs with deep conditional generative models."""

from skcvae import metrics
from skcvae.estimators import (
    VAE,
    Autoencoder,
    ConformalRegressor,
    CVAERegressor,
    EnsembleRegressor,
    GSNNRegressor,
    HybridStructuredPredictor,
    HybridStructuredPredictorCV,
    NNRegressor,
    StackedGridSearchCV,
)
from skcvae.io.document import load
from skcvae.pipelines import (
    complete,
    decode,
    decode_layers,
    encode,
    last_step,
    log_prob,
    predict_modes,
    probability,
    reconstruct,
    sample,
)
from skcvae.progressions import progression
from skcvae.training.options import Training
from skcvae.version import __version__

__all__ = [
    "VAE",
    "Autoencoder",
    "CVAERegressor",
    "ConformalRegressor",
    "EnsembleRegressor",
    "GSNNRegressor",
    "HybridStructuredPredictor",
    "HybridStructuredPredictorCV",
    "NNRegressor",
    "StackedGridSearchCV",
    "Training",
    "__version__",
    "complete",
    "decode",
    "decode_layers",
    "encode",
    "last_step",
    "load",
    "log_prob",
    "metrics",
    "predict_modes",
    "probability",
    "progression",
    "reconstruct",
    "sample",
]
