r"""The networks joined into one conditional model, without losses.

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

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from skcvae.distributions import MIN_SCALE, DiagonalGaussian, reparameterize
from skcvae.networks import (
    BaselineNetwork,
    GivenNothing,
    LearnedPrior,
    Output,
    PriorNetwork,
    RecognitionNetwork,
    StandardPrior,
)
from skcvae.networks.layers import Shape
from skcvae.priors.process import Process


class Conditional(NamedTuple):
    """The model conditioned on n rows of x.

    Parameters
    ----------
    prior : Distribution or None
        The prior p(z|x), batch shape (n,), or (1,) where nothing is conditioned on. None
        in a model without z.
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
        The generation network up to its features, a decoder of the architecture: has
        ``given(x)``, a function from z to features.
    prior : Module, optional
        Maps (x,) or (x, guess) to p(z|x); has an attribute `noise_shape`.
    recognition : Module, optional
        Maps (x, y) to q(z|x,y). Without it, the prior is the only proposal.
    coarse : sequence of Modules, default=()
        Map the baseline network's features at half, quarter, ... resolution to
        p(y|x) at that resolution.
    noiseless : bool, default=False
        Whether z is E[z|x] always.

    Attributes
    ----------
    is_deterministic : bool
        Whether p(y|x) is a likelihood itself, with no z to average over.
    noise_shape : tuple of int
        Shape of the noise of one draw of z for one row; () without draws.
    row_size : int
        Numbers per row and draw in the widest tensor, to plan memory by.
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
        self.is_deterministic = generation is None or noiseless
        self.noise_shape: Shape = () if self.is_deterministic else prior.noise_shape
        sizes = [1]
        for module in self.modules():
            sizes.append(math.prod(getattr(module, "out_shape", ())))
        self.row_size = max(sizes)

    def condition(self, x: Tensor | None = None) -> Conditional:
        """Return the model given x, or given nothing.

        Parameters
        ----------
        x : Tensor of shape (n, ...), optional
            The inputs; None where the model has nothing to condition on.

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
        features_of = self.generation.given(x)
        if guess is None:
            prior, likelihood = self.prior(x), lambda z: self.output(features_of(z))
        else:
            prior = self.prior(x, self.output.guess(guess))
            likelihood = lambda z: self.output(guess + features_of(z))  # noqa: E731
        if self.noiseless:
            return Conditional(None, lambda: likelihood(prior.mean), coarse)
        return Conditional(prior, likelihood, coarse)

    def latent_given(self, x: Tensor | None, y: Tensor | None = None) -> Distribution:
        """Return q(z|x,y), or the prior p(z|x) without y."""
        return self.condition(x).prior if y is None else self.recognition(x, y)


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
        Turn the output into a distribution of y, and of y at a half, a quarter of its
        resolution, if these are wanted.
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
    x_shape: Shape | None,
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
        Turns the prior network's output into a distribution of z.
    x_shape : tuple of int or None
        Shape of one row of x; None for a model without inputs.
    y_shape, latent_shape : tuple of int
        Shapes of one row.
    initial_guess : bool
        Whether to add a baseline network whose guess the prior network gets.
    recognition : bool
        Whether to build a recognition network.
    partial : bool, default=False
        Whether the recognition network gets a mask of the observed outputs.
    noiseless : bool, default=False
        Whether z is always E[z|x].

    Returns
    -------
    Model
        An untrained model.
    """
    x_shapes = [] if x_shape is None else [x_shape]
    baseline, coarse, proposal = None, (), None
    if isinstance(prior, Process):
        generation = GivenNothing(architecture.decoder(y_shape, None, latent_shape))
    else:
        generation = architecture.decoder(y_shape, x_shape, latent_shape)
    if initial_guess:
        guess = deterministic_model(architecture, likelihoods, x_shape=x_shape, y_shape=y_shape)
        baseline, output, coarse = guess.baseline, guess.output, guess.coarse
    if recognition:
        family = prior
        if not isinstance(prior, DiagonalGaussian):
            floor = getattr(prior, "min_scale", MIN_SCALE)
            family = DiagonalGaussian(latent_shape, floor, getattr(prior, "init_scale", 1.0))
        proposal = RecognitionNetwork(
            architecture, x_shapes, y_shape, family, read=likelihoods[0].read, partial=partial
        )
    if not initial_guess:
        output = Output(architecture, generation.out_shape, likelihoods[0])
    if prior.parameter_shape is None:
        prior_network = StandardPrior(prior)
    elif x_shapes or initial_guess:
        in_shapes = [*x_shapes, y_shape][: len(x_shapes) + initial_guess]
        prior_network = PriorNetwork(architecture, in_shapes, prior)
    else:
        prior_network = LearnedPrior(prior)
    return Model(
        output,
        baseline=baseline,
        generation=generation,
        prior=prior_network,
        recognition=proposal,
        coarse=coarse,
        noiseless=noiseless,
    )


def check_prior(model: Model, x: Tensor | None, prior) -> None:
    """Refuse a prior whose draws do not follow from noise by a known rule."""
    with torch.no_grad():
        given = model.condition(None if x is None else x.cpu())
        try:
            reparameterize(given.prior, torch.zeros(1, 1, *model.noise_shape))
        except TypeError as error:
            raise ValueError(f"prior={prior!r} cannot be sampled from: {error}") from error
