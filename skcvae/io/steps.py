"""scikit-learn's pipelines and transformers as plain data, and back.

A file may name the classes of :data:`STEPS`, and their attributes may be numbers, texts, arrays,
dtypes, slices, numpy's functions of one element, and objects of these classes. scikit-learn's own
`__getstate__` and `__setstate__` give and take the attributes. Nothing else is called, and nothing
is imported by a name in a file.
"""

import re

import numpy as np
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.feature_selection import VarianceThreshold
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import (
    Binarizer,
    FunctionTransformer,
    KBinsDiscretizer,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)
from sklearn.utils.metadata_routing import MetadataRequest

from skcvae.data.frames import MissingMarker, select_columns

STEPS = {
    cls.__name__: cls
    for cls in (
        Binarizer,
        ColumnTransformer,
        FeatureUnion,
        FunctionTransformer,
        KBinsDiscretizer,
        MaxAbsScaler,
        MinMaxScaler,
        MissingIndicator,
        MissingMarker,
        Normalizer,
        OneHotEncoder,
        OrdinalEncoder,
        PCA,
        Pipeline,
        PolynomialFeatures,
        PowerTransformer,
        QuantileTransformer,
        RobustScaler,
        SimpleImputer,
        StandardScaler,
        TruncatedSVD,
        VarianceThreshold,
        make_column_selector,
        select_columns,
    )
}
TYPES = {"bool": bool, "float": float, "int": int, "object": object, "str": str}
TYPES |= {
    name: value
    for name, value in vars(np).items()
    if isinstance(value, type) and issubclass(value, np.generic)
}
FUNCTIONS = {name: value for name, value in vars(np).items() if isinstance(value, np.ufunc)}
ATTRIBUTE = re.compile(r"(?!__)[A-Za-z_]\w*")
MANY_CHARACTERS = 2**22
DTYPE = re.compile(r"[<>=|]?(O|[biufU]\d{1,4})")


def state_of(step) -> dict:
    """Return the attributes of a pipeline or transformer by name."""
    if getattr(step, "memory", None) is not None:
        raise ValueError(
            f"a Pipeline with memory={step.memory!r} cannot be saved: the folder is that of a "
            "fit. Set memory=None."
        )
    return dict(step.__getstate__() if hasattr(step, "__sklearn_tags__") else vars(step))


def step_of(kind: str, state: dict):
    """Return a pipeline or transformer with these attributes."""
    strange = [name for name in state if not ATTRIBUTE.fullmatch(name)]
    if strange or state.get("memory") is not None:
        raise ValueError(f"a {kind} has attributes that save never writes: {strange or 'memory'}")
    step = STEPS[kind].__new__(STEPS[kind])
    if hasattr(step, "__setstate__"):
        step.__setstate__(state)
    else:
        vars(step).update(state)
    return step


def coded(value, name, code):
    """Return what else the attributes of a transformer hold as JSON has it, or None.

    `code` does so for other values, given their name.
    """
    if isinstance(value, slice):
        return {"slice": [code(end, name) for end in (value.start, value.stop, value.step)]}
    if isinstance(value, np.dtype):
        return {"dtype": value.str}
    if isinstance(value, type) and TYPES.get(value.__name__) is value:
        return {"type": value.__name__}
    if isinstance(value, np.ufunc) and FUNCTIONS.get(value.__name__) is value:
        return {"function": value.__name__}
    if isinstance(value, MetadataRequest):
        owner = value.owner if isinstance(value.owner, str) else type(value.owner).__name__
        parts = {method: part for method, part in vars(value).items() if method != "owner"}
        return {"requests": [owner, {method: part.requests for method, part in parts.items()}]}
    if type(value) is dict:
        items = enumerate(value.items())
        return {"items": [[code(part, f"{name}.{i}") for part in pair] for i, pair in items]}
    if type(value) is np.ndarray and value.dtype.kind in "OU":
        listed = enumerate(value.ravel().tolist())
        entries = [code(entry, f"{name}.{i}") for i, entry in listed]
        return {"entries": [value.dtype.kind, list(value.shape), entries]}
    return None


def decoders(decoded, instance) -> dict:
    """Return what reads each kind of :func:`coded`, given what reads other values."""

    def found(table):
        return lambda name: table[instance(str, name)]

    def dtype(text):
        if not DTYPE.fullmatch(instance(str, text)):
            raise ValueError(f"{text[:50]!r} is no dtype that save writes")
        return np.dtype(text)

    def entries(content):
        kind, shape, listed = instance(list, content)
        array = np.empty(len(listed), object)
        array[:] = [decoded(entry) for entry in listed]
        if kind == "U":  # each entry then takes as much memory as the longest
            lengths = [len(instance(str, entry)) for entry in listed]
            if max(lengths, default=0) * len(listed) > MANY_CHARACTERS + 4 * sum(lengths):
                raise ValueError("an array of texts has one that is too long for its number")
            array = array.astype(str)
        return array.reshape(shape)

    def requests(content):
        owner, parts = instance(list, content)
        request = MetadataRequest(owner=instance(str, owner))
        for method, aliases in instance(dict, parts).items():
            for name, alias in instance(dict, aliases).items():
                vars(request)[method].add_request(param=name, alias=alias)
        return request

    return {
        "dtype": dtype,
        "entries": entries,
        "function": found(FUNCTIONS),
        "items": lambda content: {decoded(key): decoded(part) for key, part in content},
        "requests": requests,
        "slice": lambda content: slice(*map(decoded, instance(list, content))),
        "type": found(TYPES),
    }
