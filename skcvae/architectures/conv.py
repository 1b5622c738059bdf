"""Convolutional networks."""

import math
from collections.abc import Sequence
from numbers import Integral

from sklearn.base import clone
from sklearn.utils._param_validation import Interval, StrOptions
from torch import nn

from skcvae import whole_numbers
from skcvae.architectures.base import Architecture, latent_vector
from skcvae.networks.convolutions import (
    ImageReadout,
    is_image,
    keep_variance,
    level_sizes,
)
from skcvae.networks.hourglass import Ascent, Descent
from skcvae.networks.layers import ACTIVATIONS, Readout, Shape
from skcvae.networks.linear_features import MOST_WEIGHTS, LinearFeatures
from skcvae.networks.top_down import BottomUp, TopDown

LOWEST_SIDE = 8  # by default images are halved until no side is longer
LATENT_CHANNELS = 4  # by default
LINEAR_CHANNELS = 2 * LATENT_CHANNELS  # of encoders: means and scales


class Conv(Architecture):
    """Convolutional networks with a latent map, for images in X or y.

    At least one of X and y must be images; the other may be vectors, or images of
    another size. The recognition and the prior network are encoders to a latent map of
    low resolution. The generation and the baseline network encode x and decode y.

    Parameters
    ----------
    channels : "auto" or sequence of int, default="auto"
        Channels at full resolution and at each level below, which halves height
        and width; at least two numbers. "auto" halves until no side is longer
        than 8, and once more for each further latent scale, with 16, 32, 64, 96 and then
        128 channels.
    kernel_size : int, default=3
        Side of every convolution, odd.
    activation : {"elu", "gelu", "relu", "silu", "tanh"}, default="relu"
        Activation after each convolution.
    shortcut : bool, default=True
        Skip connections: whether the features of x at each level are added to the
        decoder's, so that y can follow the detail of x. The paper's networks have none.
    image_size : "auto" or tuple of int, default="auto"
        Height and width at full resolution; images of another size are resized
        internally. "auto" uses the size of y, or of x if y is a vector.
    n_latent_scales : int, default=1
        Number of latent maps, one for each of the lowest levels, for images y given x with the
        prior "gaussian". Each map depends on the coarser ones, in p(z|x) as in q(z|x,y), through
        networks with residual blocks; `latent_dim` is the number of channels of each. In z, of
        shape (channels, cells), they lie side by side, the coarsest first.
    linear_features : "auto" or bool, default="auto"
        Whether features that are linear in all numbers of the inputs stand beside those of the
        convolutions. Where y are real numbers, least squares is then kept if training does not
        improve on it. "auto" has them for one latent scale, images that are not resized, and at
        most a million weights of a network: images of 28 x 28 given such, of 40 x 40 given a
        vector, or vectors given them. Autoencoders have none.

    References
    ----------
    Sohn, Lee and Yan (2015), *Learning Structured Output Representation using
    Deep Conditional Generative Models*, NIPS, section 5.2.

    Baumgartner et al. (2019), *PHiSeg: Capturing Uncertainty in Medical Image Segmentation*,
    MICCAI, for latent variables at several scales.

    Examples
    --------
    >>> from skcvae.architectures import Conv
    >>> conv = Conv().resolve(n_rows=1000, x_shape=(3, 60, 50), y_shape=(60, 50))
    >>> conv
    Conv(channels=(16, 32, 64, 96), image_size=(60, 50), linear_features=False)
    >>> conv.latent_shape(4, y_shape=(60, 50))
    (4, 8, 7)
    >>> conv = Conv(n_latent_scales=3).resolve(n_rows=1000, x_shape=(60, 50), y_shape=(60, 50))
    >>> conv.latent_sizes()
    [(2, 2), (4, 4), (8, 7)]
    >>> conv.latent_shape(4, y_shape=(60, 50))
    (4, 76)
    """

    _parameter_constraints = {
        "channels": [StrOptions({"auto"}), "array-like"],
        "kernel_size": [Interval(Integral, 1, None, closed="left")],
        "activation": [StrOptions(set(ACTIVATIONS))],
        "shortcut": ["boolean"],
        "image_size": [StrOptions({"auto"}), "array-like"],
        "n_latent_scales": [Interval(Integral, 1, None, closed="left")],
        "linear_features": [StrOptions({"auto"}), "boolean"],
    }

    def __init__(
        self,
        channels="auto",
        *,
        kernel_size=3,
        activation="relu",
        shortcut=True,
        image_size="auto",
        n_latent_scales=1,
        linear_features="auto",
    ):
        self.channels = channels
        self.kernel_size = kernel_size
        self.activation = activation
        self.shortcut = shortcut
        self.image_size = image_size
        self.n_latent_scales = n_latent_scales
        self.linear_features = linear_features

    def resolve(self, n_rows: int, x_shape: Shape, y_shape: Shape) -> "Conv":
        del n_rows
        self._validate_params()
        if not is_image(x_shape) and not is_image(y_shape):
            found = " and ".join(str(shape) for shape in (x_shape, y_shape) if shape)
            raise ValueError(
                "architecture='conv' expects images in X or y, rows of shape (height, width) or "
                f"(channels, height, width), got rows of shape {found}. Set x_shape or y_shape if "
                "images are flattened, or use architecture='mlp'."
            )
        for shape in (x_shape, y_shape):
            if len(shape) == 2 and shape[1] < 4 and shape[0] >= 8:
                raise ValueError(
                    f"architecture='conv' expects images, got rows of shape {shape}, which are "
                    "sequences of shape (length, channels), or very narrow images. Use "
                    "architecture='temporal', or say by x_shape or y_shape that it is an image, "
                    f"{(1, *shape)}."
                )
        self._check_odd("kernel_size")
        size = self.image_size
        if isinstance(size, str):
            size = (y_shape if is_image(y_shape) else x_shape)[-2:]
        size = self._positive("image_size", size, "'auto' or two positive ints", 2, 2)
        channels = self.channels
        if isinstance(channels, str):
            channels = _channels(size, self.n_latent_scales)
        channels = self._positive("channels", channels, "'auto' or at least two positive ints", 2)
        self._check_scales(level_sizes(size, len(channels)))
        resolved = clone(self).set_params(channels=channels, image_size=size)
        if self.linear_features == "auto":
            return resolved.set_params(linear_features=resolved._has_few(x_shape, y_shape))
        if self.linear_features and not resolved._keeps_sizes(x_shape, y_shape):
            raise ValueError(
                "linear_features=True expects images of the size image_size and n_latent_scales=1,"
                f" got rows of X and y of shapes {x_shape} and {y_shape}, {resolved!r}."
            )
        return resolved

    def _keeps_sizes(self, *shapes: Shape) -> bool:
        """Return whether images are not resized, and z is one map."""
        sizes = {shape[-2:] for shape in shapes if is_image(shape)}
        return sizes == {self.image_size} and self.n_latent_scales == 1

    def _has_few(self, x_shape: Shape, y_shape: Shape) -> bool:
        """Return whether linear features are possible, and few."""
        x_size, y_size, n_cells = map(math.prod, (x_shape, y_shape, self.latent_sizes()[-1]))
        n_latents = LATENT_CHANNELS * n_cells if is_image(y_shape) else y_size
        encoder = (x_size + y_size) * LINEAR_CHANNELS * n_cells
        decoder = (x_size + n_latents) * y_size
        return self._keeps_sizes(x_shape, y_shape) and max(encoder, decoder) <= MOST_WEIGHTS

    def _check_scales(self, levels):
        most = len(set(levels[1:]))
        if self.n_latent_scales > max(most, 1):
            raise ValueError(
                f"n_latent_scales={self.n_latent_scales} expects as many sizes of maps below full "
                f"resolution, got {most}, levels of {levels}. Use more channels, or fewer scales."
            )

    def _positive(self, name, values, expected, least, most=math.inf):
        values = tuple(values)
        if not (least <= len(values) <= most and all(map(whole_numbers.is_positive, values))):
            raise ValueError(
                f"The {name!r} parameter of {type(self).__name__} must be {expected}. "
                f"Got {getattr(self, name)!r} instead."
            )
        return tuple(int(value) for value in values)

    def latent_shape(self, latent_dim: int | str, y_shape: Shape) -> Shape:
        if not is_image(y_shape):
            if self.n_latent_scales > 1:
                raise ValueError(
                    f"n_latent_scales={self.n_latent_scales} expects images in y given X, got rows"
                    f" of {math.prod(y_shape)} numbers, for which z is a vector. Set y_shape if "
                    "images are flattened, or n_latent_scales=1."
                )
            return latent_vector(latent_dim, y_shape, of_components=self.linear_features is True)
        n_channels = LATENT_CHANNELS if latent_dim == "auto" else latent_dim
        sizes = self.latent_sizes()
        if len(sizes) == 1:
            return (n_channels, *sizes[0])
        return (n_channels, sum(map(math.prod, sizes)))

    def latent_sizes(self) -> list[Shape]:
        """Return the sizes of the latent maps.

        Returns
        -------
        list of tuples of int
            Height and width of each in pixels, the coarsest first.
        """
        levels = level_sizes(self.image_size, len(self.channels))
        return levels[: -self.n_latent_scales - 1 : -1]

    def _latent_features(self) -> list[Shape]:
        """Return the shapes of the features from which the numbers of z are read."""
        sizes = self.latent_sizes()
        return [(c, *size) for c, size in zip(self.channels[::-1], sizes, strict=False)]

    def encoder(self, *in_shapes: Shape) -> nn.Module:
        descent = Descent(
            in_shapes,
            self.channels,
            self.image_size,
            kernel_size=self.kernel_size,
            activation=self.activation,
        )
        if self.n_latent_scales > 1:
            return BottomUp(descent, self.n_latent_scales)
        return self._with_linear(descent, in_shapes, LINEAR_CHANNELS)

    def decoder(self, y_shape: Shape, *in_shapes: Shape | None) -> nn.Module:
        if self.n_latent_scales > 1:
            x_shape, *latent_shapes = in_shapes
            maps = [(c, *size) for c, _ in latent_shapes for size in self.latent_sizes()]
            in_shapes = (x_shape, *maps)
        ascent = Ascent(
            in_shapes,
            self.channels,
            self.image_size,
            to_image=is_image(y_shape),
            kernel_size=self.kernel_size,
            activation=self.activation,
            shortcut=self.shortcut,
        )
        if self.n_latent_scales > 1:
            return keep_variance(ascent)
        n_channels = math.ceil(math.prod(y_shape) / math.prod(ascent.out_shape[1:]))
        return self._with_linear(ascent, [*filter(None, in_shapes)], n_channels)

    def _with_linear(
        self, network: nn.Module, in_shapes: Sequence[Shape], n_channels: int
    ) -> nn.Module:
        """Return a network with linear features, if there are any."""
        if not self.linear_features:
            return network
        return LinearFeatures(network, in_shapes, n_channels)

    def for_codes(self) -> "Conv":
        return clone(self).set_params(linear_features=False)

    def head(self, in_shape: Shape, out_shape: Shape | list[Shape]) -> nn.Module:
        if isinstance(out_shape, list):  # of z at several scales
            features, n_latents = self._latent_features(), out_shape[0][1]
            return TopDown(features, n_latents, self.kernel_size, self.activation)
        if is_image(out_shape[1:]):
            return ImageReadout(in_shape, out_shape, self.kernel_size)
        return Readout(in_shape, out_shape)


def _channels(size: Shape, n_latent_scales: int) -> tuple[int, ...]:
    """Return channels for the halvings after which no latent map is longer than `LOWEST_SIDE`."""
    n_halvings = max(math.ceil(math.log2(max(size) / LOWEST_SIDE)), 1) + n_latent_scales - 1
    return ((16, 32, 64, 96) + (128,) * n_halvings)[: n_halvings + 1]
