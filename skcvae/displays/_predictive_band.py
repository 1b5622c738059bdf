"""Prediction bands over a single feature."""

import numpy as np
from sklearn.utils import _safe_indexing

from skcvae.data.frames import table, with_column
from skcvae.data.reading import column_names
from skcvae.displays._axes import BLUE, axes_for, plain, pyplot, style
from skcvae.displays._names import names_of, names_of_either, numbers_of, positions, selected
from skcvae.pipelines import sample
from skcvae.pipelines._frames import as_array, as_numbers
from skcvae.pipelines._labels import check_numbers_only

OTHERS = 20  # rows of which the other features are taken


class PredictiveBandDisplay:
    """Central prediction bands of p(y|x), of given coverages, over a single feature.

    A band is one interval for each x: if p(y|x) is bimodal, the band covers the gap
    between the modes. Use :meth:`from_estimator` or :meth:`from_predictions` to create a
    display. All parameters are stored as attributes.

    Parameters
    ----------
    x : ndarray of shape (n_points,)
        Inputs of the bands, ascending.
    median : ndarray of shape (n_points,)
        The median of p(y|x).
    bands : ndarray of shape (n_bands, n_points, 2)
        Lower and upper bounds of the bands.
    coverages : sequence of float of shape (n_bands,)
        Nominal coverages of the bands.
    X : ndarray of shape (n_rows,), default=None
        Inputs of rows that are plotted as points.
    y_true : ndarray of shape (n_rows,), default=None
        Outputs of these rows.
    x_name, y_name : str, default=None
        Axis labels. None uses "x" and "y".

    Attributes
    ----------
    line_ : Line2D
        The median.
    bands_ : list of FillBetweenPolyCollection
        The bands, the widest first.
    scatter_ : PathCollection or None
        The points.
    ax_ : Axes
        Axes of the plot.
    figure_ : Figure
        Figure of the plot.

    Examples
    --------
    >>> from skcvae import CVAERegressor
    >>> from skcvae.datasets import make_linear_gaussian
    >>> from skcvae.displays import PredictiveBandDisplay
    >>> data = make_linear_gaussian(n_samples=100, n_features=1, n_outputs=1, random_state=0)
    >>> est = CVAERegressor(max_epochs=2, random_state=0).fit(data.X, data.y)
    >>> display = PredictiveBandDisplay.from_estimator(est, data.X, data.y)
    >>> display.coverages, display.bands.shape
    ((0.5, 0.9), (2, 100, 2))
    """

    def __init__(
        self, *, x, median, bands, coverages, X=None, y_true=None, x_name=None, y_name=None
    ):
        self.x = x
        self.median = median
        self.bands = bands
        self.coverages = coverages
        self.X = X
        self.y_true = y_true
        self.x_name = x_name
        self.y_name = y_name

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        y=None,
        *,
        feature=None,
        output=None,
        n_samples=2000,
        grid_resolution=100,
        random_state=0,
        **kwargs,
    ):
        """Plot prediction bands of an estimator on a grid over the range of X.

        Parameters
        ----------
        estimator : Pipeline, search or estimator
            A fitted estimator with a method `sample`, or a pipeline or search of one.
        X : array-like or DataFrame of shape (n_rows, n_features)
            Inputs, as the first step of a pipeline takes them.
        y : array-like of shape (n_rows,) or (n_rows, n_outputs), default=None
            True outputs, or the selected one alone. None plots no points.
        feature : int or str, default=None
            The feature on the horizontal axis, of numbers: its column, or its name in a DataFrame.
            The others are those of 20 rows of X in equal shares, so that the bands are those of a
            mixture, as a partial dependence is a mean. None if X has one column.
        output : int or str, default=None
            The output on the vertical axis: its column, or its name. None if y has one.
        n_samples : int, default=2000
            Draws per grid point.
        grid_resolution : int, default=100
            Number of grid points.
        random_state : int, RandomState or None, default=0
            Seed of the draws.
        **kwargs
            Passed to :meth:`from_predictions`.

        Returns
        -------
        display : PredictiveBandDisplay
            The display, plotted.

        Raises
        ------
        ValueError
            If X or y has more than one column, and `feature` or `output` is None, or if the
            feature or the output does not hold numbers.
        """
        pyplot(cls.__name__)
        if feature is None:
            _single("X", X, "feature")
        X, feature_name = table(X, 0 if feature is None else feature)
        x = numbers_of(X, feature_name)
        known = np.isfinite(x)
        if y is not None and len(y) != len(x):
            raise ValueError(f"y must have {len(x)} rows, as X, got {len(y)}.")
        grid = np.linspace(x[known].min(), x[known].max(), grid_resolution)
        n_rows = 1 if feature is None else OTHERS
        draws = _draws(estimator, X, feature_name, grid, n_rows, n_samples, random_state)
        y_names = names_of(estimator, y, output)
        if output is not None:
            draws, y = selected(output, y_names, draws, y)
        elif draws.ndim > 2:
            _single("y", draws[0], "output")
        (position,) = positions([output or 0], y_names)
        check_numbers_only(estimator, cls.__name__, position)
        x_name = feature_name if column_names(X) else None
        names = {"x_name": x_name, "y_name": y_names and y_names[position]}
        shown = {} if y is None else {"X": x[known], "y_true": np.asarray(y)[known]}
        return cls.from_predictions(grid, draws, **shown, **{**names, **kwargs})

    @classmethod
    def from_predictions(
        cls,
        x,
        draws,
        *,
        X=None,
        y_true=None,
        coverages=(0.5, 0.9),
        x_name=None,
        y_name=None,
        ax=None,
        **kwargs,
    ):
        """Plot prediction bands of given draws.

        Parameters
        ----------
        x : array-like of shape (n_points,) or (n_points, 1)
            Inputs of the draws.
        draws : array-like of shape (n_samples, n_points) or (n_samples, n_points, 1), or DataFrame
            Draws of y at `x`, as returned by `sample`, also with ``as_frame=True``.
        X : array-like of shape (n_rows,) or (n_rows, 1), default=None
            Inputs of rows to plot as points.
        y_true : array-like of shape (n_rows,) or (n_rows, 1), default=None
            Outputs of these rows.
        coverages : sequence of float, default=(0.5, 0.9)
            Nominal coverages of the bands.
        x_name, y_name : str, default=None
            Axis labels. None uses the names of `x`, and of `y_true` or `draws`, if they have some,
            or "x" and "y".
        ax : Axes, default=None
            Axes to plot on. None creates a figure.
        **kwargs
            Passed to :meth:`plot`.

        Returns
        -------
        display : PredictiveBandDisplay
            The display, plotted.

        Raises
        ------
        ValueError
            If the shapes do not match, a coverage is not between 0 and 1, or outputs are labels.

        Examples
        --------
        >>> import numpy as np
        >>> from skcvae.displays import PredictiveBandDisplay
        >>> draws = np.random.default_rng(0).normal(size=(1000, 3))
        >>> display = PredictiveBandDisplay.from_predictions([0, 1, 2], draws, coverages=[0.8])
        >>> display.bands.shape
        (1, 3, 2)
        """
        x_name = x_name or next(iter(column_names(x) or ()), None)
        y_name = y_name or next(iter(names_of_either(y_true, draws) or ()), None)
        x, draws = _single("x", x), as_array(draws, None, "draws")
        if draws.shape[1:] not in {x.shape, (*x.shape, 1)} or not len(draws):
            raise ValueError(
                f"draws must have shape (n_samples, {len(x)}), a single output, for x of shape "
                f"{x.shape}, got {draws.shape}."
            )
        if (X is None) != (y_true is None) or (X is not None and len(X) != len(y_true)):
            raise ValueError(
                "X and y_true must be given together, with the same number of rows, got "
                f"{[None if part is None else np.shape(part) for part in (X, y_true)]}."
            )
        levels = np.asarray(coverages, dtype=float)
        if levels.ndim != 1 or not levels.size or not ((levels > 0) & (levels < 1)).all():
            raise ValueError(
                f"coverages must be a sequence of numbers between 0 and 1, got {coverages!r}."
            )
        order = np.argsort(x, kind="stable")
        draws = draws.reshape(len(draws), len(x))[:, order]
        ends = np.quantile(draws, [(1 - levels) / 2, (1 + levels) / 2], axis=0)
        return cls(
            x=x[order],
            median=np.median(draws, axis=0),
            bands=np.moveaxis(ends, 0, -1),
            coverages=tuple(levels.tolist()),
            X=None if X is None else _single("X", X),
            y_true=None if X is None else _single("y_true", y_true),
            x_name=x_name,
            y_name=y_name,
        ).plot(ax, **kwargs)

    def plot(self, ax=None, *, line_kw=None, band_kw=None, scatter_kw=None):
        """Plot the bands.

        Parameters
        ----------
        ax : Axes, default=None
            Axes to plot on. None creates a figure.
        line_kw : dict, default=None
            Keywords passed to `plot`, for the median.
        band_kw : dict, default=None
            Keywords passed to `fill_between`, for each band.
        scatter_kw : dict, default=None
            Keywords passed to `scatter`, for the points.

        Returns
        -------
        self : PredictiveBandDisplay
            The display, plotted.
        """
        self.ax_ = axes_for(ax, (1, 1), self, figsize=(5.6, 3.6))[0, 0]
        self.figure_ = self.ax_.figure
        plain(self.ax_)
        # The widest first: narrower bands are drawn over it, darker towards the median.
        widest_first = np.argsort(self.coverages)[::-1]
        self.bands_ = [
            self._fill(i, band_kw, alpha=alpha)
            for i, alpha in zip(widest_first, np.linspace(0.2, 0.4, len(self.bands)), strict=True)
        ]
        look = style(line_kw, color=BLUE, linewidth=1.5, label="median")
        (self.line_,) = self.ax_.plot(self.x, self.median, **look)
        self.scatter_ = None
        if self.X is not None:
            look = {"color": "0.2", "s": 6, "alpha": 0.5, "linewidth": 0, "label": "rows"}
            dots = style(scatter_kw, dots=True, **look)
            self.scatter_ = self.ax_.scatter(self.X, self.y_true, zorder=3, **dots)
        self.ax_.set(xlabel=self.x_name or "x", ylabel=self.y_name or "y")
        self.ax_.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
        return self

    def _fill(self, i, band_kw, *, alpha):
        label = f"{100 * self.coverages[i]:g}% band"
        look = style(band_kw, color=BLUE, alpha=alpha, linewidth=0, label=label)
        return self.ax_.fill_between(self.x, *self.bands[i].T, **look)


def _draws(estimator, X, feature, grid, n_rows, n_samples, random_state):
    """Return draws along a feature; the others are those of some rows, in equal shares."""
    rows = np.unique(np.linspace(0, len(X) - 1, n_rows).astype(int))
    moved = _safe_indexing(X, rows.repeat(len(grid)))
    moved = with_column(moved, feature, np.tile(grid, len(rows)))
    draws = sample(estimator, moved, -(-n_samples // len(rows)), random_state)
    return draws.reshape(-1, len(grid), *draws.shape[2:])


def _single(name, array, parameter=None):
    """Return a single column as a flat array; `parameter` selects one of several."""
    shape = np.shape(array)
    if len(shape) not in (1, 2) or shape[1:] not in {(), (1,)} or not shape[0]:
        hint = "" if parameter is None else f" Select one of several by {parameter}=..."
        raise ValueError(
            f"{name} must be a single column, of shape (n,) or (n, 1), got shape {shape}.{hint}"
        )
    return as_numbers(array, name).ravel()
