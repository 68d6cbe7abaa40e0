"""Examples from files: which columns are the sequences and what is known of them.

A row is an example, or, where `by` or `window` says so, a step of one.
"""

from __future__ import annotations

import re
import shutil
import tempfile
import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from loopcell.data import Column, Origin, Records, pair, store
from loopcell.data.readers.blocks import in_blocks
from loopcell.data.readers.cells import is_number
from loopcell.data.readers.choosing import Choice
from loopcell.data.readers.files import open_files
from loopcell.data.readers.lines import check_encoding
from loopcell.data.readers.reading import Reading
from loopcell.data.readers.records import listed
from loopcell.errors import DataError, UsageError
from loopcell.tasks.core.from_files.column_choice import input_columns, step_columns, target_column
from loopcell.tasks.core.from_files.config import Columns, FileExamples
from loopcell.tasks.core.from_files.opened import Tell, untold
from loopcell.tasks.core.from_files.step_tables import step_sequences
from loopcell.tasks.core.from_files.wide_tables import WideRows, wide_row

ARRAY = ("values",)  # of the kinds npy and idx
_NUMBER = re.compile(r"[+-]?(?:(?:0|[1-9]\d{0,14})(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?")
IN_MEMORY = 1 << 28  # bytes of files, which may be compressed
LOOKED_AT = 100  # values of a column


class OpenedExamples(NamedTuple):
    """Files whose columns are known.

    Attributes:
        records: their rows.
        inputs: the column of the sequences, or several that make one.
        target: the column of what is known of them.
    """

    records: Records
    inputs: tuple[str, ...]
    target: str


class Loaded(NamedTuple):
    """Sequences and targets.

    Attributes:
        X: the sequences.
        y: what is known of them.
    """

    X: Column
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
    records = _pair(spec, tell) if spec.paired else open_records(spec, tell)
    target = target_column(records, spec)
    inputs = step_columns(records, spec, target) if spec.of_steps else input_columns(records, spec)
    return OpenedExamples(records, inputs, target)


def load_examples(spec: FileExamples, tell: Tell = untold) -> Loaded:
    """Open files and read all of them; arguments as `open_examples`, errors as `load_opened`."""
    return load_opened(spec, open_examples(spec, tell), tell)


def load_opened(spec: FileExamples, opened: OpenedExamples, tell: Tell = untold) -> Loaded:
    """Read sequences and targets, into memory or, where the files are large, to columns on disk.

    Args:
        spec: the files and their columns.
        opened: the same, as `open_examples` found them.
        tell: called with what was left out of them.

    Raises:
        DataError: a row cannot be used; the sentence names file and row.
    """
    records, inputs, target = opened
    if spec.of_steps:
        X, y = _transposed(list(step_sequences(records, inputs, target, spec)), target)
        _tell_skipped(records, tell)
        return Loaded(X, y)
    *parts, y = _columns(records, spec.files, *inputs, target)
    X = _sequences(parts, tell)
    known = [_parts(cell, spec.separator) if spec.separator else cell for cell in y.values]
    # An empty cell of a table is a target that is not there, and no label of its own.
    y = Column([None if isinstance(cell, str) and not cell.strip() else cell for cell in known], y.origins, y.name)
    _tell_skipped(records, tell)
    return Loaded(X, y)


def demand_sequences(X: Column) -> None:
    """Refuse a column with one number in each row: read as text it would be a sequence of digits.

    Raises:
        UsageError: it is one; the sentence says how rows become sequences, and how digits are read as text.
    """
    if all(_is_one_number(value) for value in X.values):
        raise UsageError(
            f"column {X.name!r} has one number in each row ({X.values[0]}), and a sequence was expected: where rows "
            "are the steps of sequences, train a tagger (loopcell train tag) with --by COLUMN or --window STEPS, or "
            "put those of a sequence into one row, as a list in JSON lines or an array in npz; to read the digits as "
            "text, say --tokens char"
        )


def _is_one_number(value: Any) -> bool:
    """Say whether a cell is a number; with leading zeros, or longer than any that is counted, it is a code."""
    if isinstance(value, str):
        return _NUMBER.fullmatch(value.strip()) is not None
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)


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
    X = _sequences(_columns(records, spec.files, *input_columns(records, spec)), tell)
    _tell_skipped(records, tell)
    return X


def blocks(records: Records, spec: FileExamples, size: int) -> Iterator[Column]:
    """Return the sequences in blocks of at most `size`, so that any number of them takes little memory."""
    if spec.of_steps:
        found = step_sequences(records, step_columns(records, spec, None), None, spec)
        pairs = ((values, origin) for origin, values, _ in found)
    else:
        names = input_columns(records, spec)
        rows = records.read(names)
        pairs = ((wide_row([row.get(name) for name in names], names, row.origin), row.origin) for row in rows)
    for block in in_blocks(pairs, size):
        yield Column([value for value, _ in block], [origin for _, origin in block])


def as_trained(spec: FileExamples, training: Columns | None) -> FileExamples:
    """Return the files with the columns of a model's training, where nothing was said of them; errors as `read`."""
    if training is None or spec.paired:
        return spec
    spec = as_whole(spec, training)
    return in_training(spec, training, open_records(spec, named=training.named))


def as_whole(spec: FileExamples, training: Columns) -> FileExamples:
    """Read all of a text file as one sequence, where a model learned from such and no kind is said."""
    return spec.model_copy(update={"whole": training.whole and spec.kind is None})


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
    choice = Choice(spec.kind, spec.header, spec.delimiter, spec.quote, plain, spec.whole)
    found = open_files(source, choice, Reading(encoding=check_encoding(spec.encoding), to_learn=True))
    found.expect(spec.named)
    return found


def _sequences(columns: Sequence[Column], tell: Tell) -> Column:
    """Return the sequences of one column, or of several side by side."""
    if len(columns) > 1:
        return Column(WideRows(columns), columns[0].origins)
    (found,) = columns
    some = [found[at] for at in range(min(LOOKED_AT, len(found)))]
    if all(isinstance(value, str) and is_number(value) for value in some):
        tell(
            f"the column {found.name!r} has numbers, which are read as texts, a character a step; a sequence of "
            "numbers is several columns (--input a,b,c), or a list of numbers in a row of JSON lines"
        )
    return found


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


def _tell_skipped(records: Records, tell: Tell) -> None:
    """Tell what the last pass left out."""
    if records.skipped:
        tell(str(records.skipped))


def _parts(cell: Any, separator: str) -> list[Any]:
    if isinstance(cell, list):  # of JSON lines, where nothing has to be split
        return cell
    return [part.strip() for part in str(cell or "").split(separator) if part.strip()]
