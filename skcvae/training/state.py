"""The state of training between two epochs: collected, checked, and restored.

It is: weights and their average, optimizer, generators, history, and what callbacks have
learned, the learning rate's schedule and the best weights among them. Everything else, scaling
and sizes too, follows from the data and the parameters. What is read is checked against the net
that is about to train: names, shapes and types are those of its own state.
"""

import numpy as np
import torch
from skorch.callbacks import Callback
from skorch.history import History
from torch import Generator, Tensor

from skcvae.io.restoring import check_history, check_weights, recorded
from skcvae.training.callbacks import BestWeights, ProgressLine


def collected(net) -> dict:
    """Return the state of training before an epoch, whose row the history has already."""
    return {
        "history": _plain(net.history[:-1]),
        "weights": dict(net.module.state_dict()),
        "average": {"n_steps": net.average.n_steps, "weights": net.average.average},
        "optimizer": _plain(net.optimizer_.state_dict()),
        "generators": [source.get_state() for source in _generators(net)],
        "callbacks": {name: held for name, c in net.callbacks_ if (held := _fitted(c))},
    }


def restore(net, state: dict) -> None:
    """Set the state of a net that has not trained, once it is checked."""
    net.history_ = History(state["history"])
    net.module.load_state_dict(state["weights"])
    net.average.n_steps = state["average"]["n_steps"]
    for average, saved in zip(net.average.average, state["average"]["weights"], strict=True):
        average.copy_(saved)
    net.optimizer_.load_state_dict(state["optimizer"])
    for source, saved in zip(_generators(net), state["generators"], strict=True):
        source.set_state(saved)
    for name, callback in net.callbacks_:
        for attribute, saved in state["callbacks"].get(name, {}).items():
            value = getattr(callback, attribute, None)
            if _has_state(value):
                value.load_state_dict(saved)
            else:
                setattr(callback, attribute, saved)
    net.average.swap()  # the state is of an epoch that has begun


def checked(net, state: dict) -> dict:
    """Return a state, if it is one of this net; raise ValueError otherwise."""
    own = collected(net)
    _agree(state.keys() == own.keys(), "entries")
    check_history(state["history"])
    n_epochs, columns = len(state["history"]), set(map(frozenset, map(recorded, state["history"])))
    _agree(n_epochs < net.max_epochs and len(columns) <= 1, "history")
    is_validated = any("valid_loss" in row for row in state["history"])
    _agree(not n_epochs or is_validated == (net.train_split is not None), "history")
    _check_tensors(net.module.state_dict(), state["weights"])
    _agree(_alike(state["average"], own["average"]), "average")
    _agree(state["average"]["n_steps"] >= 0, "average")
    _check_optimizer(net, state["optimizer"], _moved(net, state["weights"]))
    _agree(_alike(state["generators"], own["generators"], strict=True), "generators")
    _check_callbacks(net, own["callbacks"], state["callbacks"], n_epochs)
    return state


def _generators(net) -> list[Generator]:
    dropped = [layer.generator for layer in net.module.modules() if hasattr(layer, "generator")]
    return [net.iterator_train__source, *dropped]


# Plain data.


def _fitted(callback: Callback) -> dict:
    """Return the serialisable state of a callback: what its attributes with an underscore hold."""
    if isinstance(callback, ProgressLine):
        return {}
    return _plain({name: value for name, value in vars(callback).items() if _is_fitted(name)})


def _is_fitted(name: str) -> bool:
    return name.endswith("_") and not name.startswith("_")


def _plain(value):
    """Convert to plain types, dropping others."""
    if _has_state(value):
        value = value.state_dict()
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items() if _can_be_plain(v)}
    if isinstance(value, list | tuple):
        kind = tuple if isinstance(value, tuple) else list
        return kind(_plain(v) for v in value if _can_be_plain(v))
    return value.item() if isinstance(value, np.generic) else value


def _can_be_plain(value) -> bool:
    kinds = str | int | float | None | Tensor | np.generic | dict | list | tuple
    return isinstance(value, kinds) or _has_state(value)


def _has_state(value) -> bool:
    return hasattr(value, "state_dict") and not isinstance(value, type)


# Checks.


def _agree(holds: bool, name: str) -> None:
    if not holds:
        raise ValueError(f"its {name} cannot be those of this fit")


def _check_tensors(own: dict, saved) -> None:
    _agree(_is_dict_of(saved, Tensor), "weights")
    check_weights(own, {name: tensor.numpy() for name, tensor in saved.items()})


def _is_dict_of(value, kind: type) -> bool:
    return isinstance(value, dict) and all(isinstance(part, kind) for part in value.values())


def _after_a_step(net) -> dict:
    """Return the state of an optimizer of this kind that made one step."""
    weights = [(str(i), torch.zeros_like(p)) for i, p in enumerate(net.weights)]
    for _, weight in weights:
        weight.requires_grad_().grad = torch.zeros_like(weight)
    args, params = net.get_params_for_optimizer("optimizer", weights)
    optimizer = net.optimizer(*args, **params)
    optimizer.step()
    return optimizer.state_dict()["state"]


def _moved(net, weights: dict) -> set[int]:
    """Return the numbers of the weights that are no longer what they were at the start."""
    named = enumerate(net.get_all_learnable_params())
    return {i for i, (name, start) in named if not torch.equal(weights[name], start.cpu())}


def _check_optimizer(net, saved, moved: set[int]) -> None:
    """Compare with an optimizer of the same kind, whose learning rates may differ.

    Weights that were never in use have no state in it.
    """
    after, own = _after_a_step(net), net.optimizer_.state_dict()
    _agree(isinstance(saved, dict) and saved.keys() == own.keys(), "optimizer")
    state, groups = saved["state"], saved["param_groups"]
    _agree(_is_dict_of(state, dict) and state.keys() <= after.keys(), "optimizer's state")
    _agree(all(_alike(state[k], _plain(after[k])) for k in state), "optimizer's state")
    _agree(moved & {k for k in after if after[k]} <= state.keys(), "optimizer's state")
    _agree(_alike(groups, _plain(own["param_groups"]), strict=True), "optimizer's parameters")
    for group, expected in zip(groups, own["param_groups"], strict=True):
        kinds = bool | str | list | tuple | None
        fixed = [name for name, value in expected.items() if isinstance(value, kinds)]
        _agree(all(group[k] == expected[k] for k in fixed), "optimizer's parameters")


def _check_callbacks(net, own: dict, saved, n_epochs: int) -> None:
    callbacks = dict(net.callbacks_)
    _agree(_is_dict_of(saved, dict), "callbacks")
    _agree(own.keys() <= saved.keys() <= callbacks.keys(), "callbacks")
    for name, attributes in saved.items():
        _agree(all(map(_is_fitted, attributes)), "callbacks' attributes")
        _check_attributes(name, callbacks[name], own.get(name, {}), attributes)
        if isinstance(callbacks[name], BestWeights):
            _check_kept(net, attributes["kept_"], n_epochs)


def _check_attributes(name: str, callback: Callback, own: dict, saved: dict) -> None:
    for attribute in {**own, **saved}:
        strict = _has_state(getattr(callback, attribute, None))
        alike = attribute in saved and _alike(saved[attribute], own.get(attribute), strict=strict)
        _agree(alike, f"callback {name[:50]!r} and its {attribute[:50]!r}")


def _check_kept(net, kept: dict, n_epochs: int) -> None:
    _agree(kept["n_epochs"] == n_epochs >= kept["best_epoch"] >= 0, "best epoch")
    if n_epochs:
        _check_tensors(net.module.state_dict(), kept["weights"])


def _alike(saved, own, *, strict: bool = False) -> bool:
    """Return whether a value could stand where the net has its own.

    Where it has nothing yet, anything could, and so in an empty list or dict that is not strict.
    """
    if own is None:
        return True
    if isinstance(own, Tensor):
        same = isinstance(saved, Tensor) and saved.shape == own.shape
        return same and saved.dtype == own.dtype and bool(saved.isfinite().all())
    if isinstance(own, bool) or not isinstance(own, int | float | dict | list | tuple):
        return type(saved) is type(own)
    if isinstance(own, int | float):
        return isinstance(saved, int | float)
    if type(saved) is not type(own):
        return False
    if not own and not strict:
        return True
    return _entries_alike(saved, own, strict)


def _entries_alike(saved, own, strict: bool) -> bool:
    if isinstance(own, dict):
        same = saved.keys() == own.keys() if strict else saved.keys() >= own.keys()
        return same and all(_alike(saved[key], own[key], strict=strict) for key in own)
    same = len(saved) == len(own) if strict else len(saved) >= len(own)
    return same and all(_alike(*pair, strict=strict) for pair in zip(saved, own, strict=False))
