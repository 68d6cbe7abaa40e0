"""One process a run: two that train in one folder would write over each other's checkpoints and curves.

The lock is the operating system's, on a file in the folder. It is let go when the process ends, however it ends, so a
killed run needs no tidying up; the file itself stays, and says nothing once nobody holds it.
"""

from __future__ import annotations

import os
import socket
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from loopcell.errors import UsageError, quoted
from loopcell.training.run_folder import RunFolder

_HELD: dict[Path, int] = {}
"""The folders that this process holds, each with the thread that trains there."""
_GUARD = threading.Lock()
_MOST_TOLD = 200  # bytes of the file: a number and a machine's name


@contextmanager
def only_process(run: RunFolder) -> Iterator[None]:
    """Hold a run's folder, which is made if need be, until the block ends.

    Inside of another such block of the same thread nothing more happens, and neither in the later processes of a run
    of several, whose first process holds the folder for all.

    Raises:
        UsageError: another process, or another thread of this one, trains there; or the folder cannot be made.
    """
    place = Path(os.path.realpath(run.path))
    if not is_first_process() or _HELD.get(place) == threading.get_ident():
        yield
        return
    with _GUARD:
        if place in _HELD:
            raise UsageError(f"{run.path} is in use: this process is training there already, in another thread")
        descriptor = _locked(run)
        _HELD[place] = threading.get_ident()
    try:
        yield
    finally:
        with _GUARD:
            del _HELD[place]
            os.close(descriptor)


def is_first_process() -> bool:
    """Say whether this is the first process of a run of several, or the only one; launchers tell them their number."""
    return all(os.environ.get(number, "0") == "0" for number in ("LOCAL_RANK", "GROUP_RANK", "NODE_RANK"))


def _locked(run: RunFolder) -> int:
    """Return the descriptor of the folder's lock, held."""
    try:
        run.path.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(run.lock, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise UsageError(f"the run folder {run.path} cannot be made: {error.strerror}") from error
    try:
        _lock(descriptor)
    except BlockingIOError:
        os.close(descriptor)
        who = _holder(run)
        raise UsageError(f"{run.path} is in use: {who} is training there; wait for its end, or stop it") from None
    except OSError as error:  # a file system without locks
        warnings.warn(
            f"{run.path} cannot be locked ({error.strerror}): do not start a second process on this run", stacklevel=4
        )
    with suppress(OSError):  # what the file says is for people
        os.truncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()} {socket.gethostname()}\n".encode(), 0)
    return descriptor


def _lock(descriptor: int) -> None:
    """Lock a file without waiting; BlockingIOError where another process has."""
    if os.name == "nt":
        import msvcrt

        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        except OSError as error:
            raise BlockingIOError from error
        return
    import fcntl

    try:  # a process forked from this one does not inherit such a lock: it goes with this process
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except PermissionError as error:  # as some systems say it
        raise BlockingIOError from error


def _holder(run: RunFolder) -> str:
    """Read who holds the lock, as its file has it; nothing in the file is trusted."""
    try:
        with run.lock.open("rb") as file:
            number, _, host = file.read(_MOST_TOLD).decode("utf-8", "replace").strip().partition(" ")
    except OSError:
        return "another process"
    return f"process {number} on {quoted(host)[1:-1]}" if number.isascii() and number.isdigit() else "another process"
