"""Text by the line, JSON lines, and FASTA."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from loopcell.data.readers.lines import lines
from loopcell.data.readers.origins import Origin
from loopcell.data.readers.reading import FileRows, Reading, one_column
from loopcell.data.readers.records import Record, file_origin, twice_in
from loopcell.data.text.surrogates import demand_text
from loopcell.errors import DataError, quoted


def read_lines(path: Path, reading: Reading) -> FileRows:
    """Read text: every line is a row with the column `text`, empty ones too (the lines of two files may be pairs)."""
    found = enumerate(lines(path, reading.encoding), 1)
    return one_column("text", ((file_origin(path, number, number), line.rstrip("\r\n")) for number, line in found))


def read_whole(path: Path, reading: Reading) -> FileRows:
    """Read text: all of the file is one row with the column `text`, without the end of its last line."""
    rows = read_lines(path, reading).rows
    return one_column("text", ((file_origin(path, 1), "\n".join(row.values["text"] for row in rows)) for _ in range(1)))


def read_json_lines(path: Path, reading: Reading) -> FileRows:
    """Read JSON lines: one object per line; the columns are the names in the first one."""
    rows = _json_rows(path, reading)
    first = next(rows, None)
    if first is None:
        return FileRows((), iter(()))
    return FileRows(tuple(first.values), chain([first], rows))


def _json_rows(path: Path, reading: Reading) -> Iterator[Record]:
    row = 0
    for number, line in enumerate(lines(path, reading.encoding), 1):
        if not line.strip():
            reading.skipped.add("blank lines", f"{path} line {number}")
            continue
        row += 1
        origin = file_origin(path, row, number)
        try:
            value = json.loads(line, object_pairs_hook=_object)
        except _TwiceError as error:
            reading.bad_row(origin, "objects with a name twice", f"the name {error} is there twice in one object")
            continue
        except (ValueError, RecursionError) as error:
            reading.bad_row(origin, "lines that are not JSON", f"this is not JSON ({error})")
            continue
        if not isinstance(value, dict):
            got = quoted(line.strip(), 40)
            reading.bad_row(origin, "lines without an object", f"a row is a JSON object, got {got}")
        elif reading.to_learn and (wrong := _half_characters(value, line)) is not None:
            reading.bad_row(origin, "rows with lone surrogates", wrong)
        else:
            yield Record(value, origin)


def _half_characters(row: dict[str, Any], line: str) -> str | None:
    """Return the complaint about a row whose escapes make no text; a decoded file can hold them in no other way."""
    if "\\ud" not in line and "\\uD" not in line:
        return None
    try:
        for name, value in row.items():
            demand_text(name, "the name of a column")
            _demand_texts(value, f"column {name!r}")
    except DataError as error:
        return str(error)
    return None


def _demand_texts(value: Any, name: str) -> None:
    if isinstance(value, str):
        demand_text(value, name)
    elif isinstance(value, list):
        for at, item in enumerate(value):
            _demand_texts(item, f"{name}, item {at}")
    elif isinstance(value, dict):
        for key, item in value.items():
            demand_text(key, name)
            _demand_texts(item, name)


class _TwiceError(Exception):
    """A name that is there twice."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object, of whose values none is lost."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _TwiceError(quoted(twice_in(name for name, _ in pairs) or ""))
    return found


def read_fasta(path: Path, reading: Reading) -> FileRows:
    """Read FASTA: `id`, `description` and `sequence`, whose lines are joined."""
    return FileRows(("id", "description", "sequence"), _fasta_rows(path, reading))


def _fasta_rows(path: Path, reading: Reading) -> Iterator[Record]:
    title: str | None = None
    origin, parts = file_origin(path), list[str]()
    for number, line in enumerate(lines(path, reading.encoding), 1):
        text = line.strip()
        if text.startswith(">"):
            if title is not None:
                yield _fasta_record(title, parts, origin)
            title, parts, origin = text[1:], [], file_origin(path, origin.row + 1, number)
        elif title is not None:
            parts.append(text)
        elif text and not text.startswith(";"):  # a comment of the format's first days
            raise DataError(f"{path} line {number} is not FASTA: a sequence begins with a line '>name'")
    if title is not None:
        yield _fasta_record(title, parts, origin)


def _fasta_record(title: str, parts: list[str], origin: Origin) -> Record:
    name, _, description = title.partition(" ")
    return Record({"id": name, "description": description.strip(), "sequence": "".join(parts)}, origin)
