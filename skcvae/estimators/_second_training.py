"""A second training, with smaller steps, where the first one did not leave its start."""

from copy import copy, deepcopy

from skorch.callbacks import LRScheduler

from skcvae.training.net import train

# Of the learning rate. Steps that suit a network which starts at random can throw a linear model
# with little noise so far off that no epoch comes back.
SMALLER = 1 / 8
FEWEST_HELD_OUT = 10  # rows: fewer find an epoch by chance that is better than the start


def train_again(estimator, parts, rows, validation) -> None:
    """Train from the start again, for the epochs that are left, if it is what the fit keeps.

    Parameters
    ----------
    estimator : Estimator
        Its net has been trained.
    parts : Parts
        Its parameters.
    rows, validation : Rows or StreamedRows
        The rows to train, and to validate on.
    """
    first = estimator.net_
    if first.interrupted or "start_cll" not in first.history[0]:
        return
    if len(first.history) >= first.max_epochs or len(validation) < FEWEST_HELD_OUT:
        return
    if any(isinstance(callback, LRScheduler) for _, callback in first.callbacks_):
        return  # steps are as large as it says
    training, module = copy(parts.training), first.module
    training.checkpoint = None  # that of the first training leads here again
    module.start = deepcopy(module.state_dict())
    module.load_state_dict(module.departure)
    module.starts_at_random, module.is_last_training = False, True
    held = parts.device, rows, validation
    estimator.net_ = estimator._net(training, module.train(), *held, lr=SMALLER * first.lr)
    estimator.net_.history_ = first.history
    train(estimator.net_, rows)
