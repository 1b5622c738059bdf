"""From trained networks to a fitted estimator: its attributes, warnings, and its checkpoint."""

import warnings

from sklearn.exceptions import ConvergenceWarning

from skcvae.data.dependence import warn_of_dependence
from skcvae.estimators._active_units import count_active_units
from skcvae.estimators._checks import DEFAULT_TRAINING
from skcvae.estimators._process import condition
from skcvae.estimators._validation_score import (
    warn_if_constant_is_better,
    warn_if_training_diverged,
)
from skcvae.estimators._warm_start import structure
from skcvae.io.checkpoint_file import CheckpointFile
from skcvae.training.checkpoint import LATER, path_of
from skcvae.training.temperature import choose_temperature


def conclude(estimator, kept, held_out, rows, validation, whole=None):
    """Set what follows from trained networks, and warn of what they were trained on.

    `rows` and `validation` are `kept` and `held_out`, encoded; a process gets the codes of
    `whole`.
    """
    estimator.structure_ = structure(estimator)
    net, training = estimator.net_, estimator.training or DEFAULT_TRAINING
    if held_out is not None and training.temperature is not None:
        choose_temperature(net, rows, validation)
    if whole is not None:
        with net.threads():
            condition(net.module.model, whole)
    estimator._set_fitted(net.module)
    count_active_units(estimator, kept)
    if held_out is None:
        warn_if_training_diverged(estimator, rows)
    else:
        warn_of_dependence(kept, held_out)
        warn_if_constant_is_better(estimator, rows, validation)


def finish(estimator):
    """Return an estimator after a fit: warn if it was interrupted, else delete its checkpoint."""
    if estimator.net_.interrupted:
        warnings.warn(
            f"Training was interrupted after {len(estimator.history_)} of "
            f"{estimator.net_.max_epochs} epochs; the estimator keeps the best weights so far.",
            ConvergenceWarning,
            stacklevel=4,
        )
    remove_checkpoint(estimator)
    return estimator


def remove_checkpoint(estimator):
    """Delete the checkpoints of a fit that was completed."""
    path = (estimator.training or DEFAULT_TRAINING).checkpoint
    if path is not None and not estimator.net_.interrupted:
        for stage in ("", *LATER):
            CheckpointFile(path_of(path, stage)).remove()
