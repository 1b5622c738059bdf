"""The paper's networks: recognition, prior, baseline, and the output layer."""

from skcvae.networks.conditional import (
    BaselineNetwork,
    GivenNothing,
    LearnedPrior,
    Output,
    PriorNetwork,
    RecognitionNetwork,
    StandardPrior,
)

__all__ = [
    "BaselineNetwork",
    "GivenNothing",
    "LearnedPrior",
    "Output",
    "PriorNetwork",
    "RecognitionNetwork",
    "StandardPrior",
]
