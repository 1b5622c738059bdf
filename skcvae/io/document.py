"""An estimator as plain data: a JSON document beside named arrays, and back.

In the document a number, a text, true, false, null and a list stand for themselves. Anything
else is an object with one key, its kind, such as ``{"tuple": [64, 64]}`` or
``{"architectures.MLP": {"dropout": 0.1, ...}}``. The kinds are those of this file. A class is
looked up in its tables, which hold skcvae's own and torch's optimizers, and made by its
constructor; nothing is imported by a name that a file gives, and nothing in a file is called.
"""

import json
import math
from contextlib import contextmanager

import numpy as np
import sklearn
import torch
from sklearn.base import BaseEstimator
from sklearn.utils.fixes import parse_version
from sklearn.utils.validation import check_is_fitted

import skcvae
from skcvae import _files, architectures, likelihoods, priors
from skcvae._arrays import OneHot, Scaling, Table
from skcvae.ensemble import EnsembleRegressor
from skcvae.estimators import (
    CVAERegressor,
    GSNNRegressor,
    HybridStructuredPredictor,
    NNRegressor,
)

ESTIMATORS = {
    cls.__name__: cls
    for cls in (
        CVAERegressor,
        EnsembleRegressor,
        GSNNRegressor,
        HybridStructuredPredictor,
        NNRegressor,
    )
}
PARAMETER_OBJECTS = {
    f"{module.__name__.removeprefix('skcvae.')}.{name}": getattr(module, name)
    for module in (architectures, likelihoods, priors)
    for name in module.__all__
    if issubclass(getattr(module, name), BaseEstimator)
}
CODINGS = {cls.__name__: cls for cls in (OneHot, Scaling, Table)}
KINDS = {cls: kind for kind, cls in {**ESTIMATORS, **PARAMETER_OBJECTS, **CODINGS}.items()}
OPTIMIZERS = {
    name: value
    for name, value in vars(torch.optim).items()
    if isinstance(value, type) and issubclass(value, torch.optim.Optimizer)
}
NOT_SAVED = ("callbacks", "checkpoint")
FLOATS = ("inf", "-inf", "nan")  # which JSON lacks
# The compiler's other parameters may name programs to run.
OF_THE_COMPILER = ("compile__mode", "compile__dynamic", "compile__fullgraph")


def save(estimator, path):
    """Write a fitted estimator to a file: what the estimators' own `save` does.

    Parameters
    ----------
    estimator : estimator of skcvae
        A fitted one.
    path : str or path-like
        Where to. A file that is there is replaced, once the new one is whole.
    """
    check_is_fitted(estimator)
    arrays = {}
    coded = _coded(estimator, "", arrays)
    versions = {module.__name__: module.__version__ for module in (skcvae, sklearn, torch)}
    document = json.dumps({"versions": versions, "estimator": coded}, allow_nan=False)
    _files.write(path, document, arrays)


def load(path):
    """Read an estimator that `save` wrote.

    Parameters
    ----------
    path : str or path-like
        The file.

    Returns
    -------
    estimator
        Fitted, with the parameters and the answers of the one that was saved. Without
        CUDA one that was fitted there is on the CPU.

    Raises
    ------
    ValueError
        If the file is not one that `save` wrote, is damaged, comes from a newer skcvae, or
        holds what is not known. Nothing in a file is run, and what is allocated is a
        multiple of its size.
    OSError
        If it cannot be read.
    ImportError
        If the prior is a flow and zuko is not installed.

    Examples
    --------
    >>> import tempfile
    >>> import skcvae
    >>> from skcvae.datasets import make_two_branches
    >>> data = make_two_branches(n_samples=200, random_state=0)
    >>> est = skcvae.CVAERegressor(max_epochs=5, random_state=0).fit(data.X, data.y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     est.save(f"{folder}/branches.skcvae")
    ...     again = skcvae.load(f"{folder}/branches.skcvae")
    >>> again.score(data.X, data.y) == est.score(data.X, data.y)
    True
    """
    with _refusing(path):
        document, arrays = _files.read(path)
        content = json.loads(document)
        _check_version(_of(dict, _of(dict, content)["versions"])["skcvae"])
        estimator = _decoded(content["estimator"], arrays)
        if type(estimator) not in ESTIMATORS.values():
            raise ValueError(f"expected an estimator in it, got {estimator!r}")
        check_is_fitted(estimator)
        if arrays:
            raise ValueError(f"nothing in it refers to its arrays {sorted(arrays)[:5]}")
    return estimator


@contextmanager
def _refusing(path):
    """Turn whatever the contents of a file lead to into a ValueError that names the file."""
    try:
        yield
    except (ImportError, MemoryError, OSError):  # not the file's fault
        raise
    except Exception as error:
        reason = error if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
        raise ValueError(
            f"{path} cannot be loaded as an estimator that skcvae saved: {reason}"
        ) from error


def _check_version(version):
    if parse_version(_of(str, version)) > parse_version(skcvae.__version__):
        raise ValueError(
            f"it was saved by skcvae {version}, and {skcvae.__version__} is installed: expected "
            "that version or a later one"
        )


# To plain data.


def _coded(value, name, arrays):
    """Return a value as JSON has it; arrays go by their name into `arrays`."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or type(value) in (bool, int, str):
        return value
    if type(value) is float:
        return value if math.isfinite(value) else {"float": str(value)}
    if type(value) is list:
        return _coded_list(value, name, arrays)
    if type(value) is tuple:
        return {"tuple": _coded_list(value, name, arrays)}
    if type(value) is dict and all(type(key) is str for key in value):
        return {"dict": _coded_dict(value, name, arrays)}
    if type(value) is np.ndarray:
        return _coded_array(value, name, arrays)
    if type(value) in KINDS:
        return {KINDS[type(value)]: _coded_object(value, name, arrays)}
    if isinstance(value, type) and OPTIMIZERS.get(value.__name__) is value:
        return {"optimizer": value.__name__}
    raise _not_plain(name, value)


def _coded_list(values, name, arrays):
    return [_coded(value, _join(name, i), arrays) for i, value in enumerate(values)]


def _coded_dict(values, name, arrays):
    return {key: _coded(value, _join(name, key), arrays) for key, value in values.items()}


def _coded_array(array, name, arrays):
    if array.dtype == object and array.ndim == 1 and all(type(text) is str for text in array):
        return {"texts": array.tolist()}
    if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
        raise _not_plain(name, array)
    arrays[name] = np.ascontiguousarray(array, array.dtype.newbyteorder("=")).reshape(array.shape)
    return {"array": name}


def _coded_object(value, name, arrays):
    if type(value) in CODINGS.values():
        return _coded_dict(value._asdict(), name, arrays)
    value._validate_params()
    if type(value) in PARAMETER_OBJECTS.values():
        return _coded_dict(value.get_params(deep=False), name, arrays)
    state = dict(value.__getstate__())
    params = {key: state.pop(key) for key in value.get_params(deep=False)}
    params.pop("checkpoint", None)  # of a fit, not of what it fitted
    for key in filter(_is_for_the_compiler, params):
        raise _not_plain(_join(name, key), params[key])
    # Weights by their own names, as torch has them.
    fitted = {
        key: _coded(part, name if key == "_weights" else _join(name, key), arrays)
        for key, part in state.items()
    }
    return {"params": _coded_dict(params, name, arrays), "fitted": fitted}


def _is_for_the_compiler(name):
    return name.startswith("compile__") and name not in OF_THE_COMPILER


def _join(name, key):
    return f"{name}.{key}" if name else str(key)


def _not_plain(name, value):
    return ValueError(
        f"{name or 'The estimator'} cannot be saved, got {value!r}: a file holds numbers, texts, "
        "objects of skcvae's own classes and torch's optimizers, and no code. Set it to one of "
        "these or to None, or use joblib.dump, whose files only their own author should load."
    )


# From plain data.


def _decoded(value, arrays):
    """Return what `_coded` was given; each array is taken out of `arrays`."""
    if isinstance(value, list):
        return [_decoded(part, arrays) for part in value]
    if not isinstance(value, dict):
        return value
    if len(value) != 1:
        raise ValueError(f"expected an object with one key, its kind, got {sorted(value)[:5]}")
    ((kind, content),) = value.items()
    if kind in DECODERS:
        return DECODERS[kind](content, arrays)
    if kind in ESTIMATORS:
        return _decoded_estimator(ESTIMATORS[kind], _of(dict, content), arrays)
    if kind in PARAMETER_OBJECTS or kind in CODINGS:
        cls = PARAMETER_OBJECTS.get(kind) or CODINGS[kind]
        return _made(cls, _decoded_dict(content, arrays))
    raise ValueError(f"{kind!r} is no kind of object that skcvae {skcvae.__version__} knows")


def _decoded_dict(content, arrays):
    return {key: _decoded(part, arrays) for key, part in _of(dict, content).items()}


def _decoded_array(name, arrays):
    if _of(str, name) not in arrays:
        raise ValueError(f"it has no array {name!r}, or refers to it twice")
    return arrays.pop(name)


def _decoded_texts(content, arrays):
    return np.array([_of(str, text) for text in _of(list, content)], dtype=object)


def _decoded_float(content, arrays):
    if content not in FLOATS:
        raise ValueError(f"expected one of {FLOATS}, got {content!r}")
    return float(content)


def _decoded_optimizer(name, arrays):
    if _of(str, name) not in OPTIMIZERS:
        raise ValueError(f"{name!r} is none of torch's optimizers, {sorted(OPTIMIZERS)}")
    return OPTIMIZERS[name]


DECODERS = {
    "array": _decoded_array,
    "dict": _decoded_dict,
    "float": _decoded_float,
    "optimizer": _decoded_optimizer,
    "texts": _decoded_texts,
    "tuple": lambda content, arrays: tuple(_decoded(_of(list, content), arrays)),
}


def _decoded_estimator(cls, content, arrays):
    estimator = _made(cls, _decoded_dict(content.get("params"), arrays))
    params = estimator.get_params(deep=False)
    if any(map(params.get, NOT_SAVED)) or any(map(_is_for_the_compiler, params)):
        raise ValueError(
            f"it names {NOT_SAVED} or parameters of the compiler that none is saved with"
        )
    fitted = _decoded_dict(content.get("fitted"), arrays)
    if fitted:
        estimator._restore(fitted)
    return estimator


def _made(cls, params):
    made = cls(**params)
    if isinstance(made, BaseEstimator):
        made._validate_params()
    return made


def _of(kind, value):
    if not isinstance(value, kind):
        raise ValueError(f"expected a {kind.__name__}, got {str(value)[:50]!r}")
    return value
