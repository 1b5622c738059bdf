"""NumPy's numbers are numbers, bools are none, and shapes are tuples, lists or arrays."""

import inspect
from operator import attrgetter

import numpy as np
import pytest

from skcvae import (
    VAE,
    Autoencoder,
    ConformalRegressor,
    CVAERegressor,
    EnsembleRegressor,
    GSNNRegressor,
    HybridStructuredPredictor,
    NNRegressor,
    Training,
)
from skcvae.architectures import MLP, Conv, Layered, Temporal
from skcvae.datasets import load_digits_quadrants
from skcvae.io.kinds import ESTIMATORS, PARAMETER_OBJECTS
from skcvae.likelihoods import (
    Autoregressive,
    Bernoulli,
    Categorical,
    ColorField,
    Columns,
    CorrelatedLogits,
    Gaussian,
    GaussianMixture,
    MultivariateGaussian,
)
from skcvae.objectives import ELBO
from skcvae.priors import Flow, GaussianProcess, Mixture

RNG = np.random.default_rng(0)
X = RNG.normal(size=(30, 3))
Y = X @ RNG.normal(size=(3, 3)) + RNG.normal(size=(30, 3))
BINARY = (Y > 0) * 1
IMAGES = RNG.normal(size=(30, 8, 8))
COLORS = RNG.normal(size=(30, 2, 8, 8))
FEW = {"max_epochs": 2, "random_state": 0}

FITS = {
    "table": lambda n: (
        CVAERegressor(
            architecture=MLP((n(8), n(8)), bins=n(4), dropout=n(0.1)),
            latent_dim=n(2),
            n_train_samples=n(2),
            kl_warmup=n(1),
            beta=n(0.5),
            lr=n(0.01),
            batch_size=n(16),
            max_epochs=n(2),
            n_score_samples=n(10),
            validation=n(3),
            random_state=n(0),
            training=Training(patience=n(1), n_threads=n(1), max_grad_norm=n(0.5)),
        ),
        X,
        Y,
    ),
    "one width": lambda n: (NNRegressor(architecture=MLP(n(8)), **FEW), X, Y),
    "vae": lambda n: (VAE(n_components=n(2), n_score_samples=n(10), **FEW), Y),
    "autoencoder": lambda n: (Autoencoder(n_components=n(2), **FEW), Y),
    "gsnn": lambda n: (GSNNRegressor(latent_dim=n(2), n_train_samples=n(3), **FEW), X, Y),
    "hybrid": lambda n: (HybridStructuredPredictor(alpha=n(0.5), latent_dim=n(2), **FEW), X, Y),
    "conv": lambda n: (
        CVAERegressor(
            architecture=Conv((n(8), n(8)), kernel_size=n(3), image_size=(n(8), n(8))),
            latent_dim=n(2),
            **FEW,
        ),
        IMAGES,
        IMAGES,
    ),
    "latent scales": lambda n: (
        CVAERegressor(architecture=Conv((n(4),) * 3, n_latent_scales=n(2)), **FEW),
        IMAGES,
        IMAGES,
    ),
    "scales": lambda n: (
        NNRegressor(architecture=Conv((n(4),) * 3), n_scales=n(2), **FEW),
        IMAGES,
        IMAGES,
    ),
    "layered": lambda n: (
        CVAERegressor(
            architecture=Layered((n(4), n(4)), background_share=n(0.25)), latent_dim=n(4), **FEW
        ),
        X,
        IMAGES,
    ),
    "temporal": lambda n: (
        CVAERegressor(
            architecture=Temporal(n(8), n_blocks=n(2), kernel_size=n(3)), latent_dim=n(2), **FEW
        ),
        IMAGES,
        IMAGES,
    ),
    "gaussian mixture": lambda n: (
        NNRegressor(likelihood=GaussianMixture(n_components=n(3), init_scale=n(0.5)), **FEW),
        X,
        Y,
    ),
    "multivariate": lambda n: (
        NNRegressor(likelihood=MultivariateGaussian(rank=n(2)), **FEW),
        X,
        Y,
    ),
    "color field": lambda n: (
        NNRegressor(
            architecture=Conv((4, 4)), likelihood=ColorField(n_components=n(2), l2=n(1)), **FEW
        ),
        IMAGES,
        COLORS,
    ),
    "correlated logits": lambda n: (
        CVAERegressor(likelihood=CorrelatedLogits(Bernoulli(), rank=n(2), n_draws=n(8)), **FEW),
        X,
        BINARY,
    ),
    "autoregressive": lambda n: (
        NNRegressor(
            likelihood=Autoregressive(
                Bernoulli(), width=n(4), n_layers=n(1), n_features=n(4), n_draws=n(8)
            ),
            **FEW,
        ),
        X,
        BINARY,
    ),
    "autoregressive images": lambda n: (
        NNRegressor(
            architecture=Conv((4, 4)),
            likelihood=Autoregressive(Gaussian(), width=n(4), n_layers=n(1), kernel_size=n(3)),
            **FEW,
        ),
        IMAGES[:, :4, :4],
        IMAGES[:, :4, :4],
    ),
    "columns": lambda n: (
        NNRegressor(
            likelihood=Columns(
                [
                    ("a", GaussianMixture(n_components=n(2)), [n(0), n(1)]),
                    ("b", Gaussian(), [n(2)]),
                ]
            ),
            **FEW,
        ),
        X,
        Y,
    ),
    "classes": lambda n: (
        NNRegressor(likelihood=Categorical(classes=[n(0), n(1)], ignore_label=n(7)), **FEW),
        X,
        BINARY,
    ),
    "mixture": lambda n: (
        CVAERegressor(prior=Mixture(n_components=n(3), scale=n(0.5)), latent_dim=2, **FEW),
        X,
        Y,
    ),
    "flow": lambda n: (
        CVAERegressor(
            prior=Flow(n_transforms=n(1), hidden_layer_sizes=(n(4),), n_bins=n(4), n_context=n(2)),
            latent_dim=n(2),
            **FEW,
        ),
        X,
        Y,
    ),
    "process": lambda n: (
        CVAERegressor(prior=GaussianProcess(n_neighbors=n(4)), latent_dim=n(2), **FEW),
        X,
        Y,
    ),
    "ensemble": lambda n: (
        EnsembleRegressor(NNRegressor(max_epochs=2), n_estimators=n(2), random_state=n(0)),
        X,
        Y,
    ),
    "conformal": lambda n: (
        ConformalRegressor(CVAERegressor(**FEW), n_samples=n(20), random_state=n(0)),
        X,
        Y,
    ),
}


def numpy_number(value):
    return np.int64(value) if isinstance(value, int) else np.float64(value)


def python_number(value):
    return value


def answers(case, number):
    est, *rows = FITS[case](number)
    est.fit(*rows)
    if case == "conformal":
        return est.conformalize(*rows).predict_interval(X)
    return est.transform(Y) if case == "autoencoder" else est.score(*rows)


@pytest.mark.filterwarnings("ignore::UserWarning")  # of few rows and short training
@pytest.mark.parametrize("case", FITS)
def test_a_fit_with_numbers_of_numpy_is_that_with_pythons(case):
    np.testing.assert_array_equal(answers(case, numpy_number), answers(case, python_number))


@pytest.mark.filterwarnings("ignore:The effective sample size")
def test_methods_take_counts_of_numpy():
    est = CVAERegressor(prior=Mixture(3), latent_dim=2, **FEW).fit(X, Y)
    some = np.where([0, 0, 1], np.nan, Y)

    def found(n):
        yield est.log_prob(X, Y, n_samples=n(10))
        yield est.sample(X, n_samples=n(2), random_state=n(0))
        yield est.predict_quantiles(X, n_samples=n(4))
        yield est.predict_interval(X, n_samples=n(4))
        yield est.predict_modes(X, n_modes=n(2))
        yield est.complete(X, some, n_samples=n(2), n_steps=n(2), random_state=n(0))
        yield est.probability(X, lambda y: y[..., 0] > 0, n_samples=n(4))[0]
        yield est.encode(X, Y, n_steps=n(1))

    for mine, theirs in zip(found(numpy_number), found(python_number), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def number_parameters():
    """Yield classes, and their parameters that are no bools."""
    for kind, cls in {**ESTIMATORS, **PARAMETER_OBJECTS}.items():
        known = getattr(cls, "_parameter_constraints", {})
        for name in inspect.signature(cls).parameters.keys() & known.keys() - {"estimator"}:
            if not {"boolean", "verbose"} & set(map(str, known[name])):
                yield pytest.param(cls, name, id=f"{kind}-{name}")


@pytest.mark.parametrize(("cls", "name"), sorted(number_parameters(), key=attrgetter("id")))
def test_a_bool_is_no_number(cls, name):
    """The constraints of all classes, such as of the layers of an architecture, refuse it."""
    needed = inspect.signature(cls).parameters.values()
    given = {p.name: Bernoulli() for p in needed if p.default is p.empty}
    with pytest.raises(ValueError, match=rf"'{name}' parameter of .*Got True instead"):
        cls(**given | {name: True})._validate_params()


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ({"max_epochs": True}, "'max_epochs' parameter of CVAERegressor"),
        ({"architecture": MLP((True, 8))}, "'hidden_layer_sizes' parameter of MLP"),
        ({"architecture": Conv((True, 8))}, "'channels' parameter of Conv"),
        ({"prior": Mixture(True)}, "'n_components' parameter of Mixture"),
        ({"prior": Flow(hidden_layer_sizes=(True,))}, "'hidden_layer_sizes' parameter of Flow"),
        ({"objective": ELBO(free_nats=True)}, "'free_nats' parameter of ELBO"),
        ({"training": Training(patience=True)}, "'patience' parameter of Training"),
        ({"y_shape": (True, 8, 8)}, "y_shape must be the shape of one row, positive ints"),
    ],
)
def test_a_fit_with_a_bool_for_a_number_is_refused(part, message):
    with pytest.raises(ValueError, match=message):
        CVAERegressor(**{**FEW, **part}).fit(IMAGES, IMAGES)


COUNTS = {
    "sample": lambda est: est.sample(X, n_samples=True),
    "seed": lambda est: est.sample(X, random_state=True),
    "log_prob": lambda est: est.log_prob(X, Y, n_samples=True),
    "quantiles": lambda est: est.predict_quantiles(X, n_samples=True),
    "completions": lambda est: est.complete(X, Y, n_samples=True),
    "steps": lambda est: est.complete(X, Y, n_steps=True),
    "modes": lambda est: est.predict_modes(X, n_modes=True),
    "probability": lambda est: est.probability(X, lambda y: y[..., 0] > 0, n_samples=True),
}


def test_a_bool_is_no_count():
    est = CVAERegressor(prior=Mixture(3), latent_dim=2, **FEW).fit(X, Y)
    for ask in COUNTS.values():
        with pytest.raises((TypeError, ValueError), match="must be an (instance of )?int"):
            ask(est)
    with pytest.raises(TypeError, match="n_quadrants must be an instance of int"):
        load_digits_quadrants(n_quadrants=True)


@pytest.mark.filterwarnings("ignore:The effective sample size")
@pytest.mark.parametrize("kind", [list, np.array], ids=["list", "array"])
@pytest.mark.parametrize(
    ("cls", "names"),
    [(CVAERegressor, ["x_shape", "y_shape"]), (VAE, ["x_shape"]), (Autoencoder, ["x_shape"])],
)
def test_a_shape_is_a_tuple_a_list_or_an_array(cls, names, kind):
    rows = [IMAGES.reshape(30, 64)] * len(names)

    def fitted(shape):
        return cls(architecture=MLP((4,)), **FEW, **dict.fromkeys(names, shape)).fit(*rows)

    mine, theirs = fitted(kind([8, 8])), fitted((8, 8))
    assert mine.score(*rows) == theirs.score(*rows)
