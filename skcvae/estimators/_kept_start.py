"""The linear model at which training starts, where it is what a fit keeps: of all rows."""


def fit_start_to_all(estimator, parts, selection) -> None:
    """Fit the linear model to the rows held out as well, if training did not improve on it.

    Its score, and the temperature, are those of the model of the rows to train on.

    Parameters
    ----------
    estimator : Estimator
        Its net has been trained.
    parts : Parts
        Its parameters.
    selection : Selection
        The rows to train on and those held out, in the user's units.
    """
    net = estimator.net_
    if net.interrupted or "start_cll" not in net.history[0]:
        return
    try:
        with parts.training.running(parts.device):
            rows = estimator.specification_.rows(selection, parts.device)
            start = estimator._module(parts.objective, rows).start
    except KeyboardInterrupt:
        net.interrupted = True
        return
    kept = {name: part for name, part in net.module.named_buffers() if "temperature" in name}
    net.module.load_state_dict(start | kept)
