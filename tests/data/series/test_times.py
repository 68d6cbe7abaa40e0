"""Time stamps in the forms that people have, their step, and what is wrong with them, by row."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given, strategies as st

from loopcell.data import Column, Origin, series_from
from loopcell.data.series import read_times, regular_step
from loopcell.data.series.times import shown
from loopcell.errors import DataError


def named(index: int) -> str:
    return f"row {index + 1}"


def stamps(*texts: str) -> np.ndarray:
    return np.array(texts, "datetime64[us]")


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["2016-07-01 13:00:00", "2016-07-01T14:00"], ["2016-07-01T13", "2016-07-01T14"]),
        (["1949-01", "1949-02"], ["1949-01-01", "1949-02-01"]),
        (["2020-02-29"], ["2020-02-29"]),
        (["2020-01-01T00:00:00.015"], ["2020-01-01T00:00:00.015"]),
        (["2020-01-01T09:00+09:00", "2020-01-01T00:30Z"], ["2020-01-01T00:00", "2020-01-01T00:30"]),
        ([date(2020, 1, 1), date(2020, 1, 2)], ["2020-01-01", "2020-01-02"]),
        ([datetime(2020, 1, 1, 5, tzinfo=UTC)], ["2020-01-01T05"]),
        ([datetime(2020, 1, 1, 5, tzinfo=timezone(timedelta(hours=9)))], ["2019-12-31T20"]),
        ([np.datetime64("2020-01-01", "ns")], ["2020-01-01"]),
    ],
)
def test_time_stamps(cells, expected):
    found = read_times(cells)
    assert found.dtype == "datetime64[us]"
    assert found.tolist() == stamps(*expected).tolist()


def test_numbers_are_times_too():
    assert read_times(["3", "4"]).tolist() == [3, 4]
    assert read_times([3, np.int32(4)]).dtype == np.int64
    assert read_times(["0.5", "1"]).tolist() == [0.5, 1.0]
    assert read_times([]).tolist() == []


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        (["yesterday"], "f.csv row 1: 'yesterday' is no time as ISO 8601 writes it, 2016-07-01 13:00, or a number"),
        (["2020-01-01", "01/02/2020"], "f.csv row 2: '01/02/2020' is no time like '2020-01-01'"),
        (["2020-01-01", ""], "f.csv row 2: there is no time like '2020-01-01'"),
        ([datetime(2020, 1, 1), None], "f.csv row 2: there is no time like datetime.datetime(2020, 1, 1, 0, 0)"),
        (["1", "2020-01-01"], "f.csv row 2: '2020-01-01' is no time like '1'"),
        (["1", "2.5"], "f.csv row 2: '2.5' is no time like '1'"),
        ([0.5, float("nan")], "f.csv row 2: 'nan' is no time like 0.5"),
        ([np.datetime64("NaT")], "f.csv row 1: 'NaT' is no time as ISO 8601 writes it"),
        (["2020-13-01"], "f.csv row 1: '2020-13-01' is no time as ISO 8601"),
        (["2020-13"], "f.csv row 1: '2020-13' is no time as ISO 8601"),
    ],
)
def test_what_is_no_time(cells, reason):
    column = Column(cells, [Origin("f.csv", row) for row in range(1, len(cells) + 1)])
    with pytest.raises(DataError) as caught:
        read_times(column)
    assert str(caught.value).startswith(reason)


@pytest.mark.parametrize(
    ("times", "step", "following"),
    [
        (np.arange("2020-01-01T00", "2020-01-01T05", dtype="datetime64[h]"), "1 hour", "2020-01-01T05"),
        (np.arange("2020-01-01", "2020-01-05", dtype="datetime64[D]"), "1 day", "2020-01-05"),
        (
            np.arange("2020-01-01T00:00", "2020-01-01T01:00", 15, dtype="datetime64[m]"),
            "15 minutes",
            "2020-01-01T01:00",
        ),
        (stamps("2020-01-01", "2020-02-01", "2020-03-01"), "1 month", "2020-04-01"),
        (stamps("2020-01-31", "2020-02-29", "2020-03-31"), "1 month", "2020-04-30"),
        (stamps("2020-01-15T12", "2020-04-15T12", "2020-07-15T12"), "3 months", "2020-10-15T12"),
        (stamps("2019-01-01", "2020-01-01", "2021-01-01"), "12 months", "2022-01-01"),
        (stamps("2020-01-01", "2020-01-29", "2020-02-26"), "28 days", "2020-03-25"),
    ],
)
def test_the_step(times, step, following):
    found = regular_step(times.astype("datetime64[us]"), named)
    assert str(found) == step
    assert found.after(times[-1], 1)[0] == np.datetime64(following, "us")
    assert (np.diff(found.after(times[-1], 3)) > np.timedelta64(0)).all()


def test_the_step_of_numbers():
    found = regular_step(np.array([3, 5, 7]), named)
    assert (str(found), found.after(np.int64(7), 2).tolist()) == ("2", [9, 11])
    assert regular_step(np.array([0.1, 0.2, 0.3]), named).after(0.3, 1)[0] == pytest.approx(0.4)
    assert regular_step(np.array([7]), named) is None


def test_rounded_time_stamps_are_regular():
    """64 Hz in milliseconds is 15 or 16 of them, and the step is the mean."""
    times = np.datetime64("2020-01-01", "us") + (np.arange(1000) * 15625 // 1000 * 1000).astype("timedelta64[us]")
    assert regular_step(times, named).size == pytest.approx(15625, rel=1e-3)


@given(start=st.integers(0, 10**6), step=st.integers(1, 10**5), n=st.integers(4, 40), data=st.data())
def test_every_gap_and_duplicate_is_found(start, step, n, data):
    times = np.datetime64("2000-01-01", "us") + (start + step * np.arange(n)).astype("timedelta64[s]")
    assert regular_step(times, named) is not None
    at = data.draw(st.integers(1, n - 2))
    with pytest.raises(DataError, match=rf"^row {at + 1}: a gap: between .* 1 time is missing \(the usual step is"):
        regular_step(np.delete(times, at), named)
    with pytest.raises(DataError, match=rf"^row {at + 2}: the time .* is there twice \(also row {at + 1}\)"):
        regular_step(np.insert(times, at, times[at]), named)
    with pytest.raises(DataError, match=rf"^row {at + 2}: the time goes back, from .* to .*; sort the rows by time$"):
        regular_step(np.insert(times, at, times[at + 1]), named)


def test_the_sentence_about_gaps():
    hours = np.arange("2020-01-01T00", "2020-01-01T12", dtype="datetime64[h]").astype("datetime64[us]")
    with pytest.raises(DataError) as caught:
        regular_step(hours[[0, 1, 2, 6, 7, 8, 10, 11]], named)
    assert str(caught.value) == (
        "row 4: a gap: between 2020-01-01 02:00 and 2020-01-01 06:00 3 times are missing (the usual step is 1 hour); "
        "there are 2 such places. Fill them, let them be rows without values (fill_gaps=True), or say regular=False "
        "to count rows as steps"
    )
    months = stamps("2020-01-01", "2020-02-01", "2020-04-01", "2020-05-01")
    with pytest.raises(
        DataError, match=r"row 3: a gap: between 2020-02-01 and 2020-04-01 1 time is missing .* 1 month"
    ):
        regular_step(months, named)
    with pytest.raises(DataError, match=r"row 4: an uneven time: .* are not one step apart"):
        regular_step(np.array([0, 10, 20, 33, 43, 53]), named)


def test_times_are_shown_as_people_write_them():
    shown_as = ["2020-01-01", "2020-01-01 10:00", "2020-01-01 00:00:05", "2020-01-01 00:00:00.015", "2020-01-10"]
    assert [shown(time) for time in stamps(*shown_as)] == shown_as
    assert [shown(np.int64(5)), shown(0.25)] == ["5", "0.25"]


@pytest.mark.parametrize("kind", [np.int64, np.float64, str])
def test_numbers_that_begin_as_dates_are_said_to_be_numbers(kind):
    cells = np.array([20240130, 20240131, 20240132]).astype(kind)
    (series,) = series_from({"t": cells, "v": [1.0, 2.0, 3.0]}, time="t", target="v")
    said = "the times are read as numbers, not as dates: '20240130' is one in the form YYYYMMDD, '20240132' none"
    assert said in [note.replace(".0'", "'") for note in series.notes]
    (counted,) = series_from({"t": [1, 2, 3], "v": [1.0, 2.0, 3.0]}, time="t", target="v")
    assert not counted.notes


def test_what_is_no_time_is_compared_as_it_was_written():
    times = np.array(["2023-01-01 23:00", "2023-01-01 24:30"])
    with pytest.raises(DataError, match="row 2: '2023-01-01 24:30' is no time like '2023-01-01 23:00'"):
        series_from({"t": times, "v": [1.0, 2.0]}, time="t", target="v")
