"""A DataFrame with categories and gaps, in one call: encoded, fitted, searched, saved."""

import datetime
import decimal
import functools

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.model_selection import GridSearchCV, cross_val_score

import skcvae
from skcvae import EnsembleRegressor, NNRegressor

N = 90
rng = np.random.default_rng(0)
NUMBERS = rng.normal(size=N)
KINDS = rng.choice(["a", "b", "c"], N)
X = pd.DataFrame(
    {
        "size": np.where(rng.random(N) < 0.3, np.nan, NUMBERS),
        "count": pd.array(rng.integers(0, 9, N), dtype="Int64"),
        "kind": np.where(rng.random(N) < 0.2, None, KINDS),
        "flag": rng.random(N) < 0.5,
        "object": pd.Series([*rng.integers(0, 3, N - 1), None], dtype=object),
        "level": pd.Categorical(rng.choice(["low", "high"], N)),
    }
)
Y = pd.DataFrame({"u": NUMBERS, "v": KINDS == "a"}, dtype=float) + rng.normal(size=(N, 2)) / 10


def pipeline(**params):
    params = {"max_epochs": 2, "random_state": 0} | params
    return skcvae.tabular_pipeline(NNRegressor(**params))


@functools.cache
def fitted():
    return pipeline().fit(X, Y)


def test_columns_are_encoded_by_their_types():
    names = fitted()[0].get_feature_names_out().tolist()
    kinds = ["kind_a", "kind_b", "kind_c", "kind_nan", "flag_False", "flag_True"]
    assert [name.split("__")[1] for name in names] == [
        *["size", "count", "object", "missingindicator_size", "missingindicator_object"],
        *[*kinds, "level_high", "level_low"],
    ]
    encoded = fitted()[0].transform(X)
    assert np.isfinite(encoded).all() and encoded.shape == (N, len(names))
    gaps = X["size"].isna()
    np.testing.assert_array_equal(encoded[:, 3], gaps)
    assert np.ptp(encoded[gaps, 0]) == 0


def test_pandas_and_polars_are_encoded_alike():
    columns = {"size": X["size"].to_numpy(), "flag": X["flag"].to_numpy()}
    texts = {"kind": [*KINDS[1:], None], "level": X["level"].tolist()}
    pandas = pd.DataFrame({**columns, **texts})
    polars = pl.DataFrame({**columns, **texts}, nan_to_null=True)
    polars = polars.with_columns(pl.col("level").cast(pl.Categorical))
    expected, found = (pipeline().fit(frame, Y)[0].transform(frame) for frame in (pandas, polars))
    np.testing.assert_allclose(found, expected)


NAMES = {
    "int": [1, 2, 0],
    "float": [1.0, 0.5, 0.0],
    "date": pd.date_range("2020-01-01", periods=3)[::-1],
    "date object": [datetime.date(2020, 1, i) for i in (2, 1, 3)],
    "bool and int": [True, False, 2],
    "tuple": pd.MultiIndex.from_tuples([("a", 1), ("a", 0), ("b", 1)]),
    "digits": ["1", "2", "0"],
}


@pytest.mark.parametrize("names", NAMES)
def test_names_of_columns_are_no_positions(names):
    frame = X[["size", "kind", "object"]]
    renamed = frame.set_axis(NAMES[names], axis=1)
    expected, found = (pipeline().fit(table, Y) for table in (frame, renamed))
    np.testing.assert_array_equal(found[0].transform(renamed), expected[0].transform(frame))
    np.testing.assert_array_equal(found.predict(renamed[:5]), expected.predict(frame[:5]))


def test_columns_that_have_names_are_found_by_them():
    moved = X[X.columns[::-1]].assign(more=0)
    np.testing.assert_array_equal(fitted()[0].transform(moved), fitted()[0].transform(X))


TEXTS = pd.DataFrame({"size": NUMBERS, "kind": np.where(rng.random(N) < 0.3, None, KINDS)})
WRITTEN = {
    "None": TEXTS.astype({"kind": object}).replace({np.nan: None}),
    "NaN": TEXTS.astype({"kind": object}).replace({None: np.nan}),
    "NA": TEXTS.astype({"kind": object}).fillna({"kind": pd.NA}),
    "string": TEXTS.astype({"kind": "string"}),
    "converted": TEXTS.convert_dtypes(),
    "category": TEXTS.astype({"kind": "category"}),
    "polars": pl.DataFrame(
        {"size": NUMBERS, "kind": [v or None for v in TEXTS["kind"].fillna("")]}
    ),
}
WRITTEN["polars category"] = WRITTEN["polars"].with_columns(pl.col("kind").cast(pl.Categorical))
ROWS = {
    "None": pd.DataFrame([{"size": 1.0, "kind": None}]),
    "NaN": pd.DataFrame([{"size": 1.0, "kind": np.nan}]),
    "NaN object": pd.DataFrame([{"size": 1.0, "kind": np.nan}], dtype=object),
    "NA": pd.DataFrame([{"size": 1.0, "kind": pd.NA}]),
    "NaT": pd.DataFrame([{"size": 1.0, "kind": pd.NaT}]),
    "converted": pd.DataFrame([{"size": 1.0, "kind": None}]).convert_dtypes(),
    "string": pd.DataFrame([{"size": 1.0, "kind": None}]).astype({"kind": "string"}),
    "category": pd.DataFrame([{"size": 1.0, "kind": None}]).astype({"kind": "category"}),
    "polars": pl.DataFrame({"size": [1.0], "kind": [None]}),
    "polars text": pl.DataFrame({"size": [1.0], "kind": pl.Series([None], dtype=pl.String)}),
    "polars NaN": pl.DataFrame({"size": [1.0], "kind": [np.nan]}),
}


@pytest.mark.parametrize("seen", WRITTEN)
def test_missing_categories_are_one_category_however_they_are_written(seen):
    encode = pipeline()[0].fit(WRITTEN[seen])
    assert encode.get_feature_names_out()[-1].endswith("kind_nan")
    for frame in WRITTEN.values():
        np.testing.assert_array_equal(encode.transform(frame)[:, 4], TEXTS["kind"].isna())
    for row in ROWS.values():
        np.testing.assert_array_equal(encode.transform(row), [[1, 0, 0, 0, 1]])


@pytest.mark.parametrize("null", [None, pd.NA])
def test_missing_booleans_are_a_category(null):
    frame = X[["size"]].assign(flag=pd.Series([True, False, null] * (N // 3), dtype=object))
    for table in (frame, frame.astype({"flag": "boolean"})):
        encode = pipeline()[0].fit(table)
        found = [encode.transform(frame)[:3, -3:], encode.transform(table[:3])[:, -3:]]
        np.testing.assert_array_equal(found, [[[0, 1, 0], [1, 0, 0], [0, 0, 1]]] * 2)


@pytest.mark.parametrize("container", ["pandas", "polars"])
def test_encoded_tables_may_be_frames(container):
    encode = pipeline()[0].set_output(transform=container).fit(X)
    np.testing.assert_array_equal(encode.transform(X), fitted()[0].transform(X))
    assert list(encode.transform(X[:1]).columns) == list(fitted()[0].get_feature_names_out())


def test_categories_and_gaps_that_were_not_seen_are_answered():
    new = X[:5].assign(kind="z", level="none", count=pd.array([pd.NA] * 5, dtype="Int64"))
    with pytest.warns(UserWarning, match="X has gaps at 'count', where there were none in fit"):
        assert np.isfinite(skcvae.predict_interval(fitted(), new, n_samples=20)).all()


@pytest.mark.parametrize("table", [pd.DataFrame, pl.DataFrame])
@pytest.mark.parametrize(
    ("column", "gap", "read_as"),
    [("size", None, "the fill, the mean"), ("kind", None, "an unknown category")],
)
def test_gaps_that_were_not_seen_are_named(table, column, gap, read_as):
    columns = {"size": NUMBERS.tolist(), "kind": KINDS.tolist()}
    est = pipeline().fit(table(columns), Y)
    est.predict(table({name: values[:3] for name, values in columns.items()}))
    new = {name: values[:3] for name, values in columns.items()}
    new[column] = [gap, *new[column][1:]]
    with pytest.warns(UserWarning, match=f"X has gaps at '{column}', .* read as {read_as}"):
        est.predict(table(new))


NUMBERS_WRITTEN = {
    "NA": [1.5, pd.NA, 2.0],
    "None": [1.5, None, 2.0],
    "NaN": [1.5, np.nan, 2.0],
    "Decimal": [decimal.Decimal("1.5"), None, decimal.Decimal(2)],
    "Decimal NA": [decimal.Decimal("1.5"), pd.NA, 2],
    "Decimal NaN": [decimal.Decimal("1.5"), decimal.Decimal("NaN"), 2],
}


@pytest.mark.parametrize("written", NUMBERS_WRITTEN)
@pytest.mark.parametrize("dtype", ["object", None])
def test_numbers_are_numbers_however_they_are_written(written, dtype):
    plain = pd.DataFrame({"size": [1.5, np.nan, 2.0] * (N // 3), "kind": KINDS})
    frame = plain.assign(size=pd.Series(NUMBERS_WRITTEN[written] * (N // 3), dtype=dtype))
    expected = pipeline()[0].fit(plain).transform(plain)
    for seen in (frame, plain):
        encode = pipeline()[0].fit(seen)
        np.testing.assert_array_equal(encode.transform(frame), expected)
        for row in range(3):
            one = frame[row : row + 1]
            np.testing.assert_array_equal(encode.transform(one), expected[row : row + 1])


def test_gaps_and_categories_are_learned():
    """y is the number where it is known, and depends on whether it is."""
    gaps = X["size"].isna().to_numpy()
    y = np.where(gaps, 5.0, NUMBERS)
    est = pipeline(max_epochs=100, lr=0.03, early_stopping=False).fit(X, y)
    predicted = est.predict(X)
    assert np.abs(predicted[gaps] - 5).mean() < 0.5 and np.abs(predicted - y)[~gaps].mean() < 0.5


def test_pipelines_of_tables_are_searched_copied_and_saved(tmp_path):
    table = X.drop(columns="object")  # with a single gap, of which folds see none
    grid = {"columntransformer__numbers__simpleimputer__strategy": ["mean", "median"]}
    grid["columntransformer__categories__onehotencoder__max_categories"] = [2]
    search = GridSearchCV(pipeline(), grid, cv=2).fit(table, Y)
    skcvae.save(search, tmp_path / "table.skcvae")
    again = skcvae.load(tmp_path / "table.skcvae")
    assert again.score(table, Y) == search.score(table, Y)
    frame = skcvae.sample(again, table, 2, 0, as_frame=True)
    pd.testing.assert_frame_equal(frame, skcvae.sample(search, table, 2, 0, as_frame=True))
    assert np.isfinite(cross_val_score(pipeline(), table, Y, cv=2)).all()


def test_an_ensemble_may_be_the_last_step():
    members = EnsembleRegressor(NNRegressor(max_epochs=1), n_estimators=2, random_state=0)
    est = skcvae.tabular_pipeline(members).fit(X, Y)
    assert list(skcvae.predict_quantiles(est, X, 0.5, as_frame=True).columns) == ["u", "v"]


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        (pd.date_range("2020-01-01", periods=N), "datetime64"),
        ([datetime.date(2020, 1, 1)] * N, "object"),
        ([[1, 2]] * N, "object"),
        (["a", 1] * (N // 2), "object"),
    ],
)
def test_other_columns_are_named(values, dtype):
    frame = X.assign(other=pd.Series(values))
    with pytest.raises(ValueError, match=f"Column 'other' of X holds neither .*{dtype}"):
        pipeline().fit(frame, Y)


def test_decimals_are_numbers():
    frame = X[["kind"]].assign(price=[decimal.Decimal("1.5")] * (N - 1) + [None])
    names = pipeline().fit(frame, Y)[0].get_feature_names_out()
    assert "numbers__price" in names


def test_arrays_are_refused():
    with pytest.raises(ValueError, match="X must be a DataFrame of pandas or polars"):
        pipeline().fit(X[["size"]].to_numpy(), Y)
