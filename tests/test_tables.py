"""Estimators of tables: heavy tails, branches, correlations, counts, columns of several kinds."""

import copy
import functools
import pickle

import numpy as np
import pytest
import torch
from conftest import each_kind
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from skcvae import CVAERegressor, NNRegressor
from skcvae.architectures import MLP, Conv
from skcvae.likelihoods import (
    Categorical,
    Columns,
    Gaussian,
    GaussianMixture,
    MultivariateGaussian,
    NegativeBinomial,
    Poisson,
    StudentT,
)

N = 60
rng = np.random.default_rng(0)
X = rng.normal(size=(N, 3))
REAL = X[:, :2] + rng.normal(size=(N, 1)) + 0.1 * rng.normal(size=(N, 2)) + 5
COUNTS = rng.poisson(np.exp(1 + X[:, :2]))
LABELS = np.array([2, 5, 9])[(X[:, :1] + rng.normal(size=(N, 2)) > [[0, 1]]).cumsum(1)]
MIXED = np.column_stack([LABELS[:, 0], REAL, COUNTS, LABELS[:, 1]])
MIXED_COLUMNS = Columns(
    [
        ("real", Gaussian(), [2, 1]),
        ("counts", Poisson(), [3]),
        ("more counts", NegativeBinomial(), [4]),
        ("kinds", Categorical(), [0, 5]),
    ]
)
# Groups whose outputs are tied together, beside another.
TIED_COLUMNS = Columns(
    [
        ("tied", MultivariateGaussian(), [1, 2]),
        ("branches", GaussianMixture(), [3, 4]),
        ("kinds", Categorical(), [0, 5]),
    ]
)
TABLES = {
    "student_t": ("student_t", REAL),
    "gaussian_mixture": ("gaussian_mixture", REAL),
    "multivariate_gaussian": ("multivariate_gaussian", REAL),
    "low rank": (MultivariateGaussian(rank=1), REAL),
    "poisson": ("poisson", COUNTS),
    "negative_binomial": ("negative_binomial", COUNTS),
    "columns": (MIXED_COLUMNS, MIXED),
    "tied columns": (TIED_COLUMNS, MIXED),
}

each = pytest.mark.parametrize("table", TABLES)
with_and_without_z = pytest.mark.parametrize("estimator_class", [CVAERegressor, NNRegressor])


def fit(estimator_class, table, targets=None, **params):
    likelihood, y = TABLES[table]
    params = {"max_epochs": 2, "random_state": 0, "n_score_samples": 20} | params
    if estimator_class is not NNRegressor:
        params = {"initial_guess": True} | params
    est = estimator_class(likelihood=likelihood, **params)
    return est.fit(X, y if targets is None else targets), y


@functools.cache
def fit_once(estimator_class, table):
    """Return a fit that tests share and leave as it is."""
    return fit(estimator_class, table)


def with_nan(y):
    y = y.astype(float)
    y[::3, 1] = np.nan
    y[1::3, 0] = np.nan
    return y


@each_kind("table", TABLES)
def test_every_answer_is_there(estimator_class, table):
    est, y = fit_once(estimator_class, table)
    mean, std = est.predict(X, return_std=True)
    draws = est.sample(X, n_samples=4, random_state=0)
    quantiles = est.predict_quantiles(X, n_samples=20)
    assert mean.shape == std.shape == y.shape and mean.dtype == draws.dtype == float
    assert draws.shape == (4, *y.shape) and quantiles.shape == (*y.shape, 3)
    assert np.isfinite(est.log_prob(X, y)).all() and np.isfinite(est.predict(X)).all()
    labels = [0, 5] if "columns" in table else []
    for found in (std, quantiles[..., 1]):
        assert (np.isnan(found).all(0) == np.isin(range(y.shape[1]), labels)).all()
    np.testing.assert_array_equal(mean, est.predict(X))
    for found in (mean, *draws):
        assert np.isin(found[:, labels], [2, 5, 9]).all()


@each_kind("table", TABLES)
def test_fits_and_draws_follow_their_seeds_and_touch_no_global_state(estimator_class, table):
    before = np.random.get_state()[1].copy(), torch.random.get_rng_state()
    first, second = (
        found(estimator_class, table)[0].sample(X, 3, random_state=1) for found in (fit, fit_once)
    )
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(before[0], np.random.get_state()[1])
    assert torch.equal(before[1], torch.random.get_rng_state())


@each_kind("table", TABLES)
def test_copies_answer_the_same(estimator_class, table):
    est, y = fit_once(estimator_class, table)
    for other in (pickle.loads(pickle.dumps(est)), copy.deepcopy(est)):
        np.testing.assert_array_equal(other.log_prob(X, y), est.log_prob(X, y))
        np.testing.assert_array_equal(other.predict(X), est.predict(X))


@each_kind("table", TABLES)
@pytest.mark.parametrize("partial_y", [False, True])
def test_what_is_not_known_is_filled_in(estimator_class, table, partial_y):
    hidden = with_nan(TABLES[table][1])
    if partial_y:
        est, y = fit(estimator_class, table, hidden, partial_y=True)
    else:
        est, y = fit_once(estimator_class, table)
    whole = est.complete(X, hidden, n_samples=2, random_state=0)
    assert whole.shape == (2, *y.shape) and np.isfinite(whole).all()
    known = ~np.isnan(hidden)
    np.testing.assert_array_equal(whole[:, known], np.stack([y[known]] * 2))
    if partial_y:
        log_p = est.log_prob(X, hidden)
        assert np.isfinite(log_p).all()
        nothing = est.log_prob(X, np.full(y.shape, np.nan), method="monte_carlo")
        np.testing.assert_allclose(nothing, 0, atol=1e-4)


@each
@with_and_without_z
def test_tables_are_predicted_from_images(estimator_class, table):
    likelihood, y = TABLES[table]
    images = np.random.default_rng(0).normal(size=(N, 6, 6))
    est = estimator_class(
        likelihood=likelihood, architecture=Conv((4, 6)), max_epochs=1, random_state=0
    ).fit(images, y)
    assert np.isfinite(est.log_prob(images, y)).all()
    assert est.sample(images, 2).shape == (2, *y.shape)


@with_and_without_z
@pytest.mark.parametrize("likelihood", ["student_t", "gaussian_mixture", "poisson"])
@pytest.mark.parametrize("architecture", ["mlp", Conv((4, 6))], ids=["mlp", "conv"])
def test_images_of_other_kinds(estimator_class, likelihood, architecture):
    images = np.random.default_rng(0).poisson(2.0, size=(N, 6, 4))
    inputs = X if architecture == "mlp" else images
    params = {"architecture": architecture, "max_epochs": 1, "n_score_samples": 5}
    est = estimator_class(likelihood=likelihood, random_state=0, **params).fit(inputs, images)
    assert np.isfinite(est.log_prob(inputs, images)).all()
    assert est.sample(inputs, 2).shape == (2, N, 6, 4)


@pytest.mark.filterwarnings("ignore:The best validation score")  # outputs are independent
def test_outputs_tied_together_tell_of_each_other_without_z():
    """Correlation 0.995 given x: one known output all but fixes the other."""
    gen = np.random.default_rng(0)
    x, shared = gen.normal(size=(500, 1)), gen.normal(size=(500, 1))
    y = x + shared + 0.1 * gen.normal(size=(500, 2))
    hidden = y.copy()
    hidden[:, 1] = np.nan
    params = {"max_epochs": 40, "batch_size": 100, "lr": 0.02, "random_state": 0}
    alone, tied, branches = (
        NNRegressor(likelihood=likelihood, **params).fit(x, y)
        for likelihood in ("gaussian", "multivariate_gaussian", GaussianMixture(n_components=8))
    )
    errors = [
        np.abs(est.complete(x, hidden, random_state=0, observation_noise=False)[0] - y)[
            :, 1
        ].mean()
        for est in (alone, tied, branches)
    ]
    assert errors[0] > 0.5 and errors[1] < 0.2 and errors[2] < 0.4
    assert tied.score(x, y) > alone.score(x, y) + 1.5
    noise = tied.sample(x, n_samples=200, random_state=0) - tied.predict(x)
    assert np.corrcoef(noise.reshape(-1, 2).T)[0, 1] > 0.95


def test_two_branches_are_drawn_without_z():
    x = np.random.default_rng(0).uniform(-1, 1, size=(500, 1))
    sign = np.where(np.random.default_rng(1).random((500, 1)) < 0.5, -1.0, 1.0)
    est = NNRegressor(
        likelihood=GaussianMixture(2), max_epochs=60, batch_size=100, lr=0.01, random_state=0
    ).fit(x, sign * [1, -1] + 0.05 * x)
    draws = est.sample(x, n_samples=20, random_state=0).reshape(-1, 2)
    assert np.abs(np.abs(draws) - 1).mean() < 0.15
    assert 0.4 < (draws[:, 0] > 0).mean() < 0.6
    assert (np.sign(draws[:, 0]) != np.sign(draws[:, 1])).mean() > 0.99


def test_heavy_tails_are_better_scored_by_heavy_tails():
    gen = np.random.default_rng(0)
    x = gen.normal(size=(600, 1))
    y = x + 0.3 * gen.standard_t(2.5, size=(600, 1))
    params = {"max_epochs": 60, "batch_size": 100, "lr": 0.01, "random_state": 0}
    tails, none = (
        NNRegressor(likelihood=likelihood, **params).fit(x[:400], y[:400])
        for likelihood in (StudentT(), Gaussian())
    )
    assert tails.score(x[400:], y[400:]) > none.score(x[400:], y[400:]) + 0.05


@pytest.mark.parametrize("likelihood", ["poisson", "negative_binomial"])
@pytest.mark.parametrize("level", [1.0, 5000.0])
def test_rates_of_counts_are_found_at_any_level(likelihood, level):
    gen = np.random.default_rng(0)
    x = gen.uniform(-1, 1, size=(500, 1))
    rate = level * np.exp(x)
    params = {"max_epochs": 60, "batch_size": 100, "lr": 0.01, "random_state": 0}
    est = NNRegressor(likelihood=likelihood, **params).fit(x, gen.poisson(rate))
    assert np.abs(est.predict(x) / rate - 1).mean() < 0.1
    draws = est.sample(x, n_samples=3, random_state=0)
    assert (draws % 1 == 0).all() and (draws >= 0).all()


def test_a_model_with_z_reads_counts_of_any_size():
    gen = np.random.default_rng(0)
    y = gen.poisson(20_000 * np.exp(gen.normal(size=(200, 1)) * [1, -1]))
    params = {"max_epochs": 20, "lr": 0.02, "random_state": 0, "initial_guess": True}
    est = CVAERegressor(likelihood="negative_binomial", **params).fit(y[:, :1] * 0.0, y)
    draws = np.log(est.sample(np.zeros((1, 1)), n_samples=500, random_state=0)[:, 0] + 1)
    assert np.isfinite(est.score(np.zeros((200, 1)), y))
    assert np.corrcoef(draws.T)[0, 1] < -0.5


@each_kind(
    "group",
    [(Gaussian(), REAL), (StudentT(), REAL), (Poisson(), COUNTS), (Categorical(), LABELS)],
)
def test_one_group_of_all_columns_is_its_likelihood(estimator_class, group):
    likelihood, y = group
    plain = MLP(shortcut=False)  # groups do not start at least squares
    params = {"architecture": plain, "max_epochs": 3, "random_state": 0}
    alone = estimator_class(likelihood=likelihood, **params).fit(X, y)
    columns = Columns([("all", likelihood, list(range(y.shape[1])))])
    found = estimator_class(likelihood=columns, **params).fit(X, y)
    np.testing.assert_allclose(found.log_prob(X, y), alone.log_prob(X, y), rtol=1e-5)
    np.testing.assert_allclose(found.predict(X), alone.predict(X))


def test_densities_of_columns_are_in_the_units_of_y(estimator_class):
    params = {"likelihood": MIXED_COLUMNS, "max_epochs": 3, "random_state": 0}
    scale = np.array([1, 100, 0.1, 1, 1, 1])
    one, other = (estimator_class(**params).fit(X, y) for y in (MIXED, MIXED * scale))
    expected = one.log_prob(X, MIXED) - np.log(scale).sum()
    np.testing.assert_allclose(other.log_prob(X, MIXED * scale), expected, atol=1e-3)


def test_columns_are_joint_draws():
    """A label, a count and a number that follow one hidden cause."""
    gen = np.random.default_rng(0)
    cause = gen.random(600) < 0.5
    y = np.column_stack(
        [cause, gen.poisson(np.where(cause, 30, 2)), cause * 2.0 + 0.1 * gen.normal(size=600)]
    )
    likelihood = Columns(
        [("kind", Categorical(), [0]), ("count", Poisson(), [1]), ("real", Gaussian(), [2])]
    )
    params = {"max_epochs": 100, "batch_size": 100, "lr": 0.02, "random_state": 0}
    est = CVAERegressor(likelihood=likelihood, **params)
    est.fit(gen.normal(size=(600, 1)), y)
    kind, count, real = est.sample(np.zeros((1, 1)), n_samples=500, random_state=0)[:, 0].T
    assert 0.35 < kind.mean() < 0.65
    assert ((count > 12) == kind).mean() > 0.95 and ((real > 1) == kind).mean() > 0.95
    partly = np.array([[np.nan, 30, np.nan]])
    filled = est.complete(np.zeros((1, 1)), partly, n_samples=100, random_state=0)[:, 0]
    assert (filled[:, 0] == 1).mean() > 0.9


def test_grids_over_parameters_of_likelihoods():
    params = {"max_epochs": 2, "random_state": 0}
    grid = {"likelihood__n_components": [1, 3]}
    mixture = NNRegressor(likelihood="gaussian_mixture", **params)
    search = GridSearchCV(mixture.set_params(likelihood__n_components=2), grid, cv=2).fit(X, REAL)
    assert search.best_params_["likelihood__n_components"] in (1, 3)
    grid = {"likelihood__real__heteroscedastic": [False, True]}
    search = GridSearchCV(NNRegressor(likelihood=MIXED_COLUMNS, **params), grid, cv=2)
    assert np.isfinite(search.fit(X, MIXED).cv_results_["mean_test_score"]).all()
    assert not MIXED_COLUMNS.get_params()["real__heteroscedastic"]


@pytest.mark.filterwarnings("ignore:The rows to train on have", "ignore:The effective sample size")
@with_and_without_z
@pytest.mark.parametrize(
    "likelihood", ["multivariate_gaussian", MultivariateGaussian(rank=2), "gaussian_mixture"]
)
def test_constant_and_repeated_columns_stay_finite(estimator_class, likelihood):
    y = np.column_stack([REAL, REAL[:, 0], np.full(N, 3.0)])
    params = {"max_epochs": 20, "lr": 0.03, "early_stopping": False}
    est = estimator_class(likelihood=likelihood, random_state=0, **params).fit(X, y)
    assert np.isfinite(est.predict(X)).all() and np.isfinite(est.score(X, y))
    hidden = with_nan(y)
    assert np.isfinite(est.complete(X, hidden, random_state=0)).all()


NOT_COUNTS = COUNTS - 1.0
IMAGES = np.zeros((N, 4, 4))
REFUSED = {
    "negative counts": ({"likelihood": "poisson"}, NOT_COUNTS, "Poisson expects counts"),
    "an image with covariances": (
        {"likelihood": "multivariate_gaussian"},
        IMAGES,
        r"vectors, got rows of shape \(4, 4\)",
    ),
    "coarse counts": (
        {"likelihood": "poisson", "n_scales": 2},
        IMAGES,
        "n_scales=2 pools pixels by averaging, and averages are not integers",
    ),
    "a column too many": ({"likelihood": MIXED_COLUMNS}, MIXED[:, :5], "each of the 5 columns"),
    "columns of an image": ({"likelihood": MIXED_COLUMNS}, IMAGES, "Columns expects y of shape"),
    "fractions among labels": (
        {"likelihood": MIXED_COLUMNS},
        MIXED + np.array([0.5, 0, 0, 0, 0, 0]),
        "group 'kinds': .* expects integer labels",
    ),
    "NaN": ({"likelihood": MIXED_COLUMNS}, with_nan(MIXED), "only if partial_y=True"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_mistakes_are_named(case):
    params, y, message = REFUSED[case]
    with pytest.raises(ValueError, match=message):
        NNRegressor(max_epochs=1, **params).fit(X, y)


def test_labels_that_were_not_in_fit_are_refused(estimator_class):
    est, _ = fit_once(estimator_class, "columns")
    other = MIXED.copy()
    other[3, 5] = 7
    with pytest.raises(
        ValueError, match=r"y\[:, \[0, 5\]\] has labels \[7.0\] .* not in y in fit"
    ):
        est.score(X, other)
    with pytest.raises(ValueError, match="return_proba=True expects labels"):
        est.predict(X, return_proba=True)


def test_the_users_likelihood_is_not_changed():
    likelihood = clone(MIXED_COLUMNS)
    est = NNRegressor(likelihood=likelihood, max_epochs=1).fit(X, MIXED)
    assert likelihood.get_params()["kinds__classes"] is None
    assert likelihood.get_params()["counts__init_rate"] is None
    fitted = est.likelihood_.get_params()
    assert fitted["kinds__classes"].tolist() == [2, 5, 9]
    np.testing.assert_allclose(fitted["counts__init_rate"], MIXED[:, 3].mean())


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ([("a", Gaussian, [0])], r"an object, Gaussian\(\), not the class"),
        ([], r"Got \[\] instead"),
        ({"a": 3}, r"Got \{'a': 3\} instead"),
    ],
)
def test_groups_that_are_none_are_named(groups, message):
    X = np.zeros((20, 1))
    with pytest.raises(ValueError, match=f"'groups' parameter of Columns.*{message}"):
        NNRegressor(likelihood=Columns(groups)).fit(X, X)
