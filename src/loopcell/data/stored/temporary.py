"""Files without a name, for what is more than memory: nothing of them is left, however the process ends."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, BinaryIO

from loopcell.data.stored.room import IN_MEMORY
from loopcell.errors import FileWriteError

STORE = "LOOPCELL_STORE"
BUFFER_BYTES = 1 << 18
_BESIDE: ContextVar[Path | None] = ContextVar("beside", default=None)


@contextmanager
def beside(folder: Path) -> Iterator[None]:
    """Let what is stored in the block lie in this folder, unless LOOPCELL_STORE names another one."""
    token = _BESIDE.set(folder)
    try:
        yield
    finally:
        _BESIDE.reset(token)


def place_of_files() -> Path:
    """Return the folder for what is more than memory: LOOPCELL_STORE, the run's, or the system's for such files."""
    named, run = os.environ.get(STORE, ""), _BESIDE.get()
    if named or run is None:
        return Path(named or tempfile.gettempdir())
    return next(folder for folder in (run.absolute(), *run.absolute().parents) if folder.is_dir())  # it may be to come


@contextmanager
def temporary_file() -> Iterator[BinaryIO]:
    """Give a file to write and then to read, which has no name and goes away when it is closed or the process ends.

    It stays open after the block, unless the block raises.

    Raises:
        FileWriteError: there is no such folder, it may not be written, or its disk is full.
    """
    folder = place_of_files()
    try:
        file = tempfile.TemporaryFile(buffering=BUFFER_BYTES, dir=folder)  # noqa: SIM115 - whoever reads it closes it
    except OSError as error:
        raise _refused(folder, error) from error
    try:
        yield file  # type: ignore[misc]  # typeshed's own name for such a file
        file.flush()
    except OSError as error:
        _abandon(file)
        raise _refused(folder, error) from error
    except BaseException:
        _abandon(file)
        raise


def stored_note(what: str, count: int) -> str:
    """Return the sentence on data of so many bytes that are in a temporary file."""
    return (
        f"{what} is more than is held in memory ({in_units(count)}), and lies in a file in {place_of_files()} until "
        f"the end ({STORE} names another folder)"
    )


def in_units(count: int) -> str:
    """Return a number of bytes in words."""
    return f"{count / 2**30:,.1f} GiB" if count >= 1 << 30 else f"{max(1, count >> 20):,} MiB"


def _abandon(file: Any) -> None:
    """Close a file without writing what still waits for room on a full disk."""
    getattr(file, "raw", file).close()


def _refused(folder: Path, error: OSError) -> FileWriteError:
    reason = os.strerror(error.errno).lower() if error.errno is not None else str(error)
    failure = FileWriteError(
        f"the data are more than is held in memory, and {folder} cannot take them: {reason}; name a folder on a disk "
        f"with room for them in {STORE}, or allow more memory with {IN_MEMORY.variable}"
    )
    failure.errno = error.errno or 0
    return failure
