r"""The multi-scale objective (paper, section 4.4): y at a quarter, a half and full resolution.

.. math::

    \mathcal L + \sum_{s} \log p_s(y_s \mid x)

The coarse predictions :math:`p_s` come from the baseline network's features of
that resolution, not through z. The targets :math:`y_s` are y pooled: class maps
become soft labels, which are weighted by the share of each class. The sum is not
weighted.
"""

from torch import Tensor
from torch.nn import functional as F

from skcvae.model import Conditional
from skcvae.networks.convolutions import level_sizes
from skcvae.objectives import Bound, Objective


class MultiScale(Objective):
    """An objective with the coarse predictions' log-likelihoods added.

    Parameters
    ----------
    objective : Objective
        Any other, of a model with `coarse` outputs.
    """

    def __init__(self, objective: Objective):
        super().__init__(objective.model, objective.n_draws)
        # The method alone: as a part of this module the objective would list its weights twice.
        self.full_scale = objective.bound

    def bound(self, given: Conditional, x: Tensor, y: Tensor, noise: Tensor) -> Bound:
        reconstruction, kl = self.full_scale(given, x, y, noise)
        for halvings, p in enumerate(given.coarse(), start=1):
            reconstruction = reconstruction + p.log_prob(pooled(y, halvings))
        return Bound(reconstruction, kl)


def pooled(y: Tensor, halvings: int) -> Tensor:
    """Return images at lower resolution: means of what is observed.

    Parameters
    ----------
    y : Tensor of shape (n, ..., height, width)
        Images; NaN counts as not observed.
    halvings : int
        Squares of a side of 2**halvings become one pixel; smaller ones at the
        lower and right border, where the size does not divide.

    Returns
    -------
    Tensor of shape (n, ..., ceil(height / 2**halvings), ceil(width / 2**halvings))
        NaN where nothing was observed.
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
        An image's, with dimensions before height and width or without.
    halvings : int
        As of :func:`pooled`.

    Returns
    -------
    tuple of int
        With smaller height and width.
    """
    return (*shape[:-2], *level_sizes(shape[-2:], halvings + 1)[-1])
