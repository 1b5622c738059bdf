"""Input validation: X."""

from sklearn.utils.validation import validate_data

from skcvae.data import reading
from skcvae.data.frames import check_distinct, column_names
from skcvae.data.gaps import Flagged, warn_of_new_gaps


def checked(estimator, X, *, name="X", reset=False, finite=None):
    """Return X as an array of finite numbers, or NaN, rows of the shape seen in fit."""
    check_distinct(column_names(X), name)
    X = reading.numbers(X, name)
    if not reset:
        _check_shape(X, estimator.x_shape_, name)
    finite = finite or ("allow-nan" if estimator.partial_X else True)
    try:
        X = validate_data(estimator, X, reset=reset, allow_nd=True, ensure_all_finite=finite)
    except ValueError as error:
        if "contains NaN" not in str(error):
            raise
        raise ValueError(
            f"Input {name} contains NaN. For numbers that are missing set partial_X=True, which "
            "reads a fill and a flag; for a DataFrame with categories, put the estimator into "
            "skcvae.tabular_pipeline(estimator)."
        ) from None
    coding = None if reset else estimator.specification_.x_coding
    if coding is not None:
        coding.check(X, name)
    if isinstance(coding, Flagged):
        places = _names(coding.new_gaps(X), estimator)
        warn_of_new_gaps(places, name, "the mean of fit")
    return X


def _check_shape(X, expected, name):
    """Refuse images and sequences of another shape; of features scikit-learn counts them."""
    found = getattr(X, "shape", ())[1:]
    if found and max(len(found), len(expected)) > 1 and found != expected:
        raise ValueError(f"{name} has rows of shape {found}, expected {expected} as in fit.")


def _names(places, estimator):
    """Return names of columns, or of positions in an image or a sequence."""
    if places.shape[1] > 1:
        return [*map(tuple, places.tolist())]
    names = getattr(estimator, "feature_names_in_", range(estimator.n_features_in_))
    return [names[column] for (column,) in places]
