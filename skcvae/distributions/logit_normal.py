"""Numbers in (0, 1) whose logits are Gaussian."""

import numpy as np
from scipy.special import softmax
from torch import Tensor
from torch.distributions import Normal, SigmoidTransform, TransformedDistribution

# Of the trapezoidal rule: below a scale of 4 its error is of the order of 1e-4, since the
# integrand is analytic within pi / 4 of the real line (Trefethen and Weideman, 2014).
STEP, FARTHEST = 0.5, 8.0
POINTS = np.arange(-FARTHEST, FARTHEST + STEP, STEP)
WEIGHTS = softmax(-0.5 * POINTS**2)


class LogitNormal(TransformedDistribution):
    """The logit-normal distribution, with moments by numerical integration.

    Parameters
    ----------
    loc, scale : Tensor
        Mean and standard deviation of the logit; the scale should not exceed 4.
    """

    arg_constraints: dict = {}

    def __init__(self, loc: Tensor, scale: Tensor):
        normal = Normal(loc, scale, validate_args=False)
        super().__init__(normal, SigmoidTransform(), validate_args=False)

    def expand(self, batch_shape, _instance=None) -> "LogitNormal":
        return super().expand(batch_shape, self._get_checked_instance(LogitNormal, _instance))

    def _moment(self, power: int) -> Tensor:
        # One point at a time: all together would take 33 times the memory.
        loc, scale = self.base_dist.loc, self.base_dist.scale
        return sum(
            weight * (loc + scale * point).sigmoid() ** power
            for point, weight in zip(POINTS.tolist(), WEIGHTS.tolist(), strict=True)
        )

    @property
    def mean(self) -> Tensor:
        return self._moment(1)

    @property
    def variance(self) -> Tensor:
        return (self._moment(2) - self._moment(1).square()).clamp_min(0)
