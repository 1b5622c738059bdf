"""Whole numbers that users give: NumPy's are taken, and bools are none."""

from numbers import Integral

import numpy as np
from sklearn.utils import check_scalar


def is_positive(value) -> bool:
    """Return whether a value is a whole number above zero, and no bool."""
    return isinstance(value, Integral) and not isinstance(value, bool) and value > 0


def checked(value, name: str, least: int = 1, most: int | None = None) -> int:
    """Return a whole number within bounds as an int, as torch takes no integers of NumPy."""
    number = np.bool_(value) if isinstance(value, bool) else value  # scikit-learn takes bools
    check_scalar(number, name, Integral, min_val=least, max_val=most)
    return int(value)
