"""The estimators."""

from skcvae import architectures, likelihoods, objectives, priors
from skcvae.estimators._calibration import Calibration
from skcvae.estimators.autoencoder import Autoencoder
from skcvae.estimators.conformal import ConformalRegressor
from skcvae.estimators.cvae import CVAERegressor
from skcvae.estimators.ensemble import EnsembleRegressor
from skcvae.estimators.gsnn import GSNNRegressor
from skcvae.estimators.hybrid import HybridStructuredPredictor
from skcvae.estimators.hybrid_cv import HybridStructuredPredictorCV
from skcvae.estimators.nn import NNRegressor
from skcvae.estimators.search import StackedGridSearchCV
from skcvae.estimators.vae import VAE
from skcvae.io import kinds
from skcvae.priors.kernels import KERNELS
from skcvae.specification import Specification
from skcvae.training.options import Training

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
]

kinds.register_estimators(
    VAE,
    Autoencoder,
    CVAERegressor,
    ConformalRegressor,
    EnsembleRegressor,
    GSNNRegressor,
    HybridStructuredPredictor,
    NNRegressor,
)
kinds.register_objects(Calibration, Training, Specification, *KERNELS)
kinds.register_modules(architectures, likelihoods, objectives, priors)
