"""Pairwise scatter plots of joint draws."""

import numpy as np

from skcvae.displays._axes import BLUE, VERMILION, axes_for, plain, pyplot, style
from skcvae.displays._names import (
    check_number_of_names,
    is_index,
    names_of,
    names_of_either,
    positions,
)
from skcvae.pipelines import sample
from skcvae.pipelines._frames import as_array, as_numbers

MOST_OUTPUTS = 8  # larger grids are not readable


class JointSamplesDisplay:
    """Pair plot of joint draws of one row: scatter plots of pairs, histograms of outputs.

    Use :meth:`from_estimator` or :meth:`from_predictions` to create a display. All
    parameters are stored as attributes.

    Parameters
    ----------
    draws : ndarray of shape (n_samples, n_outputs)
        Draws of y for one x.
    y_true : ndarray of shape (n_outputs,), default=None
        The true outputs. None omits them.
    output_names : list of str, default=None
        Names of the outputs. None uses their indices.

    Attributes
    ----------
    scatters_ : list of PathCollection
        Scatter plots, one per pair, row by row.
    histograms_ : list of StepPatch
        Histograms, one per output.
    ax_ : ndarray of Axes of shape (n_outputs, n_outputs)
        Axes of the grid; those above the diagonal are empty.
    figure_ : Figure
        Figure of the plot.

    Examples
    --------
    >>> from skcvae import CVAERegressor
    >>> from skcvae.datasets import make_ring
    >>> from skcvae.displays import JointSamplesDisplay
    >>> ring = make_ring(n_samples=100, random_state=0)
    >>> est = CVAERegressor(max_epochs=2, random_state=0).fit(ring.X, ring.y)
    >>> display = JointSamplesDisplay.from_estimator(est, ring.X[:1], ring.y[:1])
    >>> display.draws.shape, display.ax_.shape
    ((500, 2), (2, 2))
    """

    def __init__(self, *, draws, y_true=None, output_names=None):
        self.draws = draws
        self.y_true = y_true
        self.output_names = output_names

    @classmethod
    def from_estimator(cls, estimator, X, y=None, *, n_samples=500, random_state=0, **kwargs):
        """Plot joint draws of an estimator for one row.

        Parameters
        ----------
        estimator : Pipeline, search or estimator
            A fitted estimator with a method `sample`, or a pipeline or search of one.
        X : array-like of shape (1, ...)
            One row of inputs, such as ``X[:1]``.
        y : array-like of shape (1, n_outputs), default=None
            True outputs.
        n_samples : int, default=500
            Number of draws.
        random_state : int, RandomState or None, default=0
            Seed of the draws.
        **kwargs
            Passed to :meth:`from_predictions`. `output_names` are by default those of y, or of
            y in `fit`.

        Returns
        -------
        display : JointSamplesDisplay
            The display, plotted.

        Raises
        ------
        ValueError
            If X does not have one row, or y does not have two to eight outputs.
        """
        pyplot(cls.__name__)
        if len(X) != 1:
            raise ValueError(f"X must have one row, such as X[:1], got {len(X)}.")
        kwargs = {"output_names": names_of(estimator, y), **kwargs}
        return cls.from_predictions(y, sample(estimator, X, n_samples, random_state), **kwargs)

    @classmethod
    def from_predictions(
        cls, y_true, draws, *, outputs=None, output_names=None, ax=None, **kwargs
    ):
        """Plot given joint draws of one row.

        Parameters
        ----------
        y_true : array-like of shape (1, n_outputs) or None
            True outputs; NaN if missing.
        draws : array-like of shape (n_samples, 1, n_outputs), or DataFrame
            Draws of the outputs, as returned by `sample`, also with ``as_frame=True``.
        outputs : sequence of int or str, default=None
            Indices or names of the outputs to plot. None plots all.
        output_names : sequence of str of shape (n_outputs,), default=None
            Names of all outputs. None uses those of `y_true` or `draws`, if one is a DataFrame,
            or their indices.
        ax : ndarray of Axes of shape (n_shown, n_shown), default=None
            Axes to plot on, such as the `ax_` of another display. None creates a figure.
        **kwargs
            Passed to :meth:`plot`.

        Returns
        -------
        display : JointSamplesDisplay
            The display, plotted.

        Raises
        ------
        ValueError
            If the shapes do not match, or `outputs` does not select two to eight outputs.

        Examples
        --------
        >>> import numpy as np
        >>> from skcvae.displays import JointSamplesDisplay
        >>> draws = np.random.default_rng(0).normal(size=(50, 1, 3))
        >>> display = JointSamplesDisplay.from_predictions(None, draws, outputs=[0, 2])
        >>> display.output_names
        ['y[0]', 'y[2]']
        """
        output_names = names_of_either(y_true, draws, output_names)
        draws = as_array(draws, y_true, "draws")
        if draws.ndim != 3 or draws.shape[1] != 1 or draws.shape[2] < 2:
            raise ValueError(
                "draws must have shape (n_samples, 1, n_outputs), of one row and two outputs or "
                f"more, got {draws.shape}."
            )
        n_outputs = draws.shape[2]
        if y_true is not None and np.shape(y_true) != (1, n_outputs):
            raise ValueError(f"y_true must have shape (1, {n_outputs}), got {np.shape(y_true)}.")
        check_number_of_names(output_names, (n_outputs,))
        outputs = range(n_outputs) if outputs is None else outputs
        shown = positions(outputs if np.iterable(outputs) else [outputs], output_names)
        if not 2 <= len(shown) <= MOST_OUTPUTS or not all(is_index(i, n_outputs) for i in shown):
            raise ValueError(
                f"outputs must be 2 to {MOST_OUTPUTS} indices between 0 and {n_outputs - 1}, or "
                f"their names, got {shown}."
            )
        names = output_names if output_names is not None else [f"y[{i}]" for i in range(n_outputs)]
        return cls(
            draws=draws[:, 0, shown],
            y_true=None if y_true is None else as_numbers(y_true, "y_true")[0, shown],
            output_names=[str(names[i]) for i in shown],
        ).plot(ax, **kwargs)

    def plot(self, ax=None, *, scatter_kw=None, hist_kw=None, truth_kw=None):
        """Plot the grid.

        Parameters
        ----------
        ax : ndarray of Axes of shape (n_outputs, n_outputs), default=None
            Axes to plot on, such as the `ax_` of another display. None creates a figure.
        scatter_kw : dict, default=None
            Keywords passed to `scatter`, for the draws.
        hist_kw : dict, default=None
            Keywords passed to `stairs`, for the histograms.
        truth_kw : dict, default=None
            Keywords passed to `plot`, for the true outputs.

        Returns
        -------
        self : JointSamplesDisplay
            The display, plotted.
        """
        n_outputs = self.draws.shape[1]
        size = (1.7 * n_outputs + 0.4, 1.6 * n_outputs + 0.4)
        self.ax_ = axes_for(ax, (n_outputs, n_outputs), self, figsize=size, sharex="col")
        self.figure_ = self.ax_[0, 0].figure
        self.scatters_, self.histograms_ = [], []
        dots = style(scatter_kw, dots=True, color=BLUE, s=8, alpha=0.5, linewidth=0)
        steps = style(hist_kw, color=BLUE, linewidth=1.5)
        truth = style(truth_kw, color=VERMILION, marker="X", markersize=8, markeredgecolor="w")
        for (i, j), ax in np.ndenumerate(self.ax_):
            if i < j:
                ax.set_axis_off()
                continue
            plain(ax)
            if i == j:
                self._plot_output(ax, i, steps, truth)
            else:
                self._plot_pair(ax, i, j, dots, truth)
        self._name_axes()
        return self

    def _plot_output(self, ax, i, steps, truth):
        self.histograms_.append(ax.stairs(*np.histogram(self.draws[:, i], "auto"), **steps))
        ax.spines["left"].set_visible(False)
        ax.set_yticks([])
        if self.y_true is not None:
            ax.axvline(self.y_true[i], color=truth["color"], linewidth=1.5)

    def _plot_pair(self, ax, i, j, dots, truth):
        self.scatters_.append(ax.scatter(self.draws[:, j], self.draws[:, i], **dots))
        if self.y_true is not None:
            ax.plot(self.y_true[j], self.y_true[i], **truth)

    def _name_axes(self):
        for i, name in enumerate(self.output_names):
            self.ax_[-1, i].set_xlabel(name)
            if i:
                self.ax_[i, 0].set_ylabel(name)
        for (i, j), ax in np.ndenumerate(self.ax_):
            ax.tick_params(labelbottom=i == len(self.ax_) - 1, labelleft=j == 0 < i)
