"""Laws of generators: their density is that of their rows."""

import numpy as np
import pytest

from skcvae.datasets import make_linear_gaussian, make_ring, make_two_branches

GENERATORS = [make_linear_gaussian, make_ring, make_two_branches]

each = pytest.mark.parametrize("make", GENERATORS, ids=lambda f: f.__name__)


@each
@pytest.mark.parametrize("noise", [0.1, 0.3])
@pytest.mark.parametrize("factor", [0.9, 0.97, 1.03, 1.1])
def test_no_stretched_density_explains_the_rows_better(make, noise, factor):
    """Gibbs' inequality: E log p(y) is above E log q(y) for any other density q."""
    data = make(n_samples=50_000, noise=noise, random_state=0)
    centre = data.X @ data.coef.T if "coef" in data else 0.0
    n_outputs = data.y[0].size
    stretched = data.log_prob(data.X, centre + factor * (data.y - centre))
    assert data.log_prob(data.X, data.y).mean() > (stretched + n_outputs * np.log(factor)).mean()


@each
@pytest.mark.parametrize("assumed", [0.85, 1.15])
def test_no_other_noise_explains_the_rows_better(make, assumed):
    data = make(n_samples=20_000, noise=0.3, random_state=0)
    other = make(n_samples=1, noise=0.3 * assumed, random_state=0)
    log_p, log_q = (d.log_prob(data.X, data.y).mean() for d in (data, other))
    assert log_p > log_q


@pytest.mark.parametrize("make", [make_ring, make_two_branches], ids=lambda f: f.__name__)
def test_rows_are_symmetric_around_zero_and_fill_their_range(make):
    data = make(n_samples=20_000, noise=0.1, random_state=0)
    y = data.y.reshape(len(data.y), -1)
    assert (np.abs(y.mean(axis=0)) < 5 * y.std(axis=0) / np.sqrt(len(y))).all()
    low, high = (1, 2) if make is make_ring else (-1, 1)
    inside = (data.X - low) / (high - low)
    assert inside.min() >= 0 and inside.max() <= 1
    np.testing.assert_allclose(
        np.quantile(inside, [0.25, 0.5, 0.75]), [0.25, 0.5, 0.75], atol=0.02
    )


def test_directions_on_the_ring_are_uniform():
    data = make_ring(n_samples=20_000, random_state=0)
    share, _ = np.histogram(np.arctan2(data.y[:, 1], data.y[:, 0]), 8, (-np.pi, np.pi))
    np.testing.assert_allclose(share / len(data.y), 1 / 8, atol=0.012)


@each
def test_seeds_make_different_rows(make):
    one, other = (make(n_samples=20, random_state=seed) for seed in (0, 1))
    assert (one.X != other.X).all() and (one.y != other.y).all()
