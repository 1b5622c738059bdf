"""Data with structured outputs, and generators whose p(y|x) is known."""

from skcvae.datasets._generators import make_linear_gaussian, make_ring, make_two_branches

__all__ = ["make_linear_gaussian", "make_ring", "make_two_branches"]
