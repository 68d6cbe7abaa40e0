"""Columns with one number in each row, which are no sequences."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from loopcell.data import Column
from loopcell.errors import UsageError

_NUMBER = re.compile(r"[+-]?(?:(?:0|[1-9]\d{0,14})(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?")


def demand_sequences(X: Column) -> None:
    """Refuse a column with one number in each row: read as text it would be a sequence of digits.

    Raises:
        UsageError: it is one; the sentence says how rows become sequences, and how digits are read as text.
    """
    if all(_is_one_number(value) for value in X.values):
        raise UsageError(
            f"column {X.name!r} has one number in each row ({X.values[0]}), and a sequence was expected: where rows "
            "are the steps of sequences, say --by COLUMN (a unit each) or --window ROWS, or "
            "put those of a sequence into one row, as a list in JSON lines or an array in npz; to read the digits as "
            "text, say --tokens char"
        )


def _is_one_number(value: Any) -> bool:
    """Say whether a cell is a number; with leading zeros, or longer than any that is counted, it is a code."""
    if isinstance(value, str):
        return _NUMBER.fullmatch(value.strip()) is not None
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
