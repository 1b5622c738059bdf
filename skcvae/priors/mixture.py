r"""Mixture of Gaussians as the prior: a mixture density network for z."""

import math
from numbers import Integral, Real

import torch
from sklearn.utils._param_validation import Interval
from torch import Tensor, nn
from torch.distributions import (
    Categorical,
    Distribution,
    Independent,
    MixtureSameFamily,
    Normal,
)

from skcvae.distributions import scale_of
from skcvae.priors.base import Prior


class Mixture(Prior):
    r"""A mixture of diagonal Gaussians whose weights, means and scales depend on x.

    .. math:: p(z \mid x) = \sum_{k=1}^K \pi_k(x) \, N(\mu_k(x), \mathrm{diag}(\sigma_k^2(x)))

    The KL term of the objective has no closed form and is estimated from the draws
    of z; log p(z|x) in the importance weights is exact. The "latent_mean" of `predict` uses
    the mean of the most probable component as z*, because E[z|x] may lie between the modes, where
    the generation network was not trained. The choice of the component is not
    differentiable, so estimators that train with draws from the prior raise an error:
    `GSNNRegressor`, and `HybridStructuredPredictor` with alpha < 1.

    Parameters
    ----------
    n_components : int, default=5
        Number K of components.
    scale : float, default=None
        The scale of every component, in all directions and for every x. None predicts
        the scales from x. With a small scale each component stands for one mode.
    min_scale : float, default=0.001
        Lower bound on every predicted scale of the prior, and on those of the recognition
        network.

    References
    ----------
    Deshpande, Lu, Yeh, Chong and Forsyth (2017), *Learning Diverse Image
    Colorization*, CVPR, section 4.

    Bishop (1994), *Mixture Density Networks*.

    Examples
    --------
    >>> from skcvae.priors import Mixture
    >>> Mixture(n_components=4).build((3,)).noise_shape
    (4,)
    """

    _parameter_constraints = {
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "scale": [Interval(Real, 0, None, closed="neither"), None],
        "min_scale": [Interval(Real, 0, None, closed="neither")],
    }

    differentiable_draws = False

    def __init__(self, n_components=5, *, scale=None, min_scale=1e-3):
        self.n_components = n_components
        self.scale = scale
        self.min_scale = min_scale

    def build(self, latent_shape: tuple[int, ...]) -> nn.Module:
        self._validate_params()
        return GaussianMixture(latent_shape, self.n_components, self.scale, self.min_scale)


class GaussianMixture(nn.Module):
    """Map K locations, raw scales and logit maps to a mixture over z.

    Without raw scales where the scale is fixed. The logit of a component is the mean of its
    map. The noise has one channel more
    than z; the first element of that channel selects the component.
    """

    def __init__(
        self,
        latent_shape: tuple[int, ...],
        n_components: int,
        scale: float | None,
        min_scale: float,
    ):
        super().__init__()
        self.n_kinds = 3 if scale is None else 2
        self.parameter_shape = (self.n_kinds * n_components, *latent_shape)
        self.noise_shape = (latent_shape[0] + 1, *latent_shape[1:])
        self.n_components = n_components
        self.scale, self.min_scale = scale, min_scale
        self.init_scale = 1.0 if scale is None else scale  # of the recognition network
        self.register_buffer("start", _latin_hypercube(n_components, latent_shape))

    def forward(self, parameters: Tensor) -> Distribution:
        event_ndim = len(self.noise_shape)
        by_kind = parameters.unflatten(-event_ndim - 1, (self.n_kinds, self.n_components))
        loc, *raw_scale, logits = by_kind.unbind(-event_ndim - 2)
        loc = loc + self.start
        scale = scale_of(*raw_scale, self.min_scale) if raw_scale else self.scale
        normal = Normal(loc, scale, validate_args=False)
        return MixtureSameFamily(
            Categorical(logits=logits.flatten(-event_ndim).mean(-1), validate_args=False),
            Independent(normal, event_ndim, validate_args=False),
            validate_args=False,
        )


def _latin_hypercube(n: int, shape: tuple[int, ...]) -> Tensor:
    """Return a Latin hypercube sample of n points from N(0, I)."""
    rank = torch.rand(n, math.prod(shape)).argsort(0)
    return torch.special.ndtri((rank + 0.5) / n).reshape(n, *shape)
