"""Noise scales: a learned parameter per output, or predicted for each row."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, Independent

from skcvae.distributions import raw_scale_of, scale_of
from skcvae.likelihoods.module import LikelihoodModule

Family = Callable[[Tensor, Tensor], Distribution]

# Undamped, the network learns a large scale before it learns to use z. On a ring, two outputs,
# it then ends 1.1 nats below the exact log-likelihood, with this factor 0.26.
DAMPING = 0.2


class LearnedScale(LikelihoodModule):
    """One scale per output, the same for every row.

    Parameters
    ----------
    y_shape : tuple of int
        Shape of one row of y.
    init_scale, min_scale : float
        Initial scale, and lower bound on every scale.
    family : callable
        Maps location and scale to the distribution of each output.
    """

    def __init__(self, y_shape: tuple[int, ...], init_scale: float, min_scale: float, family):
        super().__init__((1, *y_shape))
        self.min_scale = min_scale
        self.family: Family = family
        self.raw_scale = nn.Parameter(torch.full(y_shape, raw_scale_of(init_scale)))

    def forward(self, parameters: Tensor) -> Distribution:
        event_ndim = self.raw_scale.ndim
        (loc,) = parameters.unbind(-event_ndim - 1)
        scale = scale_of(self.raw_scale, self.min_scale)
        return Independent(self.family(loc, scale), event_ndim, validate_args=False)


class PredictedScale(LikelihoodModule):
    """One scale per output and row: a learned base scale plus a damped network offset.

    Parameters
    ----------
    y_shape : tuple of int
        Shape of one row of y.
    init_scale, min_scale : float
        Initial scale, and lower bound on every scale.
    family : callable
        Maps location and scale to the distribution of each output.
    """

    def __init__(self, y_shape: tuple[int, ...], init_scale: float, min_scale: float, family):
        super().__init__((2, *y_shape))
        self.min_scale = min_scale
        self.family: Family = family
        self.raw_scale = nn.Parameter(torch.full(y_shape, raw_scale_of(init_scale)))

    def forward(self, parameters: Tensor) -> Distribution:
        event_ndim = self.raw_scale.ndim
        loc, offset = parameters.unbind(-event_ndim - 1)
        scale = scale_of(self.raw_scale + DAMPING * offset, self.min_scale)
        return Independent(self.family(loc, scale), event_ndim, validate_args=False)
