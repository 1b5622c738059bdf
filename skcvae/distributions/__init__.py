"""Distributions of z and of y that torch lacks, and draws of z from given noise."""

from skcvae.distributions.chain_rule import ChainRule
from skcvae.distributions.correlated import CorrelatedGaussian
from skcvae.distributions.field import FieldGaussian, FieldNoise
from skcvae.distributions.flow import NormalizingFlow
from skcvae.distributions.gaussian_logits import GaussianLogits
from skcvae.distributions.hierarchical import GaussianHierarchy, HierarchicalGaussian
from skcvae.distributions.latent import (
    MIN_SCALE,
    DiagonalGaussian,
    SharedScaleNormal,
    component_means,
    detached,
    diagonal_normal,
    divergence,
    is_gaussian,
    raw_scale_of,
    reparameterize,
    rescaled,
    scale_of,
)
from skcvae.distributions.logit_normal import LogitNormal
from skcvae.distributions.masked_pixels import MaskedPixels, WeightedMask
from skcvae.distributions.order import Order
from skcvae.distributions.product import Product
from skcvae.distributions.soft_one_hot import SoftOneHot
from skcvae.distributions.zero_or_positive import ZeroOrPositive

__all__ = [
    "MIN_SCALE",
    "ChainRule",
    "CorrelatedGaussian",
    "DiagonalGaussian",
    "FieldGaussian",
    "FieldNoise",
    "GaussianHierarchy",
    "GaussianLogits",
    "HierarchicalGaussian",
    "LogitNormal",
    "MaskedPixels",
    "NormalizingFlow",
    "Order",
    "Product",
    "SharedScaleNormal",
    "SoftOneHot",
    "WeightedMask",
    "ZeroOrPositive",
    "component_means",
    "detached",
    "diagonal_normal",
    "divergence",
    "is_gaussian",
    "raw_scale_of",
    "reparameterize",
    "rescaled",
    "scale_of",
]
