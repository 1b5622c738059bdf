r"""Sample the missing entries of y given X and the observed ones.

With a recognition network the paper alternates

.. math::

    y_u \sim p(y_u \mid x, z, y_o), \qquad z \sim q(z \mid x, y_o, y_u),

starting from a z drawn from the prior, or from q(z|x,y_o) if the recognition network was
trained with missing y. This is Gibbs sampling to the extent that q is the posterior.
Without a recognition network, z is resampled among draws from the prior with weights
:math:`p(y_o \mid x, z)`. If outputs are independent given z, as in the paper, y_u depends
on y_o only through z; other likelihoods are conditioned on y_o.

Missing entries of y are NaN.
"""

from collections.abc import Iterator

import torch
from torch import Generator, Tensor
from torch.distributions import Distribution

from skcvae._random import drawing_from
from skcvae.distributions import reparameterize
from skcvae.model import Conditional, Model
from skcvae.partial import given_observed, log_prob_of_observed


def complete(
    model: Model,
    x: Tensor,
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
    x : Tensor of shape (n, ...)
        Inputs.
    y : Tensor of shape (n, ...)
        Outputs; missing entries are NaN.
    n_draws : int
        Completions per row, independent of each other.
    n_steps : int
        Number of Gibbs steps, or of draws from the prior among which z is resampled.
    noise : Generator
        Random generator of z, on the CPU.
    outputs : Generator
        Random generator of y given z, on the device of `x`.
    observation_noise : bool
        If False, the last step takes E[y|x,z] instead of a draw of y.

    Returns
    -------
    Tensor of shape (n_draws, n, ...)
        Completions; observed entries are unchanged.
    """
    given = model.condition(x)

    def draw_z(p: Distribution) -> Tensor:
        shape = (n_draws, len(x), *model.noise_shape)
        return reparameterize(p, torch.randn(shape, generator=noise).to(x))

    def draw_y(p: Distribution) -> Tensor:
        with drawing_from(outputs):
            return p.sample()

    if given.prior is None:
        p = given.likelihood().expand((n_draws, len(x)))
    elif model.recognition is None:
        candidates = (draw_z(given.prior) for _ in range(n_steps))
        p = given.likelihood(_chosen(given, y, candidates, noise))
    else:
        z = draw_z(model.recognition(x, y) if model.recognition.partial else given.prior)
        for _ in range(n_steps):
            p = given_observed(given.likelihood(z), y)
            z = draw_z(model.recognition(x, _filled(y, draw_y(p))))
        p = given.likelihood(z)
    p = given_observed(p, y)
    return _filled(y, draw_y(p) if observation_noise else p.mean)


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
