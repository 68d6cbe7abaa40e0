"""Columns of categories: words, or numbers that name something, as codes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from loopcell.data.examples.arrays import number_of_text
from loopcell.data.readers.records import Column
from loopcell.data.series.numbers import Floats, numbers_of
from loopcell.errors import DataError

NO_CATEGORY = frozenset({"", "NA", "N/A", "NaN", "nan", "NULL", "null", "None", "none", "-", "?"})


def codes_of(column: Sequence[Any]) -> tuple[Floats, tuple[str, ...]]:
    """Return a column as codes [T], NaN where there is no category, and the texts that they count, in order."""
    texts = [_text(cell) for cell in _values(column)]
    labels = tuple(sorted({text for text in texts if text is not None}))
    code: dict[str | None, float] = {text: float(number) for number, text in enumerate(labels)}
    return np.array([code.get(text, np.nan) for text in texts]), labels


def covariates_of(
    names: Iterable[str], columns: Mapping[str, Sequence[Any]], categories: Sequence[str], *, missing: bool
) -> tuple[dict[str, Floats], dict[str, tuple[str, ...]]]:
    """Return columns as numbers, those of words as codes; and of the latter the texts that the codes count.

    Args:
        names: of the columns.
        columns: all of the table.
        categories: columns that are categories whatever is in them.
        missing: let what is not there be NaN.

    Raises:
        DataError: as `numbers_of`; some cells of a column are numbers and others words.
    """
    numbers, labels = dict[str, Floats](), dict[str, tuple[str, ...]]()
    for name in names:
        if name in categories or is_of_words(columns[name]):
            numbers[name], labels[name] = codes_of(columns[name])
        else:
            numbers[name] = _numbers(name, columns[name], missing=missing)
    return numbers, labels


def is_of_words(column: Sequence[Any]) -> bool:
    """Return whether what is there in a column is text, and none of it a number."""
    values = _values(column)
    if isinstance(values, np.ndarray) and values.dtype.kind not in "OUT":
        return False
    words = {cell for cell in values if isinstance(cell, str) and cell.strip() not in NO_CATEGORY}
    others = any(not isinstance(cell, str) and _text(cell) is not None for cell in values)
    return bool(words) and not others and not any(map(_is_number, words))


def _numbers(name: str, column: Sequence[Any], *, missing: bool) -> Floats:
    try:
        return numbers_of(name, column, missing=missing)
    except DataError as error:
        if "is not a number" not in str(error):
            raise
        raise DataError(f"{error}; if the column names categories, say so (categories={name!r})") from error


def _values(column: Sequence[Any]) -> Any:
    return column.values if isinstance(column, Column) else column


def _text(cell: Any) -> str | None:
    """Return the text of a category, the same for 1, 1.0 and "1"; None where there is none."""
    if cell is None or cell != cell or str(cell).strip() in NO_CATEGORY or str(cell) == "NaT":  # noqa: PLR0124 - NaN
        return None
    if isinstance(cell, float | np.floating) and float(cell).is_integer():
        return str(int(cell))
    return str(cell).strip()


def _is_number(word: str) -> bool:
    try:
        number_of_text(word)
    except ValueError:
        return False
    return True
