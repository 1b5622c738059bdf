"""Predictions, draws and intervals as pandas frames: names of outputs, rows and draws."""

import numpy as np
from sklearn.utils.validation import _num_samples


def row_index(as_frame, X):
    """Return the index of the frames to return: True takes that of X; None for arrays."""
    if isinstance(as_frame, bool | np.bool_):
        return _index(X) if as_frame else None
    if not hasattr(as_frame, "get_indexer") or len(as_frame) != _num_samples(X):
        raise ValueError(
            f"as_frame must be a bool, or a pandas Index of the {_num_samples(X)} rows of X, got "
            f"{as_frame!r}."
        )
    return as_frame


def _index(X):
    try:
        import pandas as pd
    except ImportError as error:
        raise ImportError("as_frame=True requires pandas: pip install pandas.") from error
    return X.index if hasattr(X, "iloc") else pd.RangeIndex(_num_samples(X))


def framed(estimator, array, index, ends=None):
    """Return an array of outputs as a frame; unchanged without an index.

    The array is ([n_draws,] n_rows[, n_outputs][, n_ends]), `index` that of its rows, `ends` the
    name and the labels of its last axis. Where there are draws the index of the frame has the
    levels "draw" and "row".
    """
    if index is None:
        return array
    import pandas as pd

    if len(estimator.y_shape_) > 1:
        raise ValueError(
            "as_frame=True expects y of shape (n_rows,) or (n_rows, n_outputs) in fit, got rows "
            f"of shape {estimator.y_shape_}."
        )
    columns = pd.Index(output_names(estimator))
    if array.ndim > 1 + len(estimator.y_shape_) + (ends is not None):
        levels = [range(len(array)), index]
        index = pd.MultiIndex.from_product(levels, names=["draw", "row"])
    if ends is not None:
        columns = pd.MultiIndex.from_product([columns, ends[1]], names=["output", ends[0]])
    return pd.DataFrame(array.reshape(-1, len(columns)), index=index, columns=columns)


def output_names(estimator):
    """Return the names of the outputs that were seen in fit, or their numbers."""
    default = range(*estimator.y_shape_) if estimator.y_shape_ else ["y"]
    return list(getattr(estimator, "target_names_in_", default))
