"""Weights of pixels by the rarity of their values, for training."""

import numpy as np
import torch
from torch import Tensor, nn

from skcvae.data.field import FieldStatistics
from skcvae.distributions import FieldGaussian, FieldNoise


class Rarity(nn.Module):
    """Weights of pixels by the rarity of their quantised values.

    Parameters
    ----------
    statistics : FieldStatistics
        Bins and frequencies.
    rarity : float
        From 0, the same for all, to below 1.
    y_shape : tuple of int
        Shape of one image.
    """

    def __init__(self, statistics: FieldStatistics, rarity: float, y_shape: tuple[int, ...]):
        super().__init__()
        f = statistics.frequencies / statistics.frequencies.sum()
        weights = 1 / ((1 - rarity) / np.count_nonzero(f) + rarity * f)
        weights /= (weights * f).sum()
        self.n_bins, self.has_channels = len(f), len(y_shape) > 2
        arrays = {"low": statistics.low, "step": statistics.step, "weights": weights.ravel()}
        for name, array in arrays.items():
            tensor = torch.tensor(array, dtype=torch.get_default_dtype())
            self.register_buffer(name, tensor, persistent=False)

    def forward(self, y: Tensor) -> Tensor:
        """Return the weight of each pixel.

        Parameters
        ----------
        y : Tensor of shape (..., height, width) or (..., channels, height, width)
            Encoded images.

        Returns
        -------
        Tensor of shape (..., height, width) or (..., 1, height, width)
            Of mean one over the training pixels.
        """
        place = 0
        channels = y.unbind(-3) if self.has_channels else [y]
        for low, step, channel in zip(self.low, self.step, channels, strict=True):
            place = place * self.n_bins + ((channel - low) / step).long().clamp(0, self.n_bins - 1)
        weights = self.weights[place]
        return weights.unsqueeze(-3) if self.has_channels else weights


class RarityWeighted(FieldGaussian):
    """A field Gaussian in training: the squared error of rare pixels counts more.

    `log_prob` is then no density. Its gradient with respect to scales is that of the density.

    Parameters
    ----------
    loc, scale, noise
        As in :class:`~skcvae.distributions.FieldGaussian`.
    rarity : Rarity
        Returns the weights of the pixels of y.
    """

    def __init__(self, loc: Tensor, scale: Tensor, noise: FieldNoise, rarity: Rarity):
        super().__init__(loc, scale, noise)
        self.rarity = rarity

    def log_prob(self, value: Tensor) -> Tensor:
        error = ((value - self.loc) / self.scale.detach()).square()
        excess = (self.rarity(value) - 1) * error
        more = excess.flatten(-len(self.event_shape)).sum(-1)
        return super().log_prob(value) - 0.5 * self.noise.l2 * more
