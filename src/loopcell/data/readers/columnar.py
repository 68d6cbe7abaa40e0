"""Parquet, Arrow and data frames: read in batches of rows, only the columns that are asked for.

A few bytes of such a file may stand for very many rows (which are read in parts) or for one very long row, which is
refused where the file says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from loopcell.data.examples.tables import column_names, is_table
from loopcell.data.limits import LARGEST_ROW
from loopcell.data.readers.arrow_cells import columns_of
from loopcell.data.readers.opening import require_uncompressed
from loopcell.data.readers.origins import Origin, RowRun
from loopcell.data.readers.parquet_footer import list_chunks
from loopcell.data.readers.reading import FileRows, Reading, one_line, ours
from loopcell.data.readers.records import Record, Records, block_rows, twice_in
from loopcell.data.readers.row_block import RowBlock
from loopcell.errors import DataError, LoopcellError, quoted
from loopcell.files.extras import require

BATCH_ROWS = 1024
LAZY_ROWS = 1 << 16
COLUMN_BUFFER = 1 << 16  # bytes of a column of Parquet that are read at once, not all of a row group
SLICE_BYTES = 1 << 22  # of a batch; as Python's numbers and lists they take 10 to 60 times as many
USUAL_RATIO = 64  # of the bytes of a column of lists to those in its file
FRAME = "frame"
_NAMELESS_INDEX = re.compile(r"__index_level_\d+__")  # of pandas, which is no column


def read_parquet(path: Path, reading: Reading) -> FileRows:
    """Read Parquet, row group by row group."""
    require_uncompressed(path, "Parquet")
    parquet = require("pyarrow.parquet", "data", "Parquet files need")
    with _named(path, "Parquet"):
        # A text that is there a million times stays one text until its rows are read.
        texts = _texts(parquet.read_schema(path, memory_map=True))
        file = parquet.ParquetFile(path, buffer_size=COLUMN_BUFFER, pre_buffer=False, read_dictionary=texts)
        names = _distinct(str(path), file.schema_arrow.names)
    return _file_rows(path, names, _parquet_batches(path, file, _chosen(names, reading)), reading)


def read_arrow(path: Path, reading: Reading) -> FileRows:
    """Read Arrow IPC, file (Feather version 2) or stream."""
    require_uncompressed(path, "Arrow")
    pyarrow = require("pyarrow", "data", "Arrow files need")
    with _named(path, "Arrow"):
        source = pyarrow.memory_map(str(path))
        is_file = source.read(6) == b"ARROW1"
        source.seek(0)
        opened = pyarrow.ipc.open_file(source) if is_file else pyarrow.ipc.open_stream(source)
        names = _distinct(str(path), opened.schema.names)
    batches = (opened.get_batch(at) for at in range(opened.num_record_batches)) if is_file else iter(opened)
    return _file_rows(path, names, _checked(path, batches, _chosen(names, reading)), reading)


def _file_rows(path: Path, names: tuple[str, ...], batches: Iterator[Any], reading: Reading) -> FileRows:
    """Return an opened file; its batches are for its rows or for its blocks, whichever are asked for."""
    blocks = _blocks(str(path), batches, reading)
    return FileRows(names, _rows(str(path), batches, reading), blocks=blocks)


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
        return tuple(_columns_of(self._stream(self._frame)))

    def read(self, columns: tuple[str, ...] | None = None) -> Iterator[Record]:
        """Give the rows in order, as `Records.read`."""
        self.skipped.clear()
        return _rows(FRAME, self._batches(columns), Reading())

    def blocks(self, names: tuple[str, ...]) -> Iterator[RowBlock]:
        """Give some columns of all rows, as `Records.blocks`."""
        self.skipped.clear()
        return _blocks(FRAME, self._batches(names), Reading())

    def _batches(self, columns: tuple[str, ...] | None) -> Iterator[Any]:
        with ours(lambda: f"{FRAME} cannot be read"):
            if _is_lazy(self._frame):
                chosen = self._frame.select(columns) if columns else self._frame
                for part in chosen.collect_batches(chunk_size=LAZY_ROWS):
                    yield from self._stream(part)
                return
            stream = self._stream(self._frame)  # once: pandas makes all of a frame Arrow's for it
            names = list(columns or _columns_of(stream))
            for batch in stream:
                yield batch.select(names)

    def _stream(self, frame: Any) -> Any:
        with ours(lambda: f"{FRAME} cannot be read"):
            stream = self._pyarrow.RecordBatchReader.from_stream(frame)
        _distinct(FRAME, stream.schema.names)
        return stream


def _columns_of(stream: Any) -> list[str]:
    return [name for name in stream.schema.names if not _NAMELESS_INDEX.fullmatch(name)]


def is_frame(source: Any) -> bool:
    """Return whether this is a data frame that `FrameRecords` takes."""
    return hasattr(source, "__arrow_c_stream__") or _is_lazy(source)


def _is_lazy(source: Any) -> bool:
    return hasattr(source, "collect_batches") and hasattr(source, "collect_schema")


def _distinct(name: str, names: list[str]) -> tuple[str, ...]:
    """Return the columns' names; DataError where two are the same, of which a row could hold but one."""
    twice = twice_in(names)
    if twice is not None:
        raise DataError(f"{name} has two columns {quoted(twice)}; give every column its own name")
    return tuple(names)


def _chosen(names: tuple[str, ...], reading: Reading) -> list[str]:
    asked = None if reading.columns is None else set(reading.columns)
    return [name for name in names if asked is None or name in asked]


def _parquet_batches(path: Path, file: Any, columns: list[str]) -> Iterator[Any]:
    with file, _named(path, "Parquet"):
        _check_lists(path, file.metadata)
        rows = 0
        for batch in file.iter_batches(batch_size=_batch_rows(file.metadata, columns), columns=columns):
            rows += batch.num_rows
            yield batch
        if columns and rows != file.metadata.num_rows:
            raise DataError(f"{path} is damaged: it promises {file.metadata.num_rows:,} rows and has {rows:,}")


def _batch_rows(metadata: Any, columns: list[str]) -> int:
    """Return how many rows of these columns to take at once, of a file that knows how many bytes they are."""
    rows, size, asked = 0, 0, set(columns)
    for group in map(metadata.row_group, range(metadata.num_row_groups)):
        rows += group.num_rows
        parts = map(group.column, range(group.num_columns))
        size += sum(part.total_uncompressed_size for part in parts if part.path_in_schema.partition(".")[0] in asked)
    return max(1, min(BATCH_ROWS, SLICE_BYTES * rows // max(1, size)))


def _check_lists(path: Path, metadata: Any) -> None:
    """Refuse lists that are far longer than the file is: a few bytes may stand for a row of 2**31 numbers."""
    if not any(metadata.schema.column(at).max_repetition_level for at in range(metadata.num_columns)):
        return
    size = path.stat().st_size
    for chunk in list_chunks(path):
        if 8 * chunk.values > max(LARGEST_ROW.most(), USUAL_RATIO * min(chunk.compressed, size)):
            raise DataError(
                f"{path}: the lists of column {quoted(chunk.column)} have {chunk.values:,} values, far more than a "
                f"file of {size:,} bytes should hold; {LARGEST_ROW.cure()}"
            )


def _checked(path: Path, batches: Iterator[Any], columns: list[str]) -> Iterator[Any]:
    """Check Arrow's batches, memory as the file has it, before anything follows an offset in them."""
    with _named(path, "Arrow"):
        for batch in batches:
            batch.validate(full=True)
            yield batch.select(columns)


def _rows(name: str, batches: Iterator[Any], reading: Reading) -> Iterator[Record]:
    row = 0
    for batch in batches:
        size = _rows_of_a_slice(batch)
        for start in range(0, batch.num_rows, size):
            yield from _readable(name, row + start, batch.slice(start, size), reading)
        row += batch.num_rows


def _blocks(name: str, batches: Iterator[Any], reading: Reading) -> Iterator[RowBlock]:
    """Give the same rows as columns; where one of them cannot be read, row by row."""
    row = 0
    for batch in batches:
        size = _rows_of_a_slice(batch)
        for start in range(0, batch.num_rows, size):
            part = batch.slice(start, size)
            cells = columns_of(part)
            if cells is not None:
                yield RowBlock(cells, RowRun(name, row + 1, part.num_rows))
            else:
                yield from block_rows(_readable(name, row, part, reading), part.schema.names)
            row += part.num_rows


def _readable(name: str, row: int, batch: Any, reading: Reading) -> Iterator[Record]:
    """Give the rows of a batch, the first of which is `row + 1`, that can be read; the others are bad rows."""
    for number, values in enumerate(_values(batch), row + 1):
        if isinstance(values, str):
            reading.bad_row(Origin(name, number), "rows with values that cannot be read", values)
        else:
            yield Record(values, Origin(name, number))


def _rows_of_a_slice(batch: Any) -> int:
    """Return the number of a batch's rows that are converted to Python at once."""
    size = batch.nbytes + sum(batch.num_rows * _longest(column) for column in batch.columns)
    return max(1, min(BATCH_ROWS, int(SLICE_BYTES * batch.num_rows // max(1, size))))


def _longest(column: Any) -> int:
    """Return the bytes of the longest text that each row of a column may stand for, if its texts are kept apart."""
    pyarrow = require("pyarrow", "data", "data frames need")
    kinds = pyarrow.types
    if not kinds.is_dictionary(column.type) or not len(column.dictionary):
        return 0
    value = column.type.value_type
    if not any(is_kind(value) for is_kind in (kinds.is_string, kinds.is_large_string, kinds.is_binary)):
        return 0
    compute = require("pyarrow.compute", "data", "data frames need")
    return int(compute.max(compute.binary_length(column.dictionary)).as_py() or 0)


def _values(batch: Any) -> list[dict[str, Any] | str]:
    """Return a batch's rows, or in place of one why it cannot be read: bytes that are no text, a time out of range."""
    try:
        found: list[dict[str, Any] | str] = batch.to_pylist()
    except Exception as error:  # noqa: BLE001 - whatever PyArrow, and the libraries of times that it calls, raise
        if batch.num_rows > 1:
            return [values for at in range(batch.num_rows) for values in _values(batch.slice(at, 1))]
        return [_why(batch, error)]
    return found


def _why(batch: Any, error: Exception) -> str:
    """Return the error of a row, with the name of its column."""
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        try:
            column.to_pylist()
        except Exception as found:  # noqa: BLE001 - the same again
            return f"column {quoted(name)} cannot be read ({one_line(found)})"
    return f"it cannot be read ({one_line(error)})"


def _texts(schema: Any) -> list[str]:
    kinds = require("pyarrow", "data", "Parquet files need").types
    return [field.name for field in schema if kinds.is_string(field.type)]


@contextmanager
def _named(path: Path, what: str) -> Iterator[None]:
    """Raise PyArrow's errors as ours."""
    try:
        yield
    except LoopcellError:
        raise
    except Exception as error:  # PyArrow's own, and Python's that it lets through
        raise DataError(f"{path} cannot be read as {what}: {one_line(error)}") from error
