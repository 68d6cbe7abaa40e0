"""Lines of a table to cells, with and without quotes, in any length; and how a table separates them."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, islice
from typing import Any, NamedTuple, TypeAlias

from loopcell.errors import LoopcellError

DELIMITERS = ",;\t|"
BLANKS = "blanks"  # the delimiter that is any number of blanks and tabs
LONGEST_CELL = 1 << 26  # characters, as of a line
LOOKED_AT = 50  # lines, of which the last one ends the look when they have
LONGEST_LOOK = 1 << 20  # characters

# Text that was decoded strictly has no surrogates, so one may stand for a CR inside a cell, at which `csv` stops.
_CARRIAGE_RETURN = "\udc0d"
_INSIDE = re.compile(r"\r(?=[^\r\n])")
_DIRECTIVE = re.compile(r'"?sep=([^\w\r\n])"?', re.IGNORECASE)

# A row as it comes from the file: its line and its cells; a str instead of cells says why it cannot be read.
Row: TypeAlias = tuple[int, list[str] | str]


class Beginning(NamedTuple):
    """The first lines of a text, and the text.

    Attributes:
        first: up to `LOOKED_AT` lines; fewer where the text ends, or cannot be read further.
        all: every line, the first ones too.
    """

    first: list[str]
    all: Iterator[str]


def look_ahead(text: Iterator[str]) -> Beginning:
    """Look at the first lines; an error among them is raised where it stands, after the lines before it."""
    first, failed, size = list[str](), list[LoopcellError](), 0
    try:
        for line in islice(text, LOOKED_AT):
            first.append(line)
            size += len(line)
            if size > LONGEST_LOOK:
                break
    except LoopcellError as error:
        failed.append(error)
    return Beginning(first, chain(first, _raising(failed), text))


def _raising(errors: list[LoopcellError]) -> Iterator[str]:
    for error in errors:
        raise error
    yield from ()


def directive(line: str) -> str | None:
    """Return the delimiter that Excel's first line `sep=;` names; None for any other line."""
    found = _DIRECTIVE.fullmatch(line.rstrip("\r\n"))
    return found[1] if found else None


def guess_delimiter(first: Sequence[str]) -> str:
    """Return the delimiter that the first line has most of, outside of quotes; else blanks where all fit; else a comma.

    Blanks fit where every line has as many cells as the first, two at least, and a column has numbers alone.
    """
    outside = re.sub(r'"[^"]*"', "", first[0]) if first else ""
    found = max(DELIMITERS, key=outside.count)
    if found in outside:
        return found
    rows = [_blank_cells(line) for line in first if line.strip()]
    even = len(rows) > 1 and len(rows[0]) > 1 and len({len(row) for row in rows}) == 1
    plain = not any(sign in line for line in first for sign in f'"{DELIMITERS}')
    if even and plain and any(all(map(is_number, column)) for column in zip(*rows[1:], strict=True)):
        return BLANKS
    return ","


def is_number(text: str) -> bool:
    """Return whether a cell is a number as Python reads one."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def split_rows(text: Iterator[str], delimiter: str, quote: str, start: int) -> Iterator[Row]:
    """Yield the rows of a table; a row ends where its line does, or where the last of its quotes closes.

    Args:
        text: lines, each with its end.
        delimiter: a character, or `BLANKS`.
        quote: what encloses a cell; "" for nothing.
        start: the number of the first line.
    """
    number, quoted = start, _QuotedRows(text, delimiter, quote) if quote else None
    for line in text:
        if quoted is not None and quote in line:
            cells, lines = quoted.row(line)
        else:
            bare = line.rstrip("\r\n")
            cells, lines = (_split(bare, delimiter) if bare else []), 1
        yield number, cells
        number += lines


def _split(line: str, delimiter: str) -> list[str]:
    return _blank_cells(line) if delimiter == BLANKS else line.split(delimiter)


def _blank_cells(line: str) -> list[str]:
    return re.split(r"[ \t]+", line.strip(" \t\r\n")) if line.strip(" \t\r\n") else []


class _QuotedRows:
    """Rows with quotes, split by the `csv` module, which takes further lines of the text where a quote stays open."""

    def __init__(self, text: Iterator[str], delimiter: str, quote: str) -> None:
        self._text, self._quote, self._blanks = text, quote, delimiter == BLANKS
        self._dialect: dict[str, Any] = {
            "delimiter": " " if self._blanks else delimiter,
            "quotechar": quote,
            "skipinitialspace": self._blanks,
            "strict": True,
        }
        self._first = ""
        self._taken: list[str] = []
        self._reader = csv.reader(self._lines(), **self._dialect)

    def row(self, line: str) -> tuple[list[str] | str, int]:
        """Return the cells of the row that begins with a line, or why it has none, and how many lines it takes."""
        self._first = _spaced(line) if self._blanks else line
        self._taken.clear()
        try:
            cells = next(self._reader)
        except csv.Error as error:
            return self._long_row() if "field larger" in str(error) else (_reason(error, self._quote), self._count())
        return [cell.replace(_CARRIAGE_RETURN, "\r") for cell in cells], self._count()

    def _count(self) -> int:
        return max(1, len(self._taken))

    def _lines(self) -> Iterator[str]:
        while line := self._first or next(self._text, ""):
            self._first = ""
            self._taken.append(_INSIDE.sub(_CARRIAGE_RETURN, line) if "\r" in line else line)
            yield self._taken[-1]

    def _long_row(self) -> tuple[list[str] | str, int]:
        """Return the same of a row with a long cell, from its beginning."""
        taken, self._taken = self._taken, []
        reader = csv.reader(chain(taken, self._lines()), **self._dialect)
        with _long_cells():
            try:
                cells: list[str] | str = [cell.replace(_CARRIAGE_RETURN, "\r") for cell in next(reader)]
            except csv.Error as error:
                cells = _reason(error, self._quote)
        return cells, len(taken) + len(self._taken)


def _spaced(line: str) -> str:
    return line.strip(" \t\r\n").replace("\t", " ") + "\n"


@contextmanager
def _long_cells() -> Iterator[None]:
    """Let the `csv` module take long cells; its limit belongs to the whole process, and comes back at once."""
    before = csv.field_size_limit(LONGEST_CELL)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _reason(error: csv.Error, quote: str) -> str:
    if "field larger" in str(error):
        limit = f"{LONGEST_CELL:,} characters"
        return f"a cell is longer than {limit}; is a quote {quote} open, or text? where quotes are text, say quote=''"
    if "unexpected end" in str(error):
        return f"a quote {quote} opens here and never closes; where quotes are text, say quote=''"
    return f"a quote {quote} stands where none can ({error}); where quotes are text, say quote=''"
