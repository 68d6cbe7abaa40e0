"""Writing the two files of a ragged array, one sequence at a time."""

from __future__ import annotations

import math
from array import array as growing
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from loopcell.data.stored import StoredArray
from loopcell.errors import FileWriteError, InputError
from loopcell.files import atomic_write

HEADER_BYTES = 256  # more than any header of ours, and a multiple of 64 so that the values are aligned
VALUES, OFFSETS = "values.npy", "offsets.npy"


class RaggedWriter:
    """Takes sequences `[T, ...]` one by one."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._first: npt.NDArray[Any] | None = None
        self._offsets = growing("q", [0])
        file.write(bytes(HEADER_BYTES))

    def append(self, array: npt.NDArray[Any]) -> None:
        """Write a sequence; InputError unless its further axes and kind of numbers are those of the first one."""
        if self._first is None:
            self._first = array[:0].copy() if array.ndim else array
        check_like(self._first, array, len(self._offsets) - 1)
        self._file.write(np.ascontiguousarray(array).data)
        self._offsets.append(self._offsets[-1] + len(array))

    def finish(self) -> npt.NDArray[np.int64]:
        """Write the header and give the offsets; InputError where there is no sequence."""
        if self._first is None:
            raise InputError("there are no sequences")
        self._file.seek(0)
        self._file.write(_npy_header(self._first.dtype, (self._offsets[-1], *self._first.shape[1:])))
        self._file.seek(0, 2)
        return np.frombuffer(self._offsets, np.int64)


@contextmanager
def open_writer(folder: Path) -> Iterator[RaggedWriter]:
    """Write the two files of a folder: what was there goes at once, what is new appears when all is written.

    Raises:
        InputError: nothing was written.
        FileWriteError: the disk is full, ...
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / OFFSETS).unlink(missing_ok=True)
    except OSError as error:
        raise FileWriteError(f"cannot write to the folder {folder}: {error.strerror}") from error
    with atomic_write(folder / VALUES) as temporary, temporary.open("wb") as file:
        writer = RaggedWriter(file)
        yield writer
        offsets = writer.finish()
    with atomic_write(folder / OFFSETS) as temporary, temporary.open("wb") as file:
        np.save(file, offsets, allow_pickle=False)


def open_npy(file: BinaryIO, name: str) -> StoredArray:
    """Open an array in NumPy's format, of which rows are then read; ValueError where it is none, or was cut off.

    Args:
        file: open for reading; it is closed with the array, or here where it is none.
        name: what an error calls it.
    """
    try:
        file.seek(0)
        version = np.lib.format.read_magic(file)
        read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = read_header(file)
        start, end = file.tell(), file.seek(0, 2)
        if fortran or dtype.hasobject or not shape or end - start < dtype.itemsize * math.prod(shape):
            raise ValueError("it is no array whose rows follow each other, or was cut off")
    except BaseException:
        file.close()
        raise
    return StoredArray(file, dtype, shape, start, name)


def check_like(first: npt.NDArray[Any], array: npt.NDArray[Any], index: int) -> None:
    """Refuse a sequence that does not go together with the first one; InputError."""
    if array.ndim < 1 or array.dtype.kind not in "biuf":
        raise InputError(f"sequence {index} is to be numbers [T, ...], got {array.dtype} of {list(array.shape)}")
    if array.shape[1:] != first.shape[1:] or array.dtype != first.dtype:
        raise InputError(
            f"sequence {index} is {array.dtype} of {list(array.shape)}, unlike the first one, "
            f"which is {first.dtype} of {['T', *first.shape[1:]]}"
        )


def _npy_header(dtype: np.dtype[Any], shape: tuple[int, ...]) -> bytes:
    """Return the header of version 1.0 of NumPy's format, filled up to a fixed size."""
    facts = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    start = b"\x93NUMPY\x01\x00" + (HEADER_BYTES - 10).to_bytes(2, "little")
    return (start + repr(facts).encode()).ljust(HEADER_BYTES - 1) + b"\n"
