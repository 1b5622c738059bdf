"""The parts that objectives share: the two terms, the module that is trained, the loss.

An objective returns the reconstruction and the KL term apart, as a :class:`Bound`, so that
a history can show both; :class:`Loss` weights the KL term and takes the mean.
"""

from abc import abstractmethod
from typing import NamedTuple

from torch import Tensor, nn

from skcvae.documented import Documented
from skcvae.model import Conditional, Model


class Bound(NamedTuple):
    """The two terms of an objective, nats per example.

    Parameters
    ----------
    reconstruction : Tensor of shape (n,)
        The mean of log p(y|x,z) over the draws.
    kl : Tensor of shape (n,)
        KL(q(z|x,y) || p(z|x)), zero where there is no recognition network. An estimate
        from draws may be negative.
    """

    reconstruction: Tensor
    kl: Tensor


class Objective(Documented):
    """Base class of objectives.

    Attributes
    ----------
    uses_recognition : bool
        Whether a recognition network q(z|x,y) is trained.
    draws_from_prior : bool
        Whether gradients flow through draws from the prior.
    weighs_kl : bool
        Whether the KL term may be weighted, by `beta` and `kl_warmup`.
    """

    _parameter_constraints = {}

    uses_recognition = True
    draws_from_prior = False
    weighs_kl = True

    def n_noise(self, n_samples: int) -> int:
        """Return the number of noise draws per example.

        Parameters
        ----------
        n_samples : int
            Draws L of z that the user asked for.

        Returns
        -------
        int
            By default L.
        """
        return n_samples

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
        noise : Tensor of shape (n_noise, n, ...)
            Standard normal numbers, for :func:`skcvae.distributions.reparameterize`.

        Returns
        -------
        Bound
            The two terms.
        """


def pair_of(arrays: tuple[Tensor, ...]) -> tuple[Tensor | None, Tensor]:
    """Return (x, y) of a batch; x is None where nothing is conditioned on.

    Parameters
    ----------
    arrays : tuple of Tensors of shape (n, ...)
        (x, y), or (y,).

    Returns
    -------
    tuple of (Tensor or None, Tensor)
        Inputs and outputs.
    """
    return (None, *arrays) if len(arrays) == 1 else arrays


class ObjectiveModule(nn.Module):
    """A model under an objective: the module that skorch trains.

    Parameters
    ----------
    model : Model
        The networks.
    objective : Objective
        What is maximised.
    n_samples : int, default=1
        Draws L of z per example.
    """

    def __init__(self, model: Model, objective: Objective, n_samples: int = 1):
        super().__init__()
        self.model = model
        self.objective = objective
        self.n_noise = objective.n_noise(n_samples)

    @property
    def noise_shape(self) -> tuple[int, ...]:
        """Shape of the noise of one example: draws first."""
        return (self.n_noise, *self.model.noise_shape)

    def forward(
        self, arrays: tuple[Tensor, ...], noise: Tensor, given: Conditional | None = None
    ) -> Bound:
        given = given or self.model.condition(*arrays[:-1])
        return self.objective.bound(self.model, given, x, y, noise[: self.n_noise])

    def train(self, mode: bool = True) -> "ObjectiveModule":
        """Set the mode; a no-op if it is unchanged, since skorch calls it for each batch.

        Parameters
        ----------
        mode : bool, default=True
            Whether to train.

        Returns
        -------
        ObjectiveModule
            Itself.
        """
        return self if self.training == mode else super().train(mode)


class Loss:
    r"""Negative weighted mean of an objective, with a weight for the KL term.

    Parameters
    ----------
    beta : float, default=0.0
        The KL term is weighted by :math:`1 + \beta`.
    warmup : int, default=0
        Number of first epochs over which the weight of the KL term grows linearly to its
        value. 0 is the paper's setting.
    """

    def __init__(self, beta: float = 0.0, warmup: int = 0):
        self.beta = beta
        self.warmup = warmup
        self.epoch = warmup

    @property
    def kl_weight(self) -> float:
        """Weight of the KL term in the current epoch."""
        progress = min((self.epoch + 1) / (self.warmup + 1), 1.0)
        return (1 + self.beta) * progress

    def __call__(self, bound: Bound, weight: Tensor | None = None) -> Tensor:
        value = bound.reconstruction - self.kl_weight * bound.kl
        return -(value if weight is None else value * weight).mean()
