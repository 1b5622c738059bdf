r"""What training maximises, one value per example (paper, sections 4.1 and 4.2).

.. math::

    \mathcal L_{\mathrm{CVAE}} &= -(1 + \beta) \, KL(q(z|x,y) \,\|\, p(z|x))
        + \tfrac1L \sum_l \log p(y|x,z_l), \quad z_l \sim q(z|x,y)

    \mathcal L_{\mathrm{GSNN}} &= \tfrac1L \sum_l \log p(y|x,z_l),
        \quad z_l \sim p(z|x)

    \mathcal L_{\mathrm{hybrid}} &= \alpha \, \mathcal L_{\mathrm{CVAE}}
        + (1 - \alpha) \, \mathcal L_{\mathrm{GSNN}}

and, beside the paper's, the bound of many draws at once (Burda, Grosse and
Salakhutdinov, 2016),

.. math::

    \mathcal L_{\mathrm{IWAE}} = \log \tfrac1L \sum_l
        \frac{p(y|x,z_l) \, p(z_l|x)}{q(z_l|x,y)}, \quad z_l \sim q(z|x,y),

which is the first with L = 1 and log p(y|x) in the limit.

An objective returns the two terms apart, as a :class:`Bound`, so that a history
can show both; :class:`NegativeBound` weights the KL term and takes the mean. The KL
of a mixture or a flow as the prior is estimated with the same draws of z.
"""

import math
from abc import abstractmethod
from typing import NamedTuple

from torch import Tensor, nn

from skcvae.distributions import detached, divergence, reparameterize
from skcvae.model import Conditional, Model


class Bound(NamedTuple):
    """The two terms of an objective, nats per example.

    Parameters
    ----------
    reconstruction : Tensor of shape (n,)
        The mean of log p(y|x,z) over the draws.
    kl : Tensor of shape (n,)
        KL(q(z|x,y) || p(z|x)), zero where there is no recognition network. Where it
        is estimated from draws it may be negative.
    """

    reconstruction: Tensor
    kl: Tensor


class Objective(nn.Module):
    """What the objectives share: a model, and a switch to training that costs nothing.

    Parameters
    ----------
    model : Model
        What is trained.
    n_draws : int
        How much noise `forward` wants for each example.
    """

    def __init__(self, model: Model, n_draws: int):
        super().__init__()
        self.model = model
        self.n_draws = n_draws

    def forward(self, x: Tensor, y: Tensor, noise: Tensor) -> Bound:
        return self.bound(self.model.condition(x), x, y, noise)

    @abstractmethod
    def bound(self, given: Conditional, x: Tensor, y: Tensor, noise: Tensor) -> Bound:
        """Return the objective of each example.

        Parameters
        ----------
        given : Conditional
            The model given x.
        x : Tensor of shape (n, ...)
            Inputs.
        y : Tensor of shape (n, ...)
            Outputs.
        noise : Tensor of shape (n_draws, n, ...)
            Standard normal numbers.

        Returns
        -------
        Bound
            The two terms.
        """

    def train(self, mode: bool = True) -> "Objective":
        """Switch only if there is something to switch: skorch asks before each batch.

        Parameters
        ----------
        mode : bool, default=True
            Whether to train.

        Returns
        -------
        Objective
            Itself.
        """
        return self if self.training == mode else super().train(mode)


class CVAE(Objective):
    """The variational lower bound of log p(y|x).

    Parameters
    ----------
    model : Model
        With a recognition network.
    n_draws : int
        Draws L per example.
    """

    def bound(self, given: Conditional, x: Tensor, y: Tensor, noise: Tensor) -> Bound:
        return _cvae(self.model, given, x, y, noise)


class IWAE(Objective):
    r"""The importance-weighted bound of log p(y|x), nearer to it the more draws.

    Weights of p(y|x,z) and p(z|x) get the gradient of the bound; those of the
    recognition network the doubly reparameterised one, :math:`\sum_l \tilde w_l^2 \,
    \nabla_{z_l} \log w_l \, \nabla_\phi z_l` with normalised weights
    :math:`\tilde w`, which has the same expectation and whose variance vanishes as
    q approaches the posterior.

    The KL term is that of the :class:`CVAE`, for the history, and the
    reconstruction is what it leaves of the bound; gradients flow through their
    difference alone, so the KL term must count once.

    Parameters
    ----------
    model : Model
        With a recognition network that shares no weights with the others.
    n_draws : int
        Draws L per example.

    References
    ----------
    Burda, Grosse and Salakhutdinov (2016), *Importance Weighted Autoencoders*,
    ICLR, equation 8.

    Tucker, Lawson, Gu and Maddison (2019), *Doubly Reparameterized Gradient
    Estimators for Monte Carlo Objectives*, ICLR, equation 8.
    """

    def bound(self, given: Conditional, x: Tensor, y: Tensor, noise: Tensor) -> Bound:
        q = self.model.recognition(x, y)
        z = reparameterize(q, noise)
        # q's own density is left out of its gradient: the score function's share.
        log_w = given.likelihood(z).log_prob(y) + given.prior.log_prob(z)
        log_w = log_w - detached(q).log_prob(z)
        if z.requires_grad:
            _weigh_gradient(z, log_w.detach().softmax(0))
        value = log_w.logsumexp(0) - math.log(len(log_w))
        kl = divergence(q, given.prior, z).detach()
        return Bound(value + kl, kl)


class GSNN(Objective):
    """The Gaussian stochastic neural network: q := p, the mean of logs.

    Parameters
    ----------
    model : Model
        Its recognition network, if any, is not used.
    n_draws : int
        Draws L per example.
    """

    def bound(self, given: Conditional, x: Tensor, y: Tensor, noise: Tensor) -> Bound:
        return _gsnn(given, y, noise)


class Hybrid(Objective):
    """The weighted sum of the CVAE's and the GSNN's objective, L draws for each.

    Parameters
    ----------
    model : Model
        With a recognition network.
    n_draws : int
        Draws for both, 2L per example.
    alpha : float
        The weight of the CVAE's objective, strictly between 0 and 1.
    """

    def __init__(self, model: Model, n_draws: int, alpha: float):
        super().__init__(model, n_draws)
        self.alpha = alpha

    def bound(self, given: Conditional, x: Tensor, y: Tensor, noise: Tensor) -> Bound:
        from_posterior, from_prior = noise.chunk(2)
        cvae = _cvae(self.model, given, x, y, from_posterior)
        gsnn = _gsnn(given, y, from_prior)
        return Bound(
            self.alpha * cvae.reconstruction + (1 - self.alpha) * gsnn.reconstruction,
            self.alpha * cvae.kl,
        )


class Deterministic(Objective):
    """The log-likelihood of the baseline network, exact: no z, no draws.

    Parameters
    ----------
    model : Model
        Without latent variables.
    """

    def __init__(self, model: Model):
        super().__init__(model, n_draws=0)

    def bound(self, given: Conditional, x: Tensor, y: Tensor, noise: Tensor) -> Bound:
        del x, noise
        log_p = given.likelihood().log_prob(y)
        return Bound(log_p, log_p.new_zeros(log_p.shape))


class NegativeBound:
    r"""The loss: minus the weighted mean of an objective.

    Parameters
    ----------
    beta : float, default=0.0
        The KL term counts :math:`1 + \beta` times.
    warmup : int, default=0
        Number of first epochs over which the weight of the KL term grows
        linearly to its value. 0 is the paper's setting.
    """

    def __init__(self, beta: float = 0.0, warmup: int = 0):
        self.beta = beta
        self.warmup = warmup
        self.epoch = warmup

    @property
    def kl_weight(self) -> float:
        """What the KL term counts in the present epoch."""
        progress = min((self.epoch + 1) / (self.warmup + 1), 1.0)
        return (1 + self.beta) * progress

    def __call__(self, bound: Bound, weight: Tensor | None = None) -> Tensor:
        value = bound.reconstruction - self.kl_weight * bound.kl
        return -(value if weight is None else value * weight).mean()


def _cvae(model: Model, given: Conditional, x: Tensor, y: Tensor, noise: Tensor) -> Bound:
    q = model.recognition(x, y)
    z = reparameterize(q, noise)
    reconstruction = given.likelihood(z).log_prob(y).mean(0)
    return Bound(reconstruction, divergence(q, given.prior, z))


def _weigh_gradient(z: Tensor, weight: Tensor) -> None:
    """Multiply what flows back into z by a weight for each draw."""
    weight = weight.reshape(*weight.shape, *[1] * (z.ndim - 2))
    z.register_hook(lambda gradient: gradient * weight)


def _gsnn(given: Conditional, y: Tensor, noise: Tensor) -> Bound:
    z = reparameterize(given.prior, noise)
    reconstruction = given.likelihood(z).log_prob(y).mean(0)
    return Bound(reconstruction, reconstruction.new_zeros(reconstruction.shape))
