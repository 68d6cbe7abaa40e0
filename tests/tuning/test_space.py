"""How choices are typed."""

import pytest

from loopcell.errors import UsageError
from loopcell.tuning.space import Interval, parse_choices


@pytest.mark.parametrize(
    ("text", "choices"),
    [
        ("32,64", (32, 64)),
        ("none, 24", (None, 24)),
        ("true,false", (True, False)),
        ("0.1,gru", (0.1, "gru")),
        ("1e-4..1e-2", Interval(1e-4, 1e-2)),
        ("16..256", Interval(16, 256)),
    ],
)
def test_choices_are_read(text, choices):
    assert parse_choices(text) == choices


@pytest.mark.parametrize("text", ["a..b", "1..", "..", "2..1"])
def test_an_interval_of_no_numbers_is_refused(text):
    with pytest.raises(UsageError, match="interval"):
        parse_choices(text)
