"""Zero, or a positive number: the distribution of a two-part model."""

import torch
from torch import Tensor
from torch.distributions import Distribution
from torch.nn import functional as F


class ZeroOrPositive(Distribution):
    """Zero, or a draw of a positive distribution.

    Parameters
    ----------
    logit : Tensor
        Log odds of a positive number.
    positive : Distribution
        The distribution of positive numbers, of the same batch shape.
    """

    arg_constraints: dict = {}

    def __init__(self, logit: Tensor, positive: Distribution):
        self.logit = logit
        self.positive = positive
        super().__init__(logit.shape, validate_args=False)

    @property
    def mean(self) -> Tensor:
        return self.logit.sigmoid() * self.positive.mean

    @property
    def variance(self) -> Tensor:
        share, mean = self.logit.sigmoid(), self.positive.mean
        return share * (self.positive.variance + (1 - share) * mean.square())

    def expand(self, batch_shape, _instance=None) -> "ZeroOrPositive":
        return ZeroOrPositive(self.logit.expand(batch_shape), self.positive.expand(batch_shape))

    def log_prob(self, value: Tensor) -> Tensor:
        some = value > 0
        density = self.positive.log_prob(value.where(some, 1.0)) + F.logsigmoid(self.logit)
        return density.where(some, F.logsigmoid(-self.logit))

    def sample(self, sample_shape=torch.Size()) -> Tensor:  # noqa: B008
        share = self.logit.detach().sigmoid().expand(*sample_shape, *self.batch_shape)
        return torch.bernoulli(share) * self.positive.sample(sample_shape)
