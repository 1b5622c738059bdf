"""What users hand over becomes numbers, or an error says what to do about it."""

import datetime
import functools
import os
import subprocess
import sys
import warnings
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.sparse import csr_array
from sklearn.utils import check_array

from skcvae import CVAERegressor
from skcvae.data.reading import numbers

NAN = float("nan")
DAY = datetime.datetime(2024, 1, 2)
DAYS = pd.to_datetime(["2024-01-02", "2024-01-05"])
GRID = [[1.0, 2.0], [3.0, 4.0]]


def checked(values):
    """Return the array that scikit-learn makes of what was read."""
    return check_array(
        numbers(values, "X"), ensure_2d=False, allow_nd=True, ensure_all_finite="allow-nan"
    )


def frame(**columns):
    return pd.DataFrame(columns)


@pytest.mark.parametrize("dtype", ["f8", "f4", "i8", "u1", "?"])
@pytest.mark.parametrize("shape", [(4,), (4, 3), (4, 3, 2)])
def test_arrays_of_numbers_are_passed_on(dtype, shape):
    array = np.ones(shape, dtype=dtype)
    assert numbers(array, "X") is array


def test_arrays_in_files_are_not_read(tmp_path):
    np.save(tmp_path / "X.npy", np.ones((4, 3)))
    array = np.load(tmp_path / "X.npy", mmap_mode="r")
    assert numbers(array, "X") is array


@pytest.mark.parametrize(
    "values",
    [
        csr_array(np.eye(3)),
        None,
        3.0,
        frame(a=[1.0, NAN], b=[True, False]),
        pd.Series([1, 2]),
        np.ones(2, dtype=np.longlong),
        pd.array([1, None], dtype="Int64"),
    ],
    ids=lambda values: type(values).__name__,
)
def test_what_needs_nothing_is_passed_on(values):
    assert numbers(values, "X") is values


OBJECTS = [
    ([1.5, None, Decimal("2.5"), Fraction(1, 2), pd.NA], [1.5, NAN, 2.5, 0.5, NAN]),
    ([[None, 1], [Decimal(2), True]], [[NAN, 1], [2, 1]]),
    ([[[None], [1]], [[2], [3]]], [[[NAN], [1]], [[2], [3]]]),
    ([[1, 2], [3, 4]], [[1, 2], [3, 4]]),
    ([(1, 2), np.array([3, 4])], [[1, 2], [3, 4]]),
    ([None, None], [NAN, NAN]),
    ([2**70, 1], [2.0**70, 1]),
]


@pytest.mark.parametrize(("values", "expected"), OBJECTS)
def test_objects_become_numbers(values, expected):
    for given in (values, tuple(values), np.array(values, dtype=object)):
        found = checked(given)
        np.testing.assert_array_equal(found, expected)
        assert found.shape == np.shape(expected)


def test_an_array_of_rows_becomes_a_table():
    rows = np.empty(2, dtype=object)
    rows[:] = [np.array([1, 2]), [3, None]]
    np.testing.assert_array_equal(checked(rows), [[1, 2], [3, NAN]])


def test_objects_are_not_changed_in_place():
    array = np.array([[Decimal(1), pd.NA]], dtype=object)
    numbers(array, "X")
    assert array[0, 1] is pd.NA and isinstance(array[0, 0], Decimal)


@pytest.mark.parametrize("wrap", [np.asarray, list, lambda a: frame(a=a)["a"]])
def test_long_doubles_become_doubles(wrap):
    found = checked(wrap(np.array([1, 2], dtype=np.longdouble) / 4))
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, [0.25, 0.5])


@pytest.mark.skipif(np.finfo(np.longdouble).max == np.finfo(float).max, reason="no long doubles")
def test_long_doubles_that_overflow_are_infinite():
    assert np.isinf(numbers(np.array([np.longdouble("1e400")]), "X")).all()


def test_what_is_masked_is_not_known():
    array = np.ma.masked_array([[1, 2], [3, 4]], mask=[[0, 1], [0, 0]])
    np.testing.assert_array_equal(checked(array), [[1, NAN], [3, 4]])


def test_columns_of_a_frame_become_numbers_and_keep_their_names():
    given = frame(
        price=[Decimal("1.5"), None],
        exact=np.array([1, 2], dtype=np.longdouble),
        mixed=pd.Series([pd.NA, Fraction(1, 4)], dtype=object),
        whole=pd.array([1, None], dtype="Int64"),
        real=pd.array([None, 0.5], dtype="Float64"),
        truth=pd.array([True, None], dtype="boolean"),
    )
    before = given.copy()
    read = numbers(given, "X")
    assert list(read.columns) == list(given.columns)
    np.testing.assert_array_equal(
        checked(given), [[1.5, 1, NAN, 1, NAN, 1], [NAN, 2, 0.25, NAN, 0.5, NAN]]
    )
    pd.testing.assert_frame_equal(given, before)


def test_columns_of_one_name_stay_apart():
    given = pd.DataFrame([[Decimal(1), 2.0, None]], columns=["a", "b", "a"])
    np.testing.assert_array_equal(np.asarray(numbers(given, "X")), [[1, 2, NAN]])


STRINGS = [
    np.array([["a", "b"]]),
    np.array([[1.0, "a"]], dtype=object),
    [["a", 2.0], [3.0, 4.0]],
    [1.0, "a"],
    frame(b=[1.0, 2.0], s=["a", "c"]),
    frame(s=["a", "c"])["s"],
    frame(s=pd.array(["a", None], dtype="string")),
    frame(s=pd.Series([1.0, "a"], dtype=object)),
    "a",
]


@pytest.mark.parametrize("values", STRINGS, ids=range(len(STRINGS)))
def test_strings(values):
    is_frame = hasattr(values, "iloc")
    end = " in column 's'. For categories: skcvae.tabular_pipeline.*" if is_frame else "."
    with pytest.raises(ValueError, match=f"^X must hold numbers, got a string such as 'a'{end}$"):
        numbers(values, "X")


def test_numbers_beside_a_string_are_not_taken_for_strings():
    with pytest.raises(ValueError, match="got a string such as 'b'"):
        numbers([[1.0, "b"]], "X")


DATES, DURATIONS, CATEGORIES = "dates or times", "durations", "categories"
ADVICE = {
    DATES: "Subtract a reference date and divide by a unit",
    DURATIONS: "Divide them by a datetime.timedelta",
    CATEGORIES: "OneHotEncoder",
    "complex numbers": "Complex data not supported",
    "several values in one cell": "a column of its own",
}
REFUSED = {
    "dates": (DAYS.to_numpy(), DATES, None),
    "a table of dates": (DAYS.to_numpy()[:, None], DATES, 0),
    "a date in a list": ([[1.0, 2.0], [3.0, DAY]], DATES, 1),
    "a date of numpy in a list": ([[1.0, 2.0, np.datetime64("2024-01-02")]], DATES, 2),
    "a day in a list": ([DAY.date()], DATES, None),
    "a time of day": ([DAY.time()], DATES, None),
    "a timestamp among objects": (np.array([[0.5, DAYS[0]]], dtype=object), DATES, 1),
    "no date among objects": (np.array([[0.5, pd.NaT]], dtype=object), DATES, 1),
    "a column of dates": (frame(a=[1, 2], when=DAYS), DATES, "when"),
    "a column of dates with a zone": (frame(when=DAYS.tz_localize("UTC")), DATES, "when"),
    "a column of python's dates": (frame(when=[DAY.date(), DAY.date()]), DATES, "when"),
    "a numbered column": (pd.DataFrame([[1.0, DAY]]), DATES, 1),
    "a series of dates": (pd.Series(DAYS, name="when"), DATES, "when"),
    "an index of dates": (DAYS, DATES, None),
    "periods": (frame(when=DAYS.to_period("M")), DATES, "when"),
    "durations": (np.diff(DAYS.to_numpy()), DURATIONS, None),
    "a duration in a list": ([[datetime.timedelta(days=1), 2.0]], DURATIONS, 0),
    "a column of durations": (frame(wait=DAYS - DAYS[0]), DURATIONS, "wait"),
    "a column of categories": (frame(kind=pd.Categorical(["a", "b"])), CATEGORIES, "kind"),
    "categories of numbers": (frame(kind=pd.Categorical([1, 2])), CATEGORIES, "kind"),
    "categories": (pd.Categorical([1, 2]), CATEGORIES, None),
    "complex numbers": (np.array([[1j]]), "complex numbers", 0),
    "a complex number in a list": ([[1.0, 1j]], "complex numbers", 0),
    "a complex number among objects": ([[None, 1j]], "complex numbers", 1),
    "a complex column": (frame(a=[1.0], c=[1j]), "complex numbers", "c"),
    "intervals": (frame(i=pd.interval_range(0, 2)), "several values in one cell", "i"),
    "a structured array": (np.zeros(2, [("a", "f8")]), "several values in one cell", None),
    "a column of lists": (frame(a=[[1, 2], [3]]), "several values in one cell", "a"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_number(case):
    values, what, column = REFUSED[case]
    with pytest.raises(ValueError, match=ADVICE[what]) as error:
        numbers(values, "X")
    where = "" if column is None else f" in column {column!r}"
    assert str(error.value).startswith(f"X must hold numbers, got {what}{where} (")


@pytest.mark.parametrize(
    ("values", "kind"), [([[1.0, {}]], "dict"), (np.array([[1, object()]]), "object")]
)
def test_other_objects(values, kind):
    with pytest.raises(TypeError, match=f"X must hold numbers: .*argument must be .*'{kind}'"):
        numbers(values, "X")


@pytest.mark.parametrize(
    ("values", "lengths"),
    [
        ([[1, 2], [3, 4], [5]], "length 2 in row 0 and length 1 in row 2"),
        ([[1, 2], 3], "length 2 in row 0 and length 1 in row 1"),
        ([1, [2, 3]], "length 1 in row 0 and length 2 in row 1"),
        ([[[1], [2]], [[3], [4, 5]]], "length 1 in row 0 and length 2 in row 1"),
        ([np.ones(2), np.ones(3)], "length 2 in row 0 and length 3 in row 1"),
        ([np.ones((2, 2)), np.ones((2, 3))], "length 2 in row 0 and length 3 in row 1"),
        ([[1, None], [2]], "length 2 in row 0 and length 1 in row 1"),
        ([np.array(1.0), [2, 3]], "length 1 in row 0 and length 2 in row 1"),
        ([pd.Series([1, 2]), pd.Series([3])], "length 2 in row 0 and length 1 in row 1"),
        (np.array([[1, 2], [3]], dtype=object), "length 2 in row 0 and length 1 in row 1"),
    ],
)
def test_rows_of_different_lengths(values, lengths):
    with pytest.raises(ValueError, match=f"X must have rows of one length, got {lengths}"):
        numbers(values, "X")


@pytest.mark.parametrize(
    "tensor",
    [
        torch.tensor(GRID),
        torch.tensor(GRID, requires_grad=True),
        torch.tensor(GRID, dtype=torch.bfloat16),
        torch.tensor(GRID).long(),
        torch.tensor(GRID).T.contiguous().T,
        torch.tensor(GRID)._neg_view().neg(),
    ],
)
def test_tensors_become_arrays(tensor):
    for given in (tensor, list(tensor)):
        found = numbers(given, "X")
        assert isinstance(found, np.ndarray)
        np.testing.assert_array_equal(found, GRID)


def test_tensors_share_their_memory():
    tensor = torch.ones(3, 2)
    assert np.shares_memory(numbers(tensor, "X"), tensor.numpy())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_tensors_on_a_gpu_become_arrays():
    np.testing.assert_array_equal(numbers(torch.tensor(GRID, device="cuda"), "X"), GRID)


def test_complex_tensors():
    with pytest.raises(ValueError, match="Complex data not supported"):
        numbers(torch.ones(2, 2, dtype=torch.complex64), "X")


DISPATCH = """
import numpy as np, sklearn, torch
from sklearn.utils import check_array
from skcvae.data.reading import numbers
with sklearn.config_context(array_api_dispatch=True):
    assert isinstance(check_array(torch.ones(3, 2)), torch.Tensor)
    assert isinstance(check_array(numbers(torch.ones(3, 2), "X")), np.ndarray)
"""


def test_tensors_become_arrays_under_array_api_dispatch():
    environment = os.environ | {"SCIPY_ARRAY_API": "1"}
    subprocess.run([sys.executable, "-c", DISPATCH], env=environment, check=True)


class TestPolars:
    """Frames and columns of polars, which need not be installed."""

    @pytest.fixture
    def pl(self):
        return pytest.importorskip("polars")

    def test_numbers_are_passed_on(self, pl):
        given = pl.DataFrame({"a": [1, None], "b": [0.5, 2.0]})
        assert numbers(given, "X") is given
        np.testing.assert_array_equal(checked(given), [[1, 0.5], [NAN, 2]])

    def test_columns_become_numbers_and_keep_their_names(self, pl):
        given = pl.DataFrame(
            {
                "self": [Decimal("1.5"), None],
                "truth": [True, None],
                "nothing": [None, None],
                "any": pl.Series([Fraction(1, 2), None], dtype=pl.Object),
                "small": pl.Series([1, 2], dtype=pl.Int8),
            }
        )
        read = numbers(given, "X")
        assert isinstance(read, pl.DataFrame) and read.columns == given.columns
        expected = [[1.5, 1, NAN, 0.5, 1], [NAN, NAN, NAN, NAN, 2]]
        np.testing.assert_array_equal(checked(given), expected)
        np.testing.assert_array_equal(checked(given["self"]), [1.5, NAN])

    def test_booleans_with_nulls_become_floats(self, pl):
        given = pl.DataFrame({"a": [True, None, False]})
        for found in (checked(given)[:, 0], checked(given["a"])):
            assert found.dtype == float
            np.testing.assert_array_equal(found, [1, NAN, 0])

    def test_strings(self, pl):
        given = pl.DataFrame({"a": [1, 2], "b": [None, "a"]})
        for values in (given, given["b"]):
            with pytest.raises(ValueError, match="^X must .*, got a string .* in column 'b'"):
                numbers(values, "X")

    @pytest.mark.parametrize(
        ("values", "dtype", "what"),
        [
            ([DAY], None, DATES),
            ([DAY.date()], None, DATES),
            ([DAY.time()], None, DATES),
            ([DAY.date()], "Object", DATES),
            ([DAY - DAY], None, DURATIONS),
            (["a"], "Categorical", CATEGORIES),
            ([[1, 2]], None, "several values in one cell"),
            ([{"a": 1}], None, "several values in one cell"),
        ],
    )
    def test_what_is_no_number(self, pl, values, dtype, what):
        given = pl.DataFrame({"a": pl.Series(values, dtype=dtype and getattr(pl, dtype))})
        for part in (given, given["a"]):
            with pytest.raises(ValueError, match=f"got {what} in column 'a'.*{ADVICE[what]}"):
                numbers(part, "X")

    def test_a_query(self, pl):
        with pytest.raises(ValueError, match="a query that has not been run.*collect()"):
            numbers(pl.LazyFrame({"a": [1]}), "X")

    def test_an_enumeration(self, pl):
        given = pl.DataFrame({"a": pl.Series(["u"], dtype=pl.Enum(["u"]))})
        with pytest.raises(ValueError, match="got categories in column 'a'"):
            numbers(given, "X")


def test_the_advice_about_dates_works():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for dates in (DAYS, pd.Series(DAYS), DAYS.to_numpy(), DAYS.to_numpy().astype("M8[D]")):
            days = (dates - dates.min()) / datetime.timedelta(days=1)
            np.testing.assert_array_equal(numbers(days, "X"), [0, 3])


# End to end: an estimator learns and scores the same from any kind of table.

TABLE = np.round(np.random.default_rng(0).normal(size=(30, 3)), 3)
HOLES = np.where(np.arange(60).reshape(30, 2) % 7, TABLE[:, :2] + 1, NAN)
QUICK = {"max_epochs": 2, "partial_y": True, "random_state": 0}


@functools.cache
def expected():
    est = CVAERegressor(**QUICK).fit(TABLE, HOLES)
    return est.log_prob(TABLE, TABLE[:, :2])


def lists(array):
    """Return rows of Decimals, None where NaN."""
    return [[None if np.isnan(v) else Decimal(str(v)) for v in row] for row in array]


def polars_frame(array):
    pl = pytest.importorskip("polars")
    return pl.DataFrame(
        {f"c{i}": column for i, column in enumerate(zip(*lists(array), strict=True))}
    )


KINDS = {
    "lists": lists,
    "long doubles": lambda array: array.astype(np.longdouble),
    "polars": polars_frame,
}


@pytest.mark.parametrize("kind", KINDS)
def test_an_estimator_reads_every_kind_of_table(kind):
    read = KINDS[kind]
    X, y = read(TABLE), read(TABLE[:, :2])
    est = CVAERegressor(**QUICK).fit(X, read(HOLES))
    np.testing.assert_array_equal(est.log_prob(X, y), expected())
    completed = est.complete(X, read(HOLES), random_state=0)[0]
    known = ~np.isnan(HOLES)
    assert np.isfinite(completed).all() and (completed[known] == HOLES[known]).all()


def test_where_y_is_whole_none_is_refused():
    with pytest.raises(ValueError, match="Input y contains NaN.*partial_y=True"):
        CVAERegressor(max_epochs=1).fit(TABLE, lists(HOLES))
