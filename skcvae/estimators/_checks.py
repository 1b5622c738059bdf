"""Input validation: arrays, weights, parameters, devices."""

import contextlib
import math
from numbers import Integral

import numpy as np
import torch
from scipy.sparse import issparse
from sklearn.utils import check_array
from sklearn.utils.validation import _check_sample_weight, validate_data

from skcvae.data.coding import FORWARD_ROWS, slices
from skcvae.estimators._suggestions import suggestion


@contextlib.contextmanager
def restored_on_error(estimator):
    """Leave an estimator as it was if anything goes wrong inside."""
    before = dict(vars(estimator))
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise


def inputs(estimator, X, *, name="X", reset=False):
    """Return X as an array of finite numbers, rows of the shape seen in fit."""
    _refuse_strings(X, name)
    X = validate_data(estimator, X, reset=reset, allow_nd=True)
    if not reset and X.shape[1:] != estimator.x_shape_:
        raise ValueError(
            f"{name} has rows of shape {X.shape[1:]}, expected {estimator.x_shape_} as in fit."
        )
    return X


def targets(estimator, y, *, n_rows, likelihood, name="y", shape=None, partial=False):
    """Return y as an array of numbers that the likelihood accepts; NaN if `partial`."""
    if y is None:
        raise ValueError(
            f"{type(estimator).__name__} requires {name} to be passed, "
            f"but the target {name} is None."
        )
    if issparse(y):
        raise TypeError(f"{name} must be dense, got a sparse {type(y).__name__}.")
    _refuse_strings(y, name)
    if not np.isscalar(y):
        y = check_array(
            y,
            ensure_2d=False,
            allow_nd=True,
            ensure_all_finite="allow-nan",
            input_name=name,
            estimator=estimator,
        )
    if np.isscalar(y) or len(y) != n_rows:
        raise ValueError(
            f"{name} must have one row for each of the {n_rows} rows of X, got shape "
            f"{np.shape(y)}."
        )
    if shape is not None and y.shape[1:] != shape:
        if y[0].size != np.prod(shape, dtype=int) or y.ndim > 2 or len(shape) > 1:
            raise ValueError(
                f"{name} has rows of shape {y.shape[1:]}, expected {shape} as in fit."
            )
        y = y.reshape(n_rows, *shape)
    holes = any(np.isnan(y[rows]).any() for rows in slices(len(y), FORWARD_ROWS))
    if holes and not partial:
        raise ValueError(
            f"Input {name} contains NaN. {type(estimator).__name__} takes NaN, not observed, only "
            "where partial_y=True in fit, and in complete."
        )
    if not (holes and np.isnan(y).all()):
        likelihood.check_targets(y)
    return y


def unknown(mask, y):
    """Return y as floats with NaN where the mask says that nothing is known."""
    _refuse_strings(y, "y_partial")
    if mask is None or issparse(y):
        return y
    y, mask = np.array(y, dtype=float), np.asarray(mask)
    if mask.dtype != bool or mask.shape != y.shape:
        raise ValueError(
            f"mask must be boolean and of the shape of y_partial, {y.shape}, got {mask.dtype} of "
            f"shape {mask.shape}."
        )
    y[mask] = np.nan
    return y


def weights(sample_weight, X):
    """Return one weight per row, not negative and not all zero; None counts as ones."""
    if sample_weight is not None and not np.asarray(sample_weight).any():
        raise ValueError("sample_weight must have a positive weight, got only weights of zero.")
    return _check_sample_weight(sample_weight, X, ensure_non_negative=True)


def pairs(dataset, y, name="X"):
    """Return a Dataset of pairs (x, y), of which y is a part."""
    if y is not None:
        raise ValueError(
            f"{name} is a Dataset, whose items are pairs (x, y): expected no y beside it, got a "
            f"{type(y).__name__}."
        )
    if not hasattr(dataset, "__len__") or not len(dataset):
        raise ValueError(f"{name} as a Dataset must have a length above zero, got {dataset!r}.")
    return dataset


def levels(quantiles):
    """Return quantile levels as an array."""
    array = np.asarray(quantiles, dtype=float)
    if array.ndim > 1 or not array.size or not ((array >= 0) & (array <= 1)).all():
        raise ValueError(
            "quantiles must be a number in [0, 1] or a non-empty sequence of them, "
            f"got {quantiles!r}."
        )
    return array


def checkpoint_parameters(estimator):
    """Refuse a checkpoint beside another start, or in several processes."""
    if estimator.checkpoint is None:
        return
    for name, other in (("warm_start", False), ("accelerator", None)):
        if getattr(estimator, name):
            raise ValueError(
                f"checkpoint={str(estimator.checkpoint)!r} expects {name}={other}, got "
                f"{name}={getattr(estimator, name)!r}."
            )


def available_device(name):
    """Return the device to train on; "auto" takes CUDA where there is one."""
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    kind, _, index = name.partition(":")
    known = {"cpu": 1, "cuda": torch.cuda.device_count()}
    if kind not in known or (index and not index.isdigit()) or int(index or 0) >= known[kind]:
        raise ValueError(
            "device must be 'auto', 'cpu', 'cuda' or 'cuda:N', and be there: got "
            f"{name!r} on a machine with {known['cuda']} CUDA devices."
        )
    return name


@contextlib.contextmanager
def memory_of(device):
    """Say what may be done where a GPU, perhaps a shared one, has too little memory."""
    try:
        yield
    except torch.cuda.OutOfMemoryError as error:
        raise MemoryError(
            f"The memory of device {device!r} does not suffice. Expected room for the networks "
            "and a batch: take a smaller batch_size or smaller layers, or, where several workers "
            f"share the device, a smaller n_jobs. {error}"
        ) from error


def _refuse_strings(array, name):
    if issparse(array):
        return
    # A list of numbers and strings would turn into strings throughout; a frame would not.
    kind = object if isinstance(array, list | tuple) else None
    values = np.asarray(array, dtype=kind)
    found = None
    if values.dtype.kind in "US":
        found = values.flat[0] if values.size else ""
    elif values.dtype.kind == "O":
        found = next((v for v in values.flat if isinstance(v, str | bytes)), None)
    if found is not None:
        raise ValueError(f"{name} must hold numbers, got a string such as {str(found)!r}.")


def row_shape(given, array, name):
    """Return the shape in which the networks see one row of an array.

    Parameters
    ----------
    given : tuple of int or None
        The parameter `x_shape` or `y_shape`; None takes rows as they are.
    array : ndarray of shape (n_rows, ...)
        X or y.
    name : str
        Of the parameter, for the error.

    Returns
    -------
    tuple of int
        At least one dimension.

    Raises
    ------
    ValueError
        If `given` is not a shape of as many numbers as a row has.
    """
    own = array.shape[1:] or (1,)
    if given is None:
        return own
    shape = tuple(given)
    whole = shape and all(isinstance(side, Integral) and side > 0 for side in shape)
    if not whole or math.prod(shape) != math.prod(own):
        raise ValueError(
            f"{name} must be the shape of one row, positive ints whose product is the "
            f"{math.prod(own)} numbers of a row, got {given!r}."
        )
    return shape


def resolutions(n_scales, y_row, likelihood, *, has_baseline):
    """Refuse predictions at several resolutions where they have no meaning.

    Parameters
    ----------
    n_scales : int
        Number of resolutions.
    y_row : tuple of int
        Shape of one row of y.
    likelihood : object
        Of y.
    has_baseline : bool
        Whether a baseline network makes the coarse predictions.

    Raises
    ------
    ValueError
        If rows are not images, there is no baseline network, or means of targets are no
        targets.
    """
    if n_scales == 1:
        return
    if len(y_row) < 2:
        raise ValueError(
            f"n_scales={n_scales} expects images, rows of y of shape (height, width) or "
            f"(channels, height, width), got rows of shape {y_row}. Give y_shape where they are "
            "flat."
        )
    if not has_baseline:
        raise ValueError(
            f"n_scales={n_scales} predicts the coarser scales from the baseline network "
            "and expects initial_guess=True, got False."
        )
    if not likelihood.accepts_means:
        raise ValueError(
            f"n_scales={n_scales} predicts means of pixels, which are no counts, got "
            f"likelihood={likelihood!r}. Set n_scales=1 or take another likelihood."
        )
