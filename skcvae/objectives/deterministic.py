"""The exact log-likelihood of a model without latent variables."""

from torch import Tensor

from skcvae.model import Conditional, Model
from skcvae.objectives.base import Bound, Objective


class Deterministic(Objective):
    """The log-likelihood log p(y|x) of a model without z, exact and without draws.

    Examples
    --------
    >>> from skcvae.objectives import Deterministic
    >>> Deterministic().noise_per_sample
    0
    """

    uses_latents = False
    uses_recognition = False
    noise_per_sample = 0

    def bound(
        self, model: Model, given: Conditional, x: Tensor | None, y: Tensor, noise: Tensor
    ) -> Bound:
        log_p = given.likelihood().log_prob(y)
        return Bound(log_p, log_p.new_zeros(log_p.shape))
