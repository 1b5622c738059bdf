"""Two processes make the model that one makes; workers of a cluster the scores of one."""

import json
import os
import pickle
import signal
import socket

import numpy as np
import processes
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from skorch.callbacks import Callback

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


@pytest.mark.parametrize("n_processes", [1, 2, 3, 5])
@pytest.mark.parametrize("n_rows", [1, 2, 4, 7])
def test_processes_share_each_batch_also_if_some_have_no_rows(n_rows, n_processes):
    pytest.importorskip("accelerate")
    from skcvae.training.distributed import SharedBatches

    class Batches(list):
        dataset = None

    arrays, noise = (torch.arange(n_rows)[:, None],), torch.zeros(1, n_rows, 2)
    whole = Batches([({"arrays": arrays, "noise": noise}, None)])
    shares = [next(iter(SharedBatches(whole, i, n_processes))) for i in range(n_processes)]
    seen = [x for inputs, weight in shares for x in inputs["arrays"][0][weight > 0].tolist()]
    assert sorted(seen) == arrays[0].tolist()
    total = sum(float(weight.mean()) for _, weight in shares)
    assert total == pytest.approx(n_processes)


def one_of_two(number, port):
    """Return the accelerator of a process, which torchrun would start with this environment."""
    from accelerate import Accelerator

    environment = {"RANK": number, "LOCAL_RANK": number, "WORLD_SIZE": 2, "LOCAL_WORLD_SIZE": 2}
    os.environ |= {name: str(value) for name, value in environment.items()}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    accelerator = Accelerator(cpu=True)
    assert accelerator.process_index == number and accelerator.num_processes == 2
    return accelerator


def fitted_together(number, port):
    """Fit in one of two processes."""
    accelerator = one_of_two(number, port)
    print(json.dumps({kind: fitted(kind, accelerator) for kind in KINDS}))
    accelerator.end_training()


def run_both(tmp_path_factory, server, function):
    """Run a function of a number and a port in two processes."""
    pytest.importorskip("accelerate")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        _, port = free.getsockname()
    folders = [tmp_path_factory.mktemp("process") for _ in range(2)]
    return server.run_together(
        [(folder, function, number, port) for number, folder in enumerate(folders)]
    )


@pytest.fixture(scope="module")
def shared(tmp_path_factory, server):
    """Return what each of two processes found in fits of every kind."""
    both = run_both(tmp_path_factory, server, fitted_together)
    for code, _, errors in both:
        assert code == 0, errors
    return [json.loads(output.splitlines()[-1]) for _, output, _ in both]


@pytest.mark.parametrize("kind", ["plain", "weighted"])
def test_two_processes_make_the_model_of_one(shared, kind):
    alone = fitted(kind)
    for found in shared:
        for name, values in alone.items():
            np.testing.assert_allclose(
                found[kind][name], values, rtol=1e-3, atol=1e-5, err_msg=name
            )


def test_without_a_seed_the_processes_agree_on_one(shared):
    one, other = (found["unseeded"] for found in shared)
    assert one["seed"] == other["seed"] and one["mean"] == other["mean"]


class Die(Callback):
    """Kill the process after two epochs."""

    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == 2:
            os.kill(os.getpid(), signal.SIGKILL)


def left_alone(number, port):
    """Fit with a process that is killed; print how the other one ends."""
    callbacks = [Die()] if number == 0 else None
    training = Training(accelerator=one_of_two(number, port), callbacks=callbacks)
    est = CVAERegressor(max_epochs=10**6, early_stopping=False, random_state=0, training=training)
    data = make_two_branches(n_samples=50, random_state=0)
    try:
        est.fit(data.X, data.y)
    except RuntimeError as error:
        print("RuntimeError", "Connection" in str(error), hasattr(est, "net_"))


def test_where_one_process_is_killed_the_other_raises_an_error(tmp_path_factory, server):
    killed, other = run_both(tmp_path_factory, server, left_alone)
    assert killed[0] == -signal.SIGKILL
    code, output, errors = other
    assert code == 0 and output.split() == ["RuntimeError", "True", "False"], output + errors


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


def test_a_cluster_finds_the_scores_of_one_machine(server):
    distributed = pytest.importorskip("distributed")
    import dask
    import joblib

    data = make_two_branches(n_samples=150, random_state=0)
    search = GridSearchCV(
        CVAERegressor(max_epochs=2, n_score_samples=10, random_state=0),
        {"beta": [0.0, 1.0]},
        cv=2,
    )
    alone = search.fit(data.X, data.y).cv_results_["mean_test_score"]
    with dask.config.set({"distributed.worker.multiprocessing-method": processes.METHOD}):
        cluster = distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None
        )
    with cluster, distributed.Client(cluster), joblib.parallel_backend("dask"):
        shared = search.fit(data.X, data.y).cv_results_["mean_test_score"]
    # Workers have one thread, whose sums are of another order.
    np.testing.assert_allclose(shared, alone, rtol=5e-3)
