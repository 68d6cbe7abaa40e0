"""One safe file of named tensors and facts: safetensors with a format, a version and JSON in its header.

Checkpoints and models are such files. Reading one runs no code from it and allocates no more than its size.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import safetensors

from loopcell.errors import FileFormatError, LoopcellError
from loopcell.files import atomic_write

if TYPE_CHECKING:
    from torch import Tensor

_DIGEST = "digest"

# What building something from a hostile file may raise: sizes that overflow, names that are no Python, ...
HOSTILE = (
    LoopcellError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    MemoryError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
)


@dataclass(frozen=True)
class FileKind:
    """A kind of file: the format's name and version, and the program's word for it.

    Attributes:
        name: the format's name in the header.
        version: the newest version that this library writes and reads.
        what: the words for it in an error message.
        digest: whether a hash of its tensors lies beside them, so that a changed number is found. Files from before
            it had one are read too.
    """

    name: str
    version: int
    what: str
    digest: bool = False


@dataclass(frozen=True)
class TensorFile:
    """The content of a file: tensors by name, and JSON values by name."""

    tensors: dict[str, Tensor]
    facts: dict[str, Any]


def write_tensor_file(path: Path, kind: FileKind, content: TensorFile) -> None:
    """Write a file whole or not at all; what stood there before stays until the new file is complete.

    Raises:
        FileWriteError: the disk is full, or the folder cannot be written.
    """
    import safetensors.torch

    header = {"format": kind.name, "format_version": str(kind.version)}
    digest = {_DIGEST: fingerprint_of_tensors(content.tensors)} if kind.digest else {}
    header |= {name: json.dumps(value, ensure_ascii=False) for name, value in (content.facts | digest).items()}
    with atomic_write(path) as temporary:
        safetensors.torch.save_file(_storable(content.tensors), temporary, header)
        _order_header(temporary)


def read_tensor_file(path: Path, kind: FileKind) -> TensorFile:
    """Read a file and check that it is one of ours, whole, and not newer than this library.

    Raises:
        FileFormatError: there is no such file, or it is truncated, foreign, damaged or newer.
    """
    with _opened(path, kind) as file:
        facts = _facts(path, kind, file.metadata() or {})
        # A clone has memory of its own, aligned as PyTorch aligns it, and does not hold the file open.
        tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
    if kind.digest and _DIGEST in facts and facts.pop(_DIGEST) != fingerprint_of_tensors(tensors):
        raise FileFormatError(f"{path} is damaged: its tensors are not those that were written")
    return TensorFile(tensors, facts)


def read_tensor_shapes(path: Path, kind: FileKind) -> dict[str, tuple[int, ...]]:
    """Read the shapes alone of a file's tensors; no tensor takes memory. Errors as `read_tensor_file`."""
    with _opened(path, kind) as file:
        _facts(path, kind, file.metadata() or {})
        return {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118


def read_facts(path: Path, kind: FileKind) -> dict[str, Any]:
    """Read the facts alone; no tensor takes memory, and torch is not imported. Errors as `read_tensor_file`."""
    with _opened(path, kind, framework="np") as file:
        return _facts(path, kind, file.metadata() or {})


@contextmanager
def _opened(path: Path, kind: FileKind, framework: str = "pt") -> Iterator[Any]:
    """Open the file; what goes wrong with it in the block is a FileFormatError."""
    if not path.is_file():
        raise FileFormatError(f"there is no {kind.what} {path}")
    try:
        with safetensors.safe_open(path, framework=framework) as file:
            yield file
    except (safetensors.SafetensorError, OSError, MemoryError) as error:
        raise FileFormatError(f"{path} is not a {kind.what}, or not a whole one") from error


def _storable(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors as safetensors takes them: those that share memory are copied, and only those."""
    found: dict[str, Tensor] = {}
    taken: set[int] = set()
    for name, given in tensors.items():
        tensor = given.detach().cpu().contiguous()
        place = tensor.untyped_storage().data_ptr()
        found[name] = tensor.clone() if place in taken else tensor
        taken.add(place)
    return found


def _order_header(path: Path) -> None:
    """Put the header's entries in order, in place: equal content gives equal bytes."""
    with path.open("r+b") as file:
        size = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(size))
        ordered = json.dumps(header, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
        assert len(ordered) <= size  # the same entries, and safetensors writes them as briefly
        file.seek(8)
        file.write(ordered.ljust(size))


def _facts(path: Path, kind: FileKind, header: dict[str, str]) -> dict[str, Any]:
    """Read the JSON values of the header, after a look at the format and its version."""
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


def fingerprint_of_tensors(tensors: Mapping[str, Tensor], before: str = "") -> str:
    """Return a hash of tensors by name, the same in every process and after save and load.

    Args:
        tensors: by name, in any order.
        before: a text that is hashed before them.
    """
    import torch

    digest = hashlib.sha256(before.encode())
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().clone(memory_format=torch.contiguous_format)
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
