"""Weights of rows: which are accepted, and what they are worth."""

import warnings

import numpy as np
from sklearn.utils import check_array
from torch import Tensor

from skcvae.data.reading import numbers

FEW = 3
NOTABLE = 10  # rows: fewer are known to be few


def weights_of_rows(sample_weight, n_rows: int, of: str = "X") -> np.ndarray:
    """Return one weight per row, not negative and not all zero; None counts as ones."""
    try:
        weight = 1.0 if sample_weight is None else numbers(sample_weight, "sample_weight")
        weight = np.asarray(weight, dtype=float)
    except TypeError:
        raise ValueError(f"sample_weight must be numbers, got {sample_weight!r:.60}.") from None
    weight = weight if weight.ndim else np.full(n_rows, weight)
    if weight.shape != (n_rows,):
        raise ValueError(
            f"sample_weight must have one weight for each of the {n_rows} rows of {of}, got shape "
            f"{weight.shape}."
        )
    if not weight.any():
        raise ValueError("sample_weight must have a positive weight, got only weights of zero.")
    how = {"ensure_2d": False, "ensure_non_negative": True, "input_name": "sample_weight"}
    return check_array(weight, **how)


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
