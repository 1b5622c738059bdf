"""Real outputs with correlated Gaussian noise."""

from numbers import Integral

import torch
from sklearn.utils._param_validation import Interval
from torch import Tensor, nn
from torch.distributions import (
    Distribution,
    LowRankMultivariateNormal,
    MultivariateNormal,
)

from skcvae.distributions import raw_scale_of, scale_of
from skcvae.factors import factors
from skcvae.likelihoods.base import SCALES, LikelihoodModule, RealOutputs

SMALL = 0.1  # of the noise, the ties that outputs without ties start with


class MultivariateGaussian(RealOutputs):
    r"""Correlated noise: :math:`p(y \mid x, z) = N(\mu(x, z), \Sigma)`.

    The covariance is :math:`L L^\top` with a lower triangular :math:`L`, or
    :math:`W W^\top + \mathrm{diag}(\sigma^2)` with a :math:`W` of `rank` columns.
    Rows of y must be vectors.

    Parameters
    ----------
    rank : int, default=None
        Number of columns of :math:`W`. None uses the full covariance, whose number of
        parameters grows with the square of the number of outputs.
    heteroscedastic : bool, default=False
        If False, :math:`\Sigma` is learned, the same for every row. If True, the
        network predicts it for each row and draw, :math:`\Sigma(x, z)`.
    init_scale : float, default=0.3
        Initial diagonal of :math:`L`, or initial :math:`\sigma`, in units of the
        standardised y.
    min_scale : float, default=0.001
        Lower bound on the diagonal of :math:`L`, or on :math:`\sigma`, in units of the
        standardised y.

    References
    ----------
    Williams (1996), *Using Neural Networks to Model Conditional Multivariate
    Densities*, Neural Computation 8.

    Examples
    --------
    >>> from skcvae import NNRegressor
    >>> from skcvae.likelihoods import MultivariateGaussian
    >>> NNRegressor(likelihood=MultivariateGaussian(rank=2))
    NNRegressor(likelihood=MultivariateGaussian(rank=2))
    """

    _parameter_constraints = {
        "rank": [Interval(Integral, 1, None, closed="left"), None],
        **SCALES,
    }

    def __init__(self, rank=None, *, heteroscedastic=False, init_scale=0.3, min_scale=1e-3):
        self.rank = rank
        self.heteroscedastic = heteroscedastic
        self.init_scale = init_scale
        self.min_scale = min_scale

    def build(self, y_shape: tuple[int, ...]) -> nn.Module:
        self._validate_params()
        if len(y_shape) > 1:
            raise ValueError(
                "MultivariateGaussian expects rows of y to be vectors, got rows of shape "
                f"{tuple(y_shape)}. Use likelihood='gaussian' for images and sequences."
            )
        layer = _Predicted if self.heteroscedastic else _Learned
        return layer(y_shape[0], self.rank, self.init_scale, self.min_scale)


class _Learned(LikelihoodModule):
    """Learned covariance, the same for all rows."""

    def __init__(self, size: int, rank: int | None, init_scale: float, min_scale: float):
        super().__init__((1, size))
        self.min_scale, self.rank, self.init_scale = min_scale, rank, init_scale
        self.raw_scale = nn.Parameter(torch.full((size,), raw_scale_of(init_scale)))
        # Not zeros for W: its gradient is zero at W = 0.
        start = torch.zeros(size, size) if rank is None else torch.randn(size, rank)
        self.ties = nn.Parameter(start)

    def start_at(self, covariance: Tensor) -> None:
        """Start at the noise of a linear model: a covariance of shape (n_outputs, n_outputs)."""
        if self.rank is None:
            tril = torch.linalg.cholesky(covariance)
            scale, ties = tril.diagonal(), tril.tril(-1)
        else:
            ties, variance = factors(covariance, self.rank)
            scale = variance.sqrt()
            ties = ties.where(ties.any(0), SMALL * scale[:, None] * self.ties)
        self.raw_scale.copy_(raw_scale_of((scale - self.min_scale).clamp_min(self.min_scale / 10)))
        self.ties.copy_(ties / self.init_scale)

    def forward(self, parameters: Tensor) -> Distribution:
        (loc,) = parameters.unbind(-2)
        scale = scale_of(self.raw_scale, self.min_scale)
        return _correlated(loc, scale, self.init_scale * self.ties, self.rank)


class _Predicted(_Learned):
    """Predicted covariance: a learned one, and an offset of each number for each row."""

    def __init__(self, size: int, rank: int | None, init_scale: float, min_scale: float):
        super().__init__(size, rank, init_scale, min_scale)
        self.parameter_shape = (2 + (rank or size), size)

    def forward(self, parameters: Tensor) -> Distribution:
        loc, raw_scale = parameters[..., :2, :].unbind(-2)
        scale = scale_of(self.raw_scale + raw_scale, self.min_scale)
        ties = self.init_scale * (self.ties + parameters[..., 2:, :].mT)
        return _correlated(loc, scale, ties, self.rank)


def _correlated(loc: Tensor, scale: Tensor, ties: Tensor, rank: int | None) -> Distribution:
    if rank is None:
        tril = ties.tril(-1) + torch.diag_embed(scale)
        return MultivariateNormal(loc, scale_tril=tril, validate_args=False)
    # Float64: with small scales and large W the determinant is lost in float32.
    return LowRankMultivariateNormal(
        loc.double(), ties.double(), scale.double().square(), validate_args=False
    )
