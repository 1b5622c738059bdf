"""Input validation: parameters, weights, levels; X and y have files of their own."""

import contextlib
import functools
import inspect
import re
from numbers import Integral, Real
from types import SimpleNamespace

import numpy as np
from sklearn.base import clone

from skcvae.estimators import _process
from skcvae.suggestions import suggestion
from skcvae.training.options import Training

PARTS = ("architecture", "likelihood", "prior", "objective")
DEFAULT_TRAINING = Training()  # options of training, which no fit changes


@contextlib.contextmanager
def restored_on_error(estimator):
    """Restore the attributes of an estimator if the block raises."""
    before = dict(vars(estimator))
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise


def named_keywords(method):
    """Let TypeErrors of a method name the public class and the closest argument."""

    @functools.wraps(method)
    def checked(self, *args, **kwargs):
        check_call(self, method, *args, **kwargs)
        try:
            return method(self, *args, **kwargs)
        except ValueError as error:
            if self._terms:
                in_terms(error, self._terms)
            raise

    return checked


def check_call(estimator, method, /, *args, **kwargs):
    """Raise an error if a method, as a function, does not take these arguments.

    Flags are those whose default is True or False, but `as_frame`, which may be an index.
    """
    signature = inspect.signature(method)
    try:
        given = signature.bind(estimator, *args, **kwargs).arguments
    except TypeError as error:
        known = [name for name in signature.parameters if name != "self"]
        close = " ".join(filter(None, (suggestion(k, known) for k in kwargs if k not in known)))
        text = f"{type(estimator).__name__}.{method.__name__}() {error}. {close}".strip()
        raise TypeError(text) from None
    for name in given.keys() - {"as_frame"}:
        is_flag = isinstance(signature.parameters[name].default, bool)
        if is_flag and not isinstance(given[name], bool | np.bool_):
            raise ValueError(f"{name} must be True or False, got {given[name]!r}.")


def in_terms(error, terms):
    """Let an error name what the user knows, such as X where the parts of a model say y."""
    names = "|".join(sorted(terms, key=len, reverse=True))
    text = re.sub(
        rf"""(?<![\w'"(])({names})(?![\w'"|])""", lambda match: terms[match[0]], str(error)
    )
    error.args = (re.sub(r"\b(\w+) (?:or|and) \1\b", r"\1", text),)  # "X or y"


def items(dataset, y=None, *, name="X"):
    """Return a Dataset of pairs (x, y), or of x alone, that has been validated."""
    if y is not None:
        raise ValueError(
            f"{name} is a Dataset, whose items are pairs (x, y): pass no separate y, got a "
            f"{type(y).__name__}."
        )
    if not hasattr(dataset, "__len__") or not len(dataset):
        raise ValueError(f"{name} as a Dataset must have a length above zero, got {dataset!r}.")
    return dataset


def coverage(value):
    """Refuse a coverage outside (0, 1)."""
    number = isinstance(value, Real) and not isinstance(value, bool)
    if not number or not 0 < value < 1:
        percent = number and 1 < value < 100
        hint = f" Did you mean {value / 100:g}?" if percent else ""
        raise (ValueError if number else TypeError)(
            f"coverage must be a number between 0 and 1, got {value!r}.{hint}"
        )


def coverages(value):
    """Return one coverage or several as a list, and whether there are several."""
    several = np.ndim(value) > 0
    levels = [*value] if several else [value]
    if not levels:
        raise ValueError("coverage must be a number or a non-empty sequence of them, got [].")
    for level in levels:
        coverage(level)
    return levels, several


def single_in_frame(index, coverage):
    """Refuse a frame, which is asked for by its index, of several coverages."""
    if index is not None and np.ndim(coverage):
        raise ValueError(f"as_frame=True expects a single coverage, got {coverage!r}.")


def no_labels(estimator, what):
    """Raise an error if y are labels."""
    if hasattr(estimator, "classes_"):
        raise ValueError(f"{what} expects numbers, got {estimator.likelihood_!r}.")


def only_labels(estimator, what):
    """Raise an error unless y are labels."""
    if not hasattr(estimator, "classes_"):
        raise ValueError(
            f"{what} expects labels, likelihood='categorical', got {estimator.likelihood_!r}."
        )


def prediction(estimator, return_std, return_proba, method):
    """Raise an error if `predict` is asked for what the estimator has not."""
    if method not in ("mean", "latent_mean"):
        raise ValueError(f"method must be 'mean' or 'latent_mean', got {method!r}.")
    if return_std:
        no_labels(estimator, "return_std=True")
    if return_proba:
        only_labels(estimator, "return_proba=True")
    if return_std and method != "mean":
        raise ValueError(
            "return_std=True is the deviation about the mean: expected method='mean', got "
            f"{method!r}."
        )


def check_levels(quantiles):
    """Return quantile levels as an array."""
    array = in_unit_interval(quantiles)
    if array is None:
        raise ValueError(
            "quantiles must be a number in [0, 1] or a non-empty sequence of them, "
            f"got {quantiles!r}."
        )
    return array


def in_unit_interval(given):
    """Return a number in [0, 1], or a list of them, as an array; None if it is neither."""
    try:
        array = np.asarray(given, dtype=float)
    except (TypeError, ValueError):
        return None
    return array if array.ndim < 2 and array.size and ((0 <= array) & (array <= 1)).all() else None


def check_parameters(estimator):
    """Return the checked parameter objects, device and seed of an estimator."""
    estimator._validate_params()
    parts = SimpleNamespace(**chosen(estimator, *PARTS))
    parts.training = estimator.training or DEFAULT_TRAINING
    parts.device, parts.seed = parts.training.start(
        estimator.device, estimator.random_state, warm_start=estimator.warm_start
    )
    parts.continues = estimator.warm_start and hasattr(estimator, "net_")
    if parts.continues and not isinstance(estimator.random_state, Integral):
        parts.seed = estimator.seed_  # or rows held out were trained on
    objective, parts.finetuned = parts.objective, None
    objective._validate_params()
    if not estimator.early_stopping and estimator.validation != "random":
        raise ValueError(
            "early_stopping=False holds no rows out and expects validation='random', got "
            f"validation={estimator.validation!r}."
        )
    if getattr(parts.prior, "conditions_on_rows", False):
        parts.objective, parts.finetuned = _process.stages(estimator, parts)
    _check_objective(estimator, objective, parts.prior)
    return parts


def _check_objective(estimator, objective, prior):
    """Raise an error if an objective does not suit the networks or the prior."""
    if not (objective.uses_latents or estimator._noiseless):
        raise ValueError(
            f"objective={objective!r} is for models without latent variables. Expected "
            "NNRegressor, or another objective."
        )
    if objective.draws_from_prior and not getattr(prior, "differentiable_draws", True):
        raise ValueError(
            f"{type(estimator).__name__} trains with draws from the prior, which must be "
            f"differentiable; got prior={prior!r}. Use another prior, or an "
            "objective without draws from the prior, such as 'elbo'."
        )
    if estimator._encodes and not objective.uses_recognition:
        raise ValueError(
            f"objective={objective!r} trains no recognition network, with which "
            f"{type(estimator).__name__} encodes: expected another one, such as 'elbo'."
        )
    if not objective.weighs_kl and (estimator.beta or estimator.kl_warmup not in ("auto", 0)):
        raise ValueError(
            f"objective={estimator.objective!r} has no KL term to weight and expects beta=0 and "
            f"kl_warmup=0, got beta={estimator.beta} and kl_warmup={estimator.kl_warmup}."
        )


def chosen(estimator, *names):
    """Return parameter objects by name: copies of instances, or new ones from names."""
    found = {}
    for name in names:
        value = getattr(estimator, name)
        check_instance(value, name)
        if value is None or isinstance(value, str):
            named = estimator._named[name].get(value)
            found[name] = named and named()
        else:
            found[name] = _in_plain_numbers(clone(value))
    return found


def check_instance(value, name):
    """Refuse a class in place of an object."""
    if isinstance(value, type):
        raise TypeError(
            f"{name} must be an instance, got the class {value.__name__}: expected "
            f"{name}={value.__name__}()."
        )


def _in_plain_numbers(value):
    """Return a copied parameter with Python's numbers for NumPy's, no sizes to torch."""
    if isinstance(value, np.number):
        return value.item()
    if type(value) in (list, tuple):
        return type(value)(map(_in_plain_numbers, value))
    if hasattr(value, "get_params") and not isinstance(value, type):
        params = value.get_params(deep=False)
        value.set_params(**{name: _in_plain_numbers(part) for name, part in params.items()})
    return value
