"""Tables of features, as arrays or as DataFrames of pandas or polars: one column by its name."""

from collections.abc import Hashable
from numbers import Integral

import numpy as np


def column_names(frame):
    """Return the names of the columns of a DataFrame, or of a Series; None of an array.

    Parameters
    ----------
    frame : DataFrame, Series or array-like
        Of pandas, polars or numpy.

    Returns
    -------
    list or None
        Of one entry for each column.
    """
    if hasattr(frame, "columns"):
        return list(frame.columns)
    has_name = hasattr(frame, "to_frame") and frame.name not in (None, "")
    return [frame.name] if has_name else None


def table(X, feature):
    """Return X as a table whose columns can be replaced, and the column of a feature.

    Parameters
    ----------
    X : array-like or DataFrame of shape (n_rows, n_features)
        Inputs.
    feature : int or str
        The feature: its column, or its name in a DataFrame.

    Returns
    -------
    X : ndarray or DataFrame
        The table.
    name : int or str
        By which the column is found.
    """
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
    """Return a column of a table.

    Parameters
    ----------
    X : ndarray or DataFrame
        The table.
    name : int or str
        By which the column is found.

    Returns
    -------
    ndarray or Series
        Of one entry for each row.
    """
    return X[name] if hasattr(X, "columns") else X[:, name]


def with_column(X, name, values):
    """Return a table with other values in a column.

    Parameters
    ----------
    X : ndarray or DataFrame
        The table.
    name : int or str
        By which the column is found.
    values : object or ndarray of shape (n_rows,)
        A value for all rows, or one for each.

    Returns
    -------
    ndarray or DataFrame
        A copy.
    """
    if hasattr(X, "with_columns"):  # polars, which takes text for the name of a column
        listed = values if isinstance(values, np.ndarray) else [values] * len(X)
        return X.with_columns(type(X[name])(name, listed))
    if hasattr(X, "columns"):
        moved = X.copy()
        moved[name] = values
        return moved
    moved = X.astype(np.result_type(X, np.min_scalar_type(values)))
    moved[:, name] = values
    return moved
