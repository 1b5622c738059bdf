"""One training of several nets: weights stacked along a first axis, one batched step for all.

The step of one member is a function of its weights and its batch, :class:`Member`. It is mapped
over the members and differentiated, and soon recorded as a sequence of tensor operations, which
all further steps repeat: the work in Python does not grow with the members. What belongs to one
fit stays with its net: rows, order and noise, the schedule of the KL weight, history, early
stopping and best weights.
"""

import inspect
from collections.abc import Callable
from operator import attrgetter

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.nn.utils import parameters_to_vector

from skcvae.data.stacked import StackedBatch, StackedBatches
from skcvae.inference.conditional_likelihood import double
from skcvae.training.callbacks import ClipGradients
from skcvae.training.net import Net, ObjectiveModule
from skcvae.training.recording import recorded
from skcvae.training.stackable import stackable
from skcvae.training.validation import evaluated
from skcvae.training.weights import WeightAverage

RECORDED_AFTER = 30  # calls; it takes as long as some 200 calls save


class Member(nn.Module):
    """What a net computes of a batch, as a function of weights and the objective's numbers."""

    def __init__(self, module: ObjectiveModule):
        super().__init__()
        self.module = stackable(module)

    def forward(self, arrays: tuple[Tensor, ...], noise: Tensor, numbers: dict[str, Tensor]):
        """Return the bound of each row, or in evaluation mode all that a net validates by."""
        vars(self.module.objective).update(numbers)
        if self.training:
            return self.module(arrays, noise)
        return evaluated(self.module, arrays, noise, len(noise))


class StackedNets:
    """The weights of several nets, their optimizer and their average.

    Between steps each net's module has the averaged weights, so that its callbacks find what
    is validated and kept.
    """

    def __init__(self, nets: list[Net]):
        self.nets = nets
        self.member = Member(nets[0].module)
        self.shapes = {name: p.shape for name, p in self.member.named_parameters()}
        vectors = [parameters_to_vector(net.module.parameters()).detach() for net in nets]
        self.rows = [nn.Parameter(vector) for vector in vectors]
        self.averages = [vector.clone() for vector in vectors]
        self.moving = WeightAverage(nets[0].average.decay)
        self.optimizer = _optimizer(nets, self.rows)
        clips = (c.max_norm for _, c in nets[0].callbacks_ if isinstance(c, ClipGradients))
        self.max_norm = next(clips, None)
        self._assemble()

    def _assemble(self) -> None:
        """Lay the weights of all members side by side."""
        self.weights = torch.stack([row.data for row in self.rows])
        self.average = self.weights
        if self.moving.decay:
            self.average = torch.stack(self.averages)
            self.moving.weights, self.moving.average = [self.weights], [self.average]
        for row, weights in zip(self.rows, self.weights, strict=True):
            row.data = weights
        for net, average in zip(self.nets, self.average, strict=True):
            for parameter, part in zip(net.module.parameters(), self._parts(average), strict=True):
                parameter.data = part
        buffers = [dict(net.module.named_buffers(prefix="module")) for net in self.nets]
        self.buffers = {name: torch.stack([b[name] for b in buffers]) for name in buffers[0]}
        varying = self.nets[0].module.objective.varying
        self.numbers = {name: self._gathered(f"module.objective.{name}") for name in varying}
        self.functions = {}

    def _gathered(self, name: str) -> Tensor:
        """Return a number of each net."""
        numbers = list(map(attrgetter(name), self.nets))
        return torch.tensor(numbers, dtype=self.weights.dtype, device=self.weights.device)

    def _parts(self, weights: Tensor) -> list[Tensor]:
        """Return the parameters in vectors of weights, of shape (..., n_weights)."""
        sizes = [shape.numel() for shape in self.shapes.values()]
        lead = weights.shape[:-1]
        parts = zip(weights.split(sizes, -1), self.shapes.values(), strict=True)
        return [part.view(*lead, *shape) for part, shape in parts]

    def keep(self, kept: list[int]) -> None:
        """Let the other members leave."""
        self.nets = [self.nets[i] for i in kept]
        self.rows, left = [self.rows[i] for i in kept], set(self.rows)
        self.averages = [self.average[i] for i in kept]
        left -= set(self.rows)
        for group in self.optimizer.param_groups:
            group["params"] = [row for row in group["params"] if row not in left]
        for row in left:
            self.optimizer.state.pop(row)
        self._assemble()

    def release(self) -> None:
        """Give each net weights in memory of its own."""
        for net in self.nets:
            for parameter in net.module.parameters():
                parameter.data = parameter.data.clone()

    # One epoch.

    @torch.no_grad()
    def train(self, batches: StackedBatches) -> list[list[float]]:
        """Take the steps of one epoch; return weighted sums of each member's terms."""
        self.member.train()
        kl_weight, bounds, weights = self._gathered("criterion_.kl_weight"), [], []
        for batch in batches:
            arguments = batch.arrays, batch.noise, batch.share, kl_weight
            with self.nets[0].paces[True].step():
                gradient, *bound = self._recorded(self._gradient)(*self._state(), *arguments)
                for row, part in zip(self.rows, gradient, strict=True):
                    row.grad = part
                self.optimizer.step()
                self.moving.update()
            bounds.append(torch.stack(bound))
            weights.append(batch.weight)
        return _sums(torch.cat(bounds, -1), torch.cat(weights, -1))

    @torch.no_grad()
    def validate(self, batches: list[StackedBatch]) -> list[list[float]]:
        """Return weighted sums of each member's terms over its validation rows."""
        self.member.eval()
        total = 0.0
        for batch in batches:
            values = self._recorded(self._values)(*self._state(), batch.arrays, batch.noise)
            total = total + torch.tensor(_sums(torch.stack(values), batch.weight))
        return total.tolist()

    def _state(self) -> tuple[Tensor, dict, dict]:
        weights = self.weights if self.member.training else self.average
        return weights, self.buffers, self.numbers

    # Functions of all members, and their recordings.

    def _recorded(self, function: Callable) -> Callable:
        """Return a function that soon repeats the tensor operations of another one."""

        def call(*arguments):
            key = function.__name__, *(part.shape for part in arguments[3])
            n_calls, run = self.functions.get(key, (0, function))
            if n_calls == RECORDED_AFTER:
                run = recorded(function, arguments)
            self.functions[key] = n_calls + 1, run
            return run(*arguments)

        return call

    def _mapped(self, parts: list[Tensor], buffers: dict, numbers: dict, arrays, noise):
        """Return what each member computes of its batch."""
        state = {**dict(zip(self.shapes, parts, strict=True)), **buffers}

        def one(state, *arguments):
            return functional_call(self.member, state, arguments)

        return vmap(one)(state, arrays, noise, numbers)

    def _gradient(self, weights, buffers, numbers, arrays, noise, share, kl_weight):
        """Return clipped gradients of shape (M, n_weights), and the terms of each row."""
        with torch.enable_grad():
            parts = [part.detach().requires_grad_() for part in self._parts(weights)]
            reconstruction, kl = self._mapped(parts, buffers, numbers, arrays, noise)
            loss = -(share * (reconstruction - kl_weight[:, None] * kl)).sum()
            gradients = torch.autograd.grad(loss, parts)
        gradient = torch.cat([part.flatten(1) for part in gradients], 1)
        if self.max_norm is not None:
            norm = torch.linalg.vector_norm(gradient, dim=1, keepdim=True)
            gradient = gradient * (self.max_norm / (norm + 1e-6)).clamp(max=1.0)
        return gradient, reconstruction.detach(), kl.detach()

    def _values(self, weights, buffers, numbers, arrays, noise):
        """Return what a net validates by, of each row."""
        bound, *terms = self._mapped(self._parts(weights), buffers, numbers, arrays, noise)
        return [double(term) for term in (*bound, *terms)]


def _optimizer(nets: list[Net], rows: list[nn.Parameter]) -> torch.optim.Optimizer:
    """Return one optimizer of all weights, with a group for each learning rate and decay."""
    kind, groups = type(nets[0].optimizer_), {}
    for net, row in zip(nets, rows, strict=True):
        own = net.optimizer_.param_groups[0]
        group = {"params": [], "lr": own["lr"], "weight_decay": own["weight_decay"]}
        groups.setdefault((own["lr"], own["weight_decay"]), group)["params"].append(row)
    accepted = inspect.signature(kind).parameters
    shared = {k: v for k, v in nets[0].optimizer_.defaults.items() if k in accepted}
    return kind(list(groups.values()), **shared)


def _sums(terms: Tensor, weight: Tensor) -> list[list[float]]:
    """Return sums over rows of terms of shape (n_terms, M, n) and of their weights, (M, ...)."""
    terms = double(torch.stack([*terms, torch.ones_like(terms[0])]))
    return (terms * double(weight)).sum(-1).T.tolist()
