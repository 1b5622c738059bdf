"""Plain data as JSON beside named arrays.

A number, a text, true, false, null and a list stand for themselves. Anything else is an object
with one key, its kind, such as ``{"tuple": [64, 64]}``. :mod:`skcvae.io.decoding` reads it.
"""

import math

import numpy as np


class Encoder:
    """Encodes values; arrays go by their names into `arrays`."""

    def __init__(self, arrays: dict[str, np.ndarray]):
        self.arrays = arrays

    def encoded(self, value, name: str = ""):
        """Return a value, found under a name, as JSON has it."""
        if isinstance(value, np.generic):
            value = value.item()
        if value is None or type(value) in (bool, int, str):
            return value
        if type(value) is float:
            return value if math.isfinite(value) else {"float": str(value)}
        if type(value) is list:
            return self._list(value, name)
        if type(value) is tuple:
            return {"tuple": self._list(value, name)}
        if type(value) is dict:
            return self._mapping(value, name)
        if type(value) is np.ndarray:
            return self._array(value, name)
        return self._object(value, name)

    def _list(self, values, name):
        return [self.encoded(value, join(name, i)) for i, value in enumerate(values)]

    def _dict(self, values, name):
        return {key: self.encoded(value, join(name, key)) for key, value in values.items()}

    def _mapping(self, values, name):
        if all(type(key) is str for key in values):
            return {"dict": self._dict(values, name)}
        if all(type(key) in (int, str) for key in values):
            return {"pairs": [[k, self.encoded(v, join(name, k))] for k, v in values.items()]}
        return self._object(values, name)

    def _array(self, array, name):
        if array.dtype == object and array.ndim == 1 and all(type(text) is str for text in array):
            return {"texts": array.tolist()}
        if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
            return self._object(array, name)
        if array.ndim == 2 and array.strides[0] < array.strides[1]:  # products round by the order
            return {"transposed": self._array(array.T, name)}
        while name in self.arrays:
            name += "'"
        native = np.ascontiguousarray(array, array.dtype.newbyteorder("="))
        self.arrays[name] = native.reshape(array.shape)
        return {"array": name}

    def _object(self, value, name):
        raise ValueError(f"{name or 'The value'} is no plain data, got {value!r}.")


def join(name: str, key) -> str:
    """Return the name of an entry of what has a name."""
    return f"{name}.{key}" if name else str(key)
