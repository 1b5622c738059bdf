"""Grids of images: inputs, true outputs and draws."""

from functools import partial

import numpy as np

from skcvae.displays._axes import axes_for, pyplot, style
from skcvae.pipelines import sample

MOST_ROWS = 20  # larger grids are not readable
UNKNOWN = "#a6cee3"  # distinct from greys and from the colours of labels


class SamplesDisplay:
    """Grid of images with one row per x: input, true output and draws.

    Use :meth:`from_estimator` or :meth:`from_predictions` to create a display. All
    parameters are stored as attributes.

    Parameters
    ----------
    draws : ndarray of shape (n_samples, n_rows, height, width[, 3])
        Grey images, colour images in [0, 1] or label maps. NaN pixels are missing and
        are plotted in light blue.
    y_true : ndarray of shape (n_rows, height, width[, 3]), default=None
        True outputs. None omits their column.
    X : ndarray of shape (n_rows, height, width[, 3]), default=None
        Inputs. None omits their column.
    predictions : dict of str to ndarray, default=None
        Additional columns between the true outputs and the draws: titles mapped to
        arrays of the shape of `y_true`.
    label_names : dict of int to str, default=None
        Names of the labels. None for grey and colour images.
    joined : bool, default=False
        Whether `X` is the observed part of the same image, plotted like the outputs.
    row_names : list of str, default=None
        Names of the rows of the grid.
    draw_names : list of str, default=None
        Titles of the draws. None numbers them.

    Attributes
    ----------
    ax_ : ndarray of Axes of shape (n_rows, n_columns)
        Axes of the grid.
    images_ : ndarray of AxesImage of shape (n_rows, n_columns)
        Images of the grid.
    legend_ : Legend or None
        Legend of the labels.
    figure_ : Figure
        Figure of the plot.

    Examples
    --------
    >>> from skcvae import CVAERegressor
    >>> from skcvae.datasets import load_digits_label_maps
    >>> from skcvae.displays import SamplesDisplay
    >>> digits = load_digits_label_maps()
    >>> X, y = digits.data[:100], digits.target[:100]
    >>> est = CVAERegressor(likelihood="categorical", max_epochs=2, random_state=0).fit(X, y)
    >>> SamplesDisplay.from_estimator(est, X[:4], y[:4], n_samples=3).ax_.shape
    (4, 5)
    """

    def __init__(
        self,
        *,
        draws,
        y_true=None,
        X=None,
        predictions=None,
        label_names=None,
        joined=False,
        row_names=None,
        draw_names=None,
    ):
        self.draws = draws
        self.y_true = y_true
        self.X = X
        self.predictions = predictions
        self.label_names = label_names
        self.joined = joined
        self.row_names = row_names
        self.draw_names = draw_names

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        y=None,
        *,
        n_samples=4,
        random_state=0,
        observation_noise=False,
        **kwargs,
    ):
        """Plot draws of an estimator.

        Parameters
        ----------
        estimator : Pipeline, search or estimator
            A fitted estimator with a method `sample`, or a pipeline or search of one.
        X : array-like of shape (n_rows, ...)
            Inputs, at most 20.
        y : array-like of shape (n_rows, ...), default=None
            True outputs.
        n_samples : int, default=4
            Draws per row.
        random_state : int, RandomState or None, default=0
            Seed of the draws.
        observation_noise : bool, default=False
            Whether to show draws of y. Otherwise z is drawn, and shown is E[y|x,z]
            or the likeliest labels: images without speckle.
        **kwargs
            Passed to :meth:`from_predictions`.

        Returns
        -------
        display : SamplesDisplay
            The display, plotted.

        Raises
        ------
        ValueError
            If there are more than 20 rows, or outputs are not images.
        """
        pyplot(cls.__name__)
        _check_rows(len(X))
        draws = sample(estimator, X, n_samples, random_state, observation_noise=observation_noise)
        return cls.from_predictions(X, y, draws, **kwargs)

    @classmethod
    def from_predictions(
        cls,
        X,
        y_true,
        draws,
        *,
        join=None,
        predictions=None,
        label_names=None,
        row_names=None,
        draw_names=None,
        ax=None,
        **kwargs,
    ):
        """Plot given draws.

        Parameters
        ----------
        X : array-like of shape (n_rows, ...) or None
            Inputs, at most 20 rows. They are plotted if they are images of shape
            (n_rows, [channels,] height, width).
        y_true : array-like of shape (n_rows, ...) or None
            True outputs.
        draws : array-like of shape (n_samples, n_rows, ...)
            Draws of the outputs, as returned by `sample`. Colours are clipped to [0, 1].
        join : callable, default=None
            Function of X and y that returns images of shape (n_rows, [channels,] height,
            width), such as the ``join`` of :class:`~skcvae.datasets.Quadrants`. The input
            is plotted as an image whose y is missing. None if y is an image.
        predictions : dict of str to array-like, default=None
            Additional predictions to plot, such as ``{"mean": est.predict(X)}``.
        label_names : dict of int to str, default=None
            Names of the labels. None uses the labels of integer outputs, and plots other
            outputs as grey or colour images.
        row_names : list of str, default=None
            Names of the rows of the grid.
        draw_names : list of str, default=None
            Titles of the draws. None numbers them.
        ax : ndarray of Axes of shape (n_rows, n_columns), default=None
            Axes to plot on. None creates a figure.
        **kwargs
            Passed to :meth:`plot`.

        Returns
        -------
        display : SamplesDisplay
            The display, plotted.

        Raises
        ------
        ValueError
            If there are more than 20 rows, or outputs are not images.

        Examples
        --------
        >>> import numpy as np
        >>> from skcvae.displays import SamplesDisplay
        >>> upper, lower = np.zeros((2, 4, 8)), np.ones((2, 4, 8))
        >>> display = SamplesDisplay.from_predictions(
        ...     upper, lower, [lower, lower], join=lambda X, y: np.concatenate([X, y], axis=1)
        ... )
        >>> display.ax_.shape, display.y_true.shape
        ((2, 4), (2, 8, 8))
        """
        draws = np.asarray(draws)
        if draws.ndim < 2 or not draws.size:
            raise ValueError(f"draws must have shape (n_samples, n_rows, ...), got {draws.shape}.")
        _check_rows(draws.shape[1])
        _check_length("X", X, draws, axis=1)
        _check_length("row_names", row_names, draws, axis=1)
        _check_length("draw_names", draw_names, draws, axis=0)

        joined = None if join is None else partial(join, X)
        truth = [] if y_true is None else [_outputs("y_true", y_true, draws, joined)]
        answers = {
            title: _outputs(f"predictions[{title!r}]", y, draws, joined)
            for title, y in (predictions or {}).items()
        }
        shown = np.stack([_outputs("draws", draw, draws, joined) for draw in draws])
        if label_names is not None or draws.dtype.kind in "iu":
            label_names = _label_names(label_names, [shown, *truth, *answers.values()])
        return cls(
            draws=shown,
            y_true=truth[0] if truth else None,
            X=_inputs(X, draws, joined),
            predictions=answers,
            label_names=label_names,
            joined=join is not None,
            row_names=row_names,
            draw_names=draw_names,
        ).plot(ax, **kwargs)

    def plot(self, ax=None, *, imshow_kw=None):
        """Plot the grid.

        Parameters
        ----------
        ax : ndarray of Axes of shape (n_rows, n_columns), default=None
            Axes to plot on. None creates a figure.
        imshow_kw : dict, default=None
            Keywords passed to `imshow`, such as `cmap`, `vmin` and `vmax`. Not used for
            inputs, unless they are joined with y.

        Returns
        -------
        self : SamplesDisplay
            The display, plotted.
        """
        columns, (n_rows, height, width) = self._columns(), self.draws.shape[1:4]
        names_width = 0.09 * max(map(len, self.row_names or [""]))
        size = (0.95 * len(columns) + names_width, 0.95 * height / width * n_rows + 0.3)
        self.ax_ = axes_for(ax, (n_rows, len(columns)), self, figsize=size)
        self.figure_ = self.ax_[0, 0].figure
        self.images_ = np.empty(self.ax_.shape, dtype=object)
        for j, (title, images) in enumerate(columns):
            self.ax_[0, j].set_title(title, fontsize="medium")
            own = images is self.X and not self.joined
            look = _grey(images) if own else style(imshow_kw, **self._look())
            for i, image in enumerate(images if own else self._coloured(images)):
                self.images_[i, j] = _show(self.ax_[i, j], image, look)
        for first, name in zip(self.ax_[:, 0], self.row_names or [], strict=False):
            first.set_ylabel(name, rotation=0, ha="right", va="center")
        self.legend_ = self._legend() if self.label_names else None
        return self

    def _columns(self):
        """Return the title and the images of each column."""
        names = self.draw_names or [f"draw {i + 1}" for i in range(len(self.draws))]
        columns = [("input", self.X), ("truth", self.y_true), *(self.predictions or {}).items()]
        columns += zip(names, self.draws, strict=True)
        return [(title, images) for title, images in columns if images is not None]

    def _look(self):
        """Return the colour map and its limits, shared by all images but separate inputs."""
        if self.label_names:
            colours = pyplot(type(self).__name__).get_cmap("viridis", len(self.label_names))
            return {"cmap": colours, "vmin": -0.5, "vmax": len(self.label_names) - 0.5}
        return _grey(self.draws if self.y_true is None else self.y_true)

    def _coloured(self, images):
        """Return images, or the indices of labels in `label_names`; NaN if missing."""
        if not self.label_names:
            return images
        numbers = np.full(images.shape, np.nan)
        for number, label in enumerate(self.label_names):
            numbers[images == label] = number
        return numbers

    def _legend(self):
        from matplotlib.patches import Patch

        shown = self.images_[0, -1]
        patches = [
            Patch(color=shown.cmap(shown.norm(number)), label=name)
            for number, name in enumerate(self.label_names.values())
        ]
        return self.figure_.legend(
            handles=patches, loc="outside lower center", ncols=len(patches), frameon=False
        )


def _check_rows(n_rows):
    if n_rows > MOST_ROWS:
        raise ValueError(
            f"X must have at most {MOST_ROWS} rows, one per row of the grid, got {n_rows}. Select "
            "some, such as X[:5] and y[:5]."
        )


def _check_length(name, given, draws, axis):
    if given is not None and len(given) != draws.shape[axis]:
        raise ValueError(
            f"{name} must have length {draws.shape[axis]} for draws of shape {draws.shape}, "
            f"got {len(given)}."
        )


def _outputs(name, y, draws, joined):
    """Check that outputs have the shape of a draw, and return them as images."""
    y = np.asarray(y)
    if y.shape != draws.shape[1:]:
        raise ValueError(
            f"{name} must have shape {draws.shape[1:]} for draws of shape {draws.shape}, "
            f"got {y.shape}."
        )
    return _images(name, y if joined is None else joined(y))


def _inputs(X, draws, joined):
    """Return inputs as images, with missing y if they are joined, or None if not images."""
    if joined is None:
        return _images("X", X) if np.ndim(X) > 2 else None
    images = _images("join(X, y)", joined(np.full(draws.shape[1:], np.nan)))
    return None if np.isnan(images).all() else images


def _images(name, array):
    """Return images in the layout of imshow: (n, height, width) or (n, height, width, 3)."""
    array = np.asarray(array)
    if array.ndim == 4 and array.shape[1] == 1:
        return array[:, 0]
    if array.ndim == 4 and array.shape[1] == 3:
        if name in ("X", "y_true") and not 0 <= np.nanmin(array) <= np.nanmax(array) <= 1:
            raise ValueError(
                f"{name} must have colours in [0, 1], got values from {np.nanmin(array)} to "
                f"{np.nanmax(array)}. Divide bytes by 255 before fit."
            )
        return np.moveaxis(array, 1, -1).clip(0, 1)
    if array.ndim != 3:
        raise ValueError(
            f"{name} must be images of shape (n_rows, height, width) or (n_rows, channels, "
            f"height, width) with 1 or 3 channels, got {array.shape}. If images are flattened, "
            "pass join=lambda X, y: y.reshape(-1, height, width)."
        )
    return array


def _label_names(given, maps):
    """Return the names of labels, by default the labels as text."""
    found = np.unique(np.concatenate([part[~np.isnan(part)] for part in maps])).tolist()
    names = {int(label): str(int(label)) for label in found} if given is None else given
    if not set(found) <= set(names):
        raise ValueError(f"label_names must have a name for all labels {found}, got {given!r}.")
    return names


def _grey(images):
    """Return keywords for grey images, with limits 0 and 1 or those of the data."""
    low, high = np.nanmin(images), np.nanmax(images)
    inside = 0 <= low and high <= 1
    return {"cmap": "gray", "vmin": 0 if inside else low, "vmax": 1 if inside else high}


def _show(ax, image, look):
    """Plot an image in a thin frame, with missing pixels in light blue."""
    from matplotlib.colors import to_rgb

    if image.ndim == 3:
        image = np.where(np.isnan(image).any(-1, keepdims=True), to_rgb(UNKNOWN), image)
    drawn = ax.imshow(image, **look)
    drawn.set_cmap(drawn.get_cmap().with_extremes(bad=UNKNOWN))
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set(color="0.7", linewidth=0.5)
    return drawn
