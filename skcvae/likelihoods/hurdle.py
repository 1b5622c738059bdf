"""Positive outputs with zeros among them."""

import numpy as np
import torch
from sklearn.base import clone
from torch import Tensor, nn
from torch.distributions import Distribution, Independent

from skcvae.distributions import ZeroOrPositive
from skcvae.likelihoods.base import Likelihood, LikelihoodModule
from skcvae.likelihoods.marginals import logit_response, mean_of, share_of
from skcvae.likelihoods.positive import LogNormal, Positive


class Hurdle(Likelihood):
    r"""Zeros, and positive outputs: a two-part model.

    .. math:: P(y_j = 0 \mid x, z) = 1 - \pi_j(x, z), \quad
        p(y_j \mid x, z) = \pi_j(x, z) \, p_+(y_j \mid x, z) \text{ for } y_j > 0

    `log_prob` is the log of a probability at zero, and of a density above.

    Parameters
    ----------
    likelihood : LogNormal or Gamma, default=None
        The distribution :math:`p_+` of the positive outputs; None is ``LogNormal()``.

    References
    ----------
    Cragg (1971), *Some Statistical Models for Limited Dependent Variables*, Econometrica 39.

    Examples
    --------
    >>> from skcvae import CVAERegressor
    >>> from skcvae.likelihoods import Gamma, Hurdle
    >>> CVAERegressor(likelihood=Hurdle(Gamma()))
    CVAERegressor(likelihood=Hurdle(likelihood=Gamma()))
    """

    accepts_means = False
    bounds = 0.0, np.inf

    _parameter_constraints = {"likelihood": [Positive, None]}

    def __init__(self, likelihood=None):
        self.likelihood = likelihood

    def check_targets(self, y):
        self._validate_params()
        strange = np.isfinite(y) & (y < 0)
        if strange.any():
            raise ValueError(
                f"Hurdle expects numbers >= 0 in y, got {y[strange][0]:g}. Use another likelihood."
            )

    def fit_coding(self, y, weight=None, *, normalize=True):
        positive = LogNormal() if self.likelihood is None else clone(self.likelihood)
        coding = positive.fit_coding(y, weight, normalize=normalize)
        self.set_params(likelihood=positive)
        return coding

    def build(self, y_shape: tuple[int, ...]) -> nn.Module:
        self._validate_params()
        return _Hurdle((self.likelihood or LogNormal()).build(y_shape))


class _Hurdle(LikelihoodModule):
    def __init__(self, positive: LikelihoodModule):
        n_numbers, *y_shape = positive.parameter_shape
        super().__init__((n_numbers + 1, *y_shape))
        self.positive = positive

    def marginal(self, y: Tensor, weight: Tensor | None = None) -> tuple[Tensor, Tensor]:
        is_positive = (y > 0).to(y)
        fraction = mean_of(is_positive, weight).clamp_min(1e-30)
        log_y = self.positive.read(y).where(y > 0, 0.0)
        mean = mean_of(log_y, weight) / fraction
        excess = is_positive * (log_y - mean)
        variance = mean_of(excess.square(), weight) / fraction
        self.positive.start_at(variance.flatten().diag())
        share, n_numbers = share_of(is_positive, weight), self.parameter_shape[0]
        numbers = [share.logit(), mean, torch.zeros_like(mean)]
        response = [logit_response(is_positive, share), excess / share, torch.zeros_like(y)]
        return torch.stack(numbers[:n_numbers]), torch.stack(response[:n_numbers], 1)

    def forward(self, parameters: Tensor) -> Distribution:
        axis = -len(self.parameter_shape)
        logit, rest = parameters.split((1, self.parameter_shape[0] - 1), axis)
        inner = self.positive(rest)
        p = ZeroOrPositive(logit.squeeze(axis), inner.base_dist)
        return Independent(p, len(inner.event_shape), validate_args=False)

    def read(self, y: Tensor) -> Tensor:
        return (y / self.positive.layer.family.init_mean).log1p()
