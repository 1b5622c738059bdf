r"""The networks joined into one conditional model, with no losses.

.. math:: p(y \mid x) = \int p(y \mid x, z) \, p(z \mid x) \, dz

Everything that depends on x alone, the prior, the initial guess and x's share of
the first layer, is computed once by :meth:`Model.condition`, however many draws
of z follow. Arrows of the recurrent connection (paper, figure 1d and section
4.1): a baseline network gives features and, through the output, the initial
guess; the prior network reads (x, guess); the output reads the sum of the
baseline and the generation features. Gradients flow through the guess.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor, nn
from torch.distributions import Distribution

from skcvae.networks import (
    BaselineNetwork,
    GenerationNetwork,
    Output,
    PriorNetwork,
    RecognitionNetwork,
    StandardPrior,
)
from skcvae.networks.layers import Shape
from skcvae.priors import DiagonalGaussian


class Conditional(NamedTuple):
    """The model given n rows of x.

    Parameters
    ----------
    prior : Distribution or None
        The prior p(z|x), batch shape (n,). None in a model without z.
    likelihood : callable
        Draws of z, of shape (n_draws, n, ...), to p(y|x,z) with batch
        shape (n_draws, n). In a model without z it takes nothing and returns
        p(y|x) with batch shape (n,).
    """

    prior: Distribution | None
    likelihood: Callable[..., Distribution]


class Model(nn.Module):
    """The paper's networks, joined.

    Parameters
    ----------
    output : Module
        Features to p(y|.).
    baseline : Module, optional
        From x to features; alone it is the deterministic network, beside a
        generation network it is the initial guess.
    generation : Module, optional
        Has ``given(x)``, a function from z to features.
    prior : Module, optional
        (x,) or (x, guess) to p(z|x).
    recognition : Module, optional
        (x, y) to q(z|x,y); absent where the prior is the only proposal.
    """

    def __init__(
        self,
        output: nn.Module,
        *,
        baseline: nn.Module | None = None,
        generation: nn.Module | None = None,
        prior: nn.Module | None = None,
        recognition: nn.Module | None = None,
    ):
        super().__init__()
        self.output = output
        self.baseline = baseline
        self.generation = generation
        self.prior = prior
        self.recognition = recognition

    @property
    def row_size(self) -> int:
        """Numbers per row and draw in the widest tensor, to plan memory by."""
        shapes = [m.out_shape for m in self.modules() if hasattr(m, "out_shape")]
        return max(math.prod(shape) for shape in shapes)

    def condition(self, x: Tensor) -> Conditional:
        """Return the model given x.

        Parameters
        ----------
        x : Tensor of shape (n, ...)
            The inputs.

        Returns
        -------
        Conditional
            The prior p(z|x) and the likelihood p(y|x,z).
        """
        if self.generation is None:
            return Conditional(None, lambda: self.output(self.baseline(x)))
        features = self.generation.given(x)
        if self.baseline is None:
            return Conditional(self.prior(x), lambda z: self.output(features(z)))
        guess = self.baseline(x)
        prior = self.prior(x, self.output(guess).mean)
        return Conditional(prior, lambda z: self.output(guess + features(z)))


def deterministic_model(architecture, likelihood: nn.Module, x_shape: Shape) -> Model:
    """Build the paper's baseline: the networks without z.

    Parameters
    ----------
    architecture : object
        A resolved architecture.
    likelihood : Module
        What reads the output as a distribution of y.
    x_shape : tuple of int
        Shape of one row.

    Returns
    -------
    Model
        With `baseline` and `output` only.
    """
    baseline = BaselineNetwork(architecture, x_shape)
    return Model(Output(architecture, baseline.out_shape, likelihood), baseline=baseline)


def latent_model(
    architecture,
    likelihood: nn.Module,
    prior: nn.Module,
    *,
    x_shape: Shape,
    y_shape: Shape,
    latent_shape: Shape,
    initial_guess: bool,
    recognition: bool,
) -> Model:
    """Build a model with latent variables from shapes.

    Parameters
    ----------
    architecture : object
        A resolved architecture.
    likelihood, prior : Module
        What reads network outputs as distributions of y and z.
    x_shape, y_shape, latent_shape : tuple of int
        Shapes of one row.
    initial_guess : bool
        Whether a baseline network feeds the prior and the output.
    recognition : bool
        Whether there is a recognition network.

    Returns
    -------
    Model
        Untrained.
    """
    generation = GenerationNetwork(architecture, x_shape, latent_shape)
    return Model(
        Output(architecture, generation.out_shape, likelihood),
        baseline=BaselineNetwork(architecture, x_shape) if initial_guess else None,
        generation=generation,
        prior=_prior_network(architecture, prior, [x_shape, y_shape][: 1 + initial_guess]),
        recognition=RecognitionNetwork(
            architecture, x_shape, y_shape, DiagonalGaussian(latent_shape)
        )
        if recognition
        else None,
    )


def _prior_network(architecture, prior: nn.Module, in_shapes: list[Shape]) -> nn.Module:
    if prior.parameter_shape is None:
        return StandardPrior(prior)
    return PriorNetwork(architecture, in_shapes, prior)


def latent_size(y_shape: Shape) -> int:
    r"""Return the default number of latent variables: :math:`d_y`, at most :math:`2 \sqrt{d_y}`.

    Parameters
    ----------
    y_shape : tuple of int
        Shape of one row of y.

    Returns
    -------
    int
        From 1 to 64.
    """
    size = math.prod(y_shape)
    return min(size, round(2 * math.sqrt(size)), 64)
