r"""Outputs between two bounds, such as proportions, percentages and scores.

The networks get and predict the logit of the position between the bounds,
:math:`\log \frac{y - a}{b - y}`, standardised by those of the training targets. Densities are
those of y itself.
"""

from numbers import Real

import numpy as np
import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from skcvae.data.coding import FARTHEST, Scaling
from skcvae.distributions import LogitNormal as LogitNormalDistribution
from skcvae.likelihoods.base import POSITIVE, SCALES, LearnedScale, Likelihood, Rescaled, row_of
from skcvae.likelihoods.bound import bounded

LARGEST_SCALE = 4.0  # of a logit: wider ones have their mass at both ends
END = 1e-6  # nearer to `high`, float32 is too coarse; such logits do not rule the standardisation


class LogitNormal(Likelihood):
    r"""Outputs between two bounds, whose logits are Gaussian.

    .. math:: \log \frac{y_j - a_j}{b_j - y_j} \sim N(\mu_j(x, z), \sigma_j^2)

    Draws are between the bounds :math:`a` and :math:`b`, and so are means and intervals.

    Parameters
    ----------
    low, high : float or array-like of the shape of one row of y, default=0.0 and 1.0
        The bounds. All y are strictly between them, and those of `fit` at least 1e-6 of the
        distance below `high`: float32 tells numbers apart down to 1e-7 of it.
    heteroscedastic : bool, default=True
        If True, the network predicts :math:`\sigma(x, z)` for each row and draw: near a bound,
        the same noise of y is a wider one of its logit. If False, :math:`\sigma` is a learned
        parameter per output.
    init_scale : float, default=0.3
        The initial :math:`\sigma`, in units of `logit_scale`.
    min_scale : float, default=0.001
        Lower bound on :math:`\sigma`, in units of `logit_scale`.
    logit_mean, logit_scale : float or array-like of the shape of one row, default=None
        Mean and standard deviation by which logits are standardised. None takes those of the
        training targets.

    References
    ----------
    Aitchison and Shen (1980), *Logistic-normal distributions: Some properties and uses*,
    Biometrika 67.

    Examples
    --------
    >>> from skcvae import CVAERegressor
    >>> from skcvae.likelihoods import LogitNormal
    >>> CVAERegressor(likelihood=LogitNormal(low=0, high=100))
    CVAERegressor(likelihood=LogitNormal(high=100, low=0))
    """

    accepts_means = False  # a mean of logits is of another scale

    _parameter_constraints = {
        "low": ["array-like", Real],
        "high": ["array-like", Real],
        **SCALES,
        "logit_mean": ["array-like", Real, None],
        "logit_scale": ["array-like", *POSITIVE, None],
    }

    def __init__(
        self,
        low=0.0,
        high=1.0,
        *,
        heteroscedastic=True,
        init_scale=0.3,
        min_scale=1e-3,
        logit_mean=None,
        logit_scale=None,
    ):
        self.low = low
        self.high = high
        self.heteroscedastic = heteroscedastic
        self.init_scale = init_scale
        self.min_scale = min_scale
        self.logit_mean = logit_mean
        self.logit_scale = logit_scale

    def support(self, row_shape: tuple[int, ...]) -> np.ndarray:
        return np.stack(self._ends(row_shape))

    def check_targets(self, y):
        self._validate_params()
        low, high = self._ends(y.shape[1:])
        strange = np.isfinite(y) & ~((low < y) & (y < high))
        if strange.any():
            raise ValueError(
                f"LogitNormal expects numbers strictly between low={self.low} and "
                f"high={self.high} in y, got {y[strange][0]:g}. Set these bounds, or move numbers "
                "at a bound inside by half of what y is rounded to."
            )

    def fit_coding(self, y, weight=None, *, normalize=True):
        low, high = self._ends(y.shape[1:])
        close = y > high - END * (high - low)
        if close.any():
            raise ValueError(
                f"LogitNormal expects numbers in y at least {END:g} (high - low) below "
                f"high={self.high}, as float32 cannot tell nearer ones apart, got "
                f"{y[close][0]:.17g}. Move them there, or model high - y."
            )
        share = np.maximum((y - low) / (high - low), END)
        logit = np.log(share) - np.log1p(-share)
        logit = np.where(np.isnan(logit).all(axis=0), 0.0, logit)
        if self.logit_mean is None:
            self.set_params(logit_mean=np.nanmean(logit, axis=0))
        if self.logit_scale is None:
            scale = np.nanstd(logit, axis=0)
            self.set_params(logit_scale=np.where(scale > END, scale, 1.0))
        return Scaling(low, high - low, np.full(low.shape, FARTHEST))

    def build(self, y_shape: tuple[int, ...]) -> nn.Module:
        self._validate_params()
        mean = row_of(self, "logit_mean", y_shape, 0.0)
        scale = row_of(self, "logit_scale", y_shape, 1.0, positive=True)
        family = _Family(torch.from_numpy(mean).float(), torch.from_numpy(scale).float())
        return _LogitNormal(LearnedScale.of(self, y_shape, family))

    def _ends(self, y_shape):
        low, high = (row_of(self, name, y_shape) for name in ("low", "high"))
        if not (np.isfinite(low) & np.isfinite(high) & (low < high)).all():
            raise ValueError(
                "The 'low' and 'high' parameters of LogitNormal must be finite, and low below "
                f"high. Got low={self.low!r} and high={self.high!r} instead."
            )
        return low, high


class _Family(nn.Module):
    """The logit-normal distribution of a standardised location and scale."""

    def __init__(self, mean: Tensor, scale: Tensor):
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("scale", scale)

    def forward(self, loc: Tensor, scale: Tensor) -> Distribution:
        scale = bounded(self.scale * scale, -LARGEST_SCALE, LARGEST_SCALE)
        return LogitNormalDistribution(self.mean + self.scale * loc, scale)


class _LogitNormal(Rescaled):
    def read(self, y: Tensor) -> Tensor:
        family = self.layer.family
        return (y.logit(torch.finfo(y.dtype).eps) - family.mean) / family.scale
