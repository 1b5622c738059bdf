"""Average pooling of images with missing pixels, for predictions at several resolutions."""

import math

from torch import Tensor
from torch.nn import functional as F


def pooled(y: Tensor, halvings: int) -> Tensor:
    """Return images at lower resolution: means of the observed pixels."""
    y = y if y.is_floating_point() else y.float()
    observed = ~y.isnan()
    total = _pool(y.where(observed, 0.0), 2**halvings)
    return total / _pool(observed.to(y.dtype), 2**halvings)


def _pool(images: Tensor, side: int) -> Tensor:
    flat = images.reshape(-1, 1, *images.shape[-2:])
    means = F.avg_pool2d(flat, side, ceil_mode=True, count_include_pad=False)
    return means.reshape(*images.shape[:-2], *means.shape[-2:])


def pooled_shape(shape: tuple[int, ...], halvings: int) -> tuple[int, ...]:
    """Return the shape of a pooled image."""
    return (*shape[:-2], *(math.ceil(side / 2**halvings) for side in shape[-2:]))
