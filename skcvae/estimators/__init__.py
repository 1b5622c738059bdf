"""The estimators."""

from skcvae.estimators.baseline import NNRegressor
from skcvae.estimators.cvae import CVAERegressor
from skcvae.estimators.gsnn import GSNNRegressor
from skcvae.estimators.hybrid import HybridStructuredPredictor

__all__ = ["CVAERegressor", "GSNNRegressor", "HybridStructuredPredictor", "NNRegressor"]
