"""Laws of scores: rows that are not observed, and draws in other units."""

import numpy as np
import pytest

from skcvae.metrics import crps, energy_score, interval_coverage, pit

each_rule = pytest.mark.parametrize("rule", [crps, energy_score], ids=lambda f: f.__name__)


@pytest.fixture
def drawn():
    rng = np.random.default_rng(0)
    return rng.normal(size=(6, 3)), rng.normal(size=(9, 6, 3)), rng.uniform(0.1, 5, 6)


@each_rule
@pytest.mark.parametrize("row", range(6))
def test_a_row_that_is_not_observed_is_absent_with_its_weight(rule, drawn, row):
    y, draws, weight = drawn
    expected = rule(np.delete(y, row, 0), np.delete(draws, row, 1), np.delete(weight, row))
    y[row] = np.nan
    assert rule(y, draws, weight) == pytest.approx(expected)


@pytest.mark.parametrize("row", range(6))
def test_an_interval_of_what_is_not_observed_is_absent_with_its_weight(drawn, row):
    y, draws, weight = drawn
    intervals = np.stack([draws[:4].min(axis=0), draws[:4].max(axis=0)], axis=-1)
    rest = (np.delete(part, row, 0) for part in (y, intervals, weight))
    expected = interval_coverage(*rest)
    y[row] = np.nan
    assert interval_coverage(y, intervals, weight) == pytest.approx(expected)


@each_rule
def test_scores_have_the_units_of_y_and_no_origin(rule, drawn):
    y, draws, weight = drawn
    expected = 7 * rule(y, draws, weight)
    assert rule(3 - 7 * y, 3 - 7 * draws, weight) == pytest.approx(expected)


def test_the_rank_of_minus_y_is_the_rank_from_above(drawn):
    y, draws, _ = drawn
    many = draws.repeat(400, axis=0)
    np.testing.assert_allclose(pit(-y, -many), 1 - pit(y, many), atol=1e-3)
