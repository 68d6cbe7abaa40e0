"""`read`: any of our kinds of data as rows."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

from loopcell.data.readers.choosing import Choice, Chosen
from loopcell.data.readers.columnar import FrameRecords, is_frame
from loopcell.data.readers.delimited import Delimited
from loopcell.data.readers.folders import FolderRecords
from loopcell.data.readers.lines import check_encoding
from loopcell.data.readers.patterns import expanded
from loopcell.data.readers.reading import FileRows, Reading, guarded
from loopcell.data.readers.records import Record, Records, block_rows
from loopcell.data.readers.row_block import RowBlock
from loopcell.data.readers.same_columns import demand_same_columns
from loopcell.data.readers.skipped import Skipped
from loopcell.errors import DataError, UsageError


def read(
    source: Any,
    *,
    kind: str | Delimited | None = None,
    encoding: str = "utf-8",
    skip_bad_rows: bool = False,
    header: bool | None = None,
    delimiter: str | None = None,
    quote: str | None = None,
) -> Records:
    """Open data as rows that are read when they are iterated, as often as you like, in constant memory.

    Args:
        source: a path; several paths, or a pattern of them (`data/*.csv`), read one after the other; a folder; or a
            data frame (polars, pandas, PyArrow). Files may be compressed (`.gz`, `.zst`).
        kind: the kind of the files, one of `KINDS`, or a `Delimited` with its details. None: each file's kind
            is known by its ending and its first bytes, or guessed by its first lines; `notes` say what is guessed.
        encoding: of text files.
        skip_bad_rows: leave out rows that cannot be read, and count them (`skipped`), instead of refusing the file.
        header: of tables of text: whether the first line has the names of the columns. None finds it.
        delimiter: of tables of text: the character between cells, or "blanks". None finds it.
        quote: of tables of text: the character that encloses a cell, or "" for none. None finds it.

    Returns:
        The rows. A text has the column `text`; FASTA `id`, `description`, `sequence`; the UEA/UCR formats `series`
        and `label`; `.tsf` `time` and `value`; npy and idx `values`; sound and images `path`; a folder of class folders
        adds `label`, one of folders `name=value` these names, and a folder of files `file`.

    Raises:
        DataError: there is no such file, or none in the folder, or its kind cannot be told. What is wrong in a file
            is said when it is read.
        UsageError: there is no such kind or encoding, or no source; something is said of tables and a file is none.
        MissingExtraError: reading this kind needs an optional package; the message names it.
    """
    choice = Choice(kind, header, delimiter, quote)
    return open_files(source, choice, Reading(encoding=check_encoding(encoding), skip_bad_rows=skip_bad_rows))


def open_files(source: Any, choice: Choice, reading: Reading) -> Records:
    """Open data as `read` does."""
    if is_frame(source):
        return FrameRecords(source)
    paths = [source] if isinstance(source, str | os.PathLike) else source
    if not isinstance(paths, Sequence) or not all(isinstance(path, str | os.PathLike) for path in paths):
        raise UsageError(f"read takes a path, several paths, a folder or a data frame, got {type(source).__name__}")
    if not paths:
        raise UsageError("there are no files to read")
    files = expanded([Path(path) for path in paths])
    if len(files) == 1 and files[0].is_dir():
        return FolderRecords(files[0], choice, reading)
    return FileRecords(choice.readers(files), reading)


class FileRecords(Records):
    """The rows of files, one file after the other."""

    def __init__(self, chosen: Chosen, reading: Reading) -> None:
        super().__init__()
        self._chosen, self._reading = chosen, reading
        self._opened: FileRows | None = None

    def __str__(self) -> str:
        names = [str(path) for path, _ in self._chosen.readers]
        return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the first file."""
        return self._open_first().columns

    @property
    def notes(self) -> tuple[str, ...]:
        """Remarks of the first file's reader, and on what was guessed of the files."""
        return (*self._open_first().notes, *self._chosen.notes)

    @property
    def files(self) -> Sequence[Path]:
        """The files, in order."""
        return [path for path, _ in self._chosen.readers]

    @property
    def hint(self) -> str:
        """A likely reason why a column is not there, as `Records.hint`."""
        return self._chosen.hint

    def expect(self, names: Sequence[str]) -> None:
        """Tell which columns will be asked for, as `Records.expect`."""
        self._reading, self._opened = replace(self._reading, named=(*self._reading.named, *names)), None

    def read(self, columns: tuple[str, ...] | None = None) -> Iterator[Record]:
        """Give the rows in order, as `Records.read`."""
        self.skipped.clear()
        reading = replace(self._reading, columns=columns, skipped=self.skipped)
        return chain.from_iterable(self._rows(at, reading) for at in range(len(self._chosen.readers)))

    def blocks(self, names: tuple[str, ...]) -> Iterator[RowBlock]:
        """Give some columns of all rows, as `Records.blocks`."""
        self.skipped.clear()
        reading = replace(self._reading, columns=names, skipped=self.skipped)
        for at in range(len(self._chosen.readers)):
            found = self._open(at, reading)
            yield from block_rows(found.rows, names) if found.blocks is None else found.blocks

    def _rows(self, at: int, reading: Reading) -> Iterator[Record]:
        return self._open(at, reading).rows

    def _open(self, at: int, reading: Reading) -> FileRows:
        path, reader = self._chosen.readers[at]
        found = guarded(path, reader, reading)
        if at:
            demand_same_columns(path, reader, found.columns, self.columns)
        return found

    def _open_first(self) -> FileRows:
        if self._opened is None:
            path, reader = self._chosen.readers[0]
            found = guarded(path, reader, replace(self._reading, skipped=Skipped()))
            self._opened = found._replace(rows=iter(()))
        return self._opened


def pair(left: Records, right: Records, *, names: tuple[str, str] = ("source", "target")) -> Records:
    """Put two data sets of one column each side by side, row by row: the two files of a translation.

    Raises:
        DataError: one of them has several columns. While reading: one has more rows than the other.
        UsageError: the two names are one.
    """
    return _Pairs((left, right), names)


class _Pairs(Records):
    """Two data sets of one column each, side by side."""

    def __init__(self, sides: tuple[Records, Records], names: tuple[str, str]) -> None:
        super().__init__()
        if names[0] == names[1]:
            raise UsageError(f"the two sides of a pair need two names, got {names[0]!r} twice")
        for side in sides:
            if len(side.columns) != 1:
                raise DataError(f"{side} has the columns {', '.join(side.columns)}; a side of a pair has one")
        self._sides, self._names = sides, names

    def __str__(self) -> str:
        return f"{self._sides[0]} and {self._sides[1]}"

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the two sides."""
        return self._names

    def read(self, columns: tuple[str, ...] | None = None) -> Iterator[Record]:
        """Give the pairs in order; DataError where one side has more rows than the other."""
        left, right = (iter(side) for side in self._sides)
        names, count = [side.columns[0] for side in self._sides], 0
        for one in left:
            other = next(right, None)
            if other is None:
                raise self._unequal(count + 1 + sum(1 for _ in left), count)
            count += 1
            values = (one.get(names[0]), other.get(names[1]))
            yield Record(dict(zip(self._names, values, strict=True)), one.origin)
        more = sum(1 for _ in right)
        if more:
            raise self._unequal(count, count + more)

    @property
    def files(self) -> Sequence[Path]:
        """The files of both sides."""
        return [path for side in self._sides for path in side.files]

    def _unequal(self, left: int, right: int) -> DataError:
        return DataError(
            f"{self._sides[0]} has {left:,} rows and {self._sides[1]} has {right:,}: row by row they are pairs"
        )
