r"""The objective of the Gaussian stochastic neural network (paper, section 4.2).

.. math::

    \mathcal L_{\mathrm{GSNN}} = \tfrac1L \sum_l \log p(y|x,z_l), \quad z_l \sim p(z|x)

It is the CVAE's with q := p, the mean of logarithms, not the logarithm of the mean.
"""

from torch import Tensor

from skcvae.distributions import reparameterize
from skcvae.model import Conditional, Model
from skcvae.objectives.base import Bound, Objective


class GSNN(Objective):
    """The mean of log p(y|x,z) over draws from the prior; no recognition network.

    References
    ----------
    Sohn, Lee and Yan (2015), *Learning Structured Output Representation using Deep
    Conditional Generative Models*, NIPS, section 4.2.

    Examples
    --------
    >>> from skcvae.objectives import GSNN
    >>> GSNN().uses_recognition
    False
    """

    uses_recognition = False
    weighs_kl = False
    draws_from_prior = True

    def bound(
        self, model: Model, given: Conditional, x: Tensor | None, y: Tensor, noise: Tensor
    ) -> Bound:
        z = reparameterize(given.prior, noise)
        reconstruction = given.likelihood(z).log_prob(y).mean(0)
        return Bound(reconstruction, reconstruction.new_zeros(reconstruction.shape))
