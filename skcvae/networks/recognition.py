r"""The recognition network :math:`q(z \mid x, y)`: trained with the bound, then the proposal.

Where y is observed in part it reads what is observed, with zeros elsewhere, and
which outputs these are.
"""

from collections.abc import Callable

from torch import Tensor, nn
from torch.distributions import Distribution

from skcvae.networks.layers import Shape, full_precision


class RecognitionNetwork(nn.Module):
    """Read (x, y) as a distribution over z.

    Parameters
    ----------
    architecture : object
        What the network is built of; see :mod:`skcvae.architectures`.
    x_shape, y_shape : tuple of int
        Shapes of one row.
    family : Module
        Turns the network's output into the distribution.
    read : callable
        From y to the numbers that the network reads, such as logarithms of counts.
    partial : bool, default=False
        Whether y may be observed in part: NaN elsewhere.
    """

    def __init__(
        self,
        architecture,
        x_shape: Shape,
        y_shape: Shape,
        family: nn.Module,
        *,
        read: Callable[[Tensor], Tensor],
        partial: bool = False,
    ):
        super().__init__()
        self.trunk = architecture.encoder(x_shape, *[y_shape] * (1 + partial))
        self.head = architecture.head(self.trunk.out_shape, family.parameter_shape)
        self.family = family
        self.read = read
        self.partial = partial

    def forward(self, x: Tensor, y: Tensor) -> Distribution:
        numbers = self._numbers(self.read(y))
        return self.family(full_precision(self.head(self.trunk(x, *numbers))))

    def _numbers(self, y: Tensor) -> tuple[Tensor, ...]:
        if not self.partial:
            return (y,)
        observed = ~y.isnan()
        return y.where(observed, 0.0), observed.to(y.dtype)
