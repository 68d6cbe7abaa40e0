"""What holds numbers is read as they are meant, or refused in a sentence; nothing is lost on the way."""

from __future__ import annotations

import datetime as dt
import fractions
from decimal import Decimal

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st

from loopcell.data.examples import as_array, as_doubles, as_sequence, column_names, columns_by_name, is_table
from loopcell.errors import DataError

pandas = pytest.importorskip("pandas")
polars = pytest.importorskip("polars")
pyarrow = pytest.importorskip("pyarrow")
sparse = pytest.importorskip("scipy.sparse")

nan = float("nan")


class OnlyArray:
    """Has nothing but `__array__`."""

    def __array__(self, dtype=None, copy=None):
        return np.array([[1.0, 2.0], [3.0, 4.0]])


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (OnlyArray(), [[1, 2], [3, 4]]),
        (torch.tensor([[1.0, 2.0]], requires_grad=True), [[1, 2]]),
        (torch.tensor([1, 2], dtype=torch.bfloat16), [1, 2]),
        (torch.tensor([True, False]), [1, 0]),
        (torch.tensor([1 + 2j]).imag, [2]),
        (torch.tensor([1 + 2j]).conj().imag, [-2]),
        ([torch.tensor(1.5, requires_grad=True), torch.tensor(2)], [1.5, 2]),
        ([torch.tensor([1.0, 2.0]), [3, 4]], [[1, 2], [3, 4]]),
        (np.ma.array([1.0, 2.0], mask=[False, True]), [1, nan]),
        (np.ma.array([1, 2], mask=False), [1, 2]),
        ([np.ma.array([1.0, 2.0], mask=[False, True]), np.array([3.0, 4.0])], [[1, nan], [3, 4]]),
        ([1.0, np.ma.masked], [1, nan]),
        (np.array([1, None, 2.5], dtype=object), [1, nan, 2.5]),
        (np.array([1.5], dtype=np.longdouble), [1.5]),
        (np.array([np.longdouble(1.5)], dtype=object), [1.5]),
        ([Decimal("1.5"), fractions.Fraction(1, 4)], [1.5, 0.25]),
        (np.array([np.array([1.0, 2.0]), np.array([3.0, 4.0])]), [[1, 2], [3, 4]]),
        ([2**53, 0.5], [2**53, 0.5]),
        ([2**70], [2**70]),
        (np.array([2**63], dtype=np.uint64), [2**63]),
        (np.array([-(2**63), 3], dtype=np.int64), [-(2**63), 3]),
        (pandas.Series([1, None], dtype="Int64"), [1, nan]),
        (pandas.Series([1, pandas.NA], dtype=object), [1, nan]),
        (pandas.Series([1.0, 2.0], index=[7, 9]), [1, 2]),
        (pandas.Series([1.0, 0.0], dtype="Sparse[float]"), [1, 0]),
        (polars.Series([1, None]), [1, nan]),
        (polars.Series([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
        (pyarrow.array([1.5, 2.5]), [1.5, 2.5]),
        (pandas.DataFrame({"a": [1, 2], "b": [0.5, None]}), [[1, 0.5], [2, nan]]),
        (polars.DataFrame({"a": [1, 2], "b": [True, False]}), [[1, 1], [2, 0]]),
        (pyarrow.table({"a": [1, 2], "b": [3.0, 4.0]}), [[1, 3], [2, 4]]),
        (polars.LazyFrame({"a": [1, 2]}), [[1], [2]]),
    ],
)
def test_what_is_read(given, expected):
    np.testing.assert_array_equal(as_doubles(given, "x"), np.array(expected, dtype=float))


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        (np.array([1 + 0j]), "x has complex numbers: give the real and the imaginary part as two numbers"),
        (torch.tensor([1 + 2j]), "x has complex numbers: give"),
        ([1.0, 2j], "x has at step 2 2j, which is complex"),
        (np.array([1.0, 2j], dtype=object), "x has at step 2 2j, which is complex"),
        (np.array(["2024-01-01"], dtype="M8[ns]"), "x has dates: give numbers instead, such as the days since the fi"),
        ([dt.datetime(2024, 1, 1)], "x has at step 1 datetime.datetime"),
        (pandas.Series(pandas.to_datetime(["2024-01-01"]).tz_localize("UTC")), "x has at step 1 Timestamp"),
        (np.array([3], dtype="m8[s]"), "x has spans of time: divide them by a unit"),
        (["a", "b"], "x has texts, not numbers"),
        ([1.0, "2"], "x has texts, not numbers"),
        (np.array([1.0, "2"], dtype=object), "x has at step 2 '2', which is not a number"),
        (np.array([(1, 2.0)], dtype=[("a", int), ("b", float)]), "x has records with named fields"),
        (sparse.csr_matrix(np.eye(2)), "x is a sparse matrix; give it as an array: .toarray()"),
        (sparse.coo_array(np.zeros((2, 2))), "x is a sparse matrix"),
        (torch.eye(2).to_sparse(), "x is a sparse tensor; give it as a dense one: .to_dense()"),
        ([1, 2**60 + 1], "x has at step 2 the whole number 1152921504606846977, which a 64-bit floating-point"),
        (
            np.array([[2**63 + 1, 2]], dtype=np.uint64),
            "x has at step 1, value 1 of 2 the whole number 9223372036854775809",
        ),
        ([2**63 + 1, 0.5], "x has at step 1 the whole number 9223372036854775809, which a 64-bit"),
        ([10**400], "x has at step 1 the whole number 1000000"),
        (torch.tensor([2**60 + 1]), "x has at step 1 the whole number 1152921504606846977"),
        ([[1, 2], [3]], "x is ragged: step 2 has 1 number, and step 1 has 2; every step"),
        ([[1, [2]], [3, 4]], "x is ragged: a step has lists of different lengths"),
        (np.timedelta64(3, "s"), "x has spans of time"),
        ([torch.ones(2), torch.ones(3)], "x is ragged: step 2 has 3 numbers, and step 1 has 2"),
        (pandas.DataFrame([[1, 2]], columns=["a", "a"]), "x has two columns 'a'"),
        (pandas.DataFrame({"a": [1], "b": ["Seoul"]}), "x, column 'b', has at step 1 'Seoul', which is not a number"),
        (polars.DataFrame({"a": [1], "b": ["Seoul"]}), "x, column 'b', has "),
        (pandas.DataFrame({"t": pandas.to_datetime(["2024-01-01"])}), "x, column 't', has dates"),
        (pandas.DataFrame({"a": [2**60 + 1]}), "x, column 'a', has at step 1 the whole number"),
        (pandas.DataFrame({"a": [1j]}), "x, column 'a', has complex numbers"),
        (object(), "x has object"),
        ({"a": 1}, "x has {'a': 1}, which is not a number"),
    ],
)
def test_what_is_refused(given, complaint):
    with pytest.raises(DataError) as caught:
        as_doubles(given, "x")
    found = str(caught.value)
    assert found.startswith(complaint) or (complaint == "x has object" and "which is not a number" in found)


@given(st.lists(st.integers(-(2**64), 2**64), min_size=1))
def test_whole_numbers_are_exact_or_refused(numbers):
    try:
        found = as_doubles(numbers, "x")
    except DataError:
        assert any(int(float(number)) != number for number in numbers)
    else:
        assert [int(number) for number in found] == numbers


def test_dtypes_stay_where_they_say_something():
    assert as_array(np.zeros(2, np.int16), "x").dtype == np.int16
    assert as_array([1, 2], "x").dtype.kind == "i"
    with pytest.raises(DataError, match=r"^it has no value \(NaN\) at step 2$"):
        as_sequence(np.ma.array([1, 2], mask=[0, 1]), "it")


@pytest.mark.parametrize("kind", [pandas.DataFrame, polars.DataFrame, polars.LazyFrame, pyarrow.table])
def test_columns_go_by_their_names(kind):
    table = kind({"a": [1, 2], "b": [3, 4]})
    assert is_table(table)
    assert column_names(table, "x") == ["a", "b"]
    found = {name: list(np.asarray(column)) for name, column in columns_by_name(table, "x", ["b", "a"])}
    assert found == {"b": [3, 4], "a": [1, 2]}
    assert list(found) == ["b", "a"]
    with pytest.raises(DataError, match=r"^x has no column 'c', which the model was trained with; it has 'a', 'b'$"):
        list(columns_by_name(table, "x", ["a", "c"]))


def test_what_is_no_table():
    assert not any(is_table(one) for one in (np.zeros((2, 2)), [1], {"a": 1}, pandas.Series([1]), "a", None))
