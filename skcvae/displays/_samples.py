"""Images, the truth and what a model draws, row by row."""

from functools import partial

import numpy as np

from skcvae.displays._axes import axes_for, pyplot, style
from skcvae.pipelines import sample

MOST_ROWS = 20  # of a grid that can still be looked at
UNKNOWN = "#a6cee3"  # is no grey, and not among the colours of labels


class SamplesDisplay:
    """Samples of an image task in a grid: input, truth and draws, a row for each x.

    Use :meth:`from_estimator` or :meth:`from_predictions` to make one. Parameters
    are kept as attributes.

    Parameters
    ----------
    draws : ndarray of shape (n_samples, n_rows, height, width[, 3])
        Images of grey pixels, of colours in [0, 1] or of labels. NaN is not known, and
        shown in light blue.
    y_true : ndarray of shape (n_rows, height, width[, 3]), default=None
        The truth. None leaves out its column.
    X : ndarray of shape (n_rows, height, width[, 3]), default=None
        The inputs. None leaves out their column.
    predictions : dict of str to ndarray, default=None
        More columns between truth and draws, by their titles, of the shape of
        `y_true`.
    label_names : dict of int to str, default=None
        What labels stand for. None says that pixels are grey or coloured.
    joined : bool, default=False
        Whether `X` is the part of the image that is known, shown like the rest.
    row_names : list of str, default=None
        What stands before each row.
    draw_names : list of str, default=None
        Titles of the draws. None numbers them.

    Attributes
    ----------
    ax_ : ndarray of Axes of shape (n_rows, n_columns)
        The grid.
    images_ : ndarray of AxesImage of shape (n_rows, n_columns)
        What is in it.
    legend_ : Legend or None
        What labels stand for.
    figure_ : Figure
        The figure that holds the grid.

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
        """Draw from an estimator and show the draws.

        Parameters
        ----------
        estimator : Pipeline, search or estimator
            Fitted; its last step, or its best estimator's, has a method `sample`.
        X : array-like of shape (n_rows, ...)
            Inputs, at most 20.
        y : array-like of shape (n_rows, ...), default=None
            The true outputs.
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
            Drawn.

        Raises
        ------
        ValueError
            If there are more than 20 rows, or what is to be shown is no image.
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
        """Show draws.

        Parameters
        ----------
        X : array-like of shape (n_rows, ...) or None
            Inputs, at most 20. They are shown where they are images of shape (n_rows,
            [channels,] height, width).
        y_true : array-like of shape (n_rows, ...) or None
            The true outputs.
        draws : array-like of shape (n_samples, n_rows, ...)
            Draws of them, as `sample` returns them. Colours beyond [0, 1] are clipped.
        join : callable, default=None
            Makes images of shape (n_rows, [channels,] height, width) of X and y, such
            as the ``join`` of :class:`~skcvae.datasets.Quadrants`. The input is then
            shown as the image in which y is not known. None where y is an image.
        predictions : dict of str to array-like, default=None
            Other answers to show, such as ``{"mean": est.predict(X)}``.
        label_names : dict of int to str, default=None
            What labels stand for. None shows integers by their numbers, and other
            outputs as grey or coloured pixels.
        row_names : list of str, default=None
            What stands before each row.
        draw_names : list of str, default=None
            Titles of the draws. None numbers them.
        ax : ndarray of Axes of shape (n_rows, n_columns), default=None
            Where to draw. None makes a figure.
        **kwargs
            Passed to :meth:`plot`.

        Returns
        -------
        display : SamplesDisplay
            Drawn.

        Raises
        ------
        ValueError
            If there are more than 20 rows, or what is to be shown is no image.

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
        """Draw the grid.

        Parameters
        ----------
        ax : ndarray of Axes of shape (n_rows, n_columns), default=None
            Where to draw. None makes a figure.
        imshow_kw : dict, default=None
            Passed to `imshow`, such as `cmap`, `vmin` and `vmax`; not for inputs that
            are images of their own.

        Returns
        -------
        self : SamplesDisplay
            With what was drawn.
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
        """Return what all images but inputs share: colours, and where they begin and end."""
        if self.label_names:
            colours = pyplot(type(self).__name__).get_cmap("viridis", len(self.label_names))
            return {"cmap": colours, "vmin": -0.5, "vmax": len(self.label_names) - 0.5}
        return _grey(self.draws if self.y_true is None else self.y_true)

    def _coloured(self, images):
        """Return images, or the positions of labels in `label_names`; NaN where not known."""
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
            f"X must have at most {MOST_ROWS} rows, each a row of the grid, got {n_rows}. Choose "
            "some, such as X[:5] and y[:5]."
        )


def _check_length(name, given, draws, axis):
    if given is not None and len(given) != draws.shape[axis]:
        raise ValueError(
            f"{name} must be of length {draws.shape[axis]} for draws of shape {draws.shape}, "
            f"got {len(given)}."
        )


def _outputs(name, y, draws, joined):
    """Return outputs of the shape of a draw as images."""
    y = np.asarray(y)
    if y.shape != draws.shape[1:]:
        raise ValueError(
            f"{name} must have shape {draws.shape[1:]} for draws of shape {draws.shape}, "
            f"got {y.shape}."
        )
    return _images(name, y if joined is None else joined(y))


def _inputs(X, draws, joined):
    """Return inputs as images, joined ones with no known y; None where they are no images."""
    if joined is None:
        return _images("X", X) if np.ndim(X) > 2 else None
    images = _images("join(X, y)", joined(np.full(draws.shape[1:], np.nan)))
    return None if np.isnan(images).all() else images


def _images(name, array):
    """Return images as imshow takes them: (n, height, width) or (n, height, width, 3)."""
    array = np.asarray(array)
    if array.ndim == 4 and array.shape[1] == 1:
        return array[:, 0]
    if array.ndim == 4 and array.shape[1] == 3:
        if name in ("X", "y_true") and not 0 <= np.nanmin(array) <= np.nanmax(array) <= 1:
            raise ValueError(
                f"{name} must have colours in [0, 1], got some from {np.nanmin(array)} to "
                f"{np.nanmax(array)}. Divide bytes by 255, before fit."
            )
        return np.moveaxis(array, 1, -1).clip(0, 1)
    if array.ndim != 3:
        raise ValueError(
            f"{name} must be images of shape (n_rows, height, width) or (n_rows, channels, "
            f"height, width) with 1 or 3 channels, got {array.shape}. Where rows are flat, pass "
            "join=lambda X, y: y.reshape(-1, height, width)."
        )
    return array


def _label_names(given, maps):
    """Return the names of labels, their numbers if none are given."""
    found = np.unique(np.concatenate([part[~np.isnan(part)] for part in maps])).tolist()
    names = {int(label): str(int(label)) for label in found} if given is None else given
    if not set(found) <= set(names):
        raise ValueError(f"label_names must name each of the labels {found}, got {given!r}.")
    return names


def _grey(images):
    """Return the look of grey images: black to white from 0 to 1, or where they range."""
    low, high = np.nanmin(images), np.nanmax(images)
    inside = 0 <= low and high <= 1
    return {"cmap": "gray", "vmin": 0 if inside else low, "vmax": 1 if inside else high}


def _show(ax, image, look):
    """Show an image in a thin frame, in light blue what is not known."""
    from matplotlib.colors import to_rgb

    if image.ndim == 3:
        image = np.where(np.isnan(image).any(-1, keepdims=True), to_rgb(UNKNOWN), image)
    drawn = ax.imshow(image, **look)
    drawn.set_cmap(drawn.get_cmap().with_extremes(bad=UNKNOWN))
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set(color="0.7", linewidth=0.5)
    return drawn
