"""A masked entry is a missing one, wherever arrays are read."""

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_array_equal

from skcvae import ConformalRegressor, CVAERegressor
from skcvae.data.label_names import array_of
from skcvae.displays import CalibrationDisplay
from skcvae.likelihoods import Categorical
from skcvae.metrics import (
    crps,
    crps_scorer,
    energy_score,
    energy_scorer,
    intersection_over_union,
    interval_coverage,
    pit,
    pixel_accuracy,
)

rng = np.random.default_rng(0)
X = rng.normal(size=(60, 3))
Y = X[:, :2] + 0.3 * rng.normal(size=(60, 2))
HIDDEN = rng.random(Y.shape) < 0.3
MASKED = np.ma.array(np.where(HIDDEN, 99.0, Y), mask=HIDDEN)
GAPS = np.where(HIDDEN, np.nan, Y)
DRAWS = Y + rng.normal(size=(20, 60, 2))
QUICK = {"max_epochs": 2, "random_state": 0}
METRICS = {
    "crps": lambda y: crps(y, DRAWS),
    "energy score": lambda y: energy_score(y, DRAWS),
    "pit": lambda y: pit(y, DRAWS, 0),
    "coverage": lambda y: interval_coverage(
        y, np.quantile(DRAWS, [0.1, 0.9], 0).transpose(1, 2, 0)
    ),
    "display": lambda y: CalibrationDisplay.from_predictions(y, DRAWS).pit,
}


class Pairs(torch.utils.data.Dataset):
    def __init__(self, y):
        self.y = y

    def __len__(self):
        return len(X)

    def __getitem__(self, row):
        return X[row], self.y[row]


def frame(y):
    return pd.DataFrame(y, columns=["a", "b"]).astype("Float64")


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize(
    "missing", [MASKED, list(MASKED), frame(GAPS)], ids=["masked", "rows", "NA"]
)
def test_metrics_leave_out_what_is_missing(name, missing):
    if name == "display":
        pytest.importorskip("matplotlib").use("agg")
    assert_array_equal(METRICS[name](missing), METRICS[name](GAPS))


@pytest.mark.parametrize("scorer", [crps_scorer, energy_scorer])
def test_scorers_leave_out_what_is_missing(scorer):
    est = CVAERegressor(partial_y=True, **QUICK).fit(X, GAPS)
    assert scorer(est, X, MASKED) == scorer(est, X, GAPS) == scorer(est, X, frame(GAPS))


@pytest.mark.parametrize("rows", [(X, MASKED), (X, list(MASKED)), (Pairs(MASKED), None)])
def test_fits_are_those_to_gaps(rows):
    est = CVAERegressor(partial_y=True, **QUICK)
    expected = CVAERegressor(partial_y=True, **QUICK).fit(X, GAPS).predict(X)
    assert_array_equal(est.fit(*rows).predict(X), expected)


LABELS = {
    "texts": (np.array(["n", "y"])[(X[:, 0] > 0) * 1], "junk", "categorical"),
    "booleans": (X[:, 0] > 0, True, "categorical"),
    "integers": ((X[:, 0] > 0) * 1, 7, "categorical"),
    "bytes": ((X[:, 0] > 0) * 1, 7, Categorical(ignore_label=255)),
}


@pytest.mark.parametrize("name", LABELS)
def test_labels_that_are_masked_are_not_learned(name):
    labels, junk, likelihood = LABELS[name]
    hidden = HIDDEN[:, 0]
    masked = np.ma.array(np.where(hidden, junk, labels), mask=hidden)
    missing = np.where(hidden, None, labels)
    est = CVAERegressor(likelihood=likelihood, partial_y=True, **QUICK)
    fits = [est.fit(X, y).predict(X) for y in (masked, missing)]
    assert_array_equal(*fits)
    assert est.score(X, masked) == est.score(X, missing)
    assert set(est.classes_) == set(labels)
    for metric in (pixel_accuracy, intersection_over_union):
        assert metric(masked[None], labels[None]) == metric(missing[None], labels[None])


@pytest.mark.parametrize(
    "labels", [["a", "b", None], [True, False, None], [1, 2, np.nan], [0.5, 2.5, np.nan]]
)
def test_masked_labels_have_the_mark_of_their_kind(labels):
    filled = [labels[0] if label in (None, np.nan) else label for label in labels]
    found = array_of(np.ma.array(filled, mask=[False, False, True]))
    assert_array_equal(found, array_of(labels))


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"sample_weight": np.ma.array(np.ones(60), mask=HIDDEN[:, 0])}, "sample_weight contains"),
        ({"groups": np.ma.array(np.arange(60), mask=HIDDEN[:, 0])}, "groups must not be missing"),
    ],
)
def test_weights_and_groups_must_not_be_missing(params, message):
    with pytest.raises(ValueError, match=message):
        CVAERegressor(**QUICK).fit(X, Y, **params)


def test_rows_that_calibrate_must_be_complete():
    est = ConformalRegressor(CVAERegressor(**QUICK), random_state=0).fit(X, Y)
    with pytest.raises(ValueError, match="y contains NaN"):
        est.conformalize(X, MASKED)
