r"""Partial observation: what is not known of y, given x and the rest of y.

With a recognition network the paper alternates

.. math::

    y_u \sim p(y_u \mid x, z, y_o), \qquad z \sim q(z \mid x, y_o, y_u),

from a first z of the prior, or of q(z|x,y_o) where the recognition network was
trained with missing y. This is Gibbs sampling as far as q is the posterior.
Without one, draws of the prior are chosen between by how well they explain what
is known, :math:`p(y_o \mid x, z)`. Where outputs are independent given z, as they are in
the paper, y_u depends on y_o through z alone; other likelihoods are conditioned on y_o.

Throughout, NaN in y stands for what is not known.
"""

from collections.abc import Iterator

import torch
from torch import Generator, Tensor
from torch.distributions import Distribution

from skcvae.random import drawing_from
from skcvae.distributions import reparameterize
from skcvae.model import Conditional, Model
from skcvae.inference.partial import given_observed, log_prob_of_observed


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
    """Return joint completions of y.

    Parameters
    ----------
    model : Model
        With or without latent variables.
    x : Tensor of shape (n, ...)
        Inputs.
    y : Tensor of shape (n, ...)
        Outputs, NaN where not known.
    n_draws : int
        Completions per row, independent of each other.
    n_steps : int
        How often z is drawn anew, or from how many draws of the prior each z is
        chosen.
    noise : Generator
        Where z comes from, on the CPU.
    outputs : Generator
        Where y given z comes from, on the device of `x`.
    observation_noise : bool
        False ends in E[y|x,z].

    Returns
    -------
    Tensor of shape (n_draws, n, ...)
        What is known is as it was.
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
    """Return draws of z from among candidates by p(y_o|x,z): importance resampling."""
    z = next(candidates)
    best = _perturbed(given, y, z, noise)
    for other in candidates:
        log_w = _perturbed(given, y, other, noise)
        better = log_w > best
        best = best.where(~better, log_w)
        z = z.where(~better.reshape(*better.shape, *[1] * (z.ndim - 2)), other)
    return z


def _perturbed(given: Conditional, y: Tensor, z: Tensor, noise: Generator) -> Tensor:
    """Return log weights plus Gumbel noise: the largest is a draw from among them."""
    log_w = log_prob_of_observed(given.likelihood(z), y)
    return log_w - torch.empty(log_w.shape).exponential_(generator=noise).log().to(y)


def _filled(y: Tensor, values: Tensor) -> Tensor:
    return values.to(y.dtype).where(y.isnan(), y)
