"""What weights of rows are worth."""

import warnings

import numpy as np
from torch import Tensor

FEW = 3
NOTABLE = 10  # rows: fewer are known to be few


def effective_rows(weight: np.ndarray | Tensor) -> float:
    """Return how many rows of equal weight would have as exact a mean (Kish, 1965)."""
    share = weight / weight.max()  # whose squares do not overflow
    return float(share.sum() ** 2 / (share * share).sum())


def warn_of_few(weight: np.ndarray) -> None:
    """Warn if a row or two have nearly all of the weight."""
    n_rows, n_effective = np.count_nonzero(weight), effective_rows(weight)
    if n_rows >= NOTABLE and n_effective < FEW:
        warnings.warn(
            f"sample_weight makes {n_rows:,} rows count as {n_effective:.1f}, since a few have "
            "nearly all of the weight. Little can be learned from so few: limit the weights.",
            UserWarning,
            stacklevel=8,
        )
