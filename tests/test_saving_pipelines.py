"""Files of pipelines: the answers of the one that was saved, and nothing in them is run."""

import io
import pickle
import re

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.numpy import save
from sklearn import config_context
from sklearn.base import clone
from sklearn.compose import ColumnTransformer, make_column_selector, make_column_transformer
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.ensemble import RandomForestRegressor
from sklearn.exceptions import NotFittedError
from sklearn.feature_selection import VarianceThreshold
from sklearn.frozen import FrozenEstimator
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import (
    Binarizer,
    FunctionTransformer,
    KBinsDiscretizer,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    SplineTransformer,
    StandardScaler,
)
from test_saving import write_edited

import skcvae
from skcvae import (
    EnsembleRegressor,
    HybridStructuredPredictorCV,
    NNRegressor,
    StackedGridSearchCV,
)
from skcvae.data.frames import MissingMarker
from skcvae.io.steps import STEPS

rng = np.random.default_rng(0)
X = rng.normal(size=(40, 3)) ** 2 + 0.1
HOLES = np.where(rng.random(X.shape) < 0.2, np.nan, X)
WORDS = np.array(["a", "b", None], dtype=object)[rng.integers(0, 3, (40, 2))]
FRAME = pd.DataFrame({"size": HOLES[:, 0], "kind": WORDS[:, 0], "count": range(40)})
Y = X[:, :2] + rng.normal(size=(40, 2))
fill = SimpleImputer()

CASES = {
    "Binarizer": (Binarizer(threshold=1.0), X),
    "ColumnTransformer": (
        ColumnTransformer([("a", StandardScaler(), [0, 2]), ("b", "drop", slice(1, 2))]), X,
    ),
    "FeatureUnion": (FeatureUnion([("a", PCA(1)), ("b", "passthrough")]), X),
    "FunctionTransformer": (FunctionTransformer(np.log1p, inverse_func=np.expm1), X),
    "KBinsDiscretizer": (KBinsDiscretizer(3, quantile_method="averaged_inverted_cdf"), X),
    "MaxAbsScaler": (MaxAbsScaler(), X),
    "MinMaxScaler": (MinMaxScaler((-1, 1)), X),
    "MissingIndicator": (MissingIndicator(features="all"), HOLES),
    "MissingMarker": (make_pipeline(MissingMarker(), OneHotEncoder()), WORDS),
    "Normalizer": (Normalizer(), X),
    "OneHotEncoder": (OneHotEncoder(min_frequency=5, sparse_output=False), WORDS),
    "OrdinalEncoder": (OrdinalEncoder(encoded_missing_value=-1), WORDS),
    "PCA": (PCA(2, whiten=True), X),
    "Pipeline": (make_pipeline(SimpleImputer(), PCA(2)), HOLES),
    "PolynomialFeatures": (PolynomialFeatures(), X),
    "PowerTransformer": (PowerTransformer(), X),
    "QuantileTransformer": (QuantileTransformer(n_quantiles=10), X),
    "RobustScaler": (RobustScaler(), X),
    "SimpleImputer": (SimpleImputer(strategy="median", add_indicator=True), HOLES),
    "StandardScaler": (StandardScaler(), X),
    "TruncatedSVD": (TruncatedSVD(2, random_state=0), X),
    "VarianceThreshold": (VarianceThreshold(), X),
    "make_column_selector": (
        make_column_transformer(
            (OneHotEncoder(handle_unknown="ignore"), make_column_selector(dtype_exclude="number")),
            (SimpleImputer(add_indicator=True), ["size"]),
            remainder="passthrough",
        ),
        FRAME,
    ),
    "select_columns": (skcvae.tabular_pipeline(NNRegressor())[0], FRAME),
}  # fmt: skip


@pytest.fixture(scope="module")
def last():
    """Return a fitted last step: what comes before it is set below."""
    return NNRegressor(max_epochs=1, random_state=0).fit(X, Y)


def written(folder, pipeline):
    path = folder / "pipeline.skcvae"
    skcvae.save(pipeline, path)
    return path


def test_every_step_that_a_file_may_hold_has_a_case():
    assert set(CASES) == set(STEPS)


@pytest.mark.parametrize("case", CASES)
def test_transformers_of_a_file_transform_alike(case, last, tmp_path):
    step, rows = CASES[case]
    pipeline = Pipeline([("first", step.fit(rows)), ("last", last)])
    again = skcvae.load(written(tmp_path, pipeline))
    assert type(again) is Pipeline and list(again.named_steps) == ["first", "last"]
    dense = lambda found: getattr(found, "toarray", lambda: found)()  # noqa: E731
    np.testing.assert_array_equal(dense(again[0].transform(rows)), dense(step.transform(rows)))
    address = re.compile(" at 0x[0-9a-f]+")
    assert address.sub("", repr(again[0])) == address.sub("", repr(step))


@pytest.mark.parametrize("solver", ["full", "randomized"])
def test_answers_are_equal_to_the_last_bit_in_any_order_of_memory(solver, tmp_path):
    """Products of matrices round by the order, and components of PCA lie column by column."""
    wide = np.random.default_rng(0).normal(size=(100, 64)) @ np.diag(np.arange(1.0, 65.0))
    pca = PCA(5, svd_solver=solver, random_state=0)
    pipeline = make_pipeline(pca, NNRegressor(max_epochs=1, random_state=0)).fit(wide, wide[:, :2])
    again = skcvae.load(written(tmp_path, pipeline))
    np.testing.assert_array_equal(again[0].transform(wide), pca.transform(wide))
    np.testing.assert_array_equal(again.predict(wide), pipeline.predict(wide))
    assert written(tmp_path, again).read_bytes() == written(tmp_path, pipeline).read_bytes()


def test_pipelines_of_frames_and_searches_answer_alike(tmp_path):
    encode = make_column_transformer(
        (OneHotEncoder(), ["kind"]), (SimpleImputer(add_indicator=True), ["size", "count"])
    )
    pipeline = make_pipeline(encode.set_output(transform="default"), NNRegressor(max_epochs=2))
    grid = {"nnregressor__lr": [0.01]}
    search = GridSearchCV(pipeline, grid, cv=2).fit(FRAME, pd.DataFrame(Y, columns=["u", "v"]))
    again = skcvae.load(written(tmp_path, search))
    np.testing.assert_array_equal(again.predict(FRAME), search.predict(FRAME))
    assert again.score(FRAME, Y) == search.score(FRAME, Y)
    found = skcvae.predict_interval(again, FRAME, as_frame=True)
    pd.testing.assert_frame_equal(found, skcvae.predict_interval(search, FRAME, as_frame=True))
    assert list(found.columns.get_level_values(0).unique()) == ["u", "v"]
    assert again[-1].get_params()["lr"] == 0.01


def double(X):
    return 2 * X


@pytest.mark.parametrize(
    ("step", "name"),
    [
        (FunctionTransformer(double), "double"),
        (SplineTransformer(), "SplineTransformer"),
        (ColumnTransformer([("a", StandardScaler(), lambda X: [0])]), "lambda"),
        (make_pipeline(StandardScaler(), memory="cache"), "memory"),
    ],
)
def test_steps_that_a_file_cannot_hold_are_refused(step, name, last, tmp_path):
    pipeline = Pipeline([("first", step.fit(X)), ("last", last)])
    with pytest.raises(ValueError, match=name):
        written(tmp_path, pipeline)
    assert not list(tmp_path.iterdir())


def test_pipelines_that_end_elsewhere_are_refused(tmp_path):
    pipeline = make_pipeline(StandardScaler(), RandomForestRegressor(1)).fit(X, Y)
    with pytest.raises(ValueError, match=r"RandomForestRegressor.*joblib"):
        written(tmp_path, pipeline)


def state_of_first(pipeline):
    (state,) = pipeline["steps"][0]["tuple"][1].values()
    return state


EDITS = {
    "a function by its name": lambda p: state_of_first(p).update(func={"function": "os.system"}),
    "a function that is no ufunc": lambda p: state_of_first(p).update(func={"function": "load"}),
    "a type that is no number": lambda p: state_of_first(p).update(func={"type": "memmap"}),
    "another class": lambda p: p.update(steps=[{"tuple": ["a", {"SplineTransformer": {}}]}]),
    "a folder of pickles": lambda p: p.update(memory="cache"),
    "a private name": lambda p: state_of_first(p).update(__class__="dict"),
    "a dtype of objects": lambda p: state_of_first(p).update(
        func={"dtype": "O,O"}
    ),
    "a shape": lambda p: state_of_first(p).update(
        func={"entries": ["O", [10**9, 10**9], []]}
    ),
    "a text as long as they are many": lambda p: state_of_first(p).update(
        func={"entries": ["U", [12_000], ["a"] * 11_999 + ["b" * 12_000]]}
    ),
    "an owner for a method": lambda p: state_of_first(p).update(
        _metadata_request={"requests": ["a", {"owner": {"sample_weight": True}}]}
    ),
    "an alias that is no name": lambda p: state_of_first(p).update(
        _metadata_request={"requests": ["a", {"fit": {"sample_weight": "a b"}}]}
    ),
    "numbers for texts": lambda p: state_of_first(p).update(
        func={"entries": ["U", [1], [1.0]]}
    ),
    "an unfitted pipeline": lambda p: p.update(steps=[]),
}  # fmt: skip


@pytest.mark.parametrize("case", EDITS)
def test_edited_files_are_refused(case, last, tmp_path):
    step = FunctionTransformer(np.log1p).fit(X)
    path = written(tmp_path, Pipeline([("first", step), ("last", last)]))
    write_edited(path, lambda document, _: EDITS[case](document["estimator"]["Pipeline"]))
    with pytest.raises(ValueError, match="cannot be loaded"):
        skcvae.load(path)


def other_files():
    """Return contents that are no file of `save`, and what is said of them."""
    buffer = io.BytesIO()
    torch.save({"a": torch.zeros(1)}, buffer)
    numbers = io.BytesIO()
    np.save(numbers, X)
    return {
        "empty": (b"", "it is empty or truncated, to 0 bytes"),
        "table": (b"name,size\n", "it is not a safetensors file"),
        "JSON": (b'{"a": [\n{}]}', "it is not a safetensors file"),
        "array": (numbers.getvalue(), "it is not a safetensors file"),
        "pickle": (pickle.dumps(fill), "it is a pickle, .* joblib.load"),
        "torch": (buffer.getvalue(), "it is a zip archive, as torch.save"),
        "weights": (save({"a": X}), "save did not write it, expected 'skcvae 1'"),
    }


@pytest.mark.parametrize("case", other_files())
def test_a_file_of_another_kind_is_refused(case, tmp_path):
    path = tmp_path / "other"
    content, reason = other_files()[case]
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"other cannot be loaded as .* saved: {reason}"):
        skcvae.load(path)


def test_a_truncated_file_says_so(last, tmp_path):
    path = written(tmp_path, last)
    whole = path.read_bytes()
    for size in (*range(12), 200, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(ValueError, match="it is (empty or )?truncated"):
            skcvae.load(path)


@pytest.mark.parametrize("given", [bytearray(b"a"), None, 3, io.BytesIO()], ids=type)
def test_what_is_no_path_is_refused(given, last):
    for call in (skcvae.load, last.save, lambda path: skcvae.save(last, path)):
        with pytest.raises(TypeError, match=f"path must be .* got type {type(given).__name__}"):
            call(given)


def test_the_content_of_a_file_is_no_path(last, tmp_path):
    content = written(tmp_path, last).read_bytes()
    with pytest.raises(TypeError, match=f"path must be .* got {len(content)} bytes of content"):
        skcvae.load(content)
    assert skcvae.load(bytes(tmp_path / "pipeline.skcvae")).predict(X).shape == Y.shape


ONE = NNRegressor(max_epochs=1, random_state=0)
SEARCH = GridSearchCV(ONE, {"lr": [0.01, 0.1]}, cv=2)
CHOICE = HybridStructuredPredictorCV((0, 1), cv=2, max_epochs=1, random_state=0)
CHOSEN = {
    "alpha": CHOICE,
    "alpha in a pipeline": make_pipeline(StandardScaler(), CHOICE),
    "alpha in a search": GridSearchCV(CHOICE, {"lr": [0.01, 0.1]}, cv=2),
    "alpha in an ensemble": EnsembleRegressor(CHOICE, n_estimators=2, random_state=0),
    "search in a pipeline": make_pipeline(StandardScaler(), SEARCH),
    "stack in a pipeline": make_pipeline(
        StandardScaler(), StackedGridSearchCV(ONE, {"lr": [0.01, 0.1]}, cv=2)
    ),
    "pipeline in a search": GridSearchCV(
        make_pipeline(StandardScaler(), ONE), {"nnregressor__lr": [0.01, 0.1]}, cv=2
    ),
    "search in a pipeline in a search": GridSearchCV(
        make_pipeline(StandardScaler(), SEARCH), {"gridsearchcv__cv": [2, 3]}, cv=2
    ),
    "pipeline in a pipeline": make_pipeline(PCA(2), make_pipeline(StandardScaler(), ONE)),
    "frozen": FrozenEstimator(ONE),
    "frozen in a pipeline": make_pipeline(StandardScaler(), FrozenEstimator(ONE)),
}


@pytest.mark.parametrize("case", CHOSEN)
def test_what_a_search_has_chosen_answers_alike(case, tmp_path):
    est = CHOSEN[case]
    ONE.fit(X, Y)  # for those that are frozen
    est.fit(X, Y)
    again = skcvae.load(written(tmp_path, est))
    np.testing.assert_array_equal(again.predict(X), est.predict(X))
    np.testing.assert_array_equal(skcvae.sample(again, X, 2, 0), skcvae.sample(est, X, 2, 0))
    np.testing.assert_array_equal(skcvae.log_prob(again, X, Y), skcvae.log_prob(est, X, Y))


CODES = {"VAE": skcvae.VAE(2, max_epochs=1), "Autoencoder": skcvae.Autoencoder(2, max_epochs=1)}


@pytest.mark.parametrize("name", CODES)
@pytest.mark.parametrize("library", ["pandas", "polars", "default"])
def test_frames_that_were_asked_for_come_back(name, library, tmp_path):
    before = make_pipeline(StandardScaler(), clone(CODES[name])).set_output(transform=library)
    after = clone(CODES[name]).fit(X).set_output(transform=library)
    for est in (before.fit(X), after):
        found, expected = skcvae.load(written(tmp_path, est)).transform(X), est.transform(X)
        assert type(found) is type(expected)
        np.testing.assert_array_equal(found, expected)


def requesting():
    """Return estimators that ask for metadata, of all kinds that hold estimators."""
    one = NNRegressor(max_epochs=1, random_state=0).set_fit_request(groups=True)
    one.set_fit_request(sample_weight="weight").set_score_request(sample_weight=False)
    scaler = StandardScaler().set_fit_request(sample_weight=True)
    several = skcvae.EnsembleRegressor(clone(one).set_params(random_state=None), n_estimators=2)
    return {
        "alone": one,
        "pipeline": make_pipeline(scaler, one),
        "search": GridSearchCV(one, {"lr": [0.01, 0.1]}, cv=2),
        "ensemble": several.set_fit_request(sample_weight=True),
        "conformal": skcvae.ConformalRegressor(one),
        "alpha": HybridStructuredPredictorCV((0, 1), cv=2, max_epochs=1).set_fit_request(
            groups=True
        ),
    }


@pytest.mark.parametrize("case", ["alone", "pipeline", "search", "ensemble", "conformal", "alpha"])
def test_metadata_are_routed_as_before(case, tmp_path):
    with config_context(enable_metadata_routing=True):
        est = requesting()[case].fit(X, Y)
        if case == "conformal":
            est.conformalize(X, Y)
        again = skcvae.load(written(tmp_path, est))
        answering = getattr(est, "best_estimator_", est)
        expected = repr(answering.get_metadata_routing())
        assert "True" in expected
        for found in (again, clone(again)):
            assert repr(found.get_metadata_routing()) == expected
    np.testing.assert_array_equal(again.predict(X), est.predict(X))


def test_what_was_not_fitted_is_refused(tmp_path):
    for est in (CHOICE, SEARCH, CHOSEN["search in a pipeline"]):
        with pytest.raises(NotFittedError):
            written(tmp_path, clone(est))
