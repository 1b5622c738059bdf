r"""Gaussian priors: conditional on x, or standard normal (the paper's relaxed prior)."""

from numbers import Real

import torch
from sklearn.utils._param_validation import Interval
from torch import Tensor, nn
from torch.distributions import Distribution

from skcvae.distributions import MIN_SCALE, DiagonalGaussian, diagonal_normal
from skcvae.priors.base import Prior


class Gaussian(Prior):
    r"""The paper's conditional prior, :math:`p(z \mid x) = N(\mu(x), \mathrm{diag}(\sigma^2(x)))`.

    Parameters
    ----------
    min_scale : float, default=0.001
        Lower bound on every scale of the prior and of the recognition network.

    References
    ----------
    Sohn, Lee and Yan (2015), *Learning Structured Output Representation using
    Deep Conditional Generative Models*, NIPS, section 4.1.

    Examples
    --------
    >>> from skcvae.priors import Gaussian
    >>> Gaussian().build((3,)).parameter_shape
    (2, 3)
    """

    _parameter_constraints = {"min_scale": [Interval(Real, 0, None, closed="neither")]}

    def __init__(self, min_scale=MIN_SCALE):
        self.min_scale = min_scale

    def build(self, latent_shape: tuple[int, ...]) -> nn.Module:
        self._validate_params()
        return DiagonalGaussian(latent_shape, self.min_scale)


class Standard(Prior):
    r"""The relaxed prior, :math:`p(z \mid x) = N(0, I)`, the same for every x.

    References
    ----------
    Sohn, Lee and Yan (2015), section 4.1: the latent variables may be made
    statistically independent of the input.

    Examples
    --------
    >>> from skcvae.priors import Standard
    >>> Standard().build((3,)).parameter_shape is None
    True
    """

    _parameter_constraints = {}

    def build(self, latent_shape: tuple[int, ...]) -> nn.Module:
        return StandardNormal(latent_shape)


class StandardNormal(nn.Module):
    """N(0, I) for every row of x, or of batch shape (1,) where nothing is conditioned on."""

    parameter_shape = None

    def __init__(self, latent_shape: tuple[int, ...]):
        super().__init__()
        self.noise_shape = latent_shape
        self.register_buffer("zero", torch.zeros(()), persistent=False)

    def forward(self, x: Tensor | None) -> Distribution:
        zero = self.zero.expand(1 if x is None else x.shape[0], *self.noise_shape)
        return diagonal_normal(zero, zero, min_scale=0.0, event_ndim=len(self.noise_shape))
