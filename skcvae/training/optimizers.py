"""The optimizer that the options name, and a trial of it before training."""

import inspect

import torch
from torch import nn
from torch.optim import Optimizer

KERNELS = {"fused", "foreach", "differentiable"}  # of which an optimizer takes one
OWN = {"lr", "weight_decay"}  # parameters with a name of their own


def optimizer_params(optimizer: str | type, weight_decay: float, own: dict | None) -> dict:
    """Return class and parameters of an optimizer: one fused kernel where there is one."""
    own = own or {}
    kind = getattr(torch.optim, optimizer) if isinstance(optimizer, str) else optimizer
    accepted, params = inspect.signature(kind).parameters, {}
    if "fused" in accepted and not KERNELS & own.keys():
        params["fused"] = True
    if weight_decay or "weight_decay" in accepted:
        params["weight_decay"] = weight_decay
    return {"optimizer": kind, **params, **own}


def tried(optimizer: str | type, weight_decay: float, own: dict | None, lr: float) -> Optimizer:
    """Return the optimizer, of weights that stand for those of a net, or refuse its parameters."""
    for name in OWN & (own or {}).keys():
        raise ValueError(f"optimizer_params cannot have {name!r}: set the parameter {name}.")
    params = optimizer_params(optimizer, weight_decay, own)
    kind, groups = params.pop("optimizer"), params.pop("param_groups", [])
    try:
        weights = [{"params": [_weight()], **group} for _, group in groups]  # as skorch does
        return kind([*weights, {"params": [_weight()]}], lr=lr, **params)
    except Exception as error:
        known = [name for name in inspect.signature(kind).parameters if name not in OWN]
        raise ValueError(
            f"optimizer={kind.__name__} cannot be made with weight_decay={weight_decay} and "
            f"optimizer_params={own}: {error}. Expected parameters among {known[1:]}."
        ) from error


def _weight() -> nn.Parameter:
    return nn.Parameter(torch.zeros(1))
