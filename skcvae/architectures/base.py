"""Base class of architectures: the parameter objects that build the networks.

Methods return modules. Sizes are known only in `fit`, so an architecture holds no modules.
"""

import math
from abc import ABC, abstractmethod

from sklearn.utils._param_validation import HasMethods
from torch import nn

from skcvae.documented import Documented
from skcvae.factors import FEW_OUTPUTS
from skcvae.networks.layers import Shape

ARCHITECTURE = HasMethods(["resolve", "latent_shape", "encoder", "decoder", "head"])
MOST_LATENTS = 64  # that are chosen automatically


def latent_vector(latent_dim: int | str, y_shape: Shape, *, of_components: bool = False) -> Shape:
    """Return the shape of a vector z for one row.

    Parameters
    ----------
    latent_dim : int or "auto"
        The estimators' parameter.
    y_shape : tuple of int
        Shape of one row.
    of_components : bool, default=False
        Whether there is a start at principal components: one less than outputs, with their noise,
        give any covariance.

    Returns
    -------
    tuple of int
        "auto" is the number of outputs, but at most twice its square root, or with
        `of_components` one less than outputs; and at most 64.
    """
    size = math.prod(y_shape)
    most = size - (size > FEW_OUTPUTS) if of_components else round(2 * math.sqrt(size))
    return (min(size, most, MOST_LATENTS) if latent_dim == "auto" else latent_dim,)


class Architecture(Documented, ABC):
    """Base class of architectures; shapes are those of one row.

    Attributes
    ----------
    reads_sequences : bool
        Whether a row of two dimensions is a sequence (length, channels), whose channels are
        standardised one by one, rather than an image.
    """

    reads_sequences = False

    @abstractmethod
    def resolve(self, n_rows: int, x_shape: Shape, y_shape: Shape) -> "Architecture":
        """Return a copy with every size a number.

        Parameters
        ----------
        n_rows : int
            Number of training rows.
        x_shape, y_shape : tuple of int
            Shapes of one row.

        Returns
        -------
        Architecture
            A copy.

        Raises
        ------
        ValueError
            If a parameter is out of its range, or does not fit the shapes.
        """

    @abstractmethod
    def latent_shape(self, latent_dim: int | str, y_shape: Shape) -> Shape:
        """Return the shape of z for one row.

        Parameters
        ----------
        latent_dim : int or "auto"
            The estimators' parameter.
        y_shape : tuple of int
            Shape of one row.

        Returns
        -------
        tuple of int
            Of a vector, or of a latent map with channels first.
        """

    @abstractmethod
    def encoder(self, *in_shapes: Shape) -> nn.Module:
        """Return an encoder from its inputs to features.

        Parameters
        ----------
        *in_shapes : tuple of int
            Shape of one row of each input.

        Returns
        -------
        Module
            Called with the inputs; has an attribute `out_shape`.
        """

    @abstractmethod
    def decoder(self, y_shape: Shape, *in_shapes: Shape | None) -> nn.Module:
        """Return a decoder from x, or (x, z), to features of y.

        Parameters
        ----------
        y_shape : tuple of int
            Shape of one row of y.
        *in_shapes : tuple of int
            Shape of one row of x, None where there is no x, and of z if used.

        Returns
        -------
        Module
            Has an attribute `out_shape`. With z, ``given(x)``, or ``given(None)``, returns the
            features as a function of z. Without z, ``scales(x, n)`` returns the features at full,
            half, ... resolution, and ``scale_shapes(n)`` their shapes.
        """

    def for_codes(self) -> "Architecture":
        """Return the architecture of an autoencoder: by default the same.

        Returns
        -------
        Architecture
            With no features but those of layers that can be trained one by one.
        """
        return self

    def mirrored(self) -> "Architecture":
        """Return the architecture of the decoder of an autoencoder: by default the same.

        Returns
        -------
        Architecture
            With layers in the reverse order, where their sizes have one.
        """
        return self

    @abstractmethod
    def head(self, in_shape: Shape, out_shape: Shape) -> nn.Module:
        """Return the output layer, from features to the parameters of a distribution.

        Parameters
        ----------
        in_shape, out_shape : tuple of int
            Shapes of one row; the first dimension of `out_shape` counts parameters.

        Returns
        -------
        Module
            Its output is float32 also where products are in bfloat16.
        """
