"""Probabilistic prediction of structured outputs with deep conditional generative models."""

from skcvae import metrics
from skcvae.estimators import (
    VAE,
    Autoencoder,
    CVAERegressor,
    EnsembleRegressor,
    GSNNRegressor,
    HybridStructuredPredictor,
    NNRegressor,
)
from skcvae.io.document import load
from skcvae.pipelines import complete, decode, encode, log_prob, probability, reconstruct, sample
from skcvae.training.options import Training
from skcvae.version import __version__

__all__ = [
    "VAE",
    "Autoencoder",
    "CVAERegressor",
    "EnsembleRegressor",
    "GSNNRegressor",
    "HybridStructuredPredictor",
    "NNRegressor",
    "Training",
    "__version__",
    "complete",
    "decode",
    "encode",
    "load",
    "log_prob",
    "metrics",
    "probability",
    "reconstruct",
    "sample",
]
