"""Ridge regression is scikit-learn's, and rows left out are predicted by fits without them."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.linear_model import Ridge
from sklearn.model_selection import GroupKFold

from skcvae import ridge
from skcvae.ridge import N_FOLDS, PENALTIES, principal_axes

rng = np.random.default_rng(0)


def rows(n_rows, n_features, n_outputs=3):
    x = rng.normal(size=(n_rows, n_features)) + 5
    return x, x[:, :1] + rng.normal(size=(n_rows, n_outputs)) - 2


@pytest.fixture(params=[False, True], ids=["plain", "weighted"])
def weigh(request):
    return lambda x: rng.uniform(0.1, 3, len(x)) if request.param else None


each_size = pytest.mark.parametrize("sizes", [(20, 4), (12, 30), (9, 1)], ids=str)


@each_size
def test_coefficients_are_those_of_scikit_learn(sizes, weigh):
    x, y = rows(*sizes)
    weight, penalty = weigh(x), np.array([1e-3, 1.0, 50.0])
    coef, intercept = principal_axes(x, weight).coefficients(y, penalty)
    expected = Ridge(penalty).fit(x, y, weight)
    assert_allclose(coef, expected.coef_, rtol=1e-6, atol=1e-9)
    assert_allclose(intercept, expected.intercept_, rtol=1e-6)


@each_size
def test_a_row_left_out_is_predicted_by_the_fit_without_it(sizes, weigh):
    x, y = rows(*sizes)
    weight = weigh(x)
    found = principal_axes(x, weight).left_out(y)
    for i in range(len(x)):
        others = np.arange(len(x)) != i
        given = None if weight is None else weight[others]
        for number in (6, 10, 16):
            model = Ridge(PENALTIES[number], tol=1e-12).fit(x[others], y[others], given)
            assert_allclose(found[i, :, number], model.predict(x[[i]])[0], rtol=1e-5)


def test_rows_of_a_group_are_predicted_without_any_of_it(weigh):
    x, y = rows(40, 4)
    weight, group = weigh(x), rng.permutation(np.arange(40) % 12)
    model = ridge.fit(x, y, weight, group)
    for kept, held in GroupKFold(N_FOLDS).split(x, groups=model.labels):
        given = None if weight is None else weight[kept]
        apart = Ridge(model.penalty).fit(x[kept], y[kept], given)
        assert_allclose(model.left_out[held], apart.predict(x[held]), rtol=1e-6)
    assert all(len(set(model.labels[group == g])) == 1 for g in range(12))
