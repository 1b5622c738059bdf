r"""A Gaussian near p(z|x,y_o), from a linear approximation of E[y|x,z].

.. math:: E[y|x,z] \approx a + B z, \quad
    p(z|x,y_o) \approx N(m, \Lambda^{-1}), \quad
    \Lambda = S^{-1} + B_o^\top \psi_o^{-1} B_o

Here B is fitted to draws of the prior, which has the variances S; :math:`\psi` has the variances
of y given z, and what is not linear. As a proposal it is exact in a linear-Gaussian model, and
without it narrow noise would leave few draws of the prior near the y that are observed.
"""

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.distributions import Distribution, Independent, MixtureSameFamily, MultivariateNormal
from torch.nn.functional import pad

from skcvae.distributions import CorrelatedGaussian, Product, is_gaussian, reparameterize
from skcvae.inference.conditional_likelihood import double
from skcvae.inference.partial import Marginalised
from skcvae.model import Conditional

MOST_LATENTS, MOST_OUTPUTS = 32, 256  # of which more would take longer than the alternation
DRAWS_PER_LATENT = 8
WITH_MOMENTS = Independent | Product | MixtureSameFamily | MultivariateNormal | Marginalised
SMALLEST = 1e-8  # variance, which float32 does not resolve


def linearised(given: Conditional, y: Tensor, noise: Iterable[Tensor]) -> Distribution:
    """Return a proposal for z given what is observed of y.

    Parameters
    ----------
    given : Conditional
        A model with latent variables, given x.
    y : Tensor of shape (n, n_outputs)
        Outputs, NaN where missing.
    noise : iterable of Tensors of shape (n_draws, n, n_latents)
        Standard normal numbers in blocks of draws, which are processed one at a time; some more
        draws than latent variables in all.

    Returns
    -------
    Distribution
        With batch shape (n,). The prior where z or y are large, or where p(y|x,z) is of a kind
        whose moments take long.
    """
    if given.prior.event_shape[-1] > MOST_LATENTS or y.shape[-1] > MOST_OUTPUTS:
        return given.prior
    sums: list[Tensor] = []
    for eps in noise:
        z = reparameterize(given.prior, eps)
        p = given.likelihood(z)
        if not isinstance(p, WITH_MOMENTS):
            return given.prior
        terms = _sums(double(z), *(double(part.flatten(2)) for part in (p.mean, p.variance)))
        sums = [sum(pair) for pair in zip(sums or [0] * len(terms), terms, strict=True)]
    return _gaussian(given.prior, y, *sums)


def _sums(z: Tensor, mean: Tensor, variance: Tensor) -> list[Tensor]:
    """Return what least squares needs, from draws of z, and the means and variances of y."""
    z, mean = pad(z, (1, 0), value=1.0).transpose(0, 1), mean.transpose(0, 1)
    return [z.mT @ z, z.mT @ mean, mean.square().sum(1), variance.sum(0)]


def _gaussian(prior: Distribution, y: Tensor, gram, cross, squares, variances) -> Distribution:
    coef, n_draws = torch.linalg.solve(gram, cross), gram[0, 0, 0]
    intercept, B = coef[:, 0], coef[:, 1:]  # (n, n_outputs), (n, n_latents, n_outputs)
    not_linear = (squares - (coef * cross).sum(1)).clamp_min(0)
    psi = ((variances + not_linear) / n_draws).clamp_min(SMALLEST)
    loc = gram[:, 0, 1:] / n_draws
    variance = gram.diagonal(dim1=-2, dim2=-1)[:, 1:] / n_draws - loc.square()
    if is_gaussian(prior):
        loc, variance = double(prior.mean), double(prior.variance)
    observed = double(y) - intercept - (loc[:, None] @ B).squeeze(1)
    weight = psi.reciprocal().nan_to_num().where(~observed.isnan(), 0.0)
    precision = B * weight[:, None] @ B.mT + variance.reciprocal().diag_embed()
    factor = torch.linalg.cholesky(precision)
    told = B @ (weight * observed.nan_to_num())[..., None]
    moved = torch.cholesky_solve(told, factor).squeeze(-1)
    tril = torch.linalg.cholesky(torch.cholesky_inverse(factor))
    return CorrelatedGaussian((loc + moved).to(y), tril.to(y))
