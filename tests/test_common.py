"""scikit-learn's own checks."""

import subprocess
import sys

from conftest import ESTIMATORS
from sklearn.utils.estimator_checks import parametrize_with_checks

from skcvae import Autoencoder, EnsembleRegressor, NNRegressor
from skcvae.architectures import MLP

QUICK = {"architecture": MLP((4,)), "max_epochs": 2}
EXPECTED_FAILURES = {
    "check_sample_weight_equivalence_on_dense_data": (
        "a row of weight two counts twice in one step, a row repeated is in two steps: "
        "the same objective, another order of stochastic gradients"
    )
}


@parametrize_with_checks(
    [
        *(estimator(**QUICK) for estimator in ESTIMATORS),
        EnsembleRegressor(NNRegressor(**QUICK), n_estimators=2),
        Autoencoder(**QUICK),
    ],
    expected_failed_checks=lambda estimator: EXPECTED_FAILURES,
    xfail_strict=True,
)
def test_scikit_learn(estimator, check, monkeypatch):
    check(estimator)


def test_metrics_are_there_once_the_package_is_imported():
    script = "import skcvae; print(skcvae.metrics.energy_score.__name__)"
    found = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert found.stdout == "energy_score\n"
