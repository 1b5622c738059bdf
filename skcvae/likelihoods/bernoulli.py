"""Outputs in [0, 1], such as the pixels of a grey image."""

import numpy as np
import torch
from torch import Tensor, nn
from torch.distributions import Bernoulli as BernoulliDistribution
from torch.distributions import Distribution, Independent
from torch.nn import functional as F

from skcvae.likelihoods.base import Likelihood, LikelihoodModule
from skcvae.likelihoods.marginals import logit_response, share_of


class Bernoulli(Likelihood):
    r"""Binary outputs: :math:`p(y \mid x, z) = \prod_j \pi_j^{y_j} (1 - \pi_j)^{1 - y_j}`.

    Targets may be any number in [0, 1]. For targets 0 and 1 this is a probability mass.
    For values in between, such as grey pixels, it is the negative cross-entropy that
    the paper reports, which is not a normalised likelihood and is comparable only with
    other cross-entropies. Draws are 0 or 1; the mean is :math:`\pi`.

    Examples
    --------
    >>> from skcvae.likelihoods import Bernoulli
    >>> Bernoulli().build((4, 4)).parameter_shape
    (1, 4, 4)
    """

    absent_code = -1
    has_labels = True
    bounds = 0.0, 1.0

    def check_targets(self, y):
        low, high = np.nanmin(y), np.nanmax(y)
        if low < 0 or high > 1:
            raise ValueError(
                f"likelihood='bernoulli' expects y in [0, 1], got values in [{low:g}, {high:g}]. "
                "Rescale y or choose likelihood='gaussian'."
            )

    def build(self, y_shape: tuple[int, ...]) -> nn.Module:
        return _Logits(y_shape)


class _Logits(LikelihoodModule):
    has_labels = True

    def __init__(self, y_shape: tuple[int, ...]):
        super().__init__((1, *y_shape))

    def marginal(self, y: Tensor, weight: Tensor | None = None) -> tuple[Tensor, Tensor]:
        share = share_of(y, weight)
        return share.logit()[None], logit_response(y, share)[:, None]

    def forward(self, parameters: Tensor) -> Distribution:
        event_ndim = len(self.parameter_shape) - 1
        (logits,) = parameters.unbind(-event_ndim - 1)
        # No validation: grey targets are outside torch's support {0, 1}.
        pixels = _Bernoulli(logits=logits, validate_args=False)
        return Independent(pixels, event_ndim, validate_args=False)


class _Bernoulli(BernoulliDistribution):
    """Bernoulli distribution with a log-probability in fewer passes over memory."""

    def log_prob(self, value: Tensor) -> Tensor:
        return torch.addcmul(F.softplus(self.logits).neg_(), value, self.logits)
