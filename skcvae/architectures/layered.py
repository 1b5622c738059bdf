"""Layered convolutional networks: a foreground through a gate over a background."""

from numbers import Real

from sklearn.utils._param_validation import Interval
from torch import nn

from skcvae.architectures.base import latent_vector
from skcvae.architectures.conv import Conv
from skcvae.networks.convolutions import is_image
from skcvae.networks.layered import LayeredDecoder, LayeredReadout
from skcvae.networks.layers import Shape


class Layered(Conv):
    r"""A layered generation network: x reaches the foreground of an image alone.

    .. math:: \eta = g \odot \eta_f(x, z_f) + (1 - g) \odot \eta_b(z_b), \quad
        g = g(x, z_f) \in (0, 1)

    :math:`\eta` are the numbers that the likelihood reads for each pixel, for a Gaussian the
    means, so that the image is the foreground times the gate plus the background times one
    minus the gate. z is a vector; :math:`z_f` is its first, :math:`z_b` its last part. For
    z fixed, x changes neither the background nor pixels whose gate is zero (except through the
    weights of a :class:`~skcvae.likelihoods.GaussianMixture`, which are those of whole images).
    The other networks are those of :class:`Conv`. A foreground is found from the images alone,
    or learned from masks where `mask` is true. Layers are read by the estimators'
    `decode_layers`.

    Parameters
    ----------
    channels : "auto" or sequence of int, default="auto"
        As in :class:`Conv`, for each of the two layers.
    kernel_size : int, default=3
        Side of every convolution, odd.
    activation : {"elu", "gelu", "relu", "silu", "tanh"}, default="relu"
        Activation after each convolution.
    shortcut : bool, default=True
        Skip connections: whether each layer adds a linear map of its part of z to its
        features at full resolution, and the foreground one of x, so that linear effects of x
        are learned in few steps; from x, if images, the foreground gets those of :class:`Conv`.
    image_size : "auto" or tuple of int, default="auto"
        Height and width at full resolution, as in :class:`Conv`.
    background_share : float, default=0.25
        Share of the latent variables that are :math:`z_b`, rounded, at least one.
    mask : bool, default=False
        Whether the last channel of y is the mask of the foreground, of
        :class:`~skcvae.likelihoods.MaskedImage`, which then composes the layers: a pixel is of
        the foreground with the probability of the gate. It may be NaN where no mask is known,
        with ``partial_y=True``.

    References
    ----------
    Yan, Yang, Sohn and Lee (2016), *Attribute2Image: Conditional Image Generation from Visual
    Attributes*, ECCV, section 3.3. There the gate weighs the background alone, and a term of
    its own compares it with the mask.

    Examples
    --------
    >>> import numpy as np
    >>> from skcvae import CVAERegressor
    >>> from skcvae.architectures import Layered
    >>> rng = np.random.default_rng(0)
    >>> X, y = rng.normal(size=(50, 3)), rng.normal(size=(50, 8, 8))
    >>> est = CVAERegressor(
    ...     architecture=Layered((8, 16)), prior="standard", latent_dim=8, max_epochs=2,
    ...     random_state=0,
    ... ).fit(X, y)
    >>> layers = est.decode_layers(X, est.encode(X, y))
    >>> layers.foreground.shape, layers.gate.shape
    ((50, 8, 8), (50, 8, 8))
    """

    _parameter_constraints = {
        **Conv._parameter_constraints,
        "background_share": [Interval(Real, 0, 1, closed="neither")],
        "mask": ["boolean"],
    }

    def __init__(
        self,
        channels="auto",
        *,
        kernel_size=3,
        activation="relu",
        shortcut=True,
        image_size="auto",
        background_share=0.25,
        mask=False,
    ):
        super().__init__(
            channels,
            kernel_size=kernel_size,
            activation=activation,
            shortcut=shortcut,
            image_size=image_size,
            linear_features=False,  # layers have their own
        )
        self.background_share = background_share
        self.mask = mask

    def resolve(self, n_rows: int, x_shape: Shape, y_shape: Shape) -> "Layered":
        self._validate_params()
        if not x_shape:
            raise ValueError(
                "architecture=Layered() gives inputs to the foreground alone, and this model has "
                "none: expected an estimator with inputs to condition on, such as CVAERegressor, "
                "or another architecture, such as 'conv'."
            )
        if not is_image(y_shape):
            raise ValueError(
                "architecture=Layered() expects images in y, rows of shape (height, width) or "
                f"(channels, height, width), got rows of shape {y_shape}. Give y_shape where they "
                "are flat, or use another architecture, such as 'mlp'."
            )
        if self.mask and len(y_shape) != 3:
            raise self._no_masks()
        return super().resolve(n_rows, x_shape, y_shape)

    def latent_shape(self, latent_dim: int | str, y_shape: Shape) -> Shape:
        (size,) = latent_vector(latent_dim, y_shape)
        if size < 2:
            raise ValueError(
                "architecture=Layered() expects latent_dim to be at least 2, for the foreground "
                f"and the background, got {size}."
            )
        return (size,)

    def decoder(self, y_shape: Shape, *in_shapes: Shape) -> LayeredDecoder:
        if len(in_shapes) < 2 or in_shapes[0] is None:
            raise ValueError(
                "architecture=Layered() expects latent variables, initial_guess=False, since a "
                "guess from x alone would reach the background too, and a prior other than a "
                "Gaussian process, whose decoder reads no x. Use Conv."
            )
        x_shape, (size,) = in_shapes
        n_background = min(max(round(self.background_share * size), 1), size - 1)
        sizes = (size - n_background, n_background)
        foreground = super().decoder(y_shape, x_shape, sizes[:1])
        background = super().decoder(y_shape, sizes[1:])
        return LayeredDecoder(foreground, background, x_shape, sizes, shortcut=self.shortcut)

    def head(self, in_shape: Shape, out_shape: Shape) -> nn.Module:
        if len(in_shape) != 4:  # not the features of two layers
            return super().head(in_shape, out_shape)
        if self.mask and len(out_shape) != 3:
            raise self._no_masks()
        return LayeredReadout(in_shape, out_shape, self.kernel_size, mask=self.mask)

    def _no_masks(self):
        return ValueError(
            "architecture=Layered(mask=True) expects a likelihood of images and masks, "
            "likelihood=MaskedImage(...), whose last channel of y is the mask."
        )
