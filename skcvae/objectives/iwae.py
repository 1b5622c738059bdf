r"""The importance-weighted bound (Burda, Grosse and Salakhutdinov, 2016).

.. math::

    \mathcal L_{\mathrm{IWAE}} = \log \tfrac1L \sum_l
        \frac{p(y|x,z_l) \, p(z_l|x)}{q(z_l|x,y)}, \quad z_l \sim q(z|x,y),

which is the CVAE's with L = 1 and log p(y|x) in the limit.
"""

import math

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
        q = model.recognition(x, y)
        z = reparameterize(q, noise)
        # The gradient leaves out q's own density, the share of the score function.
        log_w = given.likelihood(z).log_prob(y) + given.prior.log_prob(z)
        log_w = log_w - detached(q).log_prob(z)
        if z.requires_grad:
            _weight_gradient(z, log_w.detach().softmax(0))
        value = log_w.logsumexp(0) - math.log(len(log_w))
        bound = Bound(value, divergence(q, given.prior, z).detach())
        return bound._replace(reconstruction=value + bound.total_kl)


def _weight_gradient(z: Tensor, weight: Tensor) -> None:
    """Multiply the gradient of z by a weight for each draw."""
    weight = weight.reshape(*weight.shape, *[1] * (z.ndim - 2)).to(z.dtype)
    z.register_hook(lambda gradient: gradient * weight)
