"""Distributions that networks end in: of z Gaussians, mixtures, flows; of y labels and blocks.

:func:`reparameterize` turns noise into draws of any of those of z.
"""

from skcvae.distributions.blocks import Blocks
from skcvae.distributions.flow import NormalizingFlow
from skcvae.distributions.gaussian import detached, diagonal_normal, raw_scale_of, scale_of
from skcvae.distributions.labels import Labels
from skcvae.distributions.reparameterization import divergence, reparameterize

__all__ = [
    "Blocks",
    "Labels",
    "NormalizingFlow",
    "detached",
    "diagonal_normal",
    "divergence",
    "raw_scale_of",
    "reparameterize",
    "scale_of",
]
