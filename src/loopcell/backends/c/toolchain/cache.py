"""Cache: where compiled kernels are kept, and which of those that lie there are run.

An entry is one file, NAME-KEY-DIGEST.so: KEY says what it was made from, DIGEST what it is (a hash over the key and
the content). So it is written in one step, two processes that make the same one do not meet, and what is damaged, cut
off or renamed shows before it is loaded.

A library is code that will run as whoever loads it. Entries are therefore taken only from a folder that nobody but
this user and root can write to, and only where they belong to one of the two.
"""

from __future__ import annotations

import atexit
import hashlib
import os
import shutil
import stat
import tempfile
import warnings
from contextlib import suppress
from functools import cache
from glob import escape
from pathlib import Path

from loopcell.files import atomic_write, cache_folder

_ROOT = 0
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH

_ADVICE = "LOOPCELL_CACHE names a folder for them"

_OWN: dict[int, Path] = {}
"""By process, a folder that is gone with it. A forked process makes another: its parent may end first."""


class _UntrustedError(OSError):
    """A folder or entry that somebody else could have written."""


def folder() -> Path:
    """Return where kernels are kept for later processes, or for this one alone where there is no such place.

    $LOOPCELL_CACHE, else `loopcell` in the user's cache folder ($XDG_CACHE_HOME or ~/.cache), made if need be. In a
    sticky folder, as /tmp, it is a subfolder of the user's own.
    """
    with suppress(OSError):
        found = _lasting()
        if os.access(found, os.W_OK | os.X_OK):
            return found
    return _own()


def find(name: str, key: str) -> Path | None:
    """Return the library that was kept under a name and key, whole and to be trusted, or None."""
    places = [_OWN[os.getpid()]] if os.getpid() in _OWN else []
    with suppress(OSError):
        places.insert(0, _lasting())
    for path in (path for place in places for path in sorted(place.glob(f"{escape(name)}-{key}-*.so"))):
        with suppress(OSError):
            if _is_whole(path, key):
                return path
            path.unlink()  # damaged: it would be read again each time
    return None


def keep(name: str, key: str, content: bytes) -> Path:
    """Keep a library and return its path: for later processes if that can be, else, with one warning, for this one.

    Raises:
        FileWriteError: there is no folder at all that can be written.
    """
    place = None
    try:
        place = _lasting()
        return _written(place, name, key, content)
    except OSError as error:
        reason = f"{error.filename or place}: {os.strerror(error.errno)}" if error.errno else str(error)
        _say_once(f"compiled kernels are not kept for later processes: {reason}; {_ADVICE}")
    return _written(_own(), name, key, content)


def remove(path: Path) -> None:
    """Remove a library that cannot be used, where that is allowed; the next process makes it anew."""
    with suppress(OSError):
        path.unlink()


def _written(place: Path, name: str, key: str, content: bytes) -> Path:
    path = place / f"{name}-{key}-{_digest(key, content)}.so"
    # Whatever the umask: nobody else writes, and an image's user reads what root has built.
    with atomic_write(path, mode=0o644) as temporary:
        temporary.write_bytes(content)
    return path


def _is_whole(path: Path, key: str) -> bool:
    status = path.lstat()
    if not stat.S_ISREG(status.st_mode):
        return False
    _refuse_strangers(path, status)
    return path.stem.rpartition("-")[2] == _digest(key, path.read_bytes())


def _digest(key: str, content: bytes) -> str:
    return hashlib.sha256(key.encode() + content).hexdigest()[:32]


def _lasting() -> Path:
    """Return the folder that outlives the process.

    Raises:
        OSError: there is none, or none to be trusted.
    """
    named = cache_folder()
    named.mkdir(parents=True, exist_ok=True, mode=0o700)
    status = named.lstat()
    if status.st_mode & stat.S_ISVTX and status.st_uid in _trusted():  # as /tmp: entries cannot be taken by others
        named /= f"user-{os.geteuid()}"
        named.mkdir(exist_ok=True, mode=0o700)
        status = named.lstat()
        if not stat.S_ISDIR(status.st_mode):
            raise _UntrustedError(f"{named} is not a folder")
    _refuse_strangers(named, status)
    return named


def _refuse_strangers(path: Path, status: os.stat_result) -> None:
    if os.name == "nt":  # folders of a user's own are that by their access list, which Python does not show
        return
    if status.st_uid not in _trusted():
        raise _UntrustedError(f"{path} belongs to another user")
    if status.st_mode & _OTHERS_WRITE:
        raise _UntrustedError(f"others can write to {path}")


def _trusted() -> tuple[int, ...]:
    return () if os.name == "nt" else (_ROOT, os.geteuid())


def _own() -> Path:
    """Return the folder of this process, made if need be."""
    pid = os.getpid()
    if pid not in _OWN:
        _OWN[pid] = Path(tempfile.mkdtemp(prefix="loopcell-"))
        atexit.register(_remove, _OWN[pid], pid)
    return _OWN[pid]


def _remove(own: Path, pid: int) -> None:
    if os.getpid() == pid:
        shutil.rmtree(own, ignore_errors=True)


@cache
def _say_once(sentence: str) -> None:
    warnings.warn(sentence, stacklevel=2)
