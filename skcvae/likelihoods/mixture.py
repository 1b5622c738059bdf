"""Real outputs with a multimodal distribution: a mixture of Gaussians."""

from numbers import Integral, Real

import torch
from sklearn.utils._param_validation import Interval
from torch import Tensor, nn
from torch.distributions import Categorical, Distribution, MixtureSameFamily, Normal

from skcvae.distributions import diagonal_normal, raw_scale_of
from skcvae.likelihoods.base import LikelihoodModule, RealOutputs
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
        "init_scale": [Interval(Real, 0, None, closed="neither")],
        "min_scale": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(self, n_components=3, *, init_scale=0.3, min_scale=1e-3):
        self.n_components = n_components
        self.init_scale = init_scale
        self.min_scale = min_scale

    def build(self, y_shape: tuple[int, ...]) -> nn.Module:
        self._validate_params()
        return _Mixture(y_shape, self.n_components, self.init_scale, self.min_scale)


class _Mixture(LikelihoodModule):
    """Map (logits, location, raw scale) of each component to a mixture over rows."""

    def __init__(
        self, y_shape: tuple[int, ...], n_components: int, init_scale: float, min_scale: float
    ):
        super().__init__((3 * n_components, *y_shape))
        self.start = raw_scale_of(init_scale)
        self.min_scale = min_scale
        self.offset = nn.Parameter(_quantile_starts(n_components, y_shape))

    def marginal(self, y: Tensor, weight: Tensor | None = None) -> tuple[Tensor, Tensor]:
        mean = mean_of(y, weight)
        std = mean_of((y - mean).square(), weight).sqrt()
        # Components are near each other: of one scale, and their places a share of it apart.
        loc = mean + (APART * std - 1) * self.offset
        between = APART**2 * self.offset.square().mean(0)
        scale = (std * (1 - between).sqrt()).clamp_min(self.min_scale)
        raw_scale = (raw_scale_of(scale) - self.start).expand_as(loc)
        numbers = torch.cat([torch.zeros_like(loc), loc, raw_scale])
        response = (y - mean)[:, None].expand(-1, *loc.shape)
        zeros = torch.zeros_like(response)
        return numbers, torch.cat([zeros, response, zeros], 1)

    def forward(self, parameters: Tensor) -> Distribution:
        event_ndim = self.offset.ndim - 1
        logits, loc, raw_scale = parameters.tensor_split(3, -event_ndim - 1)
        components = diagonal_normal(
            loc + self.offset,
            raw_scale,
            min_scale=self.min_scale,
            event_ndim=event_ndim,
            start=self.start,
        )
        weights = Categorical(logits=logits.flatten(-event_ndim).mean(-1), validate_args=False)
        return MixtureSameFamily(weights, components, validate_args=False)


def _quantile_starts(n_components: int, y_shape: tuple[int, ...]) -> Tensor:
    """Return standard normal quantiles, in a random order for each output."""
    order = torch.rand(n_components, *y_shape).argsort(0)
    return Normal(0.0, 1.0).icdf((order + 0.5) / n_components)
