"""Several annotations of each row, such as the label maps of several experts, as rows (x, y)."""

from typing import NamedTuple

import numpy as np
from sklearn.utils import _safe_indexing
from torch.utils.data import Dataset

from skcvae.data.hold_out import group_labels
from skcvae.data.label_names import array_of, check_whole, known

PARTIAL = " Entries that are not known are NaN, with partial_y=True."


class Annotated(NamedTuple):
    """A row (x, y) for each annotation that is present."""

    X: np.ndarray  # inputs, repeated
    y: np.ndarray
    weight: np.ndarray | None
    row: np.ndarray  # the number of the row that an annotation is of
    present: np.ndarray  # which annotations are present, (n_rows, n_annotations)

    @classmethod
    def of(cls, X, y, likelihood, sample_weight=None, name: str = "y") -> "Annotated":
        """Return the annotations of rows, in y of shape (n_rows, n_annotations, ...).

        `absent_code` and `ignore_label` of the likelihood of y say what stands for no value.
        Weights are those of rows, or of annotations.
        """
        y = array_of(y)
        if isinstance(X, Dataset):
            raise ValueError("annotations=True expects arrays X and y, got a Dataset.")
        if y.ndim < 2 or len(y) != len(X) or not y.size:
            raise ValueError(
                f"annotations=True expects {name} of shape (n_rows, n_annotations, ...) with a "
                f"row for each of the {len(X)} rows of X, got {y.shape}."
            )
        code, ignored = _codes_of(likelihood)
        present = present_annotations(y, {code, ignored} - {None})
        row = np.nonzero(present)[0]
        if not len(row):
            raise ValueError(f"{name} must have an annotation, got only absent ones.")
        if code is not None and code != ignored:
            refuse_part(name, y[present], PARTIAL)
        weight = weights_of_annotations(sample_weight, present)
        return cls(_safe_indexing(X, row), y[present], weight, row, present)

    def by_row(self, values: np.ndarray) -> np.ndarray:
        """Return one value per annotation as (n_rows, n_annotations), NaN where absent."""
        out = np.full(self.present.shape, np.nan)
        out[self.present] = values
        return out


def one_by_one(arrays: tuple, likelihood, sample_weight, validation: tuple, groups) -> tuple:
    """Return what `fit` was given, annotation by annotation; those of a row stay together.

    Beside it the row of each annotation, or None if there are rows to validate on.
    """
    annotated = Annotated.of(*arrays, likelihood, sample_weight)
    _refuse_signs(np.asarray(arrays[1]), annotated.present, likelihood)
    row = annotated.row if validation[0] is None else None
    if groups is not None and row is not None:
        groups = group_labels(groups, len(annotated.present))[row]
    if all(part is not None for part in validation):
        validation = Annotated.of(*validation, likelihood, name="y_val")[:2]
    return annotated[:2], annotated.weight, validation, groups, row


def _codes_of(likelihood) -> list:
    """Return what marks an absent annotation, and the label to ignore, or None."""
    return [getattr(likelihood, name, None) for name in ("absent_code", "ignore_label")]


def _refuse_signs(y, present, likelihood):
    """Refuse the two labels -1 and 1, of which the first would be read as absent."""
    code, ignored = _codes_of(likelihood)
    is_coded = code is not None and code != ignored and not present.all()
    signs, there = y == -1, known(y)
    if is_coded and signs.any() and (signs | (y == 1))[there].all():
        raise ValueError(
            "y has -1 and 1 alone, and -1 marks an annotation that is absent. If -1 is a class, "
            "use other codes, such as np.where(y == -1, 0, y)."
        )


def present_annotations(y: np.ndarray, codes=(-1,)) -> np.ndarray:
    """Return which annotations have an entry that is not NaN, None or one of the codes."""
    there = known(y)
    for code in codes:
        there = there & (y != code)
    return there.reshape(*y.shape[:2], -1).any(axis=-1)


def labels_of(name: str, maps: np.ndarray) -> np.ndarray:
    """Return the labels of maps that are present, sorted; refuse holes, -1 and fractions."""
    if not known(maps).all():
        raise ValueError(f"Input {name} contains NaN or None in part of a map, expected labels.")
    found = np.unique(np.array(maps.tolist()) if maps.dtype == object else maps)
    check_whole(name, found)
    refuse_part(name, found)
    return found


def refuse_part(name: str, present: np.ndarray, advice: str = "") -> None:
    """Refuse -1 in what is present, where it marks an annotation that is absent as a whole."""
    is_code = present == -1
    if is_code.any():
        beside = "nothing but -1" if is_code.all() else "-1 beside other values"
        raise ValueError(
            f"{name} has {beside}, which marks an annotation that is absent as a whole: give a "
            f"class another code.{advice}"
        )


def weights_of_annotations(sample_weight, present: np.ndarray) -> np.ndarray | None:
    """Return the weight of each annotation that is present, from those of rows or annotations."""
    if sample_weight is None:
        return None
    weight = np.asarray(sample_weight)
    if weight.shape not in (present.shape, present.shape[:1]):
        raise ValueError(
            "sample_weight must have a weight for each row or each annotation, shape "
            f"{present.shape[:1]} or {present.shape}, got {weight.shape}."
        )
    return np.broadcast_to(weight.reshape(len(weight), -1), present.shape)[present]
