"""Axes, line styles and a colour-blind safe palette (Okabe and Ito)."""

import math

import numpy as np

BLUE, VERMILION, GREEN = "#0072B2", "#D55E00", "#009E73"
COLOURS = (BLUE, VERMILION, GREEN, "#CC79A7", "#E69F00", "#56B4E9")
GREY = "0.88"


def pyplot(caller):
    """Import matplotlib.pyplot, or raise an error that says how to install it."""
    try:
        import matplotlib.pyplot
    except ImportError as error:
        raise ImportError(f"{caller} requires matplotlib: pip install matplotlib.") from error
    return matplotlib.pyplot


def axes_for(ax, shape, display, **new):
    """Return an array of axes of a given shape, from `ax` or from a new figure."""
    plt = pyplot(type(display).__name__)
    if ax is None:
        return plt.subplots(*shape, squeeze=False, layout="constrained", **new)[1]
    axes = np.array(ax, dtype=object)
    if axes.size != math.prod(shape):
        raise ValueError(f"ax must be an array of axes of shape {shape}, got {axes.shape}.")
    return axes.reshape(shape)


def style(given, *, dots=False, **defaults):
    """Merge keywords for matplotlib, under any alias, with defaults.

    Of `dots`, which `scatter` plots, `c` may be values and replaces the colour.
    """
    from matplotlib.cbook import normalize_kwargs
    from matplotlib.collections import PathCollection
    from matplotlib.lines import Line2D

    given = normalize_kwargs(given or {}, PathCollection if dots else Line2D)
    if dots and given.keys() & {"c", "cmap"}:
        defaults.pop("color")
    return {**defaults, **given}


def plain(ax):
    """Remove the top and right spines and add a light grid."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(color="0.9", linewidth=0.6)
    ax.set_axisbelow(True)
