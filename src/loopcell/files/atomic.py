"""Writing a file so that it is either whole or not there.

A killed process, a full disk or an exception leaves what stood under the name before. A kill (SIGKILL, power)
may leave a hidden `.NAME.*.tmp` beside it, which nothing ever reads and anybody may delete.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from loopcell.errors import FileWriteError, LoopcellError

_REASONS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "the file would be larger than the system allows",
    errno.EACCES: "permission denied",
    errno.EPERM: "permission denied",
    errno.EROFS: "the file system is read-only",
    errno.ENOENT: "its folder does not exist",
    errno.ENOTDIR: "its folder is not a folder",
    errno.EISDIR: "a folder has that name",
    errno.ENAMETOOLONG: "the name is too long",
}

_RUST_OS_ERROR = re.compile(r"\(os error (\d+)\)")


@contextmanager
def atomic_write(path: str | os.PathLike[str], mode: int | None = None) -> Iterator[Path]:
    """Replace `path` by what the block writes, all or nothing.

    The block gets the path of an empty temporary file in the same folder, and writes and closes it. When the
    block ends, the file is flushed to the disk and takes the name `path` in one step; when the block raises,
    the temporary file is removed and `path` stays as it was. A symbolic link is followed, not replaced.

    Args:
        path: the file to write; its folder has to exist.
        mode: its permissions; None keeps those of the file that is there, and gives a new one those that `open` gives.

    Yields:
        The temporary file's path.

    Raises:
        FileWriteError: the disk is full, the folder is missing or may not be written, ...
    """
    # In the folder of the target, whatever links lead there: a rename is one step within one file system only. Cut, so
    # that a name of the greatest length leaves room for the ending.
    target = Path(os.path.realpath(path))
    temporary = target.with_name(f".{target.name[:100]}.{secrets.token_hex(6)}.tmp")
    try:
        with _becoming(path, target, temporary, mode):
            yield temporary
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextmanager
def write_in_parts(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Replace `path` by what the block writes, and keep what it wrote when it raises or is killed.

    As `atomic_write`, but the temporary file has a name that its user finds: `path` with `.part` at its end. It stays
    there unless all of it becomes `path`; the next one takes its place.

    Args:
        path: the file to write; its folder has to exist.

    Yields:
        The temporary file's path.

    Raises:
        FileWriteError: the disk is full, the folder is missing or may not be written, ...
    """
    target = Path(os.path.realpath(path))
    part = target.with_name(f"{target.name}.part")
    with suppress(OSError):
        part.unlink(missing_ok=True)
    with _becoming(path, target, part):
        yield part


@contextmanager
def _becoming(path: str | os.PathLike[str], target: Path, temporary: Path, mode: int | None = None) -> Iterator[None]:
    """Let the block write a temporary file, and give it the name `target` when it is whole; errors name `path`."""
    try:
        wanted = _create(temporary, _mode_of(target) if mode is None else mode)
        yield
        # The order is what makes it safe: content on the disk, then the name, then the name on the disk.
        _flush(temporary)
        _restore_mode(temporary, wanted)
        temporary.replace(target)
        _flush_folder(target.parent)
    except Exception as error:
        number = _write_failure(error, temporary)
        if number is None:
            raise
        raise _refusal(path, number) from error


def _create(path: Path, mode: int | None) -> int:
    """Create an empty file and return its later permissions: `mode`, else those that `open` would give."""
    # O_EXCL: no file or link that somebody put there is written through. What will be private is so from the start.
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666 if mode is None else mode & 0o600)
    try:
        found = stat.S_IMODE(os.fstat(descriptor).st_mode)
    finally:
        os.close(descriptor)
    if mode is None:
        return found
    _restore_mode(path, mode | stat.S_IRUSR | stat.S_IWUSR)  # while it is written, its user has to be able to
    return mode


def _mode_of(path: Path) -> int | None:
    """Return a file's permissions for reading, writing and running; None where there is none."""
    try:
        return stat.S_IMODE(path.stat().st_mode) & 0o777
    except OSError:
        return None


def _restore_mode(path: Path, mode: int) -> None:
    """Set the permissions, where the file system has any.

    A library may have put a file of its own in the place of the one that it was told to write, open to its user
    alone: safetensors does.
    """
    with suppress(OSError):
        if stat.S_IMODE(path.stat().st_mode) != mode:
            path.chmod(mode)


def _flush(path: Path) -> None:
    """Wait until the file's content is on the disk; a rename alone does not promise that."""
    with path.open("r+b") as file:
        os.fsync(file.fileno())


def _flush_folder(folder: Path) -> None:
    """Make the new name durable, where the file system can; the file itself is whole by then."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _write_failure(error: Exception, temporary: Path) -> int | None:
    """Return the system's error number, when `error` is about writing this file and not about something else."""
    if isinstance(error, LoopcellError):
        return None
    if isinstance(error, OSError):
        about_another_file = error.filename is not None and os.fspath(error.filename) != os.fspath(temporary)
        return None if about_another_file or error.errno is None else error.errno
    # safetensors and tokenizers write in Rust and raise their own type, with the number in the text only.
    number = _RUST_OS_ERROR.search(str(error))
    return int(number[1]) if number else None


def _refusal(path: str | os.PathLike[str], number: int) -> FileWriteError:
    reason = _REASONS.get(number) or os.strerror(number)
    failure = FileWriteError(f"cannot write {os.fspath(path)}: {reason}; whatever had that name before is unchanged")
    failure.errno = number
    return failure
