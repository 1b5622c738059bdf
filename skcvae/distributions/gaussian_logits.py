r"""Labels whose logits are correlated Gaussian variables.

.. math::

    p(y) = E_\eta \prod_j p(y_j \mid \eta_j), \quad
    \eta = \mu + W u + \sigma \odot \epsilon, \quad u \sim N(0, I_r), \ \epsilon \sim N(0, I),

so that :math:`\eta \sim N(\mu, W W^\top + \mathrm{diag}(\sigma^2))`. The expectation has no closed
form: it is the mean over given draws of the noise.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.distributions import Categorical, Distribution, MixtureSameFamily


class GaussianLogits(Distribution):
    """Distribution of labels whose logits are Gaussian, with a covariance of low rank.

    `log_prob` and the moments are those of a finite mixture, with a component for each given
    draw of the noise. Samples have new noise.

    Parameters
    ----------
    loc : Tensor of shape batch + event
        Mean of the logits.
    factor : Tensor of shape batch + (rank,) + event
        Columns of W.
    scale : Tensor of shape batch + event, or None
        Standard deviations of the diagonal part; None has no such part.
    noise : Tensor of shape (n_draws, size) or batch + (n_draws, size)
        Standard normal draws of u, or of u and epsilon, for all rows or for each.
    labels : callable
        Maps logits of shape ``batch + event`` to a distribution over labels.
    event_ndim : int
        Number of trailing event dimensions.
    """

    arg_constraints: dict = {}

    def __init__(
        self,
        loc: Tensor,
        factor: Tensor,
        scale: Tensor | None,
        noise: Tensor,
        labels: Callable[[Tensor], Distribution],
        event_ndim: int,
    ):
        self.loc, self.factor, self.scale = loc, factor, scale
        self.noise, self.labels = noise, labels
        batch, event = loc.shape[:-event_ndim], loc.shape[-event_ndim:]
        super().__init__(batch, event, validate_args=False)

    def given(self, noise: Tensor) -> Distribution:
        """Return the distribution of labels given draws of the noise.

        Parameters
        ----------
        noise : Tensor of shape (n_draws, size) or batch + (n_draws, size)
            Standard normal numbers.

        Returns
        -------
        Distribution
            Of batch shape ``batch + (n_draws,)``.
        """
        event, n_event = self.event_shape, len(self.event_shape)
        rank = self.factor.shape[-n_event - 1]
        shift = noise[..., :rank] @ self.factor.flatten(-n_event)
        if self.scale is not None:
            own = self.scale.flatten(-n_event).unsqueeze(-2)
            shift = torch.addcmul(shift, noise[..., rank:], own)
        return self.labels(self.loc.unsqueeze(-n_event - 1) + shift.unflatten(-1, event))

    @property
    def mixture(self) -> MixtureSameFamily:
        """The mixture over the given draws of the noise, all of the same weight."""
        weights = self.loc.new_zeros(*self.batch_shape, self.noise.shape[-2])
        return MixtureSameFamily(
            Categorical(logits=weights, validate_args=False),
            self.given(self.noise),
            validate_args=False,
        )

    @property
    def mean(self) -> Tensor:
        return self.mixture.mean

    @property
    def variance(self) -> Tensor:
        return self.mixture.variance

    def log_prob(self, value: Tensor) -> Tensor:
        return self.mixture.log_prob(value)

    def sample(self, sample_shape=torch.Size()) -> Tensor:  # noqa: B008
        return self._given_new_noise(sample_shape).sample().squeeze(-len(self.event_shape) - 1)

    def sample_mean(self) -> Tensor:
        """Draw logits, and return the mean of the labels given them.

        Returns
        -------
        Tensor of shape batch + event
            The means: draws without the noise of single labels.
        """
        return self._given_new_noise(()).mean.squeeze(-len(self.event_shape) - 1)

    def _given_new_noise(self, sample_shape) -> Distribution:
        wide = self.expand((*sample_shape, *self.batch_shape))
        noise = self.loc.new_empty((*wide.batch_shape, 1, self.noise.shape[-1])).normal_()
        return wide.given(noise)

    def expand(self, batch_shape, _instance=None) -> "GaussianLogits":
        batch, event = tuple(batch_shape), self.event_shape
        rank = self.factor.shape[-len(event) - 1]
        shared = self.noise.ndim == 2
        return GaussianLogits(
            self.loc.expand(*batch, *event),
            self.factor.expand(*batch, rank, *event),
            None if self.scale is None else self.scale.expand(*batch, *event),
            self.noise if shared else self.noise.expand(*batch, *self.noise.shape[-2:]),
            self.labels,
            len(event),
        )
