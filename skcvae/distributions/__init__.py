"""Distributions of z and of y that torch lacks, and draws of z from given noise."""

from skcvae.distributions.blocks import Blocks
from skcvae.distributions.flow import NormalizingFlow
from skcvae.distributions.labels import Labels
from skcvae.distributions.latent import (
    detached,
    diagonal_normal,
    divergence,
    is_gaussian,
    raw_scale_of,
    reparameterize,
    scale_of,
)

__all__ = [
    "Blocks",
    "Labels",
    "NormalizingFlow",
    "detached",
    "diagonal_normal",
    "divergence",
    "is_gaussian",
    "raw_scale_of",
    "reparameterize",
    "scale_of",
]
