"""Learning curves: reconstruction, KL and validation log-likelihood of each epoch."""

import numpy as np

from skcvae.displays._axes import BLUE, GREEN, VERMILION, axes_for, plain, pyplot, style

CURVES = (
    (
        ("train_reconstruction", "training", BLUE),
        ("valid_reconstruction", "validation", VERMILION),
        ("valid_cll", "validation CLL", GREEN),
    ),
    (
        ("train_kl", "training", BLUE),
        ("valid_kl", "validation", VERMILION),
        ("train_penalty", "training", BLUE),
        ("valid_penalty", "validation", VERMILION),
    ),
)


class TrainingDisplay:
    """Learning curves: reconstruction and conditional log-likelihood, and the KL term.

    Of an autoencoder the second axes show the penalties.

    Use :meth:`from_estimator` to create a display. All parameters are stored as attributes.

    Parameters
    ----------
    histories : list of list of dict
        One history per fit, with a dict per epoch, as in `history_` of the estimators.

    Attributes
    ----------
    lines_ : dict of str to list of Line2D
        History columns mapped to their lines, one per fit.
    ax_ : ndarray of Axes of shape (2,)
        Axes of reconstruction and CLL, and of the KL term.
    figure_ : Figure
        Figure of the plot.

    Examples
    --------
    >>> from skcvae import CVAERegressor
    >>> from skcvae.datasets import make_ring
    >>> from skcvae.displays import TrainingDisplay
    >>> ring = make_ring(n_samples=100, random_state=0)
    >>> est = CVAERegressor(max_epochs=5, random_state=0).fit(ring.X, ring.y)
    >>> display = TrainingDisplay.from_estimator(est)
    >>> sorted(display.lines_)
    ['train_kl', 'train_reconstruction', 'valid_cll', 'valid_kl', 'valid_reconstruction']
    """

    def __init__(self, *, histories):
        self.histories = histories

    @classmethod
    def from_estimator(cls, estimator, *, ax=None, **kwargs):
        """Plot the learning curves of a fitted estimator.

        Parameters
        ----------
        estimator : Pipeline, search or estimator
            A fitted estimator or ensemble of this package, or a pipeline or search of
            one. For an ensemble, the curves of all members are plotted.
        ax : ndarray of Axes of shape (2,), default=None
            Axes to plot on. None creates a figure.
        **kwargs
            Passed to :meth:`plot`.

        Returns
        -------
        display : TrainingDisplay
            The display, plotted.

        Raises
        ------
        TypeError
            If the estimator has no history.
        """
        pyplot(cls.__name__)
        return cls(histories=_histories(estimator)).plot(ax, **kwargs)

    def plot(self, ax=None, *, line_kw=None):
        """Plot the curves.

        Parameters
        ----------
        ax : ndarray of Axes of shape (2,), default=None
            Axes to plot on. None creates a figure.
        line_kw : dict, default=None
            Keywords passed to `plot`, for each line.

        Returns
        -------
        self : TrainingDisplay
            The display, plotted. With early stopping, a dot on the CLL marks the epoch
            whose weights were kept.
        """
        self.ax_ = axes_for(ax, (1, 2), self, figsize=(8, 3.2))[0]
        self.figure_ = self.ax_[0].figure
        self.lines_ = {}
        for axes, curves in zip(self.ax_, CURVES, strict=True):
            for column, label, colour in curves:
                lines = [
                    _curve(axes, history, column, style(line_kw, color=colour, label=label))
                    for history in self.histories
                    if column in history[-1]
                ]
                for line in lines[1:]:
                    line.set_label(None)
                if lines:
                    self.lines_[column] = lines
            plain(axes)
            axes.set_xlabel("epoch")
            axes.legend(frameon=False)
        labels = ("nats per row", "reconstruction and CLL", "KL term")
        if "train_penalty" in self.lines_:
            labels = ("squares per row, standardised", "reconstruction", "penalty")
        self.ax_[0].set_ylabel(labels[0])
        for axes, title in zip(self.ax_, labels[1:], strict=True):
            axes.set_title(title, fontsize="medium")
        return self


def _histories(estimator):
    """Return the histories of all fits inside an estimator."""
    for inside in ("best_estimator_", "estimator_"):
        if hasattr(estimator, inside):
            return _histories(getattr(estimator, inside))
    if hasattr(estimator, "steps"):
        return _histories(estimator[-1])
    if hasattr(estimator, "estimators_"):
        return [history for member in estimator.estimators_ for history in _histories(member)]
    if not hasattr(estimator, "history_"):
        raise TypeError(
            "estimator must be, or end in, a fitted estimator with a history_, "
            f"got {type(estimator).__name__}."
        )
    return [list(estimator.history_)]


def _curve(ax, history, column, look):
    """Plot a column over the epochs, with a dot at the best epoch, if it was kept."""
    best = [i for i, row in enumerate(history) if row.get("valid_cll_best")]
    dot = {"marker": "o", "markevery": best[-1:]} if column == "valid_cll" and best else {}
    epochs, values = np.array([(row["epoch"], row[column]) for row in history]).T
    return ax.plot(epochs, values, **dot, **look)[0]
