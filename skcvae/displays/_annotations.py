"""Grids of label maps of several annotators beside draws, and where each disagree."""

import numpy as np

from skcvae.data.annotations import labels_of, present_annotations
from skcvae.data.label_names import array_of, known, without_label
from skcvae.displays._axes import pyplot, style
from skcvae.displays._images import (
    check_length,
    check_rows,
    grey,
    input_columns,
    inputs_as_images,
    legend_of_labels,
    look_of_labels,
    names_of_labels,
    numbered,
    show_grid,
)
from skcvae.pipelines import sample
from skcvae.pipelines._labels import without_ignored
from skcvae.pipelines.steps import last_step


class AnnotationsDisplay:
    """Grid with one row per x: input, annotations, draws, and maps of their disagreement.

    The disagreement of a pixel is the probability that two different annotations, or draws,
    have different labels there, over all of them, of which the grid shows the first ones. The
    map of a row with a single annotation, which disagrees with no other, is left out.

    Use :meth:`from_estimator` or :meth:`from_predictions` to create a display. All
    parameters are stored as attributes.

    Parameters
    ----------
    annotations : ndarray of shape (n_annotations, n_rows, height, width)
        Label maps; NaN where absent.
    draws : ndarray of shape (n_draws, n_rows, height, width)
        Draws of label maps.
    X : ndarray of shape (n_rows, height, width[, n_channels]), default=None
        Inputs. None omits their column. Of 2 or 4 channels the last, such as a mask, has a
        column of its own.
    label_names : dict of label to str
        Names of the labels.
    n_shown : int, default=3
        Number of annotations, and of draws, in the grid.

    Attributes
    ----------
    ax_ : ndarray of Axes of shape (n_rows, n_columns)
        Axes of the grid.
    images_ : ndarray of AxesImage of shape (n_rows, n_columns)
        Images of the grid; None where a row has fewer annotations.
    disagreement_ : dict of str to ndarray of shape (n_rows, height, width)
        The maps of disagreement, "annotations" and "draws"; NaN without two of them.
    legend_ : Legend or None
        Legend of the labels; None if `n_shown` is 0.
    figure_ : Figure
        Figure of the plot.

    Examples
    --------
    >>> import numpy as np
    >>> from skcvae.displays import AnnotationsDisplay
    >>> y = np.zeros((2, 1, 4, 4), dtype=int)
    >>> y[1, 0, :2] = 1
    >>> display = AnnotationsDisplay.from_predictions(None, y, y[[1, 1, 1]])
    >>> display.ax_.shape, float(display.disagreement_["annotations"][0, 0, 0])
    ((1, 7), 1.0)
    """

    def __init__(self, *, annotations, draws, X=None, label_names, n_shown=3):
        self.annotations = annotations
        self.draws = draws
        self.X = X
        self.label_names = label_names
        self.n_shown = n_shown

    @classmethod
    def from_estimator(
        cls, estimator, X, y, *, n_samples=16, random_state=0, observation_noise=False, **kwargs
    ):
        """Plot annotations, and draws of an estimator.

        Parameters
        ----------
        estimator : Pipeline, search or estimator
            A fitted estimator with a method `sample`, or a pipeline or search of one.
        X : array-like of shape (n_rows, ...)
            Inputs, at most 20.
        y : array-like of shape (n_rows, n_annotations, height, width)
            Label maps, as in `fit` with ``annotations=True``.
        n_samples : int, default=16
            Draws per row.
        random_state : int, RandomState or None, default=0
            Seed of the draws.
        observation_noise : bool, default=False
            Whether to draw each label, rather than take the likeliest given z.
        **kwargs
            Passed to :meth:`from_predictions`.

        Returns
        -------
        display : AnnotationsDisplay
            The display, plotted.

        Raises
        ------
        ValueError
            If there are more than 20 rows, or outputs are not label maps.
        """
        pyplot(cls.__name__)
        check_rows(len(X))
        draws = sample(estimator, X, n_samples, random_state, observation_noise=observation_noise)
        draws = _labels(estimator, draws)
        y = array_of(without_ignored(estimator, y))
        if y.ndim != 4:
            raise ValueError(
                f"y must have shape (n_rows, n_annotations, height, width), got {y.shape}."
            )
        y = np.moveaxis(y, 1, 0)
        return cls.from_predictions(X, y, draws, **kwargs)

    @classmethod
    def from_predictions(
        cls, X, y, draws, *, label_names=None, n_shown=3, ignore_label=None, ax=None, **kwargs
    ):
        """Plot annotations and given draws.

        Parameters
        ----------
        X : array-like of shape (n_rows, ...) or None
            Inputs, at most 20 rows. They are plotted if they are images of shape
            (n_rows, [channels,] height, width), of 1 to 4 channels: grey or colour, and with
            2 or 4 a mask in a column of its own.
        y : array-like of shape (n_annotations, n_rows, height, width)
            Label maps, annotations first. An absent one is NaN, None or -1 all over; pixels that
            are NaN or None in a part of a map are plotted in light blue.
        draws : array-like of shape (n_draws, n_rows, height, width)
            Draws of label maps, as returned by `sample`.
        label_names : dict of label to str, default=None
            Names of the labels. None takes the labels.
        n_shown : int, default=3
            Number of annotations, and of draws, in the grid.
        ignore_label : int or str, default=None
            The label of pixels that are not known, such as 255, read as NaN. `from_estimator`
            takes that of the likelihood.
        ax : ndarray of Axes of shape (n_rows, n_columns), default=None
            Axes to plot on. None creates a figure.
        **kwargs
            Passed to :meth:`plot`.

        Returns
        -------
        display : AnnotationsDisplay
            The display, plotted.

        Raises
        ------
        ValueError
            If there are more than 20 rows, the shapes do not match or are not of maps, or y or
            draws are not labels.
        """
        y, draws = without_label(y, ignore_label), array_of(draws)
        if y.ndim != 4 or draws.shape[1:] != y.shape[1:] or not len(draws):
            raise ValueError(
                "y must have shape (n_annotations, n_rows, height, width) and draws (n_draws, "
                f"n_rows, height, width), n_draws above zero, got {y.shape} and {draws.shape}."
            )
        check_rows(y.shape[1])
        check_length("X", X, draws, 1)
        annotations = y.astype(float if y.dtype.kind in "iuf" else object)
        annotations[~present_annotations(y)] = np.nan
        labels_of("y", annotations[known(annotations)])
        labels_of("draws", draws)
        return cls(
            annotations=annotations,
            draws=draws,
            X=inputs_as_images(X, draws, None) if X is not None else None,
            label_names=names_of_labels(label_names, [annotations, draws]),
            n_shown=n_shown,
        ).plot(ax, **kwargs)

    def plot(self, ax=None, *, imshow_kw=None):
        """Plot the grid.

        Parameters
        ----------
        ax : ndarray of Axes of shape (n_rows, n_columns), default=None
            Axes to plot on. None creates a figure.
        imshow_kw : dict, default=None
            Keywords passed to `imshow` for the maps of disagreement, such as `cmap`.

        Returns
        -------
        self : AnnotationsDisplay
            The display, plotted.
        """
        self.disagreement_ = {
            "annotations": self._disagreement(self.annotations),
            "draws": self._disagreement(self.draws),
        }
        columns = [
            (title, [image if known(image).any() else None for image in images], look)
            for title, images, look in self._columns(imshow_kw)
        ]
        show_grid(self, ax, columns, self.draws.shape[1:], fontsize="small", margin=0.4)
        last_draw = self.images_[0, -3] if self.n_shown else None
        self.legend_ = last_draw and legend_of_labels(last_draw, self.label_names)
        return self

    def _columns(self, imshow_kw):
        """Return title, images and look of each column."""
        labels = look_of_labels(self, self.label_names)
        heat = style(imshow_kw, cmap="magma", vmin=0, vmax=1)
        inputs = [] if self.X is None else input_columns(self.X)
        columns = [(title, images, grey(images)) for title, images in inputs]
        for name, maps in (("annotation", self._present_first()), ("draw", self.draws)):
            for i, images in enumerate(numbered(maps[: self.n_shown], self.label_names)):
                columns.append((f"{name} {i + 1}", images, labels))
        for name, images in self.disagreement_.items():
            columns.append((f"{name}\ndisagree", images, heat))
        return columns

    def _present_first(self):
        """Return the annotations of each row with absent ones last."""
        order = (~known(self.annotations)).all(axis=(2, 3)).argsort(axis=0, kind="stable")
        return np.take_along_axis(self.annotations, order[..., None, None], axis=0)

    def _disagreement(self, maps):
        """Return the share of pairs of maps that differ, for each pixel; NaN without a pair."""
        counts = np.stack([(maps == label).sum(axis=0) for label in self.label_names])
        n = counts.sum(axis=0)
        same = (counts * (counts - 1)).sum(axis=0)
        return 1 - np.divide(same, n * (n - 1), out=np.full(n.shape, np.nan), where=n > 1)


def _labels(estimator, draws):
    """Return the likelier labels where draws are probabilities of binary outputs."""
    last, _ = last_step(estimator, None, "sample")
    code = getattr(getattr(last, "likelihood_", None), "absent_code", None)
    is_binary = code is not None and draws.dtype.kind == "f" and draws.max() <= 1
    return (draws > 0.5).astype(int) if is_binary else draws
