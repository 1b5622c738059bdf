"""Which nets can be trained as one stack, and which are better trained one after another."""

import itertools

import joblib
import torch
from skorch.callbacks import EpochTimer
from torch import nn

from skcvae.data.batches import Rows, StreamedRows
from skcvae.objectives import ELBO, GSNN, IWAE, Deterministic, Hybrid
from skcvae.training.callbacks import (
    BestWeights,
    ClipGradients,
    FiniteLoss,
    LatentsInUse,
    ProgressLine,
)
from skcvae.training.net import Net, ObjectiveModule
from skcvae.training.weights import ELEMENTWISE

CALLBACKS = {EpochTimer, ClipGradients, FiniteLoss, BestWeights, LatentsInUse, ProgressLine}
OBJECTIVES = {ELBO, GSNN, IWAE, Hybrid, Deterministic}
LAYERS = {
    *(nn.Linear, nn.Identity, nn.Flatten, nn.Sequential, nn.ModuleList),
    *(nn.ELU, nn.GELU, nn.ReLU, nn.SiLU, nn.Tanh),
}
# Attributes of a module that differ between members.
OF_ONE = {"objective", "start", "departure", "least_gain", "unseen_loss", "starts_at_random"}
# Weights times rows of a batch, above which a CPU is busy with products: benchmarks/stack.py.
LARGEST_STEP = 40_000_000


def why_alone(net: Net, rows: Rows | StreamedRows) -> str | None:
    """Return why a net is not trained in a stack, or None where it can be."""
    module, held_out = net.module, net.get_split_datasets(rows)[1]
    callbacks = {type(callback) for _, callback in net.callbacks_} - CALLBACKS
    layers = {type(layer) for layer in module.modules() if not _is_stackable(layer)}
    size = sum(p.numel() for p in module.parameters()) * min(net.batch_size, len(rows))
    reasons = {
        "an accelerator": type(net) is not Net,
        "compile": net.compile,
        "groups of parameters": len(net.optimizer_.param_groups) > 1,
        f"precision={net.precision!r}": net.precision != "float32",
        _named("callbacks", callbacks): callbacks,
        f"the optimizer {type(net.optimizer_).__name__}": type(net.optimizer_) not in ELEMENTWISE,
        f"the objective {module.objective!r}": type(module.objective) not in OBJECTIVES,
        "free nats, which are of a whole batch": getattr(module.objective, "free_nats", 0),
        _named("layers", layers): layers,
        "rows that are read in batches": not {type(rows), type(held_out)} <= {Rows, type(None)},
        "large products": rows.device.type == "cpu" and size > LARGEST_STEP,
    }
    return next(itertools.compress(reasons, reasons.values()), None)


def _is_stackable(layer: nn.Module) -> bool:
    """Return whether a layer is a function of its inputs that can be mapped over members."""
    if type(layer) in LAYERS:
        return True
    is_own = type(layer).__module__.startswith("skcvae.")
    draws = hasattr(layer, "generator")
    stage = isinstance(layer, ObjectiveModule) and type(layer) is not ObjectiveModule
    return is_own and not draws and not stage


def _named(what: str, kinds: set[type]) -> str:
    return f"{what} {', '.join(sorted(kind.__name__.lstrip('_') for kind in kinds))}"


def kind(net: Net, rows: Rows) -> str:
    """Return a hash that is the same for nets that can be trained in one stack.

    Nets may differ in all that belongs to one fit: seeds and rows, the weight of the KL term,
    learning rate and weight decay, and the objective's `varying` parameters.
    """
    held_out = net.get_split_datasets(rows)[1]
    optimizer = {**net.optimizer_.defaults, "lr": None, "weight_decay": None}
    iterator = net.get_iterator(held_out, training=False) if held_out is not None else None
    return joblib.hash(
        [
            _structure(net.module),
            [type(net.optimizer_), sorted(optimizer.items())],
            [vars(c) for _, c in net.callbacks_ if isinstance(c, ClipGradients)],
            [net.average.decay, str(rows.device), net.batch_size],
            -(-rows.n_rows // net.batch_size),
            None if iterator is None else -(-held_out.n_rows // iterator.n_rows),
        ]
    )


def _structure(module: nn.Module) -> list:
    """Return all of a module but its numbers, and what the members of a stack may vary."""
    objective = module.objective
    numbers = {**vars(objective), **dict.fromkeys(objective.varying)}
    found = [type(objective), numbers, module.n_noise]
    for name, part in module.named_modules():
        kept = {k: v for k, v in vars(part).items() if not k.startswith("_") and k not in OF_ONE}
        found.append([name, type(part), {k: _comparable(v) for k, v in kept.items()}])
    tensors = itertools.chain(module.named_parameters(), module.named_buffers())
    return [*found, [(name, tuple(t.shape), str(t.dtype)) for name, t in tensors]]


def _comparable(value):
    """Return a value, or of functions and modules their names."""
    if isinstance(value, torch.Generator | nn.Module):
        return type(value)
    return getattr(value, "__qualname__", value)
