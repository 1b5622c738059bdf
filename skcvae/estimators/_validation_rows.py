"""Rows that the user gives to validate on."""

import warnings

import numpy as np
from torch.utils.data import Dataset

from skcvae.data.batches import Selection
from skcvae.data.coding import Scaling, thinned
from skcvae.data.items import Items
from skcvae.estimators import _checks

FAR = 10.0  # standard deviations
IN_A_PIPELINE = (
    "In a pipeline the first steps do not transform X_val: take validation=, which splits the "
    "rows of X, or transform X_val before (see the guide on pipelines)."
)


def rows_to_validate_on(estimator, arrays, groups):
    """Return the rows that were given to validate on."""
    given = [f"validation={estimator.validation!r}"] if estimator.validation != "random" else []
    given += ["groups"] if groups is not None else []
    if given:
        rules = " and ".join(given)
        raise ValueError(
            f"X_val are the rows to validate on, and {rules} would choose such rows of X: leave "
            f"out X_val, or {rules}."
        )
    if isinstance(arrays[0], Dataset):
        dataset = _checks.items(*arrays, name="X_val")
        return Selection.select(Items(dataset, len(arrays), estimator._check_rows))
    for name, array in zip(("X_val", "y_val"), arrays, strict=False):
        if array is None:
            raise ValueError(f"X_val and y_val go together, got no {name}.")
    try:
        arrays = estimator._check_rows(*arrays, suffix="_val")
    except ValueError as error:
        if str(error).startswith(("X ", "X_val ", "Input X_val ")):
            error.args = (f"{error} {IN_A_PIPELINE}",)
        raise
    _warn_if_far(estimator, arrays[0])
    return Selection.select(arrays)


def _warn_if_far(estimator, X):
    """Warn if the medians of X_val are far from X, as those of other units are."""
    coding = estimator.specification_.codings[0]
    scaling = coding
    while hasattr(scaling, "scaling"):
        scaling = scaling.scaling
    if not isinstance(scaling, Scaling) or not estimator.normalize_X:
        return
    some = thinned(X).reshape(-1, *scaling.row_shape)
    median = np.ma.median(np.ma.masked_invalid(some), axis=0)
    distance = np.ma.filled(np.abs(median - scaling.loc) / scaling.scale, 0)
    if distance.max() > FAR:
        warnings.warn(
            f"X_val is far from X: the median of one of its columns is {distance.max():.3g} "
            f"standard deviations from the mean of that of X. {IN_A_PIPELINE}",
            UserWarning,
            stacklevel=2,
        )
