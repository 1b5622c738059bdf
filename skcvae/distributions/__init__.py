"""Distributions that torch lacks, and reparameterised draws.

:class:`NormalizingFlow` is a distribution of z; :class:`SoftOneHot` and :class:`Product` are
distributions of y. :func:`reparameterize` maps standard normal noise to draws of z.
"""

from skcvae.distributions.flow import NormalizingFlow
from skcvae.distributions.gaussian import detached, diagonal_normal, raw_scale_of, scale_of
from skcvae.distributions.product import Product
from skcvae.distributions.reparameterization import divergence, reparameterize
from skcvae.distributions.soft_one_hot import SoftOneHot

__all__ = [
    "NormalizingFlow",
    "Product",
    "SoftOneHot",
    "detached",
    "diagonal_normal",
    "divergence",
    "raw_scale_of",
    "reparameterize",
    "scale_of",
]
