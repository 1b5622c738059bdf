"""Rows of images along one feature of x."""

from functools import partial
from numbers import Integral, Real

import numpy as np

from skcvae.displays._axes import pyplot, style
from skcvae.displays._images import as_images, check_length, check_rows, grey, show_grid
from skcvae.displays._names import listed
from skcvae.pipelines import encode
from skcvae.progressions import progression


class ProgressionDisplay:
    """Rows of images along one feature of x, for z fixed.

    Use :meth:`from_estimator` or :meth:`from_predictions` to create a display. All
    parameters are stored as attributes.

    Parameters
    ----------
    images : ndarray of shape (n_values, n_rows, height, width[, 3])
        Grey images, or colour images in [0, 1].
    value_names : list of str, default=None
        Titles of the columns, one for each value of the feature.
    y_true : ndarray of shape (n_rows, height, width[, 3]), default=None
        Images that were encoded, drawn in the first column. None omits it.
    row_names : list of str, default=None
        Names of the rows of the grid.

    Attributes
    ----------
    ax_ : ndarray of Axes of shape (n_rows, n_columns)
        Axes of the grid.
    images_ : ndarray of AxesImage of shape (n_rows, n_columns)
        Images of the grid.
    figure_ : Figure
        Figure of the plot.

    Examples
    --------
    >>> import numpy as np
    >>> from skcvae import CVAERegressor
    >>> from skcvae.displays import ProgressionDisplay
    >>> rng = np.random.default_rng(0)
    >>> X, y = rng.normal(size=(60, 2)), rng.random((60, 8, 8))
    >>> est = CVAERegressor(max_epochs=2, random_state=0).fit(X, y)
    >>> display = ProgressionDisplay.from_estimator(est, X[:4], 1, 5, est.encode(X[:4], y[:4]))
    >>> display.ax_.shape
    (4, 5)
    """

    def __init__(self, *, images, value_names=None, y_true=None, row_names=None):
        self.images = images
        self.value_names = value_names
        self.y_true = y_true
        self.row_names = row_names

    @classmethod
    def from_estimator(cls, estimator, X, feature, values=7, z=None, *, y=None, **kwargs):
        """Plot progressions of an estimator.

        Parameters
        ----------
        estimator : Pipeline, search or estimator
            A fitted estimator with latent variables, or a pipeline or search of one.
        X : array-like or DataFrame of shape (n_rows, n_features)
            Inputs, at most 20 rows.
        feature : int or str
            The feature that moves: its column, or its name in a DataFrame.
        values : int or array-like of shape (n_values,), default=7
            Values of the feature, or the number of equal steps from the lowest to the highest
            one in X.
        z : array-like of shape (n_rows, ...), default=None
            Latent variables, as for :func:`skcvae.progression`, one code for each row.
        y : array-like of shape (n_rows, ...), default=None
            Images to plot in the first column, such as those that z encodes.
        **kwargs
            Passed to :meth:`from_predictions`.

        Returns
        -------
        display : ProgressionDisplay
            The display, plotted.

        Raises
        ------
        ValueError
            If there are more than 20 rows, or outputs are not images.
        """
        pyplot(cls.__name__)
        check_rows(len(X))
        if z is not None:
            _check_codes(z, encode(estimator, X).shape)
        images = progression(estimator, X, feature, values, z)
        if "value_names" not in kwargs:
            kwargs["value_names"] = _names(values)
        if y is not None:
            _true_images("y", y, images, _joined(kwargs.get("join"), X))
        return cls.from_predictions(X, y, images, **kwargs)

    @classmethod
    def from_predictions(
        cls, X, y_true, images, *, join=None, value_names=None, row_names=None, ax=None, **kwargs
    ):
        """Plot given progressions.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features) or None
            Inputs, for `join`.
        y_true : array-like of shape (n_rows, ...) or None
            Images for the first column.
        images : array-like of shape (n_values, n_rows, ...)
            As returned by :func:`skcvae.progression`. Colours are clipped to [0, 1].
        join : callable, default=None
            Function of X and y that returns images of shape (n_rows, [channels,] height,
            width), if y are flat or have a mask. None if y are images.
        value_names : list of str, default=None
            Titles of the columns, one for each value of the feature.
        row_names : list of str, default=None
            Names of the rows of the grid.
        ax : ndarray of Axes of shape (n_rows, n_columns), default=None
            Axes to plot on. None creates a figure.
        **kwargs
            Passed to :meth:`plot`.

        Returns
        -------
        display : ProgressionDisplay
            The display, plotted.

        Raises
        ------
        ValueError
            If there are more than 20 rows, outputs are not images, or names are too few or
            too many.

        Examples
        --------
        >>> import numpy as np
        >>> from skcvae.displays import ProgressionDisplay
        >>> steps = np.linspace(0, 1, 5)[:, None, None, None] * np.ones((2, 8, 8))
        >>> ProgressionDisplay.from_predictions(None, steps[0], steps).ax_.shape
        (2, 6)
        """
        images = np.asarray(images)
        if images.ndim < 2 or not images.size:
            raise ValueError(
                f"images must have shape (n_values, n_rows, ...), got {images.shape}."
            )
        check_rows(images.shape[1])
        value_names, row_names = listed(value_names), listed(row_names)
        check_length("value_names", value_names, images, 0, of="images")
        check_length("row_names", row_names, images, 1, of="images")
        joined = _joined(join, X)
        truth = None if y_true is None else _true_images("y_true", y_true, images, joined)
        steps = [as_images("images", joined(step)) for step in images]
        return cls(
            images=np.stack(steps), value_names=value_names, y_true=truth, row_names=row_names
        ).plot(ax, **kwargs)

    def plot(self, ax=None, *, imshow_kw=None):
        """Plot the rows.

        Parameters
        ----------
        ax : ndarray of Axes of shape (n_rows, n_columns), default=None
            Axes to plot on. None creates a figure.
        imshow_kw : dict, default=None
            Keywords passed to `imshow`, such as `cmap`, `vmin` and `vmax`.

        Returns
        -------
        self : ProgressionDisplay
            The display, plotted.
        """
        titles = [*(self.value_names or [""] * len(self.images))]
        columns = list(zip(titles, self.images, strict=True))
        if self.y_true is not None:
            columns.insert(0, ("image", self.y_true))
        look = style(imshow_kw, **grey(self.images if self.y_true is None else self.y_true))
        columns = [(title, images, look) for title, images in columns]
        show_grid(self, ax, columns, self.images.shape[1:4], self.row_names)
        return self


def _joined(join, X):
    """Return a function of y that gives images."""
    return np.asarray if join is None else partial(join, X)


def _true_images(name, y, images, joined):
    """Check that y has the shape of a step, and return images of it."""
    y = np.asarray(y)
    if y.shape != images.shape[1:]:
        raise ValueError(
            f"{name} must have shape {images.shape[1:]}, that of the images of one value, got "
            f"{y.shape}."
        )
    return as_images(name, joined(y))


def _check_codes(z, shape):
    if np.shape(z) != shape:
        raise ValueError(
            f"z must have shape {shape}, one code for each row of X, got {np.shape(z)}."
        )


def _names(values):
    """Return titles of the columns of some values, or of a number of equal steps."""
    if isinstance(values, Integral):
        return ["lowest", *[""] * (values - 2), "highest"]
    return [f"{value:g}" if isinstance(value, Real) else str(value) for value in values]
