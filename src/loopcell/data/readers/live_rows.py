"""Rows of a table that comes line by line: its header, if it has one, its delimiter, and one row a line."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from loopcell.data.readers.cells import guess_delimiter, is_number, split_rows
from loopcell.data.readers.origins import Origin
from loopcell.data.readers.records import Record, listed, missing_column, twice_in
from loopcell.errors import DataError, UsageError, quoted

JSON_LINES, TABLE = "jsonl", "table"
NUMBERED = "column_"


class LineForm(NamedTuple):
    """The form of a stream's lines, as the user says it; None and nothing are found out.

    Attributes:
        kind: jsonl, or a table.
        header: whether the first line has the names of the columns.
        delimiter: what stands between cells.
        quote: what encloses a cell; "" for nothing.
        names: of the columns, in order.
    """

    kind: str | None = None
    header: bool | None = None
    delimiter: str | None = None
    quote: str | None = None
    names: tuple[str, ...] = ()


class LiveRows:
    """The cutting of lines into rows.

    Args:
        name: what the stream is called in errors.
        needed: the columns that are asked for.
        said: what the user says of the lines.
        layout: what an earlier stream had found out; empty for nothing.

    Attributes:
        notes: what was found out and should be known.
        layout: what a later stream has to know, as JSON values.
    """

    def __init__(self, name: str, needed: Sequence[str], said: LineForm, layout: Mapping[str, Any]) -> None:
        self._name, self._needed, self._said = name, tuple(needed), said
        self._known, self._begun, self._rows = dict(layout), False, 0
        self._names: tuple[str, ...] = ()
        self._kind = self._delimiter = ""
        self.notes: list[str] = []

    @property
    def layout(self) -> dict[str, Any]:
        """The form of the lines, for a later stream."""
        return {"kind": self._kind, "names": list(self._names), "delimiter": self._delimiter} if self._begun else {}

    def row(self, number: int, line: str) -> Record | None:
        """Return the row of a line; None for a header.

        Raises:
            DataError: the line is no row; the message names it.
            UsageError: it cannot be told which columns the stream has.
        """
        if not self._begun and self._begin(number, line):
            return None
        origin = Origin(self._name, self._rows + 1, number)
        if self._kind == JSON_LINES:
            found = Record(_json_row(line, origin), origin)
        else:
            cells = self._cells(line, origin)
            if tuple(cell.strip() for cell in cells) == self._names and len(cells) > 1:
                return None  # the header once more, as `tail` of a new file has it
            found = Record(dict(zip(self._names, self._fitting(cells, origin), strict=True)), origin)
        self._rows += 1
        return found

    # --- the first line --------------------------------------------------------------------------------------------

    def _begin(self, number: int, line: str) -> bool:
        """Find out what the lines are by the first one, and return whether it is a header."""
        known, said = self._known, self._said
        kind = {None: known.get("kind"), "jsonl": JSON_LINES}.get(said.kind, TABLE)
        self._kind = kind or (JSON_LINES if line.lstrip().startswith("{") else TABLE)
        if self._kind == JSON_LINES:
            self._begun = True
            return False
        self._delimiter = said.delimiter or known.get("delimiter") or guess_delimiter([line])
        cells = [cell.strip() for cell in self._cells(line, Origin(self._name, 0, number))]
        header = self._is_header(cells)
        self._names = self._named(number, cells, header=header)
        twice = twice_in(self._names)
        if twice is not None:
            raise DataError(f"{self._name} line {number}: two columns are called {quoted(twice)}")
        for name in self._needed:
            if name not in self._names:
                raise DataError(f"{self._name} line {number}: {missing_column(name, self._names)}")
        if self._delimiter != "," and said.delimiter is None and "delimiter" not in known and len(cells) > 1:
            self.notes.append(f"cells are separated by {self._delimiter!r}, as it seems; delimiter=... says otherwise")
        self._begun = True
        return header

    def _is_header(self, cells: Sequence[str]) -> bool:
        """Say whether a first line has names: as is said, or where a column that is asked for stands in it."""
        if self._said.header is not None:
            return self._said.header
        names = {*self._needed, *self._said.names, *self._known.get("names", ())}
        looks = any(cell in names for cell in cells) or self._by_place
        return looks and not any(map(is_number, cells))

    @property
    def _by_place(self) -> bool:
        """True if the columns that are asked for have numbers in place of names."""
        return all(name.startswith(NUMBERED) for name in self._needed)

    def _named(self, number: int, cells: Sequence[str], *, header: bool) -> tuple[str, ...]:
        if self._said.names:
            return self._said.names
        if header and not self._by_place:
            return tuple(cells)
        if self._known.get("names"):
            return tuple(self._known["names"])
        if self._by_place:
            return tuple(f"{NUMBERED}{place}" for place in range(1, len(cells) + 1))
        if len(cells) != len(self._needed):
            raise UsageError(
                f"{self._name} line {number} is no header, and has {len(cells)} cells where the model reads "
                f"{len(self._needed)} columns ({listed(self._needed)}): begin with the header, or name all columns in "
                "order (columns=)"
            )
        self.notes.append(
            f"the first line is no header: its cells are taken as {listed(self._needed)}; columns=... says otherwise"
        )
        return self._needed

    # --- one line --------------------------------------------------------------------------------------------------

    def _cells(self, line: str, origin: Origin) -> list[str]:
        tabs = self._delimiter == "\t"
        quote = ("" if tabs else '"') if self._said.quote is None else self._said.quote
        _, cells = next(split_rows(iter([line + "\n"]), self._delimiter, quote, 1))
        if isinstance(cells, str):
            raise DataError(f"{_place(origin)}: {cells}; a row of a stream is one line")
        return cells

    def _fitting(self, cells: list[str], origin: Origin) -> list[str]:
        if len(cells) == len(self._names):
            return cells
        there = "is 1 column" if len(self._names) == 1 else f"are {len(self._names)} columns"
        raise DataError(
            f"{_place(origin)}: it has {len(cells)} cell{'s' * (len(cells) != 1)} and there {there} "
            f"({listed(self._names)})"
        )


def _place(origin: Origin) -> str:
    return f"{origin.file} line {origin.line}"


def _json_row(line: str, origin: Origin) -> Mapping[str, Any]:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{_place(origin)} is not JSON: {str(error).partition(chr(10))[0]}") from error
    if not isinstance(found, dict):
        raise DataError(f"{_place(origin)} is no object of JSON: {quoted(found)}")
    return found
