"""Probabilistic prediction of structured outputs with deep conditional generative models."""

from skcvae import displays, metrics
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
from skcvae.io.document import load, save
from skcvae.pipelines import (
    complete,
    decode,
    decode_layers,
    encode,
    last_step,
    log_prob,
    predict,
    predict_interval,
    predict_modes,
    predict_quantiles,
    predict_region,
    probability,
    reconstruct,
    sample,
    tabular_pipeline,
    to_torch,
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
    "displays",
    "encode",
    "last_step",
    "load",
    "log_prob",
    "metrics",
    "predict",
    "predict_interval",
    "predict_modes",
    "predict_quantiles",
    "predict_region",
    "probability",
    "progression",
    "reconstruct",
    "sample",
    "save",
    "tabular_pipeline",
    "to_torch",
]
