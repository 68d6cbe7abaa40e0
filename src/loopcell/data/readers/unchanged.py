"""Files that have to stay as they are while they are read."""

from __future__ import annotations

import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from loopcell.data.readers.records import Records
from loopcell.errors import DataError


class FileState(NamedTuple):
    """The facts that change when a file is written, or another one takes its name."""

    device: int
    number: int
    size: int
    written: int


@contextmanager
def unchanged(records: Records) -> Iterator[None]:
    """Refuse files that change while the block reads them.

    Raises:
        DataError: one was written or replaced meanwhile; what was read of it may be a half of each.
    """
    before = states(records.files)
    yield
    for path, state in states(records.files).items():
        if before.get(path) != state:
            raise DataError(
                f"{path} was changed while it was read{_by_how_much(before.get(path), state)}: wait until nothing "
                "writes to it, and begin again"
            )


def states(paths: Sequence[Path]) -> dict[Path, FileState | None]:
    """Return the state of each file; None of one that is gone, or is no plain file, such as a pipe."""
    return {path: _state(path) for path in paths}


def _state(path: Path) -> FileState | None:
    try:
        found = path.stat()
    except OSError:
        return None
    plain = stat.S_ISREG(found.st_mode)
    return FileState(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns) if plain else None


def _by_how_much(before: FileState | None, now: FileState | None) -> str:
    if before is None or now is None or before.size == now.size:
        return ""
    return f" (from {before.size:,} bytes to {now.size:,})"
