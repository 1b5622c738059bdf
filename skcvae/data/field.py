"""Statistics of images for the noise and the training weights of a colour field."""

import math
from typing import NamedTuple

import numpy as np
import torch
from sklearn.utils.extmath import randomized_svd

from skcvae.data.coding import Scaling

LARGEST = 2**26  # numbers of which the principal components are taken
N_BINS = 16  # for each channel
TAIL = 0.001  # share of pixels beyond the bins at either end
LARGEST_VARIANCE = 1e30
SMALLEST = 1e-6  # of the largest variance: smaller ones are of no component


class FieldStatistics(NamedTuple):
    """Principal components of images, and frequencies of the quantised values of a pixel."""

    components: np.ndarray  # orthonormal, (n_components, *row_shape)
    variances: np.ndarray  # along each, in decreasing order
    low: np.ndarray  # lowest edge of the bins of each channel
    step: np.ndarray  # width of these bins
    frequencies: np.ndarray  # share of pixels in each bin of all channels, (n_bins,) * n_channels

    @classmethod
    def fit(
        cls, y: np.ndarray, coding: Scaling, weight: np.ndarray | None, n_components: int
    ) -> "FieldStatistics":
        """Return the statistics of encoded images, of some of them where there are very many."""
        n_most = max(LARGEST // y[0].size, 2)
        kept = np.linspace(0, len(y) - 1, min(n_most, len(y))).astype(int)
        weight = np.ones(len(kept)) if weight is None else weight[kept]
        images = coding.to_tensor(y[kept], torch.float32, "cpu").numpy()
        weight = weight / weight.sum()
        return cls(*_principal(images, weight, n_components), *_frequencies(images, weight))

    def describes(self, row_shape: tuple[int, ...]) -> bool:
        """Return whether these may be the statistics of images of a shape."""
        if not all(isinstance(part, np.ndarray) and part.dtype == float for part in self):
            return False
        n_channels = math.prod(row_shape[:-2])
        return (
            self.components.shape == (len(self.components), *row_shape)
            and self.variances.shape == self.components.shape[:1]
            and self.low.shape == self.step.shape == (n_channels,)
            and self.frequencies.ndim == n_channels
            and len(set(self.frequencies.shape)) == 1
            and all(np.isfinite(part).all() for part in self)
            and bool((self.variances > 0).all() and (self.step > 0).all())
            and bool((self.frequencies >= 0).all() and self.frequencies.any())
            and self._is_orthonormal()
        )

    def _is_orthonormal(self) -> bool:
        """Return whether components are, and variances finite in products, as those of a fit."""
        rows = self.components.reshape(-1, math.prod(self.components.shape[1:]))
        if np.abs(rows).max(initial=0) > 1.1 or self.variances.max(initial=0) > LARGEST_VARIANCE:
            return False
        return np.allclose(rows @ rows.T, np.eye(len(rows)), atol=1e-3)


def _principal(images, weight, n_components):
    rows = images.reshape(len(images), -1)
    rows = np.sqrt(weight)[:, None] * (rows - weight @ rows)
    n_components = min(n_components, *rows.shape)
    _, singular, components = randomized_svd(rows, n_components, random_state=0)
    variances = singular.astype(float) ** 2
    kept = variances > SMALLEST * max(variances[0], SMALLEST)
    return components[kept].reshape(-1, *images.shape[1:]).astype(float), variances[kept]


def _frequencies(images, weight):
    pixels = images.reshape(len(images), -1, math.prod(images.shape[-2:])).swapaxes(1, 2)
    share = np.repeat(weight / pixels.shape[1], pixels.shape[1])
    pixels = pixels.reshape(-1, pixels.shape[-1])
    low, high = np.quantile(pixels, (TAIL, 1 - TAIL), axis=0)
    step = np.maximum(high - low, SMALLEST) / N_BINS
    bins = np.clip((pixels - low) // step, 0, N_BINS - 1).astype(int)
    shape = (N_BINS,) * pixels.shape[1]
    flat = np.ravel_multi_index(tuple(bins.T), shape)
    frequencies = np.bincount(flat, share, minlength=math.prod(shape)).reshape(shape)
    return low.astype(float), step.astype(float), frequencies
