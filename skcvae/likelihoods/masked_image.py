r"""Images with a mask of their foreground.

.. math::

    p(y, m \mid x, z) = \prod_j \bigl(g_j \, p(y_j; \eta_j^f)\bigr)^{m_j}
        \bigl((1 - g_j) \, p(y_j; \eta_j^b)\bigr)^{1 - m_j}
"""

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.distributions import Distribution, Independent

from skcvae.data.coding import Scaling
from skcvae.distributions import MaskedPixels
from skcvae.likelihoods.base import LIKELIHOOD, Likelihood, LikelihoodModule


class MaskedImage(Likelihood):
    r"""Images whose last channel is the mask of the foreground: one in it, zero outside.

    The network gives each pixel a gate, the probability that it is of the foreground, and
    numbers :math:`\eta` of the likelihood of its other channels for both cases. So the pixels
    of the mask are those of the foreground alone, and the mean of the image is the foreground's
    mean times the gate plus the background's times one minus the gate. With ``partial_y=True``
    in the estimator, a mask that is not known is NaN and is marginalised out, each pixel by
    itself: `log_prob` is then the log-likelihood of the image alone, and `complete` draws the
    mask given the image. The mean of the last channel is the gate.

    Use it with ``architecture=Layered(mask=True)``, where x reaches the foreground and the gate
    alone, or with any other architecture of images.

    Parameters
    ----------
    likelihood : object
        Likelihood of the image without its mask, with independent numbers: real ones, counts
        or outputs in [0, 1].

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
        image = self.likelihood.build((n_channels - 1, *size))
        if not isinstance(image(torch.zeros(image.parameter_shape)), Independent):
            raise self._refused()
        return _ImageAndMask(image)

    def _check_likelihood(self):
        self._validate_params()
        if isinstance(self.likelihood, MaskedImage) or self.likelihood.coding is not Scaling:
            raise self._refused()

    def _refused(self):
        return ValueError(
            "The 'likelihood' parameter of MaskedImage must be one of independent numbers, such "
            f"as Gaussian(). Got {self.likelihood!r} instead."
        )


class _ImageAndMask(LikelihoodModule):
    """The image's likelihood, of foreground and of background numbers, and the gate's logit."""

    def __init__(self, image: nn.Module):
        *counts, height, width = image.parameter_shape
        size = math.prod(counts)
        super().__init__((2 * size + 1, height, width))
        self.image, self.sizes = image, (size, size, 1)

    def forward(self, parameters: Tensor) -> Distribution:
        *layers, logit = parameters.split(self.sizes, -3)
        counts = self.image.parameter_shape[:-2]
        front, back = (self.image(numbers.unflatten(-3, counts)) for numbers in layers)
        return MaskedPixels(front, back, logit)

    def read(self, y: Tensor) -> Tensor:
        return torch.cat([self.image.read(y[..., :-1, :, :]), y[..., -1:, :, :]], -3)
