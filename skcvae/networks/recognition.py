r"""The recognition network :math:`q(z \mid x, y)`.

It is trained with the variational bound and is the proposal of importance sampling. If y
is partially observed, its inputs are y with missing outputs set to zero, and the mask of
the observed outputs.
"""

from collections.abc import Callable

from torch import Tensor, nn
from torch.distributions import Distribution

from skcvae.networks.layers import Shape, full_precision


class RecognitionNetwork(nn.Module):
    """Map (x, y) to a distribution over z.

    Parameters
    ----------
    architecture : object
        A resolved architecture; see :mod:`skcvae.architectures`.
    x_shape, y_shape : tuple of int
        Shapes of one row.
    family : Module
        Maps the network's output to the distribution.
    read : callable
        Encodes y for the network, for example by logarithms of counts.
    partial : bool, default=False
        Whether y may have missing outputs, marked by NaN.
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
