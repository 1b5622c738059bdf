r"""The conditional model: all networks combined, without losses.

.. math:: p(y \mid x) = \int p(y \mid x, z) \, p(z \mid x) \, dz

Terms that depend on x only (the prior, the initial guess and the share of x in the
first layer) are computed once by :meth:`Model.condition`, regardless of the number of
draws of z. With the recurrent connection (paper, figure 1d and section 4.1), the
baseline network computes features and, with the output layer, the initial guess; the
prior network gets (x, guess); the output layer gets the sum of the baseline and the
generation features. Gradients flow through the guess.

Without noise, at z = E[z|x], the same networks are the paper's deterministic
counterpart (GDNN).
"""

import math
from collections.abc import Callable, Sequence
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
    """The model conditioned on n rows of x.

    Parameters
    ----------
    prior : Distribution or None
        The prior p(z|x) with batch shape (n,), or None in a model without z.
    likelihood : callable
        Maps draws of z, of shape (n_draws, n, ...), to p(y|x,z) with batch
        shape (n_draws, n). In a model without z it takes no argument and returns
        p(y|x) with batch shape (n,).
    coarse : callable
        Takes no argument and returns the distributions given x of y pooled to half,
        quarter, ... resolution; an empty list if the model has none.
    """

    prior: Distribution | None
    likelihood: Callable[..., Distribution]
    coarse: Callable[[], list[Distribution]]


class Model(nn.Module):
    """The networks of the paper, combined.

    Parameters
    ----------
    output : Module
        Maps features to p(y|.).
    baseline : Module, optional
        Maps x to features. Without a generation network it is the deterministic
        network, with one it gives the initial guess.
    generation : Module, optional
        Its method ``given(x)`` returns a function from z to features.
    prior : Module, optional
        Maps (x,) or (x, guess) to p(z|x); has an attribute `noise_shape`.
    recognition : Module, optional
        Maps (x, y) to q(z|x,y). Without it, the prior is the only proposal.
    coarse : sequence of Modules, default=()
        Map the baseline network's features at half, quarter, ... resolution to
        p(y|x) at that resolution.
    noiseless : bool, default=False
        Whether z is always E[z|x].
    """

    def __init__(
        self,
        output: nn.Module,
        *,
        baseline: nn.Module | None = None,
        generation: nn.Module | None = None,
        prior: nn.Module | None = None,
        recognition: nn.Module | None = None,
        coarse: Sequence[nn.Module] = (),
        noiseless: bool = False,
    ):
        super().__init__()
        self.output = output
        self.baseline = baseline
        self.generation = generation
        self.prior = prior
        self.recognition = recognition
        self.coarse = nn.ModuleList(coarse)
        self.noiseless = noiseless

    @property
    def is_deterministic(self) -> bool:
        """Whether p(y|x) is available without averaging over z."""
        return self.generation is None or self.noiseless

    @property
    def row_size(self) -> int:
        """Size of the largest activation per row and draw, used to estimate memory."""
        shapes = [m.out_shape for m in self.modules() if hasattr(m, "out_shape")]
        return max(math.prod(shape) for shape in shapes)

    @property
    def noise_shape(self) -> Shape:
        """Shape of the noise of one draw of z for one row; () without draws."""
        return () if self.is_deterministic else self.prior.noise_shape

    def condition(self, x: Tensor) -> Conditional:
        """Return the model conditioned on x.

        Parameters
        ----------
        x : Tensor of shape (n, ...)
            The inputs.

        Returns
        -------
        Conditional
            The prior p(z|x) and the likelihood p(y|x,z).
        """
        guess, *features = [None] if self.baseline is None else self.baseline(x)

        def coarse() -> list[Distribution]:
            return [out(h) for out, h in zip(self.coarse, features, strict=True)]

        if self.generation is None:
            return Conditional(None, lambda: self.output(guess), coarse)
        of_z = self.generation.given(x)
        if guess is None:
            prior, likelihood = self.prior(x), lambda z: self.output(of_z(z))
        else:
            prior = self.prior(x, self.output.guess(guess))
            likelihood = lambda z: self.output(guess + of_z(z))  # noqa: E731
        if self.noiseless:
            return Conditional(None, lambda: likelihood(prior.mean), coarse)
        return Conditional(prior, likelihood, coarse)


def deterministic_model(
    architecture,
    likelihoods: Sequence[nn.Module],
    *,
    x_shape: Shape,
    y_shape: Shape,
) -> Model:
    """Build the deterministic model: the baseline network without z.

    Parameters
    ----------
    architecture : object
        A resolved architecture.
    likelihoods : sequence of Modules
        Map the network's output to a distribution of y, and optionally of y at half,
        quarter, ... resolution.
    x_shape, y_shape : tuple of int
        Shapes of one row.

    Returns
    -------
    Model
        A model with `baseline`, `output` and `coarse` only.
    """
    baseline = BaselineNetwork(architecture, x_shape, y_shape, len(likelihoods))
    output, *coarse = (
        Output(architecture, shape, likelihood)
        for shape, likelihood in zip(baseline.scale_shapes, likelihoods, strict=True)
    )
    return Model(output, baseline=baseline, coarse=coarse)


def latent_model(
    architecture,
    likelihoods: Sequence[nn.Module],
    prior: nn.Module,
    *,
    x_shape: Shape,
    y_shape: Shape,
    latent_shape: Shape,
    initial_guess: bool,
    recognition: bool,
    partial: bool = False,
    noiseless: bool = False,
) -> Model:
    """Build a model with latent variables from shapes.

    Parameters
    ----------
    architecture : object
        A resolved architecture.
    likelihoods : sequence of Modules
        As in :func:`deterministic_model`; more than one only with an initial guess.
    prior : Module
        Maps the prior network's output to a distribution of z.
    x_shape, y_shape, latent_shape : tuple of int
        Shapes of one row.
    initial_guess : bool
        Whether to add a baseline network whose guess the prior network gets.
    recognition : bool
        Whether to add a recognition network.
    partial : bool, default=False
        Whether the recognition network gets a mask of the observed outputs.
    noiseless : bool, default=False
        Whether z is always E[z|x].

    Returns
    -------
    Model
        An untrained model.
    """
    generation = GenerationNetwork(architecture, x_shape, y_shape, latent_shape)
    guess = (
        deterministic_model(architecture, likelihoods, x_shape=x_shape, y_shape=y_shape)
        if initial_guess
        else None
    )
    proposal = (
        RecognitionNetwork(
            architecture,
            x_shape,
            y_shape,
            DiagonalGaussian(latent_shape),
            read=likelihoods[0].read,
            partial=partial,
        )
        if recognition
        else None
    )
    return Model(
        guess.output if guess else Output(architecture, generation.out_shape, likelihoods[0]),
        baseline=guess.baseline if guess else None,
        generation=generation,
        prior=_prior_network(architecture, prior, [x_shape, y_shape][: 1 + initial_guess]),
        recognition=proposal,
        coarse=guess.coarse if guess else (),
        noiseless=noiseless,
    )


def _prior_network(architecture, prior: nn.Module, in_shapes: list[Shape]) -> nn.Module:
    if prior.parameter_shape is None:
        return StandardPrior(prior)
    return PriorNetwork(architecture, in_shapes, prior)
