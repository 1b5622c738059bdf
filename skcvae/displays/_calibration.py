r"""Calibration plots, computed from the probability integral transform (PIT).

A central interval of coverage c contains y if :math:`|2u - 1| \le c`, with u the PIT of
y. Both kinds of plot therefore depend on u only.
"""

import numpy as np
from scipy.stats import binom

from skcvae import whole_numbers
from skcvae.displays._axes import BLUE, COLOURS, GREY, axes_for, plain, pyplot, style
from skcvae.displays._names import check_number_of_names, names_of, names_of_either
from skcvae.metrics import pit
from skcvae.pipelines import sample
from skcvae.pipelines._labels import check_numbers_only

KINDS = ("pit", "coverage")
MULTIOUTPUT = ("pooled", "raw_values")
CHANCE = 0.95  # pointwise probability of the grey region for calibrated models


class CalibrationDisplay:
    """Calibration of draws: a histogram of the PIT, or the coverage of central intervals.

    Use :meth:`from_estimator` or :meth:`from_predictions` to create a display. All
    parameters are stored as attributes.

    Parameters
    ----------
    pit : ndarray of shape (n_rows, ...)
        The probability integral transform of each output; NaN if missing.
    name : str, default=None
        Name of the model in the legend. Named coverage curves on the same axes have
        different colours.
    output_names : list of str, default=None
        Names of the outputs in the legend. None uses their indices.

    Attributes
    ----------
    line_ : Line2D or None
        The coverage curve, with ``kind="coverage"``; the last of several.
    lines_ : list of Line2D or of StepPatch
        The curve of each output, with ``multioutput="raw_values"``.
    bars_ : BarContainer or None
        The histogram, with ``kind="pit"``.
    ax_ : Axes
        Axes of the plot.
    figure_ : Figure
        Figure of the plot.

    Examples
    --------
    >>> from skcvae import CVAERegressor
    >>> from skcvae.datasets import make_linear_gaussian
    >>> from skcvae.displays import CalibrationDisplay
    >>> data = make_linear_gaussian(n_samples=200, random_state=0)
    >>> est = CVAERegressor(max_epochs=5, random_state=0).fit(data.X[:100], data.y[:100])
    >>> display = CalibrationDisplay.from_estimator(est, data.X[100:], data.y[100:])
    >>> display.pit.shape
    (100, 3)
    >>> display = display.plot(kind="coverage")
    """

    def __init__(self, *, pit, name=None, output_names=None):
        self.pit = pit
        self.name = name
        self.output_names = output_names

    @classmethod
    def from_estimator(cls, estimator, X, y, *, n_samples=100, random_state=0, **kwargs):
        """Plot the calibration of an estimator's draws.

        Parameters
        ----------
        estimator : Pipeline, search or estimator
            A fitted estimator with a method `sample`, or a pipeline or search of one.
        X : array-like of shape (n_rows, ...)
            Inputs of test rows.
        y : array-like of shape (n_rows,) or (n_rows, ...)
            True outputs; NaN if missing.
        n_samples : int, default=100
            Draws per row.
        random_state : int, RandomState or None, default=0
            Seed of the draws.
        **kwargs
            Passed to :meth:`from_predictions`.

        Returns
        -------
        display : CalibrationDisplay
            The display, plotted.
        """
        pyplot(cls.__name__)
        check_numbers_only(estimator, cls.__name__)
        kwargs = {"output_names": names_of(estimator, y), **kwargs}
        return cls.from_predictions(y, sample(estimator, X, n_samples, random_state), **kwargs)

    @classmethod
    def from_predictions(
        cls, y_true, draws, *, random_state=0, name=None, output_names=None, ax=None, **kwargs
    ):
        """Plot the calibration of given draws.

        Parameters
        ----------
        y_true : array-like of shape (n_rows,) or (n_rows, ...)
            True outputs; NaN if missing.
        draws : array-like of shape (n_samples, n_rows, ...), or DataFrame
            Draws of the outputs, as returned by `sample`, also with ``as_frame=True``.
        random_state : int, RandomState or None, default=0
            Seed for breaking ties in :func:`~skcvae.metrics.pit`.
        name : str, default=None
            Name of the model in the legend.
        output_names : sequence of str, default=None
            Names of the outputs in the legend. None uses those of `y_true` or `draws`, if one is a
            DataFrame, or their indices.
        ax : Axes, default=None
            Axes to plot on. None creates a figure.
        **kwargs
            Passed to :meth:`plot`.

        Returns
        -------
        display : CalibrationDisplay
            The display, plotted.

        Raises
        ------
        ValueError
            If the shapes do not match, or no output is observed.

        Examples
        --------
        >>> import numpy as np
        >>> from skcvae.displays import CalibrationDisplay
        >>> rng = np.random.default_rng(0)
        >>> display = CalibrationDisplay.from_predictions(
        ...     rng.normal(size=200), rng.normal(size=(99, 200)), kind="coverage"
        ... )
        >>> display.ax_.get_ylabel()
        'share of outputs inside'
        """
        pyplot(cls.__name__)
        found = pit(y_true, draws, random_state)
        names = names_of_either(y_true, draws, output_names)
        check_number_of_names(names, np.shape(y_true)[1:])
        return cls(pit=found, name=name, output_names=names).plot(ax, **kwargs)

    def plot(
        self,
        ax=None,
        *,
        kind="pit",
        multioutput="pooled",
        n_bins=20,
        ref_line=True,
        bar_kw=None,
        line_kw=None,
    ):
        """Plot the histogram or the coverage curve.

        Parameters
        ----------
        ax : Axes, default=None
            Axes to plot on. None creates a figure.
        kind : {"pit", "coverage"}, default="pit"
            "pit" is a histogram of the PIT, flat for a calibrated model. "coverage" is
            the share of outputs inside central intervals against their nominal
            coverage, on the diagonal for a calibrated model.
        multioutput : {"pooled", "raw_values"}, default="pooled"
            "pooled" is one histogram or curve of all outputs together, in which one output
            may make up for another; the label of the axis says so. "raw_values" is a curve
            for each output, of a table with at most six.
        n_bins : int, default=20
            Number of bins of the histogram.
        ref_line : bool, default=True
            Whether to plot the reference line of perfect calibration and, in grey, the
            pointwise 95 % region of calibrated models. The region counts each row as
            one observation, as if its outputs were fully dependent.
        bar_kw : dict, default=None
            Keywords passed to `bar`.
        line_kw : dict, default=None
            Keywords passed to `plot`, for the coverage curve.

        Returns
        -------
        self : CalibrationDisplay
            The display, plotted.

        Raises
        ------
        ValueError
            If `kind` or `multioutput` is unknown, or there are too many outputs for a curve each.
        """
        if kind not in KINDS:
            raise ValueError(f"kind must be one of {KINDS}, got {kind!r}.")
        if multioutput not in MULTIOUTPUT:
            raise ValueError(f"multioutput must be one of {MULTIOUTPUT}, got {multioutput!r}.")
        n_bins = whole_numbers.checked(n_bins, "n_bins")
        outputs = self._outputs() if multioutput == "raw_values" else {}
        self.ax_ = axes_for(ax, (1, 1), self, figsize=(4.2, 3.6))[0, 0]
        self.figure_ = self.ax_.figure
        plain(self.ax_)
        self.line_, self.bars_, self.lines_ = None, None, []
        if kind == "pit":
            self._plot_pit(outputs, n_bins, ref_line, bar_kw, line_kw)
        else:
            self._plot_coverage(outputs, ref_line, line_kw)
        if self.name is not None or outputs:
            self.ax_.legend(frameon=False, loc="best")
        return self

    def _outputs(self):
        """Return the PIT of each output by its name in the legend."""
        table = self.pit.reshape(len(self.pit), -1)
        names = self.output_names or [f"y[{i}]" for i in range(table.shape[1])]
        if table.shape[1] > len(COLOURS) or len(names) != table.shape[1]:
            raise ValueError(
                f"multioutput='raw_values' plots a curve for each of at most {len(COLOURS)} "
                f"outputs, with as many output_names, got {table.shape[1]} and {len(names)}. See "
                "interval_coverage(..., multioutput='raw_values')."
            )
        prefix = "" if self.name is None else f"{self.name}, "
        return {f"{prefix}{name}": u for name, u in zip(names, table.T, strict=True)}

    def _pooled(self, outputs):
        """Return what the label of the axis says of several outputs."""
        n_outputs = self.pit[0].size
        return "" if outputs or n_outputs == 1 else f", {n_outputs} outputs pooled"

    def _plot_pit(self, outputs, n_bins, ref_line, bar_kw, line_kw):
        ends = np.linspace(0, 1, n_bins + 1)
        if outputs:
            for (label, u), colour in zip(outputs.items(), COLOURS, strict=False):
                density = _density(u, ends)
                steps = style(line_kw, color=colour, linewidth=1.5, label=label)
                self.lines_.append(self.ax_.stairs(density, ends, **steps))
        else:
            look = {"color": BLUE, "alpha": 0.75, "width": 0.9 / n_bins, "align": "edge"}
            bars = style(bar_kw, **look, label=self.name)
            self.bars_ = self.ax_.bar(ends[:-1], _density(self.pit, ends), **bars)
        if ref_line:
            self.ax_.axhspan(*self._chance(1 / n_bins) * n_bins, color=GREY, zorder=0)
            self.ax_.axhline(1, color="0.3", linewidth=1, linestyle="--")
        label = f"density{self._pooled(outputs)}"
        self.ax_.set(xlabel="probability integral transform", ylabel=label, xlim=(0, 1))

    def _plot_coverage(self, outputs, ref_line, line_kw):
        coverage = np.linspace(0, 1, 101)
        if ref_line:
            self.ax_.fill_between(coverage, *self._chance(coverage), color=GREY, linewidth=0)
            self.ax_.plot([0, 1], [0, 1], color="0.3", linewidth=1, linestyle="--")
        for label, u in (outputs or {self.name: self.pit}).items():
            needed = np.sort(np.abs(2 * u[~np.isnan(u)] - 1))
            inside = np.searchsorted(needed, coverage, side="right") / (len(needed) or np.nan)
            n_named = len(self.ax_.get_legend_handles_labels()[0])
            line = style(line_kw, color=COLOURS[n_named % len(COLOURS)], linewidth=2, label=label)
            self.lines_ += self.ax_.plot(coverage, inside, **line)
        self.line_ = self.lines_[-1]
        label = f"share of outputs inside{self._pooled(outputs)}"
        self.ax_.set(xlabel="nominal coverage", ylabel=label, aspect="equal")
        self.ax_.set(xlim=(0, 1), ylim=(0, 1))

    def _chance(self, probability):
        """Return the central 95 % interval of the share of rows with an event."""
        n_rows = np.count_nonzero(~np.isnan(self.pit.reshape(len(self.pit), -1)).all(axis=1))
        return np.array(binom.interval(CHANCE, n_rows, probability)) / n_rows


def _density(u, ends):
    """Return a histogram of area one; NaN where nothing is observed."""
    counts, _ = np.histogram(u, ends)
    return counts * (len(ends) - 1) / (counts.sum() or np.nan)
