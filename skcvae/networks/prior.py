r"""The prior network :math:`p(z \mid x)`, or with a guess :math:`p(z \mid x, \hat y)`."""

from torch import Tensor, nn
from torch.distributions import Distribution

from skcvae.networks.layers import Shape, full_precision


class PriorNetwork(nn.Module):
    """Read x, and the initial guess where there is one, as a distribution over z.

    Parameters
    ----------
    architecture : object
        What the network is built of; see :mod:`skcvae.architectures`.
    in_shapes : sequence of tuples of int
        The shape of one row of x, and of the guess where there is one.
    family : Module
        Turns the network's output into the distribution.
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
    """The relaxed prior: N(0, I) for every row, with no network.

    Parameters
    ----------
    family : Module
        Turns rows of x into the distribution, one for each.
    """

    def __init__(self, family: nn.Module):
        super().__init__()
        self.family = family
        self.noise_shape = family.noise_shape

    def forward(self, x: Tensor, *guess: Tensor) -> Distribution:
        del guess
        return self.family(x)
