"""The files that `loopcell inspect` writes: the page first, and beside it what was asked for."""

from __future__ import annotations

import webbrowser
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer

from loopcell.errors import UsageError

ENDINGS = {"output": (".html",), "table": (".parquet", ".csv")}
"""What the file of a flag may end in, where that is not the flag's own name."""


def files_of(typed: Mapping[str, Path | None]) -> list[Path]:
    """Return the files that are asked for, in the order of their flags.

    Args:
        typed: by the name of the flag; None where it was not given.

    Raises:
        UsageError: one has another ending than its flag says.
    """
    found = []
    for name, path in typed.items():
        endings = ENDINGS.get(name, (f".{name}",))
        if path is None:
            continue
        if path.suffix.lower() not in endings:
            raise UsageError(f"--{name} names a file that ends in {' or '.join(endings)}, not {path.name}")
        found.append(path)
    return found


def write(seen: Any, files: list[Path], *, show: bool) -> None:
    """Write what has a `save` to some files, and open the first of them, the page, in a browser."""
    for path in files:
        seen.save(path)
        typer.echo(f"wrote {path}")
    if show:
        webbrowser.open(files[0].resolve().as_uri())
