"""Normalising flows."""

import torch
from torch import Tensor
from torch.distributions import Distribution, Independent, Transform
from torch.quasirandom import SobolEngine

from skcvae.distributions.latent import LOG_ROOT_2_PI, reparameterize

N_MOMENT_DRAWS = 128  # draws that estimate the moments of a flow


class NormalizingFlow(Distribution):
    r"""Normalising flow over a diagonal Gaussian, :math:`z = \mu + \sigma \, T(\epsilon)`.

    Parameters
    ----------
    gaussian : Independent
        Diagonal Gaussian with mean :math:`\mu` and scale :math:`\sigma`; the
        distribution of z if T is the identity.
    inverse : Transform
        The inverse of T, on flattened events, with a method `call_and_ladj` that
        returns values and the logarithm of the Jacobian's determinant.
    """

    arg_constraints: dict = {}

    def __init__(self, gaussian: Independent, inverse: Transform):
        self.gaussian = gaussian
        self.inverse = inverse
        super().__init__(gaussian.batch_shape, gaussian.event_shape, validate_args=False)

    def log_prob(self, value: Tensor) -> Tensor:
        event_ndim = len(self.event_shape)
        loc, scale = self.gaussian.mean, self.gaussian.stddev
        transformed = ((value - loc) / scale).flatten(-event_ndim)
        noise, log_det = self.inverse.call_and_ladj(transformed)
        log_scale = scale.log().flatten(-event_ndim).sum(-1)
        return -(0.5 * noise.square() + LOG_ROOT_2_PI).sum(-1) + log_det - log_scale

    @property
    def mean(self) -> Tensor:
        return self._quasi_random_draws().mean(0)

    @property
    def variance(self) -> Tensor:
        return self._quasi_random_draws().var(0)

    def _quasi_random_draws(self) -> Tensor:
        """Return draws from Sobol noise, which is the same for every flow of this size."""
        points = SobolEngine(self.event_shape.numel()).draw(N_MOMENT_DRAWS + 1)[1:]
        noise = torch.special.ndtri(points).to(self.gaussian.mean)
        return reparameterize(self, noise.reshape(N_MOMENT_DRAWS, 1, *self.event_shape))


@reparameterize.register
def _(distribution: NormalizingFlow, noise: Tensor) -> Tensor:
    batch, event = distribution.batch_shape, distribution.event_shape
    # Broadcast noise and flow parameters over rows.
    shape = torch.broadcast_shapes(noise.shape, (*batch, *event))
    noise = noise.expand(shape).flatten(-len(event))
    transformed = distribution.inverse.inv(noise).unflatten(-1, event)
    return reparameterize(distribution.gaussian, transformed)
