r"""Count likelihoods with a predicted rate.

The rate is :math:`\lambda(x, z) = \lambda_0 \exp(f(x, z))`. To avoid overflow,
:math:`-20 < f < 10`; :math:`\lambda_0` is the mean of the training counts. The networks get y
encoded as :math:`\log(1 + y) - \log(1 + \lambda_0)`. Log-probabilities are computed in float64:
float32 loses hundredths of nats at counts of ten thousand, and tens of nats at a hundred million.
"""

from abc import abstractmethod

import numpy as np
import torch
from torch import Tensor, nn
from torch.distributions import Distribution, Independent
from torch.distributions import NegativeBinomial as NegativeBinomialDistribution
from torch.distributions import Poisson as PoissonDistribution

from skcvae.likelihoods.base import POSITIVE, Likelihood, LikelihoodModule, row_of
from skcvae.likelihoods.bound import bounded, unbounded
from skcvae.likelihoods.marginals import mean_of

LARGEST = 1e9
LEAST_DISPERSION = 1e-3  # at the start, where counts vary no more than a Poisson's
MIN_RATE = 0.01  # if all training counts are zero


class Counts(Likelihood):
    """Base class of the likelihoods of counts."""

    accepts_means = False
    absent_code = -1
    bounds = 0.0, np.inf

    _parameter_constraints = {"init_rate": ["array-like", *POSITIVE, None]}

    def check_targets(self, y):
        strange = np.isfinite(y) & ((y % 1 != 0) | (y < 0) | (y > LARGEST))
        if strange.any():
            raise ValueError(
                f"{type(self).__name__} expects counts, integers >= 0 and at most {LARGEST:g}, in "
                f"y, got {y[strange][0]:g}. Use likelihood='gaussian' for other numbers."
            )

    def rate_of(self, y):
        """Return the initial rate.

        Parameters
        ----------
        y : ndarray of shape (n_rows, ...)
            The training targets; NaN entries are ignored.

        Returns
        -------
        float or ndarray of shape (...)
            `init_rate`, or the mean of the training counts.
        """
        mean = np.nanmean(y, axis=0) if self.init_rate is None else self.init_rate
        return np.maximum(mean, MIN_RATE)

    def fit_coding(self, y, weight=None, *, normalize=True):
        self.set_params(init_rate=self.rate_of(y))
        return super().fit_coding(y, weight, normalize=normalize)

    def build(self, y_shape: tuple[int, ...]) -> nn.Module:
        self._validate_params()
        rate = row_of(self, "init_rate", y_shape, 1.0, positive=True)
        return self._module(torch.from_numpy(rate).float())

    @abstractmethod
    def _module(self, init_rate: Tensor) -> nn.Module:
        """Return the module, given a rate for each output."""


class Poisson(Counts):
    r"""Counts: :math:`p(y \mid x, z) = \prod_j \lambda_j^{y_j} e^{-\lambda_j} / y_j!`.

    The variance of each output given z equals its mean; z adds to the variance.

    Parameters
    ----------
    init_rate : float or array-like of the shape of one row of y, default=None
        The initial rate. None uses the mean of the training counts.

    References
    ----------
    McCullagh and Nelder (1989), *Generalized Linear Models*, chapter 6.

    Examples
    --------
    >>> import numpy as np
    >>> from skcvae.likelihoods import Poisson
    >>> Poisson().rate_of(np.array([[0, 10], [1, 20]]))
    array([ 0.5, 15. ])
    """

    def __init__(self, init_rate=None):
        self.init_rate = init_rate

    def _module(self, init_rate: Tensor) -> nn.Module:
        return _Poisson(init_rate)


class NegativeBinomial(Counts):
    r"""Overdispersed counts, with variance :math:`\lambda_j + a_j \lambda_j^2`.

    Parameters
    ----------
    init_rate : float or array-like of the shape of one row of y, default=None
        The initial rate :math:`\lambda`. None uses the mean of the training counts.
    init_dispersion : float, default=0.1
        The initial dispersion :math:`a`, a learned parameter per output. The limit at
        zero is the Poisson distribution.

    References
    ----------
    Lawless (1987), *Negative Binomial and Mixed Poisson Regression*, The Canadian
    Journal of Statistics 15.

    Examples
    --------
    >>> from skcvae import CVAERegressor
    >>> from skcvae.likelihoods import NegativeBinomial
    >>> CVAERegressor(likelihood=NegativeBinomial(init_dispersion=1.0))
    CVAERegressor(likelihood=NegativeBinomial(init_dispersion=1.0))
    """

    _parameter_constraints = {
        **Counts._parameter_constraints,
        "init_dispersion": POSITIVE,
    }

    def __init__(self, init_rate=None, *, init_dispersion=0.1):
        self.init_rate = init_rate
        self.init_dispersion = init_dispersion

    def _module(self, init_rate: Tensor) -> nn.Module:
        return _NegativeBinomial(init_rate, self.init_dispersion)


class _DoublePoisson(PoissonDistribution):
    def log_prob(self, value: Tensor) -> Tensor:
        return super().log_prob(value.double())


class _DoubleNegativeBinomial(NegativeBinomialDistribution):
    def log_prob(self, value: Tensor) -> Tensor:
        return super().log_prob(value.double())


class _Counts(LikelihoodModule):
    def __init__(self, init_rate: Tensor):
        super().__init__((1, *init_rate.shape))
        self.register_buffer("init_rate", init_rate)

    def marginal(self, y: Tensor, weight: Tensor | None = None) -> tuple[Tensor, Tensor]:
        rate = mean_of(y, weight).clamp_min(MIN_RATE)
        response = (y.log1p() - rate.log1p()) * (1 + rate) / rate
        return unbounded((rate / self.init_rate).log())[None], response[:, None]

    def read(self, y: Tensor) -> Tensor:
        return y.log1p() - self.init_rate.log1p()

    def rate(self, parameters: Tensor) -> Tensor:
        (raw,) = parameters.unbind(-self.init_rate.ndim - 1)
        return self.init_rate.double() * bounded(raw.double()).exp()


class _Poisson(_Counts):
    def forward(self, parameters: Tensor) -> Distribution:
        p = _DoublePoisson(self.rate(parameters), validate_args=False)
        return Independent(p, self.init_rate.ndim, validate_args=False)


class _NegativeBinomial(_Counts):
    """With one learned dispersion per output."""

    def __init__(self, init_rate: Tensor, init_dispersion: float):
        super().__init__(init_rate)
        self.init_dispersion = init_dispersion
        self.raw_dispersion = nn.Parameter(torch.zeros_like(init_rate))

    def marginal(self, y: Tensor, weight: Tensor | None = None) -> tuple[Tensor, Tensor]:
        rate = mean_of(y, weight).clamp_min(MIN_RATE)
        excess = mean_of((y - rate).square(), weight) - rate  # over that of the Poisson
        dispersion = (excess / rate.square()).clamp(LEAST_DISPERSION, 1 / LEAST_DISPERSION)
        self.raw_dispersion.copy_(unbounded((dispersion / self.init_dispersion).log()))
        return super().marginal(y, weight)

    def forward(self, parameters: Tensor) -> Distribution:
        dispersion = self.init_dispersion * bounded(self.raw_dispersion.double()).exp()
        logits = (self.rate(parameters) * dispersion).log()
        p = _DoubleNegativeBinomial(1 / dispersion, logits=logits, validate_args=False)
        return Independent(p, self.init_rate.ndim, validate_args=False)
