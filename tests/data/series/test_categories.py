"""Categories are counted as pandas does; what is static has one value in a series; days are read from files."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, strategies as st

from loopcell.data.series import Layout, date_part, is_holiday, read_days, read_layout
from loopcell.data.series.categories import codes_of, is_of_words
from loopcell.errors import DataError, UsageError


@given(st.lists(st.sampled_from(["NW", "SE", "cv", "", "NA", None, "calm"]), min_size=1))
def test_codes_are_those_of_pandas(cells):
    missing = [None if cell in ("", "NA", None) else cell for cell in cells]
    expected = pd.Categorical(missing)
    codes, labels = codes_of(cells)
    assert labels == tuple(expected.categories)
    assert np.array_equal(codes, np.where(expected.codes < 0, np.nan, expected.codes), equal_nan=True)


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        (["a", "b"], True),
        (["a", None, "", "NA"], True),
        (["a", "1"], False),
        (["1", "2"], False),
        ([None, ""], False),
        ([1, 2.5], False),
        (np.arange(3), False),
        (np.array(["a", "b"]), True),
    ],
)
def test_columns_of_words_are_found(cells, words):
    assert is_of_words(cells) is words


def test_a_number_that_names_something_is_the_same_in_any_form():
    for cells in (["3", "10"], [3, 10], [3.0, 10.0], np.array([3, 10]), np.array([3.0, 10.0])):
        assert codes_of(cells)[1] == ("10", "3")


def table(**more):
    return {"s": ["a", "a", "b", "b"], "y": [1.0, 2.0, 3.0, 4.0], **more}


def test_what_is_static_is_kept_once():
    a, b = read_layout(
        table(size=[10, 10, None, 20], kind=["x", "x", "z", "z"]),
        Layout(target="y", series="s", static=("size", "kind"), missing=True),
    )
    assert a.static.tolist() == [10, 0]
    assert b.static.tolist() == [20, 1]
    assert a.categories == {"kind": ("x", "z")}
    assert a[:1].static is a.static


@pytest.mark.parametrize(
    ("column", "complaint"),
    [
        ([1, 2, 3, 3], "data row 2 (series 'a'): 'c' is 2, and 1 before in the same series"),
        (["u", "u", "v", "w"], "data row 4 (series 'b'): 'c' is w, and v before in the same series"),
    ],
)
def test_what_changes_is_not_static(column, complaint):
    with pytest.raises(DataError) as caught:
        read_layout(table(c=column), Layout(target="y", series="s", static=("c",), missing=True))
    assert str(caught.value).startswith(complaint)


def test_words_among_numbers_are_an_error_that_names_the_cure():
    with pytest.raises(DataError, match=r"data row 3, column 'c': 'x' is not a number; .* \(categories='c'\)"):
        read_layout(table(c=["1", "2", "x", "4"]), Layout(target="y", known=("c",), missing=True))


def test_parts_of_dates_are_those_of_pandas():
    times = pd.date_range("2023-12-28 01:00", "2025-01-03", freq="7h")
    for part, first in (("hour", 1), ("weekday", 1), ("month", 0)):
        expected = [getattr(time, part) for time in times.to_pydatetime()]
        expected = [number() if callable(number) else number for number in expected]
        assert date_part(times.to_numpy(), part).tolist() == [number + first for number in expected]
    days = np.array([time.timetuple().tm_yday for time in times.to_pydatetime()])
    assert date_part(times.to_numpy(), "dayofyear") == pytest.approx((days - 1) / 365 - 0.5)
    assert is_holiday(times.to_numpy(), ("2024-12-25",)).tolist() == [
        float(str(time)[:10] == "2024-12-25") for time in times
    ]


def test_days_are_read_from_lists_and_files(tmp_path):
    path = tmp_path / "days.csv"
    path.write_text("day,name\n2024-12-25,Christmas\n2024-01-01,New Year\n\n", encoding="utf-8")
    assert read_days((str(path),)) == read_days(("20241225", "2024-01-01 00:00:00")) == ("2024-01-01", "2024-12-25")
    assert read_days(()) == ()


@pytest.mark.parametrize(
    ("text", "error", "complaint"),
    [
        ("day\n2024-12-25\nsoon\n", DataError, "line 3: 'soon' begins with no day like 2024-12-25"),
        ("nothing\n", DataError, "there is no day in"),
        (b"\xff\xfe\x00", DataError, "is neither a day like 2024-12-25 nor a text file of such"),
        (None, DataError, "is neither a day like 2024-12-25 nor a text file of such"),
    ],
)
def test_days_that_are_none(tmp_path, text, error, complaint):
    path = tmp_path / "days.txt"
    if text is not None:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(error, match=complaint):
        read_days((str(path),))
    with pytest.raises(UsageError, match="holidays: '2024-13-01' is no day"):
        read_days(("2024-12-25", "2024-13-01"))
