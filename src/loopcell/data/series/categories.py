"""Columns of categories: words, or numbers that name something, as codes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from loopcell.data.examples.arrays import number_of_text
from loopcell.data.examples.missing_values import NONE_NAMED, MissingValues
from loopcell.data.readers.records import Column
from loopcell.data.series.numbers import Floats, numbers_of
from loopcell.errors import DataError

NONE_OF_PANDAS = ("nan", "NaT", "<NA>")


def codes_of(column: Sequence[Any], values: MissingValues = NONE_NAMED) -> tuple[Floats, tuple[str, ...]]:
    """Return a column as codes [T], NaN where there is no category, and the texts that they count, in order."""
    texts = [_text(cell, values) for cell in _values(column)]
    labels = tuple(sorted({text for text in texts if text is not None}))
    code: dict[str | None, float] = {text: float(number) for number, text in enumerate(labels)}
    return np.array([code.get(text, np.nan) for text in texts]), labels


def covariates_of(
    names: Iterable[str],
    columns: Mapping[str, Sequence[Any]],
    categories: Sequence[str],
    *,
    missing: bool,
    values: MissingValues = NONE_NAMED,
) -> tuple[dict[str, Floats], dict[str, tuple[str, ...]]]:
    """Return columns as numbers, those of words as codes; and of the latter the texts that the codes count.

    Args:
        names: of the columns.
        columns: all of the table.
        categories: columns that are categories whatever is in them.
        missing: let what is not there be NaN.
        values: what stands for that, beside the usual words.

    Raises:
        DataError: as `numbers_of`; some cells of a column are numbers and others words.
    """
    numbers, labels = dict[str, Floats](), dict[str, tuple[str, ...]]()
    for name in names:
        if name in categories or is_of_words(columns[name], values):
            numbers[name], labels[name] = codes_of(columns[name], values)
        else:
            numbers[name] = _numbers(name, columns[name], missing=missing, values=values)
    return numbers, labels


def is_of_words(column: Sequence[Any], values: MissingValues = NONE_NAMED) -> bool:
    """Return whether what is there in a column is text, and none of it a number."""
    cells = _values(column)
    if isinstance(cells, np.ndarray) and cells.dtype.kind not in "OUT":
        return False
    words = {cell for cell in cells if isinstance(cell, str) and not values.in_numbers(cell)}
    others = any(not isinstance(cell, str) and _text(cell, values) is not None for cell in cells)
    return bool(words) and not others and not any(map(_is_number, words))


def _numbers(name: str, column: Sequence[Any], *, missing: bool, values: MissingValues) -> Floats:
    try:
        return numbers_of(name, column, missing=missing, values=values)
    except DataError as error:
        if "is not a number" not in str(error):
            raise
        raise DataError(f"{error}; if the column names categories, say so (categories={name!r})") from error


def _values(column: Sequence[Any]) -> Any:
    return column.values if isinstance(column, Column) else column


def _text(cell: Any, values: MissingValues) -> str | None:
    """Return the text of a category, the same for 1, 1.0 and "1"; None where there is none."""
    if values.in_numbers(cell) or str(cell) in NONE_OF_PANDAS:
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
