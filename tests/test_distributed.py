"""Two processes make the model that one makes; workers of a cluster the scores of one."""

import json
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from skcvae import CVAERegressor, Training
from skcvae.datasets import make_two_branches

KINDS = ["plain", "weighted", "unseeded"]


def fitted(kind, accelerator=None):
    """Return what a fit on small data found, as lists."""
    data = make_two_branches(n_samples=203, random_state=0)
    est = CVAERegressor(
        max_epochs=4,
        batch_size=32,
        training=Training(lr_schedule="one_cycle", accelerator=accelerator),
        random_state=None if kind == "unseeded" else 0,
    )
    est.fit(data.X, data.y, 1 + data.X[:, 0] ** 2 if kind == "weighted" else None)
    return {
        "loss": est.history_[:, "train_loss"],
        "cll": est.history_[:, "valid_cll"],
        "mean": est.predict(data.X[:5]).tolist(),
        "seed": est.seed_,
    }


SHARED = """
import json, sys
import torch
from accelerate import Accelerator
from test_distributed import KINDS, fitted

torch.set_num_threads(1)
accelerator = Accelerator(cpu=True)
found = {kind: fitted(kind, accelerator) for kind in KINDS}
with open(f"{sys.argv[1]}/{accelerator.process_index}.json", "w") as file:
    json.dump(found, file)
"""


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """Return what each of two processes found, in one launch: most of the time is imports."""
    pytest.importorskip("accelerate")
    folder = tmp_path_factory.mktemp("shared")
    script = folder / "fit.py"
    script.write_text(SHARED)
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    done = subprocess.run(
        [sys.executable, *launch, str(script), str(folder)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    both = [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]
    assert len(both) == 2
    return both


@pytest.mark.parametrize("kind", ["plain", "weighted"])
def test_two_processes_make_the_model_of_one(shared, kind):
    alone = fitted(kind)
    for found in shared:
        for name, values in alone.items():
            np.testing.assert_allclose(
                found[kind][name], values, rtol=1e-4, atol=1e-5, err_msg=name
            )


def test_without_a_seed_the_processes_agree_on_one(shared):
    one, other = (found["unseeded"] for found in shared)
    assert one["seed"] == other["seed"] and one["mean"] == other["mean"]


def test_an_accelerator_of_one_process_changes_nothing():
    accelerate = pytest.importorskip("accelerate")
    data = make_two_branches(n_samples=100, random_state=0)
    accelerator = accelerate.Accelerator(cpu=True)
    plain = CVAERegressor(max_epochs=2, random_state=0).fit(data.X, data.y)
    est = CVAERegressor(
        max_epochs=2, random_state=0, training=Training(accelerator=accelerator)
    ).fit(data.X, data.y)
    np.testing.assert_allclose(est.predict(data.X), plain.predict(data.X), rtol=1e-6)
    assert clone(est).fit(data.X, data.y).predict(data.X).tolist() == est.predict(data.X).tolist()
    assert pickle.loads(pickle.dumps(est)).score(data.X, data.y) == est.score(data.X, data.y)


def test_a_cluster_finds_the_scores_of_one_machine():
    distributed = pytest.importorskip("distributed")
    import joblib

    data = make_two_branches(n_samples=150, random_state=0)
    search = GridSearchCV(
        CVAERegressor(max_epochs=2, n_score_samples=10, random_state=0),
        {"beta": [0.0, 1.0]},
        cv=2,
    )
    alone = search.fit(data.X, data.y).cv_results_["mean_test_score"]
    cluster = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None
    )
    with cluster, distributed.Client(cluster), joblib.parallel_backend("dask"):
        shared = search.fit(data.X, data.y).cv_results_["mean_test_score"]
    assert shared.tolist() == alone.tolist()
