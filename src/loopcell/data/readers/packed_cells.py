"""Cells of any kind in one file, one after the other, and read in any order: the columns of more than memory."""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Sequence
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from loopcell.data.examples.ragged import Ragged

Bytes = npt.NDArray[np.uint8]
_HEAD = struct.Struct("<1s3sI")  # "a", the kind of numbers as NumPy writes it, and I of [T, I]; 0 of [T]
_PLAIN = frozenset({str, int, float, bool, type(None)})


def pack(cell: Any) -> Bytes | None:
    """Return a cell as bytes from which `unpack` gives the same again; None for what is neither array nor JSON."""
    if isinstance(cell, np.ndarray):
        return _packed_array(cell)
    if not _is_json(cell):
        return None
    return np.frombuffer(b"j" + json.dumps(cell, ensure_ascii=False).encode("utf-8", "surrogatepass"), np.uint8)


def unpack(packed: Bytes) -> Any:
    """Return the cell that `pack` made these bytes of."""
    kind = packed[:1].tobytes()
    if kind == b"j":
        return json.loads(packed[1:].tobytes().decode("utf-8", "surrogatepass"))
    if kind == b"n":
        return np.load(io.BytesIO(packed[1:].tobytes()), allow_pickle=False)
    _, dtype, width = _HEAD.unpack_from(packed.data)
    values = packed[_HEAD.size :].view(np.dtype(dtype.decode("ascii")))
    return values.reshape(-1, width) if width else values


def _packed_array(cell: npt.NDArray[Any]) -> Bytes | None:
    if cell.dtype.hasobject:
        return None
    usual = cell.dtype.kind in "iuf" and len(cell.dtype.str) == 3 and cell.ndim in (1, 2) and cell.shape[-1] < 1 << 32
    if usual and (cell.ndim == 1 or cell.shape[1]):
        width = cell.shape[1] if cell.ndim == 2 else 0
        head = _HEAD.pack(b"a", cell.dtype.str.encode("ascii"), width)
        return np.frombuffer(head + np.ascontiguousarray(cell).tobytes(), np.uint8)
    file = io.BytesIO(b"n")
    file.seek(1)
    np.save(file, cell, allow_pickle=False)
    return np.frombuffer(file.getvalue(), np.uint8)


def _is_json(cell: Any) -> bool:
    """Say whether JSON gives the same back: not for a tuple, a date, an array in a list, a key that is no text."""
    if type(cell) in _PLAIN:
        return True
    if type(cell) is list:
        return all(type(one) in _PLAIN for one in cell) or all(map(_is_json, cell))
    return type(cell) is dict and all(type(key) is str and _is_json(value) for key, value in cell.items())


class PackedCells(Sequence[Any]):
    """The cells of a column in a file, each of which is read when it is asked for.

    Args:
        packed: their bytes.
        others: cells that no bytes are made of, such as dates, by their places.
    """

    def __init__(self, packed: Ragged, others: dict[int, Any]) -> None:
        self._packed, self._others = packed, others

    @property
    def nbytes(self) -> int:
        """The bytes of the file."""
        return self._packed.values.nbytes

    def __len__(self) -> int:
        return len(self._packed)

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> list[Any]: ...
    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return [self[at] for at in range(len(self))[index]]
        at = range(len(self))[index]
        return self._others[at] if at in self._others else unpack(self._packed[at])
