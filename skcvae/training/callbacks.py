"""What happens once per epoch, as skorch callbacks."""

import math
import sys
import time

from sklearn.base import clone
from skorch.callbacks import Callback, LRScheduler
from torch.optim.lr_scheduler import OneCycleLR
from tqdm import tqdm

from skcvae._progress import is_live, line


class StopTraining(KeyboardInterrupt):
    """Raised by a callback to end training as planned: skorch stops on KeyboardInterrupt."""


class Warmup(Callback):
    """Tell the criterion which epoch it is."""

    def on_epoch_begin(self, net, **kwargs):
        net.criterion_.epoch = len(net.history) - 1


class FiniteLoss(Callback):
    """Stop with an error at the first epoch whose loss is not finite."""

    def on_epoch_end(self, net, **kwargs):
        row = net.history[-1]
        for name in ("train_loss", "valid_loss"):
            if not math.isfinite(row.get(name, 0.0)):
                raise ValueError(
                    f"Training diverged in epoch {row['epoch']}: {name} is {row[name]}, expected "
                    "a finite number. Try a smaller lr or max_grad_norm, look for outliers in "
                    "X and y, and keep normalize_X and normalize_y on."
                )


class BestWeights(Callback):
    """Keep the weights of the highest validation CLL; stop `patience` epochs after.

    Without patience the last epoch is the best. What an interrupt leaves of an epoch
    counts for nothing: neither its weights nor its row of the history.
    """

    def __init__(self, patience: int | None):
        self.patience = patience

    def on_train_begin(self, net, **kwargs):
        self.kept_ = {"n_epochs": 0, "best_epoch": 0, "best_cll": math.nan, "weights": {}}

    def on_epoch_end(self, net, **kwargs):
        n_epochs = len(net.history)
        kept = {**self.kept_, "n_epochs": n_epochs}
        if self.patience is None or self._is_better(net.history):
            cll = net.history[-1].get("valid_cll")
            weights = {name: value.clone() for name, value in net.module.state_dict().items()}
            kept.update(best_epoch=n_epochs, best_cll=cll, weights=weights)
        self.kept_ = kept  # all at once: an interrupt cannot come in between
        if self.patience is not None and n_epochs - kept["best_epoch"] >= self.patience:
            raise StopTraining

    def _is_better(self, history):
        before = self.kept_["best_cll"]
        better = math.isnan(before) or history[-1]["valid_cll"] > before
        history.record("valid_cll_best", better)
        return better

    def on_train_end(self, net, **kwargs):
        n_epochs = self.kept_["n_epochs"]
        del net.history[n_epochs:]
        if n_epochs:
            net.module.load_state_dict(self.kept_["weights"])
        self.kept_ = None


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
        shown = ("train_loss", "train_kl", "valid_cll")
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
    one_cycle: tuple[float, int] | None,
    progress: str | None,
    of_user: list,
    patience: int | None,
    checkpoint: Callback | None,
) -> list:
    """Return the callbacks of a fit, in the order in which they are called.

    The best weights are kept when all others have seen the epoch as it is. A
    checkpoint restores what they set up.
    """
    chosen = [Warmup()]
    if one_cycle is not None:
        lr, n_steps = one_cycle
        chosen.append(
            LRScheduler(OneCycleLR, max_lr=lr, total_steps=n_steps + 1, step_every="batch")
        )
    chosen.append(FiniteLoss())
    chosen.extend(_copy(callback) for callback in of_user)
    chosen.append(BestWeights(patience))
    if progress is not None:
        chosen.append(ProgressLine(progress))
    if checkpoint is not None:
        chosen.append(checkpoint)
    return chosen


def _copy(callback):
    """Copy a callback of the user's, with or without a name, so that a fit changes none."""
    return (callback[0], clone(callback[1])) if isinstance(callback, tuple) else clone(callback)
