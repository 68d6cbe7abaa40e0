"""Times as people write them: day or month first, in a form of their own, in several columns, as numbers since 1970."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, strategies as st

from loopcell.data import Column, Origin, series_from
from loopcell.data.series.several_columns import read_time_columns
from loopcell.data.series.stamps import read_stamps
from loopcell.errors import DataError, UsageError


def column(cells, file="f.csv"):
    return Column(list(cells), [Origin(file, row, row + 1) for row in range(1, len(cells) + 1)])


FORMS = ["%d/%m/%Y %H:%M", "%m/%d/%Y %H:%M:%S", "%d.%m.%Y", "%Y/%m/%d %H:%M", "%m-%d-%Y %I:%M %p", "%d-%m-%Y"]
HOURS = pd.date_range("2023-01-29", periods=400, freq="7h").tolist()


@pytest.mark.parametrize("form", FORMS)
def test_the_column_tells_the_day_from_the_month(form):
    cells = [time.strftime(form) for time in HOURS]
    found = read_stamps(cells)
    expected = pd.to_datetime(cells, format=form).to_numpy().astype("datetime64[us]")
    assert found.times.tolist() == expected.tolist()
    (note,) = found.notes
    assert f"time_format={form!r}" in note  # the note's own form reads the same
    assert read_stamps(cells, time_format=form).times.tolist() == expected.tolist()


@given(
    st.lists(st.datetimes(datetime(1900, 1, 1), datetime(2099, 12, 31)), min_size=1, max_size=8),
    st.sampled_from(FORMS),
)
def test_a_named_form_reads_what_strptime_reads(times, form):
    cells = [time.strftime(form) for time in times]
    found = read_stamps(cells, time_format=form).times
    assert found.tolist() == [datetime.strptime(cell, form) for cell in cells]


def test_a_column_that_does_not_tell_is_refused_with_both_forms():
    with pytest.raises(UsageError) as caught:
        read_stamps(column(["1/2/2023 4:00 PM", "1/3/2023 4:00 PM"]))
    assert str(caught.value) == (
        "f.csv row 1 (line 2): '1/2/2023 4:00 PM' has the day or the month first, and no date of the column tells "
        "which: name time_format='%d/%m/%Y %I:%M %p' or time_format='%m/%d/%Y %I:%M %p'"
    )


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        (["13/2/2023", "2/14/2023"], "f.csv row 2 (line 3): '2/14/2023' has the day in another place than '13/2/2023'"),
        (["13/2/2023", "30/2/2023"], "f.csv row 2 (line 3): '30/2/2023' is no date (day first)"),
        (["13/2/2023", ""], "f.csv row 2 (line 3): there is no time like '13/2/2023'"),
        (["13/2/2023", "soon"], "f.csv row 2 (line 3): 'soon' is no time like '13/2/2023'"),
        (["13/2/2023", "14.2.2023"], "f.csv row 2 (line 3): '14.2.2023' is no time like '13/2/2023'"),
        (["13/2/2023 13:00 PM"], "f.csv row 1 (line 2): '13/2/2023 13:00 PM' is no date (day first)"),
        (["13/2/23"], "f.csv row 1 (line 2): '13/2/23' does not say which number is the year: name the form"),
        (["July 1, 2016"], "f.csv row 1 (line 2): 'July 1, 2016' is no time as ISO 8601 writes it"),
    ],
)
def test_bad_dates_are_named_by_their_lines(cells, reason):
    with pytest.raises((DataError, UsageError)) as caught:
        read_stamps(column(cells))
    assert str(caught.value).startswith(reason)


@pytest.mark.parametrize(
    ("form", "reason"),
    [
        ("%H:%M", "time_format='%H:%M': a form of times has a year (%Y)"),
        ("%%Y", "time_format='%%Y': a form of times has a year (%Y)"),
        ("%Y %Q", "time_format='%Y %Q': this is no form of times ('Q' is a bad directive"),
        ("%Y-%", "time_format='%Y-%': this is no form of times"),
    ],
)
def test_bad_forms(form, reason):
    with pytest.raises(UsageError) as caught:
        read_stamps(["2020"], time_format=form)
    assert str(caught.value).startswith(reason)


def test_a_cell_in_another_form_is_named():
    with pytest.raises(DataError) as caught:
        read_stamps(column(["2016/07/01", "2016/07/32"]), time_format="%Y/%m/%d")
    assert str(caught.value) == "f.csv row 2 (line 3): '2016/07/32' is no time in the format '%Y/%m/%d'"


def test_a_form_with_an_offset_has_a_zone():
    found = read_stamps(["01.07.2016 09:00 +0900", "01.07.2016 10:00 +0900"], time_format="%d.%m.%Y %H:%M %z")
    assert (found.zone, str(found.times[0])) == ("+09:00", "2016-07-01T00:00:00.000000")


@pytest.mark.parametrize(("unit", "size"), [("s", 1), ("ms", 10**3), ("us", 10**6), ("ns", 10**9), ("seconds", 1)])
def test_numbers_since_1970(unit, size):
    then = [datetime(2016, 7, 1), datetime(2016, 7, 1, 1)]
    counts = [int((time - datetime(1970, 1, 1)) / timedelta(seconds=1)) * size for time in then]
    for cells in (counts, [str(count) for count in counts], np.array(counts)):
        found = read_stamps(cells, time_format=unit)
        assert (found.zone, found.times.astype("datetime64[us]").tolist()) == ("UTC", then)
    assert read_stamps(counts, "Asia/Seoul", unit).zone == "Asia/Seoul"


def test_fractions_of_seconds_since_1970_are_exact():
    assert str(read_stamps(["1467331200.015"], time_format="s").times[0]) == "2016-07-01T00:00:00.015000"


@pytest.mark.parametrize("cell", ["", None, "soon", "nan", "1e40", True])
def test_what_is_no_number_since_1970(cell):
    with pytest.raises(DataError, match=r"f.csv row 2 \(line 3\)"):
        read_stamps(column(["1467331200", cell]), time_format="s")


def test_times_of_a_frame_need_no_form():
    times = pd.date_range("2020-01-01", periods=3, freq="D")
    for cells in (times.to_numpy(), times.tolist()):
        assert read_stamps(cells, time_format="%d/%m/%Y").times.tolist() == times.to_pydatetime().tolist()


# --- several columns -----------------------------------------------------------------------------------------------


def parts_of(times, *parts):
    return [[getattr(time, part) for time in times] for part in parts]


@pytest.mark.parametrize(
    "names",
    [
        ("year", "month", "day", "hour"),
        ("Year", "MONTH", "day ", "hour_"),
        ("yr", "mo", "dd", "hr"),
        ("a", "b", "c", "d"),
        ("연도", "월", "일", "시"),
    ],
)
def test_parts_of_a_time(names):
    columns = parts_of(HOURS, "year", "month", "day", "hour")
    found = read_time_columns(columns, names)
    assert found.times.tolist() == [time.to_pydatetime() for time in HOURS]
    assert bool(found.notes) == (names[0] == "a")


def test_names_tell_parts_in_any_order_and_texts_are_numbers():
    hour, year, day, month = parts_of(HOURS, "hour", "year", "day", "month")
    columns = [
        column([f"{value:02d}" for value in hour]),
        column([str(value) for value in year]),
        np.array(day),
        np.array(month, float),
    ]
    found = read_time_columns(columns, ("hour", "year", "day", "month"))
    assert found.times.tolist() == [time.to_pydatetime() for time in HOURS]


def test_a_date_and_a_time_of_the_day():
    dates, clocks = (column([time.strftime(form) for time in HOURS]) for form in ("%d/%m/%Y", "%H:%M:%S"))
    for form in (None, "%d/%m/%Y %H:%M:%S"):
        found = read_time_columns([dates, clocks], ("Date", "Time"), time_format=form)
        assert found.times.tolist() == [time.to_pydatetime() for time in HOURS]


@pytest.mark.parametrize("form", ["%Y-%m-%d", "%d/%m/%Y", "%Y%m%d", None])
@pytest.mark.parametrize("names", [("date", "hour"), ("day", "hr"), ("날짜", "시간")])
def test_a_date_beside_the_number_of_its_hour(form, names):
    dates = [time.date() if form is None else time.strftime(form) for time in HOURS]
    found = read_time_columns([column(dates), column([time.hour for time in HOURS])], names)
    assert found.times.tolist() == [time.to_pydatetime() for time in HOURS]
    other_way_round = read_time_columns([column([str(time.hour) for time in HOURS]), column(dates)], names[::-1])
    assert other_way_round.times.tolist() == found.times.tolist()


def test_a_date_beside_a_whole_clock_and_on_that_of_a_zone():
    days, clock = ["2023-03-26"] * 2, ([1, 3], [5, 0], [9, 0])
    found = read_time_columns([days, *clock], ("date", "hour", "minute", "second"), "Europe/Berlin")
    assert [str(time)[:19] for time in found.times] == ["2023-03-26T00:05:09", "2023-03-26T01:00:00"]
    with pytest.raises(DataError, match="never show 2023-03-26 02"):
        read_time_columns([days, [1, 2]], ("date", "hour"), "Europe/Berlin")


def test_hours_with_their_minutes_in_one_number_are_a_text():
    found = read_time_columns([["2024-01-31"] * 2, ["0530", "1800"]], ("date", "hour"))
    assert [str(time)[11:16] for time in found.times] == ["05:30", "18:00"]


def test_hour_24_is_the_end_of_a_day():
    found = read_time_columns([[2020, 2020], [2, 2], [28, 28], [23, 24]], ("year", "month", "day", "hour"))
    assert str(found.times[1])[:16] == "2020-02-29T00:00"


@pytest.mark.parametrize(
    ("columns", "names", "reason"),
    [
        ([[2015, 2015], [2, 2], [28, 29]], ("year", "month", "day"), "f.csv row 2 (line 3): there is no such time"),
        ([[2015, 2015], [2, 13], [1, 1]], ("year", "month", "day"), "f.csv row 2 (line 3): there is no such time"),
        ([["15", "15"], ["2", "3"]], ("year", "month"), "f.csv row 1 (line 2): there is no such time: year 15"),
        ([[20150101], [1300]], ("date", "time"), "f.csv row 1 (line 2): there is no such time: year"),
        ([[2015, 2015], [2, ""]], ("year", "month"), "f.csv row 2 (line 3), column 'month': the cell is empty"),
        ([[2015, 2015], [2, "Feb"]], ("year", "month"), "f.csv row 2 (line 3), column 'month': 'Feb' is no"),
        ([[2015, 2015], [2, 2.5]], ("year", "month"), "f.csv row 2 (line 3), column 'month': '2.5' is no whole number"),
        ([["2015-02-01"] * 2, [3, -1]], ("date", "hour"), "f.csv row 2 (line 3): there is no such time: year 2015"),
        ([["2015-02-01"] * 2, [3, ""]], ("date", "hour"), "f.csv row 2 (line 3), column 'hour': the cell is empty"),
        ([["2015-02-01 12:00"], [3]], ("date", "hour"), "f.csv row 1 (line 2): column 'date' has times of the day"),
        ([[7], [3]], ("date", "hour"), "f.csv row 1 (line 2): column 'date' has numbers that are no dates"),
        ([[2015], [3]], ("year", "day"), "the columns of the time are year, day: a time has its year, month, day"),
        ([[2015], [3]], ("month", "hour"), "the columns of the time are month, hour: a time has its year"),
        ([[2015], [3]], ("year", "years"), "the columns of the time are year, years: a time has its year"),
        ([[1], [2015]], ("x", "year"), "it is not clear which columns of the time are year, month: 'year' stands"),
        ([[1]] * 7, tuple("abcdefg"), "a time has at most 6 columns of numbers"),
    ],
)  # fmt: skip
def test_parts_that_are_no_time(columns, names, reason):
    with pytest.raises((DataError, UsageError)) as caught:
        read_time_columns([column(cells) for cells in columns], names)
    assert str(caught.value).startswith(reason)


def test_several_columns_are_on_the_clock_of_a_zone():
    times = pd.date_range("2023-03-25", periods=72, freq="h", tz="Europe/Berlin")  # clocks are set forward in it
    columns = parts_of(times, "year", "month", "day", "hour")
    found = read_time_columns(columns, ("year", "month", "day", "hour"), "Europe/Berlin")
    assert found.times.tolist() == times.tz_convert("UTC").tz_localize(None).to_pydatetime().tolist()
    columns[3][2] = 24
    with pytest.raises(DataError, match=r"there is no such time: .*hour 26"):
        read_time_columns([*columns[:3], [*columns[3][:5], 26, *columns[3][6:]]], ("year", "month", "day", "hour"))


@pytest.mark.parametrize("as_file", [False, True])
def test_a_series_of_four_time_columns(tmp_path, as_file):
    times = pd.date_range("2020-01-01", periods=40, freq="3h")
    frame = pd.DataFrame({"year": times.year, "month": times.month, "day": times.day, "hour": times.hour, "y": 1.0})
    frame.to_csv(tmp_path / "t.csv", index=False)
    data = str(tmp_path / "t.csv") if as_file else frame
    (found,) = series_from(data, target="all", time=("year", "month", "day", "hour"))
    assert (found.target_names, str(found.step)) == (("y",), "3 hours")
    assert found.future_times(1)[0] == times[-1] + pd.Timedelta(hours=3)


def test_a_form_without_a_column_of_times_is_refused():
    with pytest.raises(UsageError, match="time_format='s' is for time stamps: name their column"):
        series_from({"y": [1.0, 2.0]}, target="y", time_format="s")


# --- values that are not there -------------------------------------------------------------------------------------


WORDS = ["NA", "n/a", "NaN", "nan", "null", "NULL", "None", "-", "?", "", " ", "#N/A", "<NA>"]


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("as_file", [False, True])
def test_the_usual_words_are_missing_values(tmp_path, word, as_file):
    cells = ["1", word, "3", "4.5"]
    (tmp_path / "t.csv").write_text("y,z\n" + "".join(f"{cell},1\n" for cell in cells), encoding="utf-8")
    data = str(tmp_path / "t.csv") if as_file else {"y": cells, "z": [1] * 4}
    (found,) = series_from(data, target="y", known=["z"], missing=True)
    assert found.target[:, 0].tolist() == pytest.approx([1, np.nan, 3, 4.5], nan_ok=True)
    assert found.notes == ("1 of 4 values of y is missing",)
    with pytest.raises(DataError, match="column 'y': the value is missing"):
        series_from(data, target="y")


@pytest.mark.parametrize("named", [(-999,), (-999.0,), ("-999",), ("-999.00", "x")])
@pytest.mark.parametrize("cells", [["1", "-999", "-999.0", "4"], [1, -999, -999.0, 4], np.array([1, -999, -999, 4])])
def test_named_numbers_are_missing_by_value(named, cells):
    (found,) = series_from({"y": cells}, target="y", missing=True, missing_values=named)
    assert found.target[:, 0].tolist() == pytest.approx([1, np.nan, np.nan, 4], nan_ok=True)
    assert found.notes == ("2 of 4 values of y are missing",)


def test_another_word_stays_an_error_with_its_line(tmp_path):
    (tmp_path / "t.csv").write_text("y\n1\nNA\nunknown\n", encoding="utf-8")
    with pytest.raises(DataError) as caught:
        series_from(tmp_path / "t.csv", target="y", missing=True)
    assert "t.csv row 3 (line 4), column 'y': 'unknown' is not a number" in str(caught.value)
    (found,) = series_from(tmp_path / "t.csv", target="y", missing=True, missing_values=("unknown",))
    assert np.isnan(found.target[1:]).all()


def test_rows_to_come_are_not_counted_and_a_column_of_nothing_is_said():
    table = {"y": [1.0, None, 3.0, None, None], "z": [None] * 5, "w": [1, 2, 3, 4, None]}
    (found,) = series_from(table, target="y", known=["z", "w"], missing=True)
    assert found.notes == (
        "1 of 3 values of y is missing",
        "no value of z is there: all 5 are missing",
        "1 of 5 values of w is missing",
    )


def test_counts_are_of_the_whole_table():
    table = {"s": ["a", "b"] * 4, "y": [1.0, None, 2, 3, None, 5, 6, 7]}
    for one in series_from(table, target="y", series="s", missing=True):
        assert one.notes == ("2 of 8 values of y are missing",)
