"""What a fitted estimator says of itself."""


def facts_of(estimator):
    """Return what was learned, by name.

    Parameters
    ----------
    estimator : StructuredPredictor
        Fitted.

    Returns
    -------
    dict of str to str
        In the order in which they are shown.
    """
    model = estimator.net_.module.model
    sizes = {name: _n_parameters(network) for name, network in model.named_children()}
    listed = ", ".join(f"{name} {size:,}" for name, size in sizes.items() if size)
    return {
        "architecture": str(estimator.architecture_),
        "likelihood": str(estimator.likelihood_),
        **({"prior": str(estimator.prior_)} if hasattr(estimator, "prior_") else {}),
        **_of_latent(estimator),
        "parameters": f"{sum(sizes.values()):,}: {listed}",
        "device": str(next(model.parameters()).device),
        **_of_history(estimator.history_),
    }


def _n_parameters(network):
    return sum(weight.numel() for weight in network.parameters())


def _of_latent(estimator):
    if estimator.net_.module.model.is_deterministic:
        return {}
    shape = " x ".join(map(str, estimator.latent_shape_))
    n_active = getattr(estimator, "n_active_units_", None)
    return {"latent": shape if n_active is None else f"{shape}, {n_active} in use"}


def _of_history(history):
    n_epochs = len(history)
    best = max((row["epoch"] for row in history if row.get("valid_cll_best")), default=None)
    cll = history[(best or n_epochs) - 1].get("valid_cll")
    return {
        "epochs": f"{n_epochs}, the best {best}" if best else str(n_epochs),
        **({} if cll is None else {"validation": f"CLL {cll:.3f} nats"}),
    }
