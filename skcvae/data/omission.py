"""Input omission noise (paper, section 4.4): a random part of each x is set to zero.

It is applied during training only. Zero is the mean if X is standardised. In an image,
one square is omitted; its side is uniform between zero and a share of the image's shorter
side, and its position is uniform inside the image. In a vector, that share of the
elements is omitted, independently.
"""

import torch
from torch import Generator, Tensor


def omit(x: Tensor, share: float, source: Generator) -> Tensor:
    """Return rows with a part of each set to zero: a square of images, numbers of vectors."""
    if x.ndim > 2:
        return omit_square(x, share, source)
    omitted = torch.rand(x.shape, generator=source) < share
    return x.masked_fill(omitted.to(x.device), 0.0)


def omit_square(x: Tensor, largest: float, source: Generator) -> Tensor:
    """Return images with one square of each set to zero."""
    height, width = x.shape[-2:]
    side, down, right = torch.rand((3, len(x), 1), generator=source)
    side = side * largest * min(height, width)
    rows = _inside(height, down, side)
    columns = _inside(width, right, side)
    omitted = (rows[:, :, None] & columns[:, None, :]).to(x.device)
    return x.masked_fill(omitted.reshape(len(x), *[1] * (x.ndim - 3), height, width), 0.0)


def _inside(length: int, place: Tensor, side: Tensor) -> Tensor:
    """Return a mask of the pixel centres in an interval of length `side`, for each row."""
    start = place * (length - side)
    centres = torch.arange(length) + 0.5
    return (start <= centres) & (centres < start + side)
