"""An array in a file, of which only what is asked for is read.

It is read and not mapped: pages of a mapped file count as the process's own memory for as long as the system leaves
them there, and all of the file counts where the address space is limited (`ulimit -v`).
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from loopcell.errors import FileFormatError

BLOCK_BYTES = 1 << 20
_GUARD = threading.Lock()


class StoredArray:
    """Numbers [N, ...] in a file, row after row.

    An index is a row, or a slice of rows without a step: what comes back is an array of its own.

    Args:
        file: where they are, open for reading; it is closed with this object.
        dtype: of the numbers.
        shape: [N, ...].
        start: the byte at which they begin.
        name: what an error calls the file.
    """

    def __init__(self, file: BinaryIO, dtype: npt.DTypeLike, shape: tuple[int, ...], start: int, name: str) -> None:
        self.dtype, self.shape = np.dtype(dtype), shape
        self._file, self._start, self._name = file, start, name
        self._row_bytes = self.dtype.itemsize * int(np.prod(shape[1:], dtype=np.int64))
        weakref.finalize(self, file.close)

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def nbytes(self) -> int:
        """The bytes of all rows."""
        return len(self) * self._row_bytes

    def __len__(self) -> int:
        """N."""
        return self.shape[0]

    def __getitem__(self, index: int | slice) -> npt.NDArray[Any]:
        """Read one row, or rows that stand together.

        Raises:
            IndexError: there is no such row.
            FileFormatError: the file has become shorter.
        """
        if isinstance(index, slice):
            start, stop, step = index.indices(len(self))
            if step != 1:
                raise IndexError("rows of a file are read one after the other: take a slice without a step")
            return self._rows(start, max(start, stop))
        row = range(len(self))[index]
        found: npt.NDArray[Any] = self._rows(row, row + 1)[0]
        return found

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        """Read all of it into memory."""
        return self[:] if dtype is None else self[:].astype(dtype, copy=False)

    def __deepcopy__(self, _memo: object) -> StoredArray:
        """Return itself: nothing changes it."""
        return self

    def blocks(self) -> Iterator[npt.NDArray[Any]]:
        """Yield all rows, some at a time."""
        size = max(1, BLOCK_BYTES // max(1, self._row_bytes))
        for start in range(0, len(self), size):
            yield self[start : start + size]

    def mapped(self) -> npt.NDArray[Any]:
        """Map the file, for code that reads by addresses."""
        return np.memmap(self._file, self.dtype, "r", self._start, self.shape)

    def _rows(self, start: int, stop: int) -> npt.NDArray[Any]:
        found = np.empty((stop - start, *self.shape[1:]), self.dtype)
        wanted = memoryview(found.reshape(-1).view(np.uint8).data)
        place = self._start + start * self._row_bytes
        while wanted:
            count = _read_at(self._file, wanted, place)
            if not count:
                raise FileFormatError(f"{self._name} is damaged: it is shorter than it was when it was written")
            wanted, place = wanted[count:], place + count
        return found


def _read_at(file: BinaryIO, into: memoryview, place: int) -> int:
    """Read from a place in a file, of which several threads may read; gives how many bytes that were."""
    if hasattr(os, "preadv"):
        return os.preadv(file.fileno(), [into], place)
    with _GUARD:  # Windows has one position a file
        file.seek(place)
        return int(file.readinto(into))  # type: ignore[attr-defined]
