"""Threads of torch in fits and predictions: as many as the products can use, and given back."""

import os
import threading
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback
from threadpoolctl import ThreadpoolController
from torch.nn.modules.module import register_module_forward_pre_hook

from skcvae import CVAERegressor, EnsembleRegressor, Training, threads
from skcvae.architectures import MLP
from skcvae.data import coding
from skcvae.inference import moments
from skcvae.threads import THREAD_WORK, TRIED_SHARE, Pace, limited, row_work


@pytest.fixture
def four_threads():
    with ThreadpoolController().select(user_api="openmp").limit(limits=4):
        yield


@pytest.fixture
def seen():
    """Return the numbers of threads with which modules are called, in any thread."""
    numbers = set()
    handle = register_module_forward_pre_hook(lambda *_: numbers.add(torch.get_num_threads()))
    yield numbers
    handle.remove()


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 3))
    return X, X[:, :2] + rng.normal(size=(200, 2))


@pytest.mark.parametrize(
    "work, n_threads", [(0, 1), (1.5, 1), (2, 2), (3.5, 3), (4, 4), (400, 4), (np.inf, 4)]
)
def test_each_thread_has_its_share_of_work(four_threads, work, n_threads):
    with limited(work * THREAD_WORK):
        assert torch.get_num_threads() == n_threads
    assert torch.get_num_threads() == 4


@pytest.mark.parametrize("work", [0, np.inf])
@pytest.mark.parametrize("n_threads", [1, 2, 4])
def test_a_number_that_is_given_is_taken(four_threads, work, n_threads):
    with limited(work, n_threads):
        assert torch.get_num_threads() == n_threads
    assert torch.get_num_threads() == 4


def test_there_are_not_more_threads_than_cores():
    with limited(0, 100_000):
        assert torch.get_num_threads() < 100_000
    with limited(0, 1), limited(0, 100_000):
        assert torch.get_num_threads() == os.cpu_count()


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_errors_and_interrupts_give_threads_back(four_threads, error):
    with pytest.raises(error), limited(0):
        raise error
    assert torch.get_num_threads() == 4


def test_limits_set_outside_hold(four_threads):
    with limited(0, 2), limited(np.inf):
        assert torch.get_num_threads() == 2


def test_other_threads_keep_theirs():
    def count():
        found.append(torch.get_num_threads())

    def count_in_a_new_thread():
        thread = threading.Thread(target=count)
        thread.start()
        thread.join()

    found = []
    count_in_a_new_thread()
    with limited(0, found[0] + 1):
        count_in_a_new_thread()
    count_in_a_new_thread()
    assert len(set(found)) == 1


def test_work_of_a_row_is_that_of_the_largest_product():
    linear = torch.nn.Sequential(torch.nn.Linear(3, 50), torch.nn.Linear(50, 7))
    assert row_work(linear) == 50 * 7
    assert row_work(torch.nn.Sequential(linear, torch.nn.Conv2d(1, 1, 3))) == np.inf
    assert row_work(torch.nn.SiLU()) == 0


@pytest.mark.parametrize("n_units, n_expected", [(8, {1}), (600, {1, 4})])
def test_fits_and_predictions_take_what_their_layers_can_use(
    four_threads, seen, data, n_units, n_expected
):
    architecture = MLP((n_units, n_units))
    est = CVAERegressor(architecture=architecture, max_epochs=1, batch_size=64, random_state=0)
    est.fit(*data)
    est.predict(data[0]), est.sample(data[0], 2), est.log_prob(*data, n_samples=2)
    assert seen == n_expected
    seen.clear()
    est.encode(data[0][:1])
    assert seen == {1}


@pytest.mark.parametrize("n_threads", [1, 2])
def test_the_parameter_holds_in_fits_stacks_and_predictions(four_threads, seen, data, n_threads):
    X, y = (part[:20] for part in data)
    params = {"max_epochs": 1, "batch_size": 20, "n_score_samples": 5, "random_state": 0}
    est = CVAERegressor(training=Training(n_threads=n_threads), **params)
    ensemble = EnsembleRegressor(est, n_estimators=3, random_state=0)
    for fitted in (est.fit(X, y), ensemble.fit(X, y)):
        fitted.predict(X), fitted.score(X, y)
    assert seen == {n_threads}
    est.set_params(training__n_threads=4).predict(X)
    assert seen == {n_threads, 4}


@pytest.fixture
def spent(monkeypatch):
    """Return a function that takes steps: seconds of a fake clock, by number of threads."""
    now = [0.0]
    monkeypatch.setattr(threads, "time", SimpleNamespace(perf_counter=lambda: now[0]))

    def take(pace, n_steps, seconds, size=1):
        before = now[0]
        for _ in range(n_steps):
            with pace.step(size):
                now[0] += size * seconds[torch.get_num_threads()]
        return now[0] - before

    return take


@pytest.mark.parametrize("seconds", [{1: 1.0, 4: 0.3}, {1: 1.0, 4: 0.9}, {1: 1.0, 4: 30.0}])
def test_steps_take_the_faster_number_whatever_else_runs(four_threads, spent, seconds):
    pace, n_steps = Pace("auto"), 1000
    fastest = n_steps * min(seconds.values())
    assert spent(pace, n_steps, seconds) <= (1 + 2 * TRIED_SHARE) * fastest + 2 * max(
        seconds.values()
    )


def test_steps_follow_as_other_processes_come_and_go(four_threads, spent):
    alone, busy, pace = {1: 1.0, 4: 0.5}, {1: 1.0, 4: 10.0}, Pace("auto")
    assert spent(pace, 200, alone) <= 1.1 * 100 + 1
    assert spent(pace, 1000, busy) <= 1.1 * 1000 + 10
    spent(pace, 1000, alone)
    assert spent(pace, 200, alone) <= 1.1 * 100 + 1


def test_single_slow_steps_change_little(four_threads, spent):
    pace = Pace("auto")
    spent(pace, 100, {1: 1.0, 4: 0.5})
    spent(pace, 1, {1: 2.0, 4: 1.5})
    assert spent(pace, 10, {1: 1.0, 4: 0.5}) <= 5.5  # with one trial at most


def test_single_fast_steps_change_little(four_threads, spent):
    """Beside a busy process, all threads are often as fast as on an idle machine."""
    pace, shared = Pace("auto"), np.random.default_rng(0).choice([0.5, 8.0], 2000, p=[0.8, 0.2])
    assert sum(spent(pace, 1, {1: 1.0, 4: seconds}) for seconds in shared) <= 1.1 * len(shared)


def test_trials_take_a_share_of_the_steps_however_rare_they_are(four_threads, spent):
    """Single predictions with pauses between them are not slower than many in a row."""
    pace, seconds = Pace("auto"), {1: 0.01, 4: 0.6}
    spent(pace, 2, seconds)
    taken = 0.0
    for _ in range(100):
        spent(Pace(4), 1, {4: 10.0})  # a pause
        taken += spent(pace, 1, seconds)
    assert taken <= 1.1


def test_steps_are_compared_by_their_size(four_threads, spent):
    seconds, pace, sizes = {1: 1.0, 4: 0.5}, Pace("auto"), [10, 0.1, 0.1] * 50
    taken = sum(spent(pace, 1, seconds, size) for size in sizes)
    assert taken <= 1.1 * 0.5 * sum(sizes) + 10


@pytest.mark.parametrize("n_slow", [1, 4])
def test_predictions_take_the_faster_number(four_threads, seen, data, monkeypatch, n_slow):
    """Chunks of rows are steps: a busy machine is one on which a number of threads is slow."""
    monkeypatch.setattr(threads, "THREAD_WORK", 1)
    monkeypatch.setattr(coding, "FORWARD_ROWS", 20)
    monkeypatch.setattr(moments, "N_POINTS", 20)
    est = CVAERegressor(max_epochs=1, random_state=0).fit(*data)
    now, pace = [0.0], est._fitted.pace
    monkeypatch.setattr(threads, "time", SimpleNamespace(perf_counter=lambda: now[0]))

    def work(module, inputs):
        now[0] += 10.0 if torch.get_num_threads() == n_slow else 0.1

    with register_module_forward_pre_hook(work):
        est.predict(data[0]), est.sample(data[0], 2), est.log_prob(*data, n_samples=20)
    assert all(pace.seconds.values()) and pace.seconds[n_slow == 4] == max(pace.seconds.values())
    seen.clear()
    pace.due = np.inf
    est.predict(data[0])
    assert seen == {5 - n_slow}


def test_a_number_that_is_given_is_not_tried_against_one(four_threads, spent):
    assert spent(Pace(4), 10, {4: 1.0}) == 10.0
    with limited(0):
        assert spent(Pace("auto"), 10, {1: 1.0}) == 10.0


def test_an_interrupted_fit_gives_threads_back(four_threads, data):
    class Stop(Callback):
        def on_batch_end(self, net, **kwargs):
            assert torch.get_num_threads() == 1
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        CVAERegressor(training=Training(callbacks=[Stop()])).fit(*data)
    assert torch.get_num_threads() == 4
