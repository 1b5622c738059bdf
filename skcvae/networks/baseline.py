r"""The baseline network: x to features of y without z.

Read by an output layer it is the paper's deterministic network, and, inside a
model with latent variables, its initial guess :math:`\hat y(x)`.
"""

from torch import Tensor, nn

from skcvae.networks.layers import Shape


class BaselineNetwork(nn.Module):
    """Read x as features of y.

    Parameters
    ----------
    architecture : object
        What the network is built of; see :mod:`skcvae.architectures`.
    x_shape, y_shape : tuple of int
        Shapes of one row.
    n_scales : int, default=1
        At how many resolutions there are features: full, a half, a quarter.

    Attributes
    ----------
    scale_shapes : list of tuples of int
        Shapes of the features of one row, full resolution first.
    """

    def __init__(self, architecture, x_shape: Shape, y_shape: Shape, n_scales: int = 1):
        super().__init__()
        self.trunk = architecture.decoder(y_shape, x_shape)
        self.scale_shapes = self.trunk.scale_shapes(n_scales)

    def forward(self, x: Tensor) -> list[Tensor]:
        return self.trunk.scales(x, len(self.scale_shapes))
