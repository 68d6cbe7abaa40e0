"""HDF5 files of weights, read as hostile: no links, no other files, no more memory than the file is large."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

import numpy as np
import torch
from torch import Tensor

from loopcell.errors import FileFormatError, LoopcellError, escaped
from loopcell.files.extras import require

DEEPEST = 16
"""Groups within groups; Keras needs half of them for a layer in a wrapper in a model."""
MOST_ENTRIES = 1 << 17

_ERRORS = (OSError, KeyError, RuntimeError, ValueError, TypeError, AttributeError, MemoryError)
"""What h5py raises for a damaged file."""


@contextmanager
def opened(file: str | os.PathLike[str] | IO[bytes], where: str) -> Iterator[Any]:
    """Open an HDF5 file for reading; what goes wrong with it in the block is a FileFormatError.

    Raises:
        FileFormatError: it is none, or a damaged one.
        MissingExtraError: h5py is not installed.
    """
    h5py = require("h5py", "keras", "Keras weights need")
    try:
        with h5py.File(file, "r") as group:
            yield group
    except LoopcellError:
        raise
    except _ERRORS as error:
        raise FileFormatError(f"{where} is not an HDF5 file, or not a whole one") from error


def tensors(group: Any, where: str) -> dict[str, Tensor]:
    """Return every dataset below a group, by its path.

    Raises:
        FileFormatError: something in it is a link or leads to another file, is packed, or is no numbers.
    """
    return {path: _tensor(dataset, f"`{escaped(path, 120)}` of {where}") for path, dataset in _walk(group, where)}


def _walk(group: Any, where: str) -> Iterator[tuple[str, Any]]:
    import h5py

    waiting, count = [("", group, 0)], 0
    while waiting:
        prefix, inner, depth = waiting.pop()
        for name in inner:
            count += 1
            path = f"{prefix}{name}"
            if not isinstance(inner.get(name, getlink=True), h5py.HardLink):
                raise FileFormatError(f"`{escaped(path, 120)}` of {where} is a link, and no weights of its own")
            entry = inner[name]
            if isinstance(entry, h5py.Dataset):
                yield path, entry
            elif depth >= DEEPEST or count > MOST_ENTRIES:
                raise FileFormatError(f"{where} has more groups within groups than a model: it may lead back to itself")
            else:
                waiting.append((f"{path}/", entry, depth + 1))


def _tensor(dataset: Any, where: str) -> Tensor:
    if dataset.external or dataset.is_virtual:
        raise FileFormatError(f"{where} lies in another file, which is not read")
    if dataset.dtype.kind not in "fiu":
        raise FileFormatError(f"{where} holds no numbers but {escaped(str(dataset.dtype), 40)}")
    # What is not written has no bytes, and its shape may be anything.
    if dataset.nbytes > dataset.id.get_storage_size():
        raise FileFormatError(f"{where} is packed or was never written: save the model again without compression")
    array = np.asarray(dataset[()])
    return torch.from_numpy(np.ascontiguousarray(array).astype(array.dtype.newbyteorder("="), copy=True))


def texts(group: Any, name: str) -> list[str]:
    """Return an attribute that is a list of texts; a long one is split by Keras into NAME0, NAME1, ..."""
    if name in group.attrs:
        return [_text(value) for value in np.atleast_1d(group.attrs[name])]
    parts = itertools.takewhile(group.attrs.__contains__, (f"{name}{part}" for part in itertools.count()))
    return [_text(value) for part in parts for value in np.atleast_1d(group.attrs[part])]


def text(group: Any, name: str, where: str) -> str:
    """Return an attribute that is a text.

    Raises:
        FileFormatError: there is none.
    """
    if name not in group.attrs:
        raise FileFormatError(f"{where} has no attribute `{name}`")
    return _text(group.attrs[name])


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
