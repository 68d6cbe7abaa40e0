"""Columns on disk: rows of any source that are more than memory, read in any order after one pass.

A store is a folder: for each column, and for the origins, a ragged array in a folder of its own, and a small JSON
file that names them. It belongs to the machine that wrote it; it is no format to pass on.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Generic, TypeVar, overload

import numpy as np
import numpy.typing as npt

from loopcell.data.examples.ragged import Ragged
from loopcell.data.examples.ragged_files import open_writer
from loopcell.data.readers.origins import Origin
from loopcell.data.readers.records import Column, Record, Records
from loopcell.errors import DataError, FileFormatError
from loopcell.files import atomic_write

INDEX = "columns.json"
ORIGINS = "origins"

ItemT = TypeVar("ItemT")


def store(records: Records, folder: str | os.PathLike[str], *names: str) -> tuple[Column, ...]:
    """Write columns to a folder in one pass, holding one row at a time.

    Args:
        records: the rows.
        folder: where; made if it is not there. What stood in an earlier store of it is replaced.
        names: the columns.

    Returns:
        One `Column` for each name, in this order, whose values are read when they are asked for. Texts, numbers and
        lists come back as they were, arrays too; of a path or a date comes its text.

    Raises:
        DataError: there are no rows, or as `Records.read`.
        FileWriteError: the disk is full, ...
    """
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    (place / INDEX).unlink(missing_ok=True)
    records.check_columns(names)
    rows = records.read(names)
    first = next(rows, None)
    if first is None:
        raise records.no_rows()
    arrays = [isinstance(first.get(name), np.ndarray) for name in names]
    files = _write(place, first, rows, dict(zip(names, arrays, strict=True)))
    facts = {"columns": dict(zip(names, arrays, strict=True)), "files": files}
    with atomic_write(place / INDEX) as temporary:
        temporary.write_text(json.dumps(facts), encoding="utf-8")
    found = open_store(place)
    return tuple(found[name] for name in names)


def open_store(folder: str | os.PathLike[str]) -> dict[str, Column]:
    """Open what `store` wrote.

    Raises:
        DataError: there is no store, or it was not written to its end.
        FileFormatError: it is damaged.
    """
    place = Path(folder)
    if not (place / INDEX).is_file():
        raise DataError(f"{place} is no store of columns, or was not written to its end")
    try:
        facts = json.loads((place / INDEX).read_text(encoding="utf-8"))
        columns = {str(name): bool(is_array) for name, is_array in facts["columns"].items()}
        files = [str(name) for name in facts["files"]]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise FileFormatError(f"{place / INDEX} is damaged") from error
    origins = _StoredOrigins(Ragged.open(place / ORIGINS), files, place)
    found = {}
    for number, (name, is_array) in enumerate(columns.items()):
        values = Ragged.open(place / str(number))
        if len(values) != len(origins):
            raise FileFormatError(f"{place} is damaged: its columns have different numbers of rows")
        found[name] = Column(values if is_array else _StoredJson(values, place), origins, name)
    return found


def _write(place: Path, first: Record, rows: Iterator[Record], columns: dict[str, bool]) -> list[str]:
    """Write the rows; gives the names of the files that they came from."""
    files: dict[str, int] = {}
    with ExitStack() as stack:
        writers = [stack.enter_context(open_writer(place / str(number))) for number in range(len(columns))]
        origins = stack.enter_context(open_writer(place / ORIGINS))
        for record in _and_rest(first, rows):
            for writer, (name, is_array) in zip(writers, columns.items(), strict=True):
                value = record.get(name)
                writer.append(np.asarray(value) if is_array else _as_json(value))
            number = files.setdefault(record.origin.file, len(files))
            origins.append(np.array([[number, record.origin.row, record.origin.line]], np.int64))
    return list(files)


def _and_rest(first: Record, rows: Iterator[Record]) -> Iterator[Record]:
    yield first
    yield from rows


def _as_json(value: Any) -> Any:
    plain = value.tolist() if isinstance(value, np.ndarray | np.generic) else value
    return np.frombuffer(json.dumps(plain, ensure_ascii=False, default=str).encode("utf-8", "surrogatepass"), np.uint8)


class _Stored(Sequence[ItemT], Generic[ItemT]):
    """Items of a ragged array, made when they are asked for."""

    def __init__(self, stored: Ragged, place: Path) -> None:
        self._stored, self._place = stored, place

    def __len__(self) -> int:
        return len(self._stored)

    @overload
    def __getitem__(self, index: int) -> ItemT: ...
    @overload
    def __getitem__(self, index: slice) -> list[ItemT]: ...
    def __getitem__(self, index: int | slice) -> ItemT | list[ItemT]:
        if isinstance(index, slice):
            return [self[at] for at in range(*index.indices(len(self)))]
        stored = self._stored[index]  # an IndexError is the caller's
        try:
            return self._item(stored)
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            raise FileFormatError(f"{self._place} is damaged: its row {index + 1} cannot be read") from error

    def _item(self, stored: npt.NDArray[Any]) -> ItemT:
        raise NotImplementedError


class _StoredJson(_Stored[Any]):
    def _item(self, stored: npt.NDArray[Any]) -> Any:
        return json.loads(stored.tobytes().decode("utf-8", "surrogatepass"))


class _StoredOrigins(_Stored[Origin]):
    def __init__(self, stored: Ragged, files: list[str], place: Path) -> None:
        super().__init__(stored, place)
        self._files = files

    def _item(self, stored: npt.NDArray[Any]) -> Origin:
        file, row, line = stored[0].tolist()
        return Origin(self._files[file], row, line)
