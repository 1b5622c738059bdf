"""A module for serving takes any number of rows, none too."""

from functools import partial

import numpy as np
import pytest
import torch

from skcvae import (
    VAE,
    Autoencoder,
    CVAERegressor,
    GSNNRegressor,
    HybridStructuredPredictor,
    NNRegressor,
)
from skcvae.architectures import MLP, Conv, Layered, Temporal
from skcvae.likelihoods import (
    Autoregressive,
    Bernoulli,
    Categorical,
    Columns,
    CorrelatedLogits,
    LogitNormal,
    Poisson,
    StudentT,
)

RNG = np.random.default_rng(0)
X = RNG.normal(size=(30, 3))
Y = X + 0.1 * RNG.normal(size=(30, 3))
IMAGES = RNG.normal(size=(30, 8, 8))
HEAVY = X * np.where(np.arange(30) % 15, 1.0, 1e3)[:, None]
GAPS = np.where(RNG.random(X.shape) < 0.1, np.nan, X)
TABLE = np.column_stack([Y[:, 0], RNG.poisson(2, 30), Y[:, 1] > 0])
OF_TABLE = Columns([("s", StudentT(), [0]), ("v", Poisson(), [1]), ("k", Categorical(), [2])])
SMALL = Conv((4, 4))

MODELS = {
    "mlp": (CVAERegressor, X, Y),
    "many inputs": (CVAERegressor, np.tile(X, 100), Y),
    "one output": (CVAERegressor, X, Y[:, 0]),
    "without z": (NNRegressor, X, Y),
    "without a recognition network": (GSNNRegressor, X, Y),
    "a hybrid": (HybridStructuredPredictor, X, Y),
    "a guess": (partial(CVAERegressor, initial_guess=True), X, Y),
    "linear": (partial(CVAERegressor, architecture=MLP(())), X, Y),
    "bins": (partial(CVAERegressor, architecture=MLP(bins=4)), X, Y),
    "gaps": (partial(CVAERegressor, partial_X=True), GAPS, Y),
    "heavy tails": (CVAERegressor, HEAVY, Y),
    "heavy tails with gaps": (
        partial(CVAERegressor, partial_X=True),
        np.where(X > 1, np.nan, HEAVY),
        Y,
    ),
    "conv": (partial(CVAERegressor, architecture=SMALL), IMAGES, IMAGES),
    "a vector of an image": (partial(CVAERegressor, architecture=SMALL), IMAGES, IMAGES[:, 0]),
    "an image of a vector": (partial(CVAERegressor, architecture=SMALL), X, IMAGES),
    "resized": (
        partial(CVAERegressor, architecture=Conv((4, 4), image_size=(12, 12))),
        IMAGES,
        IMAGES,
    ),
    "latent scales": (
        partial(CVAERegressor, architecture=Conv((4, 4, 4), n_latent_scales=2)),
        IMAGES,
        IMAGES,
    ),
    "layered": (
        partial(CVAERegressor, architecture=Layered((4, 4)), latent_dim=4),
        X,
        IMAGES,
    ),
    "temporal": (partial(CVAERegressor, architecture=Temporal(8)), IMAGES, IMAGES[:, :5]),
    "a mixture prior": (partial(CVAERegressor, prior="mixture"), X, Y),
    "a flow": (partial(CVAERegressor, prior="flow"), X, Y),
    "a process": (partial(CVAERegressor, prior="gaussian_process"), X, Y),
    "labels": (partial(CVAERegressor, likelihood="categorical"), X, (Y > 0) * 1),
    "columns": (partial(CVAERegressor, likelihood=OF_TABLE), X, TABLE),
    "correlated": (
        partial(NNRegressor, likelihood=CorrelatedLogits(Bernoulli(), rank=2)),
        X,
        (Y > 0) * 1,
    ),
    "autoregressive": (
        partial(NNRegressor, likelihood=Autoregressive(Bernoulli(), width=4, n_layers=1)),
        X,
        (Y > 0) * 1,
    ),
    "autoregressive images": (
        partial(
            NNRegressor,
            architecture=SMALL,
            likelihood=Autoregressive(Bernoulli(), width=4, n_layers=1),
        ),
        IMAGES[:, :5, :5],
        (IMAGES[:, :5, :5] > 0) * 1,
    ),
    "color": (
        partial(NNRegressor, architecture=SMALL, likelihood="color_field"),
        IMAGES,
        np.stack([IMAGES, IMAGES + 1], 1),
    ),
    "positive": (partial(CVAERegressor, likelihood="gamma"), X, np.exp(Y)),
    "hurdle": (partial(CVAERegressor, likelihood="hurdle"), X, np.where(Y > 0, Y, 0)),
    "bounded": (partial(CVAERegressor, likelihood=LogitNormal()), X, 1 / (1 + np.exp(-Y))),
    "multivariate": (partial(CVAERegressor, likelihood="multivariate_gaussian"), X, Y),
    "mixture": (partial(CVAERegressor, likelihood="gaussian_mixture"), X, Y),
    "vae": (VAE, X),
    "vae of images": (partial(VAE, architecture=SMALL), IMAGES),
    "autoencoder": (Autoencoder, X),
    "autoencoder of images": (partial(Autoencoder, architecture=SMALL), IMAGES),
}


@pytest.mark.filterwarnings("ignore::UserWarning")  # of few rows and short training
@pytest.mark.parametrize("name", MODELS)
def test_no_rows_are_some_rows(name):
    make, *arrays = MODELS[name]
    module = make(max_epochs=1, random_state=0).fit(*arrays).to_torch()
    given = [torch.tensor(np.asarray(array, dtype=float)) for array in arrays]
    none = [part[:0] for part in given]
    for whole, empty in zip(_answers(module, *given), _answers(module, *none), strict=True):
        assert empty.shape == tuple(0 if size == 30 else size for size in whole.shape)


def _answers(module, x, y=None):
    """Yield what the module says of rows."""
    yield module(x)
    if y is None:
        z = module.transform(x)
        yield from (z, module.inverse_transform(z))
    elif module.noise_shape:
        yield module(x, torch.zeros(2, len(x), *module.noise_shape, dtype=x.dtype))
        z = module.encode(x)
        yield from (z, module.decode(x, z))
        if module.model.recognition is not None:
            yield module.reconstruct(x, y)
