"""Patterns of file names, such as `data/*.csv`, that a shell left to us because they were quoted."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from loopcell.data.text.source import unreadable
from loopcell.errors import DataError

_SIGNS = re.compile(r"[*?\[]")


def expanded(paths: Sequence[Path]) -> list[Path]:
    """Return paths with the files that a pattern matches in its place, in the order of their names.

    `**` stands for any folders, of which links are not followed; hidden files are matched by patterns that begin with a
    dot only. A file that has such a name is no pattern.

    Raises:
        DataError: a pattern matches no file, or a folder in it cannot be read.
    """
    return [one for path in paths for one in (_matches(path) if _is_pattern(path) else [path])]


def _is_pattern(path: Path) -> bool:
    try:
        return _SIGNS.search(str(path)) is not None and not path.exists()
    except (OSError, ValueError):  # a name that no file can have
        return False


def _matches(path: Path) -> list[Path]:
    try:
        found = sorted(_found(path))
    except (OSError, ValueError, NotImplementedError) as error:
        raise unreadable(path, error) if isinstance(error, OSError) else DataError(f"{path}: {error}") from error
    files = [one for one in found if one.is_file()]
    if not files:
        folders = f"; it matches {len(found):,} folders, whose files are {path}/*" if found else ""
        raise DataError(f"no file matches {path}{folders}")
    return files


def _found(path: Path) -> Iterator[Path]:
    at = next(number for number, part in enumerate(path.parts) if _SIGNS.search(part))
    root, rest = Path(*path.parts[:at]), path.parts[at:]
    hidden = any(part.startswith(".") for part in rest)
    for one in root.glob(str(Path(*rest))):
        if hidden or not any(part.startswith(".") for part in one.relative_to(root).parts):
            yield one
