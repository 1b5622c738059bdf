r"""Partial observation: sample the missing entries of y given x and the observed ones.

With a recognition network the paper alternates

.. math::

    y_u \sim p(y_u \mid x, z, y_o), \qquad z \sim q(z \mid x, y_o, y_u),

from a first z of the prior, or of q(z|x,y_o) where the recognition network was
trained with missing y. This is Gibbs sampling as far as q is the posterior. Of vectors, where
outputs may be nearly tied and the alternation would diverge, z is accepted with the probability

.. math::

    \min\Bigl(1, \frac{w(z')}{w(z)}\Bigr), \quad
    w(z) = \frac{p(y \mid x, z) \, p(z \mid x)}{q(z \mid x, y_o, y_u)}

(Metropolis within Gibbs; Mattei and Frellsen, 2018), which has the conditional distribution as
its limit for any q, and the first z is chosen by :math:`p(y_o \mid x, z)` from draws of
:mod:`skcvae.inference.linearised` and of the prior. So it is without a recognition network, where
it is the last; of images all candidates are then of the prior. Where outputs are independent
given z, as they are in the paper, y_u depends on y_o through z alone; other likelihoods are
conditioned on y_o.

Mattei and Frellsen (2018), *Leveraging the Exact Likelihood of Deep Latent Variable Models*,
NeurIPS, section 3.2.

Throughout, NaN entries of y are missing.
"""

from collections.abc import Iterable, Iterator

import torch
from torch import Generator, Tensor
from torch.distributions import Distribution

from skcvae.data.coding import FORWARD_ROWS, slices
from skcvae.distributions import reparameterize
from skcvae.inference.conditional_likelihood import (
    WIDENING,
    Estimate,
    double,
    log_mean_exp,
    weighted_draws,
    widened,
)
from skcvae.inference.linearised import DRAWS_PER_LATENT, linearised
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
        Number of alternations, and of draws from which each first z is chosen.
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
    if given.prior is None:
        p = given.likelihood().expand((n_draws, len(y)))
    else:
        p = given.likelihood(_latents(model, given, x, y, n_draws, n_steps, noise, outputs))
    p = given_observed(p, y)
    return _filled(y, draw(p, outputs) if observation_noise else p.mean)


def _latents(
    model: Model,
    given: Conditional,
    x: Tensor | None,
    y: Tensor,
    n_draws: int,
    n_steps: int,
    noise: Generator,
    outputs: Generator,
) -> Tensor:
    """Return draws of z given x and what is observed of y."""
    is_vector = y.ndim == 2
    q = _guess(model, given, x, y, noise)

    def standard() -> Tensor:
        return torch.randn((n_draws, len(y), *model.noise_shape), generator=noise).to(y)

    if model.recognition is None or is_vector:
        z = _chosen(given, y, q, (standard()[None] for _ in range(n_steps)), n_steps, noise)
    else:
        z = reparameterize(q, standard())
    for _ in range(n_steps if model.recognition is not None else 0):
        p = given.likelihood(z)
        whole = _filled(y, draw(given_observed(p, y), outputs))
        q = model.recognition(x, whole)
        proposed = reparameterize(q, standard())
        if is_vector:
            gain = given.likelihood(proposed).log_prob(whole) - p.log_prob(whole)
            gain = gain + _log_ratio(given.prior, q, proposed) - _log_ratio(given.prior, q, z)
            proposed = _where(gain > -_exponential(gain, noise), proposed, z)
        z = proposed
    return z


def _guess(
    model: Model, given: Conditional, x: Tensor | None, y: Tensor, noise: Generator
) -> Distribution:
    """Return a proposal for z given what is observed of y; the prior where there is no better."""
    if model.recognition is not None and model.recognition.partial:
        return model.recognition(x, y)
    if y.ndim > 2 or len(model.noise_shape) > 1:
        return given.prior
    blocks = (
        torch.randn((block.stop - block.start, len(y), *model.noise_shape), generator=noise).to(y)
        for block in slices(DRAWS_PER_LATENT * model.noise_shape[0], -(-FORWARD_ROWS // len(y)))
    )
    return linearised(given, y, blocks)


def log_prob_observed(
    model: Model,
    x: Tensor | None,
    y: Tensor,
    noise: Iterable[Tensor],
    *,
    n_draws: int,
    n_steps: int,
    generators: tuple[Generator, Generator],
) -> Estimate:
    r"""Estimate :math:`\log p(y_o \mid x)` of the observed entries, in the density unbiased.

    The proposal is q(z|x,y_o) where the recognition network was trained with missing y, of other
    vectors :mod:`skcvae.inference.linearised`. Where neither is there, it is q(z|x,y) at a
    completed y, and the prior without a recognition network. A share of the draws comes from the
    prior, as in :func:`~skcvae.inference.conditional_likelihood.importance_sampling`.

    Parameters
    ----------
    model : Model
        With or without latent variables.
    x : Tensor of shape (n, ...) or None
        Inputs; None where the model has nothing to condition on.
    y : Tensor of shape (n, ...)
        Outputs, NaN where missing.
    noise : iterable of Tensors of shape (n_draws, n, ...)
        Standard normal numbers in blocks of draws.
    n_draws : int
        S, over all blocks.
    n_steps : int
        Number of alternations, as in :func:`complete`.
    generators : tuple of Generators
        Of z and of outputs, as in :func:`complete`.

    Returns
    -------
    Estimate
        For each row.
    """
    given = model.condition(x)
    if given.prior is None:
        log_p = double(log_prob_of_observed(given.likelihood(), y))
        return Estimate(log_p, torch.ones_like(log_p))
    q = _guess(model, given, x, y, generators[0])
    if q is given.prior and model.recognition is not None:
        source, outputs = generators
        how = {"n_steps": n_steps, "observation_noise": True}
        (whole,) = complete(model, x, y, 1, noise=source, outputs=outputs, **how)
        q = widened(model.recognition(x, whole), given.prior, WIDENING)
    drawn = weighted_draws(given.prior, q, noise, n_draws)
    return log_mean_exp(log_prob_of_observed(given.likelihood(z), y) + log_w for z, log_w in drawn)


def _chosen(
    given: Conditional,
    y: Tensor,
    q: Distribution,
    blocks: Iterator[Tensor],
    n_candidates: int,
    noise: Generator,
) -> Tensor:
    """Resample z of each draw among candidates, some of the prior, by p(y_o|x,z) p(z|x)."""
    chosen = None
    for (z,), (log_w,) in weighted_draws(given.prior, q, blocks, n_candidates):
        log_w = log_w + log_prob_of_observed(given.likelihood(z), y)
        log_w = log_w - _exponential(log_w, noise).log()  # the Gumbel-max trick
        best, largest = chosen or (z, log_w)
        chosen = _where(log_w > largest, z, best), torch.maximum(log_w, largest)
    return chosen[0]


def _log_ratio(prior: Distribution, q: Distribution, z: Tensor) -> Tensor:
    return prior.log_prob(z) - q.log_prob(z)


def _exponential(like: Tensor, noise: Generator) -> Tensor:
    return torch.empty(like.shape).exponential_(generator=noise).to(like)


def _where(chosen: Tensor, z: Tensor, other: Tensor) -> Tensor:
    return z.where(chosen.reshape(*chosen.shape, *[1] * (z.ndim - 2)), other)


def _filled(y: Tensor, values: Tensor) -> Tensor:
    return values.to(y.dtype).where(y.isnan(), y)
