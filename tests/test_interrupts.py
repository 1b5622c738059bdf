"""Ctrl-C keeps the best weights of the epochs that had ended, and a usable estimator."""

import os
import random
import signal
import sys
import threading
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import answer, small_table
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from skorch.callbacks import Callback
from torch.optim.lr_scheduler import OneCycleLR

from skcvae import (
    CVAERegressor,
    EnsembleRegressor,
    GSNNRegressor,
    NNRegressor,
    Training,
    initial_weights,
)
from skcvae.architectures import MLP
from skcvae.data import batches
from skcvae.io.checkpoint_file import CheckpointFile
from skcvae.training import net as training
from skcvae.training.callbacks import BestWeights, FiniteLoss


@pytest.fixture
def interrupt_at(monkeypatch):
    """Do what Ctrl-C does when so many batches, of any kind, have been read."""
    getitem, count = batches.Rows.__getitem__, [0]
    monkeypatch.setattr(initial_weights, "start", lambda *given: None)  # it reads rows

    def at(n_batches):
        def counted(self, rows):
            count[0] += 1
            if count[0] == n_batches:
                raise KeyboardInterrupt
            return getitem(self, rows)

        count[0] = 0
        monkeypatch.setattr(batches.Rows, "__getitem__", counted)

    return at


def ctrl_c():
    """Interrupt the main thread as a terminal does."""
    signal.raise_signal(signal.SIGINT)


def same_weights(one, other):
    pairs = zip(*(est.net_.module_.parameters() for est in (one, other)), strict=True)
    return all(torch.equal(*pair) for pair in pairs)


# Four batches of training rows each epoch, and one of validation rows where there are some.
@pytest.mark.parametrize("n_batches", [5, 7, 8, 9])
def test_what_an_interrupt_leaves_is_the_fit_of_the_epochs_that_had_ended(
    any_class, data, interrupt_at, n_batches
):
    est = any_class(max_epochs=40, early_stopping=False, random_state=0)
    interrupt_at(n_batches)
    with pytest.warns(ConvergenceWarning, match=r"after \d of 40 epochs; .* best weights so far"):
        est.fit(*data)
    n_epochs = (n_batches - 1) // 4
    shorter = clone(est).set_params(max_epochs=n_epochs).fit(*data)
    assert same_weights(est, shorter)
    assert est.history_[:, "train_loss"] == shorter.history_[:, "train_loss"]
    assert np.isfinite(est.score(*data)) and len(answer(est, data[0])) == 60


def test_the_best_epoch_that_had_ended_is_kept(data, interrupt_at):
    est = NNRegressor(max_epochs=40, lr=0.3, random_state=0, training=Training(patience=30))
    whole = clone(est).fit(*data)
    n_epochs = int(np.argmax(whole.history_[:, "valid_cll"])) + 4
    interrupt_at(n_epochs * 5 - 2)
    with pytest.warns(ConvergenceWarning, match=f"after {n_epochs - 1} of 40 epochs"):
        est.fit(*data)
    assert len(est.history_) == n_epochs - 1 and same_weights(est, whole)


@pytest.mark.parametrize("callback", [BestWeights, FiniteLoss])
def test_an_interrupt_while_an_epoch_is_noted_is_one(data, monkeypatch, callback):
    noted = callback.on_epoch_end

    def interrupted(self, net, **kwargs):
        if len(net.history) == 3:
            ctrl_c()
        noted(self, net, **kwargs)

    monkeypatch.setattr(callback, "on_epoch_end", interrupted)
    est = CVAERegressor(max_epochs=9, random_state=0)
    with pytest.warns(ConvergenceWarning, match="after 2 of 9 epochs"):
        est.fit(*data)
    assert len(est.history_) == 2


@pytest.mark.parametrize("callback", [BestWeights, FiniteLoss])
def test_an_interrupt_while_the_best_weights_are_set_waits_for_them(data, monkeypatch, callback):
    ended = callback.on_train_end

    def interrupted(self, net, **kwargs):
        ctrl_c()
        ended(self, net, **kwargs)

    training = Training(patience=30, ema_decay=0.0)
    est = NNRegressor(max_epochs=30, lr=0.1, random_state=0, training=training)
    whole = clone(est).fit(*data)
    assert np.argmax(whole.history_[:, "valid_cll"]) < 29
    monkeypatch.setattr(callback, "on_train_end", interrupted)
    with pytest.warns(ConvergenceWarning, match="after 30 of 30 epochs"):
        est.fit(*data)
    assert same_weights(est, whole)


def test_the_warning_points_to_the_call_of_fit(any_class, data, interrupt_at):
    interrupt_at(12)
    with pytest.warns(ConvergenceWarning) as caught:
        any_class(max_epochs=9, random_state=0).fit(*data)
    assert [warning.filename for warning in caught] == [__file__]


@pytest.mark.parametrize(("n_batches", "n_members"), [(12, 1), (33, 1), (54, 2), (58, 2)])
def test_an_ensemble_keeps_the_members_that_had_ended(data, interrupt_at, n_batches, n_members):
    dropout = MLP(dropout=0.1)  # for which members are fitted one after another
    training = Training(patience=9, temperature=None)  # which reads rows too
    member = GSNNRegressor(max_epochs=5, training=training, architecture=dropout)
    est = EnsembleRegressor(member, n_estimators=4, random_state=0)
    whole = clone(est).fit(*data)
    interrupt_at(n_batches)  # 26 of each member: the start is validated too
    with pytest.warns(ConvergenceWarning, match=f"keeps {n_members} of 4 members") as caught:
        est.fit(*data)
    assert len(caught) == 1 and caught[0].filename == __file__
    assert len(est.estimators_) == n_members and np.isfinite(est.score(*data))
    if n_batches > 26:
        pairs = zip(est.estimators_, whole.estimators_, strict=False)
        assert all(same_weights(*pair) for pair in pairs)


def test_an_ensemble_without_an_epoch_passes_the_interrupt_on(data, interrupt_at):
    est = EnsembleRegressor(NNRegressor(max_epochs=2), n_estimators=2, random_state=0).fit(*data)
    before = est.estimators_
    interrupt_at(2)
    with pytest.raises(KeyboardInterrupt):
        est.fit(*data)
    assert est.estimators_ is before


def test_a_likelihood_of_zero_is_no_obstacle(data, monkeypatch):
    """Neither stopping early nor its best weights need a finite CLL."""
    record = training.record

    def without(fitted, prefix, rows, totals, n_scales):
        if prefix == "valid":
            totals[2] = -np.inf
        record(fitted, prefix, rows, totals, n_scales)

    monkeypatch.setattr(training, "record", without)
    est = NNRegressor(max_epochs=9, random_state=0, training=Training(patience=3)).fit(*data)
    assert est.history_[:, "valid_cll"] == [-np.inf] * 4
    assert np.isfinite(est.score(*data))


# A callback of the user, or of skorch, may be at work when Ctrl-C comes, and may catch it.

EVENTS = (
    "on_epoch_begin", "on_batch_begin", "on_grad_computed", "on_batch_end", "on_epoch_end",
    "on_train_end",
)  # fmt: skip


class AtWork(Callback):
    """Act in an event of an epoch; callbacks of skorch ask to stop by KeyboardInterrupt."""

    def __init__(self, event, epoch, act):
        self.event, self.epoch, self.act = event, epoch, act

    def notified(self, event, net):
        if event == self.event and len(net.history) == self.epoch:
            self.epoch = None
            self.act()


def notify_of(event):
    return lambda self, net, **kwargs: self.notified(event, net)


for event in EVENTS:
    setattr(AtWork, event, notify_of(event))


def caught():
    """Get interrupted, and go on as if nothing had been."""
    try:
        ctrl_c()
    except KeyboardInterrupt:
        pass


def stop():
    raise KeyboardInterrupt


def at_work(event, epoch, act, path=None):
    training = Training(callbacks=[AtWork(event, epoch, act)], checkpoint=path)
    return CVAERegressor(max_epochs=4, early_stopping=False, random_state=0, training=training)


@pytest.mark.parametrize("act", [ctrl_c, caught])
@pytest.mark.parametrize("event", EVENTS)
def test_an_interrupt_in_a_callback_of_the_user_is_one(data, tmp_path, event, act):
    n_epochs = 4 if event == "on_train_end" else 2
    est = at_work(event, n_epochs + (event != "on_train_end"), act, tmp_path / "fit.ckpt")
    if event == "on_epoch_end":  # the epoch has ended by then
        n_epochs = 3
    with pytest.warns(ConvergenceWarning, match=f"interrupted after {n_epochs} of 4 epochs"):
        est.fit(*data)
    shorter = at_work(None, 0, None).set_params(max_epochs=n_epochs).fit(*data)
    assert same_weights(est, shorter) and (tmp_path / "fit.ckpt").exists()


@pytest.mark.parametrize("act", [ctrl_c, caught, stop])
def test_without_a_whole_epoch_nothing_counts_as_fitted(data, tmp_path, act):
    est = at_work("on_batch_end", 1, act, tmp_path / "fit.ckpt")
    with pytest.raises(KeyboardInterrupt):
        est.fit(*data)
    assert not hasattr(est, "net_") and (tmp_path / "fit.ckpt").exists()


@pytest.mark.parametrize("event", EVENTS)
def test_callbacks_may_stop_training_as_those_of_skorch_do(data, tmp_path, event):
    n_epochs = 4 if event == "on_train_end" else 2
    epoch = n_epochs + (event not in ("on_train_end", "on_epoch_end"))
    est = at_work(event, epoch, stop, tmp_path / "fit.ckpt").fit(*data)
    shorter = at_work(None, 0, None).set_params(max_epochs=n_epochs).fit(*data)
    assert same_weights(est, shorter) and not (tmp_path / "fit.ckpt").exists()


def test_an_interrupt_in_a_schedule_is_one(data, monkeypatch):
    step, count = OneCycleLR.step, [0]

    def interrupted(self, *args):
        count[0] += 1
        if count[0] == 14:
            ctrl_c()
        step(self, *args)

    monkeypatch.setattr(OneCycleLR, "step", interrupted)
    est = NNRegressor(max_epochs=9, training=Training(lr_schedule="one_cycle"))
    with pytest.warns(ConvergenceWarning, match="after 3 of 9 epochs"):
        est.fit(*data)


def test_an_interrupt_in_a_callback_ends_an_ensemble(data):
    est = EnsembleRegressor(at_work("on_batch_end", 3, ctrl_c), n_estimators=3, random_state=0)
    with pytest.warns(ConvergenceWarning, match="keeps 1 of 3 members"):
        est.fit(*data)


def test_an_interrupt_anywhere_leaves_whole_epochs_or_what_was_before(data, tmp_path):
    """At any line; with a checkpoint a second call ends as if nothing had been."""
    path = tmp_path / "fit.ckpt"
    training = Training(callbacks=[AtWork(None, 0, None)], checkpoint=path)
    est = CVAERegressor(max_epochs=3, batch_size=64, random_state=0, training=training)
    whole, lines = clone(est).fit(*data), [0, 0]

    def trace(frame, event, arg):
        if not ("/skcvae/" in frame.f_code.co_filename or "/skorch/" in frame.f_code.co_filename):
            return None
        lines[0] += event == "line"
        if lines[0] == lines[1]:
            lines[1] = -1  # once
            ctrl_c()
        return trace

    def traced(at):
        lines[:] = 0, at
        again = clone(est)
        sys.settrace(trace)
        try:
            return again.fit(*data), None
        except KeyboardInterrupt as error:
            return again, error
        finally:
            sys.settrace(None)

    handler = signal.getsignal(signal.SIGINT)
    traced(-1)
    moments = random.Random(0).sample(range(1, lines[0]), 12)
    for at in moments:
        with warnings.catch_warnings(record=True, action="always") as record:
            again, error = traced(at)
        assert hasattr(again, "net_") == (error is None), at
        assert error or path.exists() == bool(record), at
        assert signal.getsignal(signal.SIGINT) is handler
        assert same_weights(clone(est).fit(*data), whole), at


# The handler of the user stays in charge.


def test_a_handler_of_the_user_runs_and_decides(data):
    heard = []

    def handler(number, frame):
        heard.append(number)

    before = signal.signal(signal.SIGINT, handler)
    try:
        est = at_work("on_batch_end", 3, ctrl_c).fit(*data)
        assert heard == [signal.SIGINT] and len(est.history_) == 4
        assert signal.getsignal(signal.SIGINT) is handler
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        assert len(at_work("on_batch_end", 3, ctrl_c).fit(*data).history_) == 4
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_fit_in_another_thread_leaves_signals_alone(data):
    found, before = [], signal.getsignal(signal.SIGINT)

    def fit():
        est = at_work("on_batch_end", 3, stop)
        est.training.callbacks[0].act = lambda: (
            found.append(signal.getsignal(signal.SIGINT)),
            stop(),
        )
        found.append(len(est.fit(*data).history_))

    thread = threading.Thread(target=fit)
    thread.start()
    thread.join()
    assert found == [before, 2]


def test_an_interrupt_of_a_fit_within_a_fit_ends_both(data):
    inner = at_work("on_batch_end", 3, ctrl_c)
    outer = at_work("on_epoch_end", 2, lambda: inner.fit(*data))
    with pytest.warns(ConvergenceWarning) as caught:
        outer.fit(*data)
    assert len(caught) == 2 and len(inner.history_) == len(outer.history_) == 2


# Members and candidates in other processes.


class Here(Callback):
    """Note which processes train."""

    def on_epoch_end(self, net, **kwargs):
        open(f"{os.getpid()}.training", "w").close()


def is_running(process):
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def within(seconds, condition):
    """Return whether a condition comes true in so many seconds."""
    end = time.monotonic() + seconds
    while not (found := condition()) and time.monotonic() < end:
        time.sleep(0.05)
    return found


def have_checkpoints():
    states = [CheckpointFile(f"fit.ckpt.{i}").read() for i in (0, 2)]
    return all(state and state["history"] for state in states)


def in_two_processes(kind, whole_group):
    """Interrupt what trains in two processes, for a million epochs if nothing ended it."""
    os.setsid()  # a process group, as a terminal makes one for each command
    training = Training(callbacks=[Here()])
    member = NNRegressor(max_epochs=10**6, early_stopping=False, random_state=0, training=training)
    est = IN_PROCESSES[kind](member)
    signalled = []

    def interrupt():
        within(120, lambda: len(list(Path().glob("*.training"))) == 2)
        within(20, lambda: kind == "search" or have_checkpoints())
        signalled.append(time.monotonic())
        (os.killpg if whole_group else os.kill)(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    try:
        est.fit(*small_table())
    except KeyboardInterrupt:
        is_fitted = hasattr(est, "estimators_") or hasattr(est, "cv_results_")
        print(time.monotonic() - signalled[0] < 20, is_fitted)
    processes = [int(path.stem) for path in Path().glob("*.training")]
    print(len(processes), within(20, lambda: not any(map(is_running, processes))))
    print(kind == "search" or have_checkpoints())


def ensemble(member):
    """Return an ensemble of which one process trains members 0 and 1, the other member 2."""
    member.set_params(training__checkpoint="fit.ckpt")
    return EnsembleRegressor(member, n_estimators=3, n_jobs=2, random_state=0)


IN_PROCESSES = {
    "ensemble": ensemble,
    "search": lambda est: GridSearchCV(est, {"lr": [0.01, 0.02]}, cv=2, n_jobs=2),
}


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks for processes in /proc")
@pytest.mark.parametrize(("kind", "whole_group"), [("ensemble", True), ("search", False)])
def test_an_interrupt_ends_the_fits_in_other_processes_too(tmp_path, server, kind, whole_group):
    """Whether a terminal sends it to all of them, or a notebook to the parent alone.

    Members leave their checkpoints.
    """
    code, output, errors = server.run(tmp_path, in_two_processes, kind, whole_group)
    assert code == 0 and output.split() == ["True", "False", "2", "True", "True"], output + errors
