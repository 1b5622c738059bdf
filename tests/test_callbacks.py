"""Callbacks of skorch's work, or are refused before training with what to use instead."""

import json
import os
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.metrics import make_scorer, r2_score
from skorch import callbacks as skorch_callbacks
from skorch.callbacks import (
    Callback,
    Checkpoint,
    EarlyStopping,
    EpochScoring,
    Freezer,
    GradientNormClipping,
    Initializer,
    LRScheduler,
    ParamMapper,
    PrintLog,
    TrainEndCheckpoint,
    Unfreezer,
    WandbLogger,
)

from skcvae import (
    VAE,
    Autoencoder,
    CVAERegressor,
    GSNNRegressor,
    HybridStructuredPredictor,
    NNRegressor,
    Training,
)
from skcvae.architectures import MLP, Conv
from skcvae.data import batches
from skcvae.training.history import columns


class Writer:
    """Stands for the clients of logging services, which hold what cannot be copied."""

    def __init__(self, folder):
        self.numbers, self.files, self.dir = {}, [], str(folder)
        self.info = SimpleNamespace(run_id=0)

    def __deepcopy__(self, memo):
        raise TypeError("cannot be copied")

    def add_scalar(self, tag, scalar_value, global_step):
        self.numbers[tag.rpartition("/")[2], global_step] = scalar_value

    def log_scalar(self, name, value, step):
        self.numbers[name, step] = value

    def log_metric(self, run_id, name, value, step):
        self.numbers[name, step] = value

    def log(self, values):
        self.numbers.update({(name, len(self.numbers)): value for name, value in values.items()})

    def log_artifact(self, run_id, path):
        self.files.append(path.name)

    def close(self, *args):
        pass

    watch = set_terminated = close


class Scorer:
    """A function without a name."""

    def __call__(self, net, X, y):
        return 0.0


def kl_of_epoch(net, X, y):
    return net.history[-1, "valid_kl"]


def halved(parameter):
    parameter.data.mul_(0.5)


WORK = {
    "Callback": lambda _: Callback(),
    "Checkpoint": lambda folder: Checkpoint(dirname=folder),
    "EarlyStopping": lambda _: EarlyStopping(),
    "EpochScoring": lambda _: EpochScoring(kl_of_epoch),
    "EpochTimer": lambda _: skorch_callbacks.EpochTimer(),
    "Freezer": lambda _: Freezer("model.prior.*"),
    "GradientNormClipping": lambda _: GradientNormClipping(0.1),
    "Initializer": lambda _: Initializer("*bias", fn=torch.nn.init.zeros_),
    "LRScheduler": lambda _: LRScheduler(),
    "MlflowLogger": lambda folder: skorch_callbacks.MlflowLogger(Writer(folder), Writer(folder)),
    "ParamMapper": lambda _: ParamMapper("*bias", fn=halved, at=2),
    "PrintLog": lambda _: PrintLog(sink=[].append),
    "SacredLogger": lambda folder: skorch_callbacks.SacredLogger(Writer(folder)),
    "TensorBoard": lambda folder: skorch_callbacks.TensorBoard(Writer(folder)),
    "TrainEndCheckpoint": lambda folder: TrainEndCheckpoint(dirname=folder),
    "Unfreezer": lambda _: Unfreezer("*"),
    "WandbLogger": lambda folder: WandbLogger(Writer(folder)),
}
REFUSED = {
    "BatchScoring": (lambda: skorch_callbacks.BatchScoring(kl_of_epoch), "EpochScoring"),
    "InputShapeSetter": (skorch_callbacks.InputShapeSetter, "follow from the data"),
    "LoadInitState": (lambda: skorch_callbacks.LoadInitState(Checkpoint()), "checkpoint=path"),
    "PassthroughScoring": (lambda: skorch_callbacks.PassthroughScoring("x"), "EpochScoring"),
    "ProgressBar": (skorch_callbacks.ProgressBar, "verbose=1"),
    "WarmRestartLR": (lambda: skorch_callbacks.WarmRestartLR, "LRScheduler"),
}
NEEDS_ITS_SERVICE = {"NeptuneLogger"}


def fitted(callback, **params):
    plain = MLP(shortcut=False)  # which does not start at least squares, hard to improve on
    est = CVAERegressor(**{"architecture": plain, "max_epochs": 3, "random_state": 0, **params})
    est.set_params(training__callbacks=[callback])
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 4))
    return est.fit(X, X[:, :3] + rng.normal(size=(60, 1)))


@pytest.mark.parametrize("name", skorch_callbacks.__all__)
def test_every_callback_of_skorch_works_or_is_refused(name, tmp_path):
    if name in WORK:
        est = fitted(WORK[name](tmp_path))
        assert len(est.history_) == 3
        assert isinstance(est.net_.callbacks_[-1][1], getattr(skorch_callbacks, name))
    elif name in REFUSED:
        make, instead = REFUSED[name]
        with pytest.raises(ValueError, match=f"(?s)(?=.*{name}).*callbacks.*{instead}"):
            fitted(make())
    else:
        assert name in NEEDS_ITS_SERVICE


@pytest.mark.parametrize(
    ("callback", "message"),
    [
        (EpochScoring(None), "function of .net, X, y.*column of history_"),
        (EpochScoring("r2"), "scoring='r2'.*column of history_"),
        (EpochScoring(r2_score), "scoring=.*column of history_"),
        (EpochScoring(make_scorer(r2_score)), "scoring=.*column of history_"),
        (LRScheduler("ReduceLROnPlateau", step_every="batch"), "step_every='epoch'"),
        (skorch_callbacks.SacredLogger(None, log_on_batch_end=True), "log_on_batch_end=False"),
        (("named", skorch_callbacks.ProgressBar()), "verbose=1"),
        (Checkpoint, "skorch callbacks or pairs"),
        (print, "skorch callbacks or pairs"),
        ((1, EarlyStopping()), "pairs .name, callback., got .1, "),
        ((EarlyStopping(),), "pairs .name, callback., got "),
        (("a", EarlyStopping(), 1), "pairs .name, callback., got "),
        (EarlyStopping(monitor="foo"), "no column monitor='foo' .*'valid_loss'"),
        (Checkpoint(monitor="foo"), "no column monitor='foo' .*'valid_loss'"),
        (Checkpoint(monitor="valid_penalty"), "no column monitor='valid_penalty'"),
        (LRScheduler("ReduceLROnPlateau", monitor="foo"), "no column monitor='foo'"),
        (LRScheduler("Foo"), "policy='Foo' cannot be made"),
        (LRScheduler("StepLR"), "policy='StepLR' .*step_size"),
        (LRScheduler("StepLR", step_size=1, foo=2), "policy='StepLR' .*foo"),
        (LRScheduler(3), "policy=3 cannot be made"),
        (LRScheduler("StepLR", step_size=1, step_every="foo"), "step_every='foo'.*'epoch'"),
        (EpochScoring(Scorer()), "scoring=.*has no __name__.*parameter name"),
    ],
)
def test_what_a_callback_cannot_be_asked_for(no_training, callback, message):
    with pytest.raises(ValueError, match=message):
        fitted(callback)


def test_a_column_may_be_that_of_a_callback_before():
    scoring = EpochScoring(kl_of_epoch, name="score")
    watching = EarlyStopping(monitor="score", patience=1, threshold_mode="abs")
    params = {"lr": 0.1, "random_state": 0, "max_epochs": 3}
    X = np.random.default_rng(0).normal(size=(60, 3))
    est = CVAERegressor(**params, training=Training(callbacks=[scoring, watching]))
    assert "score_best" in est.fit(X, X).history_[-1]
    est.set_params(training__callbacks=[watching, scoring])
    with pytest.raises(ValueError, match="no column monitor='score' where it is called"):
        est.fit(X, X)


def test_a_column_may_be_that_of_the_users_callback():
    class Recording(Callback):
        def on_epoch_begin(self, net, **kwargs):
            net.history.record("mine", len(net.history))

    X = np.random.default_rng(0).normal(size=(60, 3))
    est = CVAERegressor(max_epochs=3, random_state=0)
    est.set_params(training__callbacks=[EarlyStopping(monitor="mine", patience=1), Recording()])
    assert len(est.fit(X, X).history_) == 2


@pytest.mark.filterwarnings("ignore::UserWarning")  # of short training
@pytest.mark.parametrize("early_stopping", [True, False])
@pytest.mark.parametrize(
    "make",
    [
        CVAERegressor,
        GSNNRegressor,
        NNRegressor,
        partial(CVAERegressor, prior="mixture"),
        partial(CVAERegressor, prior="gaussian_process"),
        partial(HybridStructuredPredictor, alpha=0.0),
        partial(CVAERegressor, architecture=Conv((4, 4, 4), n_latent_scales=2)),
        partial(NNRegressor, architecture=Conv((4, 4, 4)), n_scales=2),
        VAE,
        Autoencoder,
    ],
)
def test_columns_are_known_before_training(make, early_stopping):
    est = make(max_epochs=2, random_state=0, early_stopping=early_stopping)
    X = np.random.default_rng(0).normal(size=(30, 8, 8))
    X = X if isinstance(getattr(est, "architecture", None), Conv) else X[:, 0]
    est.fit(X) if isinstance(est, VAE | Autoencoder) else est.fit(X, X)
    found = set(est.history_[-1]) - {"batches", "start_cll", "temperature_cll"}
    known = columns(est.net_.module, validated=early_stopping, judged=early_stopping)
    assert found <= known <= found | {"valid_active_units"}


@pytest.mark.parametrize(
    "callback",
    [
        Checkpoint(),
        Checkpoint(monitor="valid_cll_best"),
        EarlyStopping(),
        LRScheduler("ReduceLROnPlateau", monitor="valid_loss"),
        WandbLogger(None),
    ],
)
def test_without_validation_rows_nothing_can_watch_them(callback):
    with pytest.raises(ValueError, match="no column 'valid_.*early_stopping=True"):
        fitted(callback, early_stopping=False)


@pytest.mark.parametrize(
    ("monitor", "column"),
    [("valid_loss_best",) * 2, ("valid_cll_best",) * 2, ("train_loss_best",) * 2, (None, None)],
)
def test_a_checkpoint_of_skorch_has_the_epochs_asked_for(tmp_path, monitor, column):
    files = {"f_params": "{last_epoch[epoch]}.pt", "dirname": tmp_path, "f_pickle": "net.pkl"}
    est = fitted(Checkpoint(monitor, **files), lr=0.3, max_epochs=9)
    rows = [row for row in est.history_ if column is None or row[column]]
    assert 0 < len(rows) and (column is None) == (len(rows) == len(est.history_))
    weights = {f"{row['epoch']}.pt" for row in rows}
    others = {"optimizer.pt", "criterion.pt", "history.json", "net.pkl"}
    assert set(os.listdir(tmp_path)) == weights | others
    with open(tmp_path / "history.json") as file:
        assert json.load(file)[-1]["valid_loss"] == rows[-1]["valid_loss"]


def test_the_best_checkpoint_of_skorch_is_that_of_early_stopping(tmp_path):
    checkpoint = Checkpoint("valid_cll_best", dirname=tmp_path, load_best=True)
    est = fitted(checkpoint, lr=0.1, max_epochs=9)
    own = fitted(Callback(), lr=0.1, max_epochs=9)
    saved = torch.load(tmp_path / "params.pt", weights_only=True)
    for found in (est, own):
        for name, value in found.net_.module_.named_parameters():
            assert torch.equal(value, saved[name])


def test_the_checkpoint_of_the_end_has_the_weights_of_the_estimator(tmp_path):
    est = fitted(TrainEndCheckpoint(dirname=tmp_path), lr=0.1, max_epochs=9)
    saved = torch.load(tmp_path / "train_end_params.pt", weights_only=True)
    for name, value in est.net_.module_.named_parameters():
        assert torch.equal(value, saved[name])


@pytest.mark.parametrize("prefix", ["train", "valid"])
def test_the_best_loss_is_marked_as_skorch_marks_it(prefix):
    history = fitted(Callback(), lr=0.3, max_epochs=9).history_
    losses = history[:, f"{prefix}_loss"]
    expected = [loss < min(losses[:i], default=np.inf) for i, loss in enumerate(losses)]
    assert history[:, f"{prefix}_loss_best"] == expected


def test_scores_of_a_function_stand_in_the_history():
    history = fitted(EpochScoring(kl_of_epoch, name="score")).history_
    assert history[:, "score"] == history[:, "valid_kl"]


@pytest.mark.parametrize("ema_decay", [0.995, 0.0])
def test_callbacks_may_set_weights_before_an_epoch(ema_decay):
    """A rate of zero keeps what was set; the average forgets what was there before."""
    est = NNRegressor(max_epochs=30, lr=1e-12, early_stopping=False, batch_size=16)
    zeros = Initializer("*", fn=torch.nn.init.zeros_)
    est.set_params(training=Training(callbacks=[zeros], ema_decay=ema_decay))
    rng = np.random.default_rng(0)
    est.fit(rng.normal(size=(60, 4)), rng.normal(size=(60, 2)))
    for value in est.net_.module_.parameters():
        assert value.abs().max() < 1e-4


def test_frozen_weights_stay():
    class First(Callback):
        def on_epoch_begin(self, net, **kwargs):
            if len(net.history) == 1:
                self.weights_ = [w.detach().clone() for w in net.module.parameters()]

    est = NNRegressor(max_epochs=3, lr=0.1, early_stopping=False, random_state=0)
    est.set_params(training__callbacks=[First(), Freezer("*.weight")])
    rng = np.random.default_rng(0)
    est.fit(rng.normal(size=(60, 4)), rng.normal(size=(60, 2)))
    first = dict(est.net_.callbacks_)["First"].weights_
    for (name, now), before in zip(est.net_.module.named_parameters(), first, strict=True):
        assert torch.equal(now, before) == name.endswith(".weight"), name


def test_a_writer_is_shared_and_gets_every_epoch(tmp_path):
    writer = Writer(tmp_path)
    est = fitted(skorch_callbacks.TensorBoard(writer))
    for row in est.history_:
        assert writer.numbers["valid_cll", row["epoch"]] == row["valid_cll"]


def test_messages_of_callbacks_are_printed_where_the_fit_is_verbose(capsys):
    for verbose in (0, 1):
        fitted(PrintLog(), verbose=verbose)
        assert ("valid_cll" in capsys.readouterr().out) == bool(verbose)


@pytest.mark.parametrize("name", ["TrainEndCheckpoint", "EarlyStopping"])
def test_an_interrupt_in_the_first_epoch_is_passed_on(monkeypatch, tmp_path, name):
    def interrupted(self, rows):
        raise KeyboardInterrupt

    callback = WORK[name](tmp_path)
    callback.load_best = True
    monkeypatch.setattr(batches.Rows, "__getitem__", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fitted(callback)
    assert not os.listdir(tmp_path)
