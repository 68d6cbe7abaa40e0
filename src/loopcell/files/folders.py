"""Folders that are kept between processes."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """Return $LOOPCELL_CACHE, else `loopcell` in the user's cache folder, whether it is there or not.

    Compiled kernels and downloaded data sets are kept in it.

    Raises:
        FileNotFoundError: the user has no home.
    """
    named = os.environ.get("LOOPCELL_CACHE", "")
    if named:
        return Path(named).resolve()
    try:
        home = Path(os.environ.get("XDG_CACHE_HOME", "") or Path.home() / ".cache")
    except RuntimeError as error:  # a user without a home
        raise FileNotFoundError(str(error)) from error
    return (home / "loopcell").resolve()
