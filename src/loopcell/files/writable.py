"""Asking whether a folder can be written, before the hours of work whose result is to stand there."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile

from loopcell.errors import FileWriteError


def demand_file(path: Path) -> None:
    """Refuse a file that could not be written as a whole at the end, before the work whose result it is to hold.

    Raises:
        FileWriteError: its folder is not there or may not be written, or a folder has that name.
    """
    folder = path.absolute().parent
    if not folder.is_dir():
        raise FileWriteError(f"{path} cannot be written: its folder does not exist")
    if path.is_dir():
        raise FileWriteError(f"{path} cannot be written: a folder has that name")
    demand_folder(folder)


def demand_folder(folder: Path) -> None:
    """Refuse a folder in which nothing can be written; one that is not there is made for the test, and removed.

    Raises:
        FileWriteError: it cannot be made, or may not be written.
    """
    missing: list[Path] = []
    try:
        missing = [place for place in (folder, *folder.parents) if not place.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        reason = (error.strerror or str(error)).lower() if error.errno is None else os.strerror(error.errno).lower()
        raise FileWriteError(f"{folder}: nothing can be written there ({reason})") from error
    finally:
        for place in missing:
            with suppress(OSError):
                place.rmdir()
