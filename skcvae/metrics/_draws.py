"""Validation of targets, draws and weights."""

import numpy as np
from sklearn.utils import assert_all_finite

from skcvae.data.weights import weights_of_rows
from skcvae.pipelines._frames import as_array, as_numbers


def observed_outputs(y_true):
    """Return y as floats and the mask of its observed entries, those that are not NaN."""
    y_true = as_numbers(y_true, "y_true")
    observed = ~np.isnan(y_true)
    if not y_true.ndim or not observed.any():
        raise ValueError(
            f"y_true must have an observed output, got only NaN in shape {y_true.shape}."
        )
    return y_true, observed


def with_draws(y_true, draws, *, at_least):
    """Return y and draws as floats, and the mask of observed y.

    Check shapes, names of frames, and that draws of observed y are finite.
    """
    draws = as_array(draws, y_true, "draws")
    y_true, observed = observed_outputs(y_true)
    if are_one_output(y_true.shape, draws.shape[1:]):
        draws = draws.reshape(-1, *y_true.shape)
    if draws.shape[1:] != y_true.shape or len(draws) < at_least:
        raise ValueError(
            f"draws must have shape (n_samples, {', '.join(map(str, y_true.shape))}) for y_true "
            f"of shape {y_true.shape}, with n_samples at least {at_least}, got {draws.shape}."
        )
    assert_all_finite(draws[:, observed], input_name="draws")
    return y_true, draws, observed


def are_one_output(*shapes):
    """Return whether two shapes are of one output, with and without an axis of outputs."""
    flat = min(shapes, key=len)
    return len(flat) == 1 and {*shapes} == {flat, (*flat, 1)}


def weights_of_outputs(sample_weight, y_true):
    """Return the weight of its row for each output."""
    weight = weights_of_rows(sample_weight, len(y_true), of="y_true")
    is_observed = ~np.isnan(y_true).reshape(len(y_true), -1).all(axis=1)
    if not weight[is_observed].any():
        raise ValueError("sample_weight must not be zero for all rows with an observed output.")
    return np.broadcast_to(weight.reshape(-1, *[1] * (y_true.ndim - 1)), y_true.shape)
