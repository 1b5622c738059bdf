"""Conversion of user input to numeric arrays, and the names of its columns.

Numeric input is returned unchanged: arrays are not copied and frames keep their column names.
`sklearn.utils.check_array` then checks shapes and finite values.
"""

from collections import Counter

import numpy as np
import torch
from scipy.sparse import issparse
from torch.utils.data import Dataset

OF_LABELS = (
    "If y are labels: likelihood='categorical'; beside numbers they are integers in "
    "likelihoods.Columns, such as .astype('category').cat.codes of a column."
)

# How the names of dtypes and of Python types begin; the first match counts.
_REFUSED = {
    ("timedelta", "duration"): ("durations", "Divide them by a datetime.timedelta(days=1)."),
    ("date", "time", "period"): (
        "dates or times",
        "Subtract a reference date and divide by a unit, as in (dates - dates.min()) / "
        "datetime.timedelta(days=1).",
    ),
    ("category", "categorical", "enum", "dictionary"): (
        "categories",
        "Encode them, with OneHotEncoder or skcvae.tabular_pipeline(estimator).",
    ),
    ("list", "tuple", "ndarray", "array", "struct", "void", "interval"): (
        "several values in one cell",
        "Give each value a column of its own.",
    ),
    ("complex",): (
        "complex numbers",
        "Complex data not supported: give real and imaginary parts columns of their own.",
    ),
    ("LazyFrame",): ("a query that has not been run", "Call its collect() first."),
    ("str", "large_string", "bytes", "binary", "large_binary"): ("strings", ""),
}


def numbers(values, name):
    """Return numeric values, for `check_array` or `validate_data`.

    None, `pandas.NA`, masked entries and the nulls of polars become NaN. Decimals, fractions
    and `numpy.longdouble` become float64, and tensors become arrays.
    """
    if type(values) is np.ndarray and _holds_numbers(values.dtype):
        return values
    if isinstance(values, Dataset):
        raise TypeError(
            f"{name} must be an array or a table, got {type(values).__name__}, a Dataset, which "
            "only fit takes. Read its rows first."
        )
    values = plain(values)
    if values is None or issparse(values):
        return values
    table = len(getattr(values, "shape", ())) == 2
    if table and (_is_polars(values) or hasattr(values, "iloc")):
        return _frame(values, name)
    if hasattr(values, "dtype") and not _holds_rows(values):
        return _column(values, name, getattr(values, "name", None) or None)
    read = _column(_array(values, name), name)
    return read if read.ndim else values


def is_missing(value) -> bool:
    """Return whether an entry is missing; pandas' NA has no truth value to compare by."""
    return value is None or type(value).__name__ == "NAType" or bool(value != value)


def column_names(frame):
    """Return the names of the columns of a DataFrame, or of a Series; None of an array."""
    if hasattr(frame, "columns"):
        return list(frame.columns)
    has_name = hasattr(frame, "to_frame") and frame.name not in (None, "")
    return [frame.name] if has_name else None


def check_distinct(names, name):
    """Raise an error if columns of a DataFrame have a name in common."""
    counted = Counter(names or [])
    if len(counted) < counted.total():
        several = [label for label, n in counted.items() if n > 1]
        raise ValueError(
            f"{name} must have columns of distinct names, got several named "
            f"{', '.join(map(repr, several[:5]))}. Rename them: {name}.columns = [...]."
        )


def check_same(names, expected, name):
    """Raise an error if columns have other names, or another order, than in fit."""
    if [*names] != [*expected]:
        raise ValueError(
            f"{name} has columns {[*names]}, expected {[*expected]} as in fit, in this order."
        )


def plain(values):
    """Return arrays in place of tensors, and NaN, or None beside texts, of masked entries."""
    if isinstance(values, torch.Tensor):
        # numpy has no bfloat16.
        return (values.float() if values.dtype == torch.bfloat16 else values).numpy(force=True)
    if np.ma.isMaskedArray(values):
        missing = np.nan if values.dtype.kind in "iuf" else None
        is_masked = np.ma.getmaskarray(values)
        return np.where(is_masked, missing, values.data) if is_masked.any() else values.data
    kinds = torch.Tensor, np.ma.MaskedArray
    if isinstance(values, list | tuple) and any(isinstance(v, kinds) for v in values):
        return [plain(v) for v in values]
    return values


def _is_polars(values):
    return type(values).__module__.startswith("polars.")


def _holds_rows(values):
    """Return whether an array of one axis has lists or arrays as its entries."""
    vector = isinstance(values, np.ndarray) and values.dtype == object and values.ndim == 1
    return vector and any(map(_is_row, values))


def _is_row(value):
    return isinstance(value, list | tuple) or getattr(value, "ndim", 0) > 0


def _holds_numbers(dtype):
    if hasattr(dtype, "kind"):
        return dtype.kind in "biuf" and getattr(dtype, "char", None) != "g"
    # A dtype of polars. Numpy reads its booleans as objects where there are nulls.
    return str(dtype).startswith(("Int", "UInt", "Float"))


def _frame(frame, name):
    if all(map(_holds_numbers, set(frame.dtypes))):
        return frame
    columns = zip(frame.columns, frame, strict=True) if _is_polars(frame) else frame.items()
    read = [(label, old, _column(old, name, label)) for label, old in columns]
    changed = {i: new for i, (_, old, new) in enumerate(read) if new is not old}
    if _is_polars(frame) and changed:
        series = type(read[0][1])
        return frame.with_columns([series(read[i][0], new) for i, new in changed.items()])
    frame = frame.copy(deep=False) if changed else frame
    for i, new in changed.items():  # by position: several columns may have one name
        frame.isetitem(i, new)
    return frame


def _column(values, name, label=None):
    """Return an array or a column of a frame, as float64 unless it holds numbers already."""
    if _holds_numbers(values.dtype):
        return values
    _refuse([getattr(values.dtype, "name", str(values.dtype)).lower()], values, name, label)
    array = np.asarray(values)
    array = _known(array, name, label) if array.dtype == object else array
    try:
        with np.errstate(over="ignore"):  # infinite values are refused later
            return array.astype(float)
    except (TypeError, ValueError, OverflowError) as error:
        raise type(error)(f"{name} must hold numbers: {str(error).rstrip('.')}.") from error


def _known(array, name, label):
    """Check object entries, and replace `pandas.NA` by None."""
    kinds = dict.fromkeys(map(type, array.flat))
    for kind in kinds:
        _refuse([base.__name__ for base in kind.__mro__], array, name, label, kind)
    if not any(kind.__name__ == "NAType" for kind in kinds):
        return array
    present = [None if type(v).__name__ == "NAType" else v for v in array.flat]
    return np.array(present, dtype=object).reshape(array.shape)


def _refuse(kinds, values, name, label, kind=None):
    """Refuse values by the name of their dtype, or by the names of the bases of their type."""
    refused = (said for begin, said in _REFUSED.items() if any(k.startswith(begin) for k in kinds))
    what, advice = next(refused, (None, None))
    if what == "strings":
        example = next((v for v in np.asarray(values).flat if isinstance(v, str | bytes)), "")
        where = "" if label is None else f" in column {label!r}"
        hint = "" if label is None else " For categories: skcvae.tabular_pipeline(estimator)."
        hint = f" {OF_LABELS}" if name.startswith("y") else hint
        raise ValueError(
            f"{name} must hold numbers, got a string such as {str(example)!r}{where}.{hint}"
        )
    if what is not None:
        if label is None and isinstance(values, np.ndarray) and values.ndim == 2:
            first = next((i for i, v in enumerate(values.flat) if type(v) is kind), 0)
            label = first % values.shape[1]
        where = "" if label is None else f" in column {label!r}"
        advice = OF_LABELS if what == "categories" and name.startswith("y") else advice
        raise ValueError(f"{name} must hold numbers, got {what}{where} ({kinds[0]}). {advice}")


def _array(values, name):
    """Convert a sequence to an array."""
    values = list(values) if _holds_rows(values) else values
    try:
        array = np.asarray(values)
    except ValueError:
        _refuse_ragged(values, name)
        raise
    # np.asarray converts numbers to strings if the list contains a string.
    return np.asarray(values, dtype=object) if array.dtype.kind in "US" else array


def _refuse_ragged(values, name):
    level = list(enumerate(values))
    while any(_is_row(part) for _, part in level):
        rows = [(row, part if _is_row(part) else [part]) for row, part in level]
        (first, head), *rest = rows
        for row, part in rest:
            if len(part) != len(head):
                raise ValueError(
                    f"{name} must have rows of one length, got length {len(head)} in row {first} "
                    f"and length {len(part)} in row {row}."
                )
        level = [(row, entry) for row, part in rows for entry in part]
