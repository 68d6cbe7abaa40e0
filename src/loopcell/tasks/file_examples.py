"""Examples from files: which columns are the sequences and what is known of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from loopcell.data import Column, Record, Records, read
from loopcell.errors import DataError, UsageError
from loopcell.tasks.config import FileExamples

# The columns that hold a sequence in kinds of files that name their own columns.
SEQUENCE_COLUMNS = ("text", "sequence", "series", "tokens", "values", "path")
TARGET_COLUMNS = ("label", "labels", "target")


class Loaded(NamedTuple):
    """Columns in memory.

    Attributes:
        X: the sequences.
        y: what is known of them.
        notes: what the user should know of how they were read.
    """

    X: Column
    y: Column
    notes: tuple[str, ...]


def load_examples(spec: FileExamples) -> Loaded:
    """Read sequences and targets into memory.

    Raises:
        DataError: a file cannot be read as asked, or has no such column; the sentence names file and row.
        UsageError: it is not clear which column is meant.
    """
    records = open_records(spec.files)
    names = input_column(records, spec.input), _chosen(records, spec.target, TARGET_COLUMNS, "target", "--label")
    X, y = records.load(*names)
    known = [_parts(cell, spec.separator) if spec.separator else cell for cell in y.values]
    # An empty cell of a table is a target that is not there, and no label of its own.
    y = Column([None if isinstance(cell, str) and not cell.strip() else cell for cell in known], y.origins, y.name)
    skipped = (str(records.skipped),) if records.skipped else ()
    return Loaded(X, y, (*records.notes, *skipped))


def open_records(files: Sequence[Path]) -> Records:
    """The rows of files, or of one folder."""
    return read(files[0] if len(files) == 1 else list(files))


def input_column(records: Records, named: str | None) -> str:
    """The column of the sequences; errors as `load_examples`."""
    return _chosen(records, named, SEQUENCE_COLUMNS, "sequence", "--input")


def blocks(records: Records, column: str, size: int) -> Iterator[list[Record]]:
    """The rows in blocks, so that any number of them takes little memory."""
    rows = records.read((column,))
    while block := list(islice(rows, size)):
        yield block


def as_column(block: Sequence[Record], name: str) -> Column:
    """One column of a block of rows."""
    return Column([record.get(name) for record in block], [record.origin for record in block], name)


def _chosen(records: Records, named: str | None, usual: Sequence[str], what: str, flag: str) -> str:
    if named is not None:
        if named not in records.columns:
            raise DataError(f"{records} has no column {named!r}; it has {', '.join(records.columns)}")
        return named
    found = [name for name in usual if name in records.columns]
    if len(found) != 1:
        raise UsageError(
            f"{records} has the columns {', '.join(records.columns)}: say with {flag} which one holds the {what}"
        )
    return found[0]


def _parts(cell: Any, separator: str) -> list[str]:
    return [part.strip() for part in str(cell or "").split(separator) if part.strip()]
