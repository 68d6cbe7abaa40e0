"""A hash of data, by which a comparison knows its own again."""

from __future__ import annotations

import hashlib
import pickle
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from loopcell.tasks.core.settings import settings_class

PLAIN = (bool, int, float, str, type(None))
"""What JSON has a form of, and `repr` says as a whole."""
BLOCK = 2**20
"""Bytes of a file that are read at once."""


def content_hash(*data: Any) -> str:
    """Return a hash of data: arrays, tensors, tables, texts, numbers, files by their paths, and lists of these."""
    digest = hashlib.sha256()
    for part in _parts(data):
        digest.update(part)
    return digest.hexdigest()


def _parts(value: Any) -> Iterator[bytes]:
    """Yield the bytes of a value, each begun by its kind and its length, so that no two values have the same."""
    if isinstance(value, Tensor):
        value = value.detach().cpu().numpy()
    if isinstance(value, np.ndarray) and value.dtype != object:
        yield f"array {value.dtype} {value.shape} ".encode()
        yield np.ascontiguousarray(value).tobytes()
    elif isinstance(value, str | bytes):
        content = value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value
        yield f"{type(value).__name__} {len(content)} ".encode()
        yield content
    elif isinstance(value, Path):
        yield from _file(value)
    else:
        yield from _parts_of_many(value)


def _parts_of_many(value: Any) -> Iterator[bytes]:
    if isinstance(value, list | tuple) and all(isinstance(one, PLAIN) for one in value):
        yield repr(value).encode("utf-8", "surrogatepass")
        return
    if isinstance(value, Sequence | np.ndarray):
        yield f"list {len(value)} ".encode()
        members = list(value)
    elif isinstance(value, Mapping):
        members = [part for item in value.items() for part in item]
        yield f"table {len(members)} ".encode()
    elif hasattr(value, "columns") and hasattr(value, "to_numpy"):  # pandas, polars
        members = [(str(name), value[name].to_numpy()) for name in value.columns]
        index = getattr(value, "index", None)
        members += [] if index is None else [("index", index.to_numpy())]
        yield f"frame {len(members)} ".encode()
    elif hasattr(value, "to_numpy"):  # one column
        members = [value.to_numpy()]
        yield b"column "
    elif is_dataclass(value):
        members = [getattr(value, field.name) for field in fields(value)]
        yield f"{type(value).__qualname__} {len(members)} ".encode()
    else:
        members = []
        yield _pickled(value)
    for member in members:
        yield from _parts(member)


def _pickled(value: Any) -> bytes:
    """Return the bytes of some other object; of one that pickle refuses its words."""
    try:
        return pickle.dumps(value, protocol=4)
    except (pickle.PicklingError, TypeError, AttributeError):
        return without_address(value).encode("utf-8", "surrogatepass")


def without_address(value: Any) -> str:
    """Return `repr(value)` without the address in memory, which is another one in each process."""
    return re.sub(" at 0x[0-9a-fA-F]+", "", repr(value))


def arguments_of(estimator: Any, leaving: Collection[str] = ()) -> dict[str, Any]:
    """Return the constructor's arguments of an estimator by name, but for some."""
    names = (field.name for field in fields(settings_class(type(estimator))))
    return {name: getattr(estimator, name) for name in names if name not in leaving}


def shown_arguments(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return arguments as JSON has them; what is no plain value is shown by its text."""
    return {name: value if isinstance(value, PLAIN) else without_address(value) for name, value in arguments.items()}


def data_arguments(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments that are data: word vectors."""
    return {name: value for name, value in arguments.items() if not isinstance(value, PLAIN) and not callable(value)}


def _file(path: Path) -> Iterator[bytes]:
    if not path.is_file():
        yield from _parts(str(path))
        return
    yield f"file {path.stat().st_size} ".encode()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            yield block
