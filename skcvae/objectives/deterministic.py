"""The exact log-likelihood of a model without latent variables."""

from torch import Tensor

from skcvae.model import Conditional, Model
from skcvae.objectives.base import Bound, Objective


class Deterministic(Objective):
    """The log-likelihood log p(y|x) of a model without z, exact and without draws.

    Examples
    --------
    >>> from skcvae.objectives import Deterministic
    >>> Deterministic().n_noise(n_samples=5)
    0
    """

    uses_recognition = False

    def n_noise(self, n_samples: int) -> int:
        """Return zero: there are no draws.

        Parameters
        ----------
        n_samples : int
            Not used.

        Returns
        -------
        int
            Zero.
        """
        return 0

    def bound(
        self, model: Model, given: Conditional, x: Tensor | None, y: Tensor, noise: Tensor
    ) -> Bound:
        log_p = given.likelihood().log_prob(y)
        return Bound(log_p, log_p.new_zeros(log_p.shape))
