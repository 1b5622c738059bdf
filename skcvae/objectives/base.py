"""The base class of objectives, and the two terms that they return."""

from abc import ABC, abstractmethod
from typing import NamedTuple

from torch import Tensor

from skcvae.documented import Documented
from skcvae.model import Conditional, Model


class Bound(NamedTuple):
    """The two terms of an objective, nats per example.

    Parameters
    ----------
    reconstruction : Tensor of shape (n,)
        The mean of log p(y|x,z) over the draws.
    kl : Tensor of shape (n,), or (n, n_latent_scales)
        KL(q(z|x,y) || p(z|x)), or its terms at several latent scales; zero where there is no
        recognition network. An estimate from draws may be negative.
    """

    reconstruction: Tensor
    kl: Tensor

    @property
    def total_kl(self) -> Tensor:
        """The KL term of each example, of shape (n,)."""
        return self.kl if self.kl.ndim == 1 else self.kl.sum(1)


class Objective(Documented, ABC):
    """Base class of objectives.

    Attributes
    ----------
    uses_latents : bool
        Whether the model has latent variables.
    uses_recognition : bool
        Whether a recognition network q(z|x,y) is trained.
    draws_from_prior : bool
        Whether gradients flow through draws from the prior.
    weighs_kl : bool
        Whether the KL term may be weighted, by `beta` and `kl_warmup`.
    noise_per_sample : int
        Draws of noise for each of the L draws of z that the user asks for.
    penalty : str
        Name of the second term in the history.
    varying : tuple of str
        Parameters in which the members of a stack may differ; they are tensors there.
    max_grad_norm : float or None
        Largest norm of a gradient where the user sets none.
    """

    _parameter_constraints = {}

    uses_latents = True
    uses_recognition = True
    draws_from_prior = False
    weighs_kl = True
    noise_per_sample = 1
    penalty = "kl"
    varying: tuple[str, ...] = ()
    max_grad_norm: float | None = 1.0

    @abstractmethod
    def bound(
        self, model: Model, given: Conditional, x: Tensor | None, y: Tensor, noise: Tensor
    ) -> Bound:
        """Return the objective of each example.

        Parameters
        ----------
        model : Model
            The networks.
        given : Conditional
            The model given x: p(z|x) and p(y|x,z).
        x : Tensor of shape (n, ...) or None
            Inputs; None where the model has nothing to condition on.
        y : Tensor of shape (n, ...)
            Outputs.
        noise : Tensor of shape (L * noise_per_sample, n, ...)
            Standard normal numbers, for :func:`skcvae.distributions.reparameterize`.

        Returns
        -------
        Bound
            The two terms.
        """
