"""Laws of a search whose fits are trained at once: it finds what scikit-learn's does."""

import pickle

import joblib
import numpy as np
import pytest
import sklearn
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.exceptions import FitFailedWarning
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, LeaveOneGroupOut, ShuffleSplit
from sklearn.pipeline import make_pipeline

import skcvae
from skcvae import (
    CVAERegressor,
    HybridStructuredPredictor,
    HybridStructuredPredictorCV,
    NNRegressor,
    StackedGridSearchCV,
)
from skcvae.architectures import MLP

QUICK = {"max_epochs": 2, "random_state": 0}
GRID = {"lr": [0.001, 0.01], "omission": [0.0, 0.2]}


def assert_same_results(found, expected):
    assert found.keys() == expected.keys()
    for name in found:
        if "_time" in name:
            assert found[name].shape == expected[name].shape
        elif name.startswith(("split", "mean", "std")):
            np.testing.assert_allclose(found[name], expected[name], rtol=1e-4)
        else:
            np.testing.assert_array_equal(found[name], expected[name])


def searched(estimator, grid, data, fit=None, **params):
    """Return a stacked search, and scikit-learn's, with the same results."""
    found, expected = (
        kind(estimator, grid, **params).fit(*data, **(fit or {}))
        for kind in (StackedGridSearchCV, GridSearchCV)
    )
    assert_same_results(found.cv_results_, expected.cv_results_)
    return found, expected


@pytest.mark.parametrize("kind", [CVAERegressor, NNRegressor])
def test_results_are_those_of_the_search_one_by_one(kind, data):
    found, expected = searched(kind(**QUICK), GRID, data, cv=2)
    assert found.training_ == "8 in a stack of 8"
    assert found.best_params_ == expected.best_params_ and found.n_splits_ == 2
    assert type(found.best_estimator_) is kind
    np.testing.assert_array_equal(found.predict(data[0]), expected.predict(data[0]))
    assert found.score(*data) == expected.score(*data)
    assert skcvae.sample(found, data[0], 2).shape == (2, 60, 3)
    assert found.estimator.get_params() == kind(**QUICK).get_params() and found.cv == 2
    again = pickle.loads(pickle.dumps(found))
    assert again.score(*data) == found.score(*data)
    assert clone(found).get_params()["estimator__max_epochs"] == 2


GROUPS = np.repeat(np.arange(6), 10)


@pytest.mark.parametrize(
    ("params", "fit"),
    [
        ({"cv": KFold(3, shuffle=True, random_state=1)}, {}),
        ({"cv": LeaveOneGroupOut()}, {"groups": GROUPS // 2}),
        ({"cv": 2}, {"sample_weight": np.linspace(0, 2, 60).tolist()}),
        ({"cv": 2, "return_train_score": True, "scoring": "r2", "refit": False}, {}),
        ({"cv": 2, "scoring": ["r2", "neg_mean_squared_error"], "refit": "r2"}, {}),
    ],
    ids=["shuffled", "groups", "weights", "train score", "several scores"],
)
def test_what_a_search_takes_is_passed_on(data, params, fit):
    found, _ = searched(NNRegressor(**QUICK), {"lr": [0.001, 0.01]}, data, fit, **params)
    assert "alone" not in found.training_


def test_folds_may_be_an_iterator(data):
    folds = list(KFold(2).split(data[0]))
    found = StackedGridSearchCV(NNRegressor(**QUICK), {"lr": [0.01]}, cv=iter(folds)).fit(*data)
    assert found.n_splits_ == 2


def test_metadata_is_routed(data):
    weight = np.linspace(0, 2, 60)
    with sklearn.config_context(enable_metadata_routing=True):
        est = NNRegressor(**QUICK).set_fit_request(sample_weight=True, groups=False)
        est.set_score_request(sample_weight=True)
        fit = {"sample_weight": weight, "groups": GROUPS}
        searched(est, {"lr": [0.001, 0.01]}, data, fit, cv=GroupKFold(2))
        cv = HybridStructuredPredictorCV((0.2, 0.8), cv=GroupKFold(2), **QUICK)
        cv.fit(*data, **fit)
    assert cv.cv_results_["params"] == [{"alpha": 0.2}, {"alpha": 0.8}]


def test_candidates_are_grouped_by_shape(data):
    grid = [{"architecture": [MLP((4,)), MLP((5,))]}, {"architecture": [MLP(dropout=0.1)]}]
    found, _ = searched(NNRegressor(**QUICK), grid, data, cv=2)
    assert found.training_ == "4 in a stack of 2, 2 alone: layers Dropout"


def test_seeds_may_be_candidates(data):
    found, _ = searched(NNRegressor(max_epochs=2), {"random_state": [0, 1, 2]}, data, cv=2)
    assert len(set(found.cv_results_["mean_test_score"])) == 3


def test_fits_that_fail_have_the_error_score(data):
    est = NNRegressor(**QUICK)
    with pytest.warns(FitFailedWarning, match="Training diverged"):
        found, _ = searched(est, {"lr": [0.01, 1e30]}, data, cv=2, error_score=-99.0)
    assert found.cv_results_["mean_test_score"][1] == -99 and found.best_index_ == 0
    with pytest.raises(ValueError, match="Training diverged"):
        StackedGridSearchCV(est, {"lr": [1e30]}, cv=2, error_score="raise").fit(*data)
    with pytest.raises(ValueError, match="no parameter|Invalid parameter"):
        StackedGridSearchCV(est, {"nothing": [1]}, cv=2).fit(*data)


def test_several_workers_share_the_fits(data):
    with joblib.parallel_config(backend="threading"):
        found, _ = searched(NNRegressor(**QUICK), GRID, data, cv=2, n_jobs=2)
    assert found.training_ == "8 in a stack of 4"


def test_another_estimator_is_searched_as_ever(data):
    grid = {"nnregressor__lr": [0.001, 0.01]}
    found, _ = searched(make_pipeline(PCA(2), NNRegressor(**QUICK)), grid, data, cv=2)
    assert found.training_ == "alone: the estimator Pipeline"


def test_an_estimator_with_a_fit_of_its_own_is_searched_as_ever(data):
    half = ShuffleSplit(1, test_size=0.5, random_state=0)
    est = HybridStructuredPredictorCV((0, 1), cv=half, **QUICK)
    found, _ = searched(est, {"alphas": [(0,), (0, 1)]}, data, cv=half)
    assert found.training_ == "alone: the estimator HybridStructuredPredictorCV"
    assert found.best_estimator_.alpha_ in (0, 1)


@pytest.fixture
def untrained(monkeypatch):
    def train(*given):
        pytest.fail("trained")

    monkeypatch.setattr("skcvae.estimators._together.train_stack", train)


@pytest.mark.parametrize(
    ("params", "fit", "message"),
    [
        ({"scoring": "typo"}, {}, "'scoring' parameter of StackedGridSearchCV"),
        ({"error_score": "typo"}, {}, "'error_score' parameter of StackedGridSearchCV"),
        ({"scoring": ["r2", "neg_mean_squared_error"]}, {}, "multi-metric scoring.*refit"),
        (
            {},
            {"sample_weights": 1},
            r"NNRegressor.fit\(\) .*'sample_weights'.*mean 'sample_weight'",
        ),
        ({}, {"sample_weight": np.ones(50)}, "sample_weight must have .* 60 rows, got 50"),
    ],
)
def test_errors_come_before_training(data, untrained, params, fit, message):
    est = NNRegressor(**QUICK)
    search = StackedGridSearchCV(est, GRID, **{"error_score": "raise", **params})
    with pytest.raises((TypeError, ValueError), match=message):
        search.fit(*data, **fit)


@pytest.mark.parametrize("cv", [[], iter(())], ids=["list", "iterator"])
def test_a_search_without_folds_says_so(data, cv):
    message = "No fits were performed. Was the CV iterator empty"
    for search in (
        StackedGridSearchCV(NNRegressor(**QUICK), GRID, cv=cv),
        HybridStructuredPredictorCV((0, 1), cv=cv, **QUICK),
    ):
        with pytest.raises(ValueError, match=message):
            search.fit(*data)
        assert not hasattr(search, "cv_results_")


def test_a_score_that_is_none_is_refused_in_the_name_of_the_estimator(data, untrained):
    est = HybridStructuredPredictorCV(scoring="typo", **QUICK)
    with pytest.raises(ValueError, match="'scoring' parameter of HybridStructuredPredictorCV"):
        est.fit(*data)
    with pytest.raises(TypeError, match=r"HybridStructuredPredictorCV.fit\(\) .*'weights'"):
        est.fit(*data, weights=1)
    with pytest.raises(ValueError, match="groups must have .* 60 rows, got 50"):
        est.set_params(scoring=None, cv=[*KFold(2).split(data[0])]).fit(*data, groups=np.ones(50))


def test_alpha_has_one_score(data):
    est = HybridStructuredPredictorCV((0.5,), cv=2, scoring=lambda *_: {"a": 0, "b": 0}, **QUICK)
    with pytest.raises(ValueError, match="scoring must return one number"):
        est.fit(*data)


def test_failures_of_one_stack_are_told_once(data, monkeypatch):
    def train(*given):
        raise RuntimeError

    monkeypatch.setattr("skcvae.estimators._together.train_stack", train)
    search = StackedGridSearchCV(NNRegressor(**QUICK), {"lr": [0.001, 0.01]}, cv=2)
    with pytest.raises(ValueError, match="4 fits failed with the following error"):
        search.fit(*data)


def test_candidates_share_the_rows_of_a_fold(data, monkeypatch):
    fitted, kept = skcvae.estimators.search._fitted, []
    monkeypatch.setattr(
        skcvae.estimators.search, "_fitted", lambda jobs: kept.extend(jobs) or fitted(jobs)
    )
    search = StackedGridSearchCV(NNRegressor(**QUICK), GRID, cv=2)
    search.fit(*data, sample_weight=np.ones(60))
    for part in (lambda job: job.arrays[0], lambda job: job.arrays[1], lambda job: job[2]):
        assert len(kept) == 8 and len({id(part(job)) for job in kept}) == 2


def test_an_interrupt_ends_the_search(data, monkeypatch):
    def interrupted(self, batches):
        raise KeyboardInterrupt

    monkeypatch.setattr("skcvae.training.stack.StackedNets.train", interrupted)
    est = NNRegressor(**QUICK)
    search = StackedGridSearchCV(est, {"lr": [0.001, 0.01]}, cv=2)
    with pytest.raises(KeyboardInterrupt):
        search.fit(*data)
    assert search.estimator is est and not hasattr(search, "cv_results_")


# The search for alpha.


@pytest.fixture(scope="module")
def chosen():
    X = np.random.default_rng(0).normal(size=(60, 4))
    y = X[:, :2] + np.random.default_rng(1).normal(size=(60, 2))
    return HybridStructuredPredictorCV((0, 0.5, 1), cv=2, **QUICK).fit(X, y), X, y


def test_alpha_is_that_of_the_grid_search(chosen):
    est, X, y = chosen
    expected = GridSearchCV(HybridStructuredPredictor(**QUICK), {"alpha": [0.0, 0.5, 1.0]}, cv=2)
    expected.fit(X, y)
    assert_same_results(est.cv_results_, expected.cv_results_)
    assert est.alpha_ == expected.best_params_["alpha"]
    assert est.best_score_ == pytest.approx(expected.best_score_, rel=1e-4)
    np.testing.assert_array_equal(est.predict(X), expected.predict(X))
    np.testing.assert_array_equal(est.sample(X, 2, 0), expected.best_estimator_.sample(X, 2, 0))
    assert est.score(X, y) == expected.score(X, y)
    assert est.training_ == "6 in a stack of 2"  # 0 and 1 have networks of their own
    for entry in (f"{est.alpha_:g} of 0, 0.5, 1", est.training_):
        assert entry in est.summary()


def test_the_chosen_model_is_pickled_and_saved(chosen, tmp_path):
    est, X, y = chosen
    again = pickle.loads(pickle.dumps(est))
    assert again.score(X, y) == est.score(X, y) and again.alpha_ == est.alpha_
    assert est.best_estimator_.score(X, y) == est.score(X, y)
    est.save(tmp_path / "model")
    loaded = skcvae.load(tmp_path / "model")
    assert type(loaded) is HybridStructuredPredictor and loaded.alpha == est.alpha_
    assert loaded.score(X, y) == est.score(X, y)


@pytest.mark.parametrize("alphas", [[], ["a"], [0.5, 1.5], [[0.5]], [np.nan]])
def test_bad_alphas_are_named(data, alphas):
    est = HybridStructuredPredictorCV(alphas, **QUICK)
    with pytest.raises(ValueError, match="alphas must be"):
        est.fit(*data)
    assert not hasattr(est, "alpha_")


@pytest.mark.parametrize("routes", [False, True])
def test_groups_stay_together_in_every_fit(data, routes):
    given = {"groups": GROUPS // 2}
    with sklearn.config_context(enable_metadata_routing=True):
        est = HybridStructuredPredictor(**QUICK).set_fit_request(groups=True)
        expected = GridSearchCV(est, {"alpha": [0.25, 0.75]}, cv=LeaveOneGroupOut())
        expected.fit(*data, **given)
    est = HybridStructuredPredictorCV((0.25, 0.75), cv=LeaveOneGroupOut(), **QUICK)
    with sklearn.config_context(enable_metadata_routing=routes):
        est.fit(*data, **given)
    assert_same_results(est.cv_results_, expected.cv_results_)


def test_annotations_and_rows_to_validate_on_are_passed_on(data):
    X, y = data
    y = np.stack([y, y + 1], 1)
    y[::3, 1] = np.nan
    fit = {
        "X_val": X[:20],
        "y_val": y[:20],
        "sample_weight": np.linspace(1, 2, 120).reshape(60, 2),
    }
    alone = HybridStructuredPredictor(annotations=True, **QUICK)
    found, _ = searched(alone, {"alpha": [0.25, 0.75]}, (X, y), fit, cv=2)
    est = HybridStructuredPredictorCV((0.25, 0.75), cv=2, annotations=True, **QUICK)
    est.fit(X, y, **fit)
    assert_same_results(est.cv_results_, found.cv_results_)
    np.testing.assert_array_equal(est.predict(X), found.predict(X))


def test_equal_rows_with_other_weights_are_another_fit():
    rng = np.random.default_rng(0)
    X = np.tile(rng.normal(size=(40, 3)), (2, 1))
    weight = np.r_[np.ones(40), rng.random(40) ** 3]
    est, found = CVAERegressor(max_epochs=2, random_state=0), []
    for search in (GridSearchCV, StackedGridSearchCV):
        fitted = search(est, {"beta": [0.0]}, cv=KFold(2), refit=False)
        fitted.fit(X, X[:, :2], sample_weight=weight)
        found.append([fitted.cv_results_[f"split{i}_test_score"][0] for i in range(2)])
    np.testing.assert_allclose(*found, rtol=1e-4)
