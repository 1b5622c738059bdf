"""Grids of images: inputs, true outputs and draws."""

from functools import partial

import numpy as np

from skcvae.displays._axes import pyplot, style
from skcvae.displays._images import (
    LABELS,
    check_length,
    check_rows,
    grey,
    input_columns,
    inputs_as_images,
    legend_of_labels,
    look_of_labels,
    names_of_labels,
    numbered,
    outputs_as_images,
    show_grid,
)
from skcvae.displays._names import listed
from skcvae.pipelines import sample
from skcvae.pipelines._labels import without_ignored


class SamplesDisplay:
    """Grid of images with one row per x: input, true output and draws.

    Use :meth:`from_estimator` or :meth:`from_predictions` to create a display. All
    parameters are stored as attributes.

    Parameters
    ----------
    draws : ndarray of shape (n_samples, n_rows, height, width[, 3])
        Grey images, colour images in [0, 1] or label maps, of integers, texts or booleans.
        Pixels that are NaN or None are missing and are plotted in light blue.
    y_true : ndarray of shape (n_rows, height, width[, 3]), default=None
        True outputs. None omits their column.
    X : ndarray of shape (n_rows, height, width[, n_channels]), default=None
        Inputs. None omits their column. Of 2 or 4 channels the last, such as a mask, has a
        column of its own.
    predictions : dict of str to ndarray, default=None
        Additional columns between the true outputs and the draws: titles mapped to
        arrays of the shape of `y_true`.
    label_names : dict of label to str, default=None
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
        check_rows(len(X))
        draws = sample(estimator, X, n_samples, random_state, observation_noise=observation_noise)
        return cls.from_predictions(X, without_ignored(estimator, y), draws, **kwargs)

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
            (n_rows, [channels,] height, width), of 1 to 4 channels: grey or colour, and with
            2 or 4 a mask in a column of its own.
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
        label_names : dict of label to str, default=None
            Names of the labels. None uses the labels of outputs that are integers, texts or
            booleans, and plots other outputs as grey or colour images.
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
        row_names, draw_names = listed(row_names), listed(draw_names)
        check_rows(draws.shape[1])
        check_length("X", X, draws, axis=1)
        check_length("row_names", row_names, draws, axis=1)
        check_length("draw_names", draw_names, draws, axis=0)

        joined = None if join is None else partial(join, X)
        truth = [] if y_true is None else [outputs_as_images("y_true", y_true, draws, joined)]
        answers = {
            title: outputs_as_images(f"predictions[{title!r}]", y, draws, joined)
            for title, y in (predictions or {}).items()
        }
        shown = np.stack([outputs_as_images("draws", draw, draws, joined) for draw in draws])
        if label_names is not None or draws.dtype.kind in LABELS:
            label_names = names_of_labels(label_names, [shown, *truth, *answers.values()])
        return cls(
            draws=shown,
            y_true=truth[0] if truth else None,
            X=inputs_as_images(X, draws, joined),
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
        inputs = [] if self.X is None else input_columns(self.X)
        own = [] if self.joined else inputs
        others, look = (inputs if self.joined else []) + self._columns(), self._look()
        columns = [(title, images, grey(images)) for title, images in own]
        columns += [(t, self._coloured(images), style(imshow_kw, **look)) for t, images in others]
        show_grid(self, ax, columns, self.draws.shape[1:4], self.row_names)
        self.legend_ = legend_of_labels(self.images_[0, -1], self.label_names)
        return self

    def _columns(self):
        """Return the title and the images of each column of outputs."""
        names = self.draw_names or [f"draw {i + 1}" for i in range(len(self.draws))]
        truth = [] if self.y_true is None else [("truth", self.y_true)]
        return [*truth, *(self.predictions or {}).items(), *zip(names, self.draws, strict=True)]

    def _look(self):
        """Return the colour map and its limits, shared by all images but separate inputs."""
        if self.label_names:
            return look_of_labels(self, self.label_names)
        return grey(self.draws if self.y_true is None else self.y_true)

    def _coloured(self, images):
        """Return images, or label maps as positions in `label_names`."""
        return numbered(images, self.label_names) if self.label_names else images
