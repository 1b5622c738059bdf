"""Tables of features, as arrays or as DataFrames of pandas or polars: one column by its name."""

from collections.abc import Hashable
from numbers import Integral, Number

import numpy as np
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils import check_array
from sklearn.utils.validation import validate_data

from skcvae.data.gaps import warn_of_new_gaps
from skcvae.data.reading import column_names, is_missing, numbers


def table(X, feature):
    """Return X as a table whose columns can be replaced, and the column, or name, of a feature."""
    is_frame = hasattr(X, "columns")
    X = X if is_frame else np.asarray(X)
    if not is_frame and X.ndim != 2:
        raise ValueError(f"X must have shape (n_rows, n_features), got {X.shape}.")
    names = list(X.columns) if is_frame else range(X.shape[1])
    is_name = is_frame and isinstance(feature, Hashable) and feature in names
    is_number = isinstance(feature, Integral) and -len(names) <= feature < len(names)
    if isinstance(feature, bool | np.bool_) or not (is_name or is_number):
        raise ValueError(
            f"feature must be one of the {len(names)} columns of X, or a name in a DataFrame, "
            f"got {feature!r}."
        )
    return X, feature if is_name else names[feature]


def column(X, name):
    """Return a column of a table."""
    return X[name] if hasattr(X, "columns") else X[:, name]


def with_column(X, name, values):
    """Return a copy of a table with one value, or one for each row, in a column."""
    if hasattr(X, "with_columns"):  # polars, which takes text for the name of a column
        listed = values if isinstance(values, np.ndarray) else [values] * len(X)
        return X.with_columns(type(X[name])(name, listed))
    if hasattr(X, "columns"):
        moved = X.copy()
        moved[name] = values
        return moved
    moved = X.astype(np.result_type(X, np.asarray(values)))
    moved[:, name] = values
    return moved


class select_columns:  # noqa: N801, as scikit-learn's make_column_selector
    """Select the columns of a DataFrame of pandas or polars by what they hold.

    Texts, booleans and categories are "categories".
    """

    def __init__(self, kind):
        self.kind = kind

    def __repr__(self):
        return f"select_columns({self.kind!r})"

    def __call__(self, X):
        """Return the positions of the columns, since names may be numbers too."""
        if not hasattr(X, "columns"):
            raise ValueError(
                "X must be a DataFrame of pandas or polars, whose columns say by their types what "
                f"they hold, got {type(X).__name__}."
            )
        names = enumerate(X.columns)
        return [i for i, name in names if _kind(X[name], name) == self.kind]


class MissingMarker(
    OneToOneFeatureMixin, TransformerMixin, BaseEstimator, auto_wrap_output_keys=None
):
    """Write NaN for all that is missing, and warn of gaps in columns that had none in fit.

    None, NaN, and the missing values of pandas and polars are then one. A column of one row may
    have any type, so that types say nothing here.

    Parameters
    ----------
    kind : {"numbers", "categories"}
        What the columns hold.
    """

    def __init__(self, kind="categories"):
        self.kind = kind

    def fit(self, X, y=None):
        """Remember the columns' names, and which have gaps."""
        validate_data(self, X, skip_check_array=True)
        self.had_gaps_ = self._gaps(self._marked(X))
        return self

    def transform(self, X):
        """Return an ndarray of shape (n_rows, n_features), of float64 or of objects."""
        marked = self._marked(X)
        columns = np.flatnonzero(self._gaps(marked) & ~self.had_gaps_)
        assumed = {"numbers": "the fill, the mean by default", "categories": "an unknown category"}
        warn_of_new_gaps([column_names(X)[i] for i in columns], "X", assumed[self.kind])
        return marked

    def _marked(self, X):
        if self.kind == "numbers":
            return check_array(numbers(X, "X"), dtype=float, ensure_all_finite="allow-nan")
        values = np.array(X, dtype=object)
        values[np.frompyfunc(is_missing, 1, 1)(values).astype(bool)] = np.nan
        return values

    def _gaps(self, marked):
        return (marked != marked).any(axis=0)

    def set_output(self, *, transform=None):
        """Leave the array: a DataFrame would have its own types and mark of what is missing."""
        return self


def _kind(series, name):
    """Return what a column holds; refuse what is neither numbers nor categories."""
    dtype = str(series.dtype).lower()
    if dtype == "object" and _holds_objects_of(series, Number):
        return "numbers"
    if dtype.startswith(("int", "uint", "float", "double", "decimal")):
        return "numbers"
    if dtype.startswith(("str", "large_str", "bool", "cat", "enum", "dictionary", "null")):
        return "categories"
    if dtype == "object" and _holds_objects_of(series, str | bool | np.bool_):
        return "categories"
    raise ValueError(
        f"Column {name!r} of X holds neither numbers nor categories ({series.dtype}). Turn it "
        "into numbers first, such as a date into days since a first one, or leave it out."
    )


def _holds_objects_of(series, kind) -> bool:
    """Return whether the entries that are not missing are of a kind; booleans are no numbers."""
    entries = [v for v in series if not is_missing(v)]
    if kind is Number:
        return bool(entries) and all(
            isinstance(v, Number) and not isinstance(v, bool | np.bool_) for v in entries
        )
    return all(isinstance(v, kind) for v in entries)
