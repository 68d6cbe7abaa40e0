"""`.tsf`: the archive's own file, frequencies beside those of pandas, and what is none."""

from __future__ import annotations

import pandas as pd
import pytest

from loopcell.data import read, series_from
from loopcell.errors import DataError

HEAD = "# about\n@relation x\n@attribute name string\n@attribute start date\n"


def written(tmp_path, text):
    path = tmp_path / "a.tsf"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("name", "start", "rule"),
    [
        ("yearly", "1972-03-01 00-00-00", pd.DateOffset(years=1)),
        ("quarterly", "1999-01-31 00-00-00", pd.DateOffset(months=3)),
        ("monthly", "2000-01-31 00-00-00", pd.DateOffset(months=1)),
        ("weekly", "2000-02-27 00-00-00", pd.DateOffset(days=7)),
        ("daily", "2000-02-27 12-30-00", pd.DateOffset(days=1)),
        ("hourly", "2000-02-28 22-00-00", pd.DateOffset(hours=1)),
        ("half_hourly", "2000-02-28 22-00-00", pd.DateOffset(minutes=30)),
        ("10_minutes", "2000-02-28 23-50-00", pd.DateOffset(minutes=10)),
        ("4_seconds", "2000-02-28 23-59-58", pd.DateOffset(seconds=4)),
    ],
)
def test_times_go_on_as_those_of_pandas(tmp_path, name, start, rule):
    path = written(tmp_path, f"{HEAD}@frequency {name}\n@data\nT1:{start}:{','.join(map(str, range(30)))}\n")
    first = pd.to_datetime(start, format="%Y-%m-%d %H-%M-%S")
    # From the first date each: step by step pandas would stay on the last day of February.
    rules = [type(rule)(**{unit: count * step for unit, count in rule.kwds.items()}) for step in range(30)]
    times = read(path).column("time").values
    assert pd.to_datetime(times, format="ISO8601").tolist() == [first + one for one in rules]
    (series,) = series_from(path, target="value", time="time", series="name")
    assert series.target[:, 0].tolist() == list(range(30))
    assert series.step is not None


def test_missing_values_and_further_attributes(tmp_path):
    head = "@attribute name string\n@attribute state string\n@attribute n numeric\n@data\n"
    found = read(written(tmp_path, f"{head}T1:NSW:5:1.5,?,-3e2\n\nT2:VIC:6:NaN\n"))
    assert found.columns == ("name", "state", "n", "value")
    assert [tuple(record.values.values()) for record in found] == [
        ("T1", "NSW", "5", 1.5), ("T1", "NSW", "5", None), ("T1", "NSW", "5", -300.0), ("T2", "VIC", "6", None),
    ]  # fmt: skip
    assert [record.origin.line for record in found] == [5, 5, 5, 7]


def test_without_a_frequency_the_start_stays(tmp_path):
    found = read(written(tmp_path, f"{HEAD}@data\nT1:2000-01-01 00-00-00:1,2\n"))
    assert found.columns == ("name", "start", "value")
    assert found.column("start").values == ["2000-01-01 00-00-00"] * 2


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (HEAD, "a.tsf is not .tsf: it has no line @data"),
        ("some text\n@data\n", "a.tsf line 1 is not a header of .tsf: 'some text'"),
        ("@attribute x\n@data\n", "a.tsf line 1 is not a header of .tsf: '@attribute x'"),
        ("@frequency sometimes\n@data\n", "a.tsf line 1: there is no frequency 'sometimes': yearly, quarterly"),
        ("@frequency 0_days\n@data\n", "a.tsf line 1: there is no frequency '0_days'"),
        (f"{HEAD}@data\nT1:1,2\n", "a.tsf row 1 (line 6): it has 1 attributes, and there are 2"),
        (f"{HEAD}@frequency daily\n@data\nT1:x:1,2\n", "a.tsf row 1 (line 7): it starts at x, which is no time like"),
        (f"{HEAD}@frequency daily\n@data\nT1:2000-01-01 00-00-00:1,two\n", "(line 7): its value 2 is no number: two"),
        ("@attribute value string\n@data\na:1\n", "a.tsf has two columns 'value'; `time` and `value` are those of"),
    ],
)
def test_what_is_no_tsf(tmp_path, text, reason):
    with pytest.raises(DataError) as caught:
        list(read(written(tmp_path, text)))
    assert reason in str(caught.value)


def test_a_bad_line_may_be_left_out(tmp_path):
    path = written(tmp_path, "@attribute name string\n@data\na:1,x\nb:2\n")
    found = read(path, skip_bad_rows=True)
    assert found.column("name").values == ["b"]
    assert str(found.skipped).startswith("1 row skipped (lines that are no series: 1")
