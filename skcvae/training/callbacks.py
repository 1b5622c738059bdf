"""The package's skorch callbacks."""

import math
import sys
import time
import warnings
from copy import copy
from dataclasses import dataclass, field
from functools import partial
from operator import itemgetter

import torch
from sklearn.exceptions import ConvergenceWarning
from skorch.callbacks import Callback, LRScheduler
from torch.optim.lr_scheduler import OneCycleLR
from tqdm import tqdm

from skcvae.training.interrupts import StopTraining
from skcvae.training.progress import is_live, line
from skcvae.training.validation import by_group, lowest_gain, row_scores

# Nats per row, and per output, below the start that show that steps are too large: with lr up to
# 0.03 a row lost at most 0.04 for each of 50 outputs, with lr=1 from 1.5 to 19.
LOST, LOST_BY_ONE, FEW_EPOCHS = 0.5, 0.1, 10
RESOLUTION = 1e-5  # nats per row, below which a gain is of rounding
LARGEST_LOSS = 1e9  # nats per row; that of a million pixels is a hundredth
NOTHING_KEPT = {"n_epochs": 0, "best_epoch": 0, "best": math.nan, "weights": {}}


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


class DivergenceError(ValueError):
    """Raised where a training diverged, and nothing of it can be kept."""


class FiniteLoss(Callback):
    """Stop with an error at the first epoch whose loss is not finite, or at the end if huge."""

    def on_epoch_end(self, net, **kwargs):
        row = net.history[-1]
        for name in ("train_loss", "valid_loss"):
            if not math.isfinite(row.get(name, 0.0)):
                raise DivergenceError(diverged(f"in epoch {row['epoch']}: {name} is {row[name]}"))

    def on_train_end(self, net, **kwargs):
        rows = [row for row in net.history if "train_loss" in row]  # one may be interrupted
        losses = list(map(itemgetter("train_loss"), rows)) or [0.0]
        if min(losses) > LARGEST_LOSS:
            what = f"from the first epoch on: the lowest train_loss is {min(losses):.3g}"
            raise DivergenceError(diverged(what))
        if losses[-1] > LARGEST_LOSS and not net.module.goes_on:
            what = f"after better epochs: the last train_loss is {losses[-1]:.3g}"
            warnings.warn(diverged(what) + " The best weights are kept.", stacklevel=2)


def diverged(what: str) -> str:
    """Return the message of a training that diverged, with what to do."""
    return (
        f"Training diverged {what}, expected a finite number below {LARGEST_LOSS:g}. Try a "
        "smaller lr or max_grad_norm, look for outliers in X and y, and keep normalize_X and "
        "normalize_y on."
    )


@dataclass(eq=False)
class BestWeights(Callback):
    """Keep the weights of the best validation score; stop some epochs after.

    These are as many as led to the best one, at least `least` and at most `patience`, but
    `patience` after the weight of the KL term has grown, as scores fall meanwhile. The score is
    the CLL, or the negative loss of a model without a density. Without patience the last epoch is
    the best. A fitted model at the start is kept, unless the best epoch is better by more than the
    standard error of the difference. An epoch that was interrupted is dropped, its weights as
    well as its row of the history. Scores above `ceiling` are equally good.
    """

    patience: int | None
    least: int | None
    ceiling: float = math.inf
    kept_: dict = field(default_factory=partial(dict, **NOTHING_KEPT), init=False, repr=False)

    def on_train_begin(self, net, **kwargs):
        self.kept_ = {**self.kept_, "n_epochs": len(net.history)}  # of an earlier training, too

    def on_epoch_end(self, net, **kwargs):
        n_epochs = len(net.history)
        kept = {**self.kept_, "n_epochs": n_epochs}
        if self.patience is None or self._is_better(net.history):
            best = min(_validation_score(net.history[-1]), self.ceiling)
            weights = {name: part.clone() for name, part in net.module.state_dict().items()}
            kept.update(best_epoch=n_epochs, best=best, weights=weights)
        self.kept_ = kept  # one assignment: an interrupt cannot come in between
        last = max(kept["best_epoch"], net.criterion_.n_warmup(net.max_epochs))
        if self.patience is not None and n_epochs - last >= self._patience_of(net):
            raise StopTraining

    def _patience_of(self, net):
        if net.criterion_.warmup != 0:
            return self.patience
        return min(max(self.least, self.kept_["best_epoch"]), self.patience)

    def _is_better(self, history):
        before = self.kept_["best"]
        better = math.isnan(before) or min(_validation_score(history[-1]), self.ceiling) > before
        if "valid_cll" in history[-1]:
            history.record("valid_cll_best", better)
        return better

    def on_train_end(self, net, X=None, **kwargs):
        n_epochs = self.kept_["n_epochs"]
        del net.history[n_epochs:]
        if self.kept_["weights"]:
            net.module.load_state_dict(self.kept_["weights"])
            if net.module.start is not None:
                self._compete_with_the_start(net, X)
        elif net.module.start is not None:
            net.module.load_state_dict(net.module.start)
        if self.patience is None and "valid_cll" not in net.history[-1]:
            # skorch's column of best losses, of which the weights are not kept.
            for row in net.history:
                row.pop("valid_loss_best", None)
        self.kept_ = net.module.start = None
        net.interrupts.held = False

    def _compete_with_the_start(self, net, rows):
        """Keep the best epoch, which is loaded, if the rows held out show it, else the start."""
        train, held_out = net.get_split_datasets(rows)
        score, weight = row_scores(net, held_out)
        net.module.load_state_dict(net.module.start)
        before, _ = row_scores(net, held_out)
        gain = by_group(held_out, score - before, weight)
        if lowest_gain(*gain, net.module.least_gain, net.module.unseen_loss) > RESOLUTION:
            net.module.load_state_dict(self.kept_["weights"])
            for row in net.history:
                row.pop("start_cll", None)
            return
        start_cll = float(weight @ before / weight.sum()) + held_out.log_jacobian[0]
        for row in net.history:
            row.update(valid_cll_best=False, start_cll=start_cll)
        # With draws from the prior, what is trained for differs from the log-likelihood.
        module = net.module
        is_last = module.is_last_training or len(net.history) >= net.max_epochs
        has_trained = len(net.history) >= FEW_EPOCHS and is_last and not net.interrupted
        departed = not (
            module.starts_at_random or module.goes_on or module.objective.draws_from_prior
        )
        if has_trained and departed:
            lost = float(weight @ (before - score) / weight.sum())
            self._warn_if_training_lost(net, train, lost)

    def _warn_if_training_lost(self, net, rows, lost):
        """Warn if the best epoch is below where training departed, for training rows too.

        Where there is nothing to learn it is above, unless the steps are too large.
        """
        tolerated = max(LOST, LOST_BY_ONE * rows[slice(1)][0][-1].numel())
        if lost <= tolerated:
            return
        net.module.load_state_dict(net.module.departure)
        before, weight = row_scores(net, rows)
        net.module.load_state_dict(self.kept_["weights"])
        score, _ = row_scores(net, rows)
        net.module.load_state_dict(net.module.start)
        lost = float(weight @ (before - score) / weight.sum())
        if lost > tolerated:
            warnings.warn(
                f"Training did not improve on its start, a linear model, which is kept: after its "
                f"best epoch the rows to train on lost {lost:.3g} nats each. Try a smaller "
                f"learning rate than lr={net.lr:g}, max_grad_norm, or more epochs.",
                ConvergenceWarning,
                stacklevel=2,
            )


@dataclass(eq=False)
class LatentsInUse(Callback):
    """Stop where z goes out of use: the KL term has its whole weight, and is below `least_kl`."""

    least_kl: float

    def on_epoch_end(self, net, **kwargs):
        has_whole_weight = len(net.history) > net.criterion_.n_warmup(net.max_epochs)
        if has_whole_weight and net.history[-1]["valid_kl"] < self.least_kl:
            raise StopTraining


def _validation_score(row: dict) -> float:
    return row.get("valid_cll", -row.get("valid_loss", math.nan))


class ProgressLine(Callback):
    """One live line for a fit: epochs, losses, time left; in a log, one line at its end."""

    def __init__(self, title: str):
        self.title = title

    def on_train_begin(self, net, **kwargs):
        self.line_, self.losses_, self.start_ = None, "", time.monotonic()
        self.n_before_ = len(net.history)  # of an earlier training

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
            ended = f"{len(net.history) - self.n_before_} epochs in {time_taken}"
            print(f"{self.title}: {ended}, {self.losses_}", file=sys.stderr)


def one_cycle(lr: float, n_steps: int) -> Callback:
    """Return the schedule of the learning rate; momentum stays the user's."""
    return LRScheduler(
        OneCycleLR, max_lr=lr, total_steps=n_steps + 1, cycle_momentum=False, step_every="batch"
    )


def copied(callback):
    """Copy a user's callback, with or without a name, so that a fit does not change it."""
    return (callback[0], copy(callback[1])) if isinstance(callback, tuple) else copy(callback)
