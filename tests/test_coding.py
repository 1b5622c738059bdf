import numpy as np
import pytest
import torch

from skcvae.data import coding
from skcvae.data.coding import (
    FORWARD_NUMBERS,
    FORWARD_ROWS,
    KEPT_NUMBERS,
    Scaling,
    plan,
    slices,
)
from skcvae.data.labels import OneHot
from skcvae.likelihoods import Gamma

ROW_SHAPES = [(1,), (3,), (4, 5), (2, 4, 4), (2, 3, 4, 5)]
LABELS = np.array([-3, 7, 100])

of_each_shape = pytest.mark.parametrize("row_shape", ROW_SHAPES)


def numbers(n_rows, row_shape, share_of_nan=0.0):
    rng = np.random.default_rng(0)
    array = rng.normal(7, 30, (n_rows, *row_shape)) * (1 + np.arange(row_shape[0])).reshape(
        -1, *[1] * (len(row_shape) - 1)
    )
    array[rng.random(array.shape) < share_of_nan] = np.nan
    return array


def labels(n_rows, row_shape):
    return np.random.default_rng(0).choice(LABELS, (n_rows, *row_shape))


@of_each_shape
@pytest.mark.parametrize("n_rows", [1, 5, FORWARD_ROWS + 3])
@pytest.mark.parametrize("share_of_nan", [0, 0.3])
def test_scaling_there_and_back(row_shape, n_rows, share_of_nan):
    array = numbers(n_rows, row_shape, share_of_nan)
    array[0] = 1.0
    scaling = Scaling.fit(array, None, "X")
    inside = scaling.to_tensor(array, torch.float64, "cpu")
    assert inside.shape == array.shape and scaling.row_shape == scaling.code_shape == row_shape
    np.testing.assert_allclose(scaling.to_array(inside), array)
    spread = scaling.spread_to_array(inside)
    np.testing.assert_allclose(spread, array - scaling.loc, atol=1e-9)


@of_each_shape
@pytest.mark.parametrize("share_of_nan", [0, 0.3])
def test_columns_and_channels_are_standardised(row_shape, share_of_nan):
    array = numbers(50, row_shape, share_of_nan)
    scaling = Scaling.fit(array, None, "X")
    inside = scaling.to_tensor(array, torch.float64, "cpu").numpy()
    pixels = (0, -2, -1) if len(row_shape) > 1 else 0
    np.testing.assert_allclose(np.nanmean(inside, axis=pixels), 0, atol=1e-12)
    np.testing.assert_allclose(np.nanvar(inside, axis=pixels), 1)
    n_scales = len(np.unique(scaling.scale))
    assert n_scales == np.prod(row_shape[:-2] if len(row_shape) > 1 else row_shape)


@pytest.mark.parametrize("is_weighted", [False, True])
@pytest.mark.parametrize("row_shape", [(3,), (3, 4, 5)])
def test_what_is_missing_in_chunks_is_learned_from_the_others(row_shape, is_weighted, monkeypatch):
    rng = np.random.default_rng(0)
    array = 1e6 + rng.normal(3, 2, (200, *row_shape))
    array[:90, 0] = array[70:, 1] = array[30:150, 2] = np.nan
    weight = rng.uniform(size=200) if is_weighted else None
    whole = Scaling.fit(array, weight, "y")
    monkeypatch.setattr(coding, "SCALED_NUMBERS", 20 * array[0].size)
    parts = Scaling.fit(array, weight, "y")
    counts = np.ones(200) if weight is None else weight
    for i in range(3):
        column = np.moveaxis(array, 1, 0)[i].reshape(200, -1)
        observed = ~np.isnan(column)
        expected = np.average(column[observed], weights=(counts[:, None] * observed)[observed])
        spread = np.average(
            (column[observed] - expected) ** 2, weights=(counts[:, None] * observed)[observed]
        )
        for found in (whole, parts):
            np.testing.assert_allclose(found.loc[i], expected, rtol=1e-12)
            np.testing.assert_allclose(found.scale[i], spread**0.5, rtol=1e-9)


@pytest.mark.parametrize("share_of_nan", [0, 0.3])
@pytest.mark.parametrize("row_shape", [(3,), (2, 4, 4)])
def test_weights_count_rows(row_shape, share_of_nan):
    array = numbers(9, row_shape, share_of_nan)
    weight = np.arange(1, 10)
    weighted = Scaling.fit(array, weight, "X")
    repeated = Scaling.fit(array.repeat(weight, axis=0), None, "X")
    np.testing.assert_allclose(weighted.loc, repeated.loc)
    np.testing.assert_allclose(weighted.scale, repeated.scale)


def test_constant_columns_survive():
    array = np.column_stack([np.full(9, 1e8), np.zeros(9), np.arange(9.0)])
    scaling = Scaling.fit(array, None, "X")
    assert scaling.scale[:2].tolist() == [1, 1]
    assert scaling.to_tensor(array, torch.float32, "cpu").isfinite().all()


NEARLY_CONSTANT = {
    "dates in nanoseconds": 1.7e18 + 1e3 * np.arange(9.0),
    "dates in seconds": 1.7e9 + np.arange(9.0),
    "an offset": 1e9 + np.linspace(0, 1e-3, 9),
    "integers beyond float64": 2**53 + 4 * np.arange(9),
    "one in a thousand": (np.arange(2000) == 7).astype(float),
    "a missing first row": np.r_[np.nan, 1e12 + np.arange(8.0)],
}


@pytest.mark.parametrize("case", NEARLY_CONSTANT)
def test_nearly_constant_columns_have_their_own_scale(case):
    column = NEARLY_CONSTANT[case]
    scaling = Scaling.fit(column[:, None], None, "X")
    exact = (column - np.nanmin(column)).astype(float)
    assert scaling.scale == pytest.approx(np.nanstd(exact), rel=1e-9)
    inside = scaling.to_tensor(column[:, None], torch.float32, "cpu").numpy()[:, 0]
    np.testing.assert_allclose(inside, (exact - np.nanmean(exact)) / np.nanstd(exact), atol=0.15)
    assert abs(np.nanmean(inside)) < 0.15 and np.nanstd(inside) == pytest.approx(1, rel=1e-3)


@pytest.mark.parametrize("row_shape", [(3,), (2, 4, 4)])
def test_numbers_that_float32_cannot_square_are_refused_with_their_place(row_shape):
    array = numbers(FORWARD_ROWS + 9, row_shape, 0.1)
    scaling = Scaling.fit(array, None, "X")
    scaling.check(array, "X")
    scaling.check(np.where(array > 50, 1e12, array), "X")
    array[(FORWARD_ROWS + 3, *[1] * len(row_shape))] = -1e300
    column = np.ravel_multi_index([1] * len(row_shape), row_shape)
    with pytest.raises(
        ValueError, match=f"^X has -1e\\+300 in row {FORWARD_ROWS + 3}, column {column},"
    ):
        scaling.check(array, "X")


def test_log_jacobian_is_that_of_what_is_observed():
    scaling = Scaling.identity((2,))._replace(scale=np.array([2.0, 5.0]))
    rows = np.array([[1, 1], [np.nan, 1], [1, np.nan], [np.nan, np.nan]])
    np.testing.assert_allclose(scaling.log_jacobian(rows), -np.log([10, 5, 2, 1]), atol=1e-12)
    np.testing.assert_allclose(scaling.log_jacobian(rows[:1]), -np.log([10]))
    assert (Scaling.identity((2,)).log_jacobian(rows) == 0).all()
    assert (OneHot(LABELS, (2,)).log_jacobian(rows) == 0).all()


@of_each_shape
def test_labels_there_and_back(row_shape):
    array = labels(9, row_shape)
    coding = OneHot(LABELS, row_shape)
    code = coding.to_tensor(array, torch.float32, "cpu")
    assert code.shape == (9, *coding.code_shape) and code.dtype == torch.float32
    assert len(coding.code_shape) == (1 if len(row_shape) == 1 else len(row_shape) + 1)
    proba = coding.to_proba(code)
    expected = [array == label for label in LABELS]
    np.testing.assert_array_equal(proba, np.stack(expected, axis=1))
    found = coding.to_array(code.expand(4, *code.shape) + 0.1 * torch.rand(4, *code.shape))
    np.testing.assert_array_equal(found, np.broadcast_to(array, found.shape))
    assert found.shape == (4, *array.shape) and found.dtype == LABELS.dtype


@of_each_shape
def test_a_missing_label_is_missing_for_every_class(row_shape):
    array = labels(9, row_shape).astype(float)
    array[::2, ..., 0] = np.nan
    coding = OneHot(LABELS, row_shape)
    proba = coding.to_proba(coding.to_tensor(array, torch.float32, "cpu"))
    np.testing.assert_array_equal(np.isnan(proba), np.isnan(array)[:, None].repeat(3, axis=1))
    whole = coding.to_tensor(np.nan_to_num(array), torch.float32, "cpu")
    assert (np.nan_to_num(proba) == np.where(np.isnan(proba), 0, coding.to_proba(whole))).all()


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


KINDS = {
    "bytes": lambda array: array.astype(np.int8),
    "float32": lambda array: array.astype(np.float32),
    "other byte order": lambda array: array.astype(array.dtype.newbyteorder()),
    "backwards": lambda array: array[::-1].copy()[::-1],
    "columns first": np.asfortranarray,
    "read only": read_only,
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("one", [Scaling.identity((4, 5)), OneHot(LABELS, (4, 5))])
def test_the_memory_of_an_array_does_not_matter(kind, one):
    array = labels(9, (4, 5))
    found = one.to_tensor(KINDS[kind](array), torch.float32, "cpu")
    assert torch.equal(found, one.to_tensor(array, torch.float32, "cpu"))


@pytest.mark.parametrize("fit", [Scaling.fit, Gamma().fit_coding])
def test_what_is_not_standardised_is_refused_before_training(fit):
    given = {"name": "y", "standardise": False} if fit == Scaling.fit else {}
    with pytest.raises(ValueError, match="^y has 1e.18 in row 1, .* or rescale y"):
        fit(np.array([[1.0], [1e18]]), None, **given)


def test_overflow_is_an_error_that_names_the_array():
    with pytest.raises(ValueError, match="X cannot be standardised: values up to 1e\\+300"):
        Scaling.fit(np.array([[1e300], [-1e300]]), None, "X")


@pytest.mark.parametrize("n_rows", [1, 100, 10**6])
@pytest.mark.parametrize("n_draws", [1, 100, 10**5])
@pytest.mark.parametrize("sizes", [(1, 2), (1000, 200), (10**6, 10**4), (10**8, 10**8)])
def test_plans_are_bounded_and_never_empty(n_rows, n_draws, sizes):
    row_size, draw_size = sizes
    work = plan(n_rows, n_draws, row_size, draw_size)
    assert 1 <= work.rows <= n_rows and 1 <= work.draws <= n_draws
    at_once = work.rows * work.draws
    assert at_once <= FORWARD_ROWS
    assert at_once * row_size <= max(FORWARD_NUMBERS, row_size)
    kept = work.rows * n_draws * draw_size
    assert kept <= max(KEPT_NUMBERS, n_draws * draw_size)


@pytest.mark.parametrize(("n", "size"), [(0, 3), (1, 3), (6, 3), (7, 3)])
def test_slices_cover_every_row_once(n, size):
    rows = [i for part in slices(n, size) for i in range(n)[part]]
    assert rows == list(range(n))
