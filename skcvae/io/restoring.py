"""What a file says of a fitted estimator, checked before it is believed.

Whoever wrote the file may have written anything. So what says the same twice must agree, and
networks are built only as far as the weights in the file would fill them.
"""

import math
from itertools import pairwise
from numbers import Integral

import numpy as np
from sklearn.utils._param_validation import (
    HasMethods,
    Interval,
    validate_parameter_constraints,
)
from torch.utils._python_dispatch import TorchDispatchMode

from skcvae._arrays import OneHot, Scaling, Table
from skcvae.priors import Flow

ALWAYS = {
    "architecture_": [HasMethods(["resolve", "latent_shape", "encoder", "decoder", "head"])],
    "initial_guess_": ["boolean"],
    "latent_shape_": [tuple],
    "likelihood_": [HasMethods(["build", "check_targets"])],
    "n_features_in_": [Integral],
    "partial_y_": ["boolean"],
    "seed_": [Interval(Integral, 0, 2**31, closed="left")],
    "x_scaling_": [Scaling],
    "x_shape_": [tuple],
    "y_coding_": [OneHot, Scaling, Table],
    "y_shape_": [tuple],
    "_scales": [Interval(Integral, 1, 3, closed="both")],
    "_x_row": [tuple],
    "_y_row": [tuple],
    "_history": [list],
    "_weights": [dict],
}
WITH_Z = {"prior_": [HasMethods(["build"])], "recognition_": ["boolean"]}
SOMETIMES = {
    "classes_": [np.ndarray],
    "feature_names_in_": [np.ndarray],
    "n_active_units_": [Integral],
}
LARGEST_MASK = 2**28  # numbers in a mask of a flow's networks


def check_state(estimator, state: dict) -> None:
    """Refuse fitted attributes that are missing, not known, or do not belong together."""
    wanted = ALWAYS | (WITH_Z if "prior" in estimator._named else {})
    strange = (state.keys() ^ wanted.keys()) - SOMETIMES.keys()
    if strange:
        raise ValueError(f"fitted attributes are missing or not known: {sorted(strange)[:5]}")
    name = type(estimator).__name__
    validate_parameter_constraints(wanted | SOMETIMES, state, name)
    _check_shapes(state)
    _check_names(state)
    _check_coding(state["likelihood_"], state["y_coding_"], state["_y_row"])
    classes = getattr(state["y_coding_"], "classes", None)
    _agree(np.array_equal(state.get("classes_"), classes), "classes_", "y_coding_")
    _agree(all(isinstance(row, dict) for row in state["_history"]), "history_", "dict")
    _agree(
        all(isinstance(array, np.ndarray) for array in state["_weights"].values()),
        "weights", "arrays",
    )  # fmt: skip
    _check_architecture(state)


def _agree(holds: bool, *names: str) -> None:
    if not holds:
        raise ValueError(f"what it says of {' and '.join(names)} does not belong together")


def _check_shapes(state):
    for name in ("x_shape_", "y_shape_", "_x_row", "_y_row", "latent_shape_"):
        shape = state[name]
        whole = all(type(side) is int and side > 0 for side in shape)
        _agree(whole and (len(shape) > 0 or name == "y_shape_"), name, "a shape")
    for whole, row in (("x_shape_", "_x_row"), ("y_shape_", "_y_row")):
        _agree(math.prod(state[whole]) == math.prod(state[row]), whole, row)
    _agree(state["n_features_in_"] == state["x_shape_"][0], "n_features_in_", "x_shape_")
    _check_scaling(state["x_scaling_"], state["_x_row"], "x_scaling_")


def _check_names(state):
    names = state.get("feature_names_in_")
    fits = names is None or (names.dtype == object and names.shape == state["x_shape_"])
    _agree(fits, "feature_names_in_", "x_shape_")


def _check_coding(likelihood, coding, row_shape):
    """Refuse a coding that `fit` would not have made for this likelihood."""
    kinds = {"columns": Table, "label": OneHot}
    kind = kinds.get(likelihood.targets, Scaling)
    _agree(type(coding) is kind, "likelihood_", "y_coding_")
    if kind is Scaling:
        _check_scaling(coding, row_shape, "y_coding_")
    elif kind is OneHot:
        classes = likelihood.classes
        known = isinstance(classes, np.ndarray) and classes.dtype.kind in "iu"
        known = known and np.array_equal(likelihood.classes_of(classes), classes)
        _agree(known and np.array_equal(coding.classes, classes), "likelihood_", "classes")
        _agree(coding.row_shape == row_shape, "y_coding_", "_y_row")
    else:
        _check_table(likelihood, coding, row_shape)


def _check_table(likelihood, coding, row_shape):
    # A table without rows is enough to tell whether each column is in one group.
    _agree(len(row_shape) == 1 and row_shape[0] < 2**20, "y_coding_", "_y_row")
    likelihood.split(np.empty((0, *row_shape)))
    columns = [list(columns) for *_, columns in likelihood.groups]
    _agree(coding.columns == columns, "likelihood_", "columns")
    _agree(len(coding.codings) == len(columns), "likelihood_", "codings")
    for (_, group, own), part in zip(likelihood.groups, coding.codings, strict=True):
        _check_coding(group, part, (len(own),))


def _check_scaling(scaling, row_shape, name):
    for part in scaling:
        fits = isinstance(part, np.ndarray) and part.dtype == float and part.shape == row_shape
        _agree(fits, name, "the shape of a row")


def _check_architecture(state):
    architecture, code_shape = state["architecture_"], state["y_coding_"].code_shape
    bins = getattr(architecture, "bins", None)
    _agree(bins is None or isinstance(bins, np.ndarray), "architecture_", "bins")
    resolved = architecture.resolve(1, state["_x_row"], code_shape)
    _agree(
        repr(resolved.get_params()) == repr(architecture.get_params()), "architecture_", "sizes"
    )
    latent_shape = state["latent_shape_"]
    expected = architecture.latent_shape(latent_shape[0], code_shape)
    _agree(expected == latent_shape, "architecture_", "latent_shape_")
    if isinstance(state.get("prior_"), Flow):
        _check_flow(state["prior_"], math.prod(latent_shape), state["_weights"])


def _check_flow(flow, size, weights):
    """Refuse a flow whose masks would be larger than its weights are; zuko makes them first."""
    first, last = (1 + flow.n_context) * size, (3 * flow.n_bins - 1) * size
    _agree(first * last <= LARGEST_MASK, "prior_", "latent_shape_")
    widths = pairwise([first, *flow.hidden_layer_sizes, last])
    held = sum(array.size for array in weights.values())
    _agree(max(a * b for a, b in widths) <= held, "prior_", "weights")


class Bounded(TorchDispatchMode):
    """Refuse to make more or larger tensors than building networks with these weights takes.

    Initialising makes about two tensors for each, of a flow four.
    """

    def __init__(self, weights: dict[str, np.ndarray]):
        super().__init__()
        self.tensors_left = 16 * len(weights) + 64
        self.numbers_left = 4 * sum(array.size for array in weights.values()) + 4096

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        names = [argument.name for argument in func._schema.arguments]
        size = args[names.index("size")] if "size" in names[: len(args)] else ()
        self.tensors_left -= 1
        self.numbers_left -= abs(math.prod(size))
        if self.tensors_left < 0 or self.numbers_left < 0:
            raise ValueError("it describes larger networks than it has weights for")
        return func(*args, **(kwargs or {}))


def check_weights(expected: dict, weights: dict[str, np.ndarray]) -> None:
    """Refuse weights other than those that the networks have."""
    strange = expected.keys() ^ weights.keys()
    if strange:
        raise ValueError(
            f"weights are missing or not those of its networks: {sorted(strange)[:5]}"
        )
    for name, tensor in expected.items():
        found, wanted = weights[name], tensor.numpy()
        if found.shape != wanted.shape or found.dtype != wanted.dtype:
            raise ValueError(
                f"weights {name!r} are {found.dtype} of shape {found.shape}, expected "
                f"{wanted.dtype} of shape {wanted.shape}"
            )
