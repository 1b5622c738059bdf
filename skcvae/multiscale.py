r"""The multi-scale objective (paper, section 4.4): y at full, half and quarter resolution.

.. math::

    \mathcal L + \sum_{s} \log p_s(y_s \mid x)

The coarse predictions :math:`p_s` use the baseline network's features at that resolution
and do not depend on z. The targets :math:`y_s` are average-pooled y; label maps become
soft labels, the share of each class. The terms have equal weight.
"""

from torch import Tensor
from torch.nn import functional as F

from skcvae.model import Conditional
from skcvae.networks.convolutions import level_sizes
from skcvae.objectives import Bound, Objective


class MultiScale(Objective):
    """An objective plus the log-likelihoods of the coarse predictions.

    Parameters
    ----------
    objective : Objective
        The objective at full resolution, of a model with `coarse` outputs.
    """

    def __init__(self, objective: Objective):
        super().__init__(objective.model, objective.n_draws)
        # The bound method only: as a submodule the objective would list its weights twice.
        self.full_scale = objective.bound

    def bound(self, given: Conditional, x: Tensor, y: Tensor, noise: Tensor) -> Bound:
        reconstruction, kl = self.full_scale(given, x, y, noise)
        for halvings, p in enumerate(given.coarse(), start=1):
            reconstruction = reconstruction + p.log_prob(pooled(y, halvings))
        return Bound(reconstruction, kl)


def pooled(y: Tensor, halvings: int) -> Tensor:
    """Average-pool images, ignoring missing pixels.

    Parameters
    ----------
    y : Tensor of shape (n, ..., height, width)
        Images; missing pixels are NaN.
    halvings : int
        Squares with a side of 2**halvings become one pixel; they are cut off at the
        lower and right border if the size is not divisible.

    Returns
    -------
    Tensor of shape (n, ..., ceil(height / 2**halvings), ceil(width / 2**halvings))
        NaN where no pixel was observed.
    """
    observed = ~y.isnan()
    total = _pool(y.where(observed, 0.0), 2**halvings)
    return total / _pool(observed.to(y.dtype), 2**halvings)


def _pool(images: Tensor, side: int) -> Tensor:
    flat = images.reshape(-1, 1, *images.shape[-2:])
    means = F.avg_pool2d(flat, side, ceil_mode=True, count_include_pad=False)
    return means.reshape(*images.shape[:-2], *means.shape[-2:])


def pooled_shape(shape: tuple[int, ...], halvings: int) -> tuple[int, ...]:
    """Return the shape of a pooled image.

    Parameters
    ----------
    shape : tuple of int
        Shape of an image, with or without dimensions before height and width.
    halvings : int
        As in :func:`pooled`.

    Returns
    -------
    tuple of int
        The shape with reduced height and width.
    """
    return (*shape[:-2], *level_sizes(shape[-2:], halvings + 1)[-1])
