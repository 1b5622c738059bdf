"""Probabilistic prediction of structured outputs with deep conditional generative models."""

from skcvae.ensemble import EnsembleRegressor
from skcvae.estimators import (
    CVAERegressor,
    GSNNRegressor,
    HybridStructuredPredictor,
    NNRegressor,
)
from skcvae.pipelines import complete, log_prob, sample
from skcvae.saving import load

__version__ = "0.1.0"

__all__ = [
    "CVAERegressor",
    "EnsembleRegressor",
    "GSNNRegressor",
    "HybridStructuredPredictor",
    "NNRegressor",
    "complete",
    "load",
    "log_prob",
    "sample",
]
