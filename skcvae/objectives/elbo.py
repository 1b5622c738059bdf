r"""The variational lower bound of the conditional VAE (paper, section 4.1).

.. math::

    \mathcal L_{\mathrm{CVAE}} = -KL(q(z|x,y) \,\|\, p(z|x))
        + \tfrac1L \sum_l \log p(y|x,z_l), \quad z_l \sim q(z|x,y)

The KL term of a mixture or a flow as the prior is estimated with the same draws of z.
"""

from torch import Tensor

from skcvae.distributions import divergence, reparameterize
from skcvae.model import Conditional, Model
from skcvae.objectives.base import Bound, Objective


class ELBO(Objective):
    """The variational lower bound of log p(y|x).

    References
    ----------
    Sohn, Lee and Yan (2015), *Learning Structured Output Representation using Deep
    Conditional Generative Models*, NIPS, section 4.1.

    Examples
    --------
    >>> from skcvae import CVAERegressor
    >>> from skcvae.objectives import ELBO
    >>> CVAERegressor(objective=ELBO(), n_train_samples=5)
    CVAERegressor(n_train_samples=5, objective=ELBO())
    """

    def bound(
        self, model: Model, given: Conditional, x: Tensor | None, y: Tensor, noise: Tensor
    ) -> Bound:
        q = model.recognition(x, y)
        z = reparameterize(q, noise)
        reconstruction = given.likelihood(z).log_prob(y).mean(0)
        return Bound(reconstruction, divergence(q, given.prior, z))
