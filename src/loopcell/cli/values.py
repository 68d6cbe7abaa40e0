"""Values of flags that are more than a number: times, cells, models."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loopcell.cli.own_cells import cell_from_file
from loopcell.errors import InputError, UsageError

if TYPE_CHECKING:
    from loopcell.equations import Cell

SECONDS = {"h": 3600, "m": 60, "s": 1}


def parse_time(text: str) -> float:
    """Return a length of time, such as 50m, 1h30m, 90s or 90, in seconds.

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


def parse_names(text: str) -> tuple[str, ...]:
    """Names with commas between them."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


def parse_delimiter(text: str) -> str:
    """Return what stands between cells, with the names of what cannot be typed easily."""
    return {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "blank": "blanks"}.get(text, text)


def parse_numbers(text: str) -> tuple[float, ...]:
    """Numbers with commas between them.

    Raises:
        UsageError: one is none.
    """
    try:
        return tuple(float(number) for number in text.split(","))
    except ValueError as error:
        raise UsageError(f"{text!r} are not numbers; write them like 0.1,0.5,0.9") from error


def parse_split(text: str) -> tuple[int | float | str, ...]:
    """Numbers of rows such as 8640,2880,2880, shares such as 0.6,0.2,0.2, or times: whatever is no number."""
    return tuple(_number(part.strip()) for part in text.split(","))


def _number(text: str) -> int | float | str:
    if text.isascii() and text.isdigit():
        return int(text)
    try:
        return float(text)
    except ValueError:
        return text


def parse_distances(text: str) -> tuple[int, ...]:
    """Whole numbers of steps with commas between them.

    Raises:
        UsageError: one is none.
    """
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdigit() and int(part) for part in parts):
        raise UsageError(f"{text!r} are not distances; write them like 10,20,40")
    return tuple(map(int, parts))


def parse_lengths(text: str) -> tuple[int, int]:
    """Two lengths such as 3-6, or one.

    Raises:
        UsageError: it is neither.
    """
    parts = text.split("-")
    if len(parts) > 2 or not all(part.isascii() and part.isdigit() for part in parts):
        raise UsageError(f"{text!r} is not a range of lengths; write 3-6")
    return int(parts[0]), int(parts[-1])


def demand_sizes(cell: str | Cell, config: Any) -> None:
    """Hold the sizes that were typed against those that the cell names.

    Raises:
        UsageError: one is missing, is not the cell's, or does not fit the others.
    """
    cell = find_cell(cell) if isinstance(cell, str) else cell
    own = [name for name in cell.sizes if name not in ("input", "hidden")]
    sizes = config.sizes or {}
    for name in sizes:
        if name not in own:
            has = f"its sizes are {', '.join(own)}" if own else "it has none"
            raise UsageError(f"--size {name}={sizes[name]}: cell `{cell.name}` has no such size; {has}")
    for name in own:
        if name not in sizes:
            raise UsageError(f"cell `{cell.name}` needs one more size: --size {name}=..., such as --size {name}=128")
    embedding = getattr(config, "embedding_size", None) or config.hidden_size
    try:
        cell.resolve_sizes(input_size=embedding, hidden_size=config.hidden_size, sizes=sizes)
    except InputError as error:
        raise UsageError(str(error)) from error


def find_cell(name: str) -> Cell:
    """Return a cell of the library by its name, or a cell of one's own as FILE.py:NAME.

    Raises:
        UsageError: there is none.
    """
    from loopcell import cells

    file, colon, attribute = name.rpartition(":")
    if colon:
        return cell_from_file(Path(file), attribute)
    if name.endswith(".py") or (name not in cells.names() and Path(name).is_file()):
        return cell_from_file(Path(name), "")
    return cells.get(name)


def named(model: object) -> str:
    """Return the class of a model with its article, for a sentence: a Forecaster, an AnomalyDetector."""
    name = type(model).__name__
    return f"{'an' if name[0] in 'AEIOU' else 'a'} {name}"


def find_model(path: Path) -> Path:
    """Return a model's file, also when its run folder is named."""
    return path / "model.safetensors" if path.is_dir() else path
