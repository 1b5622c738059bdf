"""Rows that the user gives to validate on."""

from torch.utils.data import Dataset

from skcvae.data.batches import Selection
from skcvae.data.items import Items
from skcvae.estimators import _checks


def rows_to_validate_on(estimator, arrays, groups):
    """Return the rows that were given to validate on."""
    if estimator.validation != "random" or groups is not None:
        raise ValueError(
            "X_val are the rows to validate on, and expects validation='random' and "
            f"groups=None, got validation={estimator.validation!r} and "
            f"{'no ' if groups is None else ''}groups."
        )
    if isinstance(arrays[0], Dataset):
        dataset = _checks.items(*arrays, name="X_val")
        return Selection.select(Items(dataset, len(arrays), estimator._check_rows))
    for name, array in zip(("X_val", "y_val"), arrays, strict=False):
        if array is None:
            raise ValueError(f"X_val and y_val go together, got no {name}.")
    return Selection.select(estimator._check_rows(*arrays, suffix="_val"))
