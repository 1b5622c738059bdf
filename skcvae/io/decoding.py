"""Decoding of saved documents, with validation."""

import json
import re

import numpy as np
from sklearn.base import BaseEstimator

from skcvae.io import kinds, steps
from skcvae.version import __version__

FLOATS = ("inf", "-inf", "nan")  # which JSON lacks
TEXT = re.compile(r'(?s)"[^"\\]*+(?:\\.?[^"\\]*+)*+"?')  # also without its end, in one pass
MANY_CONTAINERS = 100_000
CHARACTERS_PER_CONTAINER = 20
NOT_SAVED = ("callbacks", "checkpoint")


def parsed(document: str):
    """Return the content of a JSON document, whose lists and objects may not be too many.

    An empty list takes three bytes in a file and a hundred in memory.
    """
    structure = TEXT.sub("", document)
    n_containers = structure.count("[") + structure.count("{")
    if n_containers > MANY_CONTAINERS + len(document) // CHARACTERS_PER_CONTAINER:
        raise ValueError(f"{n_containers} lists and objects are too many for its size")
    return json.loads(document)


class PlainDecoder:
    """Decodes plain data beside arrays, each of which is taken out when it is referred to."""

    def __init__(self, arrays: dict[str, np.ndarray]):
        self.arrays = arrays
        self.kinds = {
            "array": self._array,
            "dict": self._dict,
            "float": _float,
            "pairs": self._pairs,
            "texts": _texts,
            "transposed": lambda content: instance(np.ndarray, self.decoded(content)).T,
            "tuple": lambda content: tuple(self.decoded(instance(list, content))),
        }

    def decoded(self, value):
        """Return the object that a value of the document stands for."""
        if isinstance(value, list):
            return [self.decoded(part) for part in value]
        if not isinstance(value, dict):
            return value
        if len(value) != 1:
            raise ValueError(f"expected an object with one key, its kind, got {sorted(value)[:5]}")
        ((kind, content),) = value.items()
        return self.kinds[kind](content) if kind in self.kinds else self._object(kind, content)

    def _object(self, kind, content):
        raise ValueError(f"{kind[:50]!r} is no kind of object that skcvae {__version__} knows")

    def _array(self, name):
        if instance(str, name) not in self.arrays:
            raise ValueError(f"it has no array {name[:50]!r}, or refers to it twice")
        return self.arrays.pop(name)

    def _dict(self, content):
        return {key: self.decoded(part) for key, part in instance(dict, content).items()}

    def _pairs(self, content):
        pairs = [tuple(instance(list, pair)) for pair in instance(list, content)]
        return {instance(int | str, key): self.decoded(part) for key, part in pairs}


class Decoder(PlainDecoder):
    """Builds the objects of one file, which may name `classes`, a user's own."""

    def __init__(self, arrays: dict[str, np.ndarray], classes=()):
        super().__init__(arrays)
        self.custom = {f"{kinds.CUSTOM}{cls.__qualname__}": cls for cls in classes}
        self.kinds |= {"optimizer": _optimizer, **steps.decoders(self.decoded, instance)}

    def _object(self, kind, content):
        if kind in steps.STEPS:
            return steps.step_of(kind, self._dict(content))
        if kind in kinds.ESTIMATORS:
            return self._estimator(kinds.ESTIMATORS[kind], instance(dict, content))
        for table in (kinds.PARAMETER_OBJECTS, kinds.RECORDS, kinds.SPLITTERS, self.custom):
            if kind in table:
                return _made(table[kind], self._dict(content))
        if kind.startswith(kinds.CUSTOM):
            name = kind.removeprefix(kinds.CUSTOM)[:50]
            raise ValueError(
                f"it contains the custom class {name!r}: pass it as load(path, classes=[{name}])"
            )
        return super()._object(kind, content)

    def _estimator(self, cls, content):
        estimator = _made(cls, self._dict(content.get("params")))
        training = getattr(estimator, "training", None)
        if training is not None:
            _check_training(training)
        for name, setting in self._dict(content.get("settings", {})).items():
            vars(estimator)[name] = instance(kinds.SETTINGS[name], setting)
        fitted = self._dict(content.get("fitted"))
        if fitted:
            estimator._restore(fitted)
        return estimator


def _check_training(training):
    params = training.get_params(deep=False)
    if any(map(params.get, NOT_SAVED)) or kinds.names_programs(params["compile"]):
        raise ValueError(
            "it sets callbacks, checkpoint or compiler options that save never writes"
        )


def _made(cls, params):
    made = cls(**params)
    if isinstance(made, BaseEstimator) and hasattr(made, "_parameter_constraints"):
        made._validate_params()
    return made


def _float(content):
    if content not in FLOATS:
        raise ValueError(f"expected one of {FLOATS}, got {str(content)[:50]!r}")
    return float(content)


def _optimizer(name):
    if instance(str, name) not in kinds.OPTIMIZERS:
        raise ValueError(
            f"{name[:50]!r} is none of torch's optimizers, {sorted(kinds.OPTIMIZERS)}"
        )
    return kinds.OPTIMIZERS[name]


def _texts(content):
    return np.array([instance(str, text) for text in instance(list, content)], dtype=object)


def instance(kind: type, value):
    """Return a value of the document if it is of a type."""
    if not isinstance(value, kind):
        name = getattr(kind, "__name__", kind)
        raise ValueError(f"expected a {name}, got {str(value)[:50]!r}")
    return value
