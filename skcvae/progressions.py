r"""Attribute progression: y along one feature of x, for z fixed.

.. math:: y_t = E[y \mid x_t, z], \quad x_{t,j} = (1 - t) \min_j + t \max_j, \quad t \in [0, 1]
"""

from numbers import Integral

import numpy as np

from skcvae.pipelines import decode, encode


def progression(estimator, X, feature, values=7, z=None):
    """Return E[y|x,z] along one feature of x; z and the other features are fixed.

    Parameters
    ----------
    estimator : Pipeline, search or estimator
        A fitted estimator with latent variables, or a pipeline or search of one.
    X : array-like or DataFrame of shape (n_rows, n_features)
        Inputs.
    feature : int or str
        The feature that moves: its column, or its name in a DataFrame.
    values : int or array-like of shape (n_values,), default=7
        Values of the feature. A number stands for as many equal steps from the lowest to the
        highest value in X.
    z : array-like of shape (n_rows, ...), default=None
        Latent variables, rows of shape `latent_shape_`: ``encode(X, y)`` of images y, or
        draws of the prior. None is the prior's mean E[z|x] at X as it is.

    Returns
    -------
    ndarray of shape (n_values, n_rows, ...)
        In the units of y in `fit`.

    Raises
    ------
    ValueError
        If X has no such feature, or a number of values is given and X has one value only.

    References
    ----------
    Yan, Yang, Sohn and Lee (2016), *Attribute2Image: Conditional Image Generation from Visual
    Attributes*, ECCV, section 4.

    Examples
    --------
    >>> import skcvae
    >>> from skcvae.datasets import make_linear_gaussian
    >>> data = make_linear_gaussian(n_samples=200, random_state=0)
    >>> est = skcvae.CVAERegressor(max_epochs=5, random_state=0).fit(data.X, data.y)
    >>> skcvae.progression(est, data.X[:4], 1, [-1, 0, 1]).shape
    (3, 4, 3)
    """
    X, name = _table(X, feature)
    values = _values(values, X, name)
    z = encode(estimator, X) if z is None else z
    return np.stack([decode(estimator, _moved(X, name, value), z) for value in values])


def _table(X, feature):
    """Return X as a table whose columns can be replaced, and the column of a feature."""
    if hasattr(X, "columns"):
        names = list(X.columns)
        if feature in names:
            return X, feature
    else:
        X = np.asarray(X)
        if X.ndim != 2:
            raise ValueError(f"X must have shape (n_rows, n_features), got {X.shape}.")
        names = range(X.shape[1])
    if not isinstance(feature, Integral) or not -len(names) <= feature < len(names):
        raise ValueError(
            f"feature must be one of the {len(names)} columns of X, or a name in a DataFrame, "
            f"got {feature!r}."
        )
    return X, names[feature]


def _values(values, X, name):
    """Return the values of the feature."""
    if not isinstance(values, Integral):
        if np.ndim(values) != 1 or not len(values):
            raise ValueError(f"values must be a number or a list of values, got {values!r}.")
        return values
    if values < 2:
        raise ValueError(f"values must be at least 2 steps, or a list of values, got {values}.")
    column = np.asarray(X[name] if hasattr(X, "columns") else X[:, name], dtype=float)
    low, high = column.min(), column.max()
    if not low < high:
        raise ValueError(
            f"values={values} goes from the lowest to the highest value of feature {name!r} in "
            f"X, which are both {low:g}. Pass a list of values."
        )
    return np.linspace(low, high, values)


def _moved(X, name, value):
    """Return X with one value in a column."""
    if hasattr(X, "with_columns"):  # polars
        return X.with_columns(**{name: value})
    if hasattr(X, "columns"):
        moved = X.copy()
        moved[name] = value
        return moved
    moved = X.astype(np.result_type(X, np.min_scalar_type(value)))
    moved[:, name] = value
    return moved
