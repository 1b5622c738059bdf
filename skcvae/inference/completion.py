r"""Partial observation: sample the missing entries of y given x and the observed ones.

With a recognition network the paper alternates

.. math::

    y_u \sim p(y_u \mid x, z, y_o), \qquad z \sim q(z \mid x, y_o, y_u),

from a first z of the prior, or of q(z|x,y_o) where the recognition network was
trained with missing y. This is Gibbs sampling as far as q is the posterior.
Without one, z is chosen from draws of the prior with weights
:math:`p(y_o \mid x, z)`. Where outputs are independent given z, as they are in
the paper, y_u depends on y_o through z alone; other likelihoods are conditioned on y_o.

Throughout, NaN entries of y are missing.
"""

from collections.abc import Iterable, Iterator

import torch
from torch import Generator, Tensor
from torch.distributions import Distribution

from skcvae.distributions import reparameterize
from skcvae.inference.conditional_likelihood import (
    WIDENING,
    Estimate,
    double,
    log_mean_exp,
    weighted_draws,
    widened,
)
from skcvae.inference.partial import given_observed, log_prob_of_observed
from skcvae.model import Conditional, Model
from skcvae.random import draw


def complete(
    model: Model,
    x: Tensor | None,
    y: Tensor,
    n_draws: int,
    *,
    n_steps: int,
    noise: Generator,
    outputs: Generator,
    observation_noise: bool,
) -> Tensor:
    """Sample joint completions of y.

    Parameters
    ----------
    model : Model
        With or without latent variables.
    x : Tensor of shape (n, ...) or None
        Inputs; None where the model has nothing to condition on.
    y : Tensor of shape (n, ...)
        Outputs, NaN where missing.
    n_draws : int
        Completions per row, independent of each other.
    n_steps : int
        Number of alternations, or of draws of the prior from which each z is chosen.
    noise : Generator
        Random generator of z, on the CPU.
    outputs : Generator
        Random generator of y given z, on the device of `y`.
    observation_noise : bool
        If False, the last step takes E[y|x,z] instead of a draw of y.

    Returns
    -------
    Tensor of shape (n_draws, n, ...)
        Observed entries are unchanged.
    """
    given = model.condition(x)

    def draw_z(p: Distribution) -> Tensor:
        shape = (n_draws, len(y), *model.noise_shape)
        return reparameterize(p, torch.randn(shape, generator=noise).to(y))

    if given.prior is None:
        p = given.likelihood().expand((n_draws, len(y)))
    elif model.recognition is None:
        candidates = (draw_z(given.prior) for _ in range(n_steps))
        p = given.likelihood(_chosen(given, y, candidates, noise))
    else:
        z = draw_z(model.recognition(x, y) if model.recognition.partial else given.prior)
        for _ in range(n_steps):
            p = given_observed(given.likelihood(z), y)
            z = draw_z(model.recognition(x, _filled(y, draw(p, outputs))))
        p = given.likelihood(z)
    p = given_observed(p, y)
    return _filled(y, draw(p, outputs) if observation_noise else p.mean)


def log_prob_observed(
    model: Model,
    x: Tensor | None,
    y: Tensor,
    completed: Tensor,
    noise: Iterable[Tensor],
    *,
    n_draws: int | None = None,
) -> Estimate:
    r"""Estimate :math:`\log p(y_o \mid x)` of the observed entries.

    The proposal is q(z|x,y) at any completed y, or the prior where there is no recognition
    network; the estimate is unbiased for the density in both cases.

    Parameters
    ----------
    model : Model
        With or without latent variables.
    x : Tensor of shape (n, ...) or None
        Inputs; None where the model has nothing to condition on.
    y : Tensor of shape (n, ...)
        Outputs, NaN where missing.
    completed : Tensor of shape (n, ...)
        The same without NaN, such as a draw of :func:`complete`.
    noise : iterable of Tensors of shape (n_draws, n, ...)
        Standard normal numbers in blocks of draws.
    n_draws : int, default=None
        S. Where it is given, a share of the draws comes from the prior, as in
        :func:`~skcvae.inference.conditional_likelihood.importance_sampling`.

    Returns
    -------
    Estimate
        For each row.
    """
    given = model.condition(x)
    if given.prior is None:
        log_p = double(log_prob_of_observed(given.likelihood(), y))
        return Estimate(log_p, torch.ones_like(log_p))
    if model.recognition is None:
        z_of = (reparameterize(given.prior, eps) for eps in noise)
        return log_mean_exp(log_prob_of_observed(given.likelihood(z), y) for z in z_of)
    q = widened(model.recognition(x, completed), given.prior, WIDENING)
    drawn = weighted_draws(given.prior, q, noise, n_draws)
    return log_mean_exp(log_prob_of_observed(given.likelihood(z), y) + log_w for z, log_w in drawn)


def _chosen(
    given: Conditional, y: Tensor, candidates: Iterator[Tensor], noise: Generator
) -> Tensor:
    """Resample z among candidates with weights p(y_o|x,z)."""
    z = next(candidates)
    best = _perturbed(given, y, z, noise)
    for other in candidates:
        log_w = _perturbed(given, y, other, noise)
        better = log_w > best
        best = best.where(~better, log_w)
        z = z.where(~better.reshape(*better.shape, *[1] * (z.ndim - 2)), other)
    return z


def _perturbed(given: Conditional, y: Tensor, z: Tensor, noise: Generator) -> Tensor:
    """Return log weights plus Gumbel noise, for the Gumbel-max trick."""
    log_w = log_prob_of_observed(given.likelihood(z), y)
    return log_w - torch.empty(log_w.shape).exponential_(generator=noise).log().to(y)


def _filled(y: Tensor, values: Tensor) -> Tensor:
    return values.to(y.dtype).where(y.isnan(), y)
