"""Datasets with structured outputs, and generators with known p(y|x)."""

from skcvae.datasets._colors import join_colors, split_colors
from skcvae.datasets._digits import (
    fetch_mnist_quadrants,
    load_digits_label_maps,
    load_digits_quadrants,
)
from skcvae.datasets._faces import fetch_olivetti_completion, load_lfw_parts
from skcvae.datasets._generators import make_linear_gaussian, make_ring, make_two_branches
from skcvae.datasets._quadrants import Quadrants

__all__ = [
    "Quadrants",
    "fetch_mnist_quadrants",
    "fetch_olivetti_completion",
    "join_colors",
    "load_digits_label_maps",
    "load_digits_quadrants",
    "load_lfw_parts",
    "make_linear_gaussian",
    "make_ring",
    "make_two_branches",
    "split_colors",
]
