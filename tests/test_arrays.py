import numpy as np
import pytest
import torch

from skcvae._arrays import FORWARD_NUMBERS, FORWARD_ROWS, KEPT_NUMBERS, Scaling, plan, slices


@pytest.mark.parametrize("row_shape", [(3,), (2, 4, 4)])
@pytest.mark.parametrize("n_rows", [1, 5, FORWARD_ROWS + 3])
def test_scaling_there_and_back(row_shape, n_rows):
    array = np.random.default_rng(0).normal(7, 30, (n_rows, *row_shape))
    scaling = Scaling.standardizing(array, None, "X")
    inside = scaling.to_tensor(array, torch.float64, "cpu")
    assert inside.shape == array.shape
    np.testing.assert_allclose(inside.mean(0), 0, atol=1e-9)
    np.testing.assert_allclose(scaling.to_array(inside), array)


def test_constant_columns_survive():
    array = np.column_stack([np.full(9, 1e8), np.zeros(9), np.arange(9.0)])
    scaling = Scaling.standardizing(array, None, "X")
    assert scaling.scale[:2].tolist() == [1, 1]
    assert scaling.to_tensor(array, torch.float32, "cpu").isfinite().all()


def test_weights_move_the_moments():
    array = np.array([[0.0], [10.0], [99.0]])
    scaling = Scaling.standardizing(array, np.array([1.0, 3.0, 0.0]), "X")
    assert scaling.loc.item() == pytest.approx(7.5)


def test_log_jacobian_is_that_of_the_map():
    scaling = Scaling(np.zeros(2), np.array([2.0, 5.0]))
    assert scaling.log_jacobian == pytest.approx(-np.log(10))
    assert Scaling.identity((2,)).log_jacobian == 0


def test_overflow_is_an_error_that_names_the_array():
    with pytest.raises(ValueError, match="X cannot be standardised: values up to 1e\\+300"):
        Scaling.standardizing(np.array([[1e300], [-1e300]]), None, "X")


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
