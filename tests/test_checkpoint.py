"""An interrupted fit resumes to the model of an uninterrupted one."""

import errno
import math
import os
import pickle
import random
import resource
import signal
import sys
import time

import numpy as np
import pytest
import torch
from conftest import ESTIMATORS, LATENT, UNSUPERVISED
from sklearn import set_config
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from skorch.callbacks import Callback, EarlyStopping, LRScheduler
from torch.utils.data import Dataset

from skcvae import CVAERegressor, EnsembleRegressor, NNRegressor, Training
from skcvae.architectures import MLP
from skcvae.data import batches
from skcvae.datasets import make_linear_gaussian
from skcvae.io import files
from skcvae.io.checkpoint_file import FORMAT, CheckpointFile, seed_of
from skcvae.likelihoods import Gaussian
from skcvae.random import seed_from
from skcvae.training import checkpoint
from skcvae.training.net import Net

X = np.random.default_rng(0).normal(size=(60, 4))
Y = X @ np.random.default_rng(1).normal(size=(4, 3)) + np.random.default_rng(2).normal(
    size=(60, 3)
)


@pytest.fixture(autouse=True)
def every_epoch_is_written(monkeypatch):
    monkeypatch.setattr(checkpoint, "MAX_WRITE_SHARE", math.inf)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "fit.ckpt"


class CutOffError(Exception):
    pass


class Cut(Callback):
    """Cut a fit off in an epoch; 0 does not."""

    def __init__(self, epoch=0):
        self.epoch = epoch

    def on_batch_end(self, net, training, **kwargs):
        if training and len(net.history) == self.epoch:
            raise CutOffError


def weights(est):
    return list(est.net_.module_.state_dict().values())


def same_fit(one, other):
    def rows(est):
        return [{k: v for k, v in row.items() if k != "dur"} for row in est.history_]

    pairs = zip(weights(one), weights(other), strict=True)
    return all(torch.equal(*pair) for pair in pairs) and rows(one) == rows(other)


def with_cut(est, epoch=0):
    others = est.get_params().get("training__callbacks") or []
    return clone(est).set_params(training__callbacks=[*others, Cut(epoch)])


def cut_off(est, epoch, *data, **more):
    """Fit a copy until it is interrupted."""
    est = with_cut(est, epoch)
    with pytest.raises(CutOffError):
        est.fit(*(data or (X, Y)), **more)


def resumed(est, *data, **more):
    return with_cut(est).fit(*(data or (X, Y)), **more)


SETTINGS = {
    "plain": {},
    "early stopping": {"early_stopping": True, "training__patience": 2, "lr": 0.05},
    "one cycle": {"training__lr_schedule": "one_cycle"},
    "noise": {"omission": 0.3, "architecture": MLP(dropout=0.2)},
    "no average": {
        "training__ema_decay": 0.0,
        "training__optimizer": "SGD",
        "training__optimizer_params": {"momentum": 0.9},
    },
    "bfloat16": {"training__precision": "bfloat16"},
    "scheduler of the user": {"training__callbacks": [LRScheduler("StepLR", step_size=3)]},
    "stopping of the user": {
        "architecture": MLP(shortcut=False),
        "training__callbacks": [EarlyStopping(monitor="train_loss", patience=2, threshold=0.2)],
    },
}


# Each setting with an estimator with z given X and with another one, which take turns.
CUT_OFF = [
    *(("plain", estimator) for estimator in (*ESTIMATORS, *UNSUPERVISED)),
    *(
        (setting, kinds[i % len(kinds)])
        for i, setting in enumerate(list(SETTINGS)[1:])
        for kinds in (LATENT, [NNRegressor, *UNSUPERVISED])
    ),
]


@pytest.mark.parametrize(("setting", "estimator"), CUT_OFF)
def test_a_fit_that_was_cut_off_goes_on_to_the_same_model(setting, estimator, path):
    est = estimator(max_epochs=6, early_stopping=False, random_state=0)
    params = SETTINGS[setting]
    est.set_params(**{k: v for k, v in params.items() if k.partition("__")[0] in vars(est)})
    whole = resumed(est)
    est.set_params(training__checkpoint=path)
    n_epochs = len(whole.history_)
    for epoch in sorted({1, (1 + n_epochs) // 2, n_epochs}):
        cut_off(est, epoch)
        assert path.exists()
    assert same_fit(resumed(est), whole)
    assert not path.exists()


def test_the_warmup_of_the_kl_and_weights_of_rows_go_on(path):
    est = CVAERegressor(max_epochs=8, kl_warmup=6, n_train_samples=2, random_state=0)
    validation = {"X_val": X[:9], "y_val": Y[:9]}
    whole = resumed(est, X, Y, np.arange(60.0), **validation)
    est.set_params(training__checkpoint=str(path))
    cut_off(est, 4, X, Y, np.arange(60.0), **validation)
    assert same_fit(resumed(est, X, Y, np.arange(60.0), **validation), whole)


def test_streamed_rows_go_on(path, monkeypatch):
    monkeypatch.setattr(batches, "resident_bytes", lambda device: 0)
    est = CVAERegressor(max_epochs=5, random_state=0)
    whole = resumed(est)
    est.set_params(training__checkpoint=path)
    cut_off(est, 3)
    with pytest.raises(ValueError, match="training rows differ"):
        resumed(est, X + 1e-3 * X**2, Y)
    assert same_fit(resumed(est), whole)


def test_without_a_random_state_the_seed_is_that_of_the_fit_that_was_cut_off(path):
    est = CVAERegressor(max_epochs=5, training=Training(checkpoint=path))
    cut_off(est, 3)
    seed = seed_of(path)
    again = resumed(est)
    assert again.seed_ == seed and resumed(est).seed_ != seed


def test_an_interrupt_leaves_a_model_and_a_file_to_go_on_from(path, monkeypatch):
    est = CVAERegressor(max_epochs=6, random_state=0)
    whole = clone(est).fit(X, Y)
    getitem, count = batches.Rows.__getitem__, [0]

    def interrupted(self, rows):
        count[0] += 1
        if count[0] == 17:
            raise KeyboardInterrupt
        return getitem(self, rows)

    monkeypatch.setattr(batches.Rows, "__getitem__", interrupted)
    est.set_params(training__checkpoint=path)
    with pytest.warns(ConvergenceWarning, match="interrupted"):
        est.fit(X, Y)
    assert np.isfinite(est.score(X, Y)) and path.exists()
    assert all("valid_cll_best" in row for row in est.history_) and 0 < len(est.history_) < 6
    again = pickle.loads(pickle.dumps(est))
    assert same_fit(again.fit(X, Y), whole) and not path.exists()


def test_a_fit_that_ended_leaves_nothing_and_begins_anew(path):
    est = NNRegressor(max_epochs=2, random_state=0, training=Training(checkpoint=path)).fit(X, Y)
    assert not list(path.parent.iterdir())
    assert same_fit(
        clone(est).set_params(max_epochs=3).fit(X, Y),
        NNRegressor(max_epochs=3, random_state=0).fit(X, Y),
    )


OTHERS = {
    "lr": ({"lr": 0.1}, (X, Y), "lr was 0.003, is 0.1"),
    "max_epochs": ({"max_epochs": 9}, (X, Y), "max_epochs was 5, is 9"),
    "architecture": (
        {"architecture": MLP(hidden_layer_sizes=(3,))},
        (X, Y),
        r"architecture was 'mlp', is MLP\(.*hidden_layer_sizes=\[3\].*\); weights at the start",
    ),
    "likelihood": ({"likelihood": Gaussian()}, (X, Y), "likelihood was 'auto', is Gaussian"),
    "seed": ({"random_state": 1}, (X, Y), "seed_ was .*, is "),
    "passed on": (
        {"training__optimizer_params": {"betas": (0.5, 0.6)}},
        (X, Y),
        "training__optimizer_params was None, is",
    ),
    "version": ({}, (X, Y), "skcvae was .*, is another"),
    "callbacks": (
        {"training__callbacks": [EarlyStopping()]},
        (X, Y),
        r"callbacks was \['Cut'\], is",
    ),
    "rows": ({}, (X[:50], Y[:50]), "training rows differ"),
    "content": ({}, (X, Y + X[:, :3] ** 2), "training rows differ"),
    "order": ({}, (X[::-1], Y[::-1]), "training rows differ; validation rows differ"),
    "units of y": ({}, (X, 2 * Y), "training rows differ"),
}


@pytest.mark.parametrize("case", OTHERS)
def test_another_fit_is_told_from_the_one_that_was_cut_off(path, case, monkeypatch):
    params, data, message = OTHERS[case]
    est = CVAERegressor(max_epochs=5, random_state=0, training=Training(checkpoint=path))
    cut_off(est, 3)
    before = path.read_bytes()
    if case == "version":
        monkeypatch.setattr(checkpoint, "__version__", "another")
    other = clone(est).set_params(training__callbacks=[Cut()]).set_params(**params)
    with pytest.raises(ValueError, match="checkpoint=.* is of another fit: .*" + message):
        other.fit(*data)
    assert path.read_bytes() == before and not hasattr(other, "net_")


def test_what_does_not_matter_to_a_fit_may_change(path):
    est = CVAERegressor(max_epochs=4, random_state=0)
    whole = resumed(est)
    est.set_params(training__checkpoint=path)
    cut_off(est, 3)
    moved = str(path.rename(path.with_name("moved")))
    est.set_params(
        n_score_samples=7, random_state=np.random.RandomState(0), training__checkpoint=moved
    )
    assert same_fit(resumed(est.set_params(verbose=1)), whole)


def test_a_damaged_file_is_an_error_or_the_same_file(path):
    est = NNRegressor(max_epochs=3, random_state=0)
    whole = resumed(est)
    est.set_params(training__checkpoint=path)
    cut_off(est, 3)
    content = path.read_bytes()
    rng = np.random.default_rng(0)
    damaged = [b"", content[:-1], content[: len(content) // 2], b"x,y\n1,2\n", content[1:]]
    for place in rng.integers(len(content), size=20):
        flipped = bytearray(content)
        flipped[place] ^= 1 << int(rng.integers(8))
        damaged.append(bytes(flipped))
    for some in damaged:
        path.write_bytes(some)
        with pytest.raises(ValueError, match="checkpoint=.*fit.ckpt' is damaged"):
            resumed(est)
        assert path.read_bytes() == some
    path.write_bytes(content)
    assert same_fit(resumed(est), whole)


class Malicious:
    def __reduce__(self):
        return os.mkdir, ("ran",)


def test_a_file_cannot_run_code(path, monkeypatch):
    monkeypatch.chdir(path.parent)
    torch.save({"fit": Malicious()}, path)
    with pytest.raises(ValueError, match="checkpoint=.* is damaged, or is not a checkpoint"):
        NNRegressor(max_epochs=1, training=Training(checkpoint=path)).fit(X, Y)
    assert not os.path.exists("ran")


# A file from a stranger: the state of this fit, or an error that says why not.


class Path(Callback):
    """A callback with a parameter, and with a state of its own."""

    def __init__(self, path="kept"):
        self.path = path

    def on_epoch_end(self, net, **kwargs):
        self.seen_ = {**getattr(self, "seen_", {}), len(net.history): net.history[-1, "epoch"]}


@pytest.fixture
def strange(path):
    """A fit that was cut off, and a function that edits its file."""
    training = Training(lr_schedule="one_cycle", checkpoint=path, callbacks=[Path()])
    est = CVAERegressor(max_epochs=4, random_state=0, training=training)
    cut_off(est, 3)

    def edit(change):
        file = CheckpointFile(path)
        state = file.read()
        change(state)
        file.write(state)

    return est, edit


def at(*keys):
    """Return a change that sets what lies under keys."""
    *where, last = keys[:-1]

    def change(state):
        for key in where:
            state = state[key]
        state[last] = keys[-1](state.get(last) if isinstance(state, dict) else state[last])

    return change


def becomes(value):
    return lambda old: value


STRANGE = {
    "nothing": lambda state: state.clear(),
    "no weights": lambda state: state.pop("weights"),
    "an entry more": at("more", becomes(1)),
    "no fit": lambda state: state.pop("fit"),
    "a number in the fit": at("fit", "lr", becomes(0.1)),
    "text in the history": at("history", 0, "train_loss", becomes("low")),
    "a longer history": at("history", lambda rows: [{"epoch": i} for i in range(1, 9)]),
    "a shorter row": lambda state: state["history"][0].pop("valid_loss"),
    "no row has a loss": lambda state: [row.pop("train_loss") for row in state["history"]],
    "no validation": lambda state: [row.pop("valid_loss") for row in state["history"]],
    "weights of another shape": at("weights", lambda w: {k: v[:1] for k, v in w.items()}),
    "weights of another type": at("weights", lambda w: {k: v.double() for k, v in w.items()}),
    "weights that are numbers": at("weights", lambda w: dict.fromkeys(w, 1.0)),
    "an average to broadcast": at("average", "weights", 0, lambda w: w[..., :1]),
    "fewer averages": at("average", "weights", lambda w: w[:-1]),
    "steps of the average": at("average", "n_steps", becomes("many")),
    "no optimizer": at("optimizer", becomes({})),
    "moments to broadcast": at("optimizer", "state", 0, "exp_avg", lambda w: w.flatten()[:1]),
    "moments that are not numbers": at(
        "optimizer", "state", 0, "exp_avg", lambda w: w * torch.nan
    ),
    "an average that is infinite": at("average", "weights", 0, lambda w: w + torch.inf),
    "another pace of moments": at("optimizer", "param_groups", 0, "betas", becomes((0.9, -1.0))),
    "moments without a step": lambda state: state["optimizer"]["state"][0].pop("step"),
    "no moments": lambda state: state["optimizer"]["state"].pop(0),
    "moments of no weight": at("optimizer", "state", 99, becomes({})),
    "a rate that is a text": at("optimizer", "param_groups", 0, "lr", becomes("fast")),
    "another kernel": at("optimizer", "param_groups", 0, "fused", becomes(None)),
    "no groups": at("optimizer", "param_groups", becomes([])),
    "a short generator": at("generators", 0, lambda w: w[:7]),
    "generators that are texts": at("generators", becomes(["a"])),
    "a parameter of a callback": at("callbacks", "Path", "path", becomes("/etc")),
    "all of a callback": at("callbacks", "Path", "__dict__", becomes({"path": "/etc"})),
    "another callback": at("callbacks", "Other", becomes({"seen_": 1})),
    "callbacks as a list": at("callbacks", becomes([1])),
    "a schedule that is a text": at("callbacks", "LRScheduler", becomes({"lr_scheduler_": "x"})),
    "a method of a schedule": at("callbacks", "LRScheduler", "lr_scheduler_", "step", becomes(1)),
    "no schedule": lambda state: state["callbacks"].pop("LRScheduler"),
    "best weights of another shape": at(
        "callbacks", "BestWeights", "kept_", "weights", becomes({})
    ),
    "a best epoch to come": at("callbacks", "BestWeights", "kept_", "best_epoch", becomes(9)),
}


@pytest.mark.parametrize("case", STRANGE)
def test_a_state_that_is_not_of_this_fit_is_refused(strange, path, case):
    est, edit = strange
    edit(STRANGE[case])
    before = path.read_bytes()
    with pytest.raises(ValueError, match="checkpoint=.*(is damaged|of another fit)") as raised:
        resumed(est)
    assert len(str(raised.value)) < 700 and path.read_bytes() == before


def test_the_state_of_a_callback_goes_on_and_its_parameters_stay(strange):
    est, _ = strange
    callback = dict(resumed(est).net_.callbacks_)["Path"]
    assert callback.seen_ == {1: 1, 2: 2, 3: 3, 4: 4} and callback.path == "kept"


def test_what_is_no_file_is_not_read(path):
    est = NNRegressor(max_epochs=1, random_state=0)
    os.mkfifo(path)
    for strange in (path, path.parent, "/dev/zero"):
        with pytest.raises(OSError, match="checkpoint cannot be read from"):
            clone(est).set_params(training__checkpoint=strange).fit(X, Y)


def peak_of_reading():
    """Read a file of nested lists, and print what memory it took."""

    def peak():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

    before = peak()
    for name in ("nested", "whole"):
        try:
            CheckpointFile(name).read()
        except ValueError:
            print(name, peak() - before)


def test_a_small_file_takes_little_memory(tmp_path, server):
    for name, text in {"nested": "[" + "[]," * 10**6 + "[]]", "whole": "[1,2]"}.items():
        files.write(tmp_path / name, text, {}, format=FORMAT)
    code, output, errors = server.run(tmp_path, peak_of_reading)
    (nested, _) = (line.split() for line in output.splitlines())
    assert code == 0 and float(nested[1]) < 64, output + errors


def fails_before_training(est, kind, message):
    with pytest.raises(kind, match=message) as raised:
        est.set_params(training__callbacks=[Cut(1)]).fit(X, Y)
    assert not hasattr(est, "net_")
    return raised.value


@pytest.mark.parametrize("where", ["missing/fit.ckpt", "", "file/fit.ckpt"])
def test_a_path_that_cannot_be_a_file(tmp_path, where):
    (tmp_path / "file").touch()
    est = NNRegressor(training=Training(checkpoint=tmp_path / where))
    error = fails_before_training(est, OSError, "checkpoint cannot be (read from|written to)")
    assert error.filename == str(tmp_path / where)


@pytest.mark.parametrize("code", [errno.EACCES, errno.EROFS, errno.ENOSPC, errno.EDQUOT])
def test_a_folder_that_cannot_be_written_to_or_is_full(path, monkeypatch, code):
    def refused(*args):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", refused)
    message = f"checkpoint cannot be written to .{os.strerror(code)}.*free space.*fit.ckpt"
    error = fails_before_training(
        NNRegressor(training=Training(checkpoint=path)), OSError, message
    )
    assert error.errno == code and not list(path.parent.iterdir())


def test_a_disk_that_fills_up_leaves_the_last_file(path, monkeypatch):
    est = NNRegressor(max_epochs=6, random_state=0)
    whole = resumed(est)
    fsync, count = os.fsync, [0]

    def full(handle):
        count[0] += 1
        if count[0] == 5:  # of the third file: folders are synchronised too
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fsync(handle)

    monkeypatch.setattr(os, "fsync", full)
    est.set_params(training__checkpoint=path)
    with pytest.raises(OSError, match="No space left"):
        resumed(est)
    assert list(path.parent.iterdir()) == [path]
    assert same_fit(resumed(est), whole)


def test_two_fits_at_once_do_not_mix(path):
    class Other(Callback):
        def on_epoch_end(self, net, **kwargs):
            if len(net.history) == 2:
                cut_off(
                    CVAERegressor(
                        max_epochs=3, random_state=0, training=Training(checkpoint=shared)
                    ),
                    3,
                )

    shared = path
    est = CVAERegressor(max_epochs=4, random_state=0, training=Training(callbacks=[Other()]))
    with pytest.raises(ValueError, match="is of another fit"):
        clone(est).set_params(training__checkpoint=path).fit(X, Y)
    path.unlink()

    class Late(Other):
        def on_epoch_end(self, net, **kwargs):
            path.unlink()
            super().on_epoch_end(net)

    with pytest.raises(ValueError, match="was written by another fit .* path of its own"):
        est.set_params(training__checkpoint=path, training__callbacks=[Late()]).fit(X, Y)


def state_of(number):
    return {"fit": {"seed_": str(number)}, "weights": torch.full((20_000,), float(number))}


def written_by_two_processes():
    """Write one file from two processes, and read it all along."""

    def child(number):
        process = os.fork()
        if not process:
            refused = 0
            for _ in range(60):
                try:
                    file = CheckpointFile("fit.ckpt")
                    file.read()
                    file.write(state_of(number))
                except ValueError as error:
                    assert "was written by another fit" in str(error)
                    refused += 1
                if random.random() < 0.2:
                    file.remove()
            print(f"refused {refused}", flush=True)
            os._exit(0)
        return process

    left = [child(1), child(2)]
    seen = set()
    while left:
        left = [process for process in left if os.waitpid(process, os.WNOHANG) == (0, 0)]
        state = CheckpointFile("fit.ckpt").read()
        if state is not None:
            number = int(state["fit"]["seed_"])
            assert (state["weights"] == number).all()
            seen.add(number)
    assert seen == {1, 2} and set(os.listdir()) <= {"fit.ckpt", "stdout", "stderr"}


def two_equal_fits():
    """Make one fit in two processes at once, with one path."""
    est = CVAERegressor(max_epochs=12, random_state=0)
    whole = clone(est).fit(X, Y)
    checkpoint.MAX_WRITE_SHARE = math.inf

    def child():
        process = os.fork()
        if not process:
            try:
                again = clone(est).set_params(training__checkpoint="fit.ckpt").fit(X, Y)
                print("same", same_fit(again, whole), flush=True)
            except ValueError as error:
                print("refused", "was written by another fit" in str(error), flush=True)
            os._exit(0)
        return process

    for process in [child(), child()]:
        os.waitpid(process, 0)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_what_two_processes_write_at_once_is_the_whole_file_of_one(tmp_path, server):
    code, output, errors = server.run(tmp_path, written_by_two_processes)
    assert code == 0 and output.count("refused") == 2 and not errors, output + errors


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_of_two_equal_fits_at_once_each_ends_right_or_is_refused(tmp_path, server):
    code, output, errors = server.run(tmp_path, two_equal_fits)
    lines = output.splitlines()
    assert code == 0 and len(lines) == 2 and not errors, output + errors
    assert "same True" in lines and set(lines) <= {"same True", "refused True"}


def test_candidates_of_a_search_that_was_cut_off_cannot_share_a_path(path):
    search = GridSearchCV(
        NNRegressor(max_epochs=3, random_state=0, training=Training(checkpoint=path)),
        {"lr": [0.01, 0.02]},
        cv=2,
    )
    search.fit(X, Y)
    assert not path.exists()
    cut_off(NNRegressor(max_epochs=3, random_state=0, training=Training(checkpoint=path)), 2)
    with pytest.raises(ValueError, match="is of another fit: lr was 0.003, is 0.01"):
        search.set_params(error_score="raise").fit(X, Y)


@pytest.mark.parametrize(("name", "value"), [("warm_start", True), ("accelerator", "any")])
def test_what_goes_without(path, name, value):
    if name == "accelerator":
        value = pytest.importorskip("accelerate").Accelerator(cpu=True)
    est = NNRegressor(training=Training(checkpoint=path))
    est.set_params(**{name if name == "warm_start" else f"training__{name}": value})
    with pytest.raises(ValueError, match=f"checkpoint=.* cannot be combined with {name}, got"):
        est.fit(X, Y)


class Pairs(Dataset):
    """Rows as items."""

    def __init__(self, *arrays):
        self.arrays = arrays

    def __len__(self):
        return len(self.arrays[0])

    def __getitem__(self, i):
        return tuple(array[i] for array in self.arrays)


def mapped(*arrays):
    """Return memory maps of files."""
    for i, array in enumerate(arrays):
        np.save(f"{i}.npy", array)
    return [np.load(f"{i}.npy", mmap_mode="r") for i in range(len(arrays))]


SOURCES = {
    "arrays": lambda *arrays: arrays,
    "memory maps": mapped,
    "a Dataset": lambda *arrays: [Pairs(*arrays)],
}


def killed(n_kills, seed, max_epochs, source):
    """Kill fits, and finish them: rows of memory maps and Datasets are read batch by batch."""
    data = make_linear_gaussian(n_samples=200, random_state=0)
    rows = SOURCES[source](data.X, data.y)
    set_config(working_memory=1024 if source == "arrays" else 0)
    est = CVAERegressor(
        max_epochs=max_epochs,
        omission=0.1,
        kl_warmup=5,
        architecture=MLP(dropout=0.1),
        training=Training(lr_schedule="one_cycle"),
        random_state=0,
    )

    def child(out, checkpoint=None):
        process = os.fork()
        if not process:
            est.set_params(training__checkpoint=checkpoint).fit(*rows)
            torch.save(est.net_.module_.state_dict(), out)
            os._exit(0)
        return process

    clone(est).set_params(max_epochs=1).fit(*rows)  # what the first fit loads
    start = time.monotonic()
    os.waitpid(child("whole"), 0)
    length = time.monotonic() - start
    whole = torch.load("whole")
    moments = random.Random(seed)
    n_killed = 0
    for i in range(n_kills):
        checkpoint, out = f"{i}.ckpt", f"{i}.weights"
        process = child(out, checkpoint)
        time.sleep(moments.uniform(0, length))
        os.kill(process, (signal.SIGKILL, signal.SIGTERM)[i % 2])  # a scheduler sends the second
        n_killed += os.WIFSIGNALED(os.waitpid(process, 0)[1])
        if os.path.exists(checkpoint):
            state = CheckpointFile(checkpoint).read()
            print("killed after epoch", len(state["history"]), "or later")
        os.waitpid(child(out, checkpoint), 0)
        found = torch.load(out)
        assert all(torch.equal(found[name], whole[name]) for name in whole)
        assert not os.path.exists(checkpoint)
    print("killed", n_killed)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills need fork")
@pytest.mark.parametrize("source", SOURCES)
def test_a_fit_that_was_killed_at_any_moment_goes_on_to_the_same_weights(tmp_path, server, source):
    code, output, errors = server.run(tmp_path, killed, 4, 0, 6, source)
    assert code == 0, errors
    assert int(output.split()[-1]) >= 1


def shortened():
    """Shorten a memory-mapped file in the middle of a fit; restore it, and finish the fit."""
    many = np.tile(X, (20, 1))  # several pages of memory
    (mapped_X,) = mapped(many)
    set_config(working_memory=0)
    checkpoint.MAX_WRITE_SHARE = math.inf

    class Shorten(Callback):
        def __init__(self, epoch=0):
            self.epoch = epoch

        def on_epoch_end(self, net, **kwargs):
            if len(net.history) == self.epoch:
                os.truncate("0.npy", 0)

    def fit(epoch, **params):
        training = Training(callbacks=[Shorten(epoch)], **params)
        est = NNRegressor(max_epochs=5, random_state=0, early_stopping=False, training=training)
        return est.fit(mapped_X, many[:, 0])

    whole = fit(0)
    process = os.fork()
    if not process:
        fit(2, checkpoint="fit.ckpt")
        os._exit(0)
    assert os.WTERMSIG(os.waitpid(process, 0)[1]) == signal.SIGBUS
    assert len(CheckpointFile("fit.ckpt").read()["history"]) == 2
    (mapped_X,) = mapped(many)
    assert same_fit(fit(0, checkpoint="fit.ckpt"), whole)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="SIGBUS as Linux sends it")
def test_a_memory_map_that_is_shortened_ends_the_process_and_leaves_the_checkpoint(
    tmp_path, server
):
    code, output, errors = server.run(tmp_path, shortened)
    assert code == 0, output + errors


def test_an_ensemble_goes_on_with_a_file_for_each_member(path, monkeypatch):
    est = EnsembleRegressor(NNRegressor(max_epochs=4), n_estimators=3, random_state=0)
    whole = [member.fit(X, Y) for member in est._members(seed_from(0))]
    est.set_params(estimator__training__checkpoint=path)
    epochs, limit, run = [], [7], Net.run_single_epoch

    def failing(self, *args, training, **kwargs):
        epochs.append(training)
        if sum(epochs) == limit[0]:
            raise CutOffError
        return run(self, *args, training=training, **kwargs)

    monkeypatch.setattr(Net, "run_single_epoch", failing)
    with pytest.raises(CutOffError):
        est.fit(X, Y)
    assert sorted(file.name for file in path.parent.iterdir()) == ["fit.ckpt.0", "fit.ckpt.1"]
    epochs.clear()
    limit[0] = math.inf
    est.fit(X, Y)
    assert sum(epochs) == 1 + 2 + 4  # of the first the last epoch, of the second the last two
    assert not list(path.parent.iterdir())
    for member, alone in zip(est.estimators_, whole, strict=True):
        assert same_fit(member, alone)


def test_an_ensemble_that_is_to_go_on_needs_a_seed(path):
    est = EnsembleRegressor(NNRegressor(training=Training(checkpoint=path)))
    with pytest.raises(ValueError, match="expects an int as its random_state, got .*=None"):
        est.fit(X, Y)
