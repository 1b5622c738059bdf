"""The paper's networks: recognition, prior, generation and baseline."""

from skcvae.networks.baseline import BaselineNetwork
from skcvae.networks.generation import GenerationNetwork, Output
from skcvae.networks.prior import PriorNetwork, StandardPrior
from skcvae.networks.recognition import RecognitionNetwork

__all__ = [
    "BaselineNetwork",
    "GenerationNetwork",
    "Output",
    "PriorNetwork",
    "RecognitionNetwork",
    "StandardPrior",
]
