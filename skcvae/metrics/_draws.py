"""Validation of targets, draws and weights."""

import numpy as np
from sklearn.utils import assert_all_finite
from sklearn.utils.validation import _check_sample_weight


def observed_outputs(y_true):
    """Return y as floats and the mask of its observed entries, those that are not NaN."""
    y_true = np.asarray(y_true, dtype=float)
    observed = ~np.isnan(y_true)
    if not y_true.ndim or not observed.any():
        raise ValueError(
            f"y_true must have an observed output, got only NaN in shape {y_true.shape}."
        )
    return y_true, observed


def from_frame(array, y_true):
    """Return draws or intervals in the layout of arrays, also from frames (`as_frame=True`)."""
    if getattr(getattr(array, "index", None), "nlevels", 1) > 1:
        draws = array.index.get_level_values(0).to_numpy()
        array = array.to_numpy().reshape(-1, *y_true.shape)
        if (draws.reshape(len(array), -1) != draws.reshape(len(array), -1)[:, :1]).any():
            raise ValueError("A frame of draws must have all rows of one draw together.")
    elif getattr(getattr(array, "columns", None), "nlevels", 1) > 1:
        array = array.to_numpy().reshape(*y_true.shape, -1)
    return np.asarray(array, dtype=float)


def draws_of(draws, y_true, observed, *, at_least):
    """Return draws as floats; check their shape, and that draws of observed y are finite."""
    draws = from_frame(draws, y_true)
    if draws.shape[1:] != y_true.shape or len(draws) < at_least:
        raise ValueError(
            f"draws must have shape (n_samples, {', '.join(map(str, y_true.shape))}) for y_true "
            f"of shape {y_true.shape}, with n_samples at least {at_least}, got {draws.shape}."
        )
    assert_all_finite(draws[:, observed], input_name="draws")
    return draws


def weights_of_outputs(sample_weight, y_true):
    """Return the weight of its row for each output."""
    if sample_weight is not None and not np.asarray(sample_weight).any():
        raise ValueError("sample_weight must have a positive weight, got only weights of zero.")
    weight = _check_sample_weight(sample_weight, y_true, ensure_non_negative=True)
    return np.broadcast_to(weight.reshape(-1, *[1] * (y_true.ndim - 1)), y_true.shape)
