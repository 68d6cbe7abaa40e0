"""Examples from files: which columns are the sequences and what is known of them.

A row is an example, or, where `by` or `window` says so, a step of one.
"""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from loopcell.data import Column, Delimited, Origin, Records, pair, read, store
from loopcell.data.readers.blocks import in_blocks
from loopcell.data.readers.kinds import kind_named
from loopcell.data.readers.records import listed
from loopcell.errors import DataError, UsageError
from loopcell.tasks.config import Columns, FileExamples
from loopcell.tasks.step_tables import step_sequences

# The columns that hold a sequence in kinds of files that name their own columns.
SEQUENCE_COLUMNS = ("text", "source", "sequence", "series", "tokens", "values", "path")
TARGET_COLUMNS = ("label", "labels", "target")
ARRAY = ("values",)  # of the kinds npy and idx
IN_MEMORY = 1 << 28  # bytes of files, which may be compressed


class Loaded(NamedTuple):
    """Sequences and targets.

    Attributes:
        X: the sequences.
        y: what is known of them.
        notes: what the user should know of how they were read.
    """

    X: Column
    y: Column
    notes: tuple[str, ...]


def load_examples(spec: FileExamples) -> Loaded:
    """Read sequences and targets, into memory or, where the files are large, to columns on disk.

    Raises:
        DataError: a file cannot be read as asked, or has no such column; the sentence names file and row.
        UsageError: it is not clear which column is meant.
    """
    records = pair(*(_opened(spec, path) for path in spec.files)) if spec.paired else open_records(spec)
    target = _chosen(records, spec.target, TARGET_COLUMNS, "target", "--label")
    if spec.of_steps:
        columns = step_columns(records, spec, target)
        X, y = _transposed(list(step_sequences(records, columns, target, spec)), target)
        return Loaded(X, y, _notes(records))
    name = _chosen(records, spec.input, SEQUENCE_COLUMNS, "sequence", "--input")
    X, y = _columns(records, spec.files, name, target)
    known = [_parts(cell, spec.separator) if spec.separator else cell for cell in y.values]
    # An empty cell of a table is a target that is not there, and no label of its own.
    y = Column([None if isinstance(cell, str) and not cell.strip() else cell for cell in known], y.origins, y.name)
    return Loaded(X, y, _notes(records))


class LoadedInputs(NamedTuple):
    """Sequences of which nothing is to be known.

    Attributes:
        X: the sequences.
        notes: what the user should know of how they were read.
    """

    X: Column
    notes: tuple[str, ...]


def load_inputs(spec: FileExamples) -> LoadedInputs:
    """Read sequences alone; errors as `load_examples`."""
    records = open_records(spec)
    name = _chosen(records, spec.input, SEQUENCE_COLUMNS, "sequence", "--input")
    (X,) = _columns(records, spec.files, name)
    return LoadedInputs(X, _notes(records))


def blocks(records: Records, spec: FileExamples, size: int) -> Iterator[Column]:
    """The sequences in blocks of at most `size`, so that any number of them takes little memory."""
    if spec.of_steps:
        found = step_sequences(records, step_columns(records, spec, None), None, spec)
        pairs = ((values, origin) for origin, values, _ in found)
    else:
        name = _chosen(records, spec.input, SEQUENCE_COLUMNS, "sequence", "--input")
        pairs = ((record.get(name), record.origin) for record in records.read((name,)))
    for block in in_blocks(pairs, size):
        yield Column([value for value, _ in block], [origin for _, origin in block])


def as_trained(spec: FileExamples, training: Columns | None) -> FileExamples:
    """The files with the columns that a model was trained with, where nothing was said of them; errors as `read`."""
    return spec if training is None or spec.paired else spec.as_in(training, open_records(spec).columns)


def as_pair(spec: FileExamples, *, texts: bool) -> FileExamples:
    """Take two files of one column each, where no columns are named, for sequences and what is known of them.

    Args:
        spec: the files.
        texts: whether two texts are a pair, as for what writes; else only arrays (idx, npy) are.
    """
    if len(spec.files) != 2 or spec.input is not None or spec.target is not None:
        return spec
    pairs = texts or all(_opened(spec, path).columns == ARRAY for path in spec.files)
    return spec.model_copy(update={"paired": pairs})


def open_records(spec: FileExamples) -> Records:
    """The rows of files, or of one folder; errors as `read`."""
    return _opened(spec, spec.files[0] if len(spec.files) == 1 else list(spec.files))


def _opened(spec: FileExamples, source: Path | list[Path]) -> Records:
    if spec.quote is None:
        return read(source, kind=spec.kind, encoding=spec.encoding)
    table = kind_named(spec.kind or "csv").reader
    if not isinstance(table, Delimited):
        raise UsageError(f"{spec.kind} is no kind of table with quotes: leave out quote={spec.quote!r}")
    return read(source, kind=replace(table, quote=spec.quote), encoding=spec.encoding)


def step_columns(records: Records, spec: FileExamples, target: str | None) -> tuple[str, ...]:
    """The columns that make a step; UsageError where none are named."""
    if spec.input is None:
        rest = [name for name in records.columns if name not in (spec.by, target)]
        raise UsageError(f"say with --input which columns make a step, such as --input {','.join(rest[:20])}")
    return _all_present(records, spec.inputs)


def _chosen(records: Records, named: str | None, usual: Sequence[str], what: str, flag: str) -> str:
    if not records.columns:  # JSON lines without a line
        raise records.no_rows()
    if named is not None:
        return _present(records, named)
    found = [name for name in usual if name in records.columns]
    if len(found) != 1:
        raise UsageError(
            f"{records} has the columns {listed(records.columns)}: say with {flag} which one holds the {what}"
        )
    return found[0]


def _present(records: Records, name: str) -> str:
    return _all_present(records, (name,))[0]


def _all_present(records: Records, names: Sequence[str]) -> tuple[str, ...]:
    columns = records.columns
    there = set(columns)
    for name in names:
        if name not in there:
            raise DataError(f"{records} has no column {name!r}; it has {listed(columns)}")
    return tuple(names)


def _columns(records: Records, files: Sequence[Path], *names: str) -> tuple[Column, ...]:
    """Columns in memory, or in a temporary folder that goes away with them."""
    if sum(path.stat().st_size for path in files if path.is_file()) <= IN_MEMORY:
        return records.load(*names)
    folder = tempfile.mkdtemp(prefix="loopcell-")
    try:
        columns = store(records, folder, *names)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    weakref.finalize(columns[0], shutil.rmtree, folder, ignore_errors=True)
    return columns


def _transposed(found: list[tuple[Origin, Any, list[Any] | None]], name: str) -> tuple[Column, Column]:
    if not found:
        raise DataError("there are no rows")
    origins = [origin for origin, _, _ in found]
    return Column([X for _, X, _ in found], origins), Column([y for _, _, y in found], origins, name)


def _notes(records: Records) -> tuple[str, ...]:
    return (*records.notes, *((str(records.skipped),) if records.skipped else ()))


def _parts(cell: Any, separator: str) -> list[Any]:
    if isinstance(cell, list):  # of JSON lines, where nothing has to be split
        return cell
    return [part.strip() for part in str(cell or "").split(separator) if part.strip()]
