r"""Likelihoods: the distribution of y given x and z, :math:`p(y \mid x, z)`.

===========================  =======================================================
`Gaussian`                   real outputs with independent noise
`StudentT`                   real outputs with outliers
`MultivariateGaussian`       real outputs with correlated noise
`ColorField`                 images with correlated noise, such as colours of photographs
`GaussianMixture`            real outputs with a multimodal distribution
`LogNormal`, `Gamma`         positive outputs
`Hurdle`                     positive outputs and zeros
`LogitNormal`                outputs between two bounds, such as percentages
`Bernoulli`                  binary outputs, grey pixels in [0, 1]
`Poisson`                    counts
`NegativeBinomial`           overdispersed counts
`Categorical`                class labels
`CorrelatedLogits`           class labels or binary outputs that depend on each other
`Autoregressive`             outputs that depend on those before them
`Columns`                    tables with columns of several of these types
`MaskedImage`                images with a mask of their foreground
===========================  =======================================================

A likelihood is a small parameter object, as a kernel is for a Gaussian process.
Its `build` returns a :class:`~skcvae.likelihoods.LikelihoodModule` that reads the
network's output, a tensor of shape ``(*batch, *parameter_shape)``, as a
:class:`torch.distributions.Distribution` over y. Outputs are independent given z,
which ties them together; not so in a mixture, in the multivariate Gaussian, in a colour
field, with correlated logits and in an autoregressive likelihood.
"""

from skcvae.likelihoods.autoregressive import Autoregressive
from skcvae.likelihoods.base import Likelihood, LikelihoodModule, RealOutputs
from skcvae.likelihoods.bernoulli import Bernoulli
from skcvae.likelihoods.categorical import Categorical
from skcvae.likelihoods.color_field import ColorField
from skcvae.likelihoods.columns import Columns
from skcvae.likelihoods.correlated_logits import CorrelatedLogits
from skcvae.likelihoods.counts import NegativeBinomial, Poisson
from skcvae.likelihoods.gaussian import Gaussian
from skcvae.likelihoods.hurdle import Hurdle
from skcvae.likelihoods.logit_normal import LogitNormal
from skcvae.likelihoods.masked_image import MaskedImage
from skcvae.likelihoods.mixture import GaussianMixture
from skcvae.likelihoods.multivariate import MultivariateGaussian
from skcvae.likelihoods.positive import Gamma, LogNormal, Positive
from skcvae.likelihoods.student import StudentT

__all__ = [
    "Autoregressive",
    "Bernoulli",
    "Categorical",
    "ColorField",
    "Columns",
    "CorrelatedLogits",
    "Gamma",
    "Gaussian",
    "GaussianMixture",
    "Hurdle",
    "Likelihood",
    "LikelihoodModule",
    "LogNormal",
    "LogitNormal",
    "MaskedImage",
    "MultivariateGaussian",
    "NegativeBinomial",
    "Poisson",
    "Positive",
    "RealOutputs",
    "StudentT",
]
