"""Names of outputs and of inputs in plots."""

import numpy as np

from skcvae.data.frames import column_names
from skcvae.pipelines import last_step


def output_names(estimator, y):
    """Return the names of the outputs: those of y, else those seen in fit, else None."""
    names = column_names(y)
    if names is None:
        last, _ = last_step(estimator, None, "sample")
        names = getattr(last, "target_names_in_", None)
    return None if names is None else [str(name) for name in names]


def positions(outputs, names):
    """Return outputs, given by their indices or names, as indices."""
    return [
        names.index(output) if isinstance(output, str) and output in (names or ()) else output
        for output in outputs
    ]


def selected(output, names, draws, y):
    """Return the draws and the true values of one output."""
    (position,) = positions([output], names)
    n_outputs = draws.shape[2] if draws.ndim == 3 else 1
    if isinstance(position, str) or not 0 <= position < n_outputs:
        raise ValueError(
            f"output must be the index of one of {n_outputs} outputs, or among their names "
            f"{names}, got {output!r}."
        )
    y = None if y is None else np.asarray(y).reshape(-1, n_outputs)[:, position]
    return draws.reshape(*draws.shape[:2], n_outputs)[..., position], y
