"""Every mistake gets an error that names what was got, and leaves a fitted estimator as it was."""

import copy
import functools
import warnings

import numpy as np
import pytest
import torch
from conftest import ESTIMATORS
from scipy.sparse import csr_matrix
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from skorch.callbacks import Callback

from skcvae import (
    VAE,
    CVAERegressor,
    EnsembleRegressor,
    HybridStructuredPredictor,
    NNRegressor,
    Training,
    load,
)
from skcvae.architectures import MLP, Architecture, Conv
from skcvae.likelihoods import Categorical, Gaussian, Likelihood, MultivariateGaussian
from skcvae.objectives import ELBO, Deterministic, MultiScale, Objective
from skcvae.priors import Flow, Prior

X = np.random.default_rng(0).normal(size=(20, 3))
Y = X @ np.ones((3, 2)) + 1
LABELS = np.where(Y > 1, 4, 1)
IMAGES = np.random.default_rng(0).normal(size=(20, 8, 6))


def nan_at(array, value=np.nan):
    array = array.copy()
    array[3, 1] = value
    return array


FITS = {
    "X has NaN": (nan_at(X), Y, {}, "Input X contains NaN"),
    "X is infinite": (nan_at(X, np.inf), Y, {}, "Input X contains infinity"),
    "y has NaN": (X, nan_at(Y), {}, "Input y contains NaN.* only if partial_y=True"),
    "y is infinite": (X, nan_at(Y, -np.inf), {}, "Input y contains infinity"),
    "no rows": (X[:0], Y[:0], {}, r"0 sample\(s\)"),
    "one row": (X[:1], Y[:1], {}, "at least 2, got n_samples = 1"),
    "rows differ": (
        X,
        Y[:7],
        {},
        r"y must have one row for each of the 20 rows of X, got shape \(7, 2\)",
    ),
    "strings in X": (X.astype(str), Y, {}, "X must hold numbers, got a string such as"),
    "strings in y": (X, Y.astype(str), {}, "y must hold numbers, got a string such as"),
    "a string in X": ([["1", 2.0], [3.0, 4.0]], Y[:2], {}, "got a string such as '1'"),
    "no y": (X, None, {}, "requires y to be passed"),
    "y is a number": (X, 3.0, {}, "y must have one row for each"),
    "X is 1-d": (X[:, 0], Y, {}, "Expected 2D array, got 1D array"),
    "X is too large": (X * 1e300, Y, {}, "X cannot be standardised"),
    "negative weights": (X, Y, {"sample_weight": -np.ones(20)}, "sample_weight"),
    "zero weights": (X, Y, {"sample_weight": np.zeros(20)}, "only weights of zero"),
    "weights differ": (
        X,
        Y,
        {"sample_weight": np.ones(7)},
        r"sample_weight must have one weight for each of the 20 rows of X, got shape \(7,\)",
    ),
    "weights of columns": (X, Y, {"sample_weight": np.ones((20, 2))}, r"got shape \(20, 2\)"),
    "no numbers as weights": (
        X,
        Y,
        {"sample_weight": "balanced"},
        "sample_weight must hold numbers, got a string such as .balanced.",
    ),
    "no outputs": (X, Y[:, :0], {}, r"y must have at least .* one output, got shape \(20, 0\)"),
    "X_val alone": (X, Y, {"X_val": X}, "X_val and y_val go together, got no y_val"),
    "y_val alone": (X, Y, {"y_val": Y}, "X_val and y_val go together, got no X_val"),
    "X_val is narrow": (X, Y, {"X_val": X[:, :2], "y_val": Y}, "X has 2 features"),
    "y_val is wide": (
        X,
        Y,
        {"X_val": X, "y_val": X},
        r"y_val has rows of shape \(3,\), expected \(2,\)",
    ),
    "y_val has NaN": (X, Y, {"X_val": X, "y_val": nan_at(Y)}, "Input y_val contains NaN"),
}

# Parameters, X, y, what else is given to fit, message.
FITS_WITH = {
    "tables as images": ({"architecture": "conv"}, X, Y, {}, "'conv' expects images in X or y"),
    "tables as images, with a number far out": (
        {"architecture": "conv"},
        nan_at(X, 1e6),
        nan_at(Y, 1e6),
        {},
        "'conv' expects images in X or y",
    ),
    "tables as sequences, with a number far out": (
        {"architecture": "temporal"},
        nan_at(X, 1e6),
        nan_at(Y, 1e6),
        {},
        "'temporal' expects sequences in X or y",
    ),
    "convolutions of a side that is even": (
        {"architecture": Conv(kernel_size=4)},
        IMAGES,
        Y,
        {},
        "'kernel_size' parameter of Conv must be odd. Got 4",
    ),
    "scales of a vector": (
        {"n_scales": 2, "initial_guess": True},
        IMAGES,
        Y,
        {},
        r"n_scales=2 expects images, rows of y .* got rows of shape \(2,\). Give y_shape",
    ),
    "more scales than levels": (
        {"n_scales": 3, "initial_guess": True, "architecture": Conv((4, 6))},
        IMAGES,
        IMAGES,
        {},
        "n_scales=3 expects Conv to have at least 3 levels, got 2",
    ),
    "x_shape of another size": (
        {"x_shape": (2, 2)},
        X,
        Y,
        {},
        r"x_shape must be .* product is the 3 numbers of a row, got \(2, 2\)",
    ),
    "y_shape of another size": ({"y_shape": (3,)}, X, Y, {}, "y_shape must be .* the 2 numbers"),
    "negative x_shape": ({"x_shape": (-1, -3)}, X, Y, {}, r"x_shape must be .* got \(-1, -3\)"),
    "fractional x_shape": ({"x_shape": (1.5, 2)}, X, Y, {}, r"x_shape must be .* got \(1.5, 2\)"),
    "empty x_shape": ({"x_shape": ()}, X[:, :1], Y, {}, r"x_shape must be .* got \(\)"),
    "empty y_shape": ({"y_shape": ()}, X, Y[:, 0], {}, r"y_shape must be .* got \(\)"),
    "fractional labels": ({"likelihood": "categorical"}, X, Y, {}, "integer labels in y, got"),
    "one label": (
        {"likelihood": "categorical"},
        X,
        np.ones((20, 2)),
        {},
        r"at least 2 classes, got labels \[1.*\] in y",
    ),
    "a label that is not named": (
        {"likelihood": Categorical(classes=[1, 2, 3])},
        X,
        LABELS,
        {},
        r"y has labels \[4\] .* expected among \[1, 2, 3\]",
    ),
    "a label in y_val alone": (
        {"likelihood": "categorical"},
        X,
        LABELS,
        {"X_val": X, "y_val": 2 * LABELS},
        r"y_val has labels \[2, 8\] that were not in y in fit, expected among \[1, 4\]",
    ),
    "a label of weight zero": (
        {"likelihood": "categorical"},
        X,
        np.where(np.arange(20)[:, None] == 3, 9, LABELS),
        {"sample_weight": np.arange(20) != 3, "X_val": X, "y_val": np.full_like(LABELS, 9)},
        r"y_val has labels \[9\]",
    ),
    "a label that is never observed": (
        {"partial_y": True, "likelihood": "categorical"},
        X,
        np.where([True, False], LABELS, np.nan),
        {},
        r"y has columns or channels that are NaN in every row, .* never are: \[1\]",
    ),
    "an output that is never observed": (
        {"partial_y": True},
        X,
        np.where([True, False], Y, np.nan),
        {},
        "y has columns or channels that are NaN in every row, expected each observed at least",
    ),
    "infinite y, in part": (
        {"partial_y": True},
        X,
        nan_at(Y, np.inf),
        {},
        "Input y contains infinity",
    ),
}

PARAMETERS = {
    "alpha": [-0.1, 1.5, "a"],
    "beta": [-1, "a"],
    "kl_warmup": [-1, 0.5],
    "n_train_samples": [0, 1.5],
    "latent_dim": [0, "big", 2.5],
    "initial_guess": ["yes"],
    "prior": ["vamp", torch.nn.Linear(1, 1), 3],
    "architecture": ["convnet", torch.nn.Linear(1, 1)],
    "likelihood": ["weibull", torch.nn.Linear(1, 1)],
    "x_shape": [3, "8x8"],
    "y_shape": [3, "8x8"],
    "partial_y": ["yes", None],
    "omission": [-0.1, 1, "a"],
    "n_scales": [0, 4, 1.5],
    "normalize_X": ["yes"],
    "normalize_y": [None],
    "max_epochs": [0, "many", 1.5],
    "lr": [0, -1, "a"],
    "training__lr_schedule": ["cosine"],
    "batch_size": [0, "big"],
    "training__optimizer": ["LBFGS", 3],
    "training__weight_decay": [-1],
    "training__max_grad_norm": [0, -1],
    "training__ema_decay": [1, -0.1],
    "early_stopping": ["yes"],
    "validation_fraction": [0, 1, 2],
    "training__patience": [0, "long"],
    "n_score_samples": [0],
    "warm_start": ["yes"],
    "training__callbacks": ["early"],
    "training__checkpoint": [3, True],
    "device": [3],
    "random_state": ["seed"],
    "verbose": [-1],
}


def state(estimator):
    return {k: v for k, v in vars(estimator).items() if k.endswith("_") or k.startswith("_")}


def assert_as_before(estimator, before, prediction):
    assert state(estimator) == before
    np.testing.assert_array_equal(estimator.predict(X), prediction)


@functools.cache
def fit_once(estimator_class, likelihood="auto"):
    y = LABELS if likelihood == "categorical" else Y
    return estimator_class(likelihood=likelihood, max_epochs=2, random_state=0).fit(X, y)


@pytest.fixture
def fitted(estimator_class):
    """A copy of a fit that the tests of this file share."""
    return copy.deepcopy(fit_once(estimator_class))


@pytest.mark.parametrize("case", FITS)
def test_fit(fitted, case):
    bad_X, bad_y, more, message = FITS[case]
    before, prediction = state(fitted), fitted.predict(X)
    with pytest.raises(ValueError, match=message):
        fitted.fit(bad_X, bad_y, **more)
    assert_as_before(fitted, before, prediction)


@pytest.mark.parametrize("case", FITS_WITH)
def test_fit_with_parameters(fitted, case):
    params, bad_X, bad_y, more, message = FITS_WITH[case]
    before, prediction = state(fitted), fitted.predict(X)
    with pytest.raises(ValueError, match=message):
        fitted.set_params(**params).fit(bad_X, bad_y, **more)
    assert_as_before(fitted, before, prediction)


def test_scales_without_an_initial_guess(latent_class):
    est = copy.deepcopy(fit_once(latent_class))
    before, prediction = state(est), est.predict(X)
    with pytest.raises(ValueError, match="n_scales=2 .* expects initial_guess=True, got False"):
        est.set_params(n_scales=2).fit(IMAGES, IMAGES)
    assert_as_before(est, before, prediction)


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in PARAMETERS.items() for value in values]
)
def test_parameters(name, value):
    est = copy.deepcopy(fit_once(HybridStructuredPredictor))
    before, prediction = state(est), est.predict(X)
    with pytest.raises(ValueError, match=f"'{name.rpartition('__')[-1]}'") as error:
        est.set_params(**{name: value}).fit(X, Y)
    assert "Got" in str(error.value)
    assert_as_before(est, before, prediction)


@pytest.mark.parametrize("device", ["cuda:99", "tpu", "cuda:x", "", "cpu:3"])
def test_unavailable_devices(fitted, device):
    before, prediction = state(fitted), fitted.predict(X)
    with pytest.raises(ValueError, match=f"device must be .* got '{device}'"):
        fitted.set_params(device=device).fit(X, Y)
    assert_as_before(fitted, before, prediction)


EVERY = [*ESTIMATORS, EnsembleRegressor]
MISSPELT = {
    "alhpa": "Expected some of",
    "epochs": "Did you mean 'max_epochs'",
    "learning_rate": "Did you mean 'lr'",
    "hidden_layer_sizes": r"Did you mean 'architecture=MLP\(hidden_layer_sizes=...\)'",
    "n_components": "Did you mean 'latent_dim'",
    "weight_decay": r"Did you mean 'training=Training\(weight_decay=...\)'",
}


@pytest.mark.parametrize("name", MISSPELT)
def test_misspelt_parameters(estimator_class, name):
    message = rf"^{estimator_class.__name__} has no parameter '{name}'\. {MISSPELT[name]}"
    if name == "alhpa" and "alpha" in estimator_class().get_params():
        message = message.replace("Expected some of", "Did you mean 'alpha'")
    with pytest.raises(TypeError, match=message):
        estimator_class(**{name: 1})
    with pytest.raises(ValueError, match=message):
        estimator_class().set_params(**{name: 1})
    with pytest.raises(ValueError, match=rf"^{estimator_class.__name__} has no parameter"):
        estimator_class().set_params(**{f"{name}__x": 1})


def test_misspelt_parameters_of_parameter_objects(estimator_class):
    with pytest.raises(ValueError, match="^MLP has no parameter 'width'"):
        estimator_class().set_params(architecture__width=3)
    with pytest.raises(
        ValueError,
        match="^Training has no parameter 'decay'",
    ):
        estimator_class().set_params(training__decay=3)


def test_parameters_of_an_ensemble_that_do_not_exist():
    for name, meant in {
        "n_estimator": "n_estimators",
        "epochs": r"estimator=CVAERegressor\(max_epochs=...\)",
    }.items():
        message = f"^EnsembleRegressor has no parameter '{name}'. Did you mean '{meant}'"
        with pytest.raises(TypeError, match=message):
            EnsembleRegressor(**{name: 3})
        with pytest.raises(ValueError, match=message):
            EnsembleRegressor().set_params(**{name: 3})
    with pytest.raises(ValueError, match="^CVAERegressor has no parameter 'epochs'"):
        EnsembleRegressor().set_params(estimator__epochs=3)


METHODS = {
    "another": (
        lambda e: e.fit(X, Y, foo=1),
        r"fit\(\) got an unexpected keyword argument 'foo'\.",
    ),
    "misspelt": (lambda e: e.sample(X, n_sample=3), "'n_sample'. Did you mean 'n_samples'"),
    "misspelt in fit": (lambda e: e.fit(X, Y, sample_weights=1), "Did you mean 'sample_weight'"),
    "misspelt in predict": (lambda e: e.predict(X, returnstd=1), "Did you mean 'return_std'"),
    "misspelt in complete": (lambda e: e.complete(X, Y, steps=1), "Did you mean 'n_steps'"),
    "misspelt in log_prob": (lambda e: e.log_prob(X, Y, nsamples=1), "Did you mean 'n_samples'"),
    "misspelt in an interval": (
        lambda e: e.predict_interval(X, covarage=0.9),
        "Did you mean 'coverage'",
    ),
    "misspelt in quantiles": (
        lambda e: e.predict_quantiles(X, quantile=0.9),
        "Did you mean 'quantiles'",
    ),
    "missing in save": (lambda e: e.save(), r"save\(\) missing a required argument: 'path'\.$"),
    "missing": (lambda e: e.sample(), r"sample\(\) missing a required argument: 'X'\.$"),
    "missing y": (lambda e: e.score(X), r"score\(\) missing a required argument: 'y'\.$"),
    "too many": (lambda e: e.log_prob(X, Y, 3), r"log_prob\(\) too many positional arguments\.$"),
}


@pytest.mark.parametrize("case", METHODS)
@pytest.mark.parametrize("cls", EVERY, ids=lambda cls: cls.__name__)
def test_arguments_that_no_method_takes(cls, case):
    ask, message = METHODS[case]
    with pytest.raises(TypeError, match=rf"^{cls.__name__}\..*{message}") as error:
        ask(cls())
    assert "StructuredPredictor." not in str(error.value).removeprefix(cls.__name__)


def test_the_users_own_class_is_named():
    class Mine(NNRegressor):
        pass

    with pytest.raises(TypeError, match="^Mine has no parameter 'epochs'"):
        Mine(epochs=3)
    with pytest.raises(TypeError, match=r"^Mine.sample\(\) got an unexpected"):
        Mine().sample(X, n_sample=3)


def test_parameters_of_parameter_objects(estimator_class):
    with pytest.raises(ValueError, match="'dropout' parameter of MLP"):
        estimator_class(architecture=MLP(dropout=2)).fit(X, Y)
    with pytest.raises(ValueError, match="'min_scale' parameter of Gaussian"):
        estimator_class(likelihood=Gaussian(min_scale=-1)).fit(X, Y)
    with pytest.raises(ValueError, match="'classes' parameter of Categorical"):
        estimator_class(likelihood=Categorical(classes=[1, 1, 4])).fit(X, LABELS)


def test_sparse_arrays(fitted):
    with pytest.raises(TypeError, match="Sparse data was passed for X"):
        fitted.fit(csr_matrix(X), Y)
    with pytest.raises(TypeError, match="y must be dense, got a sparse csr_matrix"):
        fitted.fit(X, csr_matrix(Y))


def test_bernoulli_targets_outside_the_unit_interval(estimator_class):
    est = estimator_class(likelihood="bernoulli", max_epochs=2).fit(X, Y > 0)
    with pytest.raises(ValueError, match=r"expects y in \[0, 1\]"):
        est.fit(X, Y)
    with pytest.raises(ValueError, match=r"expects y in \[0, 1\]"):
        est.log_prob(X, Y)


ASKS = {
    "features": (lambda e: e.predict(X[:, :2]), "X has 2 features, but .* expecting 3"),
    "dimensions": (lambda e: e.sample(X[:, :, None]), r"rows of shape \(3, 1\), expected \(3,\)"),
    "NaN": (lambda e: e.predict(nan_at(X)), "Input X contains NaN"),
    "wide y": (lambda e: e.score(X, X), r"y has rows of shape \(3,\), expected \(2,\)"),
    "flat y": (lambda e: e.score(X, Y[:, 0]), r"y has rows of shape \(\), expected \(2,\)"),
    "short y": (lambda e: e.log_prob(X, Y[:3]), "one row for each of the 20 rows"),
    "y with NaN": (lambda e: e.log_prob(X, nan_at(Y)), "Input y contains NaN"),
    "no draws": (lambda e: e.sample(X, n_samples=0), "n_samples == 0, must be >= 1"),
    "deviation about z*": (
        lambda e: e.predict(X, return_std=True, method="latent_mean"),
        "return_std=True .* expected method='mean', got 'latent_mean'",
    ),
    "kind of prediction": (
        lambda e: e.predict(X, method="median"),
        "method must be 'mean' or 'latent_mean', got 'median'",
    ),
    "no draws to score": (lambda e: e.log_prob(X, Y, n_samples=-1), "n_samples == -1"),
    "method": (lambda e: e.log_prob(X, Y, method="exact"), "method must be one of .* got 'exact'"),
    "quantiles": (
        lambda e: e.predict_quantiles(X, [0.1, 2]),
        r"quantiles must be .* got \[0.1, 2\]",
    ),
    "a quantile without a number": (
        lambda e: e.predict_quantiles(X, "median"),
        "quantiles must be .* got 'median'",
    ),
    "seed": (lambda e: e.sample(X, random_state=-1), "random_state must be .* got -1"),
    "seed of a score": (
        lambda e: e.log_prob(X, Y, random_state="a"),
        "random_state must be .* got 'a'",
    ),
    "flag": (lambda e: e.predict(X, "no"), "return_std must be True or False, got 'no'"),
    "no y": (lambda e: e.score(X, Y[:0]), r"y must have at least one row .* got shape \(0, 2\)"),
    "no quantiles": (lambda e: e.predict_quantiles(X, []), "quantiles must be"),
    "coverage": (
        lambda e: e.predict_interval(X, coverage=1.0),
        r"coverage must be a number between 0 and 1, got 1\.0\.$",
    ),
    "no coverage": (lambda e: e.predict_interval(X, coverage=0), "between 0 and 1, got 0.$"),
    "coverage in percent": (
        lambda e: e.predict_interval(X, coverage=90),
        r"between 0 and 1, got 90\. Did you mean 0\.9\?$",
    ),
    "weights": (lambda e: e.score(X, Y, sample_weight=np.zeros(20)), "only weights of zero"),
    "classes of numbers": (
        lambda e: e.predict(X, return_proba=True),
        "return_proba=True expects labels, likelihood='categorical', got StudentT",
    ),
    "wide y_partial": (
        lambda e: e.complete(X, X),
        r"y_partial has rows of shape \(3,\), expected \(2,\)",
    ),
    "short y_partial": (lambda e: e.complete(X, Y[:3]), "y_partial must have one row for each"),
    "infinite y_partial": (
        lambda e: e.complete(X, nan_at(Y, np.inf)),
        "Input y_partial contains infinity",
    ),
    "strings in y_partial": (
        lambda e: e.complete(X, Y.astype(str)),
        "y_partial must hold numbers, got a string",
    ),
    "strings beside a mask": (
        lambda e: e.complete(X, Y.astype(str), mask=Y > 1),
        "y_partial must hold numbers, got a string",
    ),
    "mask of rows": (
        lambda e: e.complete(X, Y, mask=np.ones(20, dtype=bool)),
        r"mask must be boolean .* of y_partial, \(20, 2\), got bool of shape \(20,\)",
    ),
    "mask of numbers": (
        lambda e: e.complete(X, Y, mask=np.ones((20, 2))),
        r"mask must be boolean .* got float64 of shape \(20, 2\)",
    ),
    "no completions": (lambda e: e.complete(X, Y, 0), "n_samples == 0, must be >= 1"),
    "no steps": (lambda e: e.complete(X, Y, n_steps=0), "n_steps == 0, must be >= 1"),
}

ASKS_OF_LABELS = {
    "unseen labels": (
        lambda e: e.score(X, 2 * LABELS),
        r"y has labels \[2, 8\] that were not in y in fit, expected among \[1, 4\]. "
        r".*likelihood=Categorical\(classes=...\)",
    ),
    "unseen labels, in part": (
        lambda e: e.complete(X, np.where(Y > 1, np.nan, 2)),
        r"y_partial has labels \[2(.0)?\]",
    ),
    "fractional labels": (lambda e: e.log_prob(X, LABELS / 2), "integer labels in y, got"),
    "labels with NaN": (lambda e: e.score(X, nan_at(LABELS * 1.0)), "y contains NaN.* partial_y"),
    "deviations": (
        lambda e: e.predict(X, return_std=True),
        "return_std=True expects numbers, got Categorical",
    ),
    "quantiles": (lambda e: e.predict_quantiles(X), "a quantile expects numbers"),
    "intervals": (lambda e: e.predict_interval(X), "a quantile expects numbers"),
}


@pytest.mark.parametrize("case", ASKS)
def test_questions(fitted, case):
    ask, message = ASKS[case]
    before, prediction = state(fitted), fitted.predict(X)
    with pytest.raises(ValueError, match=message):
        ask(fitted)
    assert_as_before(fitted, before, prediction)


@pytest.mark.parametrize("case", ASKS_OF_LABELS)
def test_questions_about_labels(estimator_class, case):
    est = copy.deepcopy(fit_once(estimator_class, "categorical"))
    ask, message = ASKS_OF_LABELS[case]
    before, prediction = state(est), est.predict(X)
    with pytest.raises(ValueError, match=message):
        ask(est)
    assert_as_before(est, before, prediction)


def test_numbers_of_the_wrong_type(fitted):
    with pytest.raises(TypeError, match="n_samples must be an instance of"):
        fitted.sample(X, n_samples=2.5)
    for coverage in ("wide", True, None):
        with pytest.raises(TypeError, match=f"between 0 and 1, got {coverage!r}"):
            fitted.predict_interval(X, coverage=coverage)


@pytest.mark.parametrize("method", ["predict", "sample", "predict_quantiles", "predict_interval"])
def test_unfitted(estimator_class, method):
    with pytest.raises(NotFittedError):
        getattr(estimator_class(), method)(X)
    with pytest.raises(NotFittedError):
        estimator_class().score(X, Y)
    with pytest.raises(NotFittedError):
        estimator_class().complete(X, Y)


def test_warm_start_with_other_labels(estimator_class):
    est = estimator_class(likelihood="categorical", max_epochs=2, warm_start=True).fit(X, LABELS)
    before, prediction = state(est), est.predict(X)
    with pytest.raises(ValueError, match=r"y has labels \[2, 8\] that were not in y in fit"):
        est.fit(X, 2 * LABELS)
    assert_as_before(est, before, prediction)


@pytest.mark.filterwarnings("ignore:The effective sample size")  # q is that of another alpha
def test_warm_start_without_the_recognition_network_that_alpha_needs():
    est = HybridStructuredPredictor(alpha=0, max_epochs=2, warm_start=True).fit(X, Y)
    before, prediction = state(est), est.predict(X)
    with pytest.raises(ValueError, match="from a fit that trained no recognition network"):
        est.set_params(alpha=0.5).fit(X, Y)
    assert_as_before(est, before, prediction)
    est.set_params(alpha=0.5, warm_start=False).fit(X, Y).set_params(alpha=0, warm_start=True)
    assert np.isfinite(est.fit(X, Y).score(X, Y))


def test_warm_start_with_other_shapes(estimator_class):
    est = estimator_class(max_epochs=2, warm_start=True).fit(X, Y)
    with pytest.raises(ValueError, match="X has 2 features"):
        est.fit(X[:, :2], Y)
    with pytest.raises(ValueError, match=r"y has rows of shape \(3,\), expected \(2,\)"):
        est.fit(X, X)


def test_divergence_says_when_and_what_to_try(estimator_class):
    est = estimator_class(max_epochs=3, random_state=0).fit(X, Y)
    before, prediction = state(est), est.predict(X)
    est.set_params(lr=1e30, max_epochs=20, training__optimizer="SGD", training__max_grad_norm=None)
    with pytest.raises(ValueError, match=r"diverged in epoch \d+: .* Try a smaller lr"):
        est.fit(X, Y)
    assert_as_before(est, before, prediction)


@pytest.mark.parametrize("likelihood", [MultivariateGaussian(), MultivariateGaussian(rank=1)])
def test_divergence_to_a_matrix_without_factors_is_divergence(estimator_class, likelihood):
    est = estimator_class(likelihood=likelihood, max_epochs=3, lr=1e4, random_state=0)
    with pytest.raises(ValueError, match=r"diverged .*Try a smaller lr"):
        est.fit(X, Y + np.random.default_rng(1).normal(size=Y.shape))


def test_a_fit_that_diverged_at_once_says_so(estimator_class):
    est = estimator_class(likelihood="gaussian", lr=100.0, max_epochs=2, random_state=0)
    with pytest.raises(ValueError, match=r"diverged .*Try a smaller lr"):
        est.fit(X, Y)
    assert not hasattr(est, "net_")


class Leap(Callback):
    """Raise the learning rate 30,000 times in the third epoch."""

    def on_epoch_begin(self, net, **kwargs):
        for group in net.optimizer_.param_groups if len(net.history) == 3 else ():
            group["lr"] *= 1e4


def test_a_fit_that_diverged_after_better_epochs_keeps_these_and_says_so(estimator_class):
    training = Training(callbacks=[Leap()])
    est = estimator_class(likelihood="gaussian", max_epochs=4, random_state=0, training=training)
    with pytest.warns(UserWarning, match="diverged after better epochs: .* Try a smaller lr"):
        est.fit(X, Y)
    assert np.isfinite(est.predict(X)).all()


def test_a_failing_fit_scores_as_an_error_in_a_search():
    from sklearn.exceptions import FitFailedWarning
    from sklearn.model_selection import GridSearchCV

    search = GridSearchCV(NNRegressor(max_epochs=2), {"lr": [1e-3, -1.0]}, cv=2)
    with pytest.warns(FitFailedWarning), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="One or more of the test scores")
        search.fit(X, Y)
    assert search.best_params_ == {"lr": 1e-3}


@pytest.mark.parametrize("early_stopping", [True, False])
def test_an_interrupt_keeps_what_was_learned(monkeypatch, early_stopping):
    from skcvae.data import batches

    getitem, count = batches.Rows.__getitem__, [0]

    def interrupted(self, rows):
        count[0] += 1
        if count[0] > 12:
            raise KeyboardInterrupt
        return getitem(self, rows)

    monkeypatch.setattr(batches.Rows, "__getitem__", interrupted)
    est = CVAERegressor(max_epochs=50, random_state=0, early_stopping=early_stopping)
    with pytest.warns(ConvergenceWarning, match=r"interrupted after \d+ of 50 epochs"):
        est.fit(X, Y)
    monkeypatch.undo()
    assert np.isfinite(est.score(X, Y))


def test_an_interrupt_before_the_first_epoch_is_passed_on(monkeypatch):
    from skcvae.data import batches

    est = CVAERegressor(max_epochs=2, random_state=0).fit(X, Y)
    before, prediction = state(est), est.predict(X)

    def interrupted(self, rows):
        raise KeyboardInterrupt

    monkeypatch.setattr(batches.Rows, "__getitem__", interrupted)
    with pytest.raises(KeyboardInterrupt):
        est.fit(X, Y)
    monkeypatch.undo()
    assert_as_before(est, before, prediction)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"prior": Flow}, r"prior must be an instance, .*expected prior=Flow\(\)"),
        ({"likelihood": Gaussian}, r"likelihood must be an instance"),
        ({"objective": Deterministic()}, "for models without latent variables. .*NNRegressor"),
        ({"objective": MultiScale(ELBO())}, "The 'objective' parameter of CVAERegressor"),
        ({"training": Training(optimizer_params={"lr": 1.0})}, "set the parameter lr"),
    ],
)
def test_objects_that_do_not_fit(params, message):
    with pytest.raises((TypeError, ValueError), match=message):
        CVAERegressor(**params).fit(X, Y)


@pytest.mark.parametrize("base", [Architecture, Likelihood, Objective, Prior])
def test_base_classes_have_no_instances(base):
    with pytest.raises(TypeError, match="abstract"):
        base()


def test_classes_to_load_are_a_list(tmp_path):
    for classes in (Gaussian, [Gaussian()]):
        with pytest.raises(TypeError, match="classes must be a list of classes"):
            load(tmp_path / "any", classes=classes)


@pytest.mark.parametrize("estimator_class", [CVAERegressor, NNRegressor])
@pytest.mark.parametrize(("width", "channels"), [(6, 1), (6, 3), (6, 4), (8, 2), (8, 5)])
@pytest.mark.parametrize("architecture", [MLP((8,)), Conv((2, 3))], ids=["mlp", "conv"])
def test_images_with_channels_last_are_refused(estimator_class, width, channels, architecture):
    rng = np.random.default_rng(0)
    images, numbers = rng.normal(size=(9, 8, width, channels)), rng.normal(size=(9, 3))
    small = MLP((8,))
    est = estimator_class(architecture=architecture, max_epochs=1)
    for name, X, y in (("X", images, numbers), ("y", numbers, images)):
        shape = rf"\(8, {width}, {channels}\)"
        message = rf"{name} has rows of shape {shape}, images with channels last"
        with pytest.raises(ValueError, match=message):
            est.fit(X, y)
    est.fit(numbers, np.moveaxis(images, -1, 1))
    assert est.set_params(y_shape=(8, width, channels), architecture=small).fit(numbers, images)
    with pytest.raises(ValueError, match="X has rows of shape .*by x_shape="):
        VAE(architecture=small, max_epochs=1).fit(images)


def test_sequences_are_not_read_as_images():
    X = np.random.default_rng(0).normal(size=(9, 20, 3))
    message = r"got rows of shape \(20, 3\), which are sequences.*'temporal'.*\(1, 20, 3\)"
    for arrays in ((X, X[:, :, 0]), (X[:, :, 0], X)):
        with pytest.raises(ValueError, match=message):
            NNRegressor(architecture="conv", max_epochs=1).fit(*arrays)
    NNRegressor(max_epochs=1).fit(X, X)


@pytest.mark.parametrize("architecture", ["mlp", "conv"])
def test_channels_in_several_units_are_not_read_as_images(architecture):
    rng = np.random.default_rng(0)
    weather = rng.normal([15, 1013, 60, 4], [5, 8, 20, 2], size=(9, 24, 4))
    numbers = rng.normal(size=(9, 3))
    est = NNRegressor(architecture=architecture, max_epochs=1, random_state=0)
    for place, rows in {"last": weather, "first": np.moveaxis(weather, 1, 2)}.items():
        shape = str(rows.shape[1:]).replace("(", r"\(").replace(")", r"\)")
        for name, X, y in (("X", rows, numbers), ("y", numbers, rows)):
            message = (
                rf"{name} has rows of shape {shape}, read as images.*here {place}.*'temporal'.*"
                rf"{name}\.reshape.*{name.lower()}_shape={shape}"
            )
            with pytest.warns(UserWarning, match=message):
                est.fit(X, y)
    est.set_params(y_shape=(4, 24)).fit(numbers, rows)
    with pytest.warns(UserWarning, match="X has rows of shape .*x_shape="):
        VAE(max_epochs=1).fit(weather)


def test_photographs_and_gaps_are_no_channels():
    digits = load_digits().images[:30]
    digits[:, :2, 3:] = np.nan
    horizon = np.linspace(0, 1, 8)[:, None] + np.random.default_rng(0).normal(0, 0.1, (30, 8, 8))
    for images in (digits, horizon):
        NNRegressor(partial_X=True, max_epochs=1, random_state=0).fit(images, images[:, 5])


@pytest.mark.parametrize("shape", [(8, 5), (7, 6), (2, 8, 6), (48,), (6,)])
@pytest.mark.parametrize("architecture", ["mlp", "conv", "temporal"])
def test_images_of_another_shape_than_in_fit_are_refused_with_both(architecture, shape):
    est = NNRegressor(architecture=architecture, max_epochs=1, random_state=0).fit(IMAGES, Y)
    found = str(shape).replace("(", r"\(").replace(")", r"\)")
    message = rf"X has rows of shape {found}, expected \(8, 6\) as in fit"
    with pytest.raises(ValueError, match=message):
        est.predict(np.zeros((20, *shape)))
    with pytest.raises(ValueError, match=message.replace("X has", "X_val has")):
        est.fit(IMAGES, Y, X_val=np.zeros((20, *shape)), y_val=Y)
