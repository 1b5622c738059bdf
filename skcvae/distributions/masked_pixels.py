r"""Images whose pixels belong to a foreground or a background, and the mask that says which.

.. math::

    p(y, m) = \prod_j \bigl(g_j \, p_f(y_j)\bigr)^{m_j} \bigl((1 - g_j) \, p_b(y_j)\bigr)^{1 - m_j}

Where the mask is not known, a pixel follows the mixture :math:`g_j p_f + (1 - g_j) p_b`.
"""

import torch
from torch import Tensor
from torch.distributions import Distribution, Independent
from torch.nn.functional import logsigmoid


class MaskedPixels(Distribution):
    """Joint distribution of an image and, as its last channel, the mask of the foreground.

    NaN entries are marginalised out.

    Parameters
    ----------
    front, back : Independent
        Distributions over images of shape (channels, height, width) with independent numbers.
    logit : Tensor of shape batch + (1, height, width)
        Logit of the probability that a pixel is of the foreground.
    """

    arg_constraints: dict = {}

    def __init__(self, front: Independent, back: Independent, logit: Tensor):
        self.front, self.back, self.logit = front, back, logit
        channels, *size = front.event_shape
        shape = torch.Size((channels + 1, *size))
        super().__init__(front.batch_shape, shape, validate_args=False)

    @property
    def mean(self) -> Tensor:
        front, back = self.front.mean, self.back.mean
        gate = self.logit.sigmoid().to(front.dtype)  # rates of counts are float64
        return torch.cat([back.lerp(front, gate), gate], -3)

    @property
    def variance(self) -> Tensor:
        front, back = self.front.variance, self.back.variance
        gate = self.logit.sigmoid().to(front.dtype)
        spread = gate * (1 - gate)
        between = spread * (self.front.mean - self.back.mean).square()
        return torch.cat([back.lerp(front, gate) + between, spread], -3)

    def by_layer(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Return the log joint density of each pixel and of its layer: foreground, background.

        Parameters
        ----------
        image : Tensor of shape batch + (channels, height, width)
            Without the mask; missing numbers are NaN.

        Returns
        -------
        tuple of Tensors of shape batch + (height, width)
            Nats.
        """

        def pixels(layer: Independent) -> Tensor:
            log_p = layer.base_dist.log_prob(image.nan_to_num(1.0))  # counts have none at NaN
            return log_p.where(~image.isnan(), 0.0).sum(-3)

        logit = self.logit.squeeze(-3)
        return logsigmoid(logit) + pixels(self.front), logsigmoid(-logit) + pixels(self.back)

    def log_prob(self, value: Tensor) -> Tensor:
        mask = value[..., -1, :, :]
        front, back = self.by_layer(value[..., :-1, :, :])
        known = front.where(mask > 0.5, back)
        return torch.logaddexp(front, back).where(mask.isnan(), known).sum((-2, -1))

    def given(self, value: Tensor) -> "MaskedPixels":
        """Return the distribution of missing entries given those that are not NaN."""
        mask = value[..., -1:, :, :]
        front, back = self.by_layer(value[..., :-1, :, :])
        posterior = (front - back).unsqueeze(-3)
        known = torch.full_like(posterior, torch.inf) * (2 * mask - 1)
        return MaskedPixels(self.front, self.back, posterior.where(mask.isnan(), known))

    def sample(self, sample_shape=torch.Size()) -> Tensor:  # noqa: B008
        gate = self.logit.sigmoid().expand(*sample_shape, *self.logit.shape)
        mask = gate.bernoulli()
        front, back = self.front.sample(sample_shape), self.back.sample(sample_shape)
        return torch.cat([front.where(mask > 0.5, back), mask], -3)

    def expand(self, batch_shape, _instance=None) -> "MaskedPixels":
        logit = self.logit.expand(*batch_shape, *self.logit.shape[-3:])
        return MaskedPixels(self.front.expand(batch_shape), self.back.expand(batch_shape), logit)


class WeightedMask(MaskedPixels):
    """Images and masks in training: a known mask counts more than once, or less.

    `log_prob` is then no density.

    Parameters
    ----------
    front, back : Independent
        Distributions over images.
    logit : Tensor of shape batch + (1, height, width)
        As in :class:`MaskedPixels`.
    weight : float
        Of the log-probability of the mask.
    """

    def __init__(self, front: Independent, back: Independent, logit: Tensor, weight: float):
        super().__init__(front, back, logit)
        self.weight = weight

    def log_prob(self, value: Tensor) -> Tensor:
        mask = value[..., -1, :, :]
        sign = (2 * mask - 1).nan_to_num()
        of_mask = logsigmoid(sign * self.logit.squeeze(-3)).where(~mask.isnan(), 0.0)
        return super().log_prob(value) + (self.weight - 1) * of_mask.sum((-2, -1))
