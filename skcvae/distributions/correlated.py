"""Gaussians of z with correlations, as the posterior of a y with missing outputs has."""

import torch
from torch import Tensor
from torch.distributions import Distribution, Independent, Normal, register_kl

from skcvae.distributions.latent import LOG_ROOT_2_PI, detached, reparameterize, rescaled


class CorrelatedGaussian(Distribution):
    r"""A Gaussian, :math:`z = \mu + L \epsilon`.

    torch's reshapes values several times for its log density; this takes one solve.

    Parameters
    ----------
    loc : Tensor of shape (..., n_latents)
        Means.
    scale_tril : Tensor of shape (..., n_latents, n_latents)
        Lower triangular :math:`L` with a positive diagonal.
    """

    arg_constraints: dict = {}
    has_rsample = True

    def __init__(self, loc: Tensor, scale_tril: Tensor):
        self.loc, self.scale_tril = loc, scale_tril
        super().__init__(loc.shape[:-1], loc.shape[-1:], validate_args=False)

    @property
    def mean(self) -> Tensor:
        return self.loc

    @property
    def variance(self) -> Tensor:
        return self.scale_tril.square().sum(-1)

    @property
    def half_log_det(self) -> Tensor:
        """Half the logarithm of the determinant of the covariance."""
        return self.scale_tril.diagonal(dim1=-2, dim2=-1).log().sum(-1)

    def log_prob(self, value: Tensor) -> Tensor:
        deviation = (value - self.loc)[..., None]
        noise = torch.linalg.solve_triangular(self.scale_tril, deviation, upper=False)
        constant = self.event_shape[0] * LOG_ROOT_2_PI + self.half_log_det
        return -0.5 * noise.squeeze(-1).square().sum(-1) - constant

    def rsample(self, sample_shape: tuple[int, ...] = ()) -> Tensor:
        shape = self._extended_shape(sample_shape)
        return reparameterize(self, torch.randn(shape).to(self.loc))


@reparameterize.register
def _(distribution: CorrelatedGaussian, noise: Tensor) -> Tensor:
    noise = noise[..., : distribution.event_shape[0]]
    return distribution.loc + (distribution.scale_tril @ noise[..., None]).squeeze(-1)


@detached.register
def _(distribution: CorrelatedGaussian) -> CorrelatedGaussian:
    return CorrelatedGaussian(distribution.loc.detach(), distribution.scale_tril.detach())


@rescaled.register
def _(distribution: CorrelatedGaussian, factor: Tensor) -> CorrelatedGaussian:
    return CorrelatedGaussian(distribution.loc, factor[..., None] * distribution.scale_tril)


@register_kl(CorrelatedGaussian, Independent)
def _(q: CorrelatedGaussian, p: Independent) -> Tensor:
    if not isinstance(p.base_dist, Normal):
        raise NotImplementedError  # torch's word for no closed form
    deviation = (q.loc - p.mean).square() + q.variance
    terms = deviation / p.variance - 1 + p.variance.log()
    return terms.sum(-1) / 2 - q.half_log_det
