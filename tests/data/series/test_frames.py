"""Time series from every kind of table, and what a table may have wrong."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch

from loopcell.data import read, series_from
from loopcell.errors import DataError, UsageError

DAYS = ["2020-01-01", "2020-01-02", "2020-01-03", "2020-01-04"]
COLUMNS = {"day": DAYS, "sales": [1.0, 2.0, 4.0, 8.0], "price": [5.0, 5.0, 4.0, 4.0], "rain": [0.0, 1.0, 0.5, 0.0]}


def csv(columns: dict[str, list]) -> str:
    rows = zip(*columns.values(), strict=True)
    return "\n".join([",".join(columns), *(",".join(map(str, row)) for row in rows)]) + "\n"


@pytest.fixture
def write(tmp_path):
    def write(columns: dict[str, list], name="a.csv"):
        (tmp_path / name).write_text(csv(columns), encoding="utf-8")
        return tmp_path / name

    return write


@pytest.mark.parametrize("kind", ["path", "records", "polars", "polars dates", "pandas", "mapping", "mapping of times"])
def test_every_table_gives_the_same_series(write, kind):
    data = {
        "path": lambda: str(write(COLUMNS)),
        "records": lambda: read(write(COLUMNS)),
        "polars": lambda: pl.DataFrame(COLUMNS),
        "polars dates": lambda: pl.DataFrame(COLUMNS).with_columns(pl.col("day").str.to_date()),
        "pandas": lambda: pd.DataFrame(COLUMNS).assign(day=pd.to_datetime(COLUMNS["day"])),
        "mapping": lambda: COLUMNS,
        "mapping of times": lambda: {**COLUMNS, "day": np.array(DAYS, "datetime64[D]")},
    }[kind]()
    (found,) = series_from(data, target="sales", time="day", known=["price"], past=["rain"])
    assert (found.name, len(found), str(found.step)) == ("", 4, "1 day")
    assert found.times.tolist() == np.array(DAYS, "datetime64[us]").tolist()
    assert found.target.tolist() == [[1], [2], [4], [8]]
    assert (found.known[:, 0].tolist(), found.past[:, 0].tolist()) == (COLUMNS["price"], COLUMNS["rain"])
    assert (found.target_names, found.known_names, found.past_names) == (("sales",), ("price",), ("rain",))
    assert found.future_times(2).tolist() == np.array(["2020-01-05", "2020-01-06"], "datetime64[us]").tolist()
    assert repr(found) == "<series '': 4 steps every 1 day, 2020-01-01 to 2020-01-04; sales>"


def test_arrays_are_series_whose_rows_are_counted():
    (found,) = series_from(np.arange(6).reshape(3, 2))
    assert found.target.tolist() == [[0, 1], [2, 3], [4, 5]]
    assert (found.times.tolist(), found.target_names) == ([0, 1, 2], ("target_1", "target_2"))
    assert series_from(np.arange(3.0), target="x")[0].future_times(2).tolist() == [3, 4]


HOURS = pd.date_range("2024-01-01", periods=3, freq="h")


@pytest.mark.parametrize(
    "index",
    [
        HOURS,
        HOURS.rename("when"),
        HOURS.tz_localize("UTC").tz_convert("Asia/Seoul"),
        HOURS.to_period(),
        pd.DatetimeIndex(HOURS.astype("datetime64[s]")),
    ],
)
def test_an_index_of_times_is_the_times(index):
    frame = pd.DataFrame({"y": [1.0, 2.0, 3.0], "id": ["a", "b", "a"]}, index=index)
    (found,) = series_from(frame, target="y")
    assert found.times.tolist() == HOURS.to_numpy().astype("datetime64[us]").tolist()
    assert str(found.step) == "1 hour"
    assert [str(one.step) for one in series_from(frame, target="y", series="id")] == ["2 hours", "None"]
    assert series_from(frame.assign(t=[5, 6, 7]), target="y", time="t")[0].times.tolist() == [5, 6, 7]
    assert series_from(frame.reset_index(drop=True), target="y")[0].times.tolist() == [0, 1, 2]
    twice = "2024-01-01 10:00[+]09:00" if found.zone else "2024-01-01 01:00"
    with pytest.raises(DataError, match=f"frame row 3: the time {twice} is there twice"):
        series_from(frame.iloc[[0, 1, 1]], target="y")


@pytest.mark.parametrize(("data", "name", "clock"), [
    (pd.Series([1.0, 2.0, 3.0], HOURS, name="load"), "load", True),
    (pd.Series([1, 2, 3], HOURS), "value", True),
    (pd.Series([1.0, 2.0, 3.0]), "value", False),
    (pl.Series("load", [1, 2, 3]), "load", False),
    (pl.Series([1.0, 2.0, 3.0]), "value", False),
    ([1, 2.0, np.float32(3)], "target_1", False),
])  # fmt: skip
def test_a_series_of_pandas_or_polars_is_a_target_with_a_name(data, name, clock):
    (found,) = series_from(data)
    assert (found.target_names, found.target.tolist(), found.step.clock) == ((name,), [[1], [2], [3]], clock)
    assert series_from(data, target="y")[0].target_names == ("y",)


def test_all_columns_that_are_nothing_else_are_the_target(tmp_path):
    table = {"day": ["2024-01-01", "2024-01-02"], "shop": ["x", "x"], "a": [1, 2], "b": [3, 4], "price": [5, 6]}
    (found,) = series_from(table, target="all", time="day", series="shop", known=["price"])
    assert (found.target_names, found.target.tolist()) == (("a", "b"), [[1, 3], [2, 4]])
    (tmp_path / "t.csv").write_text("a,b\n1,3\n2,4\n", encoding="utf-8")
    assert series_from(tmp_path / "t.csv", target="all")[0].target_names == ("a", "b")
    assert series_from(np.zeros((3, 2)), target="all")[0].target_names == ("target_1", "target_2")
    assert series_from({"all": [1, 2], "b": [3, 4]}, target="all")[0].target_names == ("all",)  # a column of that name
    with pytest.raises(UsageError, match="name the column to forecast"):
        series_from({"price": [1, 2]}, target="all", known=["price"])


def test_a_list_of_arrays_is_several_series():
    found = series_from([np.arange(3.0), np.arange(8.0).reshape(4, 2)[:, :1]])
    assert [(one.name, len(one), one.target_names) for one in found] == [
        ("series_1", 3, ("target_1",)), ("series_2", 4, ("target_1",)),
    ]  # fmt: skip
    with pytest.raises(DataError, match="series 2 of 2: data row 2, column 'target_1': the value is missing"):
        series_from([np.arange(3.0), np.array([1, np.nan])])
    with pytest.raises(DataError, match="series 2 of 2 has 2 columns, and the first has 1; all series have the same"):
        series_from([np.arange(3.0), np.zeros((3, 2))])
    with pytest.raises(UsageError, match="this one has a list: put frames into one, with a column that tells"):
        series_from([[1.0, 2.0], [3.0, 4.0]])


def test_several_series_may_be_mixed():
    rows = {"t": [1, 1, 2, 3, 2], "shop": ["b", "a", "b", "b", "a"], "y": [10, 20, 11, 12, 21]}
    found = series_from(rows, target="y", time="t", series="shop")
    assert [(one.name, one.target[:, 0].tolist()) for one in found] == [("b", [10, 11, 12]), ("a", [20, 21])]
    assert [one.times.tolist() for one in found] == [[1, 2, 3], [1, 2]]
    with pytest.raises(
        DataError, match=r"^data row 2: the time 1 is there twice \(also data row 1\); if these are several"
    ):
        series_from(rows, target="y", time="t")


def test_a_part_of_a_series(write):
    (found,) = series_from(write(COLUMNS), target="sales", time="day", known=["price"])
    part = found[1:3]
    assert (len(part), part.target.tolist(), part.known.tolist()) == (2, [[2], [4]], [[5], [4]])
    assert np.shares_memory(part.target, found.target)
    with pytest.raises(UsageError, match="is cut by a slice"):
        found[::2]
    with pytest.raises(UsageError, match="is cut by a slice"):
        found[1]


@pytest.mark.parametrize(
    ("column", "row", "value", "reason"),
    [
        ("sales", 2, "", "row 3 (line 4), column 'sales': the value is missing"),
        ("sales", 1, "nan", "row 2 (line 3), column 'sales': the value is missing"),
        ("price", 3, "inf", "row 4 (line 5), column 'price': the value is infinite"),
        ("rain", 0, "much", "row 1 (line 2), column 'rain': 'much' is not a number"),
        ("day", 3, "2020-01-06", "row 4 (line 5): a gap: between 2020-01-03 and 2020-01-06 2 times are missing"),
        ("day", 2, "2020-01-02", "row 3 (line 4): the time 2020-01-02 is there twice (also "),
        ("day", 2, "2019-01-01", "row 3 (line 4): the time goes back, from 2020-01-02 to 2019-01-01; sort"),
        ("day", 2, "", "row 3 (line 4): there is no time like '2020-01-01'"),
        ("shop", 3, "", "row 4 (line 5), column 'shop': the row does not say which series it belongs to"),
    ],
)
def test_a_wrong_cell_is_named_by_file_and_row(write, column, row, value, reason):
    columns = {name: list(values) for name, values in {**COLUMNS, "shop": ["a"] * 4}.items()}
    columns[column][row] = value
    path = write(columns)
    with pytest.raises(DataError) as caught:
        series_from(
            path,
            target="sales",
            time="day",
            series="shop" if column == "shop" else None,
            known=["price"],
            past=["rain"],
        )
    assert str(caught.value).startswith(f"{path} {reason}")


def test_a_wrong_entry_of_an_array_is_named_by_its_row():
    times = np.array(["2020-01-01", "NaT", "2020-01-03"], "datetime64[ns]")
    with pytest.raises(DataError, match=r"^data row 2: 'NaT' is no time like"):
        series_from({"t": times, "y": np.zeros(3)}, target="y", time="t")
    with pytest.raises(DataError, match=r"^data row 2, column 'y': the value is missing$"):
        series_from({"y": np.array([0, np.nan])}, target="y")
    (found,) = series_from({"t": times[[0, 2]], "y": np.zeros(2)}, target="y", time="t")
    assert str(found.step) == "2 days"


def test_a_series_is_named_where_there_are_several(write):
    path = write({"t": [1, 2, 4, 1, 2], "id": list("aaabb"), "y": [0] * 5})
    with pytest.raises(DataError, match=r"row 3 \(line 4\) \(series 'a'\): a gap: between 2 and 4 1 time is missing"):
        series_from(path, target="y", time="t", series="id")


def test_gaps_and_missing_values_may_be_allowed(write):
    path = write({"t": [1, 2, 4], "y": [1, "", 3]})
    (found,) = series_from(path, target="y", time="t", regular=False, missing=True)
    assert found.step is None
    np.testing.assert_array_equal(found.target, [[1], [np.nan], [3]])
    with pytest.raises(UsageError, match="has no regular step, so its future times are not known"):
        found.future_times(1)
    with pytest.raises(DataError, match="is there twice"):
        series_from({"t": [1, 1], "y": [0, 0]}, target="y", time="t", regular=False)
    with pytest.raises(DataError, match="infinite"):
        series_from({"y": [0, np.inf]}, target="y", missing=True)


def test_columns_that_are_not_there_or_are_asked_for_twice(write):
    path = write(COLUMNS)
    with pytest.raises(
        DataError, match=r"a\.csv: there is no column 'sale': did you mean sales\? there are day, sales"
    ):
        series_from(path, target="sale")
    with pytest.raises(DataError, match=r"data: there is no column 'sale': did you mean sales\?"):
        series_from(COLUMNS, target="sale")
    with pytest.raises(UsageError, match="the column 'sales' is used twice"):
        series_from(path, target="sales", past=["sales"])
    with pytest.raises(UsageError, match=r"name the column to forecast \(target=\): there are day, sales"):
        series_from(path)
    with pytest.raises(UsageError, match=r"\(target=\): there is only sales$"):
        series_from({"day": np.arange(3), "sales": np.arange(3)}, time="day")
    with pytest.raises(UsageError, match=r"\(target=\): there is only sales$"):
        series_from(pd.DataFrame({"sales": range(3)}, pd.date_range("2024-01-01", periods=3)))
    with pytest.raises(UsageError, match="an array has no named columns"):
        series_from(np.zeros(3), time="t")
    with pytest.raises(UsageError, match="the array has 2 columns and there are 1 target names"):
        series_from(np.zeros((3, 2)), target="y")
    for bad in (np.zeros((2, 2, 2)), np.zeros(0)):
        with pytest.raises(DataError, match=r"a time series is an array \[T\] or \[T, K\]"):
            series_from(bad)
    for bad in ({"y": [1, 2], "t": [1]}, {"y": [[1]], "t": [1]}, {"y": [], "t": []}):
        with pytest.raises(DataError, match=r"the columns of a table are arrays \[T\] of one length"):
            series_from(bad, target="y", time="t")


class OnlyArray:
    """Has nothing but `__array__`."""

    def __array__(self, dtype=None, copy=None):
        return np.array([1.0, 2.0, 3.0])


@pytest.mark.parametrize(
    "data",
    [
        torch.tensor([1.0, 2.0, 3.0], requires_grad=True),
        [torch.tensor([1.0, 2.0, 3.0], dtype=torch.bfloat16)],
        np.ma.array([1.0, 2.0, 3.0], mask=False),
        OnlyArray(),
        [1, 2, 3],
    ],
)
def test_arrays_of_other_kinds(data):
    (series,) = series_from(data)
    assert series.target[:, 0].tolist() == [1, 2, 3]


def test_columns_of_other_kinds():
    data = {"y": torch.tensor([1, 2, 3]), "x": np.array([True, False, True]), "z": np.array([1, 2, 3], dtype=object)}
    (series,) = series_from(data, target="y", known=["x"], past=["z"])
    assert np.column_stack([series.target, series.known, series.past]).tolist() == [[1, 1, 1], [2, 0, 2], [3, 1, 3]]


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        (np.ma.array([1.0, 2.0, 3.0], mask=[0, 1, 0]), "data row 2, column 'y': the value is missing"),
        (np.array([1, 2, 3 + 1j]), "data, column 'y', has complex numbers"),
        (np.array(["2024-01-01"] * 3, "M8[D]"), "data, column 'y', has dates: give numbers"),
        (np.array([1, 2, 3], "m8[s]"), "data, column 'y', has spans of time"),
        (np.array([1, 2, 2**60 + 1]), "data, column 'y', has at step 3 the whole number"),
        (["1", "2", str(2**60 + 1)], "data row 3, column 'y': the whole number"),
        ([1, 2, 10**30 + 1], "data row 3, column 'y': the whole number"),
        (["1", "2", "x"], "data row 3, column 'y': 'x' is not a number"),
        ([np.timedelta64(1, "s")] * 3, "data, column 'y', has spans of time"),
        (torch.tensor([1, 2, 3j]), "data, column 'y', has complex numbers"),
    ],
)
def test_columns_that_are_no_real_numbers(values, complaint):
    with pytest.raises(DataError) as caught:
        series_from({"y": values}, target="y")
    assert str(caught.value).startswith(complaint)


def test_two_columns_of_one_name():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame([[1.0, 2.0]] * 3, columns=["y", "y"])
    with pytest.raises(DataError, match=r"^the frame has two columns 'y'; give every column its own name$"):
        series_from(frame, target="y")
