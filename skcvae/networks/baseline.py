r"""The baseline network: features of y from x, without z.

With an output layer it is the paper's deterministic network. In a model with latent
variables it gives the initial guess :math:`\hat y(x)`.
"""

from torch import Tensor, nn

from skcvae.networks.layers import Shape


class BaselineNetwork(nn.Module):
    """Compute features of y from x.

    Parameters
    ----------
    architecture : object
        A resolved architecture; see :mod:`skcvae.architectures`.
    x_shape, y_shape : tuple of int
        Shapes of one row.
    n_scales : int, default=1
        Number of resolutions to compute features at: full, half, quarter.

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
