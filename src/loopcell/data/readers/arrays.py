"""Files of numeric arrays, an example for each index of the first axis: npy, npz, and MNIST's idx.

Rows are read one by one, so an archive may be larger than memory, compressed or not. Nothing is unpickled.
"""

from __future__ import annotations

import math
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from tokenize import TokenError
from typing import Any, BinaryIO, NamedTuple, cast

import numpy as np
import numpy.typing as npt

from loopcell.data.readers.opening import open_bytes, require_uncompressed
from loopcell.data.readers.reading import FileRows, Reading
from loopcell.data.readers.records import Record, file_origin
from loopcell.errors import DataError

LARGEST_ROW = 1 << 30  # bytes
NUMERIC = "biufUM"  # kinds of NumPy's dtypes: whole numbers, floats, text, times

# What zipfile lets through of a damaged or encrypted archive, or of one packed in a way that Python has not.
_ZIP_ERRORS = (zipfile.BadZipFile, zlib.error, OSError, NotImplementedError, RuntimeError, EOFError)

IDX_DTYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


class _Array(NamedTuple):
    """An array in a stream: what its header says."""

    name: str
    rows: int
    shape: tuple[int, ...]  # of one row
    dtype: np.dtype[Any]

    def read(self, stream: BinaryIO) -> Iterator[npt.NDArray[Any]]:
        """Give the rows in order; DataError when the stream ends before the last one."""
        count = math.prod(self.shape)
        if count * self.dtype.itemsize > LARGEST_ROW:
            raise DataError(f"{self.name} says that one row has {count:,} values: this is no file of examples")
        if not count and self.rows > 0:
            raise DataError(f"{self.name} has rows without a value (its shape is {(self.rows, *self.shape)})")
        for row in range(self.rows):
            raw = stream.read(count * self.dtype.itemsize)
            if len(raw) < count * self.dtype.itemsize:
                raise DataError(f"{self.name} is truncated: row {row + 1} of {self.rows:,} is not whole")
            yield np.frombuffer(raw, self.dtype).reshape(self.shape).astype(self.dtype.newbyteorder("="))[()]


def read_npz(path: Path, reading: Reading) -> FileRows:
    """An `.npz` archive: a column for each array; they have equally many rows."""
    require_uncompressed(path, "npz")
    try:
        with zipfile.ZipFile(path) as archive:
            arrays = [_npz_array(path, archive, member) for member in archive.namelist()]
    except _ZIP_ERRORS as error:
        raise DataError(f"{path} cannot be read as npz: {error}") from error
    columns = [array for array in arrays if array.rows >= 0]
    scalars = [array.name for array in arrays if array.rows < 0]
    if not columns:
        raise DataError(f"{path} has no array with rows")
    first = columns[0]
    for array in columns:
        if array.rows != first.rows:
            raise DataError(
                f"{first.name} has {first.rows:,} rows and {array.name} has {array.rows:,}: they are to be equal"
            )
    note = (f"left out, for having no rows: {', '.join(scalars)}",) if scalars else ()
    names = tuple(_column_name(array) for array in columns)
    return FileRows(
        names, _npz_rows(path, [a for a, n in zip(columns, names, strict=True) if _asked(n, reading)]), note
    )


def _asked(name: str, reading: Reading) -> bool:
    return reading.columns is None or name in reading.columns


def _column_name(array: _Array) -> str:
    return array.name.rpartition(": ")[2]


def _npz_array(path: Path, archive: zipfile.ZipFile, member: str) -> _Array:
    with archive.open(member) as stream:
        return _npy_header(f"{path}: {member.removesuffix('.npy')}", cast(BinaryIO, stream))


def _npz_rows(path: Path, arrays: list[_Array]) -> Iterator[Record]:
    names = [_column_name(array) for array in arrays]
    try:
        with ExitStack() as stack:
            archive = stack.enter_context(zipfile.ZipFile(path))
            members = set(archive.namelist())
            streams = []
            for array, name in zip(arrays, names, strict=True):
                member = f"{name}.npy" if f"{name}.npy" in members else name
                stream = cast(BinaryIO, stack.enter_context(archive.open(member)))
                _npy_header(array.name, stream)
                streams.append(array.read(stream))
            for row, values in enumerate(zip(*streams, strict=True), 1):
                yield Record(dict(zip(names, values, strict=True)), file_origin(path, row))
    except _ZIP_ERRORS as error:
        raise DataError(f"{path} is damaged: {error}") from error


def npy_rows(path: Path) -> Iterator[npt.NDArray[Any]]:
    """The rows of an `.npy` array, one for each index of its first axis; DataError for anything else."""
    with open_bytes(path) as stream:
        array = _npy_header(str(path), stream)
        if array.rows < 0:
            raise DataError(f"{path} has a single value and no rows")
        yield from array.read(stream)


def _npy_header(name: str, stream: BinaryIO) -> _Array:
    """Read an npy header; NumPy parses it as a literal, and refuses one that is too long."""
    try:
        version = np.lib.format.read_magic(stream)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = read(stream)
    except (ValueError, EOFError, SyntaxError, TokenError) as error:  # NumPy reads the header as Python's literal
        raise DataError(f"{name} is not an npy array: {error}") from error
    if dtype.kind not in NUMERIC:
        raise DataError(f"{name} has values of dtype {dtype}, not numbers or text; pickled objects are never read")
    if fortran and len(shape) > 1:
        raise DataError(f"{name} is stored by columns (Fortran order); save it as np.ascontiguousarray(...)")
    if any(length < 0 for length in shape):
        raise DataError(f"{name} is damaged: its shape is {shape}")
    return _Array(name, shape[0] if shape else -1, tuple(shape[1:]), dtype)


def idx_rows(path: Path) -> Iterator[npt.NDArray[Any]]:
    """The rows of an idx array as MNIST's, one for each index of its first axis; DataError for anything else."""
    with open_bytes(path) as stream:
        magic = stream.read(4)
        if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in IDX_DTYPES or not magic[3]:
            raise DataError(f"{path} is not idx: it begins with the bytes {magic.hex(' ')}")
        sizes = stream.read(4 * magic[3])
        if len(sizes) < 4 * magic[3]:
            raise DataError(f"{path} is truncated: it ends within its header")
        shape = tuple(int(size) for size in np.frombuffer(sizes, ">u4"))
        yield from _Array(str(path), shape[0], shape[1:], np.dtype(IDX_DTYPES[magic[2]])).read(stream)
