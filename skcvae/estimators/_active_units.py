"""The number of latent variables in use, and the warning where there is none."""

import warnings

from skcvae.inference.posterior_collapse import ACTIVE

MAX_ROWS = 1000  # of which the mean KL term is taken
MIN_EPOCHS_BEFORE_WARNING = 10


def count_active_units(estimator, selection):
    """Set `n_active_units_` of an estimator that was fitted to some rows."""
    vars(estimator).pop("n_active_units_", None)
    specification = estimator.specification_
    if not specification.recognition or specification.n_context:
        return
    some = slice(None, None, -(-len(selection.index) // MAX_ROWS))
    kl = estimator._shown_fitted().kl_by_unit(*(None, *selection.read(some))[-2:])
    estimator.n_active_units_ = int((kl > ACTIVE).sum())
    history = estimator.history_
    departed = len(history) >= MIN_EPOCHS_BEFORE_WARNING and "start_cll" not in history[0]
    if departed and not estimator.n_active_units_:
        warnings.warn(
            f"No latent variable is used: the KL term is {kl.sum():.2g} nats per row, so "
            f"{estimator._without_latents} Otherwise try kl_warmup=20, another "
            f"{estimator._roles['latent_dim']}, or a smaller init_scale of a Gaussian likelihood.",
            UserWarning,
            stacklevel=7,
        )
