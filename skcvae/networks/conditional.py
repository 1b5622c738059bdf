r"""The paper's networks: recognition, prior, baseline, and the output layer.

Each reads its inputs with a trunk of the architecture and ends in a head, whose numbers a
family reads as a distribution. A list of input shapes without x stands for a model with
nothing to condition on.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from skcvae.networks.layers import Shape


class RecognitionNetwork(nn.Module):
    r"""The recognition network :math:`q(z \mid x, y)`: the proposal of importance sampling."""

    def __init__(
        self,
        architecture,
        given: Sequence[Shape],
        y_shape: Shape,
        family: nn.Module,
        *,
        read: Callable[[Tensor], Tensor],
        partial: bool = False,
    ):
        super().__init__()
        self.trunk = architecture.encoder(*given, *[y_shape] * (1 + partial))
        self.head = architecture.head(self.trunk.out_shape, family.parameter_shape)
        self.family = family
        self.read = read
        self.partial = partial

    def forward(self, x: Tensor | None, y: Tensor) -> Distribution:
        inputs = [self.read(y)] if x is None else [x, self.read(y)]
        if self.partial:
            observed = ~inputs[-1].isnan()
            inputs[-1:] = inputs[-1].where(observed, 0.0), observed.to(y.dtype)
        return self.family(self.head(self.trunk(*inputs)))


class PriorNetwork(nn.Module):
    r"""The prior network :math:`p(z \mid x)`, or with a guess :math:`p(z \mid x, \hat y)`."""

    def __init__(self, architecture, in_shapes: Sequence[Shape], family: nn.Module):
        super().__init__()
        self.trunk = architecture.encoder(*in_shapes)
        self.head = architecture.head(self.trunk.out_shape, family.parameter_shape)
        self.family = family
        self.noise_shape = family.noise_shape

    def forward(self, *inputs: Tensor) -> Distribution:
        return self.family(self.head(self.trunk(*inputs)))


class StandardPrior(nn.Module):
    """The relaxed prior N(0, I), the same for every row, with no network."""

    def __init__(self, family: nn.Module):
        super().__init__()
        self.family = family
        self.noise_shape = family.noise_shape

    def forward(self, x: Tensor | None, *guess: Tensor) -> Distribution:
        del guess
        return self.family(x)


class LearnedPrior(nn.Module):
    """A prior :math:`p(z)` with nothing to condition on: learned numbers instead of a network."""

    def __init__(self, family: nn.Module):
        super().__init__()
        self.numbers = nn.Parameter(torch.zeros(1, *family.parameter_shape))
        self.family = family
        self.noise_shape = family.noise_shape

    def forward(self, x: None) -> Distribution:
        del x
        return self.family(self.numbers)


class GivenNothing(nn.Module):
    """A generation network that reads z alone: x reaches y through z only.

    Attributes
    ----------
    out_shape : tuple of int
        Shape of the features of one row.
    """

    def __init__(self, decoder: nn.Module):
        super().__init__()
        self.decoder = decoder
        self.out_shape = decoder.out_shape

    def given(self, x: Tensor) -> Callable[[Tensor], Tensor]:
        """Return the features as a function of z."""
        del x
        return self.decoder.given(None)


class BaselineNetwork(nn.Module):
    r"""The baseline network: x to features of y without z.

    Read by an output layer it is the paper's deterministic network, and, inside a model
    with latent variables, its initial guess :math:`\hat y(x)`.

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


class Output(nn.Module):
    """The output layer: features to the distribution of y.

    The baseline network shares it: with an initial guess it reads the sum of both features.
    """

    def __init__(self, architecture, in_shape: Shape, likelihood: nn.Module):
        super().__init__()
        self.head = architecture.head(in_shape, likelihood.parameter_shape)
        self.likelihood = likelihood

    def forward(self, features: Tensor) -> Distribution:
        return self.likelihood(self.head(features))

    def guess(self, features: Tensor) -> Tensor:
        """Return E[y] given the features, as the networks that read y see it."""
        return self.likelihood.read(self(features).mean).to(features.dtype)
