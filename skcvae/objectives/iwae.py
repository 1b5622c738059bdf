r"""The importance-weighted bound (Burda, Grosse and Salakhutdinov, 2016).

.. math::

    \mathcal L_{\mathrm{IWAE}} = \log \tfrac1L \sum_l
        \frac{p(y|x,z_l) \, p(z_l|x)}{q(z_l|x,y)}, \quad z_l \sim q(z|x,y),

which is the CVAE's with L = 1 and log p(y|x) in the limit.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from skcvae.distributions import detached, divergence, reparameterize
from skcvae.model import Conditional, Model
from skcvae.objectives.base import Bound, Objective


class IWAE(Objective):
    r"""The importance-weighted bound of log p(y|x), tighter with more draws.

    Weights of p(y|x,z) and p(z|x) get the gradient of the bound; those of the
    recognition network the doubly reparameterised one, :math:`\sum_l \tilde w_l^2 \,
    \nabla_{z_l} \log w_l \, \nabla_\phi z_l` with normalised weights
    :math:`\tilde w`, which has the same expectation and whose variance vanishes as
    q approaches the posterior. The recognition network must share no weights with the
    others.

    The KL term is that of :class:`ELBO`, for the history, and the reconstruction is the
    bound minus it; gradients flow through their difference alone, so the KL term must
    have weight one.

    References
    ----------
    Burda, Grosse and Salakhutdinov (2016), *Importance Weighted Autoencoders*,
    ICLR, equation 8.

    Tucker, Lawson, Gu and Maddison (2019), *Doubly Reparameterized Gradient
    Estimators for Monte Carlo Objectives*, ICLR, equation 8.

    Examples
    --------
    >>> from skcvae import CVAERegressor
    >>> CVAERegressor(objective="iwae", n_train_samples=5)
    CVAERegressor(n_train_samples=5, objective='iwae')
    """

    weighs_kl = False

    def bound(
        self, model: Model, given: Conditional, x: Tensor | None, y: Tensor, noise: Tensor
    ) -> Bound:
        q, weights = model.recognition(x, y), _Weights()
        z = _WeightedGradient.apply(reparameterize(q, noise), weights)
        # The gradient leaves out q's own density, the share of the score function.
        log_w = given.likelihood(z).log_prob(y) + given.prior.log_prob(z)
        log_w = log_w - detached(q).log_prob(z)
        _Kept.apply(log_w.detach().softmax(0), weights)
        value = log_w.logsumexp(0) - math.log(len(log_w))
        bound = Bound(value, divergence(q, given.prior, z).detach())
        return bound._replace(reconstruction=value + bound.total_kl)


@dataclass(eq=False)
class _Weights:
    """Normalised weights of draws, of shape (..., L, n), which are known after the draws."""

    value: Tensor | None = None


class _WeightedGradient(torch.autograd.Function):
    """The identity, whose gradient is multiplied by weights that follow from its result.

    In a stack of members gradients are taken outside of :func:`torch.vmap`, and so the weights
    must be those of all members: :class:`_Kept`.
    """

    @staticmethod
    def forward(z: Tensor, weights: _Weights) -> Tensor:
        """Return z, of shape (L, n, *latent_shape)."""
        return z.view_as(z)

    @staticmethod
    def setup_context(ctx, inputs, output) -> None:
        """Keep where the weights will be."""
        ctx.weights = inputs[1]

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:
        """Return the gradient times the weights."""
        weight = ctx.weights.value.to(gradient.dtype)
        return gradient * weight.reshape(*weight.shape, *[1] * (gradient.ndim - weight.ndim)), None

    @staticmethod
    def vmap(info, in_dims, z: Tensor, weights: _Weights) -> tuple[Tensor, int]:
        """Return z of all members, which have the first axis."""
        return _WeightedGradient.apply(z.movedim(in_dims[0], 0), weights), 0


class _Kept(torch.autograd.Function):
    """Keep weights, in a stack those of all members at once."""

    @staticmethod
    def forward(value: Tensor, weights: _Weights) -> Tensor:
        """Return the weights, of shape (L, n)."""
        weights.value = value
        return value.view_as(value)

    @staticmethod
    def setup_context(ctx, inputs, output) -> None:
        """Keep nothing: there is no backward pass."""

    @staticmethod
    def vmap(info, in_dims, value: Tensor, weights: _Weights) -> tuple[Tensor, int]:
        """Return the weights of all members, which have the first axis."""
        return _Kept.apply(value.movedim(in_dims[0], 0), weights), 0
