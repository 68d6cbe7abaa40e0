"""One safe file of named tensors and facts: safetensors with a format, a version and JSON in its header.

Checkpoints and models are such files. Reading one runs no code from it and allocates no more than its size.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
from torch import Tensor

from loopcell.errors import FileFormatError
from loopcell.files import atomic_write


@dataclass(frozen=True)
class FileKind:
    """What a file says it is.

    Attributes:
        name: the format's name in the header.
        version: the newest version that this library writes and reads.
        what: the words for it in an error message.
    """

    name: str
    version: int
    what: str


@dataclass(frozen=True)
class TensorFile:
    """What stands in a file: tensors by name, and JSON values by name."""

    tensors: dict[str, Tensor]
    facts: dict[str, Any]


def write_tensor_file(path: Path, kind: FileKind, content: TensorFile) -> None:
    """Write a file whole or not at all; what stood there before stays until the new file is complete.

    Raises:
        FileWriteError: the disk is full, or the folder cannot be written.
    """
    header = {"format": kind.name, "format_version": str(kind.version)}
    header |= {name: json.dumps(value, ensure_ascii=False) for name, value in content.facts.items()}
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in content.tensors.items()}
    with atomic_write(path) as temporary:
        temporary.write_bytes(_ordered(safetensors.torch.save(tensors, header)))


def read_tensor_file(path: Path, kind: FileKind) -> TensorFile:
    """Read a file and check that it is one of ours, whole, and not newer than this library.

    Raises:
        FileFormatError: there is no such file, or it is truncated, foreign, damaged or newer.
    """
    if not path.is_file():
        raise FileFormatError(f"there is no {kind.what} {path}")
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            facts = _facts(path, kind, file.metadata() or {})
            # A clone has memory of its own, aligned as PyTorch aligns it, and does not hold the file open.
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
    except (safetensors.SafetensorError, OSError, MemoryError) as error:
        raise FileFormatError(f"{path} is not a {kind.what}, or not a whole one") from error
    return TensorFile(tensors, facts)


def _ordered(data: bytes) -> bytes:
    """The same file with its header's entries in order: equal content gives equal bytes."""
    end = 8 + int.from_bytes(data[:8], "little")
    header = json.dumps(json.loads(data[8:end]), sort_keys=True, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    return len(header).to_bytes(8, "little") + header + data[end:]


def _facts(path: Path, kind: FileKind, header: dict[str, str]) -> dict[str, Any]:
    """The JSON values of the header, after a look at the format and its version."""
    if header.get("format") != kind.name:
        found = header.get("format", "unnamed")[:40]
        raise FileFormatError(f"{path} is not a {kind.what}: its format is {found!r}, not {kind.name!r}")
    version = header.get("format_version", "")
    if not (version.isascii() and version.isdigit() and 0 < len(version) < 6):
        raise FileFormatError(f"{path} is damaged: its format version is {version[:40]!r}, not a number")
    if int(version) > kind.version:
        raise FileFormatError(
            f"{path} has format version {version}, and this loopcell reads versions up to {kind.version}; "
            "upgrade loopcell"
        )
    names = header.keys() - {"format", "format_version"}
    return {name: _json(path, name, header[name]) for name in names}


def _json(path: Path, name: str, text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FileFormatError(f"{path} is damaged: its {name!r} is not JSON") from error
