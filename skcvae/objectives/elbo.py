r"""The variational lower bound of the conditional VAE (paper, section 4.1).

.. math::

    \mathcal L_{\mathrm{CVAE}} = -KL(q(z|x,y) \,\|\, p(z|x))
        + \tfrac1L \sum_l \log p(y|x,z_l), \quad z_l \sim q(z|x,y)

The KL term of a mixture or a flow as the prior is estimated with the same draws of z.
With several latent scales it is a sum of one term for each.
"""

from numbers import Real

import torch
from sklearn.utils._param_validation import Interval
from torch import Tensor

from skcvae.distributions import divergence, reparameterize
from skcvae.model import Conditional, Model
from skcvae.objectives.base import Bound, Objective


class ELBO(Objective):
    r"""The variational lower bound of log p(y|x).

    Parameters
    ----------
    free_nats : float, default=0.0
        Nats :math:`\lambda` of the KL term, or of each of its terms at several latent scales,
        that cost nothing: gradients are those of :math:`\max(\lambda, KL)` with the mean over a
        batch, known as free bits, so that no scale is left unused from the start. Losses and
        the history have the KL term itself.

    References
    ----------
    Sohn, Lee and Yan (2015), *Learning Structured Output Representation using Deep
    Conditional Generative Models*, NIPS, section 4.1.

    Kingma, Salimans, Jozefowicz, Chen, Sutskever and Welling (2016), *Improving Variational
    Inference with Inverse Autoregressive Flow*, NIPS, appendix C.8, for free bits.

    Examples
    --------
    >>> from skcvae import CVAERegressor
    >>> from skcvae.objectives import ELBO
    >>> CVAERegressor(objective=ELBO(), n_train_samples=5)
    CVAERegressor(n_train_samples=5, objective=ELBO())
    """

    _parameter_constraints = {"free_nats": [Interval(Real, 0, None, closed="left")]}

    def __init__(self, free_nats=0.0):
        self.free_nats = free_nats

    def bound(
        self, model: Model, given: Conditional, x: Tensor | None, y: Tensor, noise: Tensor
    ) -> Bound:
        q = model.recognition(x, y)
        z = reparameterize(q, noise)
        reconstruction = given.likelihood(z).log_prob(y).mean(0)
        kl = divergence(q, given.prior, z)
        if self.free_nats:
            kl = torch.where(kl.mean(0) > self.free_nats, kl, kl.detach())
        return Bound(reconstruction, kl)
