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

from skcvae import whole_numbers
from skcvae.data.coding import Scaling
from skcvae.distributions import MaskedPixels, WeightedMask
from skcvae.likelihoods.base import LIKELIHOOD, POSITIVE, Likelihood, LikelihoodModule
from skcvae.likelihoods.bernoulli import Bernoulli


class MaskedImage(Likelihood):
    r"""Images whose last channel is the mask of the foreground: one in it, zero outside.

    The network gives each pixel a gate, the probability that it is of the foreground, and
    numbers :math:`\eta` of the likelihood of its other channels for both cases. So the pixels
    of the mask are those of the foreground alone, and the mean of the image is the foreground's
    mean times the gate plus the background's times one minus the gate. With ``partial_y=True``
    in the estimator, a mask that is not known is NaN and is marginalised out, each pixel by
    itself: `log_prob` is then the log-likelihood of the image alone, and `complete` draws the
    mask given the image. The mean of the last channel is the gate. The recognition network reads
    the image alone, as in the reference, so that `encode` is the same with and without a mask.
    Rows of y may be flat if the estimator has `y_shape`.

    Use it with ``architecture=Layered(mask=True)``, where x reaches the foreground and the gate
    alone, or with any other architecture of images.

    Parameters
    ----------
    likelihood : object
        Likelihood of the image without its mask, with independent numbers: real ones, counts
        or outputs in [0, 1].
    image_size : tuple of int or None, default=None
        Height and width, by which masks are found in flat rows of y. None takes those of the
        images in `fit`.
    mask_weight : float, default=1.0
        Weight of :math:`\log p(m \mid x, z)` in training, where masks are known. The numbers of
        an image outnumber those of its mask, which a larger weight makes up for: the training
        loss is then no density; `log_prob` and the others are those of the image and one mask.

    References
    ----------
    Yan, Yang, Sohn and Lee (2016), *Attribute2Image: Conditional Image Generation from Visual
    Attributes*, ECCV, section 3.3.

    Examples
    --------
    >>> import numpy as np
    >>> from skcvae import CVAERegressor
    >>> from skcvae.architectures import Layered
    >>> from skcvae.likelihoods import Gaussian, MaskedImage
    >>> rng = np.random.default_rng(0)
    >>> X, images = rng.normal(size=(20, 3)), rng.normal(size=(20, 3, 8, 8))
    >>> masks = (images.mean(axis=1, keepdims=True) > 0).astype(float)
    >>> masks[10:] = np.nan
    >>> est = CVAERegressor(
    ...     architecture=Layered((8, 16), mask=True), likelihood=MaskedImage(Gaussian()),
    ...     partial_y=True, max_epochs=2, random_state=0,
    ... ).fit(X, np.concatenate([images, masks], axis=1))
    >>> est.predict(X).shape
    (20, 4, 8, 8)
    """

    accepts_means = False
    _parameter_constraints = {
        "likelihood": [LIKELIHOOD],
        "image_size": ["array-like", None],
        "mask_weight": POSITIVE,
    }

    def __init__(self, likelihood, *, image_size=None, mask_weight=1.0):
        self.likelihood = likelihood
        self.image_size = image_size
        self.mask_weight = mask_weight

    def support(self, row_shape: tuple[int, ...]) -> np.ndarray:
        image_shape = math.prod(row_shape) // math.prod(self.image_size) - 1, *self.image_size
        mask = Bernoulli().support((1, *self.image_size))
        both = np.concatenate([self.likelihood.support(image_shape), mask], axis=1)
        return both.reshape(2, *row_shape)

    def check_targets(self, y):
        self._check_parameters()
        if self.image_size is None:  # rows may be flat; `fit_coding` gets them as images
            return
        if y[0].size % math.prod(self.image_size):
            raise self._not_of_size(y.shape[1:])
        y = y.reshape(len(y), -1, *self.image_size)
        image, mask = y[:, :-1], y[:, -1]
        if not np.isnan(image).all():
            self.likelihood.check_targets(image)
        strange = ~np.isnan(mask) & ~np.isin(mask, (0, 1))
        if strange.any():
            raise ValueError(
                "MaskedImage expects masks of 0 and 1 in the last channel of y, got "
                f"{mask[strange][0]:g}."
            )

    def fit_coding(self, y, weight=None, *, normalize=True):
        self._check_parameters()
        if y.ndim != 4 or y.shape[1] < 2:
            raise ValueError(
                "MaskedImage expects rows of y of shape (channels + 1, height, width), the last "
                f"channel a mask, got rows of shape {y.shape[1:]}. Set y_shape if images are "
                "flattened."
            )
        if self.image_size is not None and tuple(self.image_size) != y.shape[2:]:
            raise self._not_of_size(y.shape[1:])
        self.set_params(image_size=y.shape[2:])
        self.check_targets(y)
        image = self.likelihood.fit_coding(y[:, :-1], weight, normalize=normalize)
        parts = zip(image, Scaling.identity((1, *y.shape[2:])), strict=True)
        return Scaling(*map(np.concatenate, parts))

    def build(self, y_shape: tuple[int, ...]) -> nn.Module:
        self._check_parameters()
        n_channels, *size = y_shape
        image = self.likelihood.build((n_channels - 1, *size))
        if not isinstance(image(torch.zeros(image.parameter_shape)), Independent):
            raise self._refused()
        return _ImageAndMask(image, self.mask_weight)

    def _check_parameters(self):
        self._validate_params()
        size = self.image_size
        if size is not None and not (len(size) == 2 and all(map(whole_numbers.is_positive, size))):
            raise ValueError(
                "The 'image_size' parameter of MaskedImage must be two positive ints or None. "
                f"Got {size!r} instead."
            )
        given = self.likelihood
        if isinstance(given, type | MaskedImage) or given.coding is not Scaling:
            raise self._refused()

    def _refused(self):
        return ValueError(
            "The 'likelihood' parameter of MaskedImage must be one of independent numbers, such "
            f"as Gaussian(). Got {type(self.likelihood).__name__} instead."
        )

    def _not_of_size(self, row_shape):
        return ValueError(
            "The 'image_size' parameter of MaskedImage must be the height and width of rows of y, "
            f"of shape {row_shape}. Got {self.image_size!r} instead."
        )


class _ImageAndMask(LikelihoodModule):
    """The image's likelihood, of foreground and of background numbers, and the gate's logit."""

    def __init__(self, image: nn.Module, mask_weight: float):
        *counts, height, width = image.parameter_shape
        size = math.prod(counts)
        super().__init__((2 * size + 1, height, width))
        self.image, self.sizes = image, (size, size, 1)
        self.mask_weight = mask_weight

    def forward(self, parameters: Tensor) -> Distribution:
        *layers, logit = parameters.split(self.sizes, -3)
        counts = self.image.parameter_shape[:-2]
        front, back = (self.image(numbers.unflatten(-3, counts)) for numbers in layers)
        if self.training and self.mask_weight != 1:
            return WeightedMask(front, back, logit, self.mask_weight)
        return MaskedPixels(front, back, logit)

    def read(self, y: Tensor) -> Tensor:
        # Networks that read masks infer z from them, and cannot from images without.
        image, mask = y[..., :-1, :, :], y[..., -1:, :, :]
        return torch.cat([self.image.read(image), torch.zeros_like(mask)], -3)
