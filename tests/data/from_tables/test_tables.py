"""Sequences of a long table, beside what pandas and plain loops make of it."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, strategies as st

from loopcell.data import read, sequences_from_table
from loopcell.data.from_tables import Roles
from loopcell.data.from_tables.windows import windows
from loopcell.errors import DataError, UsageError


@pytest.fixture
def frame():
    """Five units whose rows are mixed, of 4 to 9 rows each."""
    drawn = np.random.default_rng(0)
    rows = [
        {
            "unit": f"u{unit}",
            "time": time,
            "a": drawn.normal(),
            "b": drawn.normal(),
            "mood": "xy"[unit % 2],
            "age": 10 * unit,
        }
        for unit in range(5)
        for time in range(4 + unit)
    ]
    names = ["unit", "time", "a", "b", "mood", "age"]
    return pd.DataFrame(rows, columns=names).sample(frac=1, random_state=0).reset_index(drop=True)


def test_the_rows_of_a_unit_are_those_of_pandas_groupby(frame):
    found = sequences_from_table(frame, input=("a", "b"), by="unit", time="time", target="mood", static="age")
    groups = dict(list(frame.sort_values("time").groupby("unit", sort=False)))
    names = list(frame["unit"].unique())  # in the order in which they first come
    assert list(found.units.ids["unit"]) == names
    for name, x, label, static in zip(names, found.X, found.y, found.static, strict=True):
        np.testing.assert_array_equal(x, groups[name][["a", "b"]].to_numpy())
        assert [label] == list(groups[name]["mood"].unique())
        assert [static[0]] == list(groups[name]["age"].unique())
    assert found.notes[0].startswith("the rows of unit 'u")
    assert found.notes[0].endswith("were not in the order of time, and were put into it")


@pytest.mark.parametrize(("window", "stride"), [(3, None), (3, 2), (5, 1), (4, 7), (8, 1)])
def test_windows_and_what_remains_are_those_of_a_plain_loop(frame, window, stride):
    found = sequences_from_table(
        frame, input="a", by="unit", time="time", target="remaining", window=window, stride=stride, cap=3
    )
    expected, lives = [], []
    for _, rows in frame.groupby("unit", sort=False):
        values = rows.sort_values("time")["a"].to_numpy()
        size, ends = min(window, len(values)), []
        end = len(values)
        while end >= size:
            ends.insert(0, end)
            end -= stride or 1
        expected += [(values[end - size : end].tolist(), min(3, len(values) - end)) for end in ends]
        lives += [len(values) - end for end in ends]
    assert [(x[:, 0].tolist(), left) for x, left in zip(found.X, found.y, strict=True)] == expected
    assert any("read as 3" in note for note in found.notes) == (max(lives) > 3)


def test_labels_of_units_are_added_to_what_remains(frame):
    asked = {"input": "a", "by": "unit", "time": "time", "window": 2, "last": True}
    names = list(frame["unit"].unique())
    left = {name: 100 * number for number, name in enumerate(names)}
    by_name = sequences_from_table(frame, target="remaining", unit_labels=left, **asked)
    in_order = sequences_from_table(frame, target="remaining", unit_labels=list(left.values()), **asked)
    assert list(by_name.y) == list(in_order.y) == list(left.values())
    every = sequences_from_table(frame, target="remaining", unit_labels=left, **{**asked, "last": False})
    first = [every.y[at] for at, span in enumerate(every.units.spans) if span[0] == 0]
    assert first == [left[name] + (frame["unit"] == name).sum() - 2 for name in names]
    labels = sequences_from_table(frame, unit_labels=left, **asked)
    assert list(labels.y) == list(left.values())
    with pytest.raises(DataError, match="there are 2 labels of units, and more units: unit 'u"):
        sequences_from_table(frame, unit_labels=[1, 2], **asked)
    with pytest.raises(DataError, match="there are 9 labels of units, and 5 units"):
        sequences_from_table(frame, unit_labels=[1] * 9, **asked)
    with pytest.raises(DataError, match="the labels of units have none for unit 'u"):
        sequences_from_table(frame, unit_labels={"other": 1}, **asked)


def test_a_window_has_the_label_of_its_last_row_and_is_left_out_without(frame):
    ordered = frame.sort_values(["unit", "time"]).reset_index(drop=True)
    ordered["level"] = np.where(ordered["time"] == 3, np.nan, ordered["time"] * 10.0)
    found = sequences_from_table(ordered, input="a", by="unit", target="level", window=2)
    assert list(found.y) == [10.0 * time for time in ordered["time"] if time not in (0, 3)]
    assert "5 of 25 windows have no label in their last row, and are left out" in found.notes


def test_each_step_has_its_label_and_every_row_is_in_one_window(frame):
    ordered = frame.sort_values(["unit", "time"])
    found = sequences_from_table(ordered, input="a", by="unit", target="mood", window=4, each_step=True)
    assert [len(x) for x in found.X] == [4, 4, 1, 4, 2, 4, 3, 4, 4]
    assert [label for labels in found.y for label in labels] == list(ordered["mood"])
    np.testing.assert_array_equal(np.concatenate(found.X)[:, 0], ordered["a"])


def test_several_targets_are_labels_of_each_step(frame):
    ordered = frame.sort_values(["unit", "time"])
    ordered["up"], ordered["late"] = (ordered["a"] > 0).astype(int), (ordered["time"] > 3).astype(float)
    ordered.iloc[2, ordered.columns.get_loc("late")] = np.nan
    asked = {"input": "a", "by": "unit", "window": 4, "each_step": True}
    found = sequences_from_table(ordered, target=("up", "late"), **asked)
    assert found.y.step_names == ("up", "late")
    np.testing.assert_array_equal(np.concatenate(found.y), ordered[["up", "late"]])
    one = sequences_from_table(ordered, target=("mood",), **asked)
    assert list(one.y) == list(sequences_from_table(ordered, target="mood", **asked).y)
    with pytest.raises(UsageError, match="up, late are several targets, which only the steps of a tagger have"):
        sequences_from_table(ordered, input="a", by="unit", target=("up", "late"))
    ordered.iloc[5, ordered.columns.get_loc("late")] = 2
    with pytest.raises(DataError, match=r"row 6.*column 'late' has 2.0; where several columns are targets each is a"):
        sequences_from_table(ordered, target=("up", "late"), **asked)


@given(st.integers(1, 60), st.integers(1, 20), st.integers(1, 25))
def test_windows_hold_to_what_they_promise(rows, size, stride):
    pieces = windows(rows, Roles(input=("a",), window=size, stride=stride))
    assert pieces[-1].stop == rows
    assert {piece.stop - piece.start for piece in pieces} == {min(size, rows)}
    assert all(b.start - a.start == stride for a, b in pairwise(pieces))
    assert pieces[0].start < stride
    assert windows(rows, Roles(input=("a",), window=size, stride=stride, last=True)) == pieces[-1:]
    each = windows(rows, Roles(input=("a",), window=size, each_step=True))
    assert [at for piece in each for at in range(piece.start, piece.stop)] == list(range(rows))
    over = windows(rows, Roles(input=("a",), window=size, stride=min(stride, size), each_step=True))
    assert {at for piece in over for at in range(piece.start, piece.stop)} == set(range(rows))


def test_frames_and_files_give_the_same(frame, tmp_path):
    frame.to_csv(tmp_path / "t.csv", index=False)
    frame.to_parquet(tmp_path / "t.parquet")
    asked = {"input": ("a", "b"), "by": "unit", "time": "time", "target": "mood", "window": 3, "static": ("age",)}
    first = sequences_from_table(frame, **asked)
    tables = (pl.from_pandas(frame), pa.Table.from_pandas(frame), tmp_path / "t.csv", tmp_path / "t.parquet")
    for table in (*tables, read(tmp_path / "t.csv")):
        other = sequences_from_table(table, **asked)
        np.testing.assert_allclose(np.concatenate(other.X), np.concatenate(first.X), rtol=1e-12)
        assert list(other.y) == list(first.y)
        np.testing.assert_array_equal(other.static, first.static)
        np.testing.assert_array_equal(other.units.numbers, first.units.numbers)


def test_words_are_tokens_and_numbers_among_them_stay_words():
    table = pd.DataFrame({"s": [1, 1, 1, 2, 2], "word": ["in", "1984", ".", "7", "up"], "tag": list("PNDNP")})
    found = sequences_from_table(table, input="word", by="s", target="tag", each_step=True)
    assert list(found.X) == [["in", "1984", "."], ["7", "up"]]
    assert list(found.y) == [["P", "N", "D"], ["N", "P"]]


def test_rows_that_are_examples():
    table = pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.0], "label": ["p", "q"], "sex": ["f", None]})
    found = sequences_from_table(table, input=("a", "b"), target="label", static=("sex", "a"))
    assert [x.tolist() for x in found.X] == [[1, 3], [2, 4]]
    assert list(found.y) == ["p", "q"]
    assert found.units is None
    assert found.static.tolist() == [["f", 1.0], [None, 2.0]]
    found = sequences_from_table(table, input="a", target="b", cap=3.5)
    assert list(found.y) == [3.0, 3.5]
    assert found.notes == ("1 of 2 targets are larger than the cap, and read as 3.5",)


def test_a_static_column_may_lack_values_and_may_not_change(frame):
    frame.loc[frame["unit"] == "u3", "age"] = np.nan
    some = frame.assign(age=frame["age"].where(frame["time"] != 0))
    asked = {"input": "a", "by": "unit", "time": "time", "static": "age"}
    found = sequences_from_table(some, **asked)
    ages = dict(zip(found.units.ids["unit"], found.static[:, 0], strict=True))
    np.testing.assert_equal(ages, {"u0": 0.0, "u1": 10.0, "u2": 20.0, "u3": np.nan, "u4": 40.0})
    frame.loc[7, "age"] = 99
    name = frame.loc[7, "unit"]
    with pytest.raises(DataError, match=f"unit '{name}' has one value of what is static, and column 'age' has"):
        sequences_from_table(frame, **asked)


BAD = "unit,time,a,label\n1,1,0.5,x\n1,2,0.7,x\n2,1,0.1,y\n"


@pytest.mark.parametrize(
    ("text", "asked", "sentence"),
    [
        (BAD + "1,3,0.1,x\n", {}, "t.csv row 4 (line 5): unit '1' comes again, after other units and its rows up to "),
        (BAD.replace("0.7", "high"), {}, "t.csv row 2 (line 3), column 'a': 'high' is not a number"),
        (
            BAD.replace("1,2,0.7,x", "1,2,0.7,z"),
            {},
            "unit '1' has one label for its one sequence, and column 'label' has",
        ),
        (
            BAD.replace("2,1", ",1"),
            {},
            "t.csv row 3 (line 4): column 'unit' has nothing in it, so that the row is of no",
        ),
        (BAD, {"window": 3}, "a window of 3 rows is longer than every unit: the longest has 2"),
        (BAD.replace("1,2,0.7", "1,noon,0.7"), {"time": "time"}, "noon"),
        (BAD, {"input": "c"}, "has no column 'c'; it has unit, time, a, label"),
        (BAD, {"by": "machine"}, "there is no column 'machine'"),
        (BAD, {"by": (), "stride": 2}, "stride is about windows"),
        (BAD, {"last": True}, "last is about windows"),
        (BAD, {"window": 1, "last": True, "target": "remaining"}, "nothing is left of a unit after its last window"),
        (BAD, {"window": 0}, "window is a whole number from 1 up, got 0"),
        (BAD, {"window": 1, "cap": 3}, "column 'label': 'x' is not a number"),
        (BAD, {"each_step": True, "cap": 3}, "a cap is for sequences that have one number each"),
        (BAD, {"by": (), "unit_labels": [1]}, "labels of units are for rows that are steps"),
        (
            BAD,
            {"each_step": True, "target": "remaining"},
            "the target 'remaining' is for sequences that have one label",
        ),
        ("unit,time,a,label\n", {}, "has no rows"),
        (BAD.replace("x\n", "\n").replace("y\n", "\n"), {"window": 1}, "no window has a label in its last row"),
    ],
)
def test_what_makes_no_sequences_is_said(tmp_path, text, asked, sentence):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises((DataError, UsageError)) as error:
        sequences_from_table(tmp_path / "t.csv", **{"input": "a", "by": "unit", "target": "label", **asked})
    assert sentence in str(error.value).replace(f"{tmp_path}/", "")


@pytest.mark.parametrize("kind", ["numbers", "dates"])
def test_times_of_steps_go_with_their_windows(frame, kind):
    start = np.datetime64("2024-01-01")
    frame["time"] = frame["time"] ** 2 if kind == "numbers" else start + np.array(frame["time"] ** 2, "timedelta64[D]")
    found = sequences_from_table(frame, input="a", by="unit", time="time", window=3)
    rows = {tuple(part["a"]): list(part["time"]) for _, part in frame.sort_values("time").groupby("unit")}
    wanted = [times[at : at + 3] for a, times in rows.items() for at in range(len(a) - 2)]
    assert sorted(map(tuple, wanted)) == sorted(tuple(pd.Series(times)) for times in found.times)
    assert [times[-1] for times in found.times] == [
        np.asarray(last, times.dtype) for last, times in zip(found.units.ids["time"], found.times, strict=True)
    ]
    assert sequences_from_table(frame.sort_values("unit"), input="a", by="unit").times is None


def test_times_in_another_form_and_in_several_columns_give_the_same_order(frame):
    asked = {"input": "a", "by": "unit"}
    days = pd.to_datetime("2024-01-28") + pd.to_timedelta(frame["time"], unit="D")  # over the end of a month
    wanted = sequences_from_table(frame, time="time", **asked)
    written = frame.assign(when=days.dt.strftime("%d.%m.%y"))
    parts = frame.assign(year=days.dt.year, month=days.dt.month, day=days.dt.day)
    for table, more in (
        (written, {"time": "when", "time_format": "%d.%m.%y"}),
        (parts, {"time": ("year", "month", "day")}),
        (frame.assign(when=days.dt.strftime("%d/%m/%Y")), {"time": "when"}),  # some say that the day is first
    ):
        found = sequences_from_table(table, **more, **asked)
        assert [x.tolist() for x in found.X] == [x.tolist() for x in wanted.X]
    with pytest.raises(DataError, match="frame row"):
        sequences_from_table(written, time="when", time_format="%Y-%m-%d", **asked)


def test_rows_of_one_time_are_said(frame):
    frame.loc[frame["time"] == 2, "time"] = 1
    found = sequences_from_table(frame, input="a", by="unit", time="time")
    assert "4 more of 5 units have rows of the same time" in found.notes[1]


def test_the_rows_of_a_unit_are_put_in_order_by_times_in_several_columns():
    days = pd.date_range("2023-12-30", periods=4, freq="D")
    frame = pd.DataFrame({"unit": "a", "year": days.year, "month": days.month, "day": days.day, "x": [0.0, 1, 2, 3]})
    found = sequences_from_table(frame.iloc[::-1], input="x", by="unit", time=("year", "month", "day"))
    assert found.X[0][:, 0].tolist() == [0, 1, 2, 3]


def test_missing_numbers_of_steps_are_counted():
    frame = {"unit": ["a", "a", "b"], "x": ["1", "NA", "?"], "z": ["-", "4", "5"]}
    found = sequences_from_table(pd.DataFrame(frame), input=("x", "z"), by="unit")
    assert np.isnan(found.X[0]).tolist() == [[False, True], [True, False]]
    assert found.notes == ("2 of 3 values of x are missing", "1 of 3 values of z is missing")
