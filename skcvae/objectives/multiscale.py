r"""The multi-scale objective (paper, section 4.4): y at a quarter, a half and full resolution.

.. math::

    \mathcal L + \sum_{s} \log p_s(y_s \mid x)

The coarse predictions :math:`p_s` come from the baseline network's features of that
resolution, not through z. The targets :math:`y_s` are y pooled: class maps become soft
labels. The sum is not weighted.
"""

from torch import Tensor

from skcvae.data.pooling import pooled
from skcvae.documented import Documented
from skcvae.model import Conditional, Model
from skcvae.objectives.base import Bound


class MultiScale(Documented):
    """An objective plus the log-likelihoods of the coarse predictions; set by `n_scales`.

    Parameters
    ----------
    objective : Objective
        Any other, for a model with `coarse` outputs.
    """

    penalty = "kl"

    def __init__(self, objective):
        self.objective = objective

    @property
    def noise_per_sample(self) -> int:
        """Draws of noise per draw of z, of the objective inside."""
        return self.objective.noise_per_sample

    @property
    def weighs_kl(self) -> bool:
        """Whether the KL term may be weighted, of the objective inside."""
        return self.objective.weighs_kl

    @property
    def max_grad_norm(self) -> float | None:
        """Largest norm of a gradient where the user sets none."""
        return self.objective.max_grad_norm

    def bound(
        self, model: Model, given: Conditional, x: Tensor | None, y: Tensor, noise: Tensor
    ) -> Bound:
        reconstruction, kl = self.objective.bound(model, given, x, y, noise)
        for halvings, p in enumerate(given.coarse(), start=1):
            reconstruction = reconstruction + p.log_prob(pooled(y, halvings))
        return Bound(reconstruction, kl)
