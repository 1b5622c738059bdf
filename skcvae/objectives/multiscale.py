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

    def __init__(self, objective):
        self.objective = objective

    def __getattr__(self, name: str):
        """Return an attribute of the objective inside."""
        if name == "objective" or name.startswith("_"):  # copies ask for them before there is one
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return getattr(self.objective, name)

    def bound(
        self, model: Model, given: Conditional, x: Tensor | None, y: Tensor, noise: Tensor
    ) -> Bound:
        reconstruction, kl = self.objective.bound(model, given, x, y, noise)
        for halvings, p in enumerate(given.coarse(), start=1):
            reconstruction = reconstruction + p.log_prob(pooled(y, halvings))
        return Bound(reconstruction, kl)
