"""Input validation: X and y."""

import functools
import warnings

import numpy as np
from scipy.sparse import issparse
from sklearn.utils import check_array
from sklearn.utils.validation import validate_data

from skcvae.data import reading
from skcvae.data.gaps import Flagged, warn_of_new_gaps
from skcvae.data.reading import check_distinct, check_same, column_names


def checked(estimator, X, *, name="X", reset=False, finite=None):
    """Return X as an array of finite numbers, or NaN, rows of the shape seen in fit."""
    check_distinct(column_names(X), name)
    X = reading.numbers(X, name)
    if not reset:
        _check_shape(X, estimator.x_shape_, name)
    coding = None if reset else estimator.specification_.x_coding
    partial = estimator.partial_X if reset else isinstance(coding, Flagged)
    finite = finite or ("allow-nan" if partial else True)
    try:
        X = validate_data(estimator, X, reset=reset, allow_nd=True, ensure_all_finite=finite)
    except ValueError as error:
        if "contains NaN" not in str(error):
            raise
        raise ValueError(
            f"Input {name} contains NaN. For numbers that are missing fit with partial_X=True, "
            "which reads a fill and a flag; for a DataFrame with categories, put the estimator "
            "into skcvae.tabular_pipeline(estimator)."
        ) from None
    if coding is not None:
        coding.check(X, name)
    if isinstance(coding, Flagged):
        places = _places(coding.new_gaps(X), estimator)
        warn_of_new_gaps(places, name, "the mean of fit")
    return X


def _check_shape(X, expected, name):
    """Refuse images and sequences of another shape; of features scikit-learn counts them."""
    found = getattr(X, "shape", ())[1:]
    if found and max(len(found), len(expected)) > 1 and found != expected:
        raise ValueError(f"{name} has rows of shape {found}, expected {expected} as in fit.")


def _places(places, estimator):
    """Return names of columns, or of positions in an image or a sequence."""
    if places.shape[1] > 1:
        return [*map(tuple, places.tolist())]
    names = getattr(estimator, "feature_names_in_", range(estimator.n_features_in_))
    return [names[column] for (column,) in places]


def targets(estimator, y, *, n_rows, likelihood, name="y", shape=None, partial=False):
    """Return y as an array of numbers that the likelihood accepts; NaN if `partial`.

    Without the shape of rows in fit, this is fit: names of columns are kept.
    """
    if y is None:
        raise ValueError(
            f"{type(estimator).__name__} requires {name} to be passed, "
            f"but the target {name} is None."
        )
    names = _output_names(estimator, y, name, is_new=shape is None)
    y = _shaped(_numbers(estimator, y, likelihood, name, names), n_rows, shape, name)
    if shape is None and hasattr(likelihood, "name_columns"):
        likelihood.name_columns(y, names)
    holes = np.isnan(y.min())
    if holes and not partial:
        raise _unexpected_gaps(estimator, likelihood, name, y, names)
    if not (holes and np.isnan(y).all()):
        _named(likelihood.check_targets, y, names)
    return y


def _output_names(estimator, y, name, *, is_new):
    """Return the names of the columns, kept in fit if they are texts and compared later."""
    columns = column_names(y) or []
    names = np.fromiter(columns, dtype=object)  # tuples too, as entries
    named = set(map(type, columns)) == {str}
    check_distinct(columns, name)
    if is_new:
        vars(estimator).pop("target_names_in_", None)
        vars(estimator).update({"target_names_in_": names} if named else {})
        if not named and len(names) > 1 and names.tolist() != [*range(len(names))]:
            warnings.warn(
                f"{name} has columns {names.tolist()[:5]}, which are not all texts: outputs are "
                "numbered by position, 0, 1, ... For names, convert them, "
                "y.columns = y.columns.map(str).",
                stacklevel=2,
            )
    elif named:
        check_same(names, getattr(estimator, "target_names_in_", names), name)
    return names


def _named(check, y, names):
    """Return what a check returns; an error that a column has alone too names the first one."""
    try:
        return check(y)
    except ValueError as error:
        columns = np.asarray(y).T if len(names) and np.ndim(y) == 2 else ()
        for name, column in zip(names, columns, strict=False):
            if _error_of(check, column[:, None]) == str(error):
                raise ValueError(f"{error} It is in column {name!r}.") from error
        raise


def _error_of(check, column):
    try:
        check(column)
    except ValueError as error:
        return str(error)
    return None


def _numbers(estimator, y, likelihood, name, names):
    if issparse(y):
        raise TypeError(f"{name} must be dense, got a sparse {type(y).__name__}.")
    y = likelihood.codes_of(y) if hasattr(likelihood, "codes_of") else y
    y = reading.numbers(y, name)
    if np.isscalar(y):
        return y
    if 0 in np.shape(y):
        raise ValueError(
            f"{name} must have at least one row and one output, got shape {np.shape(y)}."
        )
    check = functools.partial(
        check_array,
        ensure_2d=False,
        allow_nd=True,
        ensure_all_finite="allow-nan",
        input_name=name,
        estimator=estimator,
    )
    return _named(check, y, names)


def _shaped(y, n_rows, shape, name):
    """Return y of so many rows, in the shape of rows in fit if there is one."""
    if np.isscalar(y) or len(y) != n_rows:
        raise ValueError(
            f"{name} must have one row for each of the {n_rows} rows of X, got shape "
            f"{np.shape(y)}."
        )
    if shape is None or y.shape[1:] == shape:
        return y
    if y[0].size != np.prod(shape, dtype=int) or y.ndim > 2 or len(shape) > 1:
        raise ValueError(f"{name} has rows of shape {y.shape[1:]}, expected {shape} as in fit.")
    return y.reshape(n_rows, *shape)


def _unexpected_gaps(estimator, likelihood, name, y, names):
    gaps = names[np.isnan(y).any(axis=0)] if len(names) and y.ndim == 2 else ()
    where = f" in column {gaps[0]!r}" if len(gaps) else ""
    ignored = getattr(likelihood, "ignore_label", None)
    found = "NaN" if ignored is None else f"NaN, or ignore_label={ignored!r}, read as NaN"
    accepted = "only if partial_y=True in fit, and in complete"
    if not getattr(likelihood, "accepts_missing", True):
        accepted = f"with {type(likelihood).__name__} in complete alone: leave out such rows"
    elif not hasattr(estimator, "complete"):
        return ValueError(
            f"Input {name} contains {found}{where}, which {type(estimator).__name__} does not "
            "accept."
        )
    return ValueError(
        f"Input {name} contains {found}{where}. {type(estimator).__name__} accepts NaN, for "
        f"entries that were not observed or whose label is ignored, {accepted}."
    )
