"""The skorch net: module, loss, validation, and the history of an epoch.

The module is a model under an objective, the criterion the weighted mean of its two terms.
Losses stay on the device until the epoch ends, and an average of the weights is validated
and kept.
"""

import contextlib
import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from skorch import NeuralNet
from skorch.callbacks import Callback
from torch import Tensor, nn

from skcvae.distributions import is_gaussian
from skcvae.inference.conditional_likelihood import WIDENING, double, importance_sampling
from skcvae.inference.posterior_collapse import ACTIVE, kl_of_units
from skcvae.model import Conditional, Model
from skcvae.objectives.base import Bound, Objective
from skcvae.threads import Pace, limited, row_work
from skcvae.training.callbacks import Interrupts, StopTraining, WeightAverage

BATCH_EVENTS = ("on_batch_begin", "on_batch_end")


class ObjectiveModule(nn.Module):
    """A model under an objective with L draws of z per example: the module that is trained.

    `noise_shape` is the shape of the noise of one example, draws first; `starts_fitted` says
    whether the weights at the start are already those of a fitted model.
    """

    starts_fitted = False

    def __init__(self, model: Model, objective: Objective, n_samples: int = 1):
        super().__init__()
        self.model = model
        self.objective = objective
        self.n_noise = n_samples * objective.noise_per_sample
        self.noise_shape = (self.n_noise, *(model.noise_shape if self.n_noise else ()))

    def forward(
        self, arrays: tuple[Tensor, ...], noise: Tensor, given: Conditional | None = None
    ) -> Bound:
        x, y = arrays if len(arrays) > 1 else (None, *arrays)
        given = given or self.model.condition(x)
        return self.objective.bound(self.model, given, x, y, noise[: self.n_noise])

    def train(self, mode: bool = True) -> "ObjectiveModule":
        """Set the mode; a no-op if it is unchanged, since skorch calls it for each batch."""
        return self if self.training == mode else super().train(mode)


@dataclass
class Loss:
    """Negative weighted mean of an objective, with a weight for the KL term.

    The weight grows to 1 + `beta` over `warmup` epochs; a callback sets it in each epoch.
    """

    beta: float = 0.0
    warmup: int = 0
    kl_weight: float = 1.0

    def __call__(self, bound: Bound, weight: Tensor | None = None) -> Tensor:
        value = bound.reconstruction - self.kl_weight * bound.kl
        return -(value if weight is None else value * weight).mean()

    def state_dict(self) -> dict[str, float]:
        """Return the mutable state, for skorch's checkpoints."""
        return {"kl_weight": self.kl_weight}

    def load_state_dict(self, state: dict[str, float]) -> None:
        """Set the mutable state."""
        self.kl_weight = state["kl_weight"]


class Net(NeuralNet):
    """A skorch net whose history is in nats, in the units of y."""

    def __init__(
        self, *args, average: WeightAverage, precision: str, n_threads: str | int, **kwargs
    ):
        super().__init__(*args, **kwargs)
        self.average = average
        self.precision = precision
        self.n_threads = n_threads
        self.paces = {training: Pace(n_threads) for training in (True, False)}
        self.interrupted = False
        self.interrupts = Interrupts()
        self.listeners: dict[str, list[Callback]] = {}

    # skorch's hooks.

    _default_callbacks: ClassVar[list] = []  # losses are recorded by the net

    def on_epoch_begin(self, net, **kwargs):
        """Start an epoch with the weights in place of their average: callbacks may set them."""
        super().on_epoch_begin(net, **kwargs)
        self.average.swap()

    def infer(self, x, **fit_params):
        """Evaluate the objective of a batch, which is on the device, in the chosen precision."""
        if self.precision != "bfloat16":
            return self.module_(**x)
        with self.autocast():
            return self.module_(**x)

    def get_loss(self, y_pred, y_true, X=None, training=False):
        """Return the loss of a batch: `y_pred` is its bound, `y_true` its weights or None."""
        return self.criterion_(Bound(*y_pred), y_true)

    @torch.no_grad()
    def validation_step(self, batch, **fit_params):
        """Evaluate the objective, the estimated CLL and the KL of each unit on a batch."""
        self._set_training(False)
        inputs, weight = batch
        with self.autocast():
            bound, *terms = self.evaluated(**inputs)
        return {"loss": self.get_loss(bound, weight), "y_pred": bound, "terms": terms}

    def evaluated(
        self, arrays: tuple[Tensor, ...], noise: Tensor, n_at_once: int = 1
    ) -> tuple[Bound | Tensor, ...]:
        """Return the bound, log p(y|x), and the KL of each unit where the prior is Gaussian."""
        model = self.module.model
        x, y = arrays if len(arrays) > 1 else (None, *arrays)
        given = model.condition(x)
        bound = self.module(arrays, noise, given)
        if model.is_deterministic:
            return bound, given.likelihood().log_prob(y)
        if given.prior is None:  # an autoencoder has no density
            return (bound,)
        blocks = noise.split(n_at_once)
        estimate = importance_sampling(
            model, x, y, blocks, given, widening=WIDENING, n_draws=len(noise)
        )
        # Moments of other priors have no closed form: too slow for every epoch.
        if model.recognition is None or not is_gaussian(given.prior):
            return bound, estimate.log_prob
        units = kl_of_units(model.recognition(x, y), given.prior)
        return bound, estimate.log_prob, *units.unbind(1)

    def threads(self, n_nets: int = 1) -> contextlib.AbstractContextManager:
        """Return a context in which torch takes as many threads as batches can use."""
        return limited(n_nets * self.batch_size * row_work(self.module), self.n_threads)

    def autocast(self) -> contextlib.AbstractContextManager:
        """Return a context in which matrix products have the chosen precision."""
        if self.precision != "bfloat16":
            return contextlib.nullcontext()
        return torch.autocast(next(self.module.parameters()).device.type, torch.bfloat16)

    # skorch's loop, where its hooks do not suffice.

    def run_single_epoch(self, iterator, training, prefix, step_fn, **fit_params):
        """Run the batches of one epoch; read their losses once, at its end.

        skorch reads each loss as it comes, which waits for a GPU, averages them without
        weights, and keeps a row of the history for each batch. Nor has it an event between
        training and validation, where the average takes the place of the weights.
        """
        if iterator is None:
            return
        total = 0.0
        for batch in iterator:
            self.notify("on_batch_begin", batch=batch, training=training)
            with self.paces[training].step():
                step = step_fn(batch, **fit_params)
                if training:
                    self.average.update()
            self.notify("on_batch_end", batch=batch, training=training, **step)
            total += _summed(step, batch[1])
        if training:
            self.average.swap()
        self.record(prefix, iterator.dataset.log_jacobian, self.reduced(total, training).tolist())

    def reduced(self, total: Tensor, training: bool) -> Tensor:
        """Return sums over all processes: by default there is one."""
        return total

    def record(self, prefix: str, log_jacobian: tuple[float, float], totals: list[float]) -> None:
        """Record an epoch in the history, from weighted sums of its terms and of the weights."""
        if not self.history[-1]["batches"]:
            self.history.new_batch()  # skorch's Checkpoint names files after the last one
        *sums, weight = totals
        reconstruction, kl, *rest = (part / weight for part in sums)
        full, coarse = log_jacobian
        reconstruction += full + coarse
        loss = self.criterion_.kl_weight * kl - reconstruction
        best = min((row[f"{prefix}_loss"] for row in self.history[:-1]), default=math.inf)
        self.history.record(f"{prefix}_loss", loss)
        self.history.record(f"{prefix}_loss_best", loss < best)
        self.history.record(f"{prefix}_reconstruction", reconstruction)
        self.history.record(f"{prefix}_{self.module.objective.penalty}", kl)
        if rest:
            self.history.record(f"{prefix}_cll", rest[0] + full)
        if rest[1:]:
            self.history.record(f"{prefix}_active_units", sum(nats > ACTIVE for nats in rest[1:]))

    def row_scores(self, rows) -> tuple[Tensor, Tensor]:
        """Return the CLL of each row, or its negative loss, and its weight, in float64."""
        scores, weights = [], []
        for batch in self.get_iterator(rows, training=False):
            step, weight = self.validation_step(batch), batch[1]
            bound, terms = step["y_pred"], step["terms"]
            value = bound.reconstruction - self.criterion_.kl_weight * bound.kl
            scores.append(double(terms[0] if terms else value))
            weights.append(torch.ones_like(scores[-1]) if weight is None else double(weight))
        return torch.cat(scores), torch.cat(weights)

    def notify(self, method_name, **cb_kwargs):
        """Call all callbacks that define an event; then stop training if one asked to.

        Callbacks of skorch ask by a KeyboardInterrupt, which would keep the others from
        seeing the epoch. Ctrl-C is told from it by its signal, also where a callback caught it.
        Events of batches cost a hundredth of a small step, and are skipped where nobody listens.
        """
        if method_name not in BATCH_EVENTS or any(map(self.listening, BATCH_EVENTS)):
            getattr(self, method_name)(self, **cb_kwargs)
        asked = None
        for callback in self.listening(method_name):
            try:
                getattr(callback, method_name)(self, **cb_kwargs)
            except KeyboardInterrupt as stop:
                if self.interrupts.received:
                    raise
                asked = stop
        if self.interrupts.received:
            raise KeyboardInterrupt
        if asked is not None:
            raise StopTraining from asked

    def listening(self, method_name: str) -> list[Callback]:
        """Return the callbacks that define an event."""
        if method_name not in self.listeners:
            found = self.listeners[method_name] = []
            for _, callback in self.callbacks_:
                if getattr(type(callback), method_name) is not getattr(Callback, method_name):
                    found.append(callback)
        return self.listeners[method_name]


def _summed(step: dict, weight: Tensor | None) -> Tensor:
    """Return weighted sums of the terms of a batch, and of the weights, in float64."""
    reconstruction, kl = step["y_pred"]
    terms = [reconstruction.detach(), kl.detach(), *step.get("terms", [])]
    terms = double(torch.stack([*terms, torch.ones_like(terms[0])]))
    return terms.sum(1) if weight is None else terms @ double(weight)


def train(net: Net, rows) -> None:
    """Train a net; an interrupt keeps what was learned, if an epoch has ended."""
    with net.interrupts.noted(), net.threads():
        net.average.start(list(net.module.parameters()))
        net.notify("on_train_begin", X=rows, y=None)
        try:
            net.fit_loop(rows, epochs=net.max_epochs - len(net.history))
        except KeyboardInterrupt as stop:
            net.interrupted = not isinstance(stop, StopTraining)
        end(net, rows)


def end(net: Net, rows) -> None:
    """Keep the best weights of a net, and no rows; raise KeyboardInterrupt without an epoch."""
    net.interrupts.received, net.interrupts.held = False, True  # until the weights are set
    try:
        net.notify("on_train_end", X=rows, y=None)
    except KeyboardInterrupt as stop:
        net.interrupted |= not isinstance(stop, StopTraining)
    finally:  # callbacks of the user may expect an epoch
        if not net.history:
            raise KeyboardInterrupt
    # A fitted net keeps neither rows nor a second set of weights.
    net.train_split, net.average = None, None
