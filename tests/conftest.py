"""One torch thread per test process, a device, and small data."""

import gc
import os
import sys
from itertools import product

import numpy as np
import pytest
import torch

from skcvae import (
    VAE,
    Autoencoder,
    CVAERegressor,
    GSNNRegressor,
    HybridStructuredPredictor,
    NNRegressor,
)
from skcvae.training.net import Net

DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
LATENT = [CVAERegressor, GSNNRegressor, HybridStructuredPredictor]
ESTIMATORS = [*LATENT, NNRegressor]
UNSUPERVISED = [VAE, Autoencoder]


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


# Collections take a tenth of the time: they go through imports, and come often.
gc.disable()


def pytest_collection_finish():
    gc.freeze()
    gc.enable()
    gc.set_threshold(10_000)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Give each process neighbouring tests, which share fits, unless asked for otherwise."""
    if config.getvalue("dist") == "load":
        from xdist.scheduler import WorkStealingScheduling

        return WorkStealingScheduling(config, log)


@pytest.fixture(scope="session")
def server():
    """Processes that begin with the imports done; they find what pytest finds."""
    import processes  # the process that deals out the tests need not wait for it

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        patch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
        patch.setenv("PYTHONWARNINGS", "error")
        server = processes.Server()
        server.start()
    return server


@pytest.fixture(params=DEVICES)
def device(request):
    return request.param


@pytest.fixture(params=ESTIMATORS, ids=lambda e: e.__name__)
def estimator_class(request):
    return request.param


@pytest.fixture(params=[*ESTIMATORS, *UNSUPERVISED], ids=lambda e: e.__name__)
def any_class(request):
    return request.param


def each_kind(names, *axes):
    """Parametrize with the network and one of the estimators with z, which take turns."""
    cases = [
        (kind, *case)
        for i, case in enumerate(product(*axes))
        for kind in (NNRegressor, LATENT[(i + i // len(LATENT)) % len(LATENT)])
    ]
    return pytest.mark.parametrize(("estimator_class", *names.split()), cases)


@pytest.fixture
def no_training(monkeypatch):
    """Let a fit fail when its first epoch begins."""
    monkeypatch.setattr(Net, "fit_loop", lambda *args, **kwargs: pytest.fail("training began"))


def judged_by(est):
    """Return the column of the history by which early stopping judges."""
    return "valid_cll" if est._has_density else "valid_loss"


def answer(est, X):
    """Return predictions, or codes of an estimator of X alone."""
    return est.predict(X) if hasattr(est, "predict") else est.transform(X)


@pytest.fixture(params=LATENT, ids=lambda e: e.__name__)
def latent_class(request):
    return request.param


def small_table():
    """Return sixty rows, four features, three outputs that depend on each other."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 4))
    shared = rng.normal(size=(60, 1))
    return X, X @ rng.normal(size=(4, 3)) + shared + 0.1 * rng.normal(size=(60, 3)) + 5


@pytest.fixture
def data():
    return small_table()
