"""Laws of the latent space: encode, decode and reconstruct."""

import functools
import pickle

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

import skcvae
from skcvae import CVAERegressor, GSNNRegressor, HybridStructuredPredictor, NNRegressor
from skcvae.architectures import MLP, Conv, Layered, Temporal
from skcvae.likelihoods import Categorical, Columns, Gaussian, MaskedImage, Poisson

N = 40
rng = np.random.default_rng(0)
X = rng.normal(size=(N, 3))
IMAGES = rng.normal(size=(N, 8, 6))
REAL = X[:, :2] + rng.normal(size=(N, 1)) + 0.1 * rng.normal(size=(N, 2)) + 5
LABELS = np.array([-3, 7, 100])
MAPS = rng.choice(LABELS, (N, 8, 6))
COLUMNS = Columns(
    [("kind", Categorical(), [0]), ("real", Gaussian(), [3, 1]), ("count", Poisson(), [2])]
)
TABLE = np.column_stack(
    [rng.choice(LABELS, N), REAL[:, 0], rng.poisson(4, N), 3 * REAL[:, 1] - 20]
)
# What the outputs of a row share, so that z is used.
SHARED = 9 * np.random.default_rng(2).normal(size=(N, 1))
PATHS = IMAGES[:, :5, :2] * 3 + SHARED[..., None]
CONV = Conv((4, 6), activation="tanh")
CASES = {
    "vectors": ({}, X, REAL),
    "number": ({}, X, REAL[:, 0]),
    "initial guess": ({"initial_guess": True}, X, REAL),
    "standard prior": ({"prior": "standard"}, X, REAL),
    "mixture prior": ({"prior": "mixture"}, X, REAL),
    "flow prior": ({"prior": "flow"}, X, REAL),
    "images": ({"architecture": CONV}, IMAGES, IMAGES[:, :, :4] + 2),
    "flat images": (
        {"architecture": CONV, "x_shape": (8, 6), "y_shape": (8, 6)},
        IMAGES.reshape(N, -1),
        IMAGES.reshape(N, -1) * 3 + SHARED,
    ),
    "latent scales": (
        {"architecture": Conv((4, 6, 8), n_latent_scales=2)},
        IMAGES,
        IMAGES[:, :, :4] + 2,
    ),
    "label maps": ({"architecture": CONV, "likelihood": "categorical"}, IMAGES, MAPS),
    "labels": ({"likelihood": "categorical"}, X, MAPS[:, 0, :2]),
    "columns": ({"likelihood": COLUMNS}, X, TABLE),
    "layered": ({"architecture": Layered((4, 6), activation="tanh")}, X, IMAGES),
    "sequences": ({"architecture": Temporal(4)}, IMAGES, PATHS),
    "masked": (
        {"architecture": Layered((4, 6), mask=True), "likelihood": MaskedImage(Gaussian())},
        X,
        np.stack([IMAGES, IMAGES > 0], axis=1),
    ),
    "partial": ({"partial_y": True}, X, np.where(rng.random((N, 2)) < 0.3, np.nan, REAL)),
}
LABELLED = ["label maps", "labels"]
# Where predict takes z* = E[z|x]; a mixture and a flow take other points.
AT_THE_MEAN = [case for case in CASES if case not in ("mixture prior", "flow prior")]
MAPPED = ["images", "flat images", "label maps"]
CONVOLVED = [*MAPPED, "latent scales", "layered", "masked"]

each = pytest.mark.parametrize("case", CASES)


@functools.cache
def fitted(case, estimator_class=CVAERegressor):
    """Return a fit that tests share and leave as it is, with its rows."""
    params, inputs, y = CASES[case]
    if case == "flow prior":
        pytest.importorskip("zuko")
    est = estimator_class(max_epochs=2, random_state=0, device="cpu", n_score_samples=10)
    return est.set_params(**params).fit(inputs, y), inputs, y


def all_of(est, inputs, y):
    """Return everything that the three methods say."""
    z, std = est.encode(inputs, y, return_std=True)
    return z, std, est.encode(inputs), est.decode(inputs, z), est.reconstruct(inputs, y)


def assert_same(found, expected, **tolerance):
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == other.dtype and one.shape == other.shape
        np.testing.assert_allclose(one, other, **tolerance)


def tolerance(case):
    """Return how far apart equal numbers may be: convolutions are in float32."""
    return {"rtol": 1e-5, "atol": 1e-5} if case in CONVOLVED else {"rtol": 1e-9, "atol": 1e-9}


# Shapes and kinds.


@each
def test_codes_have_the_latent_shape_and_reconstructions_that_of_y(case):
    est, inputs, y = fitted(case)
    z, std, prior_mean, decoded, rebuilt = all_of(est, inputs, y)
    shape = (N, *est.latent_shape_)
    assert z.shape == std.shape == prior_mean.shape == shape
    assert z.dtype == std.dtype == prior_mean.dtype == np.float64
    assert (std > 0).all() and np.isfinite(z).all() and np.isfinite(prior_mean).all()
    assert decoded.shape == rebuilt.shape == y.shape
    assert decoded.dtype == rebuilt.dtype == est.predict(inputs).dtype
    assert (len(est.latent_shape_) == 3) == (case in MAPPED)


@pytest.mark.parametrize("estimator_class", [CVAERegressor, HybridStructuredPredictor])
def test_estimators_with_a_recognition_network_reconstruct(estimator_class):
    est, inputs, y = fitted("vectors", estimator_class)
    z = est.encode(inputs, y)
    np.testing.assert_array_equal(est.reconstruct(inputs, y), est.decode(inputs, z))
    assert (z != est.encode(inputs)).any()


@each
def test_draws_are_decoded_one_by_one(case):
    est, inputs, _ = fitted(case)
    draws = np.random.default_rng(1).normal(size=(5, N, *est.latent_shape_))
    together = est.decode(inputs, draws)
    one_by_one = np.stack([est.decode(inputs, z) for z in draws])
    assert together.shape == (5, *est.predict(inputs).shape)
    assert_same([together], [one_by_one], **tolerance(case))
    assert len(np.unique(together.reshape(5, -1), axis=0)) == 5
    np.testing.assert_array_equal(est.decode(inputs, draws[::-1]), together[::-1])


@pytest.mark.parametrize("case", LABELLED)
def test_labels_come_with_probabilities_that_sum_to_one(case):
    est, inputs, y = fitted(case)
    z = est.encode(inputs, y)
    for codes in (z, np.stack([z, 2 * z])):
        labels, proba = est.decode(inputs, codes, return_proba=True)
        lead = codes.shape[: codes.ndim - len(est.latent_shape_)]
        assert labels.shape == (*lead, *y.shape[1:]) and np.isin(labels, LABELS).all()
        assert proba.shape == (*lead, 3, *y.shape[1:])
        np.testing.assert_allclose(proba.sum(len(lead)), 1)
        np.testing.assert_array_equal(labels, LABELS[proba.argmax(len(lead))])
        np.testing.assert_array_equal(labels, est.decode(inputs, codes))
    rebuilt = est.reconstruct(inputs, y, return_proba=True)
    assert_same(rebuilt, est.decode(inputs, z, return_proba=True))


# What the numbers are.


def test_without_y_the_standard_prior_encodes_as_zero():
    est, inputs, _ = fitted("standard prior")
    mean, std = est.encode(inputs, return_std=True)
    np.testing.assert_array_equal(mean, np.zeros((N, *est.latent_shape_)))
    np.testing.assert_allclose(std, 1, rtol=1e-12)


@pytest.mark.parametrize("case", AT_THE_MEAN)
def test_decoding_the_mean_of_the_prior_is_the_prediction(case):
    est, inputs, _ = fitted(case)
    found = est.decode(inputs, est.encode(inputs))
    np.testing.assert_allclose(found, est.predict(inputs, method="latent_mean"), **tolerance(case))


@torch.inference_mode()
@pytest.mark.parametrize("case", ["vectors", "initial guess", "mixture prior", "partial"])
def test_codes_are_the_moments_of_the_networks_in_float64(case):
    est, inputs, y = fitted(case)
    model = est._fitted.exact_model
    codings = zip(est.specification_.codings, (inputs, y), strict=True)
    x, target = (coding.to_tensor(part, torch.float64, "cpu") for coding, part in codings)
    q, p = model.recognition(x, target), model.condition(x).prior
    assert_same(est.encode(inputs, y, return_std=True), [q.mean.numpy(), q.stddev.numpy()])
    assert_same(est.encode(inputs, return_std=True), [p.mean.numpy(), p.stddev.numpy()])
    mean = model.condition(x).likelihood(q.mean[None]).mean[0].numpy()
    coding = est.y_coding_
    np.testing.assert_allclose(est.reconstruct(inputs, y), mean * coding.scale + coding.loc)


def test_reconstructions_know_more_of_y_than_predictions():
    cause = np.random.default_rng(0).normal(size=(400, 1))
    inputs = np.random.default_rng(1).normal(size=(400, 2))
    y = inputs + cause
    est = CVAERegressor(architecture=MLP((16,)), max_epochs=30, lr=0.01, random_state=0)
    est.fit(inputs, y)
    error = np.square(est.reconstruct(inputs, y) - y).mean()
    assert error < 0.3 * np.square(est.predict(inputs) - y).mean()
    z = est.encode(inputs, y).reshape(400, -1)
    design = np.column_stack([np.ones(400), inputs, z])
    residual = cause - design @ np.linalg.lstsq(design, cause, rcond=None)[0]
    assert np.square(residual).sum() < 0.3 * np.square(cause).sum()


@each
def test_rows_do_not_depend_on_each_other_or_on_their_order(case):
    est, inputs, y = fitted(case)
    order = np.random.default_rng(1).permutation(N)[:7]
    expected = [part[order] for part in all_of(est, inputs, y)]
    assert_same(all_of(est, inputs[order], y[order]), expected, **tolerance(case))
    alone = [part[3:4] for part in all_of(est, inputs, y)]
    assert_same(all_of(est, inputs[3:4], y[3:4]), alone, **tolerance(case))


def test_rows_of_several_chunks_are_rows():
    est, inputs, y = fitted("vectors")
    many = np.tile(inputs, (80, 1)), np.tile(y, (80, 1))
    expected = [np.concatenate([part] * 80) for part in all_of(est, inputs, y)]
    assert_same(all_of(est, *many), expected, rtol=1e-9, atol=1e-9)


def test_reconstructions_follow_the_units_of_y_and_codes_do_not():
    params = {"max_epochs": 3, "random_state": 0}
    one = CVAERegressor(**params).fit(X, REAL)
    other = CVAERegressor(**params).fit(X, 1000 * REAL - 7)
    z, z_other = one.encode(X, REAL), other.encode(X, 1000 * REAL - 7)
    np.testing.assert_allclose(z_other, z, atol=1e-3)
    np.testing.assert_allclose(other.decode(X, z), 1000 * one.decode(X, z) - 7, rtol=1e-3)
    rebuilt = other.reconstruct(X, 1000 * REAL - 7)
    np.testing.assert_allclose(rebuilt, 1000 * one.reconstruct(X, REAL) - 7, rtol=1e-3)


def test_what_is_not_observed_is_encoded_from_the_rest():
    est, inputs, y = fitted("partial")
    whole = np.nan_to_num(y, nan=5.0)
    hidden = np.isnan(y).any(axis=1)
    assert hidden.any() and not hidden.all()
    found, other = est.encode(inputs, y), est.encode(inputs, whole)
    np.testing.assert_allclose(found[~hidden], other[~hidden], rtol=1e-9, atol=1e-12)
    assert (found[hidden] != other[hidden]).any(axis=1).all()
    assert np.isfinite(est.reconstruct(inputs, y)).all()


# Mistakes.


def test_without_latent_variables_there_is_nothing_to_encode_or_decode():
    est = NNRegressor(max_epochs=1, random_state=0).fit(X, REAL)
    calls = [
        lambda: est.encode(X),
        lambda: est.encode(X, REAL),
        lambda: est.decode(X, np.zeros((N, 2))),
        lambda: est.reconstruct(X, REAL),
    ]
    for call in calls:
        with pytest.raises(ValueError, match="NNRegressor has no latent variables"):
            call()


@pytest.mark.parametrize(
    "est",
    [
        GSNNRegressor(),
        HybridStructuredPredictor(alpha=0),
        CVAERegressor(objective="gsnn"),
    ],
    ids=repr,
)
def test_without_a_recognition_network_y_cannot_be_encoded(est):
    est.set_params(max_epochs=1, random_state=0).fit(X, REAL)
    message = f"{type(est).__name__} was trained without a recognition network"
    for method in (est.encode, est.reconstruct):
        with pytest.raises(ValueError, match=message):
            method(X, REAL)
    found = est.predict(X, method="latent_mean")
    np.testing.assert_allclose(est.decode(X, est.encode(X)), found, rtol=1e-9)


@pytest.mark.parametrize("shape", [(N,), (N - 1, 2), (N, 3), (4, N, 3), (2, 4, N, 2), (4, 1, 2)])
def test_codes_of_another_shape_are_refused(shape):
    est, inputs, _ = fitted("vectors")
    assert est.latent_shape_ == (2,)
    with pytest.raises(ValueError, match=r"z must be of shape \(40, 2\) or \(n_draws, 40, 2\)"):
        est.decode(inputs, np.zeros(shape))


def test_codes_are_finite():
    est, inputs, _ = fitted("vectors")
    with pytest.raises(ValueError, match="Input z contains NaN"):
        est.decode(inputs, np.full((N, 2), np.nan))


@pytest.mark.parametrize("case", ["vectors", "columns"])
def test_numbers_have_no_probabilities(case):
    est, inputs, y = fitted(case)
    with pytest.raises(ValueError, match="return_proba=True"):
        est.decode(inputs, est.encode(inputs), return_proba=True)
    with pytest.raises(ValueError, match="return_proba=True"):
        est.reconstruct(inputs, y, return_proba=True)


def test_y_is_checked_as_in_log_prob():
    est, inputs, y = fitted("labels")
    with pytest.raises(ValueError, match="labels .* that were not in y in fit"):
        est.encode(inputs, np.full_like(y, 8))
    with pytest.raises(ValueError, match="one row for each of the 40 rows of X"):
        est.encode(inputs, y[:7])
    with pytest.raises(ValueError, match="NaN"):
        fitted("vectors")[0].encode(X, np.full_like(REAL, np.nan))


# Pipelines, torch modules, pickles and files.


@pytest.mark.parametrize("wrap", [lambda pipe: pipe, lambda pipe: GridSearchCV(pipe, {}, cv=2)])
def test_pipelines_and_searches_encode_and_decode(wrap):
    est = CVAERegressor(max_epochs=2, random_state=0, n_score_samples=10)
    pipe = wrap(make_pipeline(PCA(2), est)).fit(X, REAL)
    steps = getattr(pipe, "best_estimator_", pipe)
    inside, last = steps[:-1].transform(X), steps[-1]
    z, std = skcvae.encode(pipe, X, REAL, return_std=True)
    assert_same([z, std], last.encode(inside, REAL, return_std=True))
    assert_same([skcvae.encode(pipe, X)], [last.encode(inside)])
    assert_same([skcvae.decode(pipe, X, z)], [last.decode(inside, z)])
    assert_same([skcvae.reconstruct(pipe, X, REAL)], [last.reconstruct(inside, REAL)])


def test_pipelines_pass_parameters_on_and_name_what_cannot_encode():
    est, inputs, y = fitted("label maps")
    _, proba = skcvae.reconstruct(est, inputs, y, return_proba=True)
    assert proba.shape == (N, 3, *y.shape[1:])
    _, proba = skcvae.decode(est, inputs, est.encode(inputs), return_proba=True)
    assert proba.shape == (N, 3, *y.shape[1:])
    for function, args in ((skcvae.encode, (X,)), (skcvae.decode, (X, X))):
        with pytest.raises(TypeError, match=f"with a method '{function.__name__}', got PCA"):
            function(make_pipeline(PCA(2)).fit(X), *args)


@each
def test_the_torch_module_agrees_with_the_estimator(case):
    est, inputs, y = fitted(case)
    module = est.to_torch()
    x, target = torch.tensor(inputs), torch.tensor(y)
    z, _, prior_mean, decoded, rebuilt = all_of(est, inputs, y)
    close = tolerance(case)
    np.testing.assert_allclose(module.encode(x, target), z, **close)
    np.testing.assert_allclose(module.encode(x), prior_mean, **close)
    np.testing.assert_allclose(module.decode(x, torch.tensor(z)), decoded, **close)
    np.testing.assert_allclose(module.reconstruct(x, target), rebuilt, **close)
    if hasattr(est, "classes_"):
        proba = module.reconstruct(x, target, return_proba=True)[1]
        expected = est.reconstruct(inputs, y, return_proba=True)[1]
        np.testing.assert_allclose(proba, expected, **close)
    draws = torch.tensor(np.stack([z, prior_mean, 0 * z]))
    np.testing.assert_allclose(module.decode(x, draws), est.decode(inputs, draws.numpy()), **close)


def test_the_torch_module_names_what_it_has_not():
    x, y = torch.tensor(X), torch.tensor(REAL)
    without_z = NNRegressor(max_epochs=1, random_state=0).fit(X, REAL).to_torch()
    for call in (lambda: without_z.encode(x), lambda: without_z.decode(x, y)):
        with pytest.raises(ValueError, match="no latent variables"):
            call()
    generating = GSNNRegressor(max_epochs=1, random_state=0).fit(X, REAL).to_torch()
    for method in (generating.encode, generating.reconstruct):
        with pytest.raises(ValueError, match="no recognition network"):
            method(x, y)


@each
def test_pickles_and_files_keep_the_latent_space(case, tmp_path):
    est, inputs, y = fitted(case)
    est.save(tmp_path / "model.safetensors")
    expected = all_of(est, inputs, y)
    for again in (pickle.loads(pickle.dumps(est)), skcvae.load(tmp_path / "model.safetensors")):
        assert again.latent_shape_ == est.latent_shape_
        assert_same(all_of(again, inputs, y), expected)


def test_the_torch_module_has_the_scales_and_can_be_exported():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 3)), rng.normal(size=(40, 2))
    est = CVAERegressor(prior="standard", max_epochs=2, random_state=0, device="cpu").fit(X, y)
    module, x, target = est.to_torch(), torch.tensor(X), torch.tensor(y)
    for found, expected in zip(
        module.encode(x, target, return_std=True),
        est.encode(X, y, return_std=True),
        strict=True,
    ):
        np.testing.assert_allclose(found, expected, atol=1e-9)
    rows = ({0: torch.export.Dim("rows")},)
    program = torch.export.export(module, (x,), dynamic_shapes=rows)
    np.testing.assert_allclose(program.module()(x[:7]), est.predict(X[:7]), atol=1e-9)
