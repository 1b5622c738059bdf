"""Laws of outputs far out: errors are not followed, and what x tells is."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import norm
from sklearn.linear_model import RidgeCV

from skcvae import CVAERegressor, NNRegressor
from skcvae.far_outputs import FARTHEST, bounded

rng = np.random.default_rng(0)
X = rng.normal(size=(200, 3))
HEAVY = np.exp(2 * rng.normal(size=(200, 3)))
NEAR = X[:, :2] + 0.1 * rng.normal(size=(200, 2))
EXPLAINED = HEAVY[:, :2] + 0.1 * rng.normal(size=(200, 2))
each_number = pytest.mark.parametrize("value", [30.0, -1e4, 1e9])


def test_outputs_that_are_near_stay_as_they_are():
    assert_array_equal(bounded(X, NEAR), NEAR)
    assert_array_equal(bounded(None, NEAR), NEAR)


def test_outputs_far_out_that_x_tells_of_stay_as_they_are():
    assert np.abs(EXPLAINED).max() > 10 * FARTHEST
    assert_allclose(bounded(HEAVY, EXPLAINED), EXPLAINED, atol=1)


@each_number
def test_errors_far_out_are_moved_close_to_where_x_tells(value):
    y = NEAR.copy()
    y[3, 0], y[7, 1] = value, -value
    found = bounded(X, y)
    assert np.abs(found - NEAR).max() <= FARTHEST + np.abs(NEAR).max()
    far = y != NEAR
    assert_array_equal(found[~far], NEAR[~far])


@each_number
def test_errors_among_outputs_that_x_tells_of_are_moved_alone(value):
    y = EXPLAINED.copy()
    y[np.abs(y[:, 0]).argmin(), 0] = value
    found = bounded(HEAVY, y)
    wrong = y != EXPLAINED
    assert np.abs(found[wrong] - EXPLAINED[wrong]) < 5
    assert_allclose(found[~wrong], EXPLAINED[~wrong], atol=5)
    assert np.abs(found - EXPLAINED)[~wrong].mean() < 0.2


def test_gaps_stay_and_each_output_is_moved_by_the_rows_that_have_it():
    y = EXPLAINED.copy()
    y[::3, 0] = np.nan
    found = bounded(HEAVY, y)
    assert_array_equal(np.isnan(found), np.isnan(y))
    alone = np.arange(200) % 3 > 0
    assert_allclose(found[alone, :1], bounded(HEAVY[alone], y[alone, :1]))


def test_weights_count_as_copies():
    weight = rng.integers(1, 4, size=200)
    group, y = np.arange(200), np.where(rng.random((200, 2)) < 0.02, 40.0, EXPLAINED)
    copies = (part.repeat(weight, axis=0) for part in (HEAVY, y, group))
    x, repeated, label = copies
    found = bounded(x, repeated, None, label)
    weighted = bounded(HEAVY, y, weight.astype(float), group).repeat(weight, axis=0)
    moved = np.abs(found - weighted).max()
    assert moved < 1  # folds of groups are not those of rows


def heavy(n):
    X = np.exp(2 * rng.normal(size=(n, 3)))
    return X, X[:, 0] + rng.normal(size=n)


def mostly_zero(n):
    X = np.exp(1.5 * rng.normal(size=(n, 3))) * (rng.random((n, 3)) < 0.3)
    return X, X[:, 0] + rng.normal(size=n)


def placeholders(n):
    X = rng.normal(size=(n, 3))
    y = X[:, 0] + 0.3 * rng.normal(size=n)
    X[rng.random((n, 3)) < 0.02] = -9999.0
    return X, y


@pytest.mark.filterwarnings("ignore:Column . of [Xy] has")
@pytest.mark.parametrize("cls", [CVAERegressor, NNRegressor])
@pytest.mark.parametrize("rows", [heavy, mostly_zero, placeholders])
def test_fits_of_inputs_far_out_are_not_below_least_squares(cls, rows):
    X, y = rows(2300)
    ridge = RidgeCV(np.logspace(-5, 3, 9)).fit(X[:300], y[:300])
    residual = y - ridge.predict(X)
    simple = norm(scale=residual[:300].std(ddof=4)).logpdf(residual[300:]).mean()
    est = cls(max_epochs=30, random_state=0).fit(X[:300], y[:300])
    assert est.score(X[300:], y[300:]) > simple - 0.1
