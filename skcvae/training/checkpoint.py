"""The state of training in a file, from which an interrupted fit resumes.

Between two epochs the state is: weights and their average, optimizer, generators,
history, and what callbacks hold, the learning rate's schedule and the best weights
among them. Everything else, scaling and sizes too, follows from the data and the
parameters. The file is a digest and what torch saves, read without running code.
"""

import math
import os
import re
import time
from collections.abc import Iterable

import numpy as np
from skorch.callbacks import Callback
from skorch.history import History
from torch import Generator, Tensor

from skcvae.data.batches import Rows, StreamedRows
from skcvae.data.coding import FORWARD_ROWS, slices
from skcvae.documented import described
from skcvae.io.checkpoint_file import CheckpointFile, digest_of
from skcvae.training.callbacks import ProgressLine
from skcvae.version import __version__

DIGESTS = ("training rows", "validation rows", "weights at the start")
MAX_WRITE_SHARE = 1 / 20  # of the time of a fit
# Parameters that a fit does not depend on, or that are compared by what follows from them.
NOT_COMPARED = {
    "callbacks",
    "checkpoint",
    "n_score_samples",
    "random_state",
    "training",
    "verbose",
}


class Checkpoint(Callback):
    """Write the state of training before epochs; resume from an existing one.

    It is written before the first epoch too, so that a folder that cannot be written to
    is an error before training starts.
    """

    def __init__(self, path: str | os.PathLike, fit: dict[str, str]):
        self.path = path
        self.fit = fit

    def on_train_begin(self, net, X, **kwargs):
        self.file_ = CheckpointFile(self.path)
        self.due_ = 0.0
        _, validation = net.get_split_datasets(X)
        digests = (
            _digest_of_rows(X),
            "" if validation is None else _digest_of_rows(validation),
            _digest(net.module.state_dict().values()),
        )
        self.fit_ = {**self.fit, **dict(zip(DIGESTS, digests, strict=True))}
        state = self.file_.read()
        if state is not None:
            self._check(state["fit"])
            _restore(net, state)

    def on_epoch_begin(self, net, **kwargs):
        start = time.monotonic()
        if start < self.due_:
            return
        self.file_.write({"fit": self.fit_, **_state(net)})
        end = time.monotonic()
        self.due_ = end + (end - start) / MAX_WRITE_SHARE

    def _check(self, other: dict[str, str]) -> None:
        names = [k for k in {**self.fit_, **other} if self.fit_.get(k) != other.get(k)]
        if names:
            found = "; ".join(_difference(k, other, self.fit_) for k in names)
            raise ValueError(
                f"checkpoint={str(self.path)!r} is of another fit: {found}. Expected the same "
                "parameters and data: delete the file to start anew, or choose another path."
            )


def _difference(name: str, before: dict[str, str], now: dict[str, str]) -> str:
    if name in DIGESTS:
        return f"{name} differ"
    was, is_now = (fit.get(name, "not given") for fit in (before, now))
    return f"{name} was {was}, is {is_now}"


def identity(estimator, training) -> dict[str, str]:
    """Return the parameters that a fit depends on, data aside."""
    options = training.get_params(deep=False)
    callbacks = [c[1] if isinstance(c, tuple) else c for c in training.callbacks or []]
    return {
        "skcvae": __version__,
        "estimator": type(estimator).__name__,
        **_compared(estimator.get_params(deep=False)),
        **{f"training__{name}": text for name, text in _compared(options).items()},
        "callbacks": _text([type(callback).__name__ for callback in callbacks]),
        "seed_": str(estimator.seed_),
    }


def _compared(params: dict) -> dict[str, str]:
    return {name: _text(value) for name, value in params.items() if name not in NOT_COMPARED}


def _text(value) -> str:
    return re.sub(r" at 0x[0-9a-fA-F]+", "", described(value))


def _digest_of_rows(rows: Rows | StreamedRows) -> str:
    """Return a digest of all rows, or of some where all would have to be read for it."""
    n = len(rows)
    step = 1 if isinstance(rows, Rows) else math.ceil(n / FORWARD_ROWS)
    blocks = (rows[block.start : block.stop : step] for block in slices(n, FORWARD_ROWS * step))
    parts = (part for arrays, weight in blocks for part in (*arrays, weight) if part is not None)
    return f"{n} {rows.log_jacobian} {_digest(parts)}"


def _digest(tensors: Iterable[Tensor]) -> str:
    return digest_of(t.detach().cpu().contiguous().numpy() for t in tensors).hexdigest()


def _generators(net) -> list[Generator]:
    layers = [layer for layer in net.module.modules() if hasattr(layer, "generator")]
    return [net.iterator_train__source, *(layer.generator for layer in layers)]


def _state(net) -> dict:
    """Return the state of training before an epoch, whose row the history has already."""
    return {
        "history": _plain(net.history[:-1]),
        "weights": _plain(net.module.state_dict()),
        "average": {"n_steps": net.average.n_steps, "weights": net.average.average},
        "optimizer": _plain(net.optimizer_.state_dict()),
        "generators": [source.get_state() for source in _generators(net)],
        "callbacks": {name: _fitted(callback) for name, callback in net.callbacks_},
    }


def _restore(net, state: dict) -> None:
    net.history_ = History(state["history"])
    net.module.load_state_dict(state["weights"])
    net.average.n_steps = state["average"]["n_steps"]
    for average, saved in zip(net.average.average, state["average"]["weights"], strict=True):
        average.copy_(saved)
    net.optimizer_.load_state_dict(state["optimizer"])
    for source, saved in zip(_generators(net), state["generators"], strict=True):
        source.set_state(saved)
    for name, callback in net.callbacks_:
        for attribute, saved in state["callbacks"].get(name, {}).items():
            value = getattr(callback, attribute, None)
            if _has_state(value):
                value.load_state_dict(saved)
            else:
                setattr(callback, attribute, saved)
    net.average.swap()  # the state is of an epoch that has begun


def _fitted(callback: Callback) -> dict:
    """Return the serialisable state of a callback."""
    if isinstance(callback, Checkpoint | ProgressLine):
        return {}
    return _plain({k: v for k, v in vars(callback).items() if k.endswith("_")})


def _plain(value):
    """Convert to plain types, dropping others."""
    if _has_state(value):
        value = value.state_dict()
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items() if _can_be_plain(v)}
    if isinstance(value, list | tuple):
        kind = tuple if isinstance(value, tuple) else list
        return kind(_plain(v) for v in value if _can_be_plain(v))
    return value.item() if isinstance(value, np.generic) else value


def _can_be_plain(value) -> bool:
    kinds = str | int | float | None | Tensor | np.generic | dict | list | tuple
    return isinstance(value, kinds) or _has_state(value)


def _has_state(value) -> bool:
    return hasattr(value, "state_dict") and not isinstance(value, type)
