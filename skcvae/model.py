r"""The paper's networks, and their combination as one conditional model, without losses.

.. math:: p(y \mid x) = \int p(y \mid x, z) \, p(z \mid x) \, dz

Terms that depend on x only (the prior, the initial guess and the share of x in the
first layer) are computed once by :meth:`Model.condition`, regardless of the number of
draws of z. With the recurrent connection (paper, figure 1d and section 4.1), the
baseline network computes features and, with the output layer, the initial guess; the
prior network gets (x, guess); the output layer gets the sum of the baseline and the
generation features. Gradients flow through the guess.

Without noise, at z = E[z|x], the same networks are the paper's deterministic
counterpart (GDNN).

A network reads its inputs with a trunk of the architecture and ends in a head, whose numbers a
family reads as a distribution. A list of input shapes without x stands for a model with
nothing to condition on.
"""

import math
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from skcvae.distributions import CorrelatedGaussian, reparameterize
from skcvae.networks.imputation import FactorImputer
from skcvae.networks.layers import Concatenation, Shape


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
        self.row_size = max(math.prod(getattr(part, "out_shape", ())) for part in self.modules())

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
        prior = self.prior(x) if guess is None else self.prior(x, self.output.guess(guess))
        features_of = self.generation.given(x)

        def likelihood(z: Tensor) -> Distribution:
            return self.output(features_of(z) if guess is None else guess + features_of(z))

        if self.noiseless:
            return Conditional(None, lambda: likelihood(prior.mean), coarse)
        return Conditional(prior, likelihood, coarse)

    def latent_given(self, x: Tensor | None, y: Tensor | None = None) -> Distribution:
        """Return q(z|x,y), or the prior p(z|x) without y."""
        return self.condition(x).prior if y is None else self.recognition(x, y)


class RecognitionNetwork(nn.Module):
    r"""The recognition network :math:`q(z \mid x, y)`: the proposal of importance sampling."""

    def __init__(
        self,
        architecture,
        given: Sequence[Shape],
        y_shape: Shape,
        family: nn.Module,
        *,
        likelihood: nn.Module,
        partial: bool = False,
    ):
        super().__init__()
        self.trunk = architecture.encoder(*given, *[y_shape] * (1 + partial))
        self.head = architecture.head(self.trunk.out_shape, family.parameter_shape)
        self.family = family
        self.read = likelihood.read
        self.partial = partial
        is_linear = isinstance(self.trunk, Concatenation)  # or has a part that is
        reads_linearly = is_linear or getattr(self.trunk, "shortcut", None)
        has_factors = hasattr(likelihood, "start_at") and len(family.noise_shape) == 1
        self.imputer = None
        if partial and reads_linearly and has_factors:
            self.imputer = FactorImputer(*given or [None], y_shape, math.prod(family.noise_shape))

    def forward(self, x: Tensor | None, y: Tensor) -> Distribution:
        inputs, spread = [self.read(y)] if x is None else [x, self.read(y)], None
        if self.partial:
            y = inputs.pop()
            filled = y.nan_to_num(0.0)
            if self.imputer is not None:
                filled, spread = self.imputer(x, y)
            inputs += filled, (~y.isnan()).to(y.dtype)
        q = self.family(self.head(self.trunk(*inputs)))
        return q if spread is None else CorrelatedGaussian(q.mean, q.stddev[..., None] * spread)


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


class Output(nn.Sequential):
    """The output layer: features to the distribution of y.

    The baseline network shares it: with an initial guess it reads the sum of both features.
    """

    def __init__(self, architecture, in_shape: Shape, likelihood: nn.Module):
        head = architecture.head(in_shape, likelihood.parameter_shape)
        super().__init__(OrderedDict(head=head, likelihood=likelihood))

    def guess(self, features: Tensor) -> Tensor:
        """Return E[y] given the features, or its guess, as the networks that read y see it."""
        p = self(features)
        guess = p.guess if hasattr(p, "guess") else p.mean  # a mean of draws takes too long
        return self.likelihood.read(guess).to(features.dtype)


def check_prior(model: Model, x: Tensor | None, prior) -> None:
    """Refuse a prior whose draws do not follow from noise by a known rule."""
    with torch.no_grad():
        given = model.condition(None if x is None else x.cpu())
        try:
            reparameterize(given.prior, torch.zeros(1, 1, *model.noise_shape))
        except TypeError as error:
            raise ValueError(f"prior={prior!r} cannot be sampled from: {error}") from error
