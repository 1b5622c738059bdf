"""The density of X alone: laws of the VAE over its likelihoods, priors and architectures."""

import copy
import functools
import pickle

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits, make_moons
from sklearn.decomposition import PCA, FactorAnalysis
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KernelDensity
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skcvae
from skcvae import VAE
from skcvae.architectures import MLP, Conv
from skcvae.likelihoods import Categorical

DIGITS = load_digits().images[:200, 1:7, 1:7] / 16
COUNTS = (DIGITS[:, 2:4].reshape(200, 12) * 4).round()
SMALL = {"architecture": MLP((16,)), "max_epochs": 4, "random_state": 0}
CASES = {
    "gaussian": ({}, DIGITS.reshape(200, 36)),
    "mixture prior": ({"prior": "mixture"}, DIGITS.reshape(200, 36)),
    "learned prior": ({"prior": "gaussian", "objective": "iwae"}, DIGITS.reshape(200, 36)),
    "flow prior": ({"prior": "flow", "n_components": 2}, DIGITS.reshape(200, 36)),
    "pixels": ({"likelihood": "bernoulli"}, DIGITS.reshape(200, 36)),
    "counts": ({"likelihood": "poisson"}, COUNTS),
    "labels": ({"likelihood": Categorical(classes=[0, 1, 2, 3, 4])}, COUNTS),
    "images": (
        {"architecture": "conv", "likelihood": "bernoulli", "n_components": 3},
        DIGITS,
    ),
    "flat images": (
        {"architecture": Conv((4, 6)), "x_shape": (1, 6, 6), "n_components": 3},
        DIGITS.reshape(200, 36),
    ),
    "sequences": ({"architecture": "temporal", "n_components": 3}, DIGITS),
}

each_case = pytest.mark.parametrize("case", CASES)


@functools.cache
def fit_once(case):
    params, X = CASES[case]
    if params.get("prior") == "flow":
        pytest.importorskip("zuko")
    return VAE(**SMALL | params).fit(X)


@pytest.fixture
def fitted(case):
    return copy.deepcopy(fit_once(case)), CASES[case][1]


# Closed forms.


def linear_gaussian(n_rows, seed):
    rng = np.random.default_rng(seed)
    loadings = np.array([[1.0, 2.0, 0.5, 0.0], [0.0, -1.0, 1.0, 1.5]])
    return rng.normal(size=(n_rows, 2)) @ loadings + 0.5 * rng.normal(size=(n_rows, 4)) + 7


@pytest.fixture(scope="module")
def linear():
    X = linear_gaussian(5000, 0)
    est = VAE(2, architecture=MLP(()), lr=0.01, max_epochs=30, random_state=0)
    return est.fit(X), X


def test_a_linear_vae_is_probabilistic_pca(linear):
    est, X = linear
    for other in (PCA(2), FactorAnalysis(2)):
        assert est.score(X) == pytest.approx(other.fit(X).score(X), abs=0.02 * X.shape[1])


def test_codes_of_a_linear_vae_span_the_codes_of_pca(linear):
    est, X = linear
    codes, expected = est.transform(X), PCA(2).fit_transform(X)
    design = np.column_stack([codes, np.ones(len(X))])
    residual = np.linalg.lstsq(design, expected, rcond=None)[1]
    assert (residual / len(X) < 0.03 * expected.var(axis=0)).all()


def test_draws_of_a_linear_vae_have_the_covariance_of_the_data(linear):
    est, X = linear
    draws = est.sample(20_000, random_state=0)
    np.testing.assert_allclose(draws.mean(axis=0), X.mean(axis=0), atol=0.1)
    np.testing.assert_allclose(np.cov(draws.T), np.cov(X.T), atol=0.25)
    smooth = est.sample(20_000, random_state=0, observation_noise=False)
    assert np.linalg.matrix_rank(smooth - smooth.mean(axis=0), tol=1e-2) == 2


def test_completions_of_a_linear_vae_follow_the_regression_on_what_is_observed(linear):
    est, X = linear
    rows = X[:50].copy()
    covariance, mean = np.cov(X.T), X.mean(axis=0)
    slope = np.linalg.solve(covariance[:3, :3], covariance[:3, 3])
    expected = mean[3] + (rows[:, :3] - mean[:3]) @ slope
    variance = covariance[3, 3] - covariance[3, :3] @ slope
    rows[:, 3] = np.nan
    drawn = est.complete(rows, 400, random_state=0, n_steps=30)
    np.testing.assert_array_equal(drawn[:, :, :3], np.broadcast_to(rows[:, :3], (400, 50, 3)))
    np.testing.assert_allclose(drawn[..., 3].mean(axis=0), expected, atol=0.25)
    assert drawn[..., 3].var(axis=0).mean() == pytest.approx(variance, rel=0.15)


def test_moons_are_as_likely_as_by_a_kernel_density():
    X, held_out = (make_moons(n, noise=0.1, random_state=n)[0] for n in (1000, 2000))
    grid = {"bandwidth": np.geomspace(0.03, 0.3, 8)}
    kernel = GridSearchCV(KernelDensity(), grid, cv=3).fit(X)
    params = {"objective": "iwae", "n_train_samples": 5, "lr": 0.01, "max_epochs": 60}
    est = VAE(2, prior="mixture", architecture=MLP((64, 64)), random_state=0, **params).fit(X)
    assert est.score(held_out) > kernel.score(held_out) / len(held_out) - 0.02


# Densities.


@pytest.mark.parametrize("prior", ["standard", "mixture"])
def test_the_density_integrates_to_one(prior):
    X = make_moons(300, noise=0.1, random_state=0)[0]
    est = VAE(2, prior=prior, objective="elbo", max_epochs=15, lr=0.01, random_state=0).fit(X)
    axes = np.linspace(-3, 4, 101), np.linspace(-2.5, 3, 81)
    grid = np.stack(np.meshgrid(*axes), axis=-1).reshape(-1, 2)
    cell = np.prod([axis[1] - axis[0] for axis in axes])
    assert np.exp(est.score_samples(grid)).sum() * cell == pytest.approx(1, abs=0.05)


def test_the_density_is_in_the_units_of_the_rows(linear):
    _, X = linear
    scale = np.array([10.0, 0.1, 3.0, 1000.0])
    other = VAE(2, architecture=MLP(()), lr=0.01, max_epochs=2, random_state=0)
    one = copy.deepcopy(other).fit(X)
    other.fit(X * scale - 5)
    np.testing.assert_allclose(
        other.score_samples(X[:50] * scale - 5), one.score_samples(X[:50]) - np.log(scale).sum(),
        rtol=1e-3,
    )  # fmt: skip


def test_anomalies_are_less_likely():
    est, X = fit_once("pixels"), CASES["pixels"][1]
    noise = np.random.default_rng(0).permuted(X, axis=1)
    assert est.score_samples(noise).mean() < est.score_samples(X).mean() - 1


def test_rows_observed_in_part_are_marginalised():
    X = CASES["gaussian"][1].copy()
    X[np.random.default_rng(0).random(X.shape) < 0.2] = np.nan
    est = VAE(**SMALL, partial_X=True).fit(X)
    assert np.isfinite(est.score_samples(X)).all() and np.isfinite(est.transform(X)).all()
    assert np.isfinite(est.reconstruct(X)).all()
    nothing = np.full((1, 36), np.nan)
    assert est.score_samples(nothing, n_samples=3000) == pytest.approx(0, abs=0.3)
    drawn = est.complete(X, 2, random_state=0)
    known = ~np.isnan(X)
    assert np.isfinite(drawn).all() and (drawn[:, known] == X[known]).all()


# Every answer, over likelihoods, priors and architectures.


@each_case
def test_answers_have_the_shape_and_kind_of_the_rows(fitted):
    est, X = fitted
    Z = est.transform(X)
    assert Z.shape == (200, *est.latent_shape_) and Z.dtype == float
    assert est.score_samples(X[:50]).shape == (50,)
    for rows in (est.inverse_transform(Z), est.reconstruct(X), est.sample(200, random_state=0)):
        assert rows.shape == X.shape and np.isfinite(rows).all()
    np.testing.assert_array_equal(est.reconstruct(X), est.inverse_transform(Z))
    assert est.get_feature_names_out()[-1] == f"vae{Z.shape[1] - 1}"
    if hasattr(est, "classes_"):
        assert set(np.unique(est.sample(50, random_state=0))) <= set(range(5))
        assert est.reconstruct(X).dtype.kind == "i"


@each_case
def test_reconstructions_know_more_than_the_mean(fitted):
    est, X = fitted
    est = est.set_params(max_epochs=15, lr=0.01).fit(X)
    error = np.square(est.reconstruct(X) - X).mean()
    assert error < 0.9 * np.square(X - X.mean(axis=0)).mean()


@each_case
def test_order_subset_and_chunks_do_not_matter(fitted, monkeypatch):
    est, X = fitted[0], fitted[1][:60]
    asked = {
        "transform": est.transform,
        "score_samples": est.score_samples,
        "reconstruct": est.reconstruct,
    }
    whole = {name: ask(X) for name, ask in asked.items()}
    order = np.random.default_rng(0).permutation(60)[:35]
    monkeypatch.setattr("skcvae.data.coding.FORWARD_ROWS", 16)
    for name, ask in asked.items():
        np.testing.assert_allclose(ask(X[order]), whole[name][order], rtol=1e-4, atol=1e-5)


@each_case
def test_copies_and_files_and_torch_answer_the_same(fitted, tmp_path):
    est, X = fitted
    est.save(tmp_path / "model.skcvae")
    for other in (pickle.loads(pickle.dumps(est)), skcvae.load(tmp_path / "model.skcvae")):
        np.testing.assert_array_equal(other.score_samples(X[:20]), est.score_samples(X[:20]))
        np.testing.assert_array_equal(other.reconstruct(X), est.reconstruct(X))
        assert other.summary() == est.summary() and repr(other) == repr(est)
    module, x = est.to_torch(), torch.tensor(X)
    np.testing.assert_allclose(module.transform(x).numpy(), est.transform(X), atol=1e-6)
    np.testing.assert_allclose(module(x).numpy(), est.reconstruct(X), atol=1e-6)
    exported = torch.export.export(module, (x[:2],)).module()
    np.testing.assert_allclose(exported(x[:2]).numpy(), est.reconstruct(X[:2]), atol=1e-6)


@each_case
def test_completions_keep_what_is_observed(fitted):
    est, X = fitted
    mask = np.zeros(X.shape, dtype=bool)
    mask[:, ::2] = True
    drawn = est.complete(X[:20], 3, mask=mask[:20], random_state=0, n_steps=3)
    assert drawn.shape == (3, 20, *X.shape[1:]) and np.isfinite(drawn).all()
    assert (drawn[:, ~mask[:20]] == X[:20][~mask[:20]]).all()
    assert (drawn[0] != drawn[1]).any()


# As a transformer and as a density among scikit-learn's.


def test_it_stands_before_and_after_other_steps():
    X = CASES["gaussian"][1]
    pipeline = make_pipeline(StandardScaler(), VAE(3, **SMALL)).fit(X)
    assert pipeline.transform(X).shape == (200, 3) and pipeline.score_samples(X).shape == (200,)
    assert pipeline.score(X) == pytest.approx(pipeline.score_samples(X).mean())
    back = pipeline.inverse_transform(pipeline.transform(X))
    np.testing.assert_allclose(
        back, pipeline[0].inverse_transform(pipeline[1].reconstruct(pipeline[0].transform(X)))
    )


def test_a_search_chooses_by_the_likelihood():
    X = CASES["gaussian"][1]
    search = GridSearchCV(VAE(**SMALL), {"n_components": [1, 4]}, cv=2).fit(X)
    assert search.score(X) == search.best_estimator_.score(X)
    assert search.best_score_ == max(search.cv_results_["mean_test_score"])


def test_a_dataset_of_rows_gives_the_fit_of_the_array():
    X = CASES["gaussian"][1]

    class Items(torch.utils.data.Dataset):
        def __len__(self):
            return len(X)

        def __getitem__(self, row):
            return X[row]

    found = VAE(**SMALL).fit(Items())
    np.testing.assert_allclose(found.transform(X), VAE(**SMALL).fit(X).transform(X), rtol=1e-6)
    with_items, with_rows = (VAE(**SMALL).fit(X, X_val=rows) for rows in (Items(), X))
    assert with_items.history_[:, "valid_cll"] == with_rows.history_[:, "valid_cll"]


def test_a_larger_weight_of_the_kl_term_uses_less_of_z():
    X = CASES["gaussian"][1]
    params = SMALL | {"max_epochs": 15, "lr": 0.01, "early_stopping": False}
    one, other = (VAE(beta=beta, **params).fit(X).history_[-1] for beta in (0.0, 2.0))
    assert other["train_kl"] < 0.5 * one["train_kl"]


# Bad input.

BAD = {
    "an objective without a recognition network": (
        {"objective": "gsnn"}, "trains no recognition network", DIGITS.reshape(200, 36)
    ),
    "bins": ({"architecture": MLP(bins=4)}, "bins=None", DIGITS.reshape(200, 36)),
    "a shape": ({"x_shape": (5, 7)}, "^x_shape must be the shape of one row", DIGITS),
    "vectors as images": (
        {"architecture": "conv"}, "expects images in X,.*Set x_shape if", COUNTS
    ),
    "pixels above one": ({"likelihood": "bernoulli"}, r"expects X in \[0, 1\]", 3 * DIGITS),
    "fractions as counts": ({"likelihood": "poisson"}, "counts, integers >= 0 .* in X", DIGITS),
    "NaN": ({}, "only if partial_X=True", np.where(DIGITS > 0.9, np.nan, DIGITS)),
    "a column of NaN": (
        {"partial_X": True}, "^X has columns or channels that are NaN in every row",
        np.where(np.arange(12) == 2, np.nan, COUNTS),
    ),
}  # fmt: skip


@pytest.mark.parametrize("bad", BAD)
def test_bad_parameters_and_rows(bad):
    params, message, X = BAD[bad]
    est = VAE(**SMALL | params)
    with pytest.raises(ValueError, match=message):
        est.fit(X)
    assert not hasattr(est, "net_")


QUESTIONS = {
    "columns": (lambda est, X: est.transform(X[:, :3]), "X has 3 features"),
    "codes": (lambda est, X: est.inverse_transform(X), "Z must have 3 columns, got 36"),
    "mask": (lambda est, X: est.complete(X, mask=X), "mask must be boolean .* of X_partial"),
    "NaN": (lambda est, X: est.transform(X * np.nan), "only if partial_X=True"),
    "draws": (lambda est, X: est.sample(0), "n_samples == 0, must be >= 1"),
    "method": (lambda est, X: est.score_samples(X, method="exact"), "method must be one of"),
    "weights": (lambda est, X: est.score(X, sample_weight=np.zeros(200)), "sample_weight"),
    "structure": (
        lambda est, X: est.set_params(warm_start=True, n_components=5).fit(X), "n_components=3"
    ),
}  # fmt: skip


@pytest.mark.parametrize("question", QUESTIONS)
def test_bad_questions(question):
    ask, message = QUESTIONS[question]
    est = VAE(3, **SMALL | {"max_epochs": 1}).fit(CASES["gaussian"][1])
    with pytest.raises(ValueError, match=message):
        ask(est, CASES["gaussian"][1])


def test_a_parameter_of_the_conditional_model_is_unknown():
    with pytest.raises(TypeError, match="VAE has no parameter 'initial_guess'"):
        VAE(initial_guess=True)
    with pytest.raises(TypeError, match=r"VAE\.sample\(\)"):
        VAE().sample(draws=3)


def test_a_vae_that_uses_no_latent_variable_warns():
    X = np.random.default_rng(0).normal(size=(100, 3))
    est = VAE(2, beta=50.0, max_epochs=12, random_state=0, early_stopping=False)
    with pytest.warns(UserWarning, match="independent columns.*another n_components"):
        est.fit(X)
    assert est.n_active_units_ == 0


def test_items_of_a_dataset_are_rows():
    class Pairs(torch.utils.data.Dataset):
        def __len__(self):
            return 20

        def __getitem__(self, row):
            return np.zeros(3), np.zeros(2)

    with pytest.raises(TypeError, match="must have items x, one array each, got a tuple of 2"):
        VAE(**SMALL).fit(Pairs())


@pytest.mark.parametrize("function", ["sample", "complete", "reconstruct"])
def test_functions_of_pipelines_need_something_to_condition_on(function):
    X = CASES["gaussian"][1]
    pipeline = make_pipeline(StandardScaler(), VAE(3, **SMALL | {"max_epochs": 1})).fit(X)
    others = () if function == "sample" else (X,)
    with pytest.raises(
        TypeError, match=f"VAE has nothing to condition on: use its own {function}"
    ):
        getattr(skcvae, function)(pipeline, X, *others)
