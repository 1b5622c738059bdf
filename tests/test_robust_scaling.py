"""Laws of scaling where a few numbers lie far out or are rare."""

import numpy as np
import pytest
import torch

from skcvae import CVAERegressor, NNRegressor
from skcvae.data.coding import LIMIT, QUANTILE_ROWS, Scaling
from skcvae.data.gaps import Flagged
from skcvae.data.tails import Tails
from skcvae.serving import encoder

FAR_COLUMN = "Column 0 of {} has .* times the spread of its middle half"


def with_far(n_rows=400, n_far=8, value=-9999.0):
    array = np.random.default_rng(0).normal(5, 2, size=(n_rows, 3))
    array[:n_far, 0] = value
    return array


@pytest.mark.parametrize("name", ["X", "y"])
@pytest.mark.parametrize(("n_far", "value"), [(1, 1e4), (8, -9999.0), (2, 1e9)])
def test_far_numbers_do_not_set_the_scale(name, n_far, value):
    array = with_far(n_far=n_far, value=value)
    with pytest.warns(UserWarning, match=FAR_COLUMN.format(name)):
        scaling = Scaling.fit(array, None, name, limited=name == "X")
    assert abs(scaling.loc[0] - 5) < 0.5 and 1.5 < scaling.scale[0] < 2.5
    np.testing.assert_allclose(scaling.loc[1:], array[:, 1:].mean(0))
    np.testing.assert_allclose(scaling.scale[1:], array[:, 1:].std(0))


def test_gaps_of_any_period_hide_no_far_number():
    n_rows = 2 * QUANTILE_ROWS + 4
    x = np.random.default_rng(0).normal(size=n_rows)
    x[1], x[::3] = 1e6, np.nan
    with pytest.warns(UserWarning, match="Column 0 of X has 1e.06 in row 1"):
        found = Scaling.fit(x[:, None], None, "X")
    assert found.scale == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("df", [3, 5, 30])
def test_usual_tails_are_standardised_without_a_warning(df):
    array = np.random.default_rng(0).standard_t(df, size=(2000, 3))
    np.testing.assert_allclose(Scaling.fit(array, None, "X").scale, array.std(0))


@pytest.mark.parametrize("values", [[0, 1], [0, 0, 0, 5, 9], [-5, -2.3, -2.3, -2.3, 0]])
def test_few_distinct_numbers_are_standardised(values):
    array = np.random.default_rng(0).choice(values, size=(300, 1)).astype(float)
    np.testing.assert_allclose(Scaling.fit(array, None, "X").scale, array.std(0))


def test_an_input_that_is_rare_is_limited_and_keeps_its_order():
    array = np.zeros((1400, 2))
    array[3, 0], array[:, 1] = 1, np.arange(1400)
    scaling = Scaling.fit(array, None, "X", limited=True)
    seen = np.array([[0.0, 0], [1, 0], [2, 0], [1e6, 0]])
    code = scaling.to_tensor(seen, torch.float64, "cpu").numpy()[:, 0]
    assert (np.diff(code) > 0).all() and LIMIT < code[1] < 8
    np.testing.assert_allclose(encoder(scaling)(torch.tensor(seen)).numpy()[:, 0], code)
    assert scaling.limit[1] > 1e9


def test_the_limit_is_continuous_with_its_slope():
    scaling = Scaling.identity((1,))._replace(limit=np.array([LIMIT]))
    inputs = np.linspace(-2 * LIMIT, 2 * LIMIT, 2001)[:, None]
    slope = np.diff(scaling.to_tensor(inputs, torch.float64, "cpu").numpy()[:, 0]) / 0.006
    assert slope.max() <= 1 + 1e-9 and slope.min() > 0.2 and np.abs(np.diff(slope)).max() < 0.01


@pytest.mark.parametrize("cls", [CVAERegressor, NNRegressor])
def test_rows_with_a_rare_input_are_predicted_like_others(cls):
    rng = np.random.default_rng(0)
    X, noise = rng.normal(size=(800, 3)), 0.3 * rng.normal(size=(800, 2))
    y = X[:, :2] + noise
    X[:, 2] = 0
    X[3, 2] = X[400:, 2] = 1
    est = cls(max_epochs=30, random_state=0).fit(X[:400], y[:400])
    assert est.score(X[400:], y[400:]) > -4  # of y alone -2.9, of other rows -0.5


def test_a_typing_error_in_y_costs_little():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1000, 3))
    y = X[:, 0] + 0.3 * rng.normal(size=1000)
    est = NNRegressor(max_epochs=30, random_state=0)
    clean = est.fit(X[:300], y[:300]).score(X[300:], y[300:])
    y[5] = 1e4
    with pytest.warns(UserWarning, match=FAR_COLUMN.format("y")):
        est.fit(X[:300], y[:300])
    assert est.score(X[300:], y[300:]) > clean - 0.15


def test_the_others_tell_the_scale_of_a_column_that_is_mostly_constant():
    rng = np.random.default_rng(0)
    array = rng.normal(size=(400, 2)) * (rng.random((400, 2)) < 0.3)
    np.testing.assert_allclose(Scaling.fit(array, None, "X").scale, array.std(0))
    array[:8, 0] = -9999.0
    with pytest.warns(UserWarning, match=FAR_COLUMN.format("X")):
        assert 0.5 < Scaling.fit(array, None, "X").scale[0] < 2


def test_inputs_that_are_often_another_number_have_no_limit():
    rng = np.random.default_rng(0)
    array = rng.lognormal(size=(400, 1)) * (rng.random((400, 1)) < 0.05)
    assert Scaling.fit(array, None, "X", limited=True).limit > 1e9


@pytest.mark.parametrize("gaps", [False, True])
def test_columns_with_heavy_tails_are_read_with_a_limit_and_in_proportion(gaps):
    rng = np.random.default_rng(0)
    array = np.c_[rng.normal(size=400), np.exp(3 * rng.normal(size=400)), np.arange(400) == 7]
    rows = np.where(rng.random(array.shape) < 0.1, np.nan, array) if gaps else array
    with pytest.warns(UserWarning, match="Column 1 of X"):
        scaling = Scaling.fit(rows, None, "X", limited=True)
    coding = Tails.fit(scaling, rows, None)
    assert coding.columns.tolist() == [1]  # a rare number is a straight line as it is
    coding = Flagged.fit(coding, rows, are_sequences=False) if gaps else coding
    code = coding.to_tensor(rows, torch.float64, "cpu").numpy()
    assert code.shape[1:] == coding.code_shape == ((4 + 3,) if gaps else (4,))
    np.testing.assert_allclose(encoder(coding)(torch.tensor(rows)).numpy(), code)
    seen = ~np.isnan(rows[:, 1])
    assert np.abs(code[:, 1]).max() < 12 and np.ptp(np.diff(np.unique(code[seen, 3]))) > 1
    slope = np.polyfit(rows[seen, 1], code[seen, 3], 1, full=True)
    assert slope[1] < 1e-18 and code[seen, 3].std() == pytest.approx(1)


def test_a_scaling_without_heavy_tails_is_all_that_is_needed():
    scaling = Scaling.fit(np.random.default_rng(0).normal(size=(50, 3)), None, "X", limited=True)
    assert Tails.fit(scaling, np.zeros((50, 3)), None) is scaling
