"""Label maps of annotators, draws and labels, checked."""

import warnings

import numpy as np

from skcvae.data.annotations import labels_of, present_annotations
from skcvae.data.label_names import (
    UNKNOWN_LABEL,
    array_of,
    has_unknown_label,
    known,
    without_label,
)


def checked(y, name, ignored):
    """Return annotations, which are present, the pixels that all of a row know, and labels."""
    y = without_label(y, ignored)
    if y.ndim < 3 or not y.size:
        raise ValueError(f"{name} must have shape (n_annotations, n_rows, ...), got {y.shape}.")
    present = present_annotations(y)
    bare = np.flatnonzero(~present.any(axis=0))
    if len(bare):
        raise ValueError(
            f"{name} must have an annotation of each row, got none for row {bare[0]}."
        )
    there = present.reshape(*present.shape, *[1] * (y.ndim - 2))
    seen = (known(y) | ~there).all(axis=0)
    blind = np.flatnonzero(~seen.reshape(len(seen), -1).any(axis=1))
    if len(blind):
        raise ValueError(
            f"{name} must have a pixel of each row with labels in all its annotations, got none "
            f"for row {blind[0]}. Mark one of them as absent: NaN, None or -1 all over."
        )
    return y, present, seen, labels_of(name, y[there & seen])


def checked_draws(y, draws, ignored):
    draws = array_of(draws)
    if draws.shape[1:] != y.shape[1:] or not len(draws):
        raise ValueError(
            f"draws must have shape (n_draws, {', '.join(map(str, y.shape[1:]))}) for y of shape "
            f"{y.shape}, with at least one draw, got {draws.shape}."
        )
    if ignored is not None and (draws == ignored).any():
        raise ValueError(
            f"draws must have a class of every pixel, got ignore_label={ignored!r}, which is none."
        )
    return draws


def of_both(found, drawn):
    """Return the labels of both annotations and draws; refuse texts beside numbers."""
    if (found.dtype.kind == "U") != (drawn.dtype.kind == "U"):
        raise ValueError(
            f"draws must have labels such as those of y, {found[:5].tolist()}, got "
            f"{drawn[:5].tolist()}."
        )
    return np.union1d(found, drawn)


def warn_of_unknown_label(name, found, known_labels):
    """Warn if 255 is a class of annotations alone, and not one that is asked for."""
    if has_unknown_label(found) and UNKNOWN_LABEL not in known_labels:
        warnings.warn(
            f"{name} has the label {UNKNOWN_LABEL}, which is counted as a class. If it stands for "
            f"pixels without a label: ignore_label={UNKNOWN_LABEL}.",
            stacklevel=4,
        )


def chosen(labels, found):
    """Return the labels over which d takes the mean."""
    if labels is None:  # where all is background, all distances are zero
        return [label for label in found.tolist() if label != 0] or [1]
    kind = np.asarray(np.asarray(labels).tolist()).dtype.kind
    if np.ndim(labels) != 1 or not len(labels) or (kind == "U") != (found.dtype.kind == "U"):
        raise ValueError(
            f"labels must be a sequence of some of the labels {found[:5].tolist()}, or None, got "
            f"{labels!r}."
        )
    if not np.isin(labels, found).any():
        warnings.warn(
            f"None of labels={labels!r} occurs among those of the maps, {found[:5].tolist()}: no "
            "two maps differ, as if all were right.",
            stacklevel=4,
        )
    return labels
