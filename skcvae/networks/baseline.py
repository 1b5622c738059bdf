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
    x_shape : tuple of int
        Shape of one row.
    """

    def __init__(self, architecture, x_shape: Shape):
        super().__init__()
        self.trunk = architecture.encoder(x_shape)
        self.out_shape = self.trunk.out_shape

    def forward(self, x: Tensor) -> Tensor:
        return self.trunk(x)
