"""Writing a folder of files so that it is either whole or not there."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from loopcell.errors import FileWriteError, UsageError


def demand_free(folder: str | os.PathLike[str], *, overwrite: bool) -> None:
    """Refuse a folder that holds something already, before any work is done for it.

    Raises:
        UsageError: a file has that name, or the folder is not empty and may not be overwritten.
    """
    path = Path(folder)
    if path.exists() and not path.is_dir():
        raise UsageError(f"{path} is a file; name a folder")
    if not overwrite and path.is_dir() and next(path.iterdir(), None) is not None:
        raise UsageError(f"the folder {path} is not empty; name another, or say overwrite=True")


@contextmanager
def whole_folder(folder: str | os.PathLike[str], *, overwrite: bool = False) -> Iterator[Path]:
    """Make a folder of what the block writes, all or nothing.

    The block gets an empty folder beside the one that is wanted. When it ends, that folder takes the name; where there
    are files under the name already, each new one takes the place of its namesake, and the others stay. When the block
    raises, nothing has changed.

    Args:
        folder: what to make; the folder that it is in is made too.
        overwrite: write into a folder that is not empty.

    Yields:
        The folder to write to.

    Raises:
        UsageError: a file has that name, or the folder is not empty and may not be overwritten.
        FileWriteError: the disk is full, no permission, ...
    """
    demand_free(folder, overwrite=overwrite)
    target = Path(os.path.realpath(folder))
    temporary = target.with_name(f".{target.name[:100]}.{secrets.token_hex(6)}.tmp")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary.mkdir()
    except OSError as error:
        raise FileWriteError(f"cannot write the folder {folder}: {error.strerror}") from error
    try:
        yield temporary
        _take_name(temporary, target, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _take_name(temporary: Path, target: Path, folder: str | os.PathLike[str]) -> None:
    try:
        if target.is_dir() and next(target.iterdir(), None) is None:
            target.rmdir()
        if not target.exists():
            temporary.rename(target)
            return
        for path in sorted(temporary.rglob("*")):
            to = target / path.relative_to(temporary)
            if path.is_dir():
                to.mkdir(exist_ok=True)
            else:
                path.replace(to)
    except OSError as error:
        raise FileWriteError(f"cannot write the folder {folder}: {error.strerror}") from error
