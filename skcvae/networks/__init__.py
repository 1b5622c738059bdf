"""The paper's networks: recognition, prior, baseline, and the output layer."""

from skcvae.networks.conditional import (
    BaselineNetwork,
    LearnedPrior,
    Output,
    PriorNetwork,
    RecognitionNetwork,
    StandardPrior,
)

__all__ = [
    "BaselineNetwork",
    "LearnedPrior",
    "Output",
    "PriorNetwork",
    "RecognitionNetwork",
    "StandardPrior",
]
