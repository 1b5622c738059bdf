r"""The generation network :math:`p(y \mid x, z)`: features of (x, z), and the output layer.

The output layer is a separate module because the baseline network shares it: with an
initial guess, the output layer gets the sum of the features of both networks.
"""

from collections.abc import Callable

from torch import Tensor, nn
from torch.distributions import Distribution

from skcvae.networks.layers import Shape, full_precision


class GenerationNetwork(nn.Module):
    """Compute features of y from x and draws of z.

    Parameters
    ----------
    architecture : object
        A resolved architecture; see :mod:`skcvae.architectures`.
    x_shape, y_shape, latent_shape : tuple of int
        Shapes of one row.
    """

    def __init__(self, architecture, x_shape: Shape, y_shape: Shape, latent_shape: Shape):
        super().__init__()
        self.trunk = architecture.decoder(y_shape, x_shape, latent_shape)
        self.out_shape = self.trunk.out_shape

    def given(self, x: Tensor) -> Callable[[Tensor], Tensor]:
        """Return the features as a function of z; the share of x is computed once."""
        return self.trunk.given(x)


class Output(nn.Module):
    """Map features to the distribution of y.

    Parameters
    ----------
    architecture : object
        A resolved architecture; see :mod:`skcvae.architectures`.
    in_shape : tuple of int
        Shape of the features of one row.
    likelihood : Module
        Maps the layer's output to the distribution.
    """

    def __init__(self, architecture, in_shape: Shape, likelihood: nn.Module):
        super().__init__()
        self.head = architecture.head(in_shape, likelihood.parameter_shape)
        self.likelihood = likelihood

    def forward(self, features: Tensor) -> Distribution:
        return self.likelihood(full_precision(self.head(features)))

    def guess(self, features: Tensor) -> Tensor:
        """Return E[y] given the features, encoded for the networks that take y as input."""
        return self.likelihood.read(self(features).mean).to(features.dtype)
