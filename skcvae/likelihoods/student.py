"""Real outputs with outliers: independent Student's t noise."""

import math
from numbers import Real

import torch
from sklearn.utils._param_validation import Interval
from torch import Tensor, nn
from torch.distributions import Chi2, Distribution
from torch.distributions import StudentT as StudentTDistribution

from skcvae.likelihoods.base import SCALES, LearnedScale, RealOutputs

# Above 2, so that the variance exists; at 200 the tails are practically Gaussian.
MIN_DF, MAX_DF = 2.1, 200.0


class StudentT(RealOutputs):
    r"""Outputs with outliers: :math:`p(y \mid x, z) = \prod_j t_{\nu_j}(y_j; \mu_j, \sigma_j)`.

    Parameters
    ----------
    heteroscedastic : bool, default=False
        If False, :math:`\sigma` is a learned parameter per output. If True, the
        network predicts it for each row and draw, :math:`\sigma(x, z)`.
    init_scale : float, default=0.3
        The initial scale, in units of the standardised y.
    min_scale : float, default=0.001
        Lower bound on every scale, in units of the standardised y.
    init_df : float, default=10.0
        The initial degrees of freedom :math:`\nu`. They are a learned parameter per
        output, bounded by 2.1 and 200, so that the variance
        :math:`\sigma^2 \nu / (\nu - 2)` exists.

    References
    ----------
    Lange, Little and Taylor (1989), *Robust Statistical Modeling Using the t
    Distribution*, Journal of the American Statistical Association 84.

    Examples
    --------
    >>> from skcvae import CVAERegressor
    >>> from skcvae.likelihoods import StudentT
    >>> CVAERegressor(likelihood=StudentT(init_df=4.0))
    CVAERegressor(likelihood=StudentT(init_df=4.0))
    """

    _parameter_constraints = {
        **SCALES,
        "init_df": [Interval(Real, MIN_DF, MAX_DF, closed="neither")],
    }

    def __init__(self, heteroscedastic=False, *, init_scale=0.3, min_scale=1e-3, init_df=10.0):
        self.heteroscedastic = heteroscedastic
        self.init_scale = init_scale
        self.min_scale = min_scale
        self.init_df = init_df

    def build(self, y_shape: tuple[int, ...]) -> nn.Module:
        self._validate_params()
        return LearnedScale.of(self, y_shape, _Family(y_shape, self.init_df))


class _Family(nn.Module):
    """The t distribution with learned degrees of freedom per output."""

    def __init__(self, y_shape: tuple[int, ...], init_df: float):
        super().__init__()
        share = torch.full(y_shape, (init_df - MIN_DF) / (MAX_DF - MIN_DF))
        self.raw_df = nn.Parameter(share.logit())

    def forward(self, loc: Tensor, scale: Tensor) -> Distribution:
        df = MIN_DF + (MAX_DF - MIN_DF) * self.raw_df.sigmoid()
        return _StudentT(df, loc, scale)


class _StudentT(StudentTDistribution):
    """The t distribution with df > 2, whose moments do not branch on df and can be exported.

    Terms of df, which rows share, are computed once: two gamma functions, for each number of a
    batch, take as long as the products of a small network.
    """

    def __init__(self, df: Tensor, loc: Tensor, scale: Tensor):
        self.df, self.loc, self.scale = df.expand_as(loc), loc, scale.expand_as(loc)
        self.shared_df, self.shared_scale = df, scale
        Distribution.__init__(self, loc.shape, validate_args=False)

    @property
    def _chi2(self) -> Distribution:  # from which torch draws
        return Chi2(self.df, validate_args=False)

    def expand(self, batch_shape, _instance=None) -> "_StudentT":
        return _StudentT(*(p.expand(batch_shape) for p in (self.df, self.loc, self.scale)))

    def log_prob(self, value: Tensor) -> Tensor:
        df, half = self.shared_df, (self.shared_df + 1) / 2
        constant = half.lgamma() - (df / 2).lgamma() - (df * math.pi).log() / 2
        deviation = (value - self.loc) / self.shared_scale
        return constant - self.shared_scale.log() - half * (deviation.square() / df).log1p()

    @property
    def mean(self) -> Tensor:
        return self.loc

    @property
    def variance(self) -> Tensor:
        return self.scale**2 * self.df / (self.df - 2)
