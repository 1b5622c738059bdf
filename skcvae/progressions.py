r"""Attribute progression: y along one feature of x, for z fixed.

.. math:: y_t = E[y \mid x_t, z], \quad x_{t,j} = (1 - t) \min_j + t \max_j, \quad t \in [0, 1]
"""

from numbers import Integral

import numpy as np

from skcvae.data.frames import column, table, with_column
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
    z : array-like of shape (n_rows, ...) or (n_draws, n_rows, ...), default=None
        Latent variables, rows of shape `latent_shape_`: ``encode(X, y)`` of images y, or
        draws of the prior. None is the prior's mean E[z|x] at X as it is.

    Returns
    -------
    ndarray of shape (n_values, n_rows, ...) or (n_values, n_draws, n_rows, ...)
        In the units of y in `fit`.

    Raises
    ------
    ValueError
        If X has no such feature, if values are not finite numbers where those of X are, or if a
        number of values is given and X has one value only.

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
    X, name = table(X, feature)
    values = _values(values, X, name)
    z = encode(estimator, X) if z is None else z
    return np.stack([decode(estimator, with_column(X, name, value), z) for value in values])


def _values(values, X, name):
    """Return the values of the feature."""
    known = _numbers(column(X, name))
    if isinstance(values, Integral):
        return _steps(values, known, name)
    array = _array(values)
    if array.ndim != 1 or not array.size:
        raise ValueError(f"values must be a number of steps or a list of values, got {values!r}.")
    if known is not None and (array.dtype.kind not in "biuf" or not np.isfinite(array).all()):
        raise ValueError(
            f"values must be finite numbers, as feature {name!r} of X has, got {values!r}."
        )
    return values


def _array(values):
    """Return values as an array, without dimensions where they have no shape."""
    try:
        return np.asarray(values)
    except ValueError:  # lists of several lengths
        return np.array(None)


def _numbers(column):
    """Return a column as floats, or None if it holds something else."""
    column = np.asarray(column)
    if column.dtype.kind not in "biufO" or any(isinstance(entry, str) for entry in column):
        return None
    try:
        return column.astype(float)
    except (TypeError, ValueError):
        return None


def _steps(n_values, column, name):
    """Return equal steps from the lowest to the highest number of a column."""
    if n_values < 2:
        raise ValueError(f"values must be at least 2 steps, or a list of values, got {n_values}.")
    numbers = np.array([]) if column is None else column[np.isfinite(column)]
    if not numbers.size or numbers.min() == numbers.max():
        raise ValueError(
            f"values={n_values} takes steps from the lowest to the highest number of feature "
            f"{name!r} in X, expected at least two different ones. Pass a list of values."
        )
    return np.linspace(numbers.min(), numbers.max(), n_values)
