"""Scores of rows that calibrate, and their conformal quantiles."""

from numbers import Integral, Real
from typing import NamedTuple

import joblib
import numpy as np
from scipy.sparse import issparse
from sklearn.base import is_regressor
from sklearn.utils import check_array
from sklearn.utils._param_validation import (
    Interval,
    StrOptions,
    validate_parameter_constraints,
)
from sklearn.utils.validation import _num_samples, check_is_fitted

from skcvae import pipelines
from skcvae.data import hold_out, label_names
from skcvae.data.reading import is_missing, numbers
from skcvae.estimators import _checks, _regions
from skcvae.pipelines._labels import codes_of, without_ignored
from skcvae.random import spawned

SAVED = {
    "region": [StrOptions(set(_regions.SCORES))],
    "n_samples": [Interval(Integral, 2, None, closed="left")],
    "seed": [Interval(Integral, 0, 2**32, closed="left")],
    **{name: [np.ndarray] for name in ("weight", "region_scores", "interval_scores")},
}
ROUNDING = 1e-9  # of (n + 1) c
METHODS = {"density": "log_prob", "distance": "sample", "latent": "encode"}


def check_density(estimator, region):
    """Refuse, before training, an estimator without p(y|x), or of several y of each x."""
    _checks.check_instance(estimator, "estimator")
    method = METHODS[region]
    while not hasattr(estimator, method) and hasattr(estimator, "get_params"):
        if getattr(estimator, "refit", True) is False:
            raise ValueError(
                f"{type(estimator).__name__} has refit=False: regions need refit=True, which fits "
                "the best candidate."
            )
        steps = getattr(estimator, "steps", [("", getattr(estimator, "estimator", None))])
        if steps[-1][1] is None:
            break
        estimator = steps[-1][1]
    last, _ = pipelines.last_step(estimator, None, method)
    if not is_regressor(last):
        raise TypeError(
            f"estimator must be one of y given X, got {type(last).__name__}, which models X alone."
        )
    params = last.get_params() if hasattr(last, "get_params") else {}
    if any(params[name] is True for name in params if name.endswith("annotations")):
        raise ValueError(
            "annotations=True of the estimator is not for ConformalRegressor, which calibrates "
            "with one annotation of each row, exchangeable with that of a new row: fit the "
            "estimator with annotations=False to one annotation of each, drawn at random."
        )


class Calibration(NamedTuple):
    """Scores of the rows that calibrate, and how they were made."""

    region: str  # the kind of joint region
    n_samples: int  # draws per row
    seed: int  # of the draws of predictions
    weight: np.ndarray  # one part in the number of rows of the group of a row
    region_scores: np.ndarray
    interval_scores: np.ndarray  # of each output of a row; 0 for labels

    def threshold(self, scores, coverage):
        """Return the score up to which regions reach, for each output by itself."""
        n = round(self.weight.sum())
        if (n + 1) * coverage > n + ROUNDING:
            needed = int(np.ceil(coverage / (1 - coverage) - ROUNDING))
            raise ValueError(
                f"coverage={coverage:g} needs at least {needed:,} rows, or groups, in "
                f"conformalize, got {n:,}."
            )
        order = scores.argsort(axis=0)
        place = (self.weight[order].cumsum(axis=0) < (n + 1) * coverage - ROUNDING).sum(axis=0)
        return np.take_along_axis(np.sort(scores, axis=0), place[None], axis=0)[0]


def check_saved(*, estimator_, calibration_=None):
    """Refuse fitted attributes from a file that do not belong together."""
    check_is_fitted(estimator_)
    fitted, _ = pipelines.last_step(estimator_, None, "sample")
    if calibration_ is None:
        return
    if not isinstance(calibration_, Calibration):
        raise ValueError(f"calibration_ must be a Calibration, got {calibration_!r}")
    validate_parameter_constraints(SAVED, calibration_._asdict(), "Calibration")
    *_, weight, joint, single = calibration_
    shapes = (weight.size,), (weight.size,), (weight.size, *fitted.y_shape_)
    if (weight.shape, joint.shape, single.shape) != shapes:
        raise ValueError("weights and scores of a calibration have different rows")
    if not ((weight > 0).all() and all(np.isfinite(part).all() for part in calibration_[3:])):
        raise ValueError("scores of a calibration must be finite, and weights positive")


def outputs(estimator, y):
    """Return y as an array of finite numbers, or of labels that are texts or booleans."""
    last, _ = pipelines.last_step(estimator, None, "sample")
    y = without_ignored(estimator, y)
    if label_names.have_names(getattr(last, "classes_", None)):
        y = label_names.array_of(y)
        missing = np.frompyfunc(is_missing, 1, 1)(y)
    else:
        finite = {"ensure_all_finite": "allow-nan", "input_name": "y"}
        y = check_array(numbers(y, "y"), dtype=float, ensure_2d=False, allow_nd=True, **finite)
        missing = np.isnan(y)
    if missing.any():
        raise ValueError(
            "Input y contains NaN, None or a label to ignore: a conformal region is one of whole "
            "rows of y. Leave out those with gaps."
        )
    return y


def check_values(estimator, y, shape):
    """Refuse y of shape (n_values, n_rows, ...) that are not as in `fit`."""
    if y.shape[1:] != shape:
        raise ValueError(
            f"y must have shape {shape}, for {shape[0]} rows of X and rows of y as in fit, got "
            f"{y.shape[1:]}."
        )
    last, _ = pipelines.last_step(estimator, None, "sample")
    if hasattr(last, "likelihood_"):
        for rows in codes_of(estimator, y):
            last.likelihood_.check_targets(rows)
            last.y_coding_.check(rows, "y")


def seed_of(X, seed):
    """Return a seed that follows from the values of rows too, whatever holds them.

    Rows that are asked for one by one have noise of their own, as those that calibrate; else the
    errors of all their quantiles would be the same.
    """
    X = X.toarray() if issparse(X) else X
    try:
        array = np.ascontiguousarray(numbers(X, "X"), dtype=float) + 0.0  # -0.0 is 0.0
    except (TypeError, ValueError):
        array = [_value(entry) for entry in np.array(X, dtype=object).flat]
    return spawned([seed, int(joblib.hash(array), base=16)], 1)[0]


def _value(entry):
    """Return an entry of a table, of one kind for all numbers, and for all that is missing."""
    if is_missing(entry):
        return None
    return float(entry) + 0.0 if isinstance(entry, Real) else str(entry)


def weight_of(groups, X):
    """Return one part in the number of rows of the group of each row."""
    if groups is None:
        return np.ones(_num_samples(X))
    labels = hold_out.group_labels(groups, _num_samples(X))
    group = hold_out.numbered(labels.tolist())
    return 1 / np.bincount(group)[group]
