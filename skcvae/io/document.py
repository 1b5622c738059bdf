"""An estimator as plain data: a JSON document beside named arrays, and back.

Objects are encoded like other data, by their kind and their parameters:
``{"architectures.MLP": {"dropout": 0.1, ...}}``. A class is looked up in the tables of
:mod:`skcvae.io.kinds` and among the classes that the caller of `load` gives, and built by its
constructor; nothing is imported by a name in a file, and nothing in a file is called.
"""

import inspect
import json
import os

import sklearn
import torch
from sklearn.base import BaseEstimator
from sklearn.frozen import FrozenEstimator
from sklearn.utils.fixes import parse_version
from sklearn.utils.validation import check_is_fitted

from skcvae.io import files, kinds, steps
from skcvae.io.decoding import Decoder, instance, parsed
from skcvae.io.encoding import Encoder, join
from skcvae.version import __version__

FORMAT = "skcvae 1"


def save(estimator, path):
    """Write a fitted pipeline, search or estimator to a file, for :func:`skcvae.load`.

    It is one safetensors file: weights and other arrays, and a JSON document with
    parameters, history and versions. There is no pickle in it, so that a file from a
    stranger cannot run code. The estimators' own `save` does the same.

    Parameters
    ----------
    estimator : Pipeline, search or estimator
        Fitted. Of a search, also inside a pipeline or another search, its ``best_estimator_`` is
        saved, and of a ``FrozenEstimator``, or of a search that a parameter holds, its estimator.
        Steps of a pipeline may be estimators of skcvae and these of scikit-learn: Pipeline,
        FeatureUnion, ColumnTransformer, SimpleImputer, MissingIndicator, VarianceThreshold, PCA,
        TruncatedSVD, OneHotEncoder, OrdinalEncoder, KBinsDiscretizer, Binarizer, Normalizer,
        PolynomialFeatures, all scalers, PowerTransformer, QuantileTransformer, and
        FunctionTransformer of numpy's functions such as ``np.log1p``.
    path : str or path-like
        The file. An existing one is replaced, once the new one is complete.

    Raises
    ------
    NotFittedError
        Before `fit`.
    TypeError
        If `path` is not the name of a file.
    ValueError
        If a parameter or a step is not plain data, such as a callback, a function of your own or
        another transformer. Pickle, joblib and skops write those.
    OSError
        If the file cannot be written. An existing one is then unchanged.

    Examples
    --------
    >>> import tempfile
    >>> import skcvae
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skcvae.datasets import make_two_branches
    >>> data = make_two_branches(n_samples=200, random_state=0)
    >>> est = make_pipeline(StandardScaler(), skcvae.CVAERegressor(max_epochs=5, random_state=0))
    >>> est = est.fit(data.X, data.y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     skcvae.save(est, f"{folder}/branches.skcvae")
    ...     again = skcvae.load(f"{folder}/branches.skcvae")
    >>> again.score(data.X, data.y) == est.score(data.X, data.y)
    True
    """
    path = files.named(path)
    check_is_fitted(estimator)
    arrays = {}
    coded = _EstimatorEncoder(arrays).encoded(estimator)
    modules = {module.__name__: module.__version__ for module in (sklearn, torch)}
    versions = {"skcvae": __version__, **modules}
    document = json.dumps({"versions": versions, "estimator": coded}, allow_nan=False)
    files.write(path, document, arrays, format=FORMAT)


def load(path, classes=()):
    """Read a pipeline or an estimator that `save` wrote.

    Parameters
    ----------
    path : str or path-like
        The file.
    classes : sequence of types, default=()
        Your own classes that the file may name: a likelihood, prior, objective or
        architecture. Each is built by its constructor from the saved parameters.

    Returns
    -------
    estimator
        Fitted, a pipeline if one was saved, with the same parameters and answers. Without
        CUDA one that was fitted there is on the CPU.

    Raises
    ------
    TypeError
        If `path` is not the name of a file.
    ValueError
        If the file is not one that `save` wrote, is damaged, comes from a newer skcvae, or
        names classes that are neither skcvae's nor in `classes`. Nothing in a file is run,
        and memory is bounded by a multiple of its size.
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
    if isinstance(classes, type) or not all(isinstance(cls, type) for cls in classes):
        raise TypeError(f"classes must be a list of classes, got {classes!r}.")
    path = files.named(path)
    with files.refusing(f"{os.fsdecode(path)} cannot be loaded as an estimator that skcvae saved"):
        document, arrays = files.read(path, format=FORMAT)
        content = parsed(document)
        _check_version(instance(dict, instance(dict, content)["versions"])["skcvae"])
        estimator = Decoder(arrays, classes).decoded(content["estimator"])
        if type(estimator) not in {*kinds.ESTIMATORS.values(), steps.STEPS["Pipeline"]}:
            raise ValueError(f"expected an estimator in it, got {estimator!r}")
        check_is_fitted(estimator)
        if arrays:
            raise ValueError(f"unreferenced arrays {sorted(arrays)[:5]}")
    return estimator


def _check_version(version):
    if parse_version(instance(str, version)) > parse_version(__version__):
        raise ValueError(
            f"it was saved by skcvae {version}, and {__version__} is installed: expected "
            "that version or a later one"
        )


class _EstimatorEncoder(Encoder):
    """Encodes objects too, by their kinds."""

    def _object(self, value, name):
        answering = _answering(value)
        if answering is not value:
            return self.encoded(answering, name)
        plain = steps.coded(value, name, self.encoded)
        if plain is not None:
            return plain
        kind = _kind_of(value)
        if kind is not None:
            return {kind: self._fields(value, name)}
        if isinstance(value, type) and kinds.OPTIMIZERS.get(value.__name__) is value:
            return {"optimizer": value.__name__}
        raise _not_plain(name, value)

    def _fields(self, value, name):
        if type(value) in kinds.RECORDS.values():
            return self._dict(value._asdict(), name)
        if type(value) in steps.STEPS.values():
            return self._dict(steps.state_of(value), name)
        if type(value) in kinds.SPLITTERS.values():
            names = inspect.signature(type(value)).parameters
            return self._dict({key: getattr(value, key) for key in names}, name)
        if hasattr(value, "_parameter_constraints"):
            value._validate_params()
        if type(value) not in kinds.ESTIMATORS.values():
            return self._params(value, name)
        state = dict(value.__getstate__())
        for key in value.get_params(deep=False):
            state.pop(key)
        settings = {key: state.pop(key) for key in kinds.SETTINGS if key in state}
        # Weights by their own names, as torch has them.
        fitted = {
            key: self.encoded(part, name if key == "_weights" else join(name, key))
            for key, part in state.items()
        }
        settings = self._dict(settings, name)
        return {"params": self._params(value, name), "settings": settings, "fitted": fitted}

    def _params(self, value, name):
        params = value.get_params(deep=False)
        if type(value) is kinds.PARAMETER_OBJECTS["Training"]:
            params.pop("checkpoint")  # of a fit, not of its result
            if kinds.names_programs(params["compile"]):
                raise _not_plain(join(name, "compile"), params["compile"])
        return self._dict(params, name)


def _answering(estimator):
    """Return what answers for a search, or for a frozen estimator; before a fit, the candidate."""
    is_search = hasattr(estimator, "refit")
    if isinstance(estimator, FrozenEstimator) or (is_search and not hasattr(estimator, "scorer_")):
        return estimator.estimator
    candidate = getattr(estimator, "_candidate", estimator)
    return getattr(estimator, "best_estimator_", candidate)


def _kind_of(value):
    """Return the name of an object's class in a file, or None where a file cannot hold it."""
    tables = (kinds.PARAMETER_OBJECTS, kinds.RECORDS, kinds.SPLITTERS, steps.STEPS)
    for table in (kinds.ESTIMATORS, *tables):
        for name, cls in table.items():
            if type(value) is cls:
                return name
    is_custom = isinstance(value, BaseEstimator) and not hasattr(value, "fit")
    return f"{kinds.CUSTOM}{type(value).__qualname__}" if is_custom else None


def _not_plain(name, value):
    return ValueError(
        f"{name or 'The estimator'} cannot be saved, got {value!r}. Replace it, set it to None, "
        "or use joblib.dump, whose files only their own author should load. A file holds no code, "
        "but numbers, texts, torch's optimizers, scikit-learn's splitters and those of its "
        "transformers that skcvae.save lists, and objects of skcvae's classes or of your own that "
        "derive from sklearn.base.BaseEstimator, which says by its parameters how they are built "
        "again."
    )
