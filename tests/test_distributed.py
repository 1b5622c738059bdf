"""Two processes make the model that one makes; workers of a cluster the scores of one."""

import json
import pickle
import subprocess
import sys

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from skcvae import CVAERegressor, Training
from skcvae.datasets import make_two_branches

FIT = """
import json, sys
import torch
from skcvae import CVAERegressor, Training
from skcvae.datasets import make_two_branches

torch.set_num_threads(1)
accelerator = None
if sys.argv[1] == "shared":
    from accelerate import Accelerator
    accelerator = Accelerator(cpu=True)
data = make_two_branches(n_samples=203, random_state=0)
weight = None if sys.argv[2] == "plain" else 1 + data.X[:, 0] ** 2
est = CVAERegressor(
    max_epochs=4, batch_size=32,
    training=Training(lr_schedule="one_cycle", accelerator=accelerator),
    random_state=None if sys.argv[2] == "unseeded" else 0,
)
est.fit(data.X, data.y, weight)
found = {
    "loss": est.history_[:, "train_loss"],
    "cll": est.history_[:, "valid_cll"],
    "mean": est.predict(data.X[:5]).tolist(),
    "seed": est.seed_,
}
number = 0 if accelerator is None else accelerator.process_index
with open(f"{sys.argv[3]}/{number}.json", "w") as file:
    json.dump(found, file)
"""


def fits(folder, how, kind, *, launched=()):
    script = folder / "fit.py"
    script.write_text(FIT)
    command = [sys.executable, *launched, str(script), how, kind, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]


TWO = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2")


@pytest.mark.parametrize("kind", ["plain", "weighted"])
def test_two_processes_make_the_model_of_one(tmp_path, kind):
    pytest.importorskip("accelerate")
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    (alone,) = fits(tmp_path / "one", "alone", kind)
    both = fits(tmp_path / "two", "shared", kind, launched=TWO)
    assert len(both) == 2
    for found in both:
        for name, values in alone.items():
            np.testing.assert_allclose(found[name], values, rtol=1e-4, atol=1e-5, err_msg=name)


def test_without_a_seed_the_processes_agree_on_one(tmp_path):
    pytest.importorskip("accelerate")
    one, other = fits(tmp_path, "shared", "unseeded", launched=TWO)
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
