"""From parameters to a skorch net that trains, and the training itself."""

import functools
import inspect
import math
from collections.abc import Callable

from skorch.helper import predefined_split
from torch import Generator

from skcvae._arrays import plan
from skcvae._batches import OrderedBatches, Rows, ShuffledBatches, StreamedRows
from skcvae._callbacks import callbacks
from skcvae._checkpoint import Checkpoint
from skcvae._net import Net, WeightAverage
from skcvae.random import generator
from skcvae.networks.layers import Dropout
from skcvae.objectives import Objective


def new_net(
    objective: Objective,
    *,
    loss,
    n_rows: int,
    validation: Rows | StreamedRows | None,
    omission: float,
    seed: int,
    device: str,
    accelerator,
    optimizer: type,
    lr: float,
    lr_schedule: str,
    weight_decay: float,
    max_grad_norm: float | None,
    ema_decay: float,
    max_epochs: int | str,
    batch_size: int | str,
    patience: int | str | None,
    precision: str,
    compile: bool,
    user_callbacks: list,
    progress: str | None,
    checkpoint: Checkpoint | None,
    passed: dict,
) -> Net:
    """Return an initialised net that trains `objective`, with the estimators' parameters."""
    batch_size = _batch_size(n_rows) if batch_size == "auto" else batch_size
    steps_per_epoch = math.ceil(n_rows / batch_size)
    max_epochs = _epochs(15_000, steps_per_epoch, 30, 500) if max_epochs == "auto" else max_epochs
    patience = _epochs(1500, steps_per_epoch, 5, 50) if patience == "auto" else patience
    noise_shape = (objective.n_draws, *objective.model.noise_shape)
    number = 0 if accelerator is None else accelerator.process_index
    _give_generator(objective, generator(seed + 2 + number, device))
    return _kind_of_net(accelerator, device)(
        objective,
        loss,
        average=WeightAverage(ema_decay),
        max_grad_norm=max_grad_norm,
        precision=precision,
        compile=compile,
        optimizer=optimizer,
        lr=lr,
        max_epochs=max_epochs,
        batch_size=batch_size,
        iterator_train=ShuffledBatches,
        iterator_train__shape=noise_shape,
        iterator_train__source=generator(seed + 1),
        iterator_train__omission=omission,
        iterator_valid=OrderedBatches,
        iterator_valid__shape=noise_shape,
        iterator_valid__seed=seed,
        iterator_valid__n_rows=plan(len(validation or ()) or 1, 1, objective.model.row_size).rows,
        train_split=None if validation is None else predefined_split(validation),
        callbacks=callbacks(
            one_cycle=(lr, max_epochs * steps_per_epoch) if lr_schedule == "one_cycle" else None,
            progress=progress,
            of_user=user_callbacks,
            patience=None if validation is None else patience,
            checkpoint=checkpoint,
        ),
        verbose=0,
        **{**_of_optimizer(optimizer, weight_decay), **passed},
    ).initialize()


def _kind_of_net(accelerator, device: str) -> Callable[..., Net]:
    if accelerator is None:
        return functools.partial(Net, device=device)
    from skcvae._distributed import DistributedNet  # needs an optional package

    return functools.partial(DistributedNet, accelerator=accelerator, device=None)


def _give_generator(objective: Objective, source: Generator) -> None:
    for layer in objective.modules():
        if isinstance(layer, Dropout):
            layer.generator = source


def _of_optimizer(optimizer: type, weight_decay: float) -> dict:
    """Return skorch's parameters for an optimizer: one fused kernel where there is one."""
    accepted = inspect.signature(optimizer).parameters
    chosen = {"optimizer__fused": True} if "fused" in accepted else {}
    if weight_decay or "weight_decay" in accepted:
        chosen["optimizer__weight_decay"] = weight_decay
    return chosen


def _batch_size(n_rows: int) -> int:
    """Return a power of two near n/32, from 16 to 256."""
    return min(max(2 ** round(math.log2(max(n_rows / 32, 1))), 16), 256)


def _epochs(n_steps: int, steps_per_epoch: int, least: int, most: int) -> int:
    """Return how many epochs make about `n_steps` steps."""
    return min(max(math.ceil(n_steps / steps_per_epoch), least), most)


def train(net: Net, rows: Rows | StreamedRows) -> None:
    """Train a net; a user's interrupt keeps what was learned, if an epoch has ended."""
    net.average.start(net.weights)
    net.partial_fit(rows)
    # A fitted net keeps neither rows nor a second set of weights.
    net.train_split, net.average = None, None
    if net.interrupted and not net.history:
        raise KeyboardInterrupt
