"""The skorch net: a step, an epoch, and what its history shows.

It trains an objective, the module, with :class:`NegativeBound`, the criterion.
Losses stay on the device until the epoch ends, and what is validated and kept is
an average of the weights.
"""

import functools

import torch
from skorch import NeuralNet
from skorch.callbacks import Callback, EpochTimer
from torch import Tensor
from torch.distributions import Independent

from skcvae._callbacks import StopTraining
from skcvae._precision import of_products
from skcvae.conditional_likelihood import WIDENING, importance_sampling
from skcvae.objectives import Bound
from skcvae.posterior_collapse import ACTIVE, kl_of_units

OF_A_BATCH = ("on_batch_begin", "on_batch_end", "on_grad_computed")


class WeightAverage:
    """The exponential moving average of the weights, in place of them between epochs.

    Averaging does what a decaying learning rate does, without a horizon: what
    is validated and kept is the average, while steps go on from the weights.
    The decay is shorter at the start, so that the first weights are forgotten.
    """

    def __init__(self, decay: float):
        self.decay = decay
        self.n_steps = 0
        self.weights: list[Tensor] = []
        self.average: list[Tensor] = []

    def start(self, weights: list[Tensor]) -> None:
        """Watch weights; without a decay they are their own average."""
        self.weights = weights if self.decay else []
        self.average = [w.detach().clone() for w in self.weights]

    @torch.no_grad()
    def update(self) -> None:
        """Move the average towards the weights after a step."""
        if not self.weights:
            return
        self.n_steps += 1
        decay = min(self.decay, self.n_steps / (self.n_steps + 9))
        torch._foreach_lerp_(self.average, self.weights, 1 - decay)

    def swap(self) -> None:
        """Exchange the average and the weights."""
        for average, weight in zip(self.average, self.weights, strict=True):
            average.data, weight.data = weight.data, average.data


class Net(NeuralNet):
    """A skorch net whose module is an objective and whose history is in nats of the user's y."""

    def __init__(
        self,
        *args,
        average: WeightAverage,
        max_grad_norm: float | None,
        precision: str,
        **kwargs,
    ):
        super().__init__(*args, **kwargs)
        self.average = average
        self.max_grad_norm = max_grad_norm
        self.precision = precision
        self.interrupted = False

    @property
    def _default_callbacks(self):
        return [("epoch_timer", EpochTimer())]

    @functools.cached_property
    def weights(self) -> list[Tensor]:
        """What is trained."""
        return list(self.module.parameters())

    @functools.cached_property
    def is_watched(self) -> bool:
        """Whether a callback listens to single batches."""
        return any(
            getattr(type(callback), method) is not getattr(Callback, method)
            for _, callback in self.callbacks_
            for method in OF_A_BATCH
        )

    def autocast(self):
        """Return a context in which matrix products have the chosen precision."""
        return of_products(self.precision, self.weights[0].device)

    def infer(self, x, **fit_params):
        """Evaluate the objective, in the chosen precision, of a batch that is on the device."""
        with self.autocast():
            return self.module_(**x)

    def train_step(self, batch, **fit_params):
        """Make a step of the optimizer, with gradients scaled down to their largest norm."""
        step = {}

        def closure() -> Tensor:
            self._zero_grad_optimizer()
            step.update(self.train_step_single(batch, **fit_params))
            if self.max_grad_norm is not None:
                torch.nn.utils.clip_grad_norm_(self.weights, self.max_grad_norm)
            self.notify(
                "on_grad_computed",
                named_parameters=self.module.named_parameters(),
                batch=batch,
                training=True,
            )
            return step["loss"]

        self._step_optimizer(closure)
        return step

    def get_loss(self, y_pred, y_true, X=None, training=False):
        """Return the loss of a batch: `y_pred` is its bound, `y_true` its weights or None."""
        return self.criterion_(Bound(*y_pred), y_true)

    @torch.no_grad()
    def validation_step(self, batch, **fit_params):
        """Evaluate the objective, the estimated CLL and the KL of each unit on a batch."""
        self._set_training(False)
        inputs, weight = batch
        with self.autocast():
            bound, *terms = self._evaluated(**inputs)
        return {"loss": self.get_loss(bound, weight), "y_pred": bound, "terms": terms}

    def _evaluated(self, x: Tensor, y: Tensor, noise: Tensor) -> tuple[Bound | Tensor, ...]:
        model = self.module.model
        given = model.condition(x)
        bound = self.module.bound(given, x, y, noise[: self.module.n_draws])
        if model.is_deterministic:
            return bound, given.likelihood().log_prob(y)
        estimate = importance_sampling(model, x, y, noise.split(1), given, widening=WIDENING)
        # Other priors have no closed moments: too slow for every epoch.
        if model.recognition is None or not isinstance(given.prior, Independent):
            return bound, estimate.log_prob
        units = kl_of_units(model.recognition(x, y), given.prior)
        return bound, estimate.log_prob, *units.unbind(1)

    def run_single_epoch(self, iterator, training, prefix, step_fn, **fit_params):
        """Run the batches of one epoch; read their losses once, at its end."""
        if iterator is None:
            return
        if training:
            self.average.swap()
        total = 0.0
        for batch in iterator:
            self.notify("on_batch_begin", batch=batch, training=training)
            step = step_fn(batch, **fit_params)
            if training:
                self.average.update()
            self.notify("on_batch_end", batch=batch, training=training, **step)
            total += _summed(step, batch[1])
        if training:
            self.average.swap()
        *terms, weight = self._of_all(total, training).tolist()
        self._record(prefix, iterator.dataset.log_jacobian, *(term / weight for term in terms))

    def _of_all(self, total: Tensor, training: bool) -> Tensor:
        """Return sums over all batches, where some were seen by other processes."""
        return total

    def _record(self, prefix, log_jacobian, reconstruction, kl, cll=None, *kl_of_units):
        reconstruction += log_jacobian
        self.history.record(f"{prefix}_loss", self.criterion_.kl_weight * kl - reconstruction)
        self.history.record(f"{prefix}_reconstruction", reconstruction)
        self.history.record(f"{prefix}_kl", kl)
        if cll is not None:
            self.history.record(f"{prefix}_cll", cll + log_jacobian)
        if kl_of_units:
            active = sum(nats > ACTIVE for nats in kl_of_units)
            self.history.record(f"{prefix}_active_units", active)

    def notify(self, method_name, **cb_kwargs):
        """Call every callback, and stop training after all if one of them has asked to.

        skorch's callbacks ask by a KeyboardInterrupt; one that comes up in the package's
        own is the user's. Batches are not told of where no callback listens: of a small
        step that would take a hundredth.
        """
        if method_name in OF_A_BATCH and not self.is_watched:
            return
        getattr(self, method_name)(self, **cb_kwargs)
        asked = None
        for _, callback in self.callbacks_:
            try:
                getattr(callback, method_name)(self, **cb_kwargs)
            except KeyboardInterrupt as stop:
                if _is_own(callback) and not isinstance(stop, StopTraining):
                    raise
                asked = stop
        if asked is not None:
            raise StopTraining from asked

    def fit_loop(self, X, y=None, epochs=None, **kwargs):
        """Run the epochs that are left; tell a user's interrupt from a planned stop."""
        try:
            return super().fit_loop(X, y, self.max_epochs - len(self.history), **kwargs)
        except StopTraining:
            return self
        except KeyboardInterrupt:
            self.interrupted = True
            raise


def _is_own(callback: Callback) -> bool:
    return type(callback).__module__.startswith("skcvae.")


def _summed(step: dict, weight: Tensor | None) -> Tensor:
    """Return weighted sums of the terms of a batch, and of the weights, in float64."""
    reconstruction, kl = step["y_pred"]
    terms = [reconstruction.detach(), kl.detach(), *step.get("terms", [])]
    terms = torch.stack([*terms, torch.ones_like(terms[0])])
    return (
        terms.sum(1, dtype=torch.float64) if weight is None else terms.double() @ weight.double()
    )
