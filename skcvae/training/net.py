"""The skorch net: module, loss, the average of the weights, and the loop.

The module is a model under an objective, the criterion the weighted mean of its two terms.
Losses stay on the device until the epoch ends, and an average of the weights is validated
and kept.
"""

import contextlib
from collections.abc import Generator, Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import ClassVar

import torch
from skorch import NeuralNet
from skorch.callbacks import Callback
from torch import Tensor, nn

from skcvae.data.coding import rows_at_once
from skcvae.model import Conditional, Model
from skcvae.objectives.base import Bound, Objective
from skcvae.threads import Pace, limited, row_work
from skcvae.training.history import record, summed
from skcvae.training.interrupts import Interrupts, StopTraining
from skcvae.training.validation import evaluated
from skcvae.training.weights import WeightAverage, moved_weights

BATCH_EVENTS = ("on_batch_begin", "on_batch_end")


class ObjectiveModule(nn.Module):
    """A model under an objective with L draws of z per example: the module that is trained.

    `noise_shape` is the shape of the noise of one example, draws first; `start` is the state of
    a fitted model, if there is one, that training has to exceed by `least_gain` errors, where one
    more row loses `unseen_loss` nats, and `departure` that of this model with noise that steps do
    not exceed. A warning of lost rows comes from the last training, if it started there, and not
    where it goes on from a trained model.
    """

    start: dict[str, Tensor] | None = None
    departure: dict[str, Tensor]
    least_gain = 1.0
    unseen_loss = 0.0
    starts_at_random = False
    is_last_training = False
    goes_on = False

    def __init__(self, model: Model, objective: Objective, n_samples: int = 1):
        super().__init__()
        self.model = model
        self.objective = objective
        self.n_noise = n_samples * objective.noise_per_sample
        self.noise_shape = (self.n_noise, *(model.noise_shape if self.n_noise else ()))

    def compete_with(
        self, weights: dict[str, Tensor], least_gain: float, unseen_loss: float
    ) -> None:
        """Set the weights of a model that is kept if training does not exceed it.

        Training departs from the weights that the module now has.
        """
        self.departure = deepcopy(self.state_dict())
        self.least_gain, self.unseen_loss = least_gain, unseen_loss
        self.start = self.departure | {f"model.{name}": part for name, part in weights.items()}

    def forward(
        self, arrays: tuple[Tensor, ...], noise: Tensor, given: Conditional | None = None
    ) -> Bound:
        x, y = arrays if len(arrays) > 1 else (None, *arrays)
        given = given or self.model.condition(x)
        return self.objective.bound(self.model, given, x, y, noise[: self.n_noise])

    def train(self, mode: bool = True) -> "ObjectiveModule":
        """Set the mode; a no-op if it is unchanged, since skorch calls it for each batch.

        A compiled module sets the mode of this one, but not that of its layers, before.
        """
        return self if self.training == self.model.training == mode else super().train(mode)


@dataclass
class Loss:
    """Negative weighted mean of an objective, with a weight for the KL term.

    The weight grows to 1 + `beta` over `warmup` epochs; None takes 20, or a fifth of all.
    """

    beta: float = 0.0
    warmup: int | None = 0
    kl_weight: float = 1.0

    def __call__(self, bound: Bound, weight: Tensor | None = None) -> Tensor:
        value = torch.sub(bound.reconstruction, bound.total_kl, alpha=self.kl_weight)
        return -(value if weight is None else value * weight).mean()

    def begin_epoch(self, number: int, n_epochs: int) -> None:
        """Set the weight of the KL term in an epoch of so many; the first has number 1."""
        share = min(number / (self.n_warmup(n_epochs) + 1), 1.0)
        self.kl_weight = (1 + float(self.beta)) * share

    def n_warmup(self, n_epochs: int) -> int:
        """Return the number of epochs, of so many, in which the KL term has less weight."""
        return min(20, n_epochs // 5) if self.warmup is None else self.warmup

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
        self.weights: list[nn.Parameter] = []  # that the optimizer moves
        self.n_threads = n_threads
        self.paces = {True: Pace(n_threads), False: Pace(n_threads)}  # in training, or not
        self.interrupted = False
        self.interrupts = Interrupts()
        self.listeners: dict[str, list[Callback]] = {}

    # skorch's hooks.

    _default_callbacks: ClassVar[list] = []  # losses are recorded by the net

    def on_epoch_begin(self, net, **kwargs):
        """Start an epoch with the weights in place of their average: callbacks may set them."""
        super().on_epoch_begin(net, **kwargs)
        self.average.swap()
        self.criterion_.begin_epoch(len(self.history), self.max_epochs)

    def infer(self, x, **fit_params):
        """Evaluate the objective of a batch, which is on the device, in the chosen precision."""
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
        n_rows, row_size = inputs["noise"].shape[1], self.module.model.row_size
        n_at_once = max(rows_at_once(row_size) // n_rows, 1)
        with self.autocast():
            bound, *terms = evaluated(self.module, **inputs, n_at_once=n_at_once)
        return {"loss": self.get_loss(bound, weight), "y_pred": bound, "terms": terms}

    def threads(self, n_nets: int = 1) -> contextlib.AbstractContextManager:
        """Return a context in which torch takes as many threads as batches can use."""
        return limited(n_nets * self.batch_size * row_work(self.module), self.n_threads)

    def autocast(self) -> contextlib.AbstractContextManager:
        """Return a context in which matrix products have the chosen precision."""
        if self.precision != "bfloat16":
            return contextlib.nullcontext()
        return torch.autocast(next(self.module.parameters()).device.type, torch.bfloat16)

    # skorch's loop, where its hooks do not suffice.

    def _zero_grad_optimizer(self, set_to_none=None):
        """Set gradients to zero in place where those of the parameters are views of one."""
        if len(self.weights) != 1 or self.weights[0].grad is None:
            return super()._zero_grad_optimizer(set_to_none)
        self.weights[0].grad.zero_()

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
            total += summed(step, batch[1])
        if training:
            self.average.swap()
        n_scales = step["y_pred"][1].shape[1:].numel()
        totals = self.reduced(total, training).tolist()
        record(self, prefix, iterator.dataset, totals, n_scales)

    def reduced(self, total: Tensor, training: bool) -> Tensor:
        """Return sums over all processes: by default there is one."""
        return total

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
            raise StopTraining(f"a callback stopped training in {method_name}") from asked

    def listening(self, method_name: str) -> list[Callback]:
        """Return the callbacks that define an event."""
        if method_name not in self.listeners:
            found = self.listeners[method_name] = []
            for _, callback in self.callbacks_:
                if getattr(type(callback), method_name) is not getattr(Callback, method_name):
                    found.append(callback)
        return self.listeners[method_name]


def train(net: Net, rows) -> None:
    """Train a net; an interrupt keeps what was learned, if an epoch has ended."""
    with net.interrupts.noted(), net.threads(), released(net):
        net.weights = moved_weights(net)
        net.average.start(net.weights)
        net.notify("on_train_begin", X=rows, y=None)
        try:
            net.fit_loop(rows, epochs=net.max_epochs - len(net.history))
        except KeyboardInterrupt as stop:
            net.interrupted = not isinstance(stop, StopTraining)
        end(net, rows)


def train_all(trainings: Generator) -> None:
    """Train nets as a fit asks for them; what one raises is raised where it was asked for."""
    error = None
    with contextlib.suppress(StopIteration):
        while True:
            net, rows = next(trainings) if error is None else trainings.throw(error)
            try:
                train(net, rows)
                error = None
            except BaseException as raised:
                error = raised


def end(net: Net, rows) -> None:
    """Keep the best weights of a net; raise KeyboardInterrupt without an epoch."""
    net.interrupts.received, net.interrupts.held = False, True  # until the weights are set
    try:
        net.notify("on_train_end", X=rows, y=None)
    except KeyboardInterrupt as stop:
        net.interrupted |= not isinstance(stop, StopTraining)
    finally:  # callbacks of the user may expect an epoch
        if not net.history:
            raise KeyboardInterrupt


@contextlib.contextmanager
def released(*nets: Net) -> Iterator[None]:
    """Keep neither rows nor a second set of weights after a training, also where it failed."""
    try:
        yield
    finally:
        for net in nets:
            net.train_split, net.average, net.weights = None, None, []
            for parameter in net.module.parameters():
                parameter.data, parameter.grad = parameter.data.clone(), None
