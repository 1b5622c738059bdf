"""Names of outputs and of inputs in plots."""

import math
from numbers import Integral

import numpy as np

from skcvae.data.frames import column, select_columns
from skcvae.pipelines._frames import as_numbers, check_names, names_in_fit, output_names


def names_of(estimator, y, output=None):
    """Return the names of the outputs: those seen in fit, else those of y; refuse others.

    If one output is selected, y may be that output alone.
    """
    names, given = names_in_fit(estimator), output_names(y)
    if names is None:
        return given
    selection = [] if output is None else positions([output], names)
    if given not in [[names[i]] for i in selection if i in range(len(names))]:
        check_names(estimator, y)
    return names


def names_of_either(y_true, draws, given=None):
    """Return the names of outputs: those given, or of one of two frames; refuse another order."""
    names, given = output_names(y_true) or output_names(draws), listed(given)
    if None not in (names, given) and given != names and set(given) == set(names):
        raise ValueError(f"output_names must be in the order of {names}, got {given}.")
    return names if given is None else given


def listed(names):
    """Return names, of any kind of sequence, as a list of texts; None stays None."""
    return None if names is None else [*map(str, names)]


def check_number_of_names(names, row_shape):
    """Refuse names that are not as many as outputs."""
    n_outputs = math.prod(row_shape)
    if names is not None and len(names) != n_outputs:
        raise ValueError(f"output_names must have length {n_outputs}, got {len(names)}.")


def positions(outputs, names):
    """Return outputs, given by their indices or names, as indices."""
    return [
        names.index(output) if isinstance(output, str) and output in (names or ()) else output
        for output in outputs
    ]


def is_index(position, n_outputs):
    """Return whether a position, or a name that is not known, is the index of an output."""
    is_whole = isinstance(position, Integral) and not isinstance(position, bool)
    return is_whole and 0 <= position < n_outputs


def selected(output, names, draws, y):
    """Return the draws and the true values of one output."""
    (position,) = positions([output], names)
    n_outputs = draws.shape[2] if draws.ndim == 3 else 1
    if not is_index(position, n_outputs):
        raise ValueError(
            f"output must be the index of one of {n_outputs} outputs, or among their names "
            f"{names}, got {output!r}."
        )
    draws = draws.reshape(*draws.shape[:2], n_outputs)[..., position]
    if y is None or np.shape(y)[1:] in ((), (1,)):
        return draws, y
    if np.shape(y)[1:] != (n_outputs,):
        raise ValueError(
            f"y must have shape (n_rows, {n_outputs}), or be the output {output!r} alone, got "
            f"{np.shape(y)}."
        )
    return draws, np.asarray(y)[:, position]


def numbers_of(X, feature):
    """Return a feature; refuse one of categories, between which nothing is, or without values."""
    if hasattr(X, "columns"):
        found = select_columns("numbers")(X[[feature]])
    else:
        found = not any(isinstance(value, str | bool | np.bool_) for value in column(X, feature))
    if not found:
        raise ValueError(
            f"feature must hold numbers, got categories in {feature!r}. Plot bands over another "
            "feature, for the rows of one category at a time."
        )
    x = as_numbers(column(X, feature), f"feature {feature!r}")
    if not np.isfinite(x).any():
        raise ValueError(f"feature {feature!r} must have a value in X, got none.")
    return x
