r"""A Gaussian near p(z|x,y_o), from a linear approximation of E[y|x,z].

.. math:: E[y|x,z] \approx a + B z, \quad
    p(z|x,y_o) \approx N(m, \Lambda^{-1}), \quad
    \Lambda = S^{-1} + B_o^\top \psi_o^{-1} B_o

Here B is fitted to draws of the prior, which has the variances S; :math:`\psi` has the variances
of y given z, and what is not linear. As a proposal it is exact in a linear-Gaussian model, and
without it narrow noise would leave few draws of the prior near the y that are observed.
"""

import torch
from torch import Tensor
from torch.distributions import Distribution, Independent, MixtureSameFamily, MultivariateNormal

from skcvae.distributions import CorrelatedGaussian, Product, is_gaussian, reparameterize
from skcvae.inference.conditional_likelihood import double
from skcvae.inference.partial import Marginalised
from skcvae.model import Conditional

MOST_LATENTS, MOST_OUTPUTS = 32, 256  # of which more would take longer than the alternation
DRAWS_PER_LATENT = 8
WITH_MOMENTS = Independent | Product | MixtureSameFamily | MultivariateNormal | Marginalised
SMALLEST = 1e-8  # variance, which float32 does not resolve


def linearised(given: Conditional, y: Tensor, noise: Tensor) -> Distribution:
    """Return a proposal for z given what is observed of y.

    Parameters
    ----------
    given : Conditional
        A model with latent variables, given x.
    y : Tensor of shape (n, n_outputs)
        Outputs, NaN where missing.
    noise : Tensor of shape (n_draws, n, n_latents)
        Standard normal numbers.

    Returns
    -------
    Distribution
        With batch shape (n,). The prior where z or y are large, or where p(y|x,z) is of a kind
        whose moments take long.
    """
    z = reparameterize(given.prior, noise)
    if z.shape[-1] > MOST_LATENTS or y.shape[-1] > MOST_OUTPUTS:
        return given.prior
    p = given.likelihood(z)
    if not isinstance(p, WITH_MOMENTS):
        return given.prior
    mean, variance = (double(part.flatten(2)) for part in (p.mean, p.variance))
    z, centre = double(z), mean.mean(0)
    loc, scale = z.mean(0), z.std(0)
    deviation, shift = (z - loc).transpose(0, 1), (mean - centre).transpose(0, 1)
    B = torch.linalg.solve(deviation.mT @ deviation, deviation.mT @ shift)
    psi = variance.mean(0) + (shift - deviation @ B).square().mean(1)
    if is_gaussian(given.prior):
        before, (loc, scale) = loc, (double(given.prior.mean), double(given.prior.stddev))
        centre = centre + ((loc - before)[:, None] @ B).squeeze(1)
    observed = double(y) - centre
    weight = (1 / psi.clamp_min(SMALLEST)).nan_to_num().where(~observed.isnan(), 0.0)
    precision = B * weight[:, None] @ B.mT + scale.square().reciprocal().diag_embed()
    factor = torch.linalg.cholesky(precision)
    told = B @ (weight * observed.nan_to_num())[..., None]
    moved = torch.cholesky_solve(told, factor).squeeze(-1)
    tril = torch.linalg.cholesky(torch.cholesky_inverse(factor))
    return CorrelatedGaussian((loc + moved).to(y), tril.to(y))
