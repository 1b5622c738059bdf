"""Outputs keep their names: in attributes, frames, errors, groups of columns and files."""

import copy
import functools
import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skcvae
from skcvae import CVAERegressor, EnsembleRegressor, NNRegressor
from skcvae.likelihoods import Categorical, Columns, Gaussian, LogNormal, Poisson
from skcvae.metrics import crps

N, QUICK = 40, {"max_epochs": 1, "random_state": 0}
rng = np.random.default_rng(0)
X = pd.DataFrame(rng.normal(size=(N, 2)), columns=["p", "q"], index=[f"r{i}" for i in range(N)])
Y = pd.DataFrame(
    {"a": X["p"] + rng.normal(size=N), "n": rng.poisson(3, N), "c": rng.integers(0, 3, N)},
    index=X.index,
)
CLASSES = {
    "CVAERegressor": CVAERegressor(**QUICK),
    "NNRegressor": NNRegressor(**QUICK),
    "EnsembleRegressor": EnsembleRegressor(NNRegressor(max_epochs=1), n_estimators=2),
}
each = pytest.mark.parametrize("name", CLASSES)


@functools.cache
def fitted(name):
    return CLASSES[name].set_params(random_state=0).fit(X, Y)


@each
def test_names_are_seen_in_fit_and_survive_copies(name, tmp_path):
    est = fitted(name)
    est.save(tmp_path / "est.skcvae")
    copies = copy.deepcopy(est), pickle.loads(pickle.dumps(est))
    for other in (est, *copies, skcvae.load(tmp_path / "est.skcvae")):
        assert other.target_names_in_.tolist() == ["a", "n", "c"]


@pytest.mark.parametrize(
    ("y", "names"),
    [
        (Y["a"], ["a"]),
        (pl.from_pandas(Y), ["a", "n", "c"]),
        (pl.from_pandas(Y)["n"], ["n"]),
        (Y.to_numpy(), None),
        (Y["a"].rename(None), None),
        (Y.set_axis([0, 1, 2], axis=1), None),
    ],
    ids=["series", "polars", "polars series", "array", "no name", "numbers"],
)
def test_names_are_those_of_the_last_y(y, names):
    est = NNRegressor(**QUICK).fit(X, Y).fit(X, y)
    assert names == (est.target_names_in_.tolist() if names else None)
    assert hasattr(est, "target_names_in_") == (names is not None)


@pytest.mark.parametrize(
    "names", [[1, 0, 2], [2.5, 1.5, 0.5], ["a", 1, 2], [("a", "b"), ("a", "c"), ("b", "c")]]
)
def test_names_that_are_no_texts_are_not_read_as_positions(names):
    with pytest.warns(UserWarning, match="not all texts: outputs are numbered by position"):
        est = NNRegressor(**QUICK).fit(X, Y.set_axis(names, axis=1))
    assert est.predict(X, as_frame=True).columns.tolist() == [0, 1, 2]


@each
def test_frames_hold_what_arrays_hold(name):
    est = fitted(name)
    frame = est.predict(X, as_frame=True)
    pd.testing.assert_frame_equal(frame, pd.DataFrame(est.predict(X), X.index, Y.columns))
    mean, std = est.predict(X, return_std=True, as_frame=True)
    np.testing.assert_array_equal([mean, std], est.predict(X, return_std=True))

    draws = est.sample(X, 3, random_state=0)
    frame = est.sample(X, 3, random_state=0, as_frame=True)
    assert frame.index.names == ["draw", "row"] and list(frame.columns) == [*Y.columns]
    np.testing.assert_array_equal(frame.loc[(2, "r7")], draws[2, 7])

    levels = [0.1, 0.5]
    quantiles = est.predict_quantiles(X, levels, 50)
    frame = est.predict_quantiles(X, levels, 50, as_frame=True)
    np.testing.assert_array_equal(frame["n", 0.5], quantiles[:, 1, 1])
    single = est.predict_quantiles(X, 0.5, 50, as_frame=True)
    np.testing.assert_array_equal(single["n"], frame["n", 0.5])

    intervals = est.predict_interval(X, 0.8, 50)
    frame = est.predict_interval(X, 0.8, 50, as_frame=True)
    np.testing.assert_array_equal(frame.loc["r3", ("c", "upper")], intervals[3, 2, 1])

    partial = Y.assign(n=np.nan)
    whole = est.complete(X, partial, 2, random_state=0, as_frame=True)
    assert list(whole.loc[1, "a"]) == list(Y["a"]) and whole.notna().all().all()


def test_frames_of_a_single_output_and_of_no_names():
    est = NNRegressor(**QUICK).fit(X.to_numpy(), Y["a"].to_numpy())
    draws = est.sample(X.to_numpy(), 2, as_frame=True)
    assert list(draws.columns) == ["y"] and draws.index[-1] == (1, N - 1)
    ends = est.predict_interval(X.to_numpy(), as_frame=True)
    assert list(ends.columns) == [("y", "lower"), ("y", "upper")]


def test_frames_of_pipelines_have_the_index_of_the_users_frame():
    pipeline = make_pipeline(StandardScaler(), NNRegressor(**QUICK)).fit(X, Y)
    for found in (
        skcvae.predict_interval(pipeline, X, as_frame=True),
        pipeline.predict(X, as_frame=X.index),
        skcvae.sample(pipeline, X, as_frame=True).loc[0],
    ):
        assert list(found.index) == list(X.index)
        assert list(found.columns.get_level_values(0).unique()) == [*Y.columns]


def test_outputs_in_another_order_are_refused():
    est = fitted("NNRegressor")
    for ask in (est.score, est.complete, est.log_prob):
        with pytest.raises(ValueError, match=r"columns \['c', 'n', 'a'\], expected \['a', 'n'"):
            ask(X, Y[["c", "n", "a"]])
    with pytest.raises(ValueError, match=r"y_val has columns \['b', 'n', 'c'\]"):
        NNRegressor(**QUICK).fit(X, Y, X_val=X, y_val=Y.rename(columns={"a": "b"}))
    assert est.score(X, Y) == est.score(X, Y.to_numpy())


@pytest.mark.parametrize("as_frame", ["yes", 1, X.index[:3]])
def test_what_is_no_index_is_refused(as_frame):
    with pytest.raises(ValueError, match="as_frame must be a bool, or a pandas Index of the 40"):
        fitted("NNRegressor").sample(X, as_frame=as_frame)


def test_images_are_no_frames():
    images = rng.normal(size=(N, 4, 4))
    est = NNRegressor(**QUICK).fit(X, images)
    with pytest.raises(ValueError, match=r"as_frame=True expects y .* rows of shape \(4, 4\)"):
        est.predict(X, as_frame=True)


LIKELIHOODS = Gaussian(), Poisson(), Categorical()
BY_NAME = {
    "lists": (["a"], ["n"], ["c"]),
    "mixed": (["a"], [1], slice(2, None)),
    "slices": (slice("a", "a"), slice("n", "n"), slice("c", None)),
}


@pytest.mark.parametrize("case", BY_NAME)
def test_columns_by_name_are_those_by_index(case, tmp_path):
    by_name, by_index = (
        Columns([*zip("abc", LIKELIHOODS, columns, strict=True)])
        for columns in (BY_NAME[case], ([0], [1], [2]))
    )
    found, expected = (
        NNRegressor(likelihood=one, **QUICK).fit(X, Y) for one in (by_name, by_index)
    )
    assert found.score(X, Y) == expected.score(X, Y)
    assert [columns for *_, columns in found.likelihood_.groups] == [[0], [1], [2]]
    assert by_name.groups[0][2] == BY_NAME[case][0]
    found.save(tmp_path / "est.skcvae")
    assert skcvae.load(tmp_path / "est.skcvae").score(X, Y) == expected.score(X, Y)


def test_slices_of_names_include_both_ends():
    likelihood = Columns([("real", Gaussian(), slice("a", "n")), ("kind", Categorical(), ["c"])])
    est = NNRegressor(likelihood=likelihood, **QUICK).fit(X, Y)
    assert [columns for *_, columns in est.likelihood_.groups] == [[0, 1], [2]]


@pytest.mark.parametrize(
    ("columns", "y", "message"),
    [
        (["b"], Y, r"names a column 'b', but the columns of y are \['a', 'n', 'c'\]"),
        (["a"], Y.to_numpy(), "the columns of y have no names"),
        (slice("a", "b"), Y, "names a column 'b'"),
        (["a"], Y, r"each of the 3 columns of y, .* got \['a'\]"),
    ],
)
def test_columns_that_are_not_there_are_named(columns, y, message):
    with pytest.raises(ValueError, match=message):
        NNRegressor(likelihood=Columns([("g", Gaussian(), columns)])).fit(X, y)


@pytest.mark.parametrize("called", [None, "id", "draw", "row", "a", 0])
def test_levels_of_draws_are_draw_and_row_whatever_the_index_is_called(called):
    est, inputs = fitted("NNRegressor"), X.rename_axis(index=called)
    for frame in (
        est.sample(inputs, 3, random_state=0, as_frame=True),
        est.complete(inputs, Y.assign(n=np.nan), 3, as_frame=True),
        est.sample(inputs, 3, random_state=0, as_frame=inputs.index),
    ):
        assert frame.index.names == ["draw", "row"]
        medians = frame["n"].groupby("row", sort=False).median()
        assert medians.index.tolist() == X.index.tolist()
        assert len(frame.groupby("draw")["n"].mean()) == 3
    assert crps(Y.rename_axis(index=called), est.sample(inputs, 3, as_frame=True)) > 0


BAD = {
    "infinite": ("auto", np.inf, "Input y contains infinity"),
    "missing": ("auto", np.nan, "Input y contains NaN"),
    "negative": (LogNormal(), -2.0, "LogNormal expects positive numbers in y, got -2"),
    "no count": (Poisson(), 2.5, "Poisson expects counts, .* got 2.5"),
    "no label": (Categorical(), 2.5, "expects integer labels in y, got 2.5"),
}


@pytest.mark.parametrize("kind", BAD)
@pytest.mark.parametrize("convert", [lambda y: y, pl.from_pandas], ids=["pandas", "polars"])
def test_errors_name_the_column_of_a_value(kind, convert):
    likelihood, bad, message = BAD[kind]
    y = pd.DataFrame(rng.integers(1, 4, (N, 3)), columns=["u", "v", "w"]).astype(float)
    y.iloc[3, 1] = bad
    est = NNRegressor(likelihood=likelihood, **QUICK)
    with pytest.raises(ValueError, match=f"{message}.* in column 'v'"):
        est.fit(X, convert(y))
    with (
        pytest.raises(ValueError, match=r"in column \('v', 'x'\)"),
        pytest.warns(UserWarning, match=r"y has columns \[\('u', 'x'\), .* not all texts"),
    ):
        est.fit(X, pd.concat({"x": y}, axis=1).swaplevel(axis=1))
    with pytest.raises(ValueError, match=message) as error:
        est.fit(X.to_numpy(), y.to_numpy())
    assert "column" not in str(error.value)
