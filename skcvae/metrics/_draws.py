"""Outputs that were observed, and what was drawn or predicted of them."""

import numpy as np
from sklearn.utils import assert_all_finite
from sklearn.utils.validation import _check_sample_weight


def observed_outputs(y_true):
    """Return y as floats, and where it is not NaN."""
    y_true = np.asarray(y_true, dtype=float)
    observed = ~np.isnan(y_true)
    if not y_true.ndim or not observed.any():
        raise ValueError(
            "y_true must have rows and an observed output among them, got none in shape "
            f"{y_true.shape}."
        )
    return y_true, observed


def draws_of(draws, y_true, observed, *, at_least):
    """Return draws as floats, of the shape of y and finite where it was observed."""
    draws = np.asarray(draws, dtype=float)
    if draws.shape[1:] != y_true.shape or len(draws) < at_least:
        raise ValueError(
            f"draws must have shape (n_samples, {', '.join(map(str, y_true.shape))}) for y_true "
            f"of shape {y_true.shape}, with n_samples at least {at_least}, got {draws.shape}."
        )
    assert_all_finite(draws[:, observed], input_name="draws")
    return draws


def weights_of_outputs(sample_weight, y_true):
    """Return the weight of its row for each output."""
    weight = _check_sample_weight(sample_weight, y_true, ensure_non_negative=True)
    if not weight.any():
        raise ValueError("sample_weight must have a positive weight, got only weights of zero.")
    return np.broadcast_to(weight.reshape(-1, *[1] * (y_true.ndim - 1)), y_true.shape)
