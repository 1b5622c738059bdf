"""Distributions of z and of y that torch lacks, and draws of z from given noise."""

from skcvae.distributions.flow import NormalizingFlow
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
from skcvae.distributions.masked_pixels import MaskedPixels
from skcvae.distributions.product import Product
from skcvae.distributions.soft_one_hot import SoftOneHot

__all__ = [
    "MIN_SCALE",
    "DiagonalGaussian",
    "MaskedPixels",
    "NormalizingFlow",
    "Product",
    "SoftOneHot",
    "detached",
    "diagonal_normal",
    "divergence",
    "is_gaussian",
    "raw_scale_of",
    "reparameterize",
    "scale_of",
]
