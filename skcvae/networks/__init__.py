"""The paper's networks: recognition, prior, generation and baseline."""

from skcvae.networks.conditional import (
    BaselineNetwork,
    GenerationNetwork,
    LearnedPrior,
    Output,
    PriorNetwork,
    RecognitionNetwork,
    StandardPrior,
)

__all__ = [
    "BaselineNetwork",
    "GenerationNetwork",
    "LearnedPrior",
    "Output",
    "PriorNetwork",
    "RecognitionNetwork",
    "StandardPrior",
]
