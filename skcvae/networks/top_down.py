r"""Top-down networks: the numbers of each latent scale, given z of the coarser ones.

An encoder gives features :math:`e_s` at each level, the coarsest first. The numbers of z at
scale s are read from

.. math::

    h_1 = r(e_1), \quad h_s = r\bigl(\phi(U h_{s-1} + V z_{s-1} + e_s)\bigr), \quad
    r(h) = \phi(h + W_2 \, \phi(W_1 h))

with convolutions U, V to the larger size, and a residual block r. :math:`W_2` and the output
layers start near zero, each scale near N(0, I), with y and without: otherwise features grow from
scale to scale, and with them the KL term of a new network, at the fourth to millions of nats.
"""

from collections.abc import Callable, Sequence
from functools import partial

from torch import Tensor, nn

from skcvae.networks.convolutions import Convolution, ImageReadout, keep_variance
from skcvae.networks.hourglass import Descent
from skcvae.networks.layers import ACTIVATIONS, Shape

START = 0.01  # of the usual weights, where a scale is to start near N(0, I)


class BottomUp(nn.Module):
    """An encoder to features at several scales, the coarsest first.

    Vectors reach the coarsest scale alone.

    Parameters
    ----------
    descent : Descent
        The encoder.
    n_scales : int
        Number of its lowest levels that are read.

    Attributes
    ----------
    out_shape : tuple of int
        Shape of the features of the coarsest scale.
    """

    def __init__(self, descent: Descent, n_scales: int):
        super().__init__()
        self.descent, self.n_scales = keep_variance(descent), n_scales
        self.out_shape = descent.out_shape

    def forward(self, *inputs: Tensor) -> list[Tensor | float]:
        levels = self.descent.levels(*inputs)[::-1]
        return [*levels, *[0.0] * self.n_scales][: self.n_scales]


class ResidualBlock(nn.Module):
    """Two convolutions, whose output is added to their input."""

    def __init__(self, shape: Shape, kernel_size: int, activation: str):
        super().__init__()
        self.first, self.second = (
            Convolution(shape, shape[0], shape[1:], kernel_size=kernel_size) for _ in range(2)
        )
        self.activation = ACTIVATIONS[activation]()

    def forward(self, h: Tensor) -> Tensor:
        return self.activation(h + self.second(self.activation(self.first(h))))


class Scale(nn.Module):
    """One scale of a top-down network.

    Parameters
    ----------
    shape : tuple of int
        Shape of its features.
    n_latents : int
        Channels of z.
    coarser : tuple of int or None
        Shape of the features of the coarser scale; None for the coarsest.
    kernel_size, activation : int, str
        Of the architecture.
    """

    def __init__(
        self,
        shape: Shape,
        n_latents: int,
        coarser: Shape | None,
        kernel_size: int,
        activation: str,
    ):
        super().__init__()
        if coarser is not None:
            to_here = {"channels": shape[0], "size": shape[1:], "kernel_size": kernel_size}
            self.up = Convolution(coarser, **to_here)
            self.enter = Convolution((n_latents, *coarser[1:]), **to_here, bias=False)
        self.block = ResidualBlock(shape, kernel_size, activation)
        keep_variance(self)
        self.readout = ImageReadout(shape, (2, n_latents, *shape[1:]), kernel_size)
        for weight in (*self.block.second.parameters(), *self.readout.parameters()):
            weight.data.mul_(START)
        self.activation = ACTIVATIONS[activation]()

    def forward(
        self, features: Tensor | float, h: Tensor | None, z: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Return the state and the numbers of z, given those of the coarser scale."""
        if h is not None:
            z = z.unflatten(-1, h.shape[-2:])
            features = self.activation(self.up(h) + self.enter(z) + features)
        h = self.block(features)
        return h, self.readout(h).flatten(-2)


class TopDown(nn.Module):
    """The scales of z, from the features of an encoder at each of them.

    Parameters
    ----------
    shapes : sequence of tuples of int
        Shapes of the features of each scale, the coarsest first.
    n_latents : int
        Channels of z.
    kernel_size, activation : int, str
        Of the architecture.
    """

    def __init__(self, shapes: Sequence[Shape], n_latents: int, kernel_size: int, activation: str):
        super().__init__()
        layers = {"kernel_size": kernel_size, "activation": activation}
        pairs = zip(shapes, [None, *shapes], strict=False)
        self.scales = nn.ModuleList(
            Scale(shape, n_latents, coarser, **layers) for shape, coarser in pairs
        )

    def forward(self, features: Sequence[Tensor | float]) -> list[Callable]:
        """Return a function for each scale, from (state, z) of the coarser one to its own."""
        return [partial(scale, e) for scale, e in zip(self.scales, features, strict=True)]
