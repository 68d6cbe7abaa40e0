"""Tables of text: CSV (RFC 4180) and TSV, with or without quotes and a header.

In TSV a quotation mark is a character like any other, as IANA's definition has it and as NSMC is written; in
CSV it encloses a field.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TypeAlias

from loopcell.data.readers.counted import Counted
from loopcell.data.readers.lines import lines
from loopcell.data.readers.opening import plain_name
from loopcell.data.readers.reading import FileRows, Reading
from loopcell.data.readers.records import Record, brief, file_origin, printable, twice_in
from loopcell.errors import DataError, UsageError

DELIMITERS = ",;\t|"
_NAME = re.compile(r"[^\W\d][\w \-]{0,63}")

# A row as it comes from the file: its line and its cells; a str instead of cells says why it cannot be read.
_Row: TypeAlias = tuple[int, list[str] | str]


@dataclass(frozen=True)
class Delimited:
    """A kind of table, to be given to `read` where the file's own look is not enough.

    Attributes:
        delimiter: the character between cells; None: a tab in `.tsv`, else whichever of `, ; | tab` the first
            line has most of.
        quote: the character that encloses a cell; "" for none; None: `"`, and none between tabs.
        header: whether the first row has the names; or the names. None: it has if they are distinct and none is
            a number (outside of `.csv` and `.tsv`: and all look like names). Without a header the
            columns are `column_1`, `column_2`, ...
        strip: whether blanks around cells are taken off.
    """

    delimiter: str | None = None
    quote: str | None = None
    header: bool | Sequence[str] | None = None
    strip: bool = False

    def __post_init__(self) -> None:
        """Refuse what no table can have."""
        if self.delimiter is not None and (len(self.delimiter) != 1 or self.delimiter in "\r\n"):
            raise UsageError(f"the delimiter is one character, got {self.delimiter!r}")
        if self.quote is not None and len(self.quote) > 1:
            raise UsageError(f"the quote is one character or none, got {self.quote!r}")

    def __call__(self, path: Path, reading: Reading) -> FileRows:
        """Open a table; DataError where it cannot be read as one."""
        text = lines(path, reading.encoding)
        first_line = next(text)
        text = chain([first_line], text)
        delimiter = self.delimiter or guess_delimiter(first_line)
        quote = ("" if delimiter == "\t" else '"') if self.quote is None else self.quote
        counted = Counted(path, text, delimiter)
        split = counted.by_row(_quoted(counted, delimiter, quote) if quote else _unquoted(counted, delimiter))
        rows = ((line, self._stripped(cells)) for line, cells in split)
        names, first, note = self._names(path, next(rows, None))
        body = chain([first] if first else [], rows)
        return FileRows(names, _records(path, names, body, reading), (note,) if note else ())

    def _stripped(self, cells: list[str] | str) -> list[str] | str:
        return [cell.strip() for cell in cells] if self.strip and isinstance(cells, list) else cells

    def _names(self, path: Path, first: _Row | None) -> tuple[tuple[str, ...], _Row | None, str]:
        """The columns' names, the first row if it is data, and what to say about it."""
        if first is None:
            raise DataError(f"{path} has no rows")
        line, cells = first
        if isinstance(cells, str):
            raise DataError(f"{path} line {line}: {cells}")
        if not cells:
            raise DataError(f"{path} line {line} is blank; a table begins with its header or its first row")
        if self.header is not None and not isinstance(self.header, bool):
            return _checked_names(path, self.header), first, ""
        shown = _shown(cells)
        if self.header is True:
            return _checked_names(path, cells), None, ""
        if self.header is None and _looks_like_names(cells, by_ending=_is_table(path)):
            note = f"{path}: the first line is taken as the header ({shown})"
            return _checked_names(path, cells), None, note
        note = "" if self.header is False else f"{path}: the first line is taken as data, not as a header ({shown})"
        return tuple(f"column_{number}" for number in range(1, len(cells) + 1)), first, note


def guess_delimiter(line: str) -> str:
    """The delimiter that a line has most of, outside of quotes; a comma where it has none."""
    outside = re.sub(r'"[^"]*"', "", line)
    return max(DELIMITERS, key=outside.count)


def _is_table(path: Path) -> bool:
    return plain_name(path).suffix.lower() in {".csv", ".tsv"}


def _looks_like_names(cells: Sequence[str], *, by_ending: bool) -> bool:
    """Whether a first row is a header rather than data."""
    names = [cell.strip() for cell in cells]
    if len(set(names)) < len(names) or any(is_number(name) for name in names):
        return False
    return by_ending or all(_NAME.fullmatch(name) for name in names)


def is_number(text: str) -> bool:
    """Whether a cell is a number as Python reads one."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def _checked_names(path: Path, cells: Sequence[str]) -> tuple[str, ...]:
    names = tuple(cell.strip() or f"column_{number}" for number, cell in enumerate(cells, 1))
    twice = twice_in(names)
    if twice is not None:
        raise DataError(f"{path} has two columns {brief(twice)}; give every column its own name (header=[...])")
    return names


def _unquoted(text: Iterator[str], delimiter: str) -> Iterator[_Row]:
    for number, line in enumerate(text, 1):
        bare = line.rstrip("\r\n")
        yield number, bare.split(delimiter) if bare else []


def _quoted(text: Iterator[str], delimiter: str, quote: str) -> Iterator[_Row]:
    reader = csv.reader(text, delimiter=delimiter, quotechar=quote, strict=True)
    while True:
        start = reader.line_num + 1
        try:
            yield start, next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield start, _csv_reason(error, quote)


def _csv_reason(error: csv.Error, quote: str) -> str:
    if "field larger" in str(error):
        limit = f"{csv.field_size_limit():,} characters"
        return f"a cell is longer than {limit}; is a quote {quote} open, or text? where quotes are text, say quote=''"
    if "unexpected end" in str(error):
        return f"a quote {quote} opens here and never closes; where quotes are text, say quote=''"
    return f"a quote {quote} stands where none can ({error}); where quotes are text, say quote=''"


def _records(path: Path, names: tuple[str, ...], rows: Iterator[_Row], reading: Reading) -> Iterator[Record]:
    row = 0
    for line, cells in rows:
        if cells == [] and len(names) > 1:
            reading.skipped.add("blank lines", f"{path} line {line}")
            continue
        row += 1
        if isinstance(cells, list) and len(cells) == len(names):
            yield Record(dict(zip(names, cells, strict=True)), file_origin(path, row, line))
        elif isinstance(cells, str):
            reading.bad_row(file_origin(path, row, line), "rows that cannot be split", cells)
        elif not cells:
            yield Record({names[0]: ""}, file_origin(path, row, line))
        else:
            there = "is 1 column" if len(names) == 1 else f"are {len(names)} columns"
            reason = f"it has {len(cells)} cell{'s' * (len(cells) > 1)} and there {there} ({_shown(names)})"
            reading.bad_row(file_origin(path, row, line), "rows with another number of cells", reason)


def _shown(cells: Sequence[str]) -> str:
    shown = [printable(cell if len(cell) <= 20 else cell[:20] + "...") for cell in cells[:8]]
    return ", ".join(shown) + (", ..." if len(cells) > 8 else "")
