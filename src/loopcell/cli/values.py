"""Values of flags that are more than a number: times, cells, models."""

from __future__ import annotations

import importlib.util
import re
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from loopcell.errors import InputError, LoopcellError, UsageError

if TYPE_CHECKING:
    from loopcell.equations import Cell
    from loopcell.tasks.config import LanguageModelConfig
    from loopcell.tasks.series_settings import SeriesSettings
    from loopcell.tasks.settings import NetworkSettings

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


def parse_names(text: str) -> tuple[str, ...]:
    """Names with commas between them."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


def parse_delimiter(text: str) -> str:
    """What stands between cells, with the names of what cannot be typed easily."""
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


def parse_lengths(text: str) -> tuple[int, int]:
    """Two lengths such as 3-6, or one.

    Raises:
        UsageError: it is neither.
    """
    parts = text.split("-")
    if len(parts) > 2 or not all(part.isascii() and part.isdigit() for part in parts):
        raise UsageError(f"{text!r} is not a range of lengths; write 3-6")
    return int(parts[0]), int(parts[-1])


def demand_sizes(cell: Cell, config: LanguageModelConfig | NetworkSettings | SeriesSettings) -> None:
    """Hold the sizes that were typed against those that the cell names.

    Raises:
        UsageError: one is missing, is not the cell's, or does not fit the others.
    """
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
    with _readable(file):
        spec.loader.exec_module(module)
    cell = getattr(module, attribute, None)
    if not isinstance(cell, Cell):
        raise UsageError(f"{file} has no cell named {attribute!r}; decorate it with @cell")
    return cell


@contextmanager
def _readable(file: Path) -> Iterator[None]:
    """Turn what Python says against a file of the user's into a UsageError that names the line."""
    try:
        yield
    except LoopcellError:
        raise  # about the equations; it has a sentence of its own
    except SyntaxError as error:  # of this file, or of one that it imports
        blamed = error.filename if error.filename and not _same(error.filename, file) else file
        raise UsageError(f"{blamed} is not Python in line {error.lineno or 1}: {error.msg}") from error
    except Exception as error:
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if _same(frame.filename, file)]
        where = f" in line {lines[-1]}" if lines else ""
        reason = str(error).partition("\n")[0]
        raise UsageError(f"{file} failed{where}: {type(error).__name__}: {reason}") from error


def _same(name: str, file: Path) -> bool:
    return Path(name).resolve() == file.resolve()
