"""Parquet, Arrow and data frames: read in batches of rows, only the columns that are asked for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from loopcell.data.examples.tables import column_names, is_table
from loopcell.data.extras import require
from loopcell.data.readers.opening import require_uncompressed
from loopcell.data.readers.reading import FileRows, Reading
from loopcell.data.readers.records import Origin, Record, Records
from loopcell.errors import DataError

BATCH_ROWS = 1024
LAZY_ROWS = 1 << 16
FRAME = "frame"


def read_parquet(path: Path, reading: Reading) -> FileRows:
    """Parquet, row group by row group."""
    require_uncompressed(path, "Parquet")
    parquet = require("pyarrow.parquet", "data", "Parquet files need")
    with _named(path, "Parquet"):
        file = parquet.ParquetFile(path, memory_map=True)
        names = tuple(file.schema_arrow.names)
    return FileRows(names, _rows(str(path), _parquet_batches(path, file, _chosen(names, reading))))


def read_arrow(path: Path, reading: Reading) -> FileRows:
    """Arrow IPC, file (Feather version 2) or stream."""
    require_uncompressed(path, "Arrow")
    pyarrow = require("pyarrow", "data", "Arrow files need")
    with _named(path, "Arrow"):
        source = pyarrow.memory_map(str(path))
        is_file = source.read(6) == b"ARROW1"
        source.seek(0)
        opened = pyarrow.ipc.open_file(source) if is_file else pyarrow.ipc.open_stream(source)
        names = tuple(opened.schema.names)
    batches = (opened.get_batch(at) for at in range(opened.num_record_batches)) if is_file else iter(opened)
    return FileRows(names, _rows(str(path), _checked(path, batches, _chosen(names, reading))))


class FrameRecords(Records):
    """The rows of a data frame: polars, pandas, PyArrow, or anything else that gives an Arrow stream.

    A polars `LazyFrame` is computed anew in each pass, in parts.
    """

    def __init__(self, frame: Any) -> None:
        """Take a frame for which `is_frame` holds."""
        super().__init__()
        if is_table(frame):
            column_names(frame, "the frame")  # two columns of one name are refused before one of them gets lost
        self._pyarrow = require("pyarrow", "data", "data frames need")
        self._frame = frame

    def __str__(self) -> str:
        return FRAME

    @property
    def columns(self) -> tuple[str, ...]:
        """The frame's columns."""
        if _is_lazy(self._frame):
            return tuple(self._frame.collect_schema().names())
        return tuple(self._stream(self._frame).schema.names)

    def read(self, columns: tuple[str, ...] | None = None) -> Iterator[Record]:
        """Give the rows in order, as `Records.read`."""
        self.skipped.clear()
        return _rows(FRAME, self._batches(columns))

    def _batches(self, columns: tuple[str, ...] | None) -> Iterator[Any]:
        if _is_lazy(self._frame):
            chosen = self._frame.select(columns) if columns else self._frame
            for part in chosen.collect_batches(chunk_size=LAZY_ROWS):
                yield from self._stream(part)
            return
        for batch in self._stream(self._frame):
            yield batch.select(list(columns)) if columns else batch

    def _stream(self, frame: Any) -> Any:
        return self._pyarrow.RecordBatchReader.from_stream(frame)


def is_frame(source: Any) -> bool:
    """Whether this is a data frame that `FrameRecords` takes."""
    return hasattr(source, "__arrow_c_stream__") or _is_lazy(source)


def _is_lazy(source: Any) -> bool:
    return hasattr(source, "collect_batches") and hasattr(source, "collect_schema")


def _chosen(names: tuple[str, ...], reading: Reading) -> list[str]:
    return [name for name in names if reading.columns is None or name in reading.columns]


def _parquet_batches(path: Path, file: Any, columns: list[str]) -> Iterator[Any]:
    with file, _named(path, "Parquet"):
        yield from file.iter_batches(batch_size=BATCH_ROWS, columns=columns)


def _checked(path: Path, batches: Iterator[Any], columns: list[str]) -> Iterator[Any]:
    """Arrow's batches are memory as the file has it: checked before anything follows an offset in them."""
    with _named(path, "Arrow"):
        for batch in batches:
            batch.validate(full=True)
            yield batch.select(columns)


def _rows(name: str, batches: Iterator[Any]) -> Iterator[Record]:
    row = 0
    for batch in batches:
        for start in range(0, batch.num_rows, BATCH_ROWS):
            for values in batch.slice(start, BATCH_ROWS).to_pylist():
                row += 1
                yield Record(values, Origin(name, row))


@contextmanager
def _named(path: Path, what: str) -> Iterator[None]:
    """PyArrow's errors as ours."""
    pyarrow = require("pyarrow", "data", f"{what} files need")
    try:
        yield
    except (pyarrow.ArrowException, OSError, ValueError, MemoryError) as error:
        if isinstance(error, DataError):
            raise
        reason = (str(error).splitlines() or ["no reason given"])[0]
        raise DataError(f"{path} cannot be read as {what}: {reason}") from error
