"""The weights of exported C as one file, NAME.weights, which is used where it lies.

All numbers are little-endian:

    word 0      the mark "LCW1"
    words 1, 2  the identity of the model
    word 3      the layout: a checksum of the names, types and sizes of the arrays, and of the form of products
    word 4      the bytes of the file
    from 64     the arrays, each at a multiple of 64
    the end     CRC-32 of all before it
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Sequence
from typing import Protocol

import numpy as np

from loopcell.export.c.names import text
from loopcell.export.c.product import Form
from loopcell.export.c.weights import Array

MARK = 0x3157434C  # "LCW1"
_UNIT = 64  # a line of most caches, and more than any vector of weights needs


class HasWeights(Protocol):
    """A model in C, as far as its weights are concerned."""

    @property
    def name(self) -> str:
        """Return its name."""

    @property
    def store(self) -> str:
        """Return "arrays" or "blob"."""

    @property
    def form(self) -> Form:
        """Return how products are written."""

    @property
    def identity(self) -> str:
        """Return 16 hexadecimal digits."""

    @property
    def arrays(self) -> tuple[Array, ...]:
        """Return the weights, in order."""


def blob(source: HasWeights) -> bytes:
    """Return the file of a model's weights."""
    size = blob_bytes(source.arrays)
    words = [MARK, int(source.identity[:8], 16), int(source.identity[8:], 16), layout(source), size]
    made = bytearray(size)
    made[: 4 * len(words)] = np.array(words, "<u4").tobytes()
    for array, begin in zip(source.arrays, offsets(source.arrays), strict=True):
        made[begin : begin + array.values.nbytes] = array.values.astype(array.values.dtype.newbyteorder("<")).tobytes()
    made[-4:] = np.array([zlib.crc32(made[:-4])], "<u4").tobytes()
    return bytes(made)


def offsets(arrays: Iterable[Array]) -> list[int]:
    """Return where each array begins."""
    found, end = [], _UNIT
    for array in arrays:
        found.append(end)
        end += _filled(array.values.nbytes)
    return found


def blob_bytes(arrays: Sequence[Array]) -> int:
    """Return the length of the file."""
    return _UNIT + sum(_filled(array.values.nbytes) for array in arrays) + 4


def layout(source: HasWeights) -> int:
    """Return the checksum of what the code takes for granted of the arrays."""
    arrays = [(array.name, array.c_type, array.values.size) for array in source.arrays]
    form = source.form
    about = json.dumps([arrays, form.file, form.rows, form.in_blocks, form.group])
    return zlib.crc32(about.encode())


def set_up_words(source: HasWeights) -> dict[str, str]:
    """Return how a program sets up a model: what stands before its functions, the call, and further checks."""
    if source.store == "arrays":
        return {"set_up": "", "begin": f"{source.name}_init(&model)", "weights_check": ""}
    fill = {"name": source.name, "NAME": source.name.upper()}
    pieces = (text(name).format_map(fill) for name in ("set_up_blob.c", "check_blob.c"))
    return dict(zip(("set_up", "weights_check"), pieces, strict=True)) | {"begin": "set_up(&model)"}


def _filled(count: int) -> int:
    return -(-count // _UNIT) * _UNIT
