"""Files of numeric arrays, an example for each index of the first axis: npy, npz, and MNIST's idx.

Rows are read one by one, so an archive may be larger than memory, compressed or not. Nothing is unpickled.
"""

from __future__ import annotations

import io
import lzma
import math
import struct
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from tokenize import TokenError
from typing import Any, BinaryIO, NamedTuple, cast

import numpy as np
import numpy.typing as npt

from loopcell.data.limits import LARGEST_ROW
from loopcell.data.readers.opening import compression, open_bytes, require_uncompressed
from loopcell.data.readers.reading import FileRows, Reading, one_line
from loopcell.data.readers.records import LONGEST_NAME, Record, file_origin, twice_in
from loopcell.errors import DataError, LoopcellError, escaped, quoted

LONGEST_HEADER = 10_000  # bytes; what NumPy takes too, but it reads all that a header says before it looks
MOST_AXES = 32
LAST_CODE_POINT, SURROGATES = 0x10FFFF, (0xD800, 0xDFFF)
NUMERIC = "biufUM"  # kinds of NumPy's dtypes: whole numbers, floats, text, times

# What zipfile lets through of a damaged or encrypted archive, or of one packed in a way that Python has not.
_ZIP_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    OSError,
    NotImplementedError,
    RuntimeError,
    EOFError,
    UnicodeError,
    MemoryError,
)

# What Python's parser of literals, and NumPy behind it, raise for what is none.
_HEADER_ERRORS = (
    ValueError,
    EOFError,
    SyntaxError,
    TokenError,
    TypeError,
    KeyError,
    AttributeError,
    MemoryError,
    RecursionError,
)

IDX_DTYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


class _Array(NamedTuple):
    """An array in a stream: what its header says."""

    name: str
    rows: int
    shape: tuple[int, ...]  # of one row
    dtype: np.dtype[Any]

    @property
    def row_bytes(self) -> int:
        """The bytes of one row."""
        return math.prod(self.shape) * self.dtype.itemsize

    def read(self, stream: BinaryIO, *, there: int | None) -> Iterator[npt.NDArray[Any]]:
        """Give the rows in order.

        Args:
            stream: it stands at the first row.
            there: the bytes that are left in the file; None: they are compressed, and a row's size is limited.

        Raises:
            DataError: the stream ends before the last row or goes on after it, or a row is no row of an example.
        """
        self._check(there)
        for row in range(self.rows):
            raw = stream.read(self.row_bytes)
            if len(raw) < self.row_bytes:
                raise DataError(f"{self.name} is truncated: row {row + 1} of {self.rows:,} is not whole")
            yield self._row(raw, row)
        if stream.read(1):
            raise DataError(
                f"{self.name} goes on after the {self.rows:,} rows that its header tells of; save each array in a file "
                "of its own"
            )

    def _check(self, there: int | None) -> None:
        if not self.row_bytes and self.rows > 0:
            raise DataError(f"{self.name} has rows without a value (its shape is {(self.rows, *self.shape)})")
        if there is None:
            check_row(self.name, self.row_bytes)
        elif self.rows and self.row_bytes > there:  # before memory is set aside for it
            raise DataError(
                f"{self.name} says that one row has {math.prod(self.shape):,} values, and the file has {there:,} "
                "bytes: it is truncated or damaged"
            )

    def _row(self, raw: bytes, row: int) -> npt.NDArray[Any]:
        found = np.frombuffer(raw, self.dtype).reshape(self.shape).astype(self.dtype.newbyteorder("="))
        if self.dtype.kind == "U":
            points = found.reshape(-1).view(np.uint32)
            wrong = (points > LAST_CODE_POINT) | ((points >= SURROGATES[0]) & (points <= SURROGATES[1]))
            if wrong.any():
                number = int(points[int(np.argmax(wrong))])
                raise DataError(f"{self.name} row {row + 1} has text with U+{number:04X}, which is no character")
        return found[()]


def check_row(name: str, size: int) -> None:
    """Refuse a row that memory is not to be set aside for; DataError."""
    most = LARGEST_ROW.most()
    if size > most:
        raise DataError(
            f"{name} says that one row has {size:,} bytes, and is compressed: more than {most:,} are not unpacked at "
            f"once; {LARGEST_ROW.cure()}"
        )


class _Member(NamedTuple):
    """An array in an archive."""

    column: str
    entry: zipfile.ZipInfo
    array: _Array


def read_npz(path: Path, reading: Reading) -> FileRows:
    """Read an `.npz` archive: a column for each array; they have equally many rows."""
    require_uncompressed(path, "npz")
    try:
        with zipfile.ZipFile(path) as archive:
            members = [_member(path, archive, entry) for entry in archive.infolist()]
    except _ZIP_ERRORS as error:
        raise DataError(f"{path} cannot be read as npz: {one_line(error)}") from error
    columns = [member for member in members if member.array.rows >= 0]
    scalars = [member.array.name for member in members if member.array.rows < 0]
    names = tuple(member.column for member in columns)
    _check_columns(path, columns, names)
    note = (f"left out, for having no rows: {', '.join(scalars)}",) if scalars else ()
    asked = set(names if reading.columns is None else reading.columns)
    return FileRows(names, _npz_rows(path, [member for member in columns if member.column in asked]), note)


def _member(path: Path, archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> _Member:
    column = entry.filename.removesuffix(".npy")
    name = f"{path}: {escaped(column, LONGEST_NAME)}"
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):  # others unpack without a bound
        raise DataError(f"{name} is packed in a way that npz files are not; save it by np.savez_compressed")
    with archive.open(entry) as stream:
        return _Member(column, entry, _npy_header(name, cast(BinaryIO, stream)))


def _check_columns(path: Path, columns: list[_Member], names: tuple[str, ...]) -> None:
    if not columns:
        raise DataError(f"{path} has no array with rows")
    twice = twice_in(names)
    if twice is not None:
        raise DataError(f"{path} has two arrays {quoted(twice)}; give every array its own name")
    first = columns[0].array
    for _, _, array in columns:
        if array.rows != first.rows:
            raise DataError(
                f"{first.name} has {first.rows:,} rows and {array.name} has {array.rows:,}: they are to be equal"
            )


def _npz_rows(path: Path, members: list[_Member]) -> Iterator[Record]:
    names = [member.column for member in members]
    stored = {member.column: member.entry.compress_type == zipfile.ZIP_STORED for member in members}
    check_row(str(path), sum(member.array.row_bytes for member in members if not stored[member.column]))
    try:
        with ExitStack() as stack:
            archive = stack.enter_context(zipfile.ZipFile(path))
            streams = []
            for column, entry, array in members:
                stream = cast(BinaryIO, stack.enter_context(archive.open(entry)))
                _npy_header(array.name, stream)
                streams.append(array.read(stream, there=path.stat().st_size if stored[column] else None))
            for row, values in enumerate(zip(*streams, strict=True), 1):
                yield Record(dict(zip(names, values, strict=True)), file_origin(path, row))
    except _ZIP_ERRORS as error:
        raise DataError(f"{path} is damaged: {one_line(error)}") from error


def npy_rows(path: Path) -> Iterator[npt.NDArray[Any]]:
    """Yield the rows of an `.npy` array, one for each index of its first axis; DataError for anything else."""
    with open_bytes(path) as stream:
        array = _npy_header(str(path), stream)
        if array.rows < 0:
            raise DataError(f"{path} has a single value and no rows")
        yield from array.read(stream, there=_there(path))


def _there(path: Path) -> int | None:
    """Return the bytes of a file that is not compressed."""
    return None if compression(path) else path.stat().st_size


def _npy_header(name: str, stream: BinaryIO) -> _Array:
    """Read an npy header, by NumPy, which parses it as Python's literal."""
    try:
        version = np.lib.format.read_magic(stream)
        size = stream.read(2 if version == (1, 0) else 4)
        length = int.from_bytes(size, "little")
        if length > LONGEST_HEADER:
            raise DataError(f"{name} is not an npy array: its header says that it has {length:,} bytes")
        header = io.BytesIO(size + stream.read(length))
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        with warnings.catch_warnings(action="ignore"):  # of headers of old Pythons, which are read all the same
            shape, fortran, dtype = read(header)
    except _HEADER_ERRORS as error:
        if isinstance(error, LoopcellError):
            raise
        raise DataError(f"{name} is not an npy array: {one_line(error)}") from error
    if dtype.kind not in NUMERIC:
        raise DataError(f"{name} has values of dtype {dtype}, not numbers or text; pickled objects are never read")
    if fortran and len(shape) > 1:
        raise DataError(f"{name} is stored by columns (Fortran order); save it as np.ascontiguousarray(...)")
    return _array(name, shape, dtype)


def _array(name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> _Array:
    if len(shape) > MOST_AXES or any(not 0 <= length < 1 << 63 for length in shape):
        raise DataError(f"{name} is damaged: its shape is {escaped(str(shape), 100)}")
    return _Array(name, shape[0] if shape else -1, tuple(shape[1:]), dtype)


def idx_rows(path: Path) -> Iterator[npt.NDArray[Any]]:
    """Yield the rows of an idx array as MNIST's, one for each index of its first axis; DataError for anything else."""
    with open_bytes(path) as stream:
        magic = stream.read(4)
        if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in IDX_DTYPES or not magic[3]:
            raise DataError(f"{path} is not idx: it begins with the bytes {magic.hex(' ')}")
        sizes = stream.read(4 * magic[3])
        if len(sizes) < 4 * magic[3]:
            raise DataError(f"{path} is truncated: it ends within its header")
        shape = tuple(int(size) for size in np.frombuffer(sizes, ">u4"))
        array = _array(str(path), shape, np.dtype(IDX_DTYPES[magic[2]]))
        yield from array.read(stream, there=_there(path))
