r"""The Monte Carlo log-likelihood (paper, equation 7), as an objective.

.. math::

    \mathcal L_{\mathrm{MC}} = \log \tfrac1L \sum_l p(y|x,z_l), \quad z_l \sim p(z|x),

the logarithm of the mean, where the GSNN's is the mean of logarithms. By Jensen's inequality it
is not below the GSNN's, equal to it for L = 1, and log p(y|x) in the limit.
"""

import math

from torch import Tensor

from skcvae.distributions import reparameterize
from skcvae.model import Conditional, Model
from skcvae.objectives.base import Bound, Objective


class MonteCarloLikelihood(Objective):
    r"""The log of the mean of p(y|x,z) over draws from the prior; no recognition network.

    A draw has a share of the gradient in proportion to its p(y|x,z), so that a few draws can
    explain y and the others may differ, whereas the GSNN asks every draw to explain every y.
    It needs several draws, `n_train_samples` of 10 to 50: with one it is :class:`GSNN`.

    References
    ----------
    Sohn, Lee and Yan (2015), *Learning Structured Output Representation using Deep
    Conditional Generative Models*, NIPS, equation 7.

    Monteiro et al. (2020), *Stochastic Segmentation Networks: Modelling Spatially Correlated
    Aleatoric Uncertainty*, NeurIPS, equation 4.

    Examples
    --------
    >>> from skcvae import CVAERegressor
    >>> CVAERegressor(objective="monte_carlo", n_train_samples=20)
    CVAERegressor(n_train_samples=20, objective='monte_carlo')
    """

    uses_recognition = False
    draws_from_prior = True
    weighs_kl = False

    def bound(
        self, model: Model, given: Conditional, x: Tensor | None, y: Tensor, noise: Tensor
    ) -> Bound:
        log_p = given.likelihood(reparameterize(given.prior, noise)).log_prob(y)
        value = log_p.logsumexp(0) - math.log(len(log_p))
        return Bound(value, value.new_zeros(value.shape))
