r"""The generation network :math:`p(y \mid x, z)`: features of (x, z), and their output.

The output is a module of its own because the baseline network shares it: with an
initial guess the features of both are added before the one output reads the sum.
"""

from collections.abc import Callable

from torch import Tensor, nn
from torch.distributions import Distribution

from skcvae.networks.layers import Shape, full_precision


class GenerationNetwork(nn.Module):
    """Read x and draws of z as features of y.

    Parameters
    ----------
    architecture : object
        What the network is built of; see :mod:`skcvae.architectures`.
    x_shape, y_shape, latent_shape : tuple of int
        Shapes of one row.
    """

    def __init__(self, architecture, x_shape: Shape, y_shape: Shape, latent_shape: Shape):
        super().__init__()
        self.trunk = architecture.decoder(y_shape, x_shape, latent_shape)
        self.out_shape = self.trunk.out_shape

    def given(self, x: Tensor) -> Callable[[Tensor], Tensor]:
        """Return the features as a function of z alone, the work on x done once."""
        return self.trunk.given(x)


class Output(nn.Module):
    """Read features as the distribution of y.

    Parameters
    ----------
    architecture : object
        What the layer is built of; see :mod:`skcvae.architectures`.
    in_shape : tuple of int
        Shape of the features of one row.
    likelihood : Module
        Turns the layer's output into the distribution.
    """

    def __init__(self, architecture, in_shape: Shape, likelihood: nn.Module):
        super().__init__()
        self.head = architecture.head(in_shape, likelihood.parameter_shape)
        self.likelihood = likelihood

    def forward(self, features: Tensor) -> Distribution:
        return self.likelihood(full_precision(self.head(features)))

    def guess(self, features: Tensor) -> Tensor:
        """Return E[y] given the features, as the networks that read y see it."""
        return self.likelihood.read(self(features).mean).to(features.dtype)
