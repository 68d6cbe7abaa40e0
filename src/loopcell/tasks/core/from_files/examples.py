"""Examples from files: which columns are the sequences and what is known of them.

A row is an example, or, where `by` or `window` says so, a step of one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from loopcell.data import Column, Records, pair
from loopcell.data.from_tables import RowExamples, capped, cut_units, row_examples, statics, wide_row
from loopcell.data.readers import Units
from loopcell.data.readers.blocks import in_blocks
from loopcell.data.readers.cells import is_number
from loopcell.data.readers.choosing import Choice
from loopcell.data.readers.files import open_files
from loopcell.data.readers.lines import check_encoding
from loopcell.data.readers.reading import Reading
from loopcell.data.readers.records import listed
from loopcell.data.readers.without_missing import without_missing
from loopcell.data.stored import stored_note
from loopcell.errors import DataError
from loopcell.tasks.core.from_files.column_choice import input_columns, step_columns, target_column
from loopcell.tasks.core.from_files.config import Columns, FileExamples
from loopcell.tasks.core.from_files.long_tables import (
    blocks_of,
    demand_windows,
    long_table,
    uneven_notes,
    unit_labels,
    with_beside,
)
from loopcell.tasks.core.from_files.opened import Tell, untold

ARRAY = ("values",)  # of the kinds npy and idx
LOOKED_AT = 100  # values of a column


class OpenedExamples(NamedTuple):
    """Files whose columns are known.

    Attributes:
        records: their rows.
        inputs: the column of the sequences, or several that make one.
        target: the column of what is known of them; None where a file of its own says that of units.
    """

    records: Records
    inputs: tuple[str, ...]
    target: str | None


class Loaded(NamedTuple):
    """Sequences and targets.

    Attributes:
        X: the sequences, with what is static beside them.
        y: what is known of them.
    """

    X: Any
    y: Column


def open_examples(spec: FileExamples, tell: Tell = untold) -> OpenedExamples:
    """Open files and find the columns of sequences and targets, without reading rows.

    Args:
        spec: the files and their columns.
        tell: called with what the user should know of the files and how they are read, before it could lead to an
            error, and with what was left out of them.

    Raises:
        DataError: a file cannot be read as asked, or has no such column; the sentence names file and row.
        UsageError: it is not clear which column is meant.
    """
    demand_windows(spec)
    records = _pair(spec, tell) if spec.paired else open_records(spec, tell)
    target = target_column(records, spec)
    inputs = step_columns(records, spec, target) if spec.of_steps else input_columns(records, spec)
    return OpenedExamples(records, inputs, target)


def load_examples(spec: FileExamples, tell: Tell = untold, *, each_step: bool = False) -> Loaded:
    """Open files and read all of them; arguments as `load_opened`, errors too."""
    return load_opened(spec, open_examples(spec, tell), tell, each_step=each_step)


def load_opened(spec: FileExamples, opened: OpenedExamples, tell: Tell = untold, *, each_step: bool = False) -> Loaded:
    """Read sequences and targets, into memory or, where the files are large, to columns on disk.

    Args:
        spec: the files and their columns.
        opened: the same, as `open_examples` found them.
        tell: called with what was left out of them.
        each_step: a sequence that is cut from a long table has a label for each step.

    Raises:
        DataError: a row cannot be used; the sentence names file and row.
        UsageError: the windows of a long table are longer than every unit.
    """
    records, inputs, target = opened
    if spec.of_steps:
        table = long_table(records, spec, (inputs, target), each_step=each_step, labels=unit_labels(spec))
        found = cut_units(table)
        for note in (*found.notes, *uneven_notes(table, spec)):
            tell(note)
        _tell_skipped(records, tell)
        assert found.y is not None
        return Loaded(with_beside(spec, found.X, found.static, found.times), found.y)
    assert target is not None
    rows = row_examples(records, inputs, (*spec.static, target), read=partial(_target, separator=spec.separator))
    for note in (*rows.notes, *_rows_notes(rows)):
        tell(note)
    static = statics(zip(*rows.beside[:-1], strict=True)) if spec.static else None
    y, note = capped(rows.beside[-1], spec.cap)
    if note:
        tell(note)
    _tell_skipped(records, tell)
    return Loaded(with_beside(spec, rows.X, static), y)


def load_inputs(spec: FileExamples, tell: Tell = untold, records: Records | None = None) -> Column:
    """Read sequences of which nothing is to be known.

    Args:
        spec: the files and their columns.
        tell: called with what the user should know of them.
        records: the same files, where they are open already.

    Raises:
        DataError: a row cannot be used; the sentence names file and row.
        UsageError: it is not clear which column is meant.
    """
    records = records or open_records(spec, tell)
    rows = row_examples(records, input_columns(records, spec), ())
    for note in (*rows.notes, *_rows_notes(rows)):
        tell(note)
    _tell_skipped(records, tell)
    return rows.X


def blocks(
    records: Records, spec: FileExamples, size: int, tell: Tell = untold, *, each_step: bool = False
) -> Iterator[Any]:
    """Yield the sequences in blocks of at most `size`, so that any number of them takes little memory.

    Of a long table a unit is in memory at a time; all of them where they are put into the order of time.
    """
    demand_windows(spec)
    if spec.of_steps:
        columns = step_columns(records, spec, None), None
        for found in blocks_of(long_table(records, spec, columns, each_step=each_step), size, tell):
            yield with_beside(spec, found.X, found.static, found.times)
        return
    names = input_columns(records, spec)
    for rows in in_blocks(records.read(tuple(dict.fromkeys([*names, *spec.static, *spec.carried]))), size):
        values = [wide_row([row.get(name) for name in names], names, row.origin) for row in rows]
        static = [[row.get(name) for name in spec.static] for row in rows]
        ids = {name: [row.get(name) for row in rows] for name in spec.carried}
        X = Column(values, [row.origin for row in rows], units=Units.of_rows(len(rows), ids) if ids else None)
        yield with_beside(spec, X, statics(static) if spec.static else None)


def as_trained(spec: FileExamples, training: Columns | None) -> FileExamples:
    """Return the files with the columns of a model's training, where nothing was said of them; errors as `read`."""
    if training is None or spec.paired:
        return spec
    spec = as_read(spec, training)
    return in_training(spec, training, open_records(spec, named=training.named))


def as_read(spec: FileExamples, training: Columns) -> FileExamples:
    """Return files to be read in the way of those that a model learned from, where nothing else is said.

    All of a text is then one sequence, where it learned from such; and the columns of a table without a header have the
    names that they had in training.
    """
    found = spec.model_copy(update={"whole": training.whole and spec.kind is None})
    if not training.names or spec.names:
        return found
    there = open_records(found, named=training.named).columns
    return found if set(there) & set(training.names) else found.model_copy(update={"names": training.names})


def in_training(spec: FileExamples, training: Columns, records: Records) -> FileExamples:
    """Fill what is not said of columns from those of training, of which a file has all or none.

    Raises:
        DataError: it has some of several columns that the model reads, and lacks others.
    """
    names = () if spec.input is not None or training.inputs_in(records.columns) else training.inputs
    there = set(records.columns)
    lacking = [name for name in names if name not in there]
    if 0 < len(lacking) < len(names):
        raise DataError(
            f"{records} has no column {listed(lacking)}, which the model reads beside others; it has "
            f"{listed(records.columns)}"
        )
    return spec.as_in(training, records.columns)


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


def open_records(spec: FileExamples, tell: Tell = untold, named: Sequence[str] = ()) -> Records:
    """Return the rows of files, or of one folder, with what is to be known of them told; errors as `read`.

    Args:
        spec: the files.
        tell: called with each sentence about how they are read.
        named: columns that will be asked for beside those that the spec names.
    """
    found = _opened(spec, spec.files[0] if len(spec.files) == 1 else list(spec.files))
    found.expect(named)
    tell_all(found, tell)
    return found


def tell_all(records: Records, tell: Tell) -> None:
    """Tell what is to be known of some rows, for which their files are opened."""
    if tell is not untold:
        for note in records.notes:
            tell(note)


def _pair(spec: FileExamples, tell: Tell) -> Records:
    """Two files line beside line: texts are texts there, whatever their lines look like."""
    sides = [_opened(spec, path, plain=True) for path in spec.files]
    for side in sides:
        tell_all(side, tell)
    return pair(*sides)


def _opened(spec: FileExamples, source: Path | list[Path], *, plain: bool = False) -> Records:
    header = spec.names or spec.header
    choice = Choice(spec.kind, header, spec.delimiter, spec.quote, plain, spec.whole)
    found = open_files(source, choice, Reading(encoding=check_encoding(spec.encoding), to_learn=True))
    found.expect(spec.named)
    return without_missing(found, spec.missing)


def _rows_notes(rows: RowExamples) -> Iterator[str]:
    """Yield a sentence on what the user should know of sequences that are rows of files."""
    some = [rows.X[at] for at in range(min(LOOKED_AT, len(rows.X)))]
    if all(isinstance(value, str) and is_number(value) for value in some):
        yield (
            f"the column {rows.X.name!r} has numbers, which are read as texts, a character a step; a sequence of "
            "numbers is several columns (--input a,b,c), or a list of numbers in a row of JSON lines"
        )
    if rows.stored:
        yield stored_note("what was read", rows.stored)


def _tell_skipped(records: Records, tell: Tell) -> None:
    """Tell what the last pass left out."""
    if records.skipped:
        tell(str(records.skipped))


def _target(cell: Any, separator: str | None) -> Any:
    """Return a target; an empty cell of a table is one that is not there, and no label of its own."""
    if separator:
        return _parts(cell, separator)
    return None if isinstance(cell, str) and not cell.strip() else cell


def _parts(cell: Any, separator: str) -> list[Any]:
    if isinstance(cell, list):  # of JSON lines, where nothing has to be split
        return cell
    return [part.strip() for part in str(cell or "").split(separator) if part.strip()]
