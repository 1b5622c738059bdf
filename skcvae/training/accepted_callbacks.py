"""Validation of user callbacks, before training."""

from skorch import callbacks as skorch_callbacks
from skorch.callbacks import Callback
from torch.optim.lr_scheduler import ReduceLROnPlateau

REFUSED = {
    skorch_callbacks.BatchScoring: (
        "history_ has no rows for batches",
        "EpochScoring with a function of (net, X, y)",
    ),
    skorch_callbacks.InputShapeSetter: (
        "the sizes of the networks follow from the data",
        "no callback",
    ),
    skorch_callbacks.LoadInitState: (
        "it does not restore the average of the weights",
        "checkpoint=path to resume a fit, or warm_start=True to continue one",
    ),
    skorch_callbacks.PassthroughScoring: (
        "history_ has no rows for batches",
        "EpochScoring with a function of (net, X, y)",
    ),
    skorch_callbacks.ProgressBar: (
        "history_ has no rows for batches",
        "verbose=1, which shows a progress line",
    ),
}


def check_callbacks(callbacks: list, *, validated: bool, early_stopping: bool) -> None:
    """Refuse callbacks that would fail in training, or silently do nothing."""
    for entry in callbacks:
        callback = entry[-1] if isinstance(entry, tuple) else entry
        if not isinstance(callback, Callback):
            raise ValueError(
                "callbacks must be skorch callbacks or pairs (name, callback), got "
                f"{entry!r}. A schedule of the learning rate goes into an LRScheduler."
            )
        for kind, (reason, instead) in REFUSED.items():
            if isinstance(callback, kind):
                raise _refusal(callback, reason, instead)
        _check_scoring(callback)
        _check_batches(callback)
        _check_monitor(callback, validated=validated, early_stopping=early_stopping)


def _refusal(callback: Callback, reason: str, instead: str) -> ValueError:
    return ValueError(
        f"{type(callback).__name__} cannot be used in callbacks: {reason}. Expected {instead}."
    )


def _check_scoring(callback: Callback) -> None:
    """Refuse scores of y and a prediction: the net predicts no y."""
    if not isinstance(callback, skorch_callbacks.EpochScoring):
        return
    scoring = callback.scoring
    module = getattr(getattr(scoring, "func", scoring), "__module__", None) or ""
    if not callable(scoring) or module.startswith("sklearn."):
        raise _refusal(
            callback,
            f"the net has no predictions in the units of y for scoring={scoring!r}",
            "a function of (net, X, y), or a column of history_, such as valid_cll",
        )


def _check_batches(callback: Callback) -> None:
    on_plateau = getattr(callback, "policy", None) in ("ReduceLROnPlateau", ReduceLROnPlateau)
    if on_plateau and callback.step_every == "batch":
        raise _refusal(callback, "history_ has no rows for batches", "step_every='epoch'")
    if getattr(callback, "log_on_batch_end", False):
        raise _refusal(callback, "history_ has no rows for batches", "log_on_batch_end=False")


def _check_monitor(callback: Callback, *, validated: bool, early_stopping: bool) -> None:
    """Refuse columns of the validation in a fit without it."""
    monitor = getattr(callback, "monitor", None)
    if getattr(callback, "save_model", None) is True:  # of WandbLogger
        monitor = "valid_loss_best"
    if not isinstance(monitor, str) or not monitor.startswith("valid_"):
        return
    if not validated or (monitor == "valid_cll_best" and not early_stopping):
        raise _refusal(
            callback,
            f"history_ has no column {monitor!r} in a fit without early stopping",
            "early_stopping=True, or a monitor such as 'train_loss' or 'train_loss_best'",
        )
