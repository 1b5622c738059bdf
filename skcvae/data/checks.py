"""Whether rows, and their shapes, suit an architecture and a likelihood."""

import math
import warnings

import numpy as np

from skcvae import whole_numbers
from skcvae.data.coding import columns_of, thinned

Shape = tuple[int, ...]

MOST_LABELS = 10  # of images: with more values they are likely to be numbers
FAR_APART = 5.0  # spread of the means of lines over that within; of photographs it is near 0.5


def row_shape(given, array: np.ndarray, name: str) -> Shape:
    """Return the shape in which the networks see one row of an array."""
    own = array.shape[1:] or (1,)
    if given is None:
        if has_channels_last(own):
            array_name = {"x_shape": "X"}.get(name, "y")
            raise ValueError(
                f"{array_name} has rows of shape {own}, images with channels last, expected "
                f"channels first: np.moveaxis(..., -1, 1). If it has {own[0]} channels, say so by "
                f"{name}={own}."
            )
        return own
    shape = tuple(given)
    whole = shape and all(map(whole_numbers.is_positive, shape))
    if not whole or math.prod(shape) != math.prod(own):
        raise ValueError(
            f"{name} must be the shape of one row, positive ints whose product is the "
            f"{math.prod(own)} numbers of a row, got {given!r}."
        )
    return tuple(map(int, shape))


def has_channels_last(shape: Shape) -> bool:
    """Return whether rows of a shape are images (height, width, channels), by all appearances."""
    is_last = len(shape) == 3 and (shape[2] in (1, 3, 4) or shape[0] == shape[1] > shape[2])
    return is_last and min(shape[:2]) > 4


def are_sequences(rows: np.ndarray, architecture, name: str) -> bool:
    """Return whether an architecture reads rows as sequences (length, channels)."""
    if not getattr(architecture, "reads_sequences", False):
        return False
    if rows.ndim > 3:
        raise ValueError(
            f"{architecture!r} expects rows of {name} to be vectors or sequences of shape "
            f"(length, channels), got rows of shape {rows.shape[1:]}."
        )
    return rows.ndim == 3


def check_without_inputs(architecture) -> None:
    """Raise an error if an architecture has parts that only models of y given x have."""
    if getattr(architecture, "bins", None) is not None:
        raise ValueError(
            "bins of the architecture encode the inputs of a conditional model, and this one has "
            f"none: expected bins=None, got {architecture!r}."
        )
    n_scales = getattr(architecture, "n_latent_scales", 1)
    if n_scales != 1:
        raise ValueError(
            f"n_latent_scales={n_scales} is for models of images given inputs, whose latent "
            "variables are maps. Here they are a vector: expected n_latent_scales=1."
        )


def check_observed(y: np.ndarray, likelihood, name: str = "y") -> None:
    """Raise an error if a column, or a channel of images, is never observed, or may not be so."""
    if not getattr(likelihood, "accepts_missing", True):
        raise ValueError(
            f"partial_y=True marginalises out entries of y, which {likelihood!r} cannot: expected "
            "partial_y=False, or another likelihood."
        )
    missing = np.isnan(columns_of(y)).all(axis=0)
    if missing.any():
        raise ValueError(
            f"{name} has columns or channels that are NaN in every row, expected each observed at "
            f"least once; these never are: {np.flatnonzero(missing)[:5].tolist()}."
        )


def warn_of_channels(rows: np.ndarray, name: str) -> None:
    """Warn if lines of images have means far apart: they are then channels in several units."""
    if rows.ndim != 3:
        return
    some = np.ma.masked_invalid(thinned(rows))
    for axis, lines, channels in ((1, "rows", "first"), (2, "columns", "last")):
        others = (0, 3 - axis)
        if some.mean(axis=others).std() > FAR_APART * some.var(axis=others).mean() ** 0.5:
            warnings.warn(
                f"{name} has rows of shape {rows.shape[1:]}, read as images with one mean and one "
                f"scale, but their {lines} differ in their means far more than they vary, as the "
                f"channels of sequences do, here {channels}. For sequences of shape (length, "
                "channels) use architecture='temporal'; for any other numbers give flat rows, "
                f"{name}.reshape(len({name}), -1). If they are images, say so by "
                f"{'x_shape' if name == 'X' else 'y_shape'}={rows.shape[1:]}.",
                UserWarning,
                stacklevel=2,
            )


def warn_of_labels(rows: np.ndarray, name: str) -> None:
    """Warn if images have a few whole numbers alone: they are then labels, by all appearances."""
    values = np.unique(thinned(rows))
    values = values[~np.isnan(values)]
    if 1 < len(values) <= MOST_LABELS and not (values % 1).any():
        of_labels = "bernoulli" if set(values) == {0, 1} else "categorical"
        warnings.warn(
            f"{name} has images of {len(values)} whole numbers alone, read as real numbers. If "
            f"they are labels, set likelihood={of_labels!r}; if not, likelihood='gaussian'.",
            UserWarning,
            stacklevel=2,
        )


def check_scales(
    y_row: Shape, likelihood, *, n_scales: int, initial_guess: bool, noiseless: bool, **flags
) -> None:
    """Raise an error if y cannot be predicted at several resolutions."""
    if len(y_row) < 2:
        raise ValueError(
            f"n_scales={n_scales} expects images, rows of y of shape (height, width) or "
            f"(channels, height, width), got rows of shape {y_row}. Give y_shape where they are "
            "flat."
        )
    if not (initial_guess or noiseless):
        raise ValueError(
            f"n_scales={n_scales} predicts the coarser scales from the baseline network "
            "and expects initial_guess=True, got False."
        )
    if not likelihood.accepts_means:
        raise ValueError(
            f"n_scales={n_scales} pools pixels by averaging, and averages are not integers, nor "
            f"have they the statistics of pixels; got likelihood={likelihood!r}. Set n_scales=1 "
            "or use another likelihood."
        )
