"""Labels that are texts or booleans, labels to ignore, and what only looks like labels."""

from typing import NamedTuple

import numpy as np
from sklearn.utils import assert_all_finite

from skcvae.data.reading import is_missing, plain

UNKNOWN_LABEL = 255  # of label maps in bytes, by convention
NEGATIVE_LABELS = (-1, -100)  # the same, of pandas and torch


class Codes(NamedTuple):
    """Labels as numbers."""

    numbers: np.ndarray  # float64, NaN where a label is not known
    classes: np.ndarray | None  # texts or booleans that these are positions of; None for integers


def have_names(classes) -> bool:
    """Return whether classes are texts or booleans, rather than integers."""
    return classes is not None and np.asarray(classes).dtype.kind in "OUb"


def distinct(classes) -> np.ndarray:
    """Return texts or booleans sorted; refuse others, and what occurs twice."""
    listed = np.asarray(classes).tolist()
    kinds = set(map(type, listed))
    if kinds not in ({str}, {bool}) or len(set(listed)) != len(listed) or len(listed) < 2:
        raise ValueError(
            "The 'classes' parameter of Categorical must be at least two distinct integers, texts "
            f"or booleans, or None. Got {classes!r} instead."
        )
    return np.array(sorted(listed), dtype=bool if kinds == {bool} else object)


def codes_of(y, classes, ignore_label) -> Codes | None:
    """Return labels as numbers, or None if they are integers already."""
    array = _array(y)
    if array is None or (array.dtype.kind not in "OUb" and not have_names(classes)):
        found = _without_ignored(array, ignore_label)
        return Codes(array.astype(float), None) if found is None and _are_categories(y) else found
    if array.dtype.kind == "b" and not have_names(classes):
        return _of_booleans(array, classes, ignore_label)
    entries = array.ravel().tolist()
    named = [entry for entry in entries if isinstance(entry, str | bool | np.bool_)]
    if not named and not have_names(classes):
        return _without_ignored(array, ignore_label)
    observed = {e for e in entries if not is_missing(e) and e != ignore_label}
    classes = _classes_of(named, observed, classes)
    position = {label: i for i, label in enumerate(classes.tolist())}
    numbers = np.array([position.get(entry, np.nan) for entry in entries], dtype=float)
    return Codes(numbers.reshape(array.shape), classes)


def _of_booleans(array, classes, ignore_label) -> Codes:
    """Return booleans as numbers: as the integers of `classes`, or as classes of their own."""
    numbers = array.astype(float)
    if classes is not None:
        return Codes(numbers, None)
    refuse_one_hot(numbers)
    known = {False, True} - ({ignore_label} if isinstance(ignore_label, bool) else set())
    return Codes(numbers, _classes_in(known))


def _classes_of(named: list, observed: set, classes) -> np.ndarray:
    """Return the texts or booleans among labels, or those of fit; refuse labels beside them."""
    if classes is None:
        found = observed & set(named)
        if {isinstance(entry, str) for entry in found} == {False, True}:
            raise ValueError(
                f"y has texts and booleans, {sorted(map(str, found))[:5]}, expected labels of one "
                "kind: write all of them as texts."
            )
        if observed - found:
            raise ValueError(
                f"y has numbers, {sorted(map(str, observed - found))[:5]}, beside the labels "
                f"{sorted(found, key=str)[:5]}, expected labels of one kind: write all of them as "
                "texts, or as integers."
            )
        return _classes_in(found)
    if not have_names(classes):
        raise ValueError(
            f"y has labels such as {named[0]!r}, expected the integers of the 'classes' parameter "
            f"of Categorical, {list(classes)}."
        )
    classes = distinct(classes)
    unknown = observed - set(classes.tolist())
    if unknown:
        raise ValueError(
            f"y has labels {sorted(map(str, unknown))[:5]} that were not in y in fit, expected "
            f"among {classes.tolist()}. Name all that may occur by "
            "likelihood=Categorical(classes=...)."
        )
    return classes


def _classes_in(found: set) -> np.ndarray:
    """Return the classes that y has; refuse a single one."""
    if len(found) < 2:
        raise ValueError(
            f"likelihood='categorical' expects at least 2 classes, got labels {sorted(found)} in "
            "y. Pass all possible labels to Categorical(classes=...)."
        )
    return distinct(sorted(found, key=str))


def _array(y):
    """Return labels as an array, or None where they have no shape or are tensors."""
    try:
        return array_of(y) if hasattr(y, "iloc") or not hasattr(y, "numpy") else None
    except ValueError:  # rows of several lengths, which are refused later
        return None


def _are_categories(y) -> bool:
    """Return whether labels are pandas' categories, which hold texts, booleans or numbers."""
    kinds = getattr(y, "dtypes", [getattr(y, "dtype", "")])
    return "category" in map(str, kinds if np.ndim(kinds) else [kinds])


def array_of(y) -> np.ndarray:
    """Return labels as an array, of objects where NaN in a list of texts would become a text."""
    y = plain(y)
    array = np.asarray(y)
    is_listed = isinstance(y, list | tuple) and array.dtype.kind == "U"
    return np.asarray(y, dtype=object) if is_listed or array.dtype.kind == "T" else array


def _without_ignored(array, ignore_label) -> Codes | None:
    """Return numbers with NaN for a label, or None if there is none to ignore."""
    if array is None or ignore_label is None:
        return None
    numbers = array.astype(float)
    return Codes(np.where(numbers == ignore_label, np.nan, numbers), None)


def without_label(y, ignored) -> np.ndarray:
    """Return labels with NaN, or None beside texts, in place of one to ignore, if any."""
    y = array_of(y)
    missing = None if y.dtype.kind in "OU" else np.nan
    return y if ignored is None else np.where(y == ignored, missing, y)


def refuse_one_hot(y: np.ndarray) -> None:
    """Refuse labels that are the rows of an identity matrix, or of one times a number."""
    known = y[np.isfinite(y).reshape(len(y), -1).all(axis=1)]
    for axis in (1, -1) if y.ndim > 1 and len(known) > 1 and known.max() > 0 else ():
        code = known / known.max()
        if y.shape[axis] > 1 and np.isin(code, (0, 1)).all() and (code.sum(axis=axis) == 1).all():
            raise ValueError(
                f"y of shape {y.shape} is one-hot, with classes along axis {axis}: expected "
                f"labels, y.argmax(axis={axis}). If they are labels of their own, say so by "
                "likelihood=Categorical(classes=[0, 1])."
            )


def known(array: np.ndarray) -> np.ndarray:
    """Return which labels are not missing: neither NaN nor None."""
    return (array == array) & np.not_equal(array, None)


def check_whole(name: str, labels: np.ndarray) -> None:
    """Refuse numbers that are no labels: infinite, NaN, or not whole."""
    assert_all_finite(labels, input_name=name)
    strange = labels[labels % 1 != 0] if labels.dtype.kind == "f" else labels[:0]
    if strange.size:
        raise ValueError(
            f"{name} must hold labels, whole numbers or texts, got {strange.flat[0]:g}. Of binary "
            f"maps that are probabilities take the likelier label, ({name} > 0.5).astype(int)."
        )


def has_unknown_label(y: np.ndarray) -> bool:
    """Return whether labels have 255 beside smaller ones, far from it."""
    if y.dtype.kind not in "iuf":
        return False
    return _unknown_label(np.unique(y[np.isfinite(y)])) == UNKNOWN_LABEL


def _unknown_label(found: np.ndarray) -> int | None:
    """Return which of the distinct labels stands for none: 255, or -1 or -100 beside 0, 1, 2."""
    if len(found) > 2 and found[-1] == UNKNOWN_LABEL > found[-2] + 1:
        return UNKNOWN_LABEL
    is_counted = len(found) > 3 and (found[1:] == np.arange(len(found) - 1)).all()
    return int(found[0]) if is_counted and found[0] in NEGATIVE_LABELS else None


def refuse_ignored(y: np.ndarray) -> None:
    """Refuse 255 beside smaller labels, or -1 beside 0, 1, 2, ..., which stand for no label."""
    found = np.unique(y[np.isfinite(y)])
    unknown = _unknown_label(found)
    if unknown is not None:
        raise ValueError(
            f"y has the label {unknown} beside {found[found != unknown][:5].tolist()}, which "
            "stands for outputs without a label in many data sets: pass likelihood=Categorical("
            f"ignore_label={unknown}) and partial_y=True, or, if it is a class, "
            "Categorical(classes=[...]) with all of them."
        )
