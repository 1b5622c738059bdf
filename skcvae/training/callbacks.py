"""The package's skorch callbacks and their order, and interrupts."""

import math
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy, deepcopy
from dataclasses import dataclass, field
from functools import partial
from operator import itemgetter

import torch
from skorch.callbacks import Callback, EpochTimer, LRScheduler
from torch.optim.lr_scheduler import OneCycleLR
from tqdm import tqdm

from skcvae.training.gain import by_group, exceeds_its_error
from skcvae.training.progress import is_live, line

LARGEST_LOSS = 1e9  # nats per row; that of a million pixels is a hundredth
NOTHING_KEPT = {"n_epochs": 0, "best_epoch": 0, "best": math.nan, "weights": {}}


class StopTraining(KeyboardInterrupt):
    """Raised by a callback to end training as planned: skorch stops on KeyboardInterrupt."""


@dataclass
class Interrupts:
    """Whether SIGINT raised KeyboardInterrupt: callbacks of skorch raise it to stop training.

    While they are held, interrupts are noted and not raised.
    """

    received: bool = False
    held: bool = False

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Note interrupts; Python raises them in the main thread only."""
        is_main = threading.current_thread() is threading.main_thread()
        before = signal.getsignal(signal.SIGINT) if is_main else None

        def note(number, frame):
            try:
                before(number, frame)
            except KeyboardInterrupt:
                self.received = True
                if not self.held:
                    raise

        try:
            if callable(before):  # neither ignored nor handled outside Python
                signal.signal(signal.SIGINT, note)
            yield
        finally:
            if is_main and signal.getsignal(signal.SIGINT) is note:
                signal.signal(signal.SIGINT, before)


class Warmup(Callback):
    """Let the weight of the KL term grow over the first epochs."""

    def on_epoch_begin(self, net, **kwargs):
        loss = net.criterion_
        progress = min(len(net.history) / (loss.warmup + 1), 1.0)
        loss.kl_weight = (1 + loss.beta) * progress


@dataclass(eq=False)
class ClipGradients(Callback):
    """Scale the gradients of a step down to a largest norm.

    skorch's GradientNormClipping walks through all modules at each step to find them, and torch's
    function sorts them by kind.
    """

    max_norm: float

    def on_grad_computed(self, net, **kwargs):
        gradients = [weight.grad for weight in net.weights if weight.grad is not None]
        norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))
        torch._foreach_mul_(gradients, (self.max_norm / (norm + 1e-6)).clamp_max(1.0))


class FiniteLoss(Callback):
    """Stop with an error at the first epoch whose loss is not finite, or at the end if huge."""

    def on_epoch_end(self, net, **kwargs):
        row = net.history[-1]
        for name in ("train_loss", "valid_loss"):
            if not math.isfinite(row.get(name, 0.0)):
                self._raise(f"in epoch {row['epoch']}: {name} is {row[name]}")

    def on_train_end(self, net, **kwargs):
        rows = (row for row in net.history if "train_loss" in row)  # one may be interrupted
        lowest = min(map(itemgetter("train_loss"), rows), default=0.0)
        if lowest > LARGEST_LOSS:
            self._raise(f"from the first epoch on: the lowest train_loss is {lowest:.3g}")

    def _raise(self, what):
        raise ValueError(
            f"Training diverged {what}, expected a finite number below {LARGEST_LOSS:g}. Try a "
            "smaller lr or max_grad_norm, look for outliers in X and y, and keep normalize_X and "
            "normalize_y on."
        )


@dataclass(eq=False)
class BestWeights(Callback):
    """Keep the weights of the best validation score; stop `patience` epochs after.

    The score is the CLL, or the negative loss of a model without a density. Without
    patience the last epoch is the best. A fitted model at the start is kept, unless the best
    epoch is better by more than the standard error of the difference. An epoch that was
    interrupted is dropped, its weights as well as its row of the history.
    """

    patience: int | None
    kept_: dict = field(default_factory=partial(dict, **NOTHING_KEPT), init=False, repr=False)

    def on_train_begin(self, net, X=None, **kwargs):
        self.start = None
        if self.patience is not None and net.module.starts_fitted:
            self.rows, self.start = X, deepcopy(net.module.state_dict())

    def on_epoch_end(self, net, **kwargs):
        n_epochs = len(net.history)
        kept = {**self.kept_, "n_epochs": n_epochs}
        if self.patience is None or self._is_better(net.history):
            best = _validation_score(net.history[-1])
            weights = {name: part.clone() for name, part in net.module.state_dict().items()}
            kept.update(best_epoch=n_epochs, best=best, weights=weights)
        self.kept_ = kept  # one assignment: an interrupt cannot come in between
        if self.patience is not None and n_epochs - kept["best_epoch"] >= self.patience:
            raise StopTraining

    def _is_better(self, history):
        before = self.kept_["best"]
        better = math.isnan(before) or _validation_score(history[-1]) > before
        if "valid_cll" in history[-1]:
            history.record("valid_cll_best", better)
        return better

    def on_train_end(self, net, **kwargs):
        n_epochs = self.kept_["n_epochs"]
        del net.history[n_epochs:]
        if n_epochs:
            net.module.load_state_dict(self.kept_["weights"])
            if self.start is not None:
                self._compete_with_the_start(net)
        self.kept_ = self.rows = self.start = None
        net.interrupts.held = False

    def _compete_with_the_start(self, net):
        """Keep the best epoch, which is loaded, if the rows held out show it, else the start."""
        _, held_out = net.get_split_datasets(self.rows)
        score, weight = net.row_scores(held_out)
        net.module.load_state_dict(self.start)
        before, _ = net.row_scores(held_out)
        if exceeds_its_error(*by_group(held_out, score - before, weight)):
            net.module.load_state_dict(self.kept_["weights"])
            return
        start_cll = float(weight @ before / weight.sum()) + held_out.log_jacobian[0]
        for row in net.history:
            row.update(valid_cll_best=False, start_cll=start_cll)


def _validation_score(row: dict) -> float:
    return row.get("valid_cll", -row.get("valid_loss", math.nan))


class ProgressLine(Callback):
    """One live line for a fit: epochs, losses, time left; in a log, one line at its end."""

    def __init__(self, title: str):
        self.title = title

    def on_train_begin(self, net, **kwargs):
        self.line_, self.losses_, self.start_ = None, "", time.monotonic()

    def on_epoch_begin(self, net, **kwargs):
        if self.line_ is None:
            done = len(net.history) - 1
            self.line_ = line(self.title, net.max_epochs, "epoch", done=done)

    def on_epoch_end(self, net, **kwargs):
        row = net.history[-1]
        measure = "valid_cll" if "valid_cll" in row else "valid_loss"
        shown = ("train_loss", "train_kl", "train_penalty", measure)
        self.losses_ = ", ".join(f"{name}={row[name]:.3f}" for name in shown if name in row)
        self.line_.set_postfix_str(self.losses_, refresh=False)
        self.line_.update()

    def on_train_end(self, net, **kwargs):
        if self.line_ is not None:
            self.line_.close()
        if not is_live():
            time_taken = tqdm.format_interval(time.monotonic() - self.start_)
            ended = f"{len(net.history)} epochs in {time_taken}"
            print(f"{self.title}: {ended}, {self.losses_}", file=sys.stderr)


def callbacks(
    *,
    max_grad_norm: float | None,
    one_cycle: tuple[float, int] | None,
    patience: int | None,
    user: list,
    title: str | None,
    checkpoint: Callback | None,
) -> list:
    """Return the callbacks of a fit, in the order in which they are called.

    The user's find the epoch judged: "valid_cll_best" stands in the history. A checkpoint
    is last, since it restores the state of the others.
    """
    chosen = [("epoch_timer", EpochTimer()), Warmup()]
    if max_grad_norm is not None:
        chosen.append(ClipGradients(max_grad_norm))
    if one_cycle is not None:
        chosen.append(_one_cycle(*one_cycle))
    chosen += [FiniteLoss(), BestWeights(patience), *map(_copy, user)]
    if title is not None:
        chosen.append(ProgressLine(title))
    return chosen if checkpoint is None else [*chosen, checkpoint]


def _one_cycle(lr: float, n_steps: int) -> Callback:
    """Return the schedule of the learning rate; momentum stays the user's."""
    return LRScheduler(
        OneCycleLR, max_lr=lr, total_steps=n_steps + 1, cycle_momentum=False, step_every="batch"
    )


def _copy(callback):
    """Copy a user's callback, with or without a name, so that a fit does not change it."""
    return (callback[0], copy(callback[1])) if isinstance(callback, tuple) else copy(callback)
