r"""Conditional normalising flow as the prior."""

import math
from numbers import Integral, Real

import torch
from sklearn.utils._param_validation import Interval
from torch import Tensor, nn
from torch.distributions import Distribution

from skcvae import whole_numbers
from skcvae.distributions import NormalizingFlow, diagonal_normal
from skcvae.priors.base import Prior
from skcvae.random import drawing_from, generator


class Flow(Prior):
    r"""A neural spline flow given x, with a diagonal Gaussian as its base.

    .. math:: z = \mu(x) + \sigma(x) \, T_x(\epsilon), \quad \epsilon \sim N(0, I)

    with :math:`T_x` a stack of coupling layers of rational-quadratic splines, close
    to the identity at initialisation. A latent map is flattened internally. The KL
    term of the objective has no closed form and is estimated from the draws of z; log
    p(z|x) in the importance weights is exact. The "latent_mean" of `predict` uses z* at
    :math:`\epsilon = 0`, the image of the base mean, because E[z|x] has no closed form
    and may lie in a region of low density. Requires the package zuko:
    ``pip install skcvae[flow]``.

    Parameters
    ----------
    n_transforms : int, default=2
        Number of coupling layers; each transforms all coordinates of z.
    hidden_layer_sizes : sequence of int, default=(64, 64)
        Units in the hidden layers of the network of each coupling layer.
    n_bins : int, default=8
        Number of bins of each spline.
    n_context : int, default=8
        Context features for each coordinate of z, predicted from x, that condition
        the splines.
    min_scale : float, default=0.001
        Lower bound on every :math:`\sigma` and on the recognition network's scales.

    References
    ----------
    Durkan, Bekasov, Murray and Papamakarios (2019), *Neural Spline Flows*, NeurIPS.

    Winkler, Worrall, Hoogeboom and Welling (2019), *Learning Likelihoods with
    Conditional Normalizing Flows*.

    Examples
    --------
    >>> from skcvae import CVAERegressor
    >>> CVAERegressor(prior="flow").set_params(prior__n_bins=4).prior
    Flow(n_bins=4)
    """

    _parameter_constraints = {
        "n_transforms": [Interval(Integral, 1, None, closed="left")],
        "hidden_layer_sizes": ["array-like"],
        "n_bins": [Interval(Integral, 2, None, closed="left")],
        "n_context": [Interval(Integral, 1, None, closed="left")],
        "min_scale": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(
        self,
        n_transforms=2,
        *,
        hidden_layer_sizes=(64, 64),
        n_bins=8,
        n_context=8,
        min_scale=1e-3,
    ):
        self.n_transforms = n_transforms
        self.hidden_layer_sizes = hidden_layer_sizes
        self.n_bins = n_bins
        self.n_context = n_context
        self.min_scale = min_scale

    def build(self, latent_shape: tuple[int, ...]) -> nn.Module:
        self._validate_params()
        widths = tuple(self.hidden_layer_sizes)
        if not widths or not all(map(whole_numbers.is_positive, widths)):
            raise ValueError(
                "The 'hidden_layer_sizes' parameter of Flow must be a non-empty sequence of "
                f"positive ints. Got {self.hidden_layer_sizes!r} instead."
            )
        size = math.prod(latent_shape)
        flow = _zuko_flows().NSF(
            size,
            self.n_context * size,
            bins=self.n_bins,
            transforms=self.n_transforms,
            hidden_features=widths,
            # Coupling layers invert in two passes, autoregressive ones in one per coordinate.
            **({"passes": 2} if size > 1 else {}),
        )
        return ConditionalFlow(
            flow.transform,
            latent_shape,
            n_context=self.n_context,
            n_bins=self.n_bins,
            min_scale=self.min_scale,
        )


class ConditionalFlow(nn.Module):
    """Map (location, raw scale, spline context) to a normalising flow over z.

    `out_shape` is the size of the spline parameters per row and draw, used to estimate
    memory.
    """

    def __init__(
        self,
        transform: nn.Module,
        latent_shape: tuple[int, ...],
        *,
        n_context: int,
        n_bins: int,
        min_scale: float,
    ):
        super().__init__()
        self.transform = transform
        self.parameter_shape = (2 + n_context, *latent_shape)
        self.noise_shape = latent_shape
        self.out_shape = (3 * n_bins - 1, *latent_shape)
        self.min_scale = min_scale

    def forward(self, parameters: Tensor) -> Distribution:
        event_ndim = len(self.noise_shape)
        loc, raw_scale, *context = parameters.unbind(-event_ndim - 1)
        context = torch.stack(context, -1).flatten(-event_ndim - 1)
        gaussian = diagonal_normal(loc, raw_scale, min_scale=self.min_scale, event_ndim=event_ndim)
        return NormalizingFlow(gaussian, self.transform(context))

    def __repr__(self):
        with drawing_from(generator(0)):  # zuko draws numbers to describe a transform
            return super().__repr__()


def _zuko_flows():
    """Import zuko.flows and restore torch's global validation flag, which zuko clears."""
    validates = Distribution._validate_args
    try:
        from zuko import flows
    except ImportError as error:
        raise ImportError(
            "prior='flow' requires the package zuko: pip install skcvae[flow]."
        ) from error
    finally:
        Distribution.set_default_validate_args(validates)
    return flows
