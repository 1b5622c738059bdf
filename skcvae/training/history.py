"""The history of an epoch: means in nats, of weighted sums of the terms of its batches."""

import math
from itertools import count

import torch
from skorch.history import History
from torch import Tensor

from skcvae.inference.conditional_likelihood import double
from skcvae.inference.posterior_collapse import ACTIVE

SIGNS = {"train_loss": -1, "valid_loss": -1, "valid_cll": 1}  # with which higher is better


def columns(module, *, validated: bool, judged: bool) -> set[str]:
    """Return the net's own columns of an epoch, as they are known before training.

    There are rows held out if `validated`, and early stopping judges by them if `judged`.
    """
    prior, penalty = getattr(module.model, "prior", None), module.objective.penalty
    sizes = getattr(getattr(prior, "family", None), "sizes", ())
    terms = ["loss", "loss_best", "reconstruction", penalty]
    terms += [f"kl_scale_{number}" for number in range(1, len(sizes) + 1)]
    prefixes = ("train", "valid") if validated else ("train",)
    found = {"epoch", "dur", *(f"{prefix}_{term}" for prefix in prefixes for term in terms)}
    if validated and (module.model.is_deterministic or prior is not None):
        found |= {"valid_cll", "valid_active_units", *["valid_cll_best"] * judged}
    return found


def summed(step: dict, weight: Tensor | None) -> Tensor:
    """Return weighted sums of the terms of a batch, and of the weights, in float64."""
    reconstruction, kl = step["y_pred"]
    by_scale = kl.detach().reshape(len(kl), -1).unbind(1)
    terms = [reconstruction.detach(), *by_scale, *step.get("terms", [])]
    terms = double(torch.stack([*terms, torch.ones_like(terms[0])]))
    return terms.sum(1) if weight is None else terms @ double(weight)


def record(net, prefix: str, rows, totals: list[float], n_scales: int = 1) -> None:
    """Record an epoch in the last row of the history, in the units of y.

    `totals` are weighted sums of the terms of all batches, and of the weights; `n_scales` of the
    terms are KL terms.
    """
    history = net.history
    if not history[-1]["batches"]:
        history.new_batch()  # skorch's Checkpoint names files after the last one
    *sums, weight = totals
    reconstruction, *rest = (part / weight for part in sums)
    by_scale, rest = rest[:n_scales], rest[n_scales:]
    kl = sum(by_scale)
    full, coarse = rows.log_jacobian
    reconstruction += full + coarse
    loss = net.criterion_.kl_weight * kl - reconstruction
    best = min((row[f"{prefix}_loss"] for row in history[:-1]), default=math.inf)
    history.record(f"{prefix}_loss", loss)
    history.record(f"{prefix}_loss_best", loss < best)
    history.record(f"{prefix}_reconstruction", reconstruction)
    history.record(f"{prefix}_{net.module.objective.penalty}", kl)
    if n_scales > 1:
        for number, part in enumerate(by_scale, start=1):
            history.record(f"{prefix}_kl_scale_{number}", part)
    if rest:
        history.record(f"{prefix}_cll", rest[0] + full)
    if rest[1:]:
        history.record(f"{prefix}_active_units", sum(nats > ACTIVE for nats in rest[1:]))


def join(first: History, net) -> None:
    """Let the history of a later training, whose every epoch counts, follow that of the first."""
    for epoch, row in zip(count(len(first) + 1), net.history, strict=False):
        row["epoch"] = epoch
    net.history_ = History([*first.to_list(), *net.history.to_list()])


def mark_best(history: History) -> None:
    """Unmark the epochs of a later training that were the best ones of that training alone."""
    for name, sign in SIGNS.items():
        best = -math.inf
        for row in history:
            if row.get(f"{name}_best"):
                row[f"{name}_best"] = sign * row[name] > best
                best = max(best, sign * row[name])
