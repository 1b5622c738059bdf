"""Distributions of z and of y that torch lacks, and draws of z from given noise."""

from skcvae.distributions.blocks import Blocks
from skcvae.distributions.flow import NormalizingFlow
from skcvae.distributions.labels import Labels
from skcvae.distributions.latent import (
    MIN_SCALE,
    DiagonalGaussian,
    detached,
    diagonal_normal,
    divergence,
    is_gaussian,
    raw_scale_of,
    reparameterize,
    scale_of,
)

__all__ = [
    "MIN_SCALE",
    "Blocks",
    "DiagonalGaussian",
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
