"""Validation of user callbacks, before training."""

from copy import copy

from skorch import callbacks as skorch_callbacks
from skorch.callbacks import Callback, EpochScoring, LRScheduler
from torch.optim import Optimizer
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


def check_callbacks(callbacks: list, *, optimizer: Optimizer, columns: set[str]) -> None:
    """Refuse callbacks that would fail in training, or silently do nothing.

    Schedules are tried on `optimizer`, one like that of the net, which records `columns`.
    """
    known, given = set(columns), list(map(_checked, callbacks))
    are_known = all(type(each).__module__.startswith(("skorch.", "skcvae.")) for each in given)
    for callback in given:
        for kind, (reason, instead) in REFUSED.items():
            if isinstance(callback, kind):
                raise _refusal(callback, reason, instead)
        _check_scoring(callback)
        _check_batches(callback)
        _check_policy(callback, optimizer)
        _check_monitor(callback, known, are_all=are_known)
        known |= _recorded(callback)


def _checked(entry) -> Callback:
    """Return the callback of an entry, which may have a name."""
    name, callback = entry if isinstance(entry, tuple) and len(entry) == 2 else ("", entry)
    if not isinstance(name, str) or not isinstance(callback, Callback):
        raise ValueError(
            "callbacks must be skorch callbacks or pairs (name, callback), got "
            f"{entry!r}. A schedule of the learning rate goes into an LRScheduler."
        )
    return callback


def _refusal(callback: Callback, reason: str, instead: str) -> ValueError:
    return ValueError(
        f"{type(callback).__name__} cannot be used in callbacks: {reason}. Expected {instead}."
    )


def _check_scoring(callback: Callback) -> None:
    """Refuse scores of y and a prediction: the net predicts no y."""
    if not isinstance(callback, EpochScoring):
        return
    scoring = callback.scoring
    module = getattr(getattr(scoring, "func", scoring), "__module__", None) or ""
    if not callable(scoring) or module.startswith("sklearn."):
        raise _refusal(
            callback,
            f"the net has no predictions in the units of y for scoring={scoring!r}",
            "a function of (net, X, y), or a column of history_, such as valid_cll",
        )
    if callback.name is None and not hasattr(getattr(scoring, "func", scoring), "__name__"):
        raise _refusal(callback, f"scoring={scoring!r} has no __name__", "the parameter name")


def _check_batches(callback: Callback) -> None:
    if _is_on_plateau(callback) and callback.step_every == "batch":
        raise _refusal(callback, "history_ has no rows for batches", "step_every='epoch'")
    if getattr(callback, "log_on_batch_end", False):
        raise _refusal(callback, "history_ has no rows for batches", "log_on_batch_end=False")


def _is_on_plateau(callback: Callback) -> bool:
    return getattr(callback, "policy", None) in ("ReduceLROnPlateau", ReduceLROnPlateau)


def _check_policy(callback: Callback, optimizer: Optimizer) -> None:
    """Refuse a schedule that cannot be made, or would take no steps."""
    if not isinstance(callback, LRScheduler):
        return
    if callback.step_every not in ("epoch", "batch"):
        raise _refusal(callback, f"step_every={callback.step_every!r}", "'epoch' or 'batch'")
    try:
        copy(callback).initialize().policy_(optimizer, **callback.kwargs)
    except Exception as error:
        raise _refusal(
            callback,
            f"policy={callback.policy!r} cannot be made with {callback.kwargs} ({error})",
            "a schedule of torch.optim.lr_scheduler that skorch knows by name, or its class, "
            "with its parameters",
        ) from error


def _check_monitor(callback: Callback, known: set[str], *, are_all: bool) -> None:
    """Refuse columns that the history will not have; the user's classes may record others."""
    monitor = getattr(callback, "monitor", None)
    if isinstance(callback, LRScheduler) and not _is_on_plateau(callback):
        return
    if getattr(callback, "save_model", None) is True:  # of WandbLogger
        monitor = "valid_loss_best"
    if not isinstance(monitor, str) or monitor in known:
        return
    is_unwatched = monitor.startswith("valid_") and "valid_loss" not in known
    if is_unwatched or (monitor == "valid_cll_best" and "valid_cll" in known):
        raise _refusal(
            callback,
            f"history_ has no column {monitor!r} in a fit without early stopping",
            "early_stopping=True, or a monitor such as 'train_loss' or 'train_loss_best'",
        )
    if are_all:
        raise _refusal(
            callback,
            f"history_ has no column monitor={monitor!r} where it is called",
            f"one of {sorted(known)}",
        )


def _recorded(callback: Callback) -> set[str]:
    """Return the columns that a callback of skorch's records in an epoch."""
    if isinstance(callback, EpochScoring):
        name = copy(callback).initialize().name_
        return {name} if callback.lower_is_better is None else {name, f"{name}_best"}
    return {event for event in [getattr(callback, "event_name", None)] if event}
