r"""Predictions from a fitted model (paper, section 4.3).

Deterministic inference returns :math:`y^* = E[y \mid x, z^*]` at
:math:`z^* = E[z \mid x]`, the draw at zero noise (see :mod:`skcvae.priors` for multimodal
priors), which is the mean of y where the decoder is linear in z. Otherwise moments or draws are
computed from :math:`z_l \sim p(z \mid x)`; moments from the same quasi-random noise for every
row, so that they are smooth in x. By the law of total variance

.. math:: \mathrm{Var}[y|x] = E_z[\mathrm{Var}[y|x,z]] + \mathrm{Var}_z[E[y|x,z]].
"""

from collections.abc import Iterable, Iterator

import torch
from torch import Generator, Tensor
from torch.distributions import Distribution

from skcvae.distributions import reparameterize
from skcvae.model import Conditional, Model
from skcvae.random import draw, drawing_from, normal_points

N_POINTS = 256


def deterministic(model: Model, x: Tensor) -> Tensor:
    """Return the deterministic prediction E[y|x,z*] at z* = E[z|x].

    Parameters
    ----------
    model : Model
        With or without latent variables.
    x : Tensor of shape (n, ...)
        Inputs.

    Returns
    -------
    Tensor of shape (n, ...)
        The prediction.
    """
    given = model.condition(x)
    if given.prior is None:
        return given.likelihood().mean
    return given.likelihood(_centre(model, given, x)).mean[0]


def points(model: Model) -> Tensor:
    """Return the noise of the moments of a model with latent variables.

    Parameters
    ----------
    model : Model
        With or without latent variables.

    Returns
    -------
    Tensor of shape (N_POINTS, 1, ...)
        Quasi-random and antithetic, float64 on the CPU; (1, 1) without latent variables.
    """
    if model.is_deterministic:
        return torch.zeros(1, 1)
    return normal_points(N_POINTS, model.noise_shape)[:, None]


def moments(model: Model, x: Tensor, noise: Iterable[Tensor]) -> tuple[Tensor, Tensor]:
    """Return mean and variance of p(y|x) over draws from the prior.

    Parameters
    ----------
    model : Model
        With or without latent variables.
    x : Tensor of shape (n, ...)
        Inputs.
    noise : iterable of Tensors of shape (n_draws, n, ...) or (n_draws, 1, ...)
        Standard normal noise in blocks of draws, which are processed one at a time.

    Returns
    -------
    mean : Tensor of shape (n, ...)
        The mean, float64.
    variance : Tensor of shape (n, ...)
        The variance, float64.
    """
    given = model.condition(x)
    if given.prior is None:
        p = given.likelihood()
        return p.mean.double(), p.variance.double()
    n_draws, total, spread, within = 0, 0.0, 0.0, 0.0
    # Centred at the prediction at z*, to avoid cancellation in the sums of squares.
    centre = given.likelihood(_centre(model, given, x)).mean.double()
    for eps in noise:
        p = given.likelihood(reparameterize(given.prior, eps))
        p = p.by_draw(n_draws) if hasattr(p, "by_draw") else p
        n_draws += len(eps)
        deviation = p.mean.double() - centre
        total = total + deviation.sum(0)
        spread = spread + deviation.square().sum(0)
        within = within + p.variance.double().sum(0)
    mean = total / n_draws
    variance = within / n_draws + spread / n_draws - mean.square()
    return centre[0] + mean, variance.clamp_min(0)


def draws(
    model: Model,
    x: Tensor | None,
    noise: Iterable[Tensor],
    outputs: Generator,
    observation_noise: bool = True,
) -> Iterator[Tensor]:
    """Yield joint draws of y ~ p(y|x), or of E[y|x,z], each with its own z.

    Parameters
    ----------
    model : Model
        With or without latent variables.
    x : Tensor of shape (n, ...) or None
        Inputs; None where the model has nothing to condition on.
    noise : iterable of Tensors of shape (n_draws, n, ...)
        Standard normal noise in blocks of draws, which are processed one at a time.
    outputs : Generator
        Random generator of y given z, on the device of the model.
    observation_noise : bool, default=True
        False yields E[y|x,z], or where logits are random the mean given drawn ones.

    Yields
    ------
    Tensor of shape (n_draws, n, ...)
        A block of draws for each block of noise.
    """
    given = model.condition(x)
    for eps in noise:
        if given.prior is None:
            p = given.likelihood().expand(eps.shape[:2])
        else:
            p = given.likelihood(reparameterize(given.prior, eps))
        yield draw(p, outputs) if observation_noise else _sample_mean(p, outputs)


def _sample_mean(p: Distribution, outputs: Generator) -> Tensor:
    p = getattr(p, "whole", p)
    if not hasattr(p, "sample_mean"):
        return p.mean
    with drawing_from(outputs):
        return p.sample_mean()


def _centre(model: Model, given: Conditional, x: Tensor) -> Tensor:
    return reparameterize(given.prior, x.new_zeros(1, 1, *model.noise_shape))
