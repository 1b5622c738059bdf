"""What happens once per epoch, as skorch callbacks."""

import math

import torch
from sklearn.base import clone
from skorch.callbacks import Callback, LRScheduler
from torch.optim.lr_scheduler import OneCycleLR
from tqdm.auto import tqdm


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
    """Keep the weights of the highest validation CLL; stop `patience` epochs after."""

    def __init__(self, patience: int):
        self.patience = patience

    def on_train_begin(self, net, **kwargs):
        self.best_cll_, self.best_epoch_ = -math.inf, 0
        self.weights_ = {}

    def on_epoch_end(self, net, **kwargs):
        row = net.history[-1]
        better = row["valid_cll"] > self.best_cll_
        net.history.record("valid_cll_best", better)
        if better:
            self.best_cll_, self.best_epoch_ = row["valid_cll"], row["epoch"]
            for name, value in net.module.state_dict().items():
                self.weights_.setdefault(name, torch.empty_like(value)).copy_(value)
        elif row["epoch"] - self.best_epoch_ >= self.patience:
            raise StopTraining

    def on_train_end(self, net, **kwargs):
        if self.weights_:
            net.module.load_state_dict(self.weights_)
        self.weights_ = {}


class ProgressLine(Callback):
    """One live line for a fit: epochs, losses, time left."""

    def __init__(self, title: str):
        self.title = title

    def on_train_begin(self, net, **kwargs):
        self.line_ = tqdm(total=net.max_epochs, desc=self.title, unit="epoch")

    def on_epoch_end(self, net, **kwargs):
        row = net.history[-1]
        shown = ("train_loss", "train_kl", "valid_cll")
        self.line_.set_postfix({k: f"{row[k]:.3f}" for k in shown if k in row}, refresh=False)
        self.line_.update()

    def on_train_end(self, net, **kwargs):
        self.line_.close()


def callbacks(
    *,
    one_cycle: tuple[float, int] | None,
    progress: str | None,
    of_user: list,
    patience: int | None,
) -> list:
    """Return the callbacks of a fit, in the order in which they are called.

    The best weights are kept last: whatever raises or looks before them sees
    the epoch as it is.
    """
    chosen = [Warmup()]
    if one_cycle is not None:
        lr, n_steps = one_cycle
        chosen.append(
            LRScheduler(OneCycleLR, max_lr=lr, total_steps=n_steps + 1, step_every="batch")
        )
    chosen.append(FiniteLoss())
    if progress is not None:
        chosen.append(ProgressLine(progress))
    chosen.extend(_copy(callback) for callback in of_user)
    if patience is not None:
        chosen.append(BestWeights(patience))
    return chosen


def _copy(callback):
    """Copy a callback of the user's, with or without a name, so that a fit changes none."""
    return (callback[0], clone(callback[1])) if isinstance(callback, tuple) else clone(callback)
