"""A saved file: the same estimator comes back, or an error says why not."""

import contextlib
import copy
import errno
import glob
import json
import os
import pickle
import resource
import warnings
import zlib

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save as to_bytes
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError
from sklearn.gaussian_process import kernels
from skorch.callbacks import Callback
from torch.distributions import Independent
from torch.distributions import StudentT as StudentTDistribution

import skcvae
from skcvae import (
    CVAERegressor,
    EnsembleRegressor,
    GSNNRegressor,
    HybridStructuredPredictor,
    NNRegressor,
    Training,
)
from skcvae.architectures import MLP, Conv, Layered
from skcvae.distributions import DiagonalGaussian
from skcvae.io import files
from skcvae.io.decoding import parsed
from skcvae.io.document import FORMAT
from skcvae.io.kinds import ESTIMATORS, PARAMETER_OBJECTS, RECORDS
from skcvae.likelihoods import (
    Autoregressive,
    Bernoulli,
    Categorical,
    ColorField,
    Columns,
    CorrelatedLogits,
    Gamma,
    Gaussian,
    GaussianMixture,
    Hurdle,
    LogitNormal,
    LogNormal,
    MaskedImage,
    MultivariateGaussian,
    NegativeBinomial,
    Poisson,
    StudentT,
)
from skcvae.likelihoods.base import Likelihood, LikelihoodModule
from skcvae.objectives import ELBO, GSNN, IWAE, Bound, Hybrid, MonteCarloLikelihood, Objective
from skcvae.priors import Flow, GaussianProcess, Mixture

rng = np.random.default_rng(0)
X = rng.normal(size=(40, 3))
REAL = X[:, :2] + rng.normal(size=(40, 2))
HEAVY = X * np.where(np.arange(40) % 20, 1.0, 1e3)[:, None]
COUNTS = rng.poisson(3.0, size=(40, 2))
LABELS = rng.integers(3, 6, size=(40, 2))
MIXED = np.hstack([LABELS, REAL, COUNTS])
GROUPS = [
    ("real", GaussianMixture(), [2, 3]),
    ("counts", NegativeBinomial(init_rate=[1.0, 2.0]), (5, 4)),
    ("kinds", Categorical(classes=[3, 4, 5, 9]), np.array([0, 1])),
]
IMAGES = rng.normal(size=(40, 6, 5))
MAPS = rng.integers(0, 3, size=(40, 6, 5))
HOLES = np.where(rng.random(REAL.shape) < 0.2, np.nan, REAL)
CONV = Conv((4, 6, 8))
# Each class of parameter objects, each coding of y, each way to pass a parameter.
KERNEL = (
    kernels.ConstantKernel(0.5, "fixed") * kernels.RBF([1.0, 2.0, 3.0])
    + kernels.Matern(2.0, nu=np.inf) * kernels.RationalQuadratic()
    + kernels.DotProduct(0.1, "fixed") ** 2
    + 0.01 * kernels.ExpSineSquared(1.0, 40.0, "fixed", "fixed")
    + kernels.WhiteKernel()
)
CASES = {
    "cvae": (CVAERegressor(beta=0.5, objective="elbo", latent_dim=np.int64(2)), X, REAL),
    "iwae": (CVAERegressor(objective="iwae", n_train_samples=2), X, REAL[:, 0]),
    "gsnn": (GSNNRegressor(prior="standard", initial_guess=True), X, REAL),
    "hybrid": (
        HybridStructuredPredictor(
            0.3, training=Training(optimizer="SGD", optimizer_params={"momentum": 0.5})
        ),
        X,
        REAL,
    ),
    "alpha 0": (
        HybridStructuredPredictor(0, training=Training(optimizer=torch.optim.RMSprop)),
        X,
        REAL,
    ),
    "nn": (
        NNRegressor(early_stopping=False, training=Training(callbacks=[], compile=False)),
        X,
        REAL,
    ),
    "gdnn": (NNRegressor(initial_guess=True, likelihood=Gaussian(True)), X, REAL),
    "flow": (CVAERegressor(prior=Flow(1, hidden_layer_sizes=[8])), X, REAL),
    "mixture prior": (CVAERegressor(prior="mixture"), X, REAL),
    "process": (CVAERegressor(prior=GaussianProcess(KERNEL)), X, REAL),
    "bins": (NNRegressor(architecture=MLP([8], bins=4, dropout=0.1)), X, REAL),
    "edges": (NNRegressor(architecture=MLP(8, bins=np.sort(X[:5].T))), X, REAL),
    "no scaling": (NNRegressor(normalize_X=False, normalize_y=False), X, REAL),
    "student": (NNRegressor(likelihood=StudentT()), X, REAL),
    "tied": (NNRegressor(likelihood=MultivariateGaussian(rank=1)), X, REAL),
    "counts": (CVAERegressor(likelihood=Poisson(), objective=GSNN()), X, COUNTS),
    "positive": (CVAERegressor(likelihood=LogNormal(True)), X, np.exp(REAL)),
    "between": (NNRegressor(likelihood=LogitNormal(-1, [1, 2])), X, np.tanh(REAL)),
    "zeros": (NNRegressor(likelihood=Hurdle(Gamma())), X, np.exp(REAL) * (REAL > -1)),
    "labels": (CVAERegressor(likelihood="categorical", objective=IWAE()), X, LABELS),
    "correlated labels": (NNRegressor(likelihood=CorrelatedLogits(rank=2)), X, LABELS),
    "correlated pixels": (
        CVAERegressor(
            architecture=CONV,
            likelihood=CorrelatedLogits(Bernoulli(), rank=2, diagonal=True),
            objective=MonteCarloLikelihood(),
        ),
        IMAGES,
        IMAGES > 0,
    ),
    "autoregressive": (
        CVAERegressor(likelihood=Autoregressive(Gaussian(True), width=6)),
        X,
        REAL,
    ),
    "autoregressive maps": (
        NNRegressor(likelihood=Autoregressive(Categorical(), n_layers=1), architecture=CONV),
        IMAGES,
        MAPS,
    ),
    "hybrid objective": (CVAERegressor(objective=Hybrid(0.3)), X, REAL),
    "columns": (CVAERegressor(likelihood=Columns(GROUPS), partial_y=True), X, MIXED),
    "field": (
        NNRegressor(likelihood=ColorField(n_components=2), architecture=CONV),
        X,
        IMAGES,
    ),
    "fixed scale": (CVAERegressor(prior=Mixture(2, scale=0.5)), X, REAL),
    "pixels": (GSNNRegressor(likelihood=Bernoulli(), architecture="conv"), X, IMAGES > 0),
    "maps": (
        CVAERegressor(architecture=CONV, likelihood="categorical", initial_guess=True, n_scales=2),
        IMAGES,
        MAPS,
    ),
    "latent scales": (
        CVAERegressor(
            architecture=Conv((4, 6, 8), n_latent_scales=2), objective=ELBO(free_nats=0.5)
        ),
        IMAGES,
        IMAGES,
    ),
    "layers": (
        CVAERegressor(
            architecture=Layered((4, 6), background_share=0.5, mask=True),
            partial_y=True,
            likelihood=MaskedImage(StudentT(heteroscedastic=True)),
            prior="standard",
        ),
        X,
        np.stack([IMAGES, np.where(MAPS > 0, MAPS - 1, np.nan)], axis=1),
    ),
    "flat images": (
        NNRegressor(architecture=CONV, x_shape=[6, 5], y_shape=(6, 5)),
        IMAGES.reshape(40, 30),
        IMAGES.reshape(40, 30),
    ),
    "sequences": (
        CVAERegressor(architecture="temporal", partial_y=True, partial_X=True, y_shape=(2, 1)),
        IMAGES,
        HOLES,
    ),
    "holes": (CVAERegressor(partial_y=True, objective=ELBO()), X, HOLES),
    "gaps": (NNRegressor(partial_X=True), np.where(X > 1, np.nan, X), REAL),
    "heavy tails": (NNRegressor(), HEAVY, REAL),
    "heavy tails with gaps": (NNRegressor(partial_X=True), np.where(X > 1, np.nan, HEAVY), REAL),
    "names": (NNRegressor(), pd.DataFrame(X, columns=list("abc")), REAL),
    "ensemble": (EnsembleRegressor(CVAERegressor(max_epochs=1), n_estimators=2), X, REAL),
    "ensemble of labels": (
        EnsembleRegressor(NNRegressor(likelihood="categorical", max_epochs=1), n_estimators=2),
        X,
        LABELS,
    ),
}
KINDS = {*ESTIMATORS.values(), *PARAMETER_OBJECTS.values()}
# No estimator has these as parameters.
NOT_PASSED = {"Calibration", "objectives.Deterministic", "objectives.MultiScale"}
BASES = {"Architecture", "Likelihood", "Objective", "Positive", "Prior", "RealOutputs"}
each = pytest.mark.parametrize("case", CASES)
single = pytest.mark.parametrize("case", [case for case in CASES if "ensemble" not in case])


@pytest.fixture(scope="module")
def fitted():
    """Fit each case once, when it is asked for."""
    found = {}

    def fit(case):
        est, X, y = CASES[case]
        if case not in found:
            quick = {} if isinstance(est, EnsembleRegressor) else {"max_epochs": 1}
            est = copy.deepcopy(est).set_params(random_state=0, **quick)
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "Column 0 of X has")
                found[case] = est.fit(X, y)
        return copy.deepcopy(found[case]), X, y

    return fit


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.skcvae"


def alike(one, other):
    """Whether two objects hold the same, whatever arrays are among it."""
    if isinstance(one, np.ndarray):
        return (
            type(other) is np.ndarray and one.dtype == other.dtype and np.array_equal(one, other)
        )
    if isinstance(one, list | tuple):
        same = type(one) is type(other) and len(one) == len(other)
        return same and all(map(alike, one, other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(alike(one[key], other[key]) for key in one)
    if type(one) in KINDS or type(one) in OWN:
        return type(one) is type(other) and alike(one.__getstate__(), other.__getstate__())
    return one == other


# What is saved comes back.


@pytest.mark.filterwarnings("ignore:The effective sample size")
@each
def test_what_is_loaded_is_what_was_saved(fitted, path, case):
    est, X, y = fitted(case)
    before = torch.random.get_rng_state(), np.random.get_state()[1].copy()
    est.save(path)
    again = skcvae.load(path)
    assert torch.equal(before[0], torch.random.get_rng_state())
    assert (before[1] == np.random.get_state()[1]).all()
    assert alike(est.get_params(deep=False), again.get_params(deep=False))
    assert alike(est, again)
    np.testing.assert_array_equal(again.predict(X), est.predict(X))
    np.testing.assert_array_equal(again.sample(X, 2, 0), est.sample(X, 2, 0))
    np.testing.assert_array_equal(again.log_prob(X, y), est.log_prob(X, y))
    again.save(path)
    assert alike(skcvae.load(path), est)


def test_every_class_of_parameter_objects_is_among_the_cases(fitted, path):
    documents = ""
    for case in CASES:
        fitted(case)[0].save(path)
        documents += files.read(path, format=FORMAT)[0]
    missing = {kind for kind in [*PARAMETER_OBJECTS, *RECORDS] if f'"{kind}"' not in documents}
    assert {kind for kind in missing if kind.rpartition(".")[-1] not in BASES} == NOT_PASSED


def test_the_file_of_a_fit_is_not_part_of_what_it_fitted(fitted, path):
    est, *_ = fitted("cvae")
    est.set_params(training__checkpoint=path.with_name("fit.ckpt")).save(path)
    assert alike(skcvae.load(path), est.set_params(training__checkpoint=None))


def test_what_is_loaded_can_be_fitted_again(fitted, path):
    est, X, y = fitted("hybrid")
    est.set_params(warm_start=True).save(path)
    again = skcvae.load(path).fit(X, y)
    np.testing.assert_array_equal(again.predict(X), est.fit(X, y).predict(X))


def test_a_file_from_a_machine_with_cuda_loads_without(fitted, path, monkeypatch):
    est, X, _ = fitted("cvae")
    est.set_params(device="cuda").save(path)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    np.testing.assert_array_equal(skcvae.load(path).predict(X), est.predict(X))


def test_a_file_holds_weights_by_name_versions_and_no_pickle(fitted, path):
    est, *_ = fitted("cvae")
    est.save(path)
    document, arrays = files.read(path, format=FORMAT)
    assert json.loads(document)["versions"]["skcvae"] == skcvae.__version__
    weights = est.net_.module.state_dict()
    assert weights.keys() == {name for name in arrays if name.startswith("model.")}
    path.with_name("other").touch()
    assert path.stat().st_mode == path.with_name("other").stat().st_mode


# Classes of one's own are saved by their parameters, and built again by those who have them.


class OwnMLP(MLP):
    """An MLP with one layer more."""

    def __init__(self, hidden_layer_sizes=(8,), last=4):
        super().__init__(hidden_layer_sizes)
        self.last = last

    def encoder(self, *args, **params):
        wider = MLP((*self.hidden_layer_sizes, self.last))
        return wider.resolve(1, (1,), (1,)).encoder(*args, **params)


class OwnLikelihood(Likelihood):
    """Logistic noise."""

    def __init__(self, scale=0.7, checkpoint="none", center=None):
        self.scale, self.checkpoint, self.center = scale, checkpoint, center

    def build(self, y_shape):
        return OwnLikelihoodModule(y_shape, self.scale)


class OwnLikelihoodModule(LikelihoodModule):
    def __init__(self, y_shape, scale):
        super().__init__(y_shape)
        self.scale = scale

    def forward(self, parameters):
        family = StudentTDistribution(5.0, parameters, torch.full_like(parameters, self.scale))
        return Independent(family, len(self.parameter_shape), validate_args=False)


class OwnPrior(BaseEstimator):
    """A Gaussian whose scale is never small."""

    def __init__(self, floor=0.5):
        self.floor = floor

    def build(self, latent_shape):
        return DiagonalGaussian(latent_shape, self.floor)


class OwnObjective(Objective):
    """An ELBO whose KL term is tempered."""

    def __init__(self, temper=0.5):
        self.temper = temper

    def bound(self, model, given, x, y, noise):
        reconstruction, kl = ELBO().bound(model, given, x, y, noise)
        return Bound(reconstruction, self.temper * kl)


OWN = (OwnMLP, OwnLikelihood, OwnPrior, OwnObjective)
MINE = {
    "architecture": OwnMLP((6,), last=5),
    "likelihood": OwnLikelihood(0.6, checkpoint="kept", center=np.arange(2.0)),
    "prior": OwnPrior(0.4),
    "objective": OwnObjective(0.3),
}


@pytest.fixture(scope="module", params=MINE)
def own(request):
    """An estimator with an object of the user's own class, and that class."""
    params = {request.param: copy.deepcopy(MINE[request.param])}
    return CVAERegressor(max_epochs=1, random_state=0, **params).fit(X, REAL), OWN[
        list(MINE).index(request.param)
    ]


def test_an_object_of_ones_own_class_comes_back(own, path):
    est, cls = own
    est.save(path)
    for classes in ([cls], OWN, (OwnRegressor, *OWN)):
        again = skcvae.load(path, classes=classes)
        assert alike(est, again)
        assert again.score(X, REAL) == est.score(X, REAL)
        np.testing.assert_array_equal(again.sample(X, 2, 0), est.sample(X, 2, 0))
    again.save(path)
    refitted = skcvae.load(path, OWN).fit(X, REAL)
    np.testing.assert_array_equal(refitted.predict(X), est.predict(X))


def test_a_class_that_is_not_given_is_named(own, path):
    est, cls = own
    est.save(path)
    others = [other for other in OWN if other is not cls]
    for classes in ((), others):
        with pytest.raises(ValueError, match=rf"{cls.__name__}.*classes=\[{cls.__name__}\]"):
            skcvae.load(path, classes=classes)


def test_members_of_an_ensemble_have_objects_of_ones_own_class(path):
    member = NNRegressor(likelihood=OwnLikelihood(), max_epochs=1)
    est = EnsembleRegressor(member, n_estimators=2, random_state=0).fit(X, REAL)
    est.save(path)
    with pytest.raises(ValueError, match=r"classes=\[OwnLikelihood\]"):
        skcvae.load(path)
    assert alike(skcvae.load(path, [OwnLikelihood]), est)


def test_a_file_names_no_other_class_than_those_given(own, path):
    est, cls = own
    for name in ("os.system", "custom os.system", "custom Trap", f"custom {cls.__name__}.x"):
        est.save(path)
        text, arrays = files.read(path, format=FORMAT)
        files.write(path, text.replace(f"custom {cls.__name__}", name), arrays, format=FORMAT)
        with pytest.raises(ValueError, match="cannot be loaded"):
            skcvae.load(path, classes=OWN)


def test_ones_own_class_checks_its_parameters_itself(path):
    NNRegressor(likelihood=OwnLikelihood(), max_epochs=1).fit(X, REAL).save(path)

    def edit(document, arrays):
        params_part(document)["likelihood"]["custom OwnLikelihood"]["speed"] = 1

    write_edited(path, edit)
    with pytest.raises(ValueError, match="cannot be loaded.*'speed'"):
        skcvae.load(path, classes=OWN)


# Arrays of a pickle may be read-only: joblib maps large ones into its processes.


def test_a_pickle_with_read_only_arrays_loads_without_a_warning(fitted):
    est, X, _ = fitted("cvae")
    state = est.__getstate__()
    for array in state["_weights"].values():
        array.flags.writeable = False
    again = CVAERegressor()
    again.__setstate__(state)
    np.testing.assert_array_equal(again.predict(X), est.predict(X))


# What is not plain data is not saved.


class Bare:
    """An architecture that does not say by `get_params` how it is built again."""

    resolve, latent_shape = MLP.resolve, MLP.latent_shape
    encoder, decoder, head = MLP.encoder, MLP.decoder, MLP.head


class Shout(Callback):
    pass


class OwnAdam(torch.optim.Adam):
    pass


class OwnRegressor(NNRegressor):
    pass


NOT_PLAIN = {
    "architecture": (Bare(), "architecture"),
    "likelihood": (OwnLikelihood(lambda: 1), "likelihood.scale"),
    "training__callbacks": ([Shout()], "training.callbacks.0"),
    "training__optimizer": (OwnAdam, "training.optimizer"),
    "training__optimizer_params": (
        {"betas": np.array([object()])},
        "training.optimizer_params.betas.0",
    ),
    "training__compile": ({"options": {"cpp.cxx": "sh"}}, "training.compile"),
    "random_state": (np.random.RandomState(0), "random_state"),
}


@pytest.mark.parametrize("name", NOT_PLAIN)
def test_what_is_no_plain_data_is_refused_by_its_name(fitted, path, name):
    est, *_ = fitted("nn")
    value, place = NOT_PLAIN[name]
    est.set_params(**{name: value})
    advice = "joblib.dump.* of your own that derive from sklearn.base.BaseEstimator"
    with pytest.raises(ValueError, match=rf"^{place} cannot be saved, got .*{advice}"):
        est.save(path)
    assert os.listdir(path.parent) == []


def test_a_compilers_programs_are_refused(fitted, path):
    est, *_ = fitted("nn")
    with pytest.raises(ValueError, match="^training.compile cannot be saved, got .*eager"):
        est.set_params(training__compile={"backend": "eager"}).save(path)
    est.set_params(training__compile={"mode": "default"}).save(path)  # no program


def test_a_class_of_ones_own_is_refused(path):
    with pytest.raises(ValueError, match="The estimator cannot be saved, got OwnRegressor"):
        OwnRegressor(max_epochs=1).fit(X, REAL).save(path)


@pytest.mark.parametrize("est", [CVAERegressor(), EnsembleRegressor()], ids=repr)
def test_an_estimator_that_is_not_fitted_is_refused(est, path):
    with pytest.raises(NotFittedError):
        est.save(path)
    with pytest.raises(NotFittedError):
        CVAERegressor().to_torch()


def test_parameters_that_would_not_load_are_refused(fitted, path):
    est, *_ = fitted("nn")
    with pytest.raises(ValueError, match="'lr' parameter"):
        est.set_params(lr=-1.0).save(path)


# A save is whole or nothing.


@contextlib.contextmanager
def small_files():
    """Let the system refuse to write more than a thousand bytes, as a full disk does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_leaves_the_old_file_whole(fitted, path):
    old, new = fitted("cvae")[0], fitted("nn")[0]
    old.save(path)
    before = path.read_bytes()
    with pytest.raises(OSError, match="File too large; nothing was saved.*model.skcvae"):
        with small_files():
            new.save(path)
    assert path.read_bytes() == before and os.listdir(path.parent) == [path.name]


@pytest.mark.parametrize("step", ["fsync", "replace"])
@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "No space"), KeyboardInterrupt()], ids=repr
)
def test_an_interrupted_save_leaves_the_old_file_whole(fitted, path, monkeypatch, step, error):
    est, *_ = fitted("nn")
    path.write_bytes(b"old")

    def fail(*args):
        raise error

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(type(error)):
        est.save(path)
    assert path.read_bytes() == b"old" and os.listdir(path.parent) == [path.name]


def test_a_link_is_followed(fitted, path):
    path.with_name("link").symlink_to(path)
    fitted("nn")[0].save(path.with_name("link"))
    assert path.is_file() and path.with_name("link").is_symlink()


def test_places_that_cannot_be_written_or_read(fitted, tmp_path):
    est, *_ = fitted("nn")
    with pytest.raises(FileNotFoundError, match="nothing was saved.*missing"):
        est.save(tmp_path / "missing" / "model")
    with pytest.raises(FileExistsError, match="expected a regular file"):
        est.save(tmp_path)
    with pytest.raises(FileNotFoundError, match="missing"):
        skcvae.load(tmp_path / "missing")
    with pytest.raises(OSError, match="expected a regular file"):
        skcvae.load(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="expected a regular file"):
        skcvae.load(tmp_path / "pipe")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_an_error(fitted, tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(PermissionError, match="nothing was saved"):
        fitted("nn")[0].save(tmp_path / "model")


# A file from a stranger is refused with the reason.


class Trap:
    """What a pickle runs when it is loaded."""

    def __reduce__(self):
        return (os.mkdir, ("trap",))


def test_a_pickle_is_not_opened(path, monkeypatch):
    monkeypatch.chdir(path.parent)
    path.write_bytes(pickle.dumps(Trap()))
    with pytest.raises(ValueError, match="model.skcvae cannot be loaded"):
        skcvae.load(path)
    assert not os.path.exists("trap")


def fitted_part(document):
    return next(iter(document["estimator"].values()))["fitted"]


def specification_part(document):
    return fitted_part(document)["specification_"]["Specification"]


def params_part(document):
    return next(iter(document["estimator"].values()))["params"]


def sizes(*given):
    return {"architectures.MLP": {"hidden_layer_sizes": {"tuple": list(given)}}}


def edit_weight(change):
    def edit(document, arrays):
        name = "model.output.head.linear.weight"
        arrays[name] = change(arrays[name])

    return edit


def edit_fitted(**values):
    return lambda document, arrays: fitted_part(document).update(values)


def without_a_best(document, arrays):
    history = fitted_part(document)["_history"]
    history.append({"dict": {**history[0]["dict"], "epoch": 2, "valid_cll_best": True}})
    history[0]["dict"].pop("valid_cll_best", None)


def edit_history(**values):
    return lambda document, arrays: fitted_part(document)["_history"][0]["dict"].update(values)


def edit_specification(**values):
    return lambda document, arrays: specification_part(document).update(values)


def edit_training(**values):
    return edit_params(training={"Training": values})


def edit_params(**values):
    return lambda document, arrays: params_part(document).update(values)


def edit_estimator(coded):
    return lambda document, arrays: document.update(estimator=coded)


DEEP = json.loads("[" * 400 + "]" * 400)
EDITS = {
    "a newer version": (
        lambda d, a: d["versions"].update(skcvae="99.1"),
        f"saved by skcvae 99.1, and {skcvae.__version__} is installed",
    ),
    "no version": (lambda d, a: d["versions"].update(skcvae=None), "expected a str, got 'None'"),
    "no versions": (lambda d, a: d.pop("versions"), "KeyError: 'versions'"),
    "another class": (edit_estimator({"Unknown": {}}), "'Unknown' is no kind of object"),
    "a function": (edit_estimator({"os.system": "true"}), "'os.system' is no kind"),
    "two kinds": (edit_estimator({"tuple": [], "dict": {}}), "one key, its kind"),
    "no estimator": (edit_estimator({"architectures.MLP": {}}), "expected an estimator in it"),
    "not fitted": (lambda d, a: fitted_part(d).clear(), "not fitted yet"),
    "a parameter": (edit_params(speed=1), "no parameter 'speed'"),
    "a value": (edit_params(lr="fast"), "The 'lr' parameter"),
    "a parameter's parameter": (
        edit_params(architecture={"architectures.MLP": {"os": 1}}),
        "'os'",
    ),
    "a likelihood as the architecture": (
        edit_params(architecture={"likelihoods.Gaussian": {}}),
        "'architecture' parameter",
    ),
    "training options as a dict": (
        edit_params(training={"dict": {"callbacks": [1]}}),
        "'training' parameter",
    ),
    "a training option": (edit_training(speed=1), "'speed'"),
    "a callback": (edit_training(callbacks=[1]), "it sets callbacks, checkpoint or"),
    "a checkpoint": (edit_training(checkpoint="anywhere"), "it sets callbacks, checkpoint or"),
    "a compiler": (
        edit_training(compile={"dict": {"options": {"dict": {}}}}),
        "callbacks, checkpoint or compiler options",
    ),
    "an optimizer": (edit_training(optimizer={"optimizer": "Evil"}), "'Evil' is none of torch's"),
    "an optimizer's parameter": (
        edit_training(optimizer_params={"dict": {"speed": 1}}),
        "speed",
    ),
    "an accelerator": (edit_training(accelerator=1), "'accelerator' parameter"),
    "an attribute": (edit_fitted(_fitted=1), "missing or unknown: ['_fitted']"),
    "an attribute of before": (edit_fitted(x_scaling_=1), "missing or unknown: ['x_scaling_']"),
    "no seed": (lambda d, a: fitted_part(d).pop("seed_"), "missing or unknown: ['seed_']"),
    "no specification": (
        lambda d, a: fitted_part(d).pop("specification_"),
        "missing or unknown: ['specification_']",
    ),
    "a seed": (edit_fitted(seed_=-1), "'seed_' parameter"),
    "a shape": (edit_fitted(x_shape_={"tuple": [7]}), "x_shape_ and its coding"),
    "a negative shape": (edit_fitted(y_shape_={"tuple": [-2]}), "y_shape_"),
    "columns": (edit_fitted(n_features_in_=2), "n_features_in_ and x_shape_"),
    "names": (edit_fitted(feature_names_in_={"texts": ["a"]}), "feature_names_in_"),
    "numbers as names": (edit_fitted(feature_names_in_=[1]), "feature_names_in_"),
    "classes": (edit_fitted(classes_={"texts": ["a"]}), "missing or unknown: ['classes_']"),
    "structure": (edit_fitted(structure_={"dict": {"prior": 1}}), "structure_"),
    "history": (edit_fitted(_history=[1]), "history_"),
    "a text in the history": (edit_history(train_loss="low"), "history_ and numbers"),
    "a gap in the history": (edit_history(epoch=3), "history_ and epochs"),
    "a text for the score at the start": (edit_history(start_cll="high"), "history_ and numbers"),
    "no epochs": (edit_fitted(_history=[]), "history_ and epochs"),
    "an epoch that was not compared": (without_a_best, "history_ and epochs"),
    "a bool as a number": (edit_params(n_score_samples=True), "'n_score_samples' parameter"),
    "lists of lists": (edit_params(lr=[[]] * 300_000), "lists and objects are too many"),
    "a long text": (edit_params(lr="x" * 10**6), "'lr' parameter"),
    "a long name": (edit_estimator({"x" * 10**6: 1}), "is no kind of object"),
    "weights": (edit_fitted(_weights={"dict": {"a": 1}}), "weights"),
    "a tuple as the specification": (edit_fitted(specification_={"tuple": []}), "specification_"),
    "a coding as the specification": (
        lambda d, a: fitted_part(d).update(specification_=specification_part(d)["x_coding"]),
        "'specification_' parameter",
    ),
    "a field": (edit_specification(speed=1), "'speed'"),
    "no field": (lambda d, a: specification_part(d).pop("likelihood"), "'likelihood'"),
    "another likelihood": (
        edit_specification(likelihood={"likelihoods.Columns": {"groups": []}}),
        "",
    ),
    "no likelihood": (edit_specification(likelihood=None), "'likelihood' parameter"),
    "labels without classes": (
        edit_specification(likelihood={"likelihoods.Categorical": {}}),
        "likelihood and y_coding",
    ),
    "auto": (edit_specification(architecture={"architectures.MLP": {}}), "architecture and sizes"),
    "no coding": (edit_specification(x_coding=None), "class and x_coding"),
    "scales of zero": (
        lambda d, a: [part.fill(0) for name, part in a.items() if name.endswith("x_coding.scale")],
        "x_coding and positive scales",
    ),
    "an identity": (
        edit_specification(x_coding={"Scaling": {"loc": 0.0, "scale": 1.0}}),
        "",
    ),
    "z without a prior": (edit_specification(latent_shape={"tuple": [2]}), "prior and latent"),
    "a prior without z": (edit_specification(prior={"priors.Standard": {}}), "prior and latent"),
    "z": (
        edit_specification(prior={"priors.Standard": {}}, latent_shape={"tuple": [2]}),
        "weights are missing",
    ),
    "an initial guess": (edit_specification(initial_guess=1), "'initial_guess' parameter"),
    "a recognition network": (edit_specification(recognition=True), "class and recognition"),
    "noise": (edit_specification(noiseless=False), "class and noiseless"),
    "a part of y": (edit_specification(partial_y=None), "'partial_y' parameter"),
    "scales": (edit_specification(n_scales=9), "'n_scales' parameter"),
    "scales of a vector": (edit_specification(n_scales=2), ""),
    "a larger layer": (edit_specification(architecture=sizes(8, 9)), "larger networks|weights"),
    "no weight": (lambda d, a: a.pop("model.output.head.linear.bias"), "it has no array"),
    "a weight more": (lambda d, a: a.update(more=np.zeros(1)), "unreferenced arrays ['more']"),
    "a weight turned": (edit_weight(np.transpose), "of shape"),
    "a weight of float64": (edit_weight(np.float64), "are float64 of shape"),
    "a weight of integers": (edit_weight(np.int32), "are int32"),
    "an infinite text": (edit_params(lr={"float": "Infinity"}), "expected one of ('inf'"),
    "depth": (edit_params(lr=DEEP), "lr"),
}


def write_edited(path, edit):
    """Change a file as someone would who knows the format, checksum included."""
    text, arrays = files.read(path, format=FORMAT)
    document = json.loads(text)
    edit(document, arrays)
    arrays = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    files.write(path, json.dumps(document), arrays, format=FORMAT)


@pytest.fixture(scope="module")
def of_two_layers():
    return NNRegressor(architecture=MLP((8, 8)), max_epochs=1, random_state=0).fit(X, REAL)


@pytest.mark.parametrize("name", EDITS)
def test_what_is_not_known_is_refused_with_the_reason(of_two_layers, path, name):
    of_two_layers.save(path)
    edit, message = EDITS[name]
    write_edited(path, edit)
    with pytest.raises(ValueError) as caught:
        skcvae.load(path)
    text = str(caught.value)
    assert text.startswith(f"{path} cannot be loaded")
    assert len(text) <= len(str(path)) + 300
    assert any(part in text for part in message.split("|")), text


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        (None, "save did not write it, expected 'skcvae 1'"),
        ({"format": "pt"}, "its format is 'pt'"),
        (
            {"format": "skcvae 2"},
            "its format is 'skcvae 2', expected 'skcvae 1', the only supported format",
        ),
        ({"format": "skcvae 1"}, "its metadata are"),
        ({"format": "skcvae 1", "document": "{}", "crc32": "0"}, "it is damaged"),
        (
            {
                "format": "skcvae 1",
                "document": "[" * 10**5,
                "crc32": f"{zlib.crc32(b'[' * 10**5):08x}",
            },
            "RecursionError",
        ),
    ],
    ids=["none", "weights", "newer", "less", "checksum", "depth"],
)
def test_other_safetensors_files_are_refused(path, metadata, message):
    path.write_bytes(to_bytes({}, metadata))
    with pytest.raises(ValueError, match=f"cannot be loaded.*{message}"):
        skcvae.load(path)


@pytest.mark.parametrize("change", [1e300, -7.0, 0.0])
def test_statistics_that_no_field_has_are_refused(fitted, path, change):
    fitted("field")[0].save(path)

    def edit(document, arrays):
        (name,) = [name for name in arrays if name.endswith("components")]
        arrays[name] = change * arrays[name]

    write_edited(path, edit)
    with pytest.raises(ValueError, match="cannot be loaded"):
        skcvae.load(path)


def test_members_of_an_ensemble_belong_together(fitted, path):
    ensemble, *_ = fitted("ensemble")
    for other in (fitted("nn")[0], CVAERegressor()):
        strange = copy.deepcopy(ensemble)
        strange.estimators_[1] = other
        strange.save(path)
        with pytest.raises(ValueError, match="ensemble"):
            skcvae.load(path)


# Files with sizes that no machine has: refused before the memory is asked for.

HUGE = 10**9
FLOW = {"priors.Flow": {"hidden_layer_sizes": {"tuple": [8]}, "n_transforms": 1}}


def flow(**values):
    return {"priors.Flow": FLOW["priors.Flow"] | values}


ABSURD = {
    "wide": ("cvae", edit_specification(architecture=sizes(HUGE, HUGE))),
    "deep": ("cvae", edit_specification(architecture=sizes(*[1] * 300_000))),
    "z": ("cvae", edit_specification(latent_shape={"tuple": [HUGE]})),
    "components of z": (
        "mixture prior",
        edit_specification(prior={"priors.Mixture": {"n_components": HUGE}}),
    ),
    "components": (
        "cvae",
        edit_specification(likelihood={"likelihoods.GaussianMixture": {"n_components": HUGE}}),
    ),
    "rank": (
        "tied",
        edit_specification(likelihood={"likelihoods.MultivariateGaussian": {"rank": HUGE}}),
    ),
    "transforms": ("flow", edit_specification(prior=flow(n_transforms=HUGE))),
    "flow": ("flow", edit_specification(prior=flow(hidden_layer_sizes={"tuple": [10**6] * 2}))),
    "knots": ("flow", edit_specification(prior=flow(n_bins=HUGE))),
    "context": ("flow", edit_specification(prior=flow(n_context=HUGE))),
    "z of a flow": ("flow", edit_specification(prior=flow(), latent_shape={"tuple": [10**5]})),
    "labels": (
        "labels",
        lambda d, a: (
            specification_part(d)["y_coding"]["OneHot"].update(row_shape={"tuple": [HUGE]}),
            fitted_part(d).update(y_shape_={"tuple": [HUGE]}),
        ),
    ),
    "columns": (
        "columns",
        lambda d, a: (
            specification_part(d)["y_coding"]["Table"].update(row_shape={"tuple": [HUGE]}),
            fitted_part(d).update(y_shape_={"tuple": [HUGE]}),
        ),
    ),
    "image": (
        "flat images",
        lambda d, a: specification_part(d)["architecture"]["architectures.Conv"].update(
            image_size={"tuple": [10_000, 10_000]}
        ),
    ),
    "latent map": (
        "pixels",
        lambda d, a: (
            specification_part(d).update(latent_shape={"tuple": [4, 5000, 5000]}),
            specification_part(d)["architecture"]["architectures.Conv"].update(
                image_size={"tuple": [10_000, 10_000]}
            ),
        ),
    ),
    "kernel": (
        "flat images",
        lambda d, a: specification_part(d)["architecture"]["architectures.Conv"].update(
            kernel_size=HUGE + 1
        ),
    ),
    "channels": (
        "flat images",
        lambda d, a: specification_part(d)["architecture"]["architectures.Conv"].update(
            channels={"tuple": [HUGE, HUGE]}
        ),
    ),
}


def load_each():
    """Load what cannot be loaded, and print what was or took memory."""

    def peak():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

    skcvae.load("whole")
    before = peak()
    for name in sorted(glob.glob("absurd*")):
        try:
            skcvae.load(name)
        except ValueError as error:
            assert name in str(error)
        else:
            print(name, "was loaded")
        if peak() > before + 300:
            print(name, "took", peak() - before, "MiB")
            before = peak()


def test_absurd_sizes_take_no_memory(fitted, tmp_path, server):
    fitted("flow")[0].save(tmp_path / "whole")  # with what zuko takes
    for name, (case, edit) in ABSURD.items():
        fitted(case)[0].save(tmp_path / f"absurd {name}")
        write_edited(tmp_path / f"absurd {name}", edit)
    header = json.dumps({"a": {"dtype": "F32", "shape": [2**60], "data_offsets": [0, 2**62]}})
    for name, length in {"length": 2**63, "header": 10**8, "tensor": len(header)}.items():
        data = length.to_bytes(8, "little") + header.encode()
        (tmp_path / f"absurd {name}").write_bytes(data)
    code, output, errors = server.run(tmp_path, load_each)
    assert code == 0 and not output, output + errors[-2000:]


# Whatever the bytes are: an estimator that answers, or an error that says why not.

quickly = settings(
    deadline=None,
    max_examples=20,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    database=None,
    derandomize=True,
)


def loads_or_says_why(path, X):
    """Load a file, whatever it is; return what it predicts or None."""
    try:
        est = skcvae.load(path)
    except ValueError as error:
        assert str(error).startswith(f"{path} cannot be loaded")
        return None
    with np.errstate(all="ignore"):  # of columns divided by a scale of zero
        return est.predict(X)


@pytest.fixture(params=["columns", "flow", "bins", "maps", "ensemble of labels"])
def saved(request, fitted, path):
    est, X, _ = fitted(request.param)
    est.save(path)
    return path, path.read_bytes(), X[:4], est.predict(X[:4])


@quickly
@given(data=st.data())
def test_damaged_bytes_are_found(saved, data):
    path, whole, X, expected = saved
    damaged = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 3))):
        # Half of the damage in the header, which is the smaller part of most files.
        at = data.draw(st.one_of(st.integers(0, len(whole) - 1), st.integers(0, 2000)))
        damaged[at % len(whole)] ^= data.draw(st.integers(1, 255))
    path.write_bytes(damaged)
    found = loads_or_says_why(path, X)
    assert found is None or np.array_equal(found, expected)


@quickly
@given(data=st.data())
def test_pieces_of_a_file_are_no_file(saved, data):
    path, whole, X, _ = saved
    start, stop = sorted(data.draw(st.tuples(*[st.integers(0, len(whole))] * 2)))
    what = data.draw(st.sampled_from(["kept", "cut out", "doubled"]))
    pieces = {
        "kept": whole[start:stop],
        "cut out": whole[:start] + whole[stop:],
        "doubled": whole[:stop] + whole[start:],
    }
    path.write_bytes(pieces[what])
    assert pieces[what] == whole or loads_or_says_why(path, X) is None


@quickly
@given(noise=st.binary(max_size=300))
def test_noise_is_no_file(path, noise):
    for header in (b"", len(noise).to_bytes(8, "little")):
        path.write_bytes(header + noise)
        assert loads_or_says_why(path, X) is None


def places(value):
    """Yield each place in a document, as its container and its key there."""
    keys = value.keys() if isinstance(value, dict) else range(len(value))
    for key in keys:
        yield value, key
        if isinstance(value[key], dict | list):
            yield from places(value[key])


numbers = st.one_of(st.integers(), st.sampled_from([0, 1, 2, 10**6, 10**12, 10**30]), st.floats())
plain = st.one_of(st.none(), st.booleans(), numbers, st.text(max_size=5))
NAMES = [*ESTIMATORS, *PARAMETER_OBJECTS, *RECORDS, "custom OwnMLP"]
kinds = st.sampled_from(
    [*NAMES, "array", "dict", "float", "optimizer", "texts", "transposed", "tuple"]
)
values = st.recursive(
    plain,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.one_of(kinds, st.text(max_size=5)), inner, max_size=2),
        st.builds(lambda kind, content: {kind: content}, kinds, inner),
        st.builds(lambda content: {"tuple": content}, st.lists(numbers, max_size=3)),
    ),
    max_leaves=5,
)


@quickly
@given(data=st.data())
def test_edited_documents_load_or_say_why_not(saved, data):
    path, whole, X, _ = saved
    path.write_bytes(whole)

    def edit(document, arrays):
        for _ in range(data.draw(st.integers(1, 3))):
            container, key = data.draw(st.sampled_from(list(places(document))))
            other, other_key = data.draw(st.sampled_from(list(places(document))))
            what = data.draw(st.sampled_from(["replace", "replace", "copy", "delete"]))
            if what == "replace":
                container[key] = data.draw(values)
            elif what == "copy":
                container[key] = copy.deepcopy(other[other_key])
            else:
                del container[key]

    write_edited(path, edit)
    loads_or_says_why(path, X)


@pytest.fixture
def foreign(fitted, tmp_path):
    """Arrays of other models, under the names that they have there."""
    found = {}
    for case in ("cvae", "labels", "edges", "mixture prior"):
        fitted(case)[0].save(tmp_path / "other")
        found |= files.read(tmp_path / "other", format=FORMAT)[1]
    return found


@quickly
@given(data=st.data())
def test_swapped_and_changed_arrays_load_or_say_why_not(saved, foreign, data):
    path, whole, X, _ = saved
    path.write_bytes(whole)

    def edit(document, arrays):
        name = data.draw(st.sampled_from(sorted(arrays)))
        what = data.draw(st.sampled_from(["foreign", "swapped", "kind", "shape", "nan"]))
        array = arrays[name]
        if what == "foreign":
            arrays[name] = foreign.get(name, foreign[min(foreign)])
        elif what == "swapped":
            arrays[name] = arrays[data.draw(st.sampled_from(sorted(arrays)))]
        elif what == "kind":
            kind = data.draw(st.sampled_from(["?", "b", "u8", "f2", "f8"]))
            with np.errstate(all="ignore"):  # limits of a scaling may overflow
                arrays[name] = array.astype(kind)
        elif what == "shape":
            arrays[name] = np.zeros(
                data.draw(st.lists(st.integers(0, 4), max_size=3)), array.dtype
            )
        elif array.dtype.kind == "f":
            arrays[name] = np.full_like(array, np.nan)

    write_edited(path, edit)
    loads_or_says_why(path, X)


# As a torch module.


@single
def test_the_torch_module_predicts_what_the_estimator_predicts(fitted, case):
    est, X, _ = fitted(case)
    module, x = est.to_torch(), torch.tensor(np.asarray(X))
    found = module(x)
    assert not module.training and found.numpy().dtype == est.predict(X).dtype
    np.testing.assert_allclose(found.numpy(), est.predict(X), rtol=1e-5, atol=1e-6)
    assert module.float()(x.float()).shape == found.shape
    if not module.noise_shape:
        with pytest.raises(ValueError, match="has no z"):
            module(x, torch.zeros(1, len(X)))
        return
    noise = torch.randn(6, len(X), *module.noise_shape)
    draws = module(x, noise)
    assert draws.shape == (6, *found.shape) and (draws[0] != draws[1]).any()


def test_means_over_draws_are_those_of_the_estimator(fitted):
    est, X, _ = fitted("cvae")
    module, generator = est.to_torch(), torch.Generator().manual_seed(0)
    noise = torch.randn(4000, 5, *module.noise_shape, generator=generator)
    mean = module(torch.tensor(X[:5]), noise).mean(0)
    np.testing.assert_allclose(mean, est.predict(X[:5]), atol=0.05)
    at_zero = module(torch.tensor(X[:5]), torch.zeros_like(noise[:1]))[0]
    np.testing.assert_allclose(at_zero, est.predict(X[:5], method="latent_mean"))


def test_the_torch_module_is_a_copy(fitted):
    est, X, _ = fitted("cvae")
    before = est.predict(X)
    for weight in est.to_torch().parameters():
        weight.zero_()
    np.testing.assert_array_equal(est.predict(X), before)


# Each kind of likelihood, prior and coding; autoregressive ones have a test of their own.
EXPORTED = (
    "cvae", "iwae", "flow", "mixture prior", "bins", "gdnn", "student", "tied", "counts",
    "positive", "between", "zeros", "labels", "maps", "correlated labels", "pixels", "columns",
    "field", "layers",
)  # fmt: skip


def test_every_likelihood_is_exported(fitted):
    kinds = {"Autoregressive"}
    for case in EXPORTED:
        likelihood = fitted(case)[0].likelihood_
        kinds |= {type(part).__name__ for part in (likelihood, *likelihood.get_params().values())}
    assert {*skcvae.likelihoods.__all__} - {*BASES, "LikelihoodModule"} <= kinds


@pytest.mark.parametrize("case", EXPORTED)
def test_an_exported_program_predicts_the_same_for_any_number_of_rows(fitted, case):
    est, X, _ = fitted(case)
    rows = {0: torch.export.Dim("rows")}
    program = torch.export.export(est.to_torch(), (torch.tensor(X),), dynamic_shapes=(rows,))
    found = program.module()(torch.tensor(X[:7]))
    np.testing.assert_allclose(found, est.predict(X[:7]), rtol=1e-12)


@pytest.mark.parametrize("text", ['"' + '\\"' * 10**6, '"\\' * 10**6, '"' * 10**6 + "\\"])
def test_damaged_texts_take_no_time(text):
    """Each quotation mark could begin a text: read to its end for each they would take hours."""
    with pytest.raises(ValueError):
        parsed(text)
