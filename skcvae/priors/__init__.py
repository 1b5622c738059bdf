r"""Priors: the distribution of the latent variables given x, :math:`p(z \mid x)`.

A prior is a small parameter object. Its `build` returns a module that maps the prior
network's output, of shape `parameter_shape` per row, to a
:class:`torch.distributions.Distribution` over z. Draws of z are made from standard
normal noise of shape `noise_shape` by :func:`skcvae.distributions.reparameterize`.

=============== ============================================== ============ ===============
prior           p(z|x)                                         KL(q || p)   z*
=============== ============================================== ============ ===============
Gaussian        diagonal Gaussian                              exact        the mean
Standard        N(0, I)                                        exact        zero
Mixture         mixture of diagonal Gaussians                  Monte Carlo  see there
Flow            normalising flow, diagonal Gaussian base       Monte Carlo  see there
GaussianProcess process over x, given codes of rows of `fit`   exact        the mean
=============== ============================================== ============ ===============

z* is the draw at zero noise, which ``predict(X, method="latent_mean")`` decodes.
"""

from skcvae.priors.base import Prior
from skcvae.priors.flow import Flow
from skcvae.priors.gaussian import Gaussian, Standard
from skcvae.priors.gaussian_process import GaussianProcess
from skcvae.priors.mixture import Mixture

__all__ = ["Flow", "Gaussian", "GaussianProcess", "Mixture", "Prior", "Standard"]
