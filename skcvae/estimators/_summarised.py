"""The summary of a fitted estimator, in text and in notebooks."""

import html

from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from skcvae.documented import Documented
from skcvae.estimators._validation_score import best_column
from skcvae.training.temperature import temperatures


class Summarised(Documented):
    """An estimator with a summary; a subclass returns the entries by name."""

    def summary(self):
        """Summarise in a few lines what was learned.

        Returns
        -------
        str
            The networks and their numbers of parameters, the device, epochs, and the
            CLL of the validation rows, in nats. A notebook shows it below the diagram.

        Examples
        --------
        >>> from skcvae import NNRegressor
        >>> from skcvae.datasets import make_two_branches
        >>> data = make_two_branches(n_samples=300, random_state=0)
        >>> est = NNRegressor(max_epochs=20, device="cpu", random_state=0)
        >>> print(est.fit(data.X, data.y).summary())
        NNRegressor
        architecture  MLP(hidden_layer_sizes=(32, 32))
        likelihood    StudentT(heteroscedastic=True)
        parameters    1,252: output 68, baseline 1,184
        device        cpu
        epochs        20, the best 20
        validation    CLL ... nats
        """
        check_is_fitted(self)
        entries = self._summary_entries()
        width = max(map(len, entries))
        lines = [f"{name:{width}}  {entry}" for name, entry in entries.items()]
        return "\n".join([type(self).__name__, *lines])

    def _repr_html_inner(self):
        return self._with_summary(super()._repr_html_inner())

    def _repr_mimebundle_(self, **kwargs):
        bundle = super()._repr_mimebundle_(**kwargs)
        if "text/html" in bundle:
            bundle["text/html"] = self._with_summary(bundle["text/html"])
        return bundle

    def _with_summary(self, diagram):
        try:
            return f"{diagram}<pre>{html.escape(self.summary())}</pre>"
        except NotFittedError:
            return diagram


def summary_entries(estimator):
    """Return the entries of the summary of a single estimator, in the order they are shown."""
    architecture, *others = network_entries(estimator).items()
    return dict(
        [
            architecture,
            ("likelihood", f"{estimator.likelihood_}{_temperature(estimator)}"),
            *_latent_entries(estimator, estimator.net_.module.model).items(),
            *others,
        ]
    )


def network_entries(estimator):
    """Return the entries of networks and training, of an estimator with or without a density."""
    model = estimator.net_.module.model
    sizes = {name: _n_parameters(network) for name, network in model.named_children()}
    listed = ", ".join(f"{name} {size:,}" for name, size in sizes.items() if size)
    return {
        "architecture": str(estimator.architecture_),
        "parameters": f"{sum(sizes.values()):,}: {listed}",
        "device": str(next(model.parameters()).device),
        **_history_entries(estimator),
    }


def _temperature(estimator):
    chosen = {*map(float, temperatures(estimator.net_.module.model))} - {1.0}
    return f", temperature {max(chosen):.2f}" if chosen else ""


def _n_parameters(network):
    return sum(weight.numel() for weight in network.parameters())


def _latent_entries(estimator, model):
    if model.is_deterministic:
        return {}
    shape = " x ".join(map(str, estimator.latent_shape_))
    n_active = getattr(estimator, "n_active_units_", None)
    latent = shape if n_active is None else f"{shape}, {n_active} in use"
    return {"prior": str(estimator.prior_), **_context_entries(estimator, model), "latent": latent}


def _context_entries(estimator, model):
    n_context = estimator.specification_.n_context
    if not n_context:
        return {}
    n_nearest = model.prior.family.n_nearest
    given = "all, exact" if n_nearest == n_context else f"for each x the {n_nearest:,} nearest"
    return {"context": f"{n_context:,} rows, {given}"}


def _history_entries(estimator):
    history, score = estimator.history_, estimator.best_validation_score_
    if score is None:
        return {"epochs": str(len(history))}
    has_density = "valid_cll" in history[-1]
    name = "CLL" if estimator.specification_.x_coding else "log-likelihood"
    shown = f"{name} {score:.3f} nats" if has_density else f"loss {-score:.3f}"
    return {"epochs": f"{len(history)}{_kept(history)}", "validation": shown}


def _kept(history):
    """Return what is kept: the start, the best epoch, or else the last one."""
    if "start_cll" in history[-1]:
        return ", the start is kept"
    is_best = best_column(history)
    if is_best is None:
        return ""
    return f", the best {max(row['epoch'] for row in history if row[is_best])}"
