"""A file with the state of training, and the fit that it belongs to."""

import hashlib
import math
import os
import re
import time
from collections.abc import Iterable

from skorch.callbacks import Callback
from torch import Tensor

from skcvae.data.batches import Rows, StreamedRows
from skcvae.data.coding import FORWARD_ROWS, slices
from skcvae.documented import described
from skcvae.io.checkpoint_file import CheckpointFile
from skcvae.io.decoding import instance
from skcvae.io.files import LONGEST_REASON
from skcvae.training.state import checked, collected, restore
from skcvae.version import __version__

DIGESTS = ("training rows", "validation rows", "weights at the start")
MAX_WRITE_SHARE = 1 / 20  # of the time of a fit
LATER = ("process", "smaller steps", "z in use", "tighter bound")  # trainings that may follow
MOST_NAMES = 5  # of parameters that differ, in an error
# Parameters that a fit does not depend on, or that are compared by what follows from them.
NOT_COMPARED = {
    "callbacks",
    "checkpoint",
    "n_score_samples",
    "random_state",
    "training",
    "validation",
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
        self._file = CheckpointFile(self.path)
        self._due = 0.0
        _, validation = net.get_split_datasets(X)
        digests = (
            _digest_of_rows(X),
            "" if validation is None else _digest_of_rows(validation),
            _digest(net.module.state_dict().values()),
        )
        self._fit = {**self.fit, **dict(zip(DIGESTS, digests, strict=True))}
        state = self._file.read()
        if state is not None:
            with self._file.refusing():
                fit = {name: instance(str, text) for name, text in state.pop("fit").items()}
            self._check(fit)
            with self._file.refusing():
                restore(net, checked(net, state))

    def on_epoch_begin(self, net, **kwargs):
        start = time.monotonic()
        if start < self._due:
            return
        self._file.write({"fit": self._fit, **collected(net)})
        end = time.monotonic()
        self._due = end + (end - start) / MAX_WRITE_SHARE

    def _check(self, other: dict[str, str]) -> None:
        names = [k for k in {**self._fit, **other} if self._fit.get(k) != other.get(k)]
        if names:
            shown = names[:MOST_NAMES]
            most = LONGEST_REASON // len(shown)
            found = "; ".join(_difference(k, other, self._fit, most) for k in shown)
            raise ValueError(
                f"checkpoint={str(self.path)!r} is of another fit: {found}. Expected the same "
                "parameters and data: delete the file to start anew, or choose another path."
            )


def _difference(name: str, before: dict[str, str], now: dict[str, str], most: int) -> str:
    """Describe a difference; the file is quoted in so many characters at most."""
    if name in DIGESTS:
        return f"{name} differ"
    was, is_now = (fit.get(name, "not given") for fit in (before, now))
    return f"{f'{name} was {was}'[:most]}, is {is_now}"


def path_of(path: str | os.PathLike, stage: str) -> str | os.PathLike:
    """Return the path of the checkpoint of a later training, beside that of the first."""
    return f"{os.fspath(path)}.{stage.replace(' ', '_')}" if stage else path


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
    digest = hashlib.blake2b(digest_size=16)
    for tensor in tensors:
        digest.update(tensor.detach().cpu().contiguous().numpy())
    return digest.hexdigest()
