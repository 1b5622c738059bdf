"""What default settings must reach, on data whose best possible score is known.

Epochs end soon after the best one: early stopping by default would wait for more.
"""

import numpy as np
import pytest
from sklearn.model_selection import train_test_split

from skcvae import CVAERegressor, NNRegressor
from skcvae.datasets import load_digits_quadrants, make_linear_gaussian, make_two_branches


def test_two_branches_are_found():
    train = make_two_branches(n_samples=1000, random_state=0)
    test = make_two_branches(n_samples=1000, random_state=99)
    est = CVAERegressor(max_epochs=100, random_state=0).fit(train.X, train.y)
    draws = est.sample(test.X, n_samples=20, random_state=0)
    assert np.mean(draws > 0) == pytest.approx(np.mean(train.y > 0), abs=0.03)
    assert np.mean(np.abs(np.abs(draws) - test.branch(test.X)) < 0.4) > 0.88
    score = est.score(test.X, test.y)
    assert score > test.log_prob(test.X, test.y).mean() - 0.25
    one_branch = NNRegressor(max_epochs=15, random_state=0).fit(train.X, train.y)
    assert score > one_branch.score(test.X, test.y) + 1


def test_linear_gaussian_data_are_fitted_to_the_exact_likelihood():
    data = make_linear_gaussian(n_samples=5000, random_state=0)
    X, X_test, y, y_test = train_test_split(data.X, data.y, test_size=2000, random_state=0)
    est = CVAERegressor(max_epochs=12, random_state=0).fit(X, y)
    gap = data.log_prob(X_test, y_test).mean() - est.score(X_test, y_test)
    assert gap / y.shape[1] < 0.05
    # What lies above the truth would be noise or a wrong Jacobian.
    assert gap > -0.05


def test_on_digits_latent_variables_beat_the_deterministic_network():
    digits = load_digits_quadrants(n_quadrants=1)
    X, X_test, y, y_test = train_test_split(
        digits.data, digits.target, test_size=400, random_state=0
    )
    scores = [
        estimator(likelihood="bernoulli", max_epochs=20, random_state=0)
        .fit(X, y)
        .score(X_test, y_test)
        for estimator in (CVAERegressor, NNRegressor)
    ]
    assert scores[0] > scores[1] + 0.2
