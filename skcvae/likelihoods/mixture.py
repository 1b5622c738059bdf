"""Real outputs with a multimodal distribution: a mixture of Gaussians."""

from numbers import Integral

import torch
from sklearn.utils._param_validation import Interval
from torch import Tensor, nn
from torch.distributions import Categorical, Distribution, MixtureSameFamily, Normal

from skcvae.distributions import diagonal_normal, raw_scale_of
from skcvae.likelihoods.base import POSITIVE, LikelihoodModule, RealOutputs
from skcvae.likelihoods.marginals import mean_of

APART = 0.5  # standard deviations, between components at the start


class GaussianMixture(RealOutputs):
    r"""Mixture: :math:`p(y \mid x, z) = \sum_k w_k N(\mu_k, \mathrm{diag}(\sigma_k^2))`.

    Without z this is a mixture density network. All outputs of a row share one
    component, which makes them dependent. Weights :math:`w(x, z)`, locations and
    scales are predicted for each row and draw.

    Parameters
    ----------
    n_components : int, default=3
        Number of components.
    init_scale : float, default=0.3
        The initial scale of every component, in units of the standardised y. The
        locations have learned offsets, which are initialised, for each output, with
        standard normal quantiles in random order.
    min_scale : float, default=0.001
        Lower bound on every scale, in units of the standardised y.

    References
    ----------
    Bishop (1994), *Mixture Density Networks*, technical report NCRG/94/004, Aston
    University.

    Examples
    --------
    >>> from skcvae import NNRegressor
    >>> from skcvae.likelihoods import GaussianMixture
    >>> NNRegressor(likelihood=GaussianMixture(n_components=5))
    NNRegressor(likelihood=GaussianMixture(n_components=5))
    """

    _parameter_constraints = {
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "init_scale": POSITIVE,
        "min_scale": POSITIVE,
    }

    def __init__(self, n_components=3, *, init_scale=0.3, min_scale=1e-3):
        self.n_components = n_components
        self.init_scale = init_scale
        self.min_scale = min_scale

    def build(self, y_shape: tuple[int, ...]) -> nn.Module:
        self._validate_params()
        return _Mixture(y_shape, self.n_components, self.init_scale, self.min_scale)


class _Mixture(LikelihoodModule):
    """Map (location, raw scale, logits) of each component to a mixture over rows."""

    def __init__(
        self, y_shape: tuple[int, ...], n_components: int, init_scale: float, min_scale: float
    ):
        super().__init__((3 * n_components, *y_shape))
        self.n_locations, self.min_scale = n_components, min_scale
        self.raw_scale = nn.Parameter(torch.full(y_shape, raw_scale_of(init_scale)))
        self.offset = nn.Parameter(_quantile_starts(n_components, y_shape))

    def start_at(self, covariance: Tensor) -> None:
        """Start at the noise of a linear model, with components of one scale, near each other."""
        std = covariance.diagonal().sqrt().view_as(self.raw_scale)
        between = APART**2 * self.offset.square().mean(0)
        scale = (std * (1 - between).sqrt() - self.min_scale).clamp_min(self.min_scale)
        self.raw_scale.copy_(raw_scale_of(scale))
        self.offset.mul_(APART * std)

    def marginal(self, y: Tensor, weight: Tensor | None = None) -> tuple[Tensor, Tensor]:
        mean = mean_of(y, weight)
        self.start_at(mean_of((y - mean).square(), weight).flatten().diag())
        others = torch.zeros(2 * self.n_locations, *mean.shape).to(mean)
        numbers = torch.cat([mean.expand(self.n_locations, *mean.shape), others])
        response = (y - mean)[:, None].expand(-1, self.n_locations, *mean.shape)
        return numbers, torch.cat([response, others.expand(len(y), *others.shape)], 1)

    def forward(self, parameters: Tensor) -> Distribution:
        event_ndim = self.offset.ndim - 1
        loc, raw_scale, logits = parameters.tensor_split(3, -event_ndim - 1)
        components = diagonal_normal(
            loc + self.offset,
            raw_scale + self.raw_scale,
            min_scale=self.min_scale,
            event_ndim=event_ndim,
        )
        weights = Categorical(logits=logits.flatten(-event_ndim).mean(-1), validate_args=False)
        return MixtureSameFamily(weights, components, validate_args=False)


def _quantile_starts(n_components: int, y_shape: tuple[int, ...]) -> Tensor:
    """Return standard normal quantiles, in a random order for each output."""
    order = torch.rand(n_components, *y_shape).argsort(0)
    return Normal(0.0, 1.0).icdf((order + 0.5) / n_components)
