"""A second training: with smaller steps where the start was kept, else with a tighter bound.

What leaves no epoch behind, such as an interrupt in the first one, leaves the first training.
"""

from copy import copy, deepcopy

import torch
from skorch.callbacks import LRScheduler

from skcvae.objectives import ELBO, IWAE
from skcvae.training.callbacks import DivergenceError, LatentsInUse
from skcvae.training.history import join, mark_best
from skcvae.training.interrupts import StopTraining
from skcvae.training.net import Loss, Net, ObjectiveModule
from skcvae.training.validation import has_independent

# Of the learning rate. Steps that suit a network which starts at random can throw a linear model
# with little noise so far off that no epoch comes back.
SMALLER = 1 / 8
# Rows held out: fewer find an epoch by chance that is better than the start, or can hardly show
# what a bound is worth.
FEWEST_HELD_OUT, FEWEST_TO_TIGHTEN = 10, 50
N_DRAWS = 5  # of the importance-weighted bound
LEAST_KL = 0.2  # nats per row, of a model in whose density z matters
LEAST_GAIN = 2.0  # standard errors, as the same rows choose its best epoch
# What leaves the first training as it is: a loss without a value, or five draws in little memory.
FAILURES = (DivergenceError, torch.linalg.LinAlgError, MemoryError, torch.cuda.OutOfMemoryError)


def train_again(estimator, parts, rows, validation):
    """Train a second time where that may help: with smaller steps, or with a tighter bound.

    Yields nets to train, each with its rows.
    """
    net = estimator.net_
    if not _may_go_on(net, validation):
        return
    if "start_cll" in net.history[0]:
        if has_independent(validation, FEWEST_HELD_OUT):
            yield from _take_smaller_steps(estimator, parts, rows, validation)
    elif _may_be_tightened(estimator, parts, validation):
        yield from _tighten(estimator, parts, rows, validation)


def _take_smaller_steps(estimator, parts, rows, validation):
    """Train from the start again, for the epochs that are left, as the start is what is kept."""
    first, module = estimator.net_, estimator.net_.module
    if len(first.history) >= first.max_epochs:
        return
    module.start = deepcopy(module.state_dict())
    module.load_state_dict(module.departure)
    module.starts_at_random, module.is_last_training = False, True
    held = parts, module, rows, validation
    second = next_net(estimator, *held, lr=SMALLER * first.lr, stage="smaller steps")
    second.history_ = first.history
    if (yield from _completed(first, second, rows)):
        estimator.net_ = second


def _tighten(estimator, parts, rows, validation):
    """Train on with the importance-weighted bound; first bring z into use, where it hardly is.

    The bound of one draw favours models whose posterior is Gaussian, and so makes several outputs
    too independent and branches too wide; from the first epoch on, the tighter one would take
    several times as long. Of images and sequences, and where the KL term has a weight, the bound
    is left as it is. The noise of one output seldom needs z.
    """
    held, n_draws = (parts, rows, validation), estimator.n_train_samples
    (n_outputs,) = estimator.specification_.y_coding.row_shape
    if n_outputs > 1 and _kl(estimator.net_) < LEAST_KL:
        options = {"warms_up": True, "callbacks": [LatentsInUse(LEAST_KL / 2)]}
        yield from _train_on(estimator, *held, ELBO(), n_draws, stage="z in use", **options)
    if _kl(estimator.net_) >= LEAST_KL:
        n_draws = max(N_DRAWS, n_draws)
        yield from _train_on(estimator, *held, IWAE(), n_draws, stage="tighter bound")


def _kl(net: Net) -> float:
    """Return the KL term in the best epoch."""
    return [row["valid_kl"] for row in net.history if row["valid_cll_best"]][-1]


def _train_on(
    estimator, parts, rows, validation, objective, n_draws, *, warms_up=False, **options
):
    """Train on with another objective, and keep that if rows held out show a gain."""
    first, n_epochs = estimator.net_, len(estimator.net_.history)
    n_spent = 0 if estimator.max_epochs == "auto" else n_epochs
    if first.interrupted or n_spent >= first.max_epochs:
        return
    module = ObjectiveModule(first.module.model.train(), objective, n_draws)
    module.start = deepcopy(module.state_dict())
    module.least_gain = LEAST_GAIN
    module.goes_on = True
    held = parts, module, rows, validation
    second = next_net(estimator, *held, lr=first.lr, **options)
    second.max_epochs -= n_spent
    if warms_up:
        second.criterion_.warmup = Loss(warmup=None).n_warmup(first.max_epochs)
    if not (yield from _completed(first, second, rows)):
        return
    if "start_cll" in second.history[0]:
        first.interrupted = second.interrupted
        return
    join(first.history, second)
    mark_best(second.history)
    second.max_epochs += n_epochs
    estimator.net_ = second


def _completed(first: Net, second: Net, rows):
    """Yield a later training; return whether it ended, else leave the model of the first one."""
    start, n_epochs = second.module.start, len(first.history)
    try:
        yield second, rows
        return True
    except KeyboardInterrupt as stop:
        first.interrupted = not isinstance(stop, StopTraining)
    except FAILURES:
        pass
    second.module.load_state_dict(start)
    del first.history[n_epochs:]
    return False


def _may_go_on(net: Net, validation) -> bool:
    """Return whether rows held out can judge more training, and the user did not rule it out."""
    if net.interrupted or validation is None:
        return False
    # With a schedule, steps are as large as it says.
    return not any(isinstance(callback, LRScheduler) for _, callback in net.callbacks_)


def _may_be_tightened(estimator, parts, validation) -> bool:
    """Return whether a bound of several draws may be better, and the user did not rule it out."""
    if estimator.objective != "auto" or not estimator.early_stopping or parts.finetuned:
        return False
    if estimator.beta or estimator.kl_warmup not in ("auto", 0):
        return False
    has_latents = not estimator.net_.module.model.is_deterministic
    if not has_latents or len(estimator.specification_.y_coding.row_shape) != 1:
        return False
    return has_independent(validation, FEWEST_TO_TIGHTEN)


def next_net(estimator, parts, module, rows, validation, callbacks=(), **others) -> Net:
    """Return the net of a second training."""
    training = copy(parts.training)
    training.callbacks = [*(training.callbacks or []), *callbacks]
    return estimator._net(training, module.train(), parts.device, rows, validation, **others)
