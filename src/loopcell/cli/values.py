"""Values of flags that are more than a number: times, cells, models."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import TYPE_CHECKING

from loopcell.errors import UsageError

if TYPE_CHECKING:
    from loopcell.equations import Cell

SECONDS = {"h": 3600, "m": 60, "s": 1}


def parse_time(text: str) -> float:
    """A length of time, such as 50m, 1h30m, 90s or 90, in seconds.

    Raises:
        UsageError: it is not one.
    """
    parts = re.findall(r"(\d+(?:\.\d+)?)([hms]?)", text)
    seconds = sum(float(number) * SECONDS[unit or "s"] for number, unit in parts)
    if "".join(number + unit for number, unit in parts) != text or seconds <= 0:
        raise UsageError(f"{text!r} is not a length of time; write 50m, 1h30m or 90s")
    return seconds


def parse_sizes(pairs: list[str]) -> dict[str, int]:
    """Sizes such as proj=128.

    Raises:
        UsageError: one is not of this form.
    """
    sizes: dict[str, int] = {}
    for pair in pairs:
        name, _, number = pair.partition("=")
        if not (name and number.isascii() and number.isdigit()):
            raise UsageError(f"{pair!r} is not a size; write NAME=NUMBER, such as proj=128")
        sizes[name] = int(number)
    return sizes


def find_cell(name: str) -> Cell:
    """A cell of the library by its name, or a cell of one's own as FILE.py:NAME.

    Raises:
        UsageError: there is none.
    """
    from loopcell import cells

    file, colon, attribute = name.rpartition(":")
    return _cell_from_file(Path(file), attribute) if colon else cells.get(name)


def find_model(path: Path) -> Path:
    """A model's file, also when its run folder is named."""
    return path / "model.safetensors" if path.is_dir() else path


def _cell_from_file(file: Path, attribute: str) -> Cell:
    """Run a Python file of the user's and take a cell from it."""
    from loopcell.equations import Cell

    spec = importlib.util.spec_from_file_location(file.stem, file)
    if spec is None or spec.loader is None or not file.is_file():
        raise UsageError(f"there is no Python file {file} to take a cell from")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    cell = getattr(module, attribute, None)
    if not isinstance(cell, Cell):
        raise UsageError(f"{file} has no cell named {attribute!r}; decorate it with @cell")
    return cell
