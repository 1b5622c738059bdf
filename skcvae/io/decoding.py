"""Decoding of saved documents, with validation."""

import numpy as np
from sklearn.base import BaseEstimator

from skcvae.io import kinds, steps
from skcvae.version import __version__

FLOATS = ("inf", "-inf", "nan")  # which JSON lacks
NOT_SAVED = ("callbacks", "checkpoint")


class Decoder:
    """Builds the objects of one file.

    Parameters
    ----------
    arrays : dict of str to ndarray
        Each is taken out when it is referred to.
    classes : sequence of types
        A user's own classes that the file may name.
    """

    def __init__(self, arrays: dict[str, np.ndarray], classes=()):
        self.arrays = arrays
        self.custom = {f"{kinds.CUSTOM}{cls.__qualname__}": cls for cls in classes}
        self.kinds = {
            "array": self._array,
            "dict": self._dict,
            "float": _float,
            "optimizer": _optimizer,
            "texts": _texts,
            "tuple": lambda content: tuple(self.decoded(instance(list, content))),
            **steps.decoders(self.decoded, instance),
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
        if kind in self.kinds:
            return self.kinds[kind](content)
        if kind in kinds.ESTIMATORS:
            return self._estimator(kinds.ESTIMATORS[kind], instance(dict, content))
        if kind in steps.STEPS:
            return steps.step_of(kind, self._dict(content))
        return _made(self._class(kind), self._dict(content))

    def _class(self, kind):
        for table in (kinds.PARAMETER_OBJECTS, kinds.RECORDS, self.custom):
            if kind in table:
                return table[kind]
        if kind.startswith(kinds.CUSTOM):
            name = kind.removeprefix(kinds.CUSTOM)[:200]
            raise ValueError(
                f"it contains the custom class {name!r}: pass it as load(path, classes=[{name}])"
            )
        raise ValueError(f"{kind[:200]!r} is no kind of object that skcvae {__version__} knows")

    def _dict(self, content):
        return {key: self.decoded(part) for key, part in instance(dict, content).items()}

    def _array(self, name):
        if instance(str, name) not in self.arrays:
            raise ValueError(f"it has no array {name[:200]!r}, or refers to it twice")
        return self.arrays.pop(name)

    def _estimator(self, cls, content):
        estimator = _made(cls, self._dict(content.get("params")))
        training = getattr(estimator, "training", None)
        if training is not None:
            _check_training(training)
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
            f"{name[:200]!r} is none of torch's optimizers, {sorted(kinds.OPTIMIZERS)}"
        )
    return kinds.OPTIMIZERS[name]


def _texts(content):
    return np.array([instance(str, text) for text in instance(list, content)], dtype=object)


def instance(kind: type, value):
    """Return a value of the document if it is of a type."""
    if not isinstance(value, kind):
        raise ValueError(f"expected a {kind.__name__}, got {str(value)[:50]!r}")
    return value
