r"""The objective under a process: each row given the codes of the others of its batch.

.. math::

    \sum_i \mathcal L\big(x_i, y_i;\; p(z_i \mid x_i, \{q(z_j|x_j,y_j)\}_{j \ne i})\big)

with :math:`\mathcal L` any other objective. Its gradients reach the recognition network both
as that of row i and, through the process, as that of the rows that predict it.
"""

from torch import Tensor

from skcvae.documented import Documented
from skcvae.model import Conditional, Model
from skcvae.objectives.base import Bound


class LeaveOneOut(Documented):
    """An objective whose prior of each row is a process given the others; set by the prior.

    In evaluation mode the prior is the model's own.

    Parameters
    ----------
    objective : Objective
        Any other with a recognition network, for a model with a Gaussian process prior.
    """

    def __init__(self, objective):
        self.objective = objective

    @property
    def noise_per_sample(self) -> int:
        """Draws of noise per draw of z, of the objective inside."""
        return self.objective.noise_per_sample

    def bound(
        self, model: Model, given: Conditional, x: Tensor | None, y: Tensor, noise: Tensor
    ) -> Bound:
        if model.training:
            codes = model.recognition(x, y)
            given = given._replace(prior=model.prior.family.leave_one_out(x, codes))
        return self.objective.bound(model, given, x, y, noise)
