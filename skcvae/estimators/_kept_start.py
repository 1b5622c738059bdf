"""The linear model at which training starts, where it is what a fit keeps: of all rows."""

from skcvae.training.temperature import set_temperature, temperatures


def fit_start_to_all(estimator, parts, selection) -> None:
    """Fit the linear model to the rows held out as well, if training did not improve on it.

    Its score, and the temperature, are those of the model of the rows to train on. `selection`
    has all rows, in the user's units.
    """
    net = estimator.net_
    if net.interrupted or "start_cll" not in net.history[0]:
        return
    try:
        with parts.training.running(parts.device):
            rows = estimator.specification_.streamed(selection, parts.device)
            start = estimator._module(parts.objective, rows).start
    except KeyboardInterrupt:
        net.interrupted = True
        return
    chosen, *_ = *map(float, temperatures(net.module.model)), 1.0
    net.module.load_state_dict(start)
    set_temperature(net.module.model, chosen)
