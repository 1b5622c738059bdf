"""Laws of conformal regions: coverage, whatever the estimator; nesting; pieces; volumes."""

import copy
import functools
import pickle

import numpy as np
import pandas as pd
import pytest
from scipy.special import logsumexp
from scipy.stats import chi2, norm
from sklearn import config_context
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV, KFold, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skcvae
from skcvae import (
    VAE,
    ConformalRegressor,
    CVAERegressor,
    EnsembleRegressor,
    HybridStructuredPredictorCV,
    NNRegressor,
)
from skcvae.estimators import _regions
from skcvae.estimators._calibration import seed_of
from skcvae.likelihoods import (
    Categorical,
    Columns,
    Gaussian,
    Hurdle,
    LogitNormal,
    MaskedImage,
)
from skcvae.metrics import crps_scorer

REGIONS = ["density", "distance", "latent"]
QUICK = {"max_epochs": 2, "random_state": 0}


class Known(RegressorMixin, BaseEstimator):
    """A mixture of Gaussians at `centers` of one scale, times a factor that should be one."""

    def __init__(self, centers=(0.0,), scale=1.0, shift=0.0):
        self.centers = centers
        self.scale = scale
        self.shift = shift

    def fit(self, X, y, sample_weight=None):
        self.weight_ = sample_weight
        self.row_shape_ = np.shape(y)[1:]
        return self

    def predict(self, X):
        return np.asarray(X)[:, 0] + self.shift

    def _center(self, X):
        return self.predict(X).reshape(-1, *[1] * len(self.row_shape_))

    def sample(self, X, n_samples=1, random_state=None):
        rng = np.random.RandomState(random_state)
        lead = n_samples, len(X)
        center = rng.choice(self.centers, (*lead, *[1] * len(self.row_shape_)))
        return self._center(X) + center + self.scale * rng.normal(size=(*lead, *self.row_shape_))

    def log_prob(self, X, y):
        off = np.asarray(y) - self._center(X)
        parts = np.stack([norm.logpdf(off, c, self.scale) for c in self.centers])
        parts = parts.reshape(*parts.shape[:2], -1).sum(axis=-1)
        return logsumexp(parts, axis=0) - np.log(len(self.centers))

    def encode(self, X, y=None, return_std=False):
        code = np.zeros((len(X), 1)) if y is None else (y - self._center(X)).reshape(len(X), -1)
        return (code, np.ones_like(code)) if return_std else code


GOOD = Known()
BAD = {
    "good": GOOD,
    "far too narrow": Known(scale=0.05),
    "far too wide": Known(scale=20.0),
    "off": Known(shift=5.0),
    "of two branches": Known(centers=(-3.0, 3.0), scale=0.3),
}


def rows(rng, n, row_shape=()):
    X = rng.normal(size=(n, 1))
    return X, X.reshape(n, *[1] * len(row_shape)) + rng.normal(size=(n, *row_shape))


def calibrated(est, n=50, seed=0, row_shape=(), **params):
    rng = np.random.default_rng(seed)
    est = ConformalRegressor(est, n_samples=20, random_state=seed).set_params(**params)
    X, y = rows(rng, n, row_shape)
    return est.fit(X, y).conformalize(X, y), rng


def inside(intervals, y):
    """Return whether y is in its interval, or in one of the pieces."""
    return (intervals[..., 0] <= y) & (y <= intervals[..., 1])


# The promise.


@pytest.mark.parametrize("est", BAD.values(), ids=BAD)
def test_coverage_is_as_promised_whatever_the_estimator(est):
    # Of the 19 rows that calibrate and one more, all orders are equally likely.
    n, n_sets, n_new, coverage = 19, 120, 20, 0.75
    hits = {}
    for seed in range(n_sets):
        rng = np.random.default_rng(seed)
        for region in REGIONS:
            wrapped = ConformalRegressor(est, region=region, n_samples=20, random_state=seed)
            X, y = rows(rng, n)
            wrapped.fit(X, y).conformalize(X, y)
            X, y = rows(rng, n_new)
            hits.setdefault(region, []).append(wrapped.contains(X, y, coverage).mean())
        hits.setdefault("interval", []).append(
            inside(wrapped.predict_interval(X, coverage), y).mean()
        )
    for region, shares in hits.items():
        error = 3.5 * np.std(shares, ddof=1) / np.sqrt(n_sets)
        assert coverage - error <= np.mean(shares), region
        assert np.mean(shares) <= coverage + 1 / (n + 1) + error, region


def test_coverage_of_many_rows_is_exact():
    est, rng = calibrated(GOOD, n=2000, row_shape=(2,))
    X, y = rows(rng, 4000, (2,))
    error = 4 * np.sqrt(0.9 * 0.1 * (1 / 2000 + 1 / 4000))
    intervals = est.predict_interval(X)
    np.testing.assert_allclose(inside(intervals, y).mean(axis=0), 0.9, atol=error)
    box = inside(est.predict_interval(X, joint=True), y).all(axis=1)
    assert box.mean() == pytest.approx(0.9, abs=error)
    assert inside(intervals, y).all(axis=1).mean() < 0.9 - error
    assert est.contains(X, y).mean() == pytest.approx(0.9, abs=error)


def test_the_quantile_is_that_of_n_and_one_more():
    est, _ = calibrated(GOOD, n=19)
    scores = np.sort(est.calibration_.region_scores)
    for coverage, place in {0.05: 1, 0.5: 10, 0.9: 18, 0.91: 19, 0.95: 19}.items():
        assert est.calibration_.threshold(scores, coverage) == scores[place - 1]
    for n in (9, 29, 99, 299, 999):  # (n + 1) c is a whole number, whatever floats make of it
        whole = est.calibration_._replace(weight=np.ones(n))
        for c in (0.1, 0.3, 0.55, 0.7, 0.9):
            place = int(np.ceil(round((n + 1) * c, 6)))
            assert whole.threshold(np.arange(1.0, n + 1), c) == place


def test_too_few_rows_are_refused():
    est, rng = calibrated(GOOD, n=18)
    X, y = rows(rng, 3)
    for method in (est.contains, lambda X, y, c: est.predict_interval(X, c)):
        with pytest.raises(ValueError, match=r"coverage=0.95 needs at least 19 rows.*got 18"):
            method(X, y, (0.5, 0.95))


def test_ties_do_not_cost_coverage():
    rng = np.random.default_rng(0)
    X, y = np.zeros((400, 1)), rng.integers(0, 3, 400).astype(float)
    for region in ("density", "distance"):
        est = ConformalRegressor(GOOD, region=region, random_state=0)
        est.fit(X, y).conformalize(X[:200], y[:200])
        assert est.contains(X[200:], y[200:], 0.8).mean() > 0.7
        assert inside(est.predict_interval(X[200:], 0.8), y[200:]).mean() > 0.7


def test_a_constant_estimator_has_intervals_of_the_size_of_its_errors():
    est, rng = calibrated(Known(scale=0.0, centers=(1.0,)), n=500, region="distance")
    X, y = rows(rng, 500)
    assert inside(est.predict_interval(X), y).mean() == pytest.approx(0.9, abs=0.06)
    assert est.contains(X, y).mean() == pytest.approx(0.9, abs=0.06)
    assert np.isfinite(est.predict_interval(X)).all()


# Groups.


def visits(rng, n_groups):
    """Return rows of groups of very different sizes, whose rows are nearly the same."""
    size = np.where(rng.random(n_groups) < 0.1, 60, 1)
    group = np.repeat(np.arange(n_groups), size)
    # Large groups are close to what is expected, so that rows alike tell little of others.
    off = rng.normal(size=n_groups) * np.where(size > 1, 0.1, 1)
    return np.zeros((len(group), 1)), off[group], group


def test_a_group_counts_as_one_row():
    shares, by_rows = [], []
    for seed in range(120):
        rng = np.random.default_rng(seed)
        X, y, groups = visits(rng, 40)
        est = ConformalRegressor(GOOD, region="distance", n_samples=20, random_state=0).fit(X, y)
        new_X, new_y, new_groups = visits(rng, 40)
        first = np.unique(new_groups, return_index=True)[1]
        for found, given in ((shares, groups), (by_rows, None)):
            est.conformalize(X, y, groups=given)
            found.append(est.contains(new_X[first], new_y[first], 0.8).mean())
    error = 3.5 * np.std(shares, ddof=1) / np.sqrt(len(shares))
    assert 0.8 - error <= np.mean(shares) <= 0.8 + 2 / 41 + error
    assert np.mean(by_rows) < 0.7


def test_groups_of_one_row_change_nothing_and_too_few_groups_are_refused():
    est, _ = calibrated(GOOD)
    X, y = rows(np.random.default_rng(0), 50)
    alone = copy.deepcopy(est).conformalize(X, y, groups=np.arange(50))
    np.testing.assert_array_equal(alone.predict_interval(X), est.predict_interval(X))
    weight = est.conformalize(X, y, groups=[1, "a"] + ["b"] * 48).calibration_.weight
    np.testing.assert_array_equal(weight, [1, 1] + [1 / 48] * 48)
    est.conformalize(X, y, groups=np.repeat(["a", "b", "c", "d", "e"], 10))
    with pytest.raises(ValueError, match="needs at least 9 rows, or groups, in .* got 5"):
        est.contains(X, y)


# Regions.


@pytest.mark.parametrize("region", REGIONS)
def test_regions_are_nested(region):
    est, rng = calibrated(Known(scale=1.5), region=region, row_shape=(2,))
    X, y = rows(rng, 200, (2,))
    coverages = (0.1, 0.5, 0.9)
    held = est.contains(X, y, coverages)
    assert held.shape == (200, 3) and (held[:, :-1] <= held[:, 1:]).all()
    np.testing.assert_array_equal(held[:, 1], est.contains(X, y, 0.5))
    many = est.contains(X, np.stack([y, y + 100, y]), coverages)
    assert many.shape == (3, 200, 3) and not many[1].any()
    np.testing.assert_array_equal(many[::2], [held, held])
    intervals = est.predict_interval(X, coverages)
    assert intervals.shape == (200, 2, 2, 3)
    assert (np.diff(intervals[..., 0, :]) <= 0).all()
    assert (np.diff(intervals[..., 1, :]) >= 0).all()
    np.testing.assert_array_equal(intervals[..., 2], est.predict_interval(X, 0.9))
    if region != "latent":
        assert (np.diff(est.log_volume(X, (0.1, 0.5))) >= 0).all()


def test_levels_and_quantiles_are_inverse():
    rng = np.random.default_rng(0)
    draws = np.sort(rng.normal(size=(9, 40)), axis=0)
    y = 3 * rng.normal(size=40)
    levels = _regions.level(draws, y)
    assert (levels < 0).any() and (levels > 1).any()
    np.testing.assert_allclose(_regions.quantile(draws, levels), y)
    inner = np.array([0.0, 0.2, 1.0])[:, None] * np.ones(40)
    for level in inner:
        np.testing.assert_allclose(
            _regions.quantile(draws, level), np.quantile(draws, level[0], 0)
        )
    tied = np.sort(rng.integers(0, 3, (9, 40)), axis=0).astype(float)
    mass = _regions.centrality(tied, np.ones(40))
    low, high = _regions.interval(tied, mass).T
    assert ((low <= 1) & (1 <= high)).all()
    low, high = _regions.interval(tied, mass - 0.01).T
    assert ((low > 1) | (1 > high))[mass > 0.01].all()


def test_scores_of_density_are_the_mass_of_regions():
    X, _ = rows(np.random.default_rng(0), 1, (2,))
    GOOD.fit(X, np.zeros((1, 2)))
    y = X + np.linspace(0, 2, 9)[:, None, None] * np.ones(2)
    found = _regions.density(GOOD, X, GOOD.sample(X, 20_000, 0), y)
    expected = chi2(2).cdf(((y - X) ** 2).sum(axis=-1))
    np.testing.assert_allclose(found, expected, atol=0.02)


def test_volumes_are_those_of_balls():
    X = np.zeros((40, 1))
    GOOD.fit(X, np.zeros((40, 3)))
    draws = GOOD.sample(X, 400, 0)
    found = _regions.log_volume_of_density(GOOD, X, draws, [0.5, 0.9], 0)
    expected = np.log(4 / 3 * np.pi * chi2(3).ppf([0.5, 0.9]) ** 1.5)
    np.testing.assert_allclose(np.log(np.exp(found).mean(axis=1)), expected, atol=0.1)
    # One ball, and two of the same center, have one volume; apart, they have two.
    for centers, n_balls in (([0, 0], 1), ([-50, 50], 2)):
        draws = np.broadcast_to(np.array(centers, float)[:, None, None], (2, 1, 3))
        scale = max(np.std(centers), 1) if n_balls == 2 else 1
        (volume,) = _regions.log_volume_of_distance(GOOD, X[:1], draws, [0.1], 0)
        expected = np.log(n_balls * 4 / 3 * np.pi * (0.1 * scale) ** 3)
        np.testing.assert_allclose(volume, expected)
    # Two balls that overlap in a lens, with centers at a distance of two.
    draws = np.array([[-1.0, 0, 0], [1, 0, 0]])[:, None] * np.ones((2000, 1))
    (volume,) = _regions.log_volume_of_distance(GOOD, X, draws, [1.5], 0)
    expected = 2 * 4 / 3 * np.pi * 1.5**3 - np.pi * 8 / 12
    assert np.exp(volume).mean() == pytest.approx(expected, rel=0.01)
    # The union of overlapping balls is an interval, of one output.
    draws = np.linspace(-1, 1, 400)[:, None] * np.ones(40)
    (volume,) = _regions.log_volume_of_distance(GOOD, X, draws, [0.1], 0)
    assert np.exp(volume).mean() == pytest.approx(2 + 0.2 * draws[:, 0].std(), rel=0.02)


def test_the_volume_of_one_output_is_the_length_of_its_pieces():
    for region, coverage in (("density", 0.7), ("distance", 0.7), ("distance", 0.98)):
        wide = Known(centers=(-1.0, 1.0), scale=0.9)
        est, rng = calibrated(wide, n=600, region=region, n_samples=300)
        X, _ = rows(rng, 30)
        pieces = est.predict_region(X, coverage)
        length = np.nansum(np.diff(pieces)[..., 0], axis=1)
        volume = np.exp(est.log_volume(X, coverage))
        assert np.median(volume / length) == pytest.approx(1, abs=0.15), region


# Pieces.


@pytest.mark.parametrize("region", REGIONS)
def test_pieces_hold_what_the_region_contains(region):
    est, rng = calibrated(Known(centers=(-2.0, 2.0), scale=0.5), n=200, region=region)
    X, y = rows(rng, 300)
    pieces = est.predict_region(X, 0.7)
    assert pieces.shape[0] == 300 and pieces.shape[2] == 2
    held = inside(pieces, y[:, None]).any(axis=1)
    # Narrow gaps are filled; ends are interpolated.
    contained = est.contains(X, y, 0.7)
    assert (held >= contained).mean() > 0.99 and (held != contained).mean() < 0.1


@pytest.mark.parametrize("coverage", [0.1, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("est", BAD.values(), ids=BAD)
def test_pieces_of_distance_are_what_the_region_contains(est, coverage):
    est, rng = calibrated(est, n=150, region="distance", n_samples=40)
    X, y = rows(rng, 500)
    pieces = est.predict_region(X, coverage)
    held = inside(pieces, y[:, None]).any(axis=1)
    np.testing.assert_array_equal(held, est.contains(X, y, coverage))
    middle = (pieces[:, :-1, 1] + pieces[:, 1:, 0]) / 2
    middle = np.column_stack([middle, np.full(500, np.nan)])
    assert not est.contains(X, np.nan_to_num(middle.T, nan=1e6), coverage).any()


def test_two_branches_have_two_pieces_of_the_right_ends():
    est = Known(centers=(-2.0, 2.0), scale=0.5)
    X = np.zeros((5, 1))
    y = est.fit(X, np.zeros(5)).sample(np.zeros((400, 1)), 1, 0)[0]
    wrapped = ConformalRegressor(FrozenEstimator(est), n_samples=1000, random_state=0)
    pieces = wrapped.conformalize(np.zeros((400, 1)), y).predict_region(X, 0.9)
    assert pieces.shape == (5, 2, 2)
    half = 0.5 * norm.ppf(0.95)
    expected = np.array([[-2 - half, -2 + half], [2 - half, 2 + half]])
    np.testing.assert_allclose(pieces, np.broadcast_to(expected, (5, 2, 2)), atol=0.15)


def test_pieces_of_a_function():
    grid = np.linspace(-4, 4, 17)
    (ends,) = [_regions._pieces(grid, np.abs(np.abs(grid) - 2) - 0.75, 0.1, lowest=-np.inf)]
    np.testing.assert_allclose(ends, [[-2.75, -1.25], [1.25, 2.75]])
    whole = _regions._pieces(grid, -np.ones(17), 0.1, lowest=0.0)
    np.testing.assert_array_equal(whole, [[0, np.inf]])
    assert _regions._pieces(grid, np.ones(17), 0.1, lowest=0.0).shape == (0, 2)
    filled = _regions._pieces(grid, np.abs(np.abs(grid) - 2) - 1.75, 1.0, lowest=-np.inf)
    np.testing.assert_allclose(filled, [[-3.75, 3.75]])
    padded = _regions._padded([ends, whole, whole[:0]])
    np.testing.assert_array_equal(np.isnan(padded[..., 0]).sum(axis=1), [0, 1, 2])
    assert _regions._padded([whole[:0]]).shape == (1, 1, 2)


# With the estimators of the package.


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 3))
    return X, X[:, :2] + rng.normal(size=(80, 2))


@pytest.fixture(scope="module")
def cvae(table):
    return CVAERegressor(**QUICK).fit(*table)


@pytest.mark.parametrize("region", REGIONS)
def test_the_same_calibration_gives_the_same_regions(cvae, table, region):
    X, y = table
    params = {"region": region, "n_samples": 10, "random_state": 3}
    est = ConformalRegressor(FrozenEstimator(cvae), **params).conformalize(X, y)
    assert est.estimator_.estimator is cvae
    held, intervals = est.contains(X, y), est.predict_interval(X)
    again = pickle.loads(pickle.dumps(est))
    other = clone(est).conformalize(X, y)
    # What was calibrated stays, whatever the parameters are then.
    est.set_params(region="density", n_samples=30)
    for one in (est, again, other):
        np.testing.assert_array_equal(one.contains(X, y), held)
        np.testing.assert_array_equal(one.predict_interval(X), intervals)
    np.testing.assert_array_equal(est.predict(X), cvae.predict(X))
    assert est.score(X, y) == cvae.score(X, y)
    est.fit(X, y)
    with pytest.raises(NotFittedError, match="call conformalize"):
        est.contains(X, y)


def test_pipelines_searches_and_ensembles(table):
    X, y = table
    member = NNRegressor(**QUICK)
    pipeline = make_pipeline(StandardScaler(), member)
    search = GridSearchCV(pipeline, {"nnregressor__lr": [1e-3]}, cv=2)
    ensemble = EnsembleRegressor(member, n_estimators=2, random_state=0)
    for est in (pipeline, search, ensemble):
        fitted = ConformalRegressor(est, n_samples=10, random_state=0).fit(X, y)
        frozen = ConformalRegressor(FrozenEstimator(fitted.estimator_), n_samples=10)
        frozen.set_params(random_state=0).conformalize(X, y)
        held = fitted.conformalize(X, y).contains(X, y)
        np.testing.assert_array_equal(frozen.contains(X, y), held)
        assert held.mean() > 0.8 and fitted.n_features_in_ == 3
        assert fitted.predict_interval(X).shape == (80, 2, 2)
    with pytest.raises(ValueError, match="no latent variables"):
        ConformalRegressor(FrozenEstimator(member.fit(X, y)), region="latent").conformalize(X, y)
    with pytest.raises(TypeError, match="no encode"):
        fitted.set_params(region="latent").conformalize(X, y)


def test_smooth_log_prob_is_smooth_in_y(cvae, table):
    X, y = np.repeat(table[0][:1], 200, axis=0), np.zeros((200, 2))
    y[:, 0] = np.linspace(-1, 1, 200)
    rough, smooth = (
        np.abs(np.diff(cvae.log_prob(X, y, n_samples=3, smooth=s), 2)).mean()
        for s in (False, True)
    )
    assert smooth < rough / 10
    ensemble = EnsembleRegressor(cvae, n_estimators=1)
    ensemble.estimators_ = [cvae]
    np.testing.assert_allclose(
        ensemble.log_prob(X, y, smooth=True), cvae.log_prob(X, y, smooth=True)
    )


def test_regions_of_the_estimators_hold_their_share(cvae, table):
    X = np.zeros((1, 1))
    est = Known(centers=(-2.0, 2.0), scale=0.5).fit(X, np.zeros(1))
    drawn = [(slice(0, 1), X, est.sample(X, 4000, 0))]
    pieces = _regions.pieces(est, drawn, _regions.density, 0.9)
    half = 0.5 * norm.ppf(0.95)
    np.testing.assert_allclose(
        pieces[0], [[-2 - half, -2 + half], [2 - half, 2 + half]], atol=0.06
    )
    with pytest.raises(ValueError, match=r"one output, got rows of shape \(2,\)"):
        cvae.predict_region(table[0])


def test_regions_of_positive_numbers_begin_at_zero_or_above(table):
    X, y = table
    est = NNRegressor(likelihood="gamma", **QUICK).fit(X, np.exp(3 * y[:, 0]))
    pieces = est.predict_region(X, 0.9, n_samples=20)
    assert (pieces[:, 0, 0] >= 0).all() and np.isfinite(pieces[:, 0]).all()
    draws = est.sample(X, 400, 0)
    share = inside(pieces[None], draws[..., None]).any(axis=-1).mean()
    assert share == pytest.approx(0.9, abs=0.04)
    counts = NNRegressor(likelihood="poisson", **QUICK).fit(X, np.round(np.exp(y[:, 0])))
    with pytest.raises(ValueError, match=r"real or of positive numbers, got Poisson"):
        counts.predict_region(X)


def within(est, draws, y, coverage):
    """Return which outputs have scores up to the threshold."""
    calibration = est.calibration_
    return _regions.centrality(draws, y) <= calibration.threshold(
        calibration.interval_scores, coverage
    )


BOUNDED = {
    "gamma": ("gamma", 0, np.inf),
    "log_normal": ("log_normal", 0, np.inf),
    "hurdle": (Hurdle(), 0, np.inf),
    "poisson": ("poisson", 0, np.inf),
    "negative_binomial": ("negative_binomial", 0, np.inf),
    "bernoulli": ("bernoulli", 0, 1),
    "logit_normal": (LogitNormal(low=[-1, 2], high=[3, 5]), [-1, 2], [3, 5]),
}
MADE = {
    "pipeline": lambda est: make_pipeline(StandardScaler(), est),
    "search": lambda est: GridSearchCV(est, {"lr": [0.01]}, cv=2),
    "ensemble": lambda est: EnsembleRegressor(est, n_estimators=2, random_state=0),
}


def bounded(name, rng, X):
    """Return y in the support of a likelihood, with much that x does not tell."""
    noise = X[:, :2] + 2 * rng.normal(size=(len(X), 2))
    if name == "logit_normal":
        return np.array([-1, 2]) + np.array([4, 3]) / (1 + np.exp(-noise))
    if name == "bernoulli":
        return (noise > 0).astype(float)
    found = np.exp(noise / 2)
    is_zero = name == "hurdle" and rng.random(found.shape) < 0.3
    return np.where(is_zero, 0, found) if name in ("gamma", "log_normal", "hurdle") else found // 1


@pytest.mark.parametrize(
    ("name", "made"),
    [*((name, None) for name in BOUNDED), *(("logit_normal", made) for made in MADE)],
)
def test_intervals_are_cut_to_the_support_and_lose_no_y(table, name, made):
    X, y = table[0], bounded(name, np.random.default_rng(1), table[0])
    likelihood, low, high = BOUNDED[name]
    inner = NNRegressor(likelihood=likelihood, **QUICK)
    inner = MADE[made](inner) if made else inner
    est = ConformalRegressor(inner, region="distance", n_samples=4, random_state=0)
    est.fit(X, y).conformalize(X, y)
    (draws,) = (draws for _, _, draws in est._draws(X))
    for coverage in (0.5, 0.98):
        intervals = est.predict_interval(X, coverage)
        assert (intervals[..., 0] >= low).all() and (intervals[..., 1] <= high).all()
        np.testing.assert_array_equal(inside(intervals, y), within(est, draws, y, coverage))
    assert (intervals[..., 0] == low).any()  # else there was nothing to cut
    box = est.predict_interval(X, (0.5, 0.98), joint=True)
    assert (box >= np.reshape(low, (-1, 1, 1))).all()
    assert (box <= np.reshape(high, (-1, 1, 1))).all()


def test_columns_and_channels_have_supports_of_their_own(table):
    X, real = table[0], table[1][:, :1]
    y = np.column_stack([np.exp(2 * real), real, real > 0, real > 0])
    parts = ("gamma", "gaussian", "bernoulli")
    likelihoods = [NNRegressor._named["likelihood"][name]() for name in parts]
    groups = [("c", likelihoods[0], [0]), ("b", likelihoods[2], [2]), ("g", likelihoods[1], [1])]
    columns = Columns([*groups, ("label", Categorical(), [3])])
    est = ConformalRegressor(NNRegressor(likelihood=columns, **QUICK), n_samples=4, random_state=0)
    low, high = np.moveaxis(est.fit(X, y).conformalize(X, y).predict_interval(X, 0.98), -1, 0)
    assert (low[:, 0] >= 0).all() and (low[:, 0] == 0).any() and (high[:, 0] > 1).any()
    assert (low[:, 1] < 0).any() and (high[:, 1] > 1).any()
    assert (low[:, 2] >= 0).all() and (high[:, 2] <= 1).all() and np.isnan(low[:, 3]).all()
    image = MaskedImage(Gaussian(), image_size=(2, 3))
    for shape in ((2, 2, 3), (12,)):
        low, high = image.support(shape).reshape(2, 2, 6)
        assert np.isneginf(low[0]).all() and np.isposinf(high[0]).all()
        assert (low[1] == 0).all() and (high[1] == 1).all()


@pytest.mark.parametrize("region", REGIONS[:2])
def test_rows_outside_of_the_support_do_not_calibrate(table, region):
    X, y = table[0], np.exp(table[1])
    est = ConformalRegressor(NNRegressor(likelihood="gamma", **QUICK), region=region)
    with pytest.raises(ValueError, match="Gamma expects positive numbers in y, got -1"):
        est.fit(X, y).conformalize(X, np.where(y > y.mean(), -1, y))
    assert not hasattr(est, "calibration_")


def test_labels(table):
    X, y = table
    labels = (y[:, :1] > 0).astype(int)
    params = {"n_samples": 100, "random_state": 0}
    est = ConformalRegressor(NNRegressor(likelihood="categorical", **QUICK), **params)
    est.fit(X, labels).conformalize(X, labels)
    assert est.contains(X, labels).mean() > 0.8
    with pytest.raises(ValueError, match="expects numbers, got labels"):
        est.predict_interval(X)
    with pytest.raises(ValueError, match="region='distance' expects numbers"):
        est.set_params(region="distance").conformalize(X, labels)
    mixed = np.column_stack([y[:, 0], labels])
    columns = Columns([("real", Gaussian(), [0]), ("label", Categorical(), [1])])
    est = ConformalRegressor(NNRegressor(likelihood=columns, **QUICK), **params)
    intervals = est.fit(X, mixed).conformalize(X, mixed).predict_interval(X, joint=True)
    assert np.isnan(intervals[:, 1]).all() and inside(intervals[:, 0], y[:, 0]).mean() > 0.8


KINDS = {
    "texts": np.array(["b", "a"]),
    "objects": np.array(["b", "a"], dtype=object),
    "digits": np.array(["0", "1"]),
    "booleans": np.array([False, True]),
    "objects of booleans": np.array([False, True], dtype=object),
}


def of_labels(X, y, region):
    """Return a calibrated estimator of labels, and which rows its regions hold."""
    inner = CVAERegressor(likelihood="categorical", **QUICK)
    est = ConformalRegressor(inner, region=region, n_samples=10, random_state=0)
    held = est.fit(X, y).conformalize(X, y).contains(X, y, (0.3, 0.6, 0.9))
    several = est.contains(X, np.stack([y, y]), (0.3, 0.6, 0.9))
    assert (several == held).mean() > 0.95  # but for ties, which roundings decide
    return est, held


@pytest.fixture(scope="module")
def of_numbers(table):
    """Return labels that are numbers, and which of them the regions hold."""

    @functools.cache
    def find(region, shape):
        X = table[0]
        y = (np.random.default_rng(0).normal(X.sum(axis=1), 1, (*shape, 80)).T > 0).astype(int)
        return y, of_labels(X, y, region)[1]

    return find


# The regions take turns: each kind and each shape meets both.
OF_KINDS = [
    (kind, shape, ["density", "latent"][(i + j) % 2])
    for i, kind in enumerate(KINDS)
    for j, shape in enumerate([(), (2,), (2, 2)])
]


@pytest.mark.parametrize(("kind", "shape", "region"), OF_KINDS)
def test_the_kind_of_labels_changes_nothing(table, of_numbers, kind, shape, region):
    X, (numbers, expected) = table[0], of_numbers(region, shape)
    y = np.sort(KINDS[kind])[numbers]
    est, held = of_labels(X, y, region)
    np.testing.assert_array_equal(held, expected)
    frozen = ConformalRegressor(FrozenEstimator(est.estimator_), region=region, n_samples=10)
    listed = {0: pd.Series, 1: pd.DataFrame, 2: np.ndarray.tolist}[len(shape)](y)
    frozen.set_params(random_state=0).conformalize(X, listed)
    np.testing.assert_array_equal(frozen.contains(X, listed, (0.3, 0.6, 0.9)), held)
    with pytest.raises(ValueError, match="expects numbers in y, got labels"):
        frozen.set_params(region="distance").conformalize(X, y)


@pytest.mark.parametrize("ignored", [255, "void"])
def test_labels_that_are_missing_are_neither_calibrated_with_nor_contained(table, ignored):
    X, y = table[0], np.where(table[1][:, 0] > 0, *((1, 2) if ignored == 255 else ("a", "b")))
    likelihood = Categorical(ignore_label=ignored)
    inner = NNRegressor(likelihood=likelihood, partial_y=True, **QUICK)
    est = ConformalRegressor(inner, n_samples=10, random_state=0).fit(X, y).conformalize(X, y)
    assert est.contains(X, y).mean() > 0.8
    for missing in (ignored, None):
        gaps = y.astype(object)
        gaps[3] = missing
        for method in (est.conformalize, est.contains):
            with pytest.raises(ValueError, match="Input y contains NaN"):
                method(X, gaps)


@pytest.mark.parametrize("region", REGIONS)
def test_y_that_the_density_does_not_take_is_refused_before_draws(
    cvae, table, region, monkeypatch
):
    X, y = table
    far, counts = y.copy(), np.abs(y).round()
    far[7, 1] = 1e300
    how = {"region": region, "n_samples": 5, "random_state": 0}
    real = ConformalRegressor(FrozenEstimator(cvae), **how).conformalize(X, y)
    inner = CVAERegressor(likelihood="poisson", **QUICK)
    discrete = ConformalRegressor(inner, **how).fit(X, counts).conformalize(X, counts)
    monkeypatch.setattr(skcvae.pipelines, "sample", lambda *args: pytest.fail("draws"))
    for est, given, message in (
        (real, far, "1e.300 in row 7, column 1"),
        (discrete, -counts - 1, "Poisson expects counts"),
        (discrete, counts + 0.5, "Poisson expects counts"),
    ):
        for values in (given, np.stack([counts, given])):
            with pytest.raises(ValueError, match=message):
                est.contains(X, values)
        with pytest.raises(ValueError, match=message):
            est.conformalize(X, given)


@pytest.mark.parametrize("region", ["density", "distance"])
def test_rows_that_are_asked_for_one_by_one_have_noise_of_their_own(table, region):
    X, y = table[0], table[1][:, 0]
    linear = ConformalRegressor(Known(scale=1.0), region=region, n_samples=20, random_state=0)
    linear.fit(X, y).conformalize(X, y)
    alone = np.concatenate([linear.predict_interval(row[None]) for row in X[:40]])
    middle = alone.mean(axis=1) - linear.predict(X[:40])
    assert len(np.unique(middle.round(6))) == 40
    assert abs(middle.mean()) < 3 * middle.std() / 40**0.5
    rows = np.round(np.c_[X[:9], -X[:9]] * 8) / 8
    expected = linear.predict_interval(rows)
    for held in (rows.tolist(), pd.DataFrame(rows), np.asfortranarray(rows), rows.astype("f4")):
        np.testing.assert_array_equal(linear.predict_interval(held), expected)


@pytest.mark.parametrize("is_frozen", [False, True])
def test_rows_that_cannot_calibrate_leave_the_calibration(cvae, table, is_frozen):
    X, y = table
    est = ConformalRegressor(FrozenEstimator(cvae) if is_frozen else clone(cvae), n_samples=5)
    before = vars(est.fit(X, y).conformalize(X, y)).copy()
    with pytest.raises(ValueError, match="Input y contains NaN"):
        est.conformalize(X, np.where(y > 2, np.nan, y))
    assert vars(est) == before


def test_bad_input(cvae, table):
    X, y = table
    est = ConformalRegressor(FrozenEstimator(cvae), n_samples=5)
    with pytest.raises(NotFittedError, match="call conformalize"):
        est.predict_interval(X)
    with pytest.raises(NotFittedError):
        ConformalRegressor().conformalize(X, y)
    with pytest.raises(
        TypeError, match=r"the class NNRegressor: expected estimator=NNRegressor\(\)"
    ):
        ConformalRegressor(NNRegressor).fit(X, y)
    search = GridSearchCV(NNRegressor(**QUICK), {"lr": [1e9]}, refit=False)
    with pytest.raises(ValueError, match="GridSearchCV has refit=False: regions need refit=True"):
        ConformalRegressor(search).fit(X, y)
    for change, message in {
        "region": ({"region": "ball"}, "'region' parameter of ConformalRegressor must be"),
        "n_samples": ({"n_samples": 1}, "'n_samples' parameter"),
    }.values():
        with pytest.raises(ValueError, match=message):
            clone(est).set_params(**change).conformalize(X, y)
    for args, message in (
        ((X, y[:9]), r"y must have shape \(80, 2\), for 80 rows .* got \(9, 2\)"),
        ((X, y[:, 0]), r"y must have shape \(80, 2\), for 80 rows .* got \(80,\)"),
        ((X, np.where(y > 2, np.nan, y)), "Input y contains NaN"),
        ((X, y, [1, 2]), r"groups must have one label for each of the 80 rows, .* \(2,\)"),
        ((X, y, [np.nan, *range(79)]), "groups must not be missing, got nan for row 0"),
        ((X, y, [*"ab" * 39, None, "a"]), "groups must not be missing, got None for row 78"),
        ((X, y, [*"ab" * 39, np.nan, "a"]), "groups must not be missing, got nan for row 78"),
    ):
        with pytest.raises(ValueError, match=message):
            est.conformalize(*args)
        assert not hasattr(est, "calibration_")
    est.set_params(region="latent").conformalize(X, y)
    with pytest.raises(ValueError, match="expects region='density' or 'distance'"):
        est.log_volume(X)
    with pytest.raises(ValueError, match="Did you mean 0.9"):
        est.contains(X, y, coverage=90)
    with pytest.raises(TypeError, match="Did you mean 'coverage'"):
        est.contains(X, y, covarage=0.9)
    with pytest.raises(TypeError, match="ConformalRegressor has no parameter 'regions'"):
        ConformalRegressor(regions="density")


@pytest.mark.parametrize("likelihood", ["bernoulli", "poisson", "hurdle"])
def test_a_region_of_points_has_no_volume(table, likelihood):
    X = table[0]
    y = (np.random.default_rng(0).random((80, 2)) < 0.3).astype(float)
    inner = NNRegressor(likelihood=likelihood, **QUICK)
    est = ConformalRegressor(inner, region="distance", n_samples=100, random_state=0)
    est.fit(X, y).conformalize(X, y)
    least = np.sort(est.calibration_.region_scores)
    assert least[1] == 0 and est.contains(X, np.zeros_like(y), 0.02).any()
    volume = est.log_volume(X, [0.02, 0.97])
    assert np.isneginf(volume[:, 0]).all()
    np.testing.assert_array_equal(est.log_volume(X, 0.97), volume[:, 1])
    assert np.isfinite(volume[:, 1]).all() == (least[-2] > 0)


def test_a_volume_beyond_the_draws_is_not_told_in_silence():
    est, rng = calibrated(BAD["far too narrow"])
    with pytest.warns(UserWarning, match="reaches beyond the draws"):
        est.log_volume(rows(rng, 3)[0])


def test_metadata_goes_to_the_estimator(table):
    X, y = table
    weight = np.arange(80.0)
    assert ConformalRegressor(GOOD).fit(X, y, sample_weight=weight).estimator_.weight_ is weight
    with config_context(enable_metadata_routing=True):
        est = ConformalRegressor(Known().set_fit_request(sample_weight=True))
        assert est.fit(X, y, sample_weight=weight).estimator_.weight_ is weight


def test_the_last_step(cvae, table):
    assert skcvae.last_step(FrozenEstimator(cvae), None, "sample") == (cvae, None)


FRAME = pd.DataFrame(
    np.random.default_rng(0).normal(size=(60, 2)), index=[f"r{i}" for i in range(60)]
)
FRAME.columns = ["u", "v"]
TARGETS = FRAME.rename(columns={"u": "depart", "v": "arrive"}) * [1, 10]


@pytest.mark.parametrize(
    "inner",
    [
        NNRegressor(**QUICK),
        make_pipeline(StandardScaler(), NNRegressor(**QUICK)),
        GridSearchCV(NNRegressor(**QUICK), {"lr": [0.01]}, cv=2),
    ],
    ids=["estimator", "pipeline", "search"],
)
def test_intervals_are_frames_with_names_and_rows(inner):
    est = ConformalRegressor(inner, random_state=0).fit(FRAME, TARGETS)
    with pytest.raises(
        ValueError, match="columns .*'arrive', 'depart'.* expected .*in this order"
    ):
        est.conformalize(FRAME, TARGETS[["arrive", "depart"]])
    est.conformalize(FRAME, TARGETS)
    ends = est.predict_interval(FRAME, as_frame=True)
    assert list(ends.index) == list(FRAME.index) and ends.columns.names == ["output", "end"]
    expected = est.predict_interval(FRAME)
    np.testing.assert_array_equal(ends["arrive", "upper"], expected[:, 1, 1])
    np.testing.assert_array_equal(ends["depart", "lower"], expected[:, 0, 0])
    pd.testing.assert_frame_equal(skcvae.predict_interval(est, FRAME, as_frame=True), ends)
    joint = est.predict_interval(FRAME[:3], joint=True, as_frame=FRAME.index[3:6])
    assert list(joint.index) == ["r3", "r4", "r5"]
    with pytest.raises(ValueError, match="single coverage, got .0.5, 0.9."):
        est.predict_interval(FRAME, [0.5, 0.9], as_frame=True)
    with pytest.raises(ValueError, match="expected .*'depart', 'arrive'"):
        est.contains(FRAME, TARGETS[["arrive", "depart"]])


def test_frames_of_other_estimators_have_numbered_outputs():
    est = ConformalRegressor(Known(), random_state=0).fit(FRAME, TARGETS)
    est.conformalize(FRAME, TARGETS)
    ends = est.predict_interval(FRAME.to_numpy(), as_frame=True)
    assert list(ends.columns) == [(i, end) for i in (0, 1) for end in ("lower", "upper")]


def test_only_densities_given_x_are_made_conformal():
    X = np.random.default_rng(0).normal(size=(30, 2))
    est = ConformalRegressor(VAE(2, max_epochs=1, random_state=0))
    with pytest.raises(TypeError, match="log_prob"):
        est.fit(X, X)
    assert not hasattr(est, "estimator_")


class Untrained(Known):
    """Fails where it is trained."""

    def __init__(self, annotations=False):
        self.annotations = annotations

    def fit(self, X, y):
        raise AssertionError("trained")


def test_what_cannot_be_made_conformal_is_refused_before_training():
    X = np.zeros((9, 1))
    many = Untrained(annotations=True)
    for inner in (
        many,
        make_pipeline(StandardScaler(), many),
        GridSearchCV(many, {}),
        EnsembleRegressor(CVAERegressor(annotations=True)),
        FrozenEstimator(CVAERegressor(annotations=True)),
    ):
        with pytest.raises(ValueError, match="annotations=True .* one annotation of each row"):
            ConformalRegressor(inner).fit(X, np.zeros((9, 2, 1)))
    for inner in (VAE(), make_pipeline(StandardScaler(), LinearRegression())):
        with pytest.raises(TypeError, match="'log_prob', got (VAE|LinearRegression)"):
            ConformalRegressor(inner).fit(X, "not read")


@pytest.mark.parametrize("region", REGIONS)
def test_what_is_loaded_answers_as_what_was_saved(region, tmp_path):
    inner = make_pipeline(StandardScaler(), CVAERegressor(latent_dim=1, **QUICK))
    est = ConformalRegressor(inner, region=region, n_samples=20, random_state=0)
    est.fit(FRAME, TARGETS).save(tmp_path / "fitted")
    assert not hasattr(skcvae.load(tmp_path / "fitted"), "calibration_")
    est.conformalize(FRAME, TARGETS, groups=np.arange(60) // 2)
    skcvae.save(est, tmp_path / "calibrated")
    again = skcvae.load(tmp_path / "calibrated")
    ends = est.predict_interval(FRAME, as_frame=True)
    pd.testing.assert_frame_equal(again.predict_interval(FRAME, as_frame=True), ends)
    np.testing.assert_array_equal(again.contains(FRAME, TARGETS), est.contains(FRAME, TARGETS))
    assert again.summary() == est.summary() and "60 rows" in est.summary()


@pytest.mark.parametrize("is_frozen", [False, True])
@pytest.mark.parametrize("is_outside", [False, True])
def test_what_a_search_has_chosen_is_saved(is_outside, is_frozen, tmp_path):
    quick, grid = NNRegressor(**QUICK), {"lr": [0.01], "random_state": [0]}
    inner = make_pipeline(StandardScaler(), GridSearchCV(quick, grid, cv=2))
    if is_outside:
        grid = {f"nnregressor__{name}": values for name, values in grid.items()}
        inner = GridSearchCV(make_pipeline(StandardScaler(), quick), grid, cv=2)
    inner = FrozenEstimator(inner.fit(FRAME, TARGETS)) if is_frozen else inner
    est = ConformalRegressor(inner, n_samples=20, random_state=0).fit(FRAME, TARGETS)
    est.conformalize(FRAME, TARGETS).save(tmp_path / "model")
    again = skcvae.load(tmp_path / "model")
    np.testing.assert_array_equal(again.predict_interval(FRAME), est.predict_interval(FRAME))
    assert skcvae.last_step(again.estimator_, None, "sample")[0].lr == 0.01


@pytest.mark.parametrize("make", [lambda est: est, *MADE.values()], ids=["alone", *MADE])
@pytest.mark.parametrize("is_frozen", [False, True])
def test_a_chosen_alpha_is_saved(make, is_frozen, tmp_path):
    inner = make(HybridStructuredPredictorCV((0.2, 0.8), cv=2, max_epochs=1, random_state=0))
    inner = FrozenEstimator(inner.fit(FRAME, TARGETS)) if is_frozen else inner
    est = ConformalRegressor(inner, n_samples=20, random_state=0).fit(FRAME, TARGETS)
    est.conformalize(FRAME, TARGETS).save(tmp_path / "model")
    again = skcvae.load(tmp_path / "model")
    np.testing.assert_array_equal(again.predict_interval(FRAME), est.predict_interval(FRAME))
    clone(again).fit(FRAME, TARGETS)


def test_a_frozen_estimator_is_saved_as_the_fitted_one(cvae, table, tmp_path):
    X, y = table
    est = ConformalRegressor(FrozenEstimator(cvae), random_state=0).conformalize(X, y)
    est.save(tmp_path / "frozen")
    again = skcvae.load(tmp_path / "frozen")
    np.testing.assert_array_equal(again.predict_interval(X), est.predict_interval(X))
    again.conformalize(X[:50], y[:50])
    np.testing.assert_array_equal(again.predict(X), est.predict(X))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_samples": 1}, "n_samples"),
        ({"region": "box"}, "region"),
        ({"weight": np.ones(3)}, "different rows"),
        ({"interval_scores": np.zeros((60, 3))}, "different rows"),
        ({"region_scores": np.full(60, np.nan)}, "finite"),
        ({"weight": np.zeros(60)}, "positive"),
    ],
    ids=lambda part: next(iter(part)) if isinstance(part, dict) else "",
)
def test_an_inconsistent_calibration_is_refused(change, message, tmp_path):
    est = ConformalRegressor(NNRegressor(**QUICK), n_samples=20, random_state=0)
    est.fit(FRAME, TARGETS).conformalize(FRAME, TARGETS)
    est.calibration_ = est.calibration_._replace(**change)
    est.save(tmp_path / "edited")
    with pytest.raises(ValueError, match=f"edited cannot be loaded .*{message}"):
        skcvae.load(tmp_path / "edited")


class NormalDraws(RegressorMixin, BaseEstimator):
    """An estimator of another package, with draws and no density."""

    def fit(self, X, y):
        self.is_fitted_ = True
        return self

    def predict(self, X):
        return np.zeros(len(X))

    def sample(self, X, n_samples=1, random_state=None):
        return np.random.default_rng(random_state).normal(size=(n_samples, len(X)))


def test_a_region_asks_for_what_it_needs():
    X = np.random.default_rng(0).normal(size=(200, 1))
    est = ConformalRegressor(NormalDraws(), region="distance", random_state=0).fit(X, X[:, 0])
    held = est.conformalize(X[:100], X[:100, 0]).contains(X[100:], X[100:, 0])
    assert 0.8 < held.mean() <= 1
    for region, method in {"density": "log_prob", "latent": "encode"}.items():
        with pytest.raises(TypeError, match=f"method '{method}', got NormalDraws"):
            ConformalRegressor(NormalDraws(), region=region).fit(X, X[:, 0])


def test_weights_of_score_are_routed():
    rng = np.random.default_rng(0)
    X, weight = rng.normal(size=(80, 3)), rng.random(80) ** 4 + 1e-3
    est = CVAERegressor(max_epochs=2, random_state=0)
    with config_context(enable_metadata_routing=True):
        est.set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        scores = [
            cross_validate(one, X, X[:, :2], cv=KFold(2), params={"sample_weight": weight})
            for one in (est, ConformalRegressor(est, random_state=0))
        ]
    np.testing.assert_array_equal(*(score["test_score"] for score in scores))


def test_scorers_see_the_estimator_inside():
    X = np.random.default_rng(0).normal(size=(60, 3))
    est = ConformalRegressor(CVAERegressor(max_epochs=2, random_state=0)).fit(X, X[:, :2])
    assert crps_scorer(est, X, X[:, :2]) == crps_scorer(est.estimator_, X, X[:, :2])


@pytest.mark.parametrize("kind", [int, float])
def test_tables_of_several_kinds_have_seeds_of_their_values(kind):
    table = pd.DataFrame({"a": np.arange(5).astype(kind), "b": [*"uvu", None, "v"]})
    other = table.astype(object).where(table.notna(), np.nan)
    assert seed_of(table, 0) == seed_of(other, 0) == seed_of(table.astype({"a": float}), 0)
    assert seed_of(table, 0) != seed_of(table.assign(a=1), 0)
