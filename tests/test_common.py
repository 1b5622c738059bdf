"""scikit-learn's own checks."""

import subprocess
import sys

from conftest import ESTIMATORS, UNSUPERVISED
from sklearn.utils.estimator_checks import parametrize_with_checks

from skcvae import (
    ConformalRegressor,
    EnsembleRegressor,
    HybridStructuredPredictorCV,
    NNRegressor,
)
from skcvae.architectures import MLP

QUICK = {"architecture": MLP((4,)), "max_epochs": 1}
EXPECTED_FAILURES = {
    "check_sample_weight_equivalence_on_dense_data": (
        "a row of weight two counts twice in one step, a row repeated is in two steps: "
        "the same objective, another order of stochastic gradients"
    )
}


@parametrize_with_checks(
    [
        *(estimator(**QUICK) for estimator in (*ESTIMATORS, *UNSUPERVISED)),
        EnsembleRegressor(NNRegressor(**QUICK), n_estimators=2),
        ConformalRegressor(NNRegressor(random_state=0, **QUICK)),
        HybridStructuredPredictorCV((0.5,), cv=2, **QUICK),
    ],
    expected_failed_checks=lambda estimator: EXPECTED_FAILURES,
    xfail_strict=True,
)
def test_scikit_learn(estimator, check, monkeypatch):
    check(estimator)


SCRIPT = """
import sys, skcvae
print(skcvae.metrics.energy_score.__name__)
import skcvae.displays
print("matplotlib" in sys.modules)
"""


def test_metrics_are_there_once_the_package_is_imported_and_matplotlib_only_to_plot():
    found = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True
    )
    assert found.stdout == "energy_score\nFalse\n"
