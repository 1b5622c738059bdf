r"""The prior network :math:`p(z \mid x)`, or :math:`p(z \mid x, \hat y)` with an initial guess."""

from torch import Tensor, nn
from torch.distributions import Distribution

from skcvae.networks.layers import Shape, full_precision


class PriorNetwork(nn.Module):
    """Map x, and the initial guess if used, to a distribution over z.

    Parameters
    ----------
    architecture : object
        A resolved architecture; see :mod:`skcvae.architectures`.
    in_shapes : sequence of tuples of int
        The shape of one row of x, and of the initial guess if used.
    family : Module
        Maps the network's output to the distribution.
    """

    def __init__(self, architecture, in_shapes: list[Shape], family: nn.Module):
        super().__init__()
        self.trunk = architecture.encoder(*in_shapes)
        self.head = architecture.head(self.trunk.out_shape, family.parameter_shape)
        self.family = family
        self.noise_shape = family.noise_shape

    def forward(self, *inputs: Tensor) -> Distribution:
        return self.family(full_precision(self.head(self.trunk(*inputs))))


class StandardPrior(nn.Module):
    """The relaxed prior: N(0, I) for every row, without a network.

    Parameters
    ----------
    family : Module
        Returns the distribution with the batch shape of x.
    """

    def __init__(self, family: nn.Module):
        super().__init__()
        self.family = family
        self.noise_shape = family.noise_shape

    def forward(self, x: Tensor, *guess: Tensor) -> Distribution:
        del guess
        return self.family(x)
