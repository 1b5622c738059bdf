r"""What is assumed of y given the generation network's output: :math:`p(y \mid x, z)`.

A likelihood is a small parameter object, as a kernel is for a Gaussian process.
Its `build` returns a module that reads the network's output, a tensor of shape
``(*batch, *parameter_shape)``, as a :class:`torch.distributions.Distribution`
over y. Outputs are independent given z, which ties them together.
"""

from skcvae.likelihoods.bernoulli import Bernoulli
from skcvae.likelihoods.categorical import Categorical
from skcvae.likelihoods.gaussian import Gaussian
from skcvae.likelihoods.mixture import GaussianMixture
from skcvae.likelihoods.multivariate import MultivariateGaussian
from skcvae.likelihoods.student import StudentT

__all__ = [
    "Bernoulli",
    "Categorical",
    "Gaussian",
    "GaussianMixture",
    "MultivariateGaussian",
    "StudentT",
]
