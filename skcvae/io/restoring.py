"""Consistency checks of the fitted attributes that a file holds.

Redundant entries must agree, and networks are built only as large as the weights in the file.
"""

import math
import re
from itertools import pairwise
from numbers import Integral, Real

import numpy as np
from sklearn.utils._param_validation import (
    Interval,
    StrOptions,
    validate_parameter_constraints,
)
from torch.utils._python_dispatch import TorchDispatchMode

from skcvae.architectures.base import ARCHITECTURE
from skcvae.data.coding import Scaling
from skcvae.data.gaps import Flagged
from skcvae.data.labels import OneHot
from skcvae.data.table import Table
from skcvae.data.tails import Tails
from skcvae.likelihoods.base import LIKELIHOOD
from skcvae.priors import Flow, GaussianProcess
from skcvae.priors.base import PRIOR
from skcvae.specification import Specification

ALWAYS = {
    "n_features_in_": [Integral],
    "seed_": [Interval(Integral, 0, 2**31, closed="left")],
    "specification_": [Specification],
    "structure_": [dict],
    "_history": [list],
    "_weights": [dict],
}
SOMETIMES = {
    "feature_names_in_": [np.ndarray],
    "n_active_units_": [Integral],
    "target_names_in_": [np.ndarray],
}
SPECIFICATION = {
    "architecture": [ARCHITECTURE],
    "likelihood": [LIKELIHOOD],
    "x_coding": [Flagged, Scaling, Tails, None],
    "y_coding": [OneHot, Scaling, Table],
    "prior": [PRIOR, None],
    "latent_shape": [tuple, None],
    "initial_guess": ["boolean"],
    "recognition": ["boolean"],
    "partial_y": ["boolean"],
    "n_scales": [Interval(Integral, 1, 3, closed="both")],
    "noiseless": ["boolean"],
    "code_activation": [StrOptions({"identity", "sigmoid"}), None],
    "n_context": [Interval(Integral, 0, None, closed="left")],
    "annotations": ["boolean"],
}
RECORDED = re.compile(
    "epoch|dur|(start|temperature)_cll|((train|valid)_"
    "(loss|reconstruction|kl|kl_scale_[1-9][0-9]*|penalty|cll|active_units)(_best)?)"
)
BEST = {"valid_cll_best", "valid_loss_best"}
LARGEST_IMAGE = 2**16  # pixels of the networks' images, whatever a file holds
PIXELS_PER_NUMBER = 16
LARGEST_MASK = 2**28  # numbers in a mask of a flow's networks


def check_state(estimator, state: dict) -> None:
    """Refuse fitted attributes that are missing, unknown, or inconsistent."""
    always = ALWAYS | {name: [tuple] for name in estimator._shape_names}
    unknown = (state.keys() ^ always.keys()) - SOMETIMES.keys()
    if unknown:
        raise ValueError(f"fitted attributes are missing or unknown: {sorted(unknown)[:5]}")
    name = type(estimator).__name__
    validate_parameter_constraints(always | SOMETIMES, state, name)
    specification = state["specification_"]
    validate_parameter_constraints(SPECIFICATION, specification._asdict(), name)
    _check_shapes(state, specification, estimator._shape_names)
    _check_names(state)
    row_shape = specification.y_coding.row_shape
    _check_coding(specification.likelihood, specification.y_coding, row_shape)
    check_history(state["_history"])
    _agree(len(state["_history"]) > 0, "history_", "epochs")
    texts = [*state["structure_"], *state["structure_"].values()]
    _agree(all(isinstance(text, str) for text in texts), "structure_", "texts")
    _agree(
        all(isinstance(array, np.ndarray) for array in state["_weights"].values()),
        "weights", "arrays",
    )  # fmt: skip
    _check_image_size(specification, state["_weights"])
    _check_architecture(specification, state["_weights"])
    _check_networks(estimator, specification)


def _agree(holds: bool, *names: str) -> None:
    if not holds:
        raise ValueError(f"{' and '.join(names)} are inconsistent")


def check_history(history) -> None:
    """Refuse a history whose rows are no epochs, or have no numbers where they are recorded."""
    _agree(
        isinstance(history, list) and all(isinstance(row, dict) for row in history),
        "history_",
        "rows",
    )
    for number, row in enumerate(history, 1):
        numbers = [row[name] for name in recorded(row)]
        _agree(all(isinstance(value, Real) for value in numbers), "history_", "numbers")
        _agree(row.get("epoch") == number and "train_loss" in row, "history_", "epochs")
        _agree(BEST & history[-1].keys() <= row.keys(), "history_", "epochs")


def recorded(row: dict) -> set[str]:
    """Return the columns of an epoch that training itself records."""
    return set(filter(RECORDED.fullmatch, row))


def _check_shapes(state, specification, names):
    x_scaling = specification.x_coding
    if isinstance(x_scaling, Flagged):
        x_scaling = x_scaling.scaling
        _agree(isinstance(x_scaling, Scaling | Tails), "x_coding", "its scaling")
    if isinstance(x_scaling, Tails):
        x_scaling = _checked_tails(x_scaling)
    shapes = {name: state[name] for name in names}
    if specification.latent_shape is not None:
        shapes["latent_shape"] = specification.latent_shape
    for name, shape in shapes.items():
        whole = all(type(side) is int and side > 0 for side in shape)
        _agree(whole and (len(shape) > 0 or name == "y_shape_"), name, "a shape")
    _agree(len(names) == len(specification.codings), "class", "x_coding")
    for name, coding in zip(names, specification.codings, strict=True):
        _agree(math.prod(state[name]) == math.prod(coding.row_shape), name, "its coding")
    _agree(state["n_features_in_"] == state["x_shape_"][0], "n_features_in_", "x_shape_")
    if x_scaling is not None:
        _check_scaling(x_scaling, x_scaling.row_shape, "x_coding")


def _checked_tails(tails):
    """Return the scaling of all columns."""
    known = isinstance(tails.scaling, Scaling) and isinstance(tails.linear, Scaling)
    _agree(known and isinstance(tails.columns, np.ndarray), "x_coding", "its columns")
    _check_scaling(tails.linear, tails.columns.shape, "x_coding")
    inside = tails.columns.ndim == 1 and tails.columns.dtype.kind == "i"
    inside = inside and np.isin(tails.columns, np.arange(tails.scaling.loc.size)).all()
    _agree(inside and tails.scaling.loc.ndim == 1, "x_coding", "its columns")
    return tails.scaling


def _check_names(state):
    for key, shape in (("feature_names_in_", "x_shape_"), ("target_names_in_", "y_shape_")):
        names, of_one = state.get(key), state.get(shape) or (1,)
        fits = names is None or (names.dtype == object and names.shape == of_one)
        _agree(fits, key, shape)


def _check_coding(likelihood, coding, row_shape):
    """Refuse a coding that `fit` would not have made for this likelihood."""
    _agree(type(coding) is likelihood.coding, "likelihood", "y_coding")
    if isinstance(coding, Scaling):
        _check_scaling(coding, row_shape, "y_coding")
    elif isinstance(coding, OneHot):
        labels = getattr(likelihood, "likelihood", likelihood)
        classes = getattr(labels, "classes", None)
        known = isinstance(classes, np.ndarray) and classes.dtype.kind in "iubO"
        known = known and np.array_equal(labels.classes_of(classes), classes)
        _agree(known and np.array_equal(coding.classes, labels.codes), "likelihood", "classes")
        whole = all(type(side) is int and side > 0 for side in coding.row_shape)
        _agree(whole and coding.row_shape == row_shape, "y_coding", "its rows")
    else:
        _check_table(likelihood, coding, row_shape)


def _check_table(likelihood, coding, row_shape):
    # A table without rows is enough to tell whether each column is in one group.
    _agree(len(row_shape) == 1 and row_shape[0] < 2**20, "y_coding", "its rows")
    likelihood.split(np.empty((0, *row_shape)))
    columns = [list(columns) for *_, columns in likelihood.groups]
    _agree(coding.columns == columns, "likelihood", "columns")
    _agree(len(coding.codings) == len(columns), "likelihood", "codings")
    for (_, group, own), part in zip(likelihood.groups, coding.codings, strict=True):
        _check_coding(group, part, (len(own),))


def _check_scaling(scaling, row_shape, name):
    for part in scaling:
        fits = isinstance(part, np.ndarray) and part.dtype == float and part.shape == row_shape
        fits = fits and np.isfinite(part).all()
        _agree(fits, name, "the shape of a row")
    _agree((scaling.scale > 0).all(), name, "positive scales")


def _check_image_size(specification, weights):
    """Refuse images that are much larger than the file: convolutions fit any size."""
    size = getattr(specification.architecture, "image_size", None)
    if not isinstance(size, tuple):
        return
    scalings = [coding for coding in specification.codings if isinstance(coding, Scaling)]
    held = sum(array.size for array in weights.values())
    held += sum(math.prod(scaling.row_shape) for scaling in scalings)
    largest = max(LARGEST_IMAGE, PIXELS_PER_NUMBER * held)
    whole = all(isinstance(side, Integral) and side > 0 for side in size)
    _agree(whole and math.prod(size) <= largest, "architecture", "image_size")
    _agree(math.prod(specification.y_coding.row_shape) <= largest, "y_coding", "weights")


def _check_architecture(specification, weights):
    architecture, code_shape = specification.architecture, specification.y_coding.code_shape
    bins = getattr(architecture, "bins", None)
    _agree(bins is None or isinstance(bins, np.ndarray), "architecture", "bins")
    conditional = specification.x_coding is not None
    x_shape = specification.x_coding.code_shape if conditional else ()
    resolved = architecture.resolve(1, x_shape, code_shape)
    _agree(repr(resolved.get_params()) == repr(architecture.get_params()), "architecture", "sizes")
    latent_shape, prior = specification.latent_shape, specification.prior
    has_code = prior is not None or specification.code_activation is not None
    _agree((latent_shape is not None) == has_code, "prior", "latent_shape")
    is_process = isinstance(prior, GaussianProcess)
    _agree(is_process == (specification.n_context > 0), "prior", "n_context")
    if latent_shape is not None:
        reference = code_shape if conditional else (math.prod(code_shape),)
        expected = architecture.latent_shape(latent_shape[0], reference)
        _agree(expected == latent_shape, "architecture", "latent_shape")
    if isinstance(prior, Flow):
        _check_flow(prior, math.prod(latent_shape), weights)


def _check_networks(estimator, specification):
    """Refuse networks that this class of estimator never has."""
    noiseless = estimator._noiseless
    _agree(noiseless == specification.noiseless, "class", "noiseless")
    has_density = specification.code_activation is None
    _agree(estimator._has_density == has_density, "class", "code_activation")
    has_prior = specification.prior is not None
    _agree(noiseless or has_prior == has_density, "class", "prior")
    _agree(not noiseless or not specification.recognition, "class", "recognition")


def _check_flow(flow, size, weights):
    """Refuse a flow with larger masks than weights: zuko allocates masks first."""
    first, last = (1 + flow.n_context) * size, (3 * flow.n_bins - 1) * size
    _agree(first * last <= LARGEST_MASK, "prior", "latent_shape")
    widths = pairwise([first, *flow.hidden_layer_sizes, last])
    held = sum(array.size for array in weights.values())
    _agree(max(a * b for a, b in widths) <= held, "prior", "weights")


class Bounded(TorchDispatchMode):
    """Limit tensor allocation to what networks with these weights require.

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
        found, wanted = weights[name], tensor.detach().cpu().numpy()
        if found.shape != wanted.shape or found.dtype != wanted.dtype:
            raise ValueError(
                f"weights {name!r} are {found.dtype} of shape {found.shape}, expected "
                f"{wanted.dtype} of shape {wanted.shape}"
            )
        if not np.isfinite(found).all():
            raise ValueError(f"weights {name!r} are not finite")
