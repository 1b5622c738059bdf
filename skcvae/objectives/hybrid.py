r"""The hybrid objective (paper, section 4.2).

.. math::

    \mathcal L_{\mathrm{hybrid}} = \alpha \, \mathcal L_{\mathrm{CVAE}}
        + (1 - \alpha) \, \mathcal L_{\mathrm{GSNN}}
"""

from numbers import Real

from sklearn.utils._param_validation import Interval
from torch import Tensor

from skcvae.model import Conditional, Model
from skcvae.objectives.base import Bound, Objective
from skcvae.objectives.elbo import ELBO
from skcvae.objectives.gsnn import GSNN


class Hybrid(Objective):
    """The weighted sum of the CVAE's and the GSNN's objective, L draws for each.

    Parameters
    ----------
    alpha : float, default=0.5
        Weight of the CVAE's objective, in [0, 1]. 1 is :class:`ELBO`, 0 is :class:`GSNN`.

    References
    ----------
    Sohn, Lee and Yan (2015), *Learning Structured Output Representation using Deep
    Conditional Generative Models*, NIPS, section 4.2.

    Examples
    --------
    >>> from skcvae import CVAERegressor
    >>> CVAERegressor(objective="hybrid").set_params(objective__alpha=0.3).objective
    Hybrid(alpha=0.3)
    """

    _parameter_constraints = {"alpha": [Interval(Real, 0, 1, closed="both")]}

    def __init__(self, alpha=0.5):
        self.alpha = alpha

    @property
    def uses_recognition(self) -> bool:
        """Whether a recognition network is trained."""
        return bool(self.alpha > 0)

    @property
    def draws_from_prior(self) -> bool:
        """Whether gradients flow through draws from the prior."""
        return bool(self.alpha < 1)

    @property
    def noise_per_sample(self) -> int:
        """Draws of noise per draw of z: two, or one at the ends."""
        return self.uses_recognition + self.draws_from_prior

    @property
    def varying(self) -> tuple[str, ...]:
        """Parameters in which members of a stack may differ: `alpha`, between the ends."""
        return ("alpha",) if 0 < self.alpha < 1 else ()

    def bound(
        self, model: Model, given: Conditional, x: Tensor | None, y: Tensor, noise: Tensor
    ) -> Bound:
        if isinstance(self.alpha, Real) and self.alpha in (0, 1):
            end = ELBO() if self.alpha else GSNN()
            return end.bound(model, given, x, y, noise)
        from_posterior, from_prior = noise.chunk(2)
        cvae = ELBO().bound(model, given, x, y, from_posterior)
        gsnn = GSNN().bound(model, given, x, y, from_prior)
        return Bound(
            self.alpha * cvae.reconstruction + (1 - self.alpha) * gsnn.reconstruction,
            self.alpha * cvae.kl,
        )
