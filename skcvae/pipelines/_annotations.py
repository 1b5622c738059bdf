"""Estimators of several annotations of each row, at the end of a pipeline or inside a search."""

import numpy as np

from skcvae.pipelines.steps import last_step


def check_single(estimator, y):
    """Refuse several annotations of a row, where one y is compared with predictions or draws."""
    try:
        last, _ = last_step(estimator, None, "y_shape_")
    except TypeError:  # not of this package
        return
    fitted = getattr(last, "estimators_", [last])[0]
    is_annotated = getattr(getattr(fitted, "specification_", None), "annotations", False)
    if is_annotated and np.ndim(y) > 1 + len(last.y_shape_) and np.shape(y)[1:] != (1,):
        expected = str(("n_rows", *last.y_shape_)).replace("'", "")
        raise ValueError(
            f"y must have one annotation of each row, shape {expected}, got {np.shape(y)}. Of an "
            "estimator with annotations=True, several are taken by score, cll_per_pixel and "
            "ged_scorer, which is of label maps."
        )
