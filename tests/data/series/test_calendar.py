"""Steps by the calendar against pandas, which counts on its own: frequencies, zones, starts of all kinds."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

from loopcell.data import Step, series_from
from loopcell.data.series import read_stamps, shown
from loopcell.data.series.stamps import Stamps
from loopcell.data.series.times import find_step
from loopcell.errors import DataError, UsageError

FREQUENCIES = (
    "min", "15min", "90min", "h", "6h", "10s", "250ms", "D", "2D", "W", "W-WED", "2W", "B", "3B", "MS", "ME", "2MS",
    "2ME", "BMS", "BME", "QS", "QE", "QE-NOV", "BQS", "BQE", "YS", "YE", "YE-FEB", "BYS", "BYE", "SMS", "SME",
    "WOM-3FRI", "WOM-1MON",
)  # fmt: skip
ZONES = (None, "UTC", "Europe/Berlin", "America/New_York", "Asia/Seoul", "Australia/Lord_Howe", "Africa/Casablanca")
AHEAD = 12


def named(index):
    return f"row {index + 1}"


def instants(times):
    """A pandas index as we keep it: without a zone, or in UTC."""
    return (times if times.tz is None else times.tz_convert(None)).to_numpy().astype("datetime64[us]")


def found(times, zone=None, like=None):
    return find_step(Stamps(np.asarray(times, "datetime64[us]"), zone), named, like)


def days(*texts):
    return np.array(texts, "datetime64[us]")


def as_days(times):
    return times.astype("datetime64[D]").astype(str).tolist()


@settings(max_examples=100, deadline=None)
@given(
    frequency=st.sampled_from(FREQUENCIES),
    zone=st.sampled_from(ZONES),
    minutes=st.integers(0, 35 * 525_600),
    midnight=st.booleans(),
    count=st.integers(24, 80),
)
def test_every_frequency_of_pandas_goes_on_as_pandas_does(frequency, zone, minutes, midnight, count):
    start = pd.Timestamp("1995-01-01") + pd.Timedelta(days=minutes // 1440, minutes=0 if midnight else minutes % 1440)
    try:
        expected = instants(pd.date_range(start, periods=count + AHEAD, freq=frequency, tz=zone))
    except ValueError:  # a time that clocks leave out, which pandas refuses
        return
    regular = found(expected[:count], zone)
    assert regular.notes == ()
    after = regular.step.after(expected[count - 1], AHEAD)
    assert after.tolist() == expected[count:].tolist()
    assert Step.from_json(regular.step.to_json()) == regular.step
    last = regular.step.after(expected[count - 2], AHEAD)  # from any place, as a state goes on
    assert last.tolist() == expected[count - 1 : -1].tolist()


@settings(max_examples=60, deadline=None)
@given(
    day=st.integers(1, 31),
    months=st.sampled_from([1, 2, 3, 4, 6, 12]),
    start=st.integers(0, 600),
    count=st.integers(24, 60),
)
def test_the_same_day_of_every_month_or_its_last(day, months, start, count):
    first = [pd.Period("1980-01", "M") + start + months * number for number in range(count + AHEAD)]
    times = days(*(f"{month}-{min(day, month.days_in_month):02d}" for month in first))
    assert found(times[:count]).step.after(times[count - 1], AHEAD).tolist() == times[count:].tolist()


@pytest.mark.parametrize(
    ("times", "following"),
    [
        (["2022-12-28", "2023-01-28", "2023-02-28"], ["2023-03-28", "2023-04-28"]),
        (["2023-12-29", "2024-01-29", "2024-02-29"], ["2024-03-29", "2024-04-29"]),
        (["2023-12-30", "2024-01-30", "2024-02-29"], ["2024-03-30", "2024-04-30"]),
        (["2024-04-30", "2024-05-30", "2024-06-30"], ["2024-07-30", "2024-08-30"]),
        (["2023-12-31", "2024-01-31", "2024-02-29"], ["2024-03-31", "2024-04-30"]),
        (["2023-06-30", "2023-09-30", "2023-12-30", "2024-03-30"], ["2024-06-30", "2024-09-30"]),
        (["2020-02-29", "2021-02-28", "2022-02-28"], ["2023-02-28", "2024-02-29"]),
        (["2012-02-29", "2016-02-29", "2020-02-29"], ["2024-02-29", "2028-02-29"]),
        (["2020-02-28", "2021-02-28", "2022-02-28"], ["2023-02-28", "2024-02-28"]),
        (["2024-01-15", "2024-01-31", "2024-02-15", "2024-02-29", "2024-03-15", "2024-03-31"],
         ["2024-04-15", "2024-04-30"]),
        (["2024-01-16", "2024-01-18", "2024-01-23", "2024-01-25", "2024-01-30", "2024-02-01", "2024-02-06"],
         ["2024-02-08", "2024-02-13"]),
    ],
)  # fmt: skip
def test_by_hand(times, following):
    regular = found(days(*times))
    assert as_days(regular.step.after(days(times[-1])[0], 2)) == following
    assert regular.notes == ()


def test_two_days_of_the_month_that_cannot_be_told_apart_are_said():
    regular = found(days("2021-02-28", "2022-02-28", "2023-02-28"))
    assert as_days(regular.step.after(days("2023-02-28")[0], 1)) == ["2024-02-29"]
    assert regular.notes == (
        "every time is the last day of its month, and day 28 too: forecasts go on at the last day",
    )
    assert found(days("2021-06-30", "2022-06-30")).notes == ()  # both go on at 30 June


def test_weeks_of_other_days():
    times = pd.date_range("2024-01-01", periods=120)
    kept = instants(times[~times.day_of_week.isin([4, 5])])  # Sunday to Thursday
    assert found(kept[:60]).step.after(kept[59], 20).tolist() == kept[60:80].tolist()
    assert str(found(kept[:60]).step) == "1 day of Mon, Tue, Wed, Thu, Sun"


def test_a_holiday_is_a_gap_of_business_days():
    times = pd.bdate_range("2023-12-01", periods=40)
    with pytest.raises(DataError) as caught:
        found(instants(times[times != "2023-12-25"]))
    assert str(caught.value) == (
        "row 17: a gap: between 2023-12-22 and 2023-12-26 1 time is missing (the usual step is 1 business day). Fill "
        "them, let them be rows without values (fill_gaps=True), or say regular=False to count rows as steps"
    )


def test_first_business_days_with_holidays_are_said_and_do_not_drift():
    times = pd.date_range("2018-01-01", periods=72, freq="BMS")
    moved = instants(times + pd.to_timedelta((times.month == 1).astype(int), "D"))
    regular = found(moved[:60])
    assert regular.step.after(moved[59], 12).tolist() == instants(times)[60:].tolist()
    (note,) = regular.notes
    assert note == (
        "the times are every 1 month, at the first business day, and 5 of 60 times are not (the first is 2018-01-02, "
        "row 1): forecasts go on at the first business day"
    )


# --- zones ---------------------------------------------------------------------------------------------------------

BERLIN = pd.date_range("2024-03-01", periods=60, freq="D", tz="Europe/Berlin")


def test_berlin_midnights_in_every_form():
    expected = instants(BERLIN)
    forms = {
        "index": BERLIN,
        "datetimes": list(BERLIN.to_pydatetime()),
        "offsets": [time.isoformat() for time in BERLIN],
        "UTC": [time.tz_convert("UTC").isoformat() for time in BERLIN],
        "no zone, in UTC": list(BERLIN.tz_convert(None)),
    }
    for form, times in forms.items():
        (series,) = series_from({"t": times[:40], "y": np.arange(40.0)}, target="y", time="t")
        assert series.future_times(20).tolist() == expected[40:].tolist(), form
        zone = {"UTC": "UTC", "no zone, in UTC": None}.get(form, "Europe/Berlin")
        assert series.zone == zone, form
        assert len(series.notes) == (0 if form in ("index", "datetimes") else 1), form
    assert "the offsets of the times are those of Europe/Berlin and of" in series_from(
        {"t": forms["offsets"], "y": np.arange(60.0)}, target="y", time="t"
    )[0].notes[0]  # fmt: skip
    assert shown(expected[40], "Europe/Berlin") == "2024-04-10 00:00+02:00"
    assert shown(expected[0], "Europe/Berlin") == "2024-03-01 00:00+01:00"


def test_a_zone_is_kept_where_no_change_was_seen_yet():
    (series,) = series_from(pd.Series(np.arange(20.0), BERLIN[:20]))
    assert series.future_times(40).tolist() == instants(BERLIN)[20:].tolist()
    assert repr(series).startswith("<series '': 20 steps every 1 day, 2024-03-01 00:00+01:00 to 2024-03-20 00:00+01:00")


@pytest.mark.parametrize("start", ["2024-03-30", "2024-10-26"])
def test_hours_without_a_zone_across_a_change_of_the_clocks(start):
    hours = pd.date_range(start, periods=72, freq="h", tz="Europe/Berlin")
    clock = list(hours.tz_localize(None))
    with pytest.raises(DataError, match=r"if a clock was set forward or back there, name its zone \(zone=\)$"):
        found(clock)
    stamps = read_stamps(clock, "Europe/Berlin")
    assert stamps.times.tolist() == instants(hours).tolist()
    regular = find_step(stamps, named)
    assert (str(regular.step), regular.notes) == ("1 hour", ())


def test_a_midnight_that_clocks_leave_out():
    times = pd.date_range("2024-04-10", periods=40).tz_localize("Africa/Cairo", nonexistent="shift_forward")
    for count in (12, 25):  # before and after the one of 26 April, which is at 1 o'clock
        assert (
            found(instants(times)[:count], "Africa/Cairo").step.after(instants(times)[count - 1], 12).tolist()
            == instants(times)[count : count + 12].tolist()
        )


MIDNIGHTS = (  # zones in which midnight is left out, the first day and how many of them
    ("Asia/Beirut", date(2021, 1, 1), 800),
    ("America/Sao_Paulo", date(2015, 1, 1), 1000),
    ("Asia/Tehran", date(2018, 1, 1), 1100),
    ("Africa/Cairo", date(2023, 1, 1), 700),
    ("America/Asuncion", date(2020, 1, 1), 900),
)


@pytest.mark.parametrize(("zone", "start", "count"), MIDNIGHTS)
def test_days_in_zones_that_set_their_clocks_forward_at_midnight(zone, start, count):
    """Every form in which such days are written goes on at the midnights of the zone, and no note says otherwise."""
    every = [
        datetime(start.year, start.month, start.day, tzinfo=ZoneInfo(zone)) + timedelta(days=day)
        for day in range(count + 400)
    ]
    in_utc = [midnight.astimezone(UTC) for midnight in every]
    shows = [midnight.astimezone(ZoneInfo(zone)) for midnight in in_utc]  # 1 o'clock on the days without a midnight
    left_out = [clock for clock in shows[:count] if clock.hour]
    assert left_out
    assert {clock.hour for clock in shows} == {0, 1}
    expected = [midnight.replace(tzinfo=None) for midnight in in_utc[count:]]
    forms = {
        "as Python writes them": ([midnight.isoformat() for midnight in every], None, 1),
        "as clocks show them": ([clock.isoformat() for clock in shows], None, 1),
        "datetimes": (every, None, 0),
        "UTC": ([midnight.isoformat() for midnight in in_utc], None, 1),
        "named, as Python writes them": ([midnight.isoformat() for midnight in every], zone, 0),
        "named, dates": ([str(midnight.date()) for midnight in every], zone, 0),
        "named, as clocks show them": ([clock.replace(tzinfo=None).isoformat() for clock in shows], zone, 0),
    }
    for form, (times, name, notes) in forms.items():
        stamps = read_stamps(times[:count], name)
        regular = find_step(stamps, named)
        assert regular.step.after(stamps.times[-1], 400).tolist() == expected, form
        said = (*stamps.notes, *regular.notes)
        assert len(said) == notes, form
        assert not any("not even" in note or "written in UTC" in note for note in said), form
    # Without a zone midnights are all that is known, and what the zone would be.
    clocks = read_stamps([clock.replace(tzinfo=None).isoformat() for clock in shows[:count]])
    regular = find_step(clocks, named)
    assert [one.hour for one in regular.step.after(clocks.times[-1], 400).tolist()] == [0] * 400
    (note,) = regular.notes
    first = f"{left_out[0]:%F %R}, row {shows.index(left_out[0]) + 1}"
    assert f"{len(left_out)} of {count:,} are later (the first is {first}), where clocks in zones like {zone}" in note
    assert note.endswith(f"forecasts go by them if the zone is named (zone={zone!r})")


def test_other_steps_over_midnights_that_clocks_leave_out():
    zone = "Asia/Beirut"
    for frequency in ("W-SUN", "2D", "12h", "MS"):
        local = pd.date_range("2021-01-01", "2022-12-31", freq=frequency)
        times = instants(local.tz_localize(zone, nonexistent="shift_forward"))
        cut = int(np.searchsorted(times, np.datetime64("2022-03-01")))
        regular = found(times[:cut], zone)
        assert regular.step.after(times[cut - 1], len(times) - cut).tolist() == times[cut:].tolist(), frequency
        assert regular.notes == ()


def test_offsets_of_no_zone_are_said_and_do_not_contradict():
    times = pd.date_range("2024-01-01", periods=80, freq="D", tz="Europe/Berlin")
    offsets = [f"{one.tz_convert(None) + pd.Timedelta(hours=9 - day % 2)}+0{9 - day % 2}:00" for day, one in
               enumerate(times)]  # fmt: skip
    stamps = read_stamps(offsets)
    assert stamps.zone == "UTC"
    assert stamps.notes == ("the times have offsets of several zones (+08:00, +09:00); forecasts are written in UTC",)
    assert read_stamps(offsets, "Europe/Berlin").notes == ()


def test_wall_clocks_agree_with_pandas():
    from loopcell.data.series.zones import instants as at, wall

    drawn = np.random.default_rng(0).integers(-(10**9), 4 * 10**9, 2000)
    for zone in ("Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Africa/Casablanca", "+05:45", "-03:30"):
        times = drawn.astype("datetime64[s]").astype("datetime64[us]")
        there = pd.DatetimeIndex(times).tz_localize("UTC").tz_convert(zone).tz_localize(None)
        assert wall(times, zone).tolist() == there.to_numpy().astype("datetime64[us]").tolist()
        again = at(wall(times, zone), zone)
        assert (wall(again, zone) == wall(times, zone)).all()
        assert (again != times).mean() < 0.01  # the hour that comes twice


@pytest.mark.parametrize(
    ("cells", "zone", "error", "reason"),
    [
        (["2024-01-01", "2024-01-02T00:00Z"], None, DataError,
         "X[1]: '2024-01-02T00:00Z' (X[1]) has a zone and '2024-01-01' (X[0]) has none; write all times with a zone"),
        (["2024-01-01T00:00+01:00", "2024-01-02"], None, DataError,
         "X[1]: '2024-01-01T00:00+01:00' (X[0]) has a zone and '2024-01-02' (X[1]) has none"),
        (["2024-03-31 02:30"], "Europe/Berlin", DataError, "X[0]: clocks in Europe/Berlin never show 2024-03-31 02:30"),
        (["2024-03-31"], "Europe/Berln", UsageError, "there is no zone 'Europe/Berln': name one like 'Europe/Berlin'"),
        (["2024-03-31"], "../../etc/passwd", UsageError, "there is no zone '../../etc/passwd'"),
        ([3, 4], "UTC", UsageError, "zone='UTC' is for time stamps, and the times are numbers like 3"),
        (["20240130", "20240131"] + ["20240201"] * 9 + ["20240231"], None, DataError,
         "X[11]: '20240231' is no date like '20240130' in the form YYYYMMDD"),
        (["2024-01-01 00:00:00.0000000001"], None, DataError, "is no time as ISO 8601 writes it"),
        ([True, False], None, DataError, "X[0]: 'True' is no time"),
        ([1j, 2j], None, DataError, "X[0]: '1j' is no time"),
        (list(np.arange(1, 3).astype("m8[h]")), None, DataError, "X[0]: '1 hours' is no time"),
        ([2**64, 2**64 + 1], None, DataError, "X[0]: '18446744073709551616' is no time"),
        (["1e400"], None, DataError, "X[0]: '1e400' is no time"),
        (np.array([1, 2], "datetime64[ps]"), None, DataError, "X[0]: the time 1970-01-01T00:00:00.000000000001 cannot"),
    ],
)  # fmt: skip
def test_times_that_cannot_be_taken_are_named(cells, zone, error, reason):
    with pytest.raises(error) as caught:
        read_stamps(cells, zone)
    assert reason in str(caught.value)


def test_a_mixture_of_zones_is_found_across_series():
    table = {"t": ["2024-01-01", "2024-01-01T00:00Z"], "s": ["a", "b"], "y": [1, 2]}
    with pytest.raises(DataError, match=r"data row 2: .* has a zone and .* has none"):
        series_from(table, target="y", time="t", series="s")


# --- how times are written -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cells", "first", "following"),
    [
        ([20240130, 20240131, 20240201], "2024-01-30", "2024-02-02"),
        (np.array([20240130, 20240131, 20240201]), "2024-01-30", "2024-02-02"),
        ([20240130.0, 20240131.0, 20240201.0], "2024-01-30", "2024-02-02"),
        (["20240130.0", "20240131.0"], "2024-01-30", "2024-02-01"),
        (["20231231", "20240101"], "2023-12-31", "2024-01-02"),
        ([2024010122, 2024010123, 2024010200], "2024-01-01 22:00", "2024-01-02 01:00"),
        (["202401012330", "202401020000"], "2024-01-01 23:30", "2024-01-02 00:30"),
        (["20240101233000", "20240101233001"], "2024-01-01 23:30", "2024-01-01 23:30:02"),
        (["2024010118", "2024010124"], "2024-01-01 18:00", "2024-01-02 06:00"),
        ([202311, 202312, 202401], "2023-11-01", "2024-02-01"),
        ([2023364, 2023365, 2024001], "2023-12-30", "2024-01-02"),
    ],
)  # fmt: skip
def test_whole_numbers_that_are_dates(cells, first, following):
    stamps = read_stamps(cells)
    regular = find_step(stamps, named)
    assert shown(stamps.times[0]) == first
    assert shown(regular.step.after(stamps.times[-1], 1)[0]) == following
    assert len(stamps.notes) == 1
    assert f"is {first} (to count rows instead, leave out time=)" in stamps.notes[0]


@pytest.mark.parametrize("start", [200001, 1_700_000_000, 1_700_000_000_000, 20_240_101, 5, 19_990_101_000_000_000])
def test_whole_numbers_that_are_none(start):
    cells = [start + number for number in range(500)]
    notes = {
        20_240_101: "the times are read as numbers, not as dates: '20240101' is one in the form YYYYMMDD, '2024",
        1_700_000_000: "the times are read as numbers; time_format='s' reads them as seconds since 1970",
        1_700_000_000_000: "the times are read as numbers; time_format='ms' reads them as milliseconds since 1970",
    }
    found = read_stamps(cells)
    assert (found.times.tolist(), found.zone) == (cells, None)
    assert [note.startswith(notes[start]) for note in found.notes] == [True] * (start in notes)


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("2024-02-28 24:00", "2024-02-29"),
        ("2024-12-31T24:00:00", "2025-01-01"),
        ("2024-12-31T24:00:00.000", "2025-01-01"),
        ("20241231T24", "2025-01-01"),
        ("20240101T2200", "2024-01-01 22:00"),
        ("2024-W01-1", "2024-01-01"),
        ("2024-01-01 00:00:00.0000001", "2024-01-01 00:00:00.0000001"),
        ("2024-01-01T00:00:00.123456789", "2024-01-01 00:00:00.123456789"),
    ],
)  # fmt: skip
def test_forms_of_iso_8601(cell, expected):
    assert shown(read_stamps([cell]).times[0]) == expected


@pytest.mark.parametrize("frequency", ["M", "Q", "D", "W"])
def test_periods_of_pandas_are_their_starts(frequency):
    periods = pd.period_range("2024-01-01", periods=30, freq=frequency)
    expected = instants(periods.to_timestamp())
    rows = np.arange(20.0)
    for data in (
        pd.Series(rows, periods[:20]),
        pd.DataFrame({"t": periods[:20], "y": rows}),
        {"t": periods[:20], "y": rows},
    ):
        named_time = {} if isinstance(data, pd.Series) else {"time": "t", "target": "y"}
        (series,) = series_from(data, **named_time)
        assert series.future_times(10).tolist() == expected[20:].tolist()


def test_unix_times_of_nanoseconds_as_text():
    times = read_stamps([str(1_704_067_200_000_000_000 + 100 * number) for number in range(5)]).times
    assert np.diff(times).tolist() == [100] * 4


def test_stamps_of_100_nanoseconds():
    texts = [f"2024-01-01 00:00:00.{number:07d}" for number in range(1, 60)]
    arrays = np.datetime64("2024-01-01", "ns") + 100 * np.arange(1, 60).astype("timedelta64[ns]")
    for cells in (texts, arrays, [pd.Timestamp(time) for time in arrays]):
        stamps = read_stamps(cells)
        step = find_step(stamps, named).step
        assert str(step) == "0.1 microseconds"
        assert (
            step.after(stamps.times[-1], 3).tolist() == (arrays[-1] + 100 * np.arange(1, 4).astype("m8[ns]")).tolist()
        )
    whole = np.datetime64("2024-01-01T00:00:00.000005", "us")  # a row that microseconds would do for
    assert step.after(whole, 3).tolist() == (whole + 100 * np.arange(1, 4).astype("m8[ns]")).tolist()
    frame = pd.DataFrame({"t": arrays, "y": np.arange(59.0)})
    assert str(series_from(frame, target="y", time="t")[0].step) == "0.1 microseconds"


# --- jitter --------------------------------------------------------------------------------------------------------


def test_jitter_is_said_and_goes_on_around_its_grid():
    away = np.random.default_rng(0).normal(0, 1e6, 500).round().astype("timedelta64[us]")
    grid = np.datetime64("2024-01-01", "us") + 60_000_000 * np.arange(510).astype("timedelta64[us]")
    regular = found(grid[:500] + away)
    assert regular.step.after((grid[:500] + away)[-1], 10).tolist() == grid[500:].tolist()
    (note,) = regular.notes
    assert note.startswith(
        "the times are not even, and no rule of the calendar explains them: a step is taken as 1 min"
    )
    for count in (1, 2, 5):  # few new rows do not teach another step
        assert found((grid[:500] + away)[100 : 100 + count], like=regular.step) == (regular.step, ())


@pytest.mark.parametrize("frequency", ["B", "MS", "ME", "BMS", "D", "W", "h", "90s", "WOM-3FRI"])
@pytest.mark.parametrize("zone", [None, "Europe/Berlin"])
def test_what_jitters_around_the_calendar_goes_on_in_the_calendar(frequency, zone):
    expected = instants(pd.date_range("2024-01-01", periods=110, freq=frequency, tz=zone))
    away = np.random.default_rng(0).normal(0, 1e6, 110).round().astype("timedelta64[us]")
    for count in (99, 100):
        regular = found((expected + away)[:count], zone)
        assert regular.step.after((expected + away)[count - 1], 10).tolist() == expected[count : count + 10].tolist()
        assert (
            "the times are not even, and no rule of the calendar explains them: a step is taken as" in regular.notes[0]
        )


def test_times_at_any_hour_of_their_month():
    days = pd.date_range("2010-01-01", periods=100, freq="MS")
    times = instants(days + pd.to_timedelta(np.random.default_rng(0).uniform(0, 20, 100), "h"))
    after = found(times).step.after(times[-1], 3)
    assert as_days(after) == ["2018-05-01", "2018-06-01", "2018-07-01"]


def test_deviations_that_add_up_go_on_from_the_last_time():
    apart = np.random.default_rng(0).normal(60e6, 1e6, 3000).round().astype("timedelta64[us]")
    times = np.datetime64("2024-01-01", "us") + np.cumsum(apart)
    step = found(times).step
    assert step.size == pytest.approx(60e6, rel=1e-3)
    assert abs(step.after(times[-1], 1)[0] - times[-1] - np.timedelta64(60, "s")) < np.timedelta64(60, "ms")


def test_whole_numbers_that_jitter_do_not_lose_the_rest_of_their_step():
    times = np.arange(1000) * 15625 // 1000
    regular = find_step(Stamps(times), named)
    assert np.abs(regular.step.after(times[-1], 100) - (1000 + np.arange(100)) * 15.625).max() < 2
    assert len(regular.notes) == 1


def test_what_is_known_of_a_step_is_taken_where_few_times_could_be_either():
    business = found(instants(pd.bdate_range("2024-01-01", periods=60))).step
    week = instants(pd.bdate_range("2024-01-08", periods=5))
    assert found(week).step != business
    assert found(week, like=business) == (business, ())
    thirtieth = found(days("2024-01-30", "2024-02-29", "2024-03-30")).step
    assert found(days("2024-06-30"), like=thirtieth).step == thirtieth
    fifteenth = found(days("2024-06-15"), like=thirtieth).step  # of another series
    assert as_days(fifteenth.after(days("2024-06-15")[0], 1)) == ["2024-07-15"]


@pytest.mark.parametrize(
    "given",
    [
        [-1, False, True], [10**400, False, True], [1], None,
        [1, False, True, {"rule": {"days": "0000000", "time": 0}}],
        [1, False, True, {"rule": {"days": "1111100", "time": -1}}],
        [1, True, True, {"rule": {"places": [], "time": 0}}],
        [1, True, True, {"rule": {"places": [[0, "", ""]], "time": 0}}], [1, False, True, {"zone": "../../x"}],
        [1, True, True, {"rule": {"places": [[1, "", "forward"]], "time": 0}}], [1, False, True, {"grain": -1}],
        [1, False, True, {"rule": {"size": 0, "phase": 0}}], [1, False, True, {"rule": {"size": 1.5, "phase": 0}}],
        [0.1, True, True, {"rule": {"places": [[1, "", ""]], "time": 0}}], [1, False, True, 5],
    ],
)  # fmt: skip
def test_a_step_of_a_damaged_file_is_refused(given):
    with pytest.raises((ValueError, TypeError, KeyError)):
        Step.from_json(given)


def test_a_month_of_an_earlier_file_says_where_its_day_is_not_known():
    before = Step.from_json([1.0, True, True])
    assert found(days("2024-03-28"), like=before).notes == ()
    (note,) = found(days("2023-02-28"), like=before).notes
    assert note == "every time is the last day of its month, and day 28 too: forecasts go on at the last day"


def test_steps_of_earlier_files_are_read():
    assert Step.from_json([3600e6, False, True]) == Step(3600e6)
    assert as_days(Step.from_json([1.0, True, True]).after(days("2024-01-31")[0], 2)) == ["2024-02-29", "2024-03-31"]
