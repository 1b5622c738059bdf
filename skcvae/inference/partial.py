r"""Partially observed y: marginal and conditional distributions of outputs.

.. math:: p(y_o \mid x, z) = \int p(y_o, y_u \mid x, z) \, dy_u

NaN entries are missing and are marginalised out. If outputs are independent given z, the
marginal is the product over the observed outputs. In a mixture each component is
marginalised; in a Gaussian the rows and columns of the covariance are dropped. The
missing outputs follow :math:`p(y_u \mid x, z, y_o)`.
"""

import math
from collections.abc import Callable
from functools import singledispatch

import torch
from torch import Tensor, nn
from torch.distributions import (
    Categorical,
    Distribution,
    Independent,
    LowRankMultivariateNormal,
    MixtureSameFamily,
    MultivariateNormal,
)

from skcvae.distributions import ChainRule, FieldGaussian, GaussianLogits, MaskedPixels, Product
from skcvae.likelihoods.base import LikelihoodModule


class Partial(LikelihoodModule):
    """A likelihood that marginalises out NaN entries of y.

    Parameters
    ----------
    likelihood : Module
        Module built by a likelihood.
    """

    def __init__(self, likelihood: nn.Module):
        super().__init__(likelihood.parameter_shape)
        self.likelihood = likelihood
        self.n_locations, self.has_labels = likelihood.n_locations, likelihood.has_labels

    def forward(self, parameters: Tensor) -> Distribution:
        return Marginalised(self.likelihood(parameters))

    def read(self, y: Tensor) -> Tensor:
        return self.likelihood.read(y)

    def marginal(self, y: Tensor, weight: Tensor | None = None) -> tuple[Tensor, Tensor] | None:
        return self.likelihood.marginal(y, weight)

    @property
    def start_at(self) -> Callable[[Tensor], None]:
        """That of the likelihood, where it has one."""
        return self.likelihood.start_at


class Marginalised(Distribution):
    """A distribution whose log-probability marginalises out NaN entries.

    Parameters
    ----------
    whole : Distribution
        Distribution over all outputs, of a type supported by
        :func:`log_prob_of_observed`.
    """

    arg_constraints: dict = {}

    def __init__(self, whole: Distribution):
        self.whole = whole
        super().__init__(whole.batch_shape, whole.event_shape, validate_args=False)

    @property
    def mean(self) -> Tensor:
        return self.whole.mean

    @property
    def variance(self) -> Tensor:
        return self.whole.variance

    def log_prob(self, value: Tensor) -> Tensor:
        return log_prob_of_observed(self.whole, value)

    def sample(self, sample_shape=torch.Size()) -> Tensor:  # noqa: B008
        return self.whole.sample(sample_shape)

    def expand(self, batch_shape, _instance=None) -> "Marginalised":
        return Marginalised(self.whole.expand(batch_shape))


@singledispatch
def log_prob_of_observed(p: Distribution, y: Tensor) -> Tensor:
    """Return the log-probability of the observed outputs, those that are not NaN.

    Parameters
    ----------
    p : Distribution
        Distribution over all outputs of a row.
    y : Tensor of shape batch + event
        Outputs; missing entries are NaN.

    Returns
    -------
    Tensor of shape batch
        Nats; zero if all entries of a row are NaN.

    Raises
    ------
    TypeError
        If marginalisation is not implemented for the type of `p`.
    """
    raise _unknown(p)


@singledispatch
def given_observed(p: Distribution, y: Tensor) -> Distribution:
    """Return the distribution of the missing outputs given the observed ones.

    Parameters
    ----------
    p : Distribution
        Distribution over all outputs of a row.
    y : Tensor of shape batch + event
        Outputs; missing entries are NaN.

    Returns
    -------
    Distribution
        Distribution over all outputs; only the missing ones are meaningful.

    Raises
    ------
    TypeError
        If conditioning is not implemented for the type of `p`.
    """
    raise _unknown(p)


@log_prob_of_observed.register
def _(p: Marginalised, y: Tensor) -> Tensor:
    return log_prob_of_observed(p.whole, y)


@given_observed.register
def _(p: Marginalised, y: Tensor) -> Distribution:
    return given_observed(p.whole, y)


@log_prob_of_observed.register
def _(p: Independent, y: Tensor) -> Tensor:
    log_p = p.base_dist.log_prob(y.nan_to_num(1.0))  # positive outputs have no density at 0
    return log_p.where(~y.isnan(), 0.0).flatten(-p.reinterpreted_batch_ndims).sum(-1)


@given_observed.register(Independent)
@given_observed.register(FieldGaussian)  # missing pixels of a field are refused before
def _(p, y: Tensor) -> Distribution:
    return p


@log_prob_of_observed.register
def _(p: Product, y: Tensor) -> Tensor:
    return sum(log_prob_of_observed(*pair) for pair in p.paired(y))


@given_observed.register
def _(p: Product, y: Tensor) -> Distribution:
    return Product([given_observed(*pair) for pair in p.paired(y)])


@log_prob_of_observed.register(FieldGaussian)
@log_prob_of_observed.register(MaskedPixels)
def _(p, y: Tensor) -> Tensor:
    return p.log_prob(y)


@given_observed.register(ChainRule)
@given_observed.register(MaskedPixels)
def _(p, y: Tensor) -> Distribution:
    return p.given(y)


@log_prob_of_observed.register
def _(p: MixtureSameFamily, y: Tensor) -> Tensor:
    return _log_joint(p, y).logsumexp(-1)


@given_observed.register
def _(p: MixtureSameFamily, y: Tensor) -> Distribution:
    weights = Categorical(logits=_log_joint(p, y), validate_args=False)
    components = p.component_distribution
    return MixtureSameFamily(weights, components.expand(weights.logits.shape), validate_args=False)


@log_prob_of_observed.register
def _(p: GaussianLogits, y: Tensor) -> Tensor:
    return log_prob_of_observed(p.mixture, y)


@given_observed.register
def _(p: GaussianLogits, y: Tensor) -> Distribution:
    return given_observed(p.mixture, y)


@log_prob_of_observed.register
def _(p: ChainRule, y: Tensor) -> Tensor:
    return p.log_prob_observed(y)


def _log_joint(p: MixtureSameFamily, y: Tensor) -> Tensor:
    """Return log w_k p_k(y_o); the components are independent in the outputs."""
    per_component = y.unsqueeze(-1 - len(p.event_shape))
    log_p = log_prob_of_observed(p.component_distribution, per_component)
    return p.mixture_distribution.logits + log_p


@log_prob_of_observed.register(MultivariateNormal)
@log_prob_of_observed.register(LowRankMultivariateNormal)
def _(p, y: Tensor) -> Tensor:
    observed = ~y.isnan()
    deviation = (y - p.mean).where(observed, 0.0).double()
    covariance = _covariance_of_observed(p, observed)
    log_p = MultivariateNormal(torch.zeros_like(deviation), covariance, validate_args=False)
    # Each missing output adds the standard normal density at zero: remove it.
    extra = -0.5 * math.log(2 * math.pi) * (~observed).sum(-1, dtype=torch.float64)
    return (log_p.log_prob(deviation) - extra).to(p.mean.dtype)


@given_observed.register(MultivariateNormal)
@given_observed.register(LowRankMultivariateNormal)
def _(p, y: Tensor) -> Distribution:
    observed = ~y.isnan()
    deviation = (y - p.mean).where(observed, 0.0).double()
    covariance = p.covariance_matrix.double()
    across = covariance * observed[..., None]  # rows of observed outputs, all columns
    gain = torch.linalg.solve(_covariance_of_observed(p, observed), across).mT
    left = _with_ones(covariance - gain @ across, ~observed)
    loc = p.mean + (gain @ deviation[..., None]).squeeze(-1)
    tril = torch.linalg.cholesky(left)
    dtype = p.mean.dtype
    return MultivariateNormal(loc.to(dtype), scale_tril=tril.to(dtype), validate_args=False)


def _covariance_of_observed(p, observed: Tensor) -> Tensor:
    return _with_ones(p.covariance_matrix.double(), observed)


def _with_ones(covariance: Tensor, kept: Tensor) -> Tensor:
    """Replace all outputs but those kept by independent ones of variance one."""
    both = kept[..., None] & kept[..., None, :]
    return covariance.where(both, torch.eye(kept.shape[-1], dtype=covariance.dtype).to(covariance))


def _unknown(p: Distribution) -> TypeError:
    return TypeError(
        f"y observed in part expects a likelihood that is torch's Independent, a mixture or a "
        f"Gaussian, got {type(p).__name__}. Register it with log_prob_of_observed and "
        "given_observed of skcvae.inference.partial."
    )
