"""Frames of draws and intervals, as arrays whose outputs and rows are those of y.

Frames are compared by position. So that a number is never of an output and the draws of another,
names that are on both sides must be the same, in one order.
"""

from numbers import Integral

import numpy as np
from sklearn.utils import check_array

from skcvae.data.reading import check_same, column_names, is_missing, numbers, plain
from skcvae.pipelines.steps import last_step

UNNAMED = ["y"]  # the column of a single output without a name, in frames of predictions


def output_names(y):
    """Return the names of outputs, or None where they are not texts."""
    names = column_names(y)
    return names if names and all(isinstance(name, str) for name in names) else None


def names_in_fit(estimator):
    """Return the names of the outputs that the last step has seen in fit, or None."""
    try:
        last, _ = last_step(estimator, None, "target_names_in_")
    except TypeError:  # y had no names, or the estimator is not of this package
        return None
    return list(last.target_names_in_)


def check_names(estimator, y, name="y"):
    """Refuse y whose outputs have other names, or another order, than in fit."""
    expected, names = names_in_fit(estimator), output_names(y)
    if None not in (expected, names):
        check_same(names, expected, name)


def check_alike(y_true, other, name, *, of="y_true", outputs=None):
    """Refuse frames whose outputs or rows have other names, or another order, than those of y.

    `outputs` are the names in `other`, empty if it has none; by default those of its columns.
    """
    columns = column_names(y_true), column_names(other) if outputs is None else outputs
    if all(columns) and columns[0] != columns[1] and not _are_unnamed(columns):
        _refuse(name, of, "columns", *columns)
    rows = _row_names(y_true), _row_names(other)
    if None in rows or len(rows[0]) != len(rows[1]) or rows[0] == rows[1]:
        return
    numbered = [*range(len(rows[0]))] in rows  # a default index has no names
    if not numbered or set(rows[0]) == set(rows[1]):
        _refuse(name, of, "index", *rows)


def _are_unnamed(columns):
    """Return whether columns are numbered by default, or of an output without a name, in one."""
    are_numbers = all(isinstance(name, Integral) for names in columns for name in names)
    is_default = any(names == [*range(len(names))] for names in columns)
    return UNNAMED in columns or (is_default and not are_numbers)


def _refuse(name, of, what, expected, got):
    pairs = enumerate(zip(expected, got, strict=False))
    start = next((i for i, (one, other) in pairs if one != other), 0)
    expected, got = expected[start : start + 5], got[start : start + 5]
    raise ValueError(
        f"{name} must have the {what} of {of} in the same order, got {got} for {expected} in "
        f"{of}. Reorder one of them, or pass arrays to compare by position."
    )


def as_array(frame, y_true, name):
    """Return draws (n_samples, n_rows, ...), or intervals (n_rows, ..., 2), as arrays of floats.

    Frames (`as_frame=True`) have an axis of outputs; their names are those of y, if it is known.
    """
    axis = "columns" if _n_levels(frame, "columns") > 1 else "index"
    is_array = _n_levels(frame, axis) < 2
    parts = None if is_array else _table(getattr(frame, axis), name)
    if y_true is not None:
        outputs = [*frame.columns.unique(0)] if axis == "columns" else [] if is_array else None
        check_alike(y_true, frame, name, outputs=outputs)
    if is_array:
        return as_numbers(frame, name)
    values = as_numbers(frame, name).reshape(len(frame), -1)
    if axis == "columns":
        return values.reshape(-1, *parts)
    return values.reshape(*parts, -1)


def as_numbers(array, name):
    """Return an array of floats; refuse texts, such as labels."""
    array = plain(array)
    entries = np.asarray(array)
    texts = entries.dtype.kind in "OU" and [v for v in entries.flat if isinstance(v, str)]
    if texts:
        raise ValueError(
            f"{name} must hold numbers, got labels such as {str(texts[0])!r}. For labels, see "
            "pixel_accuracy, SamplesDisplay and predict(X, return_proba=True)."
        )
    how = {"ensure_all_finite": False, "ensure_min_samples": 0, "ensure_min_features": 0}
    array = numbers(array, name)  # of which check_array reads pandas' NA as NaN
    return check_array(array, dtype=float, ensure_2d=False, allow_nd=True, **how)


def _table(labels, name):
    """Return the numbers of labels of two levels that are those of a table, row by row."""
    # Codes, since labels that are missing are not equal to themselves.
    first, second = (labels.remove_unused_levels().codes[level] for level in (0, 1))
    shape = len(labels.unique(0)), len(labels) // len(labels.unique(0))
    if len(labels) == np.prod(shape):
        first, second = first.reshape(shape), second.reshape(shape)
        if (first == first[:, :1]).all() and (second == second[:1]).all():
            return shape
    raise ValueError(
        f"A frame of {name} must have all rows of one draw, or both ends of an output, together "
        "and in one order."
    )


def _n_levels(frame, axis) -> int:
    return getattr(getattr(frame, axis, None), "nlevels", 1)


def _row_names(frame):
    """Return the index of pandas, of one draw where there are several; None without one."""
    if not hasattr(frame, "iloc"):
        return None
    names = frame.index
    if _n_levels(frame, "index") > 1 and names.names[0] == "draw":
        names = names.get_level_values(1)[: len(frame) // len(names.unique(0))]
    return [None if is_missing(name) else name for name in names.tolist()]
