r"""Images with a mask of their foreground.

.. math:: p(y, m \mid x, z) = p(y \mid x, z) \prod_j \pi_j^{m_j} (1 - \pi_j)^{1 - m_j}
"""

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from skcvae.data.coding import Scaling
from skcvae.distributions import Product
from skcvae.likelihoods.base import LIKELIHOOD, Likelihood, LikelihoodModule
from skcvae.likelihoods.bernoulli import Bernoulli


class MaskedImage(Likelihood):
    r"""Images whose last channel is the mask of the foreground: one in it, zero outside.

    The other channels have a likelihood of their own, the mask is Bernoulli, and both are
    independent given x and z. With ``partial_y=True`` in the estimator, a mask that is not
    known is NaN and is marginalised out: `log_prob` is then the log-likelihood of the image
    alone, and `complete` draws the mask. The mean of the last channel is the probability of
    the foreground; with ``architecture=Layered(mask=True)`` this is the gate of the layers.

    Parameters
    ----------
    likelihood : object
        Likelihood of the image without its mask: one of real numbers, counts or outputs in
        [0, 1].

    Examples
    --------
    >>> import numpy as np
    >>> from skcvae import CVAERegressor
    >>> from skcvae.architectures import Layered
    >>> from skcvae.likelihoods import Gaussian, MaskedImage
    >>> rng = np.random.default_rng(0)
    >>> X, images = rng.normal(size=(50, 3)), rng.normal(size=(50, 3, 8, 8))
    >>> masks = (images.mean(axis=1, keepdims=True) > 0).astype(float)
    >>> masks[25:] = np.nan
    >>> est = CVAERegressor(
    ...     architecture=Layered((8, 16), mask=True), likelihood=MaskedImage(Gaussian()),
    ...     partial_y=True, max_epochs=2, random_state=0,
    ... ).fit(X, np.concatenate([images, masks], axis=1))
    >>> est.predict(X).shape
    (50, 4, 8, 8)
    """

    accepts_means = False
    _parameter_constraints = {"likelihood": [LIKELIHOOD]}

    def __init__(self, likelihood):
        self.likelihood = likelihood

    def check_targets(self, y):
        self._check_likelihood()
        if y.ndim != 4 or y.shape[1] < 2:
            raise ValueError(
                "MaskedImage expects y of shape (n_rows, channels + 1, height, width), the last "
                f"channel a mask, got {y.shape}."
            )
        image, mask = y[:, :-1], y[:, -1]
        if not np.isnan(image).all():
            self.likelihood.check_targets(image)
        known = mask[~np.isnan(mask)]
        if not np.isin(known, (0, 1)).all():
            raise ValueError(
                "MaskedImage expects masks of 0 and 1 in the last channel of y, got values in "
                f"[{known.min():g}, {known.max():g}]."
            )

    def fit_coding(self, y, weight=None, *, normalize=True):
        image = self.likelihood.fit_coding(y[:, :-1], weight, normalize=normalize)
        parts = zip(image, Scaling.identity((1, *y.shape[2:])), strict=True)
        return Scaling(*map(np.concatenate, parts))

    def build(self, y_shape: tuple[int, ...]) -> nn.Module:
        self._check_likelihood()
        n_channels, *size = y_shape
        mask = Bernoulli().build((1, *size))
        return _ImageAndMask(self.likelihood.build((n_channels - 1, *size)), mask)

    def _check_likelihood(self):
        self._validate_params()
        if isinstance(self.likelihood, MaskedImage) or self.likelihood.coding is not Scaling:
            raise ValueError(
                "The 'likelihood' parameter of MaskedImage must be one of numbers, such as "
                f"Gaussian(). Got {self.likelihood!r} instead."
            )


class _ImageAndMask(LikelihoodModule):
    """Both likelihoods, on slices of the network's output; the mask's is the last."""

    def __init__(self, image: nn.Module, mask: nn.Module):
        size = image.parameter_shape[-2:]
        super().__init__((math.prod(image.parameter_shape[:-2]) + 1, *size))
        self.image, self.mask = image, mask

    def forward(self, parameters: Tensor) -> Distribution:
        image, logit = parameters.split((self.parameter_shape[0] - 1, 1), -3)
        image = image.unflatten(-3, self.image.parameter_shape[:-2])
        return Product([self.image(image), self.mask(logit.unsqueeze(-4))], dim=-3)

    def read(self, y: Tensor) -> Tensor:
        return torch.cat([self.image.read(y[..., :-1, :, :]), y[..., -1:, :, :]], -3)
