"""Tables of text: CSV (RFC 4180) and TSV, with or without quotes and a header.

In TSV a quotation mark is a character like any other, as IANA's definition has it and as NSMC is written; in
CSV it encloses a field.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from loopcell.data.readers.cells import (
    BLANKS,
    Row,
    directive,
    guess_delimiter,
    is_number,
    look_ahead,
    split_rows,
)
from loopcell.data.readers.counted import Counted
from loopcell.data.readers.lines import lines
from loopcell.data.readers.opening import plain_name
from loopcell.data.readers.reading import FileRows, Reading
from loopcell.data.readers.records import Record, file_origin, twice_in
from loopcell.errors import DataError, UsageError, escaped, quoted

_NAME = re.compile(r"[^\W\d][\w \-]{0,63}")
_NUMBERED = re.compile(r"column_([1-9]\d*)")
_OTHERWISE = {True: "header=False takes it as data", False: "header=True takes it as the header"}
_SHOWN = {"\t": "tabs", " ": "single blanks", BLANKS: "blanks"}


class _Heading(NamedTuple):
    """The reading of a table's first row.

    Attributes:
        names: of the columns.
        data: the first row, if it is one; else there is none.
        notes: what it is taken for, where that is not sure.
    """

    names: tuple[str, ...]
    data: tuple[Row, ...] = ()
    notes: tuple[str, ...] = ()


class _HeaderGuess(NamedTuple):
    """The answer to whether a first row is a header; if unsure, what says so and which argument says otherwise."""

    there: bool
    why: str = ""


@dataclass(frozen=True)
class Delimited:
    """A kind of table, to be given to `read` where the file's own look is not enough.

    Attributes:
        delimiter: the character between cells, or "blanks" for any number of blanks and tabs; None: a tab in `.tsv`,
            else what a line `sep=;` of Excel says, else whichever of `, ; | tab` the first line has most of, or
            blanks.
        quote: the character that encloses a cell; "" for none; None: `"`, and none between tabs.
        header: whether the first row has the names; or the names. None: it has where a column that is asked for
            stands in it, or else if its cells are distinct and none is a number (outside of `.csv` and `.tsv`: and
            all look like names). Without a header the columns are `column_1`, `column_2`, ...
        strip: whether blanks around cells are taken off.
        usual_header: what the kind of table has, where neither `header` nor a column that is asked for says; None
            looks at the first row.
    """

    delimiter: str | None = None
    quote: str | None = None
    header: bool | Sequence[str] | None = None
    strip: bool = False
    usual_header: bool | None = None

    def __post_init__(self) -> None:
        """Refuse what no table can have."""
        single = self.delimiter is None or (len(self.delimiter) == 1 and self.delimiter not in "\r\n")
        if not single and self.delimiter != BLANKS:
            raise UsageError(f"the delimiter is one character, or {BLANKS!r}, got {self.delimiter!r}")
        if self.quote is not None and len(self.quote) > 1:
            raise UsageError(f"the quote is one character or none, got {self.quote!r}")

    def __call__(self, path: Path, reading: Reading) -> FileRows:
        """Open a table; DataError where it cannot be read as one."""
        first, text = look_ahead(lines(path, reading.encoding))
        if not first:
            next(text)  # says why there is none
        said = directive(first[0])
        if said:
            next(text)
            first = first[1:]
        # What a file says of itself goes before what its ending does.
        delimiter = said if said and self.delimiter == "\t" else self.delimiter or said or guess_delimiter(first)
        quote = ("" if delimiter == "\t" else '"') if self.quote is None else self.quote
        start = 2 if said else 1
        counted = Counted(path, text, delimiter, start)
        split = counted.by_row(split_rows(counted, delimiter, quote, start))
        rows = ((line, self._stripped(cells)) for line, cells in split)
        heading = self._heading(path, next(rows, None), reading)
        settled = said or self.delimiter or any(name in heading.names for name in reading.named)
        notes = (
            *heading.notes,
            *(() if settled or delimiter == "," else (_of_delimiter(path, delimiter),)),
            *(() if quote or self.quote is not None else _of_quotes(path, first, delimiter)),
        )
        found = _records(path, heading, chain(heading.data, rows), reading)
        return FileRows(heading.names, found, notes)

    def _stripped(self, cells: list[str] | str) -> list[str] | str:
        return [cell.strip() for cell in cells] if self.strip and isinstance(cells, list) else cells

    def _heading(self, path: Path, first: Row | None, reading: Reading) -> _Heading:
        """Return the columns' names, the first row if it is data, and what to say about it."""
        if first is None:
            raise DataError(f"{path} has no rows")
        line, cells = first
        if isinstance(cells, str):
            raise DataError(f"{path} line {line}: {cells}")
        if not cells:
            raise DataError(f"{path} line {line} is blank; a table begins with its header or its first row")
        if self.header is not None and not isinstance(self.header, bool):
            return _Heading(_checked_names(path, self.header), (first,))
        header = _HeaderGuess(self.header) if self.header is not None else self._guess(path, cells, reading.named)
        taken = "the header" if header.there else "data, not as a header"
        note = f"{path}: the first line is taken as {taken} ({_shown(cells)}){header.why}"
        notes = (note,) if header.why else ()
        if header.there:
            return _Heading(_checked_names(path, cells), (), notes)
        return _Heading(tuple(f"column_{number}" for number in range(1, len(cells) + 1)), (first,), notes)

    def _guess(self, path: Path, cells: Sequence[str], named: Sequence[str]) -> _HeaderGuess:
        """Find out whether a first row is a header.

        Columns that are asked for by name say so: one that stands in the row, or `column_3` of a row without names.
        Where they say the same as the look of the row, nothing is left to guess.
        """
        usual = self.usual_header
        looks = _looks_like_names(cells, by_ending=_is_table(path)) if usual is None else usual
        names = {cell.strip() for cell in cells}
        asked = next((name for name in named if name in names), None)
        if asked is not None:
            return _HeaderGuess(True, "" if looks else f", for it has the column {asked!r}; {_OTHERWISE[True]}")
        numbers = {name: int(found[1]) for name in named if (found := _NUMBERED.fullmatch(name))}
        if numbers and all(number <= len(cells) and cells[number - 1].strip() for number in numbers.values()):
            why = f", for {next(iter(numbers))!r} is asked for; {_OTHERWISE[False]}"
            return _HeaderGuess(False, why if looks else "")
        return _HeaderGuess(looks, f"; {_OTHERWISE[looks]}" if usual is None else "")


def _of_delimiter(path: Path, delimiter: str) -> str:
    shown = _SHOWN.get(delimiter, repr(delimiter))
    return f"{path}: cells are separated by {shown}, as it seems; delimiter=... says otherwise"


def _of_quotes(path: Path, first: Sequence[str], delimiter: str) -> tuple[str, ...]:
    """Return a note where cells are enclosed by quotes that are read as characters."""
    for line in first:
        enclosed = next((cell for cell in line.rstrip("\r\n").split(delimiter) if re.fullmatch('".+"', cell)), None)
        if enclosed is not None:
            kept = f"cells begin and end with quotes, which stay a part of them ({_shown([enclosed])})"
            return (f"{path}: {kept}; quote='\"' takes them off",)
    return ()


def _is_table(path: Path) -> bool:
    return plain_name(path).suffix.lower() in {".csv", ".tsv"}


def _looks_like_names(cells: Sequence[str], *, by_ending: bool) -> bool:
    """Return whether a first row is a header rather than data."""
    names = [cell.strip() for cell in cells]
    if len(set(names)) < len(names) or any(is_number(name) for name in names):
        return False
    return by_ending or all(_NAME.fullmatch(name) for name in names)


def _checked_names(path: Path, cells: Sequence[str]) -> tuple[str, ...]:
    names = tuple(cell.strip() or f"column_{number}" for number, cell in enumerate(cells, 1))
    twice = twice_in(names)
    if twice is not None:
        raise DataError(f"{path} has two columns {quoted(twice)}; give every column its own name (header=[...])")
    return names


def _repeats(cells: list[str] | str, names: tuple[str, ...]) -> bool:
    """Return whether a row is the header once more."""
    if not isinstance(cells, list) or len(cells) != len(names) or cells[-1].strip() != names[-1]:
        return False
    return all(
        cell.strip() == name or (not cell.strip() and _NUMBERED.fullmatch(name))
        for cell, name in zip(cells, names, strict=True)
    )


def _records(path: Path, heading: _Heading, rows: Iterator[Row], reading: Reading) -> Iterator[Record]:
    names, row = heading.names, 0
    has_header = not heading.data and len(names) > 1
    for line, cells in rows:
        if cells == [] and len(names) > 1:
            reading.skipped.add("blank lines", f"{path} line {line}")
            continue
        if has_header and _repeats(cells, names):  # files that were joined
            reading.skipped.add("lines that repeat the header", f"{path} line {line}")
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
            if any("\r" in cell for cell in cells):
                reason += "; there is a lone CR in it, which may be meant as the end of a line"
            reading.bad_row(file_origin(path, row, line), "rows with another number of cells", reason)


def _shown(cells: Sequence[str]) -> str:
    shown = [escaped(cell, 20) for cell in cells[:8]]
    return ", ".join(shown) + (", ..." if len(cells) > 8 else "")
