"""Files of figures: written, read, compared, and kept for the next build of the site."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import torch

from figures.canvas import as_svg, drawing
from figures.figure import Figure, Numbers
from figures.words import words_in

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "figures"
KEPT = ROOT / ".figures_cache"
ENDINGS = {"en": ".svg", "ko": ".ko.svg"}


def write_figure(figure: Figure, folder: Path, numbers: Numbers) -> None:
    """Write a figure's numbers, and its pictures in both languages, into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{figure.name}.json").write_text(_as_json(numbers), encoding="utf-8")
    for language, ending in ENDINGS.items():
        words = words_in(language)
        with drawing(figure.name):
            text = as_svg(figure.draw(numbers, words), figure.name, words(figure.name))
        (folder / f"{figure.name}{ending}").write_text(text, encoding="utf-8")


def _as_json(numbers: Numbers) -> str:
    """Return numbers as JSON with a line for each name, so that a change can be read."""
    lines = (json.dumps({name: value}, ensure_ascii=False)[1:-1] for name, value in numbers.items())
    return "{\n " + ",\n ".join(lines) + "\n}\n"


def committed(figure: Figure) -> Numbers:
    """Return the numbers that are committed."""
    found: Numbers = json.loads((FOLDER / f"{figure.name}.json").read_text(encoding="utf-8"))
    return found


def differences(figure: Figure, old: Numbers, new: Numbers) -> Iterator[str]:
    """Yield a sentence for each compared name whose numbers are further apart than the figure allows."""
    for name in figure.compared:
        apart = _apart(old[name], new[name])
        if not apart <= figure.tolerance:
            yield (
                f"{figure.name}: {name} is {apart:.3g} from what is committed, and may be {figure.tolerance}; "
                f"look at it, and write it anew with: python scripts/draw_figures.py {figure.name}"
            )


def _apart(one: Any, other: Any) -> float:
    """Return the largest difference between two numbers, or between two lists in the same places."""
    if isinstance(one, list):
        pairs = zip(one, other, strict=True)
        return max((_apart(first, second) for first, second in pairs), default=0.0)
    return float(abs(one - other))


def drawn_now(figure: Figure) -> Path:
    """Return a folder with the figure as this version of the code draws it: drawn now, or by an earlier build.

    Raises:
        SystemExit: its numbers are not those that are committed.
    """
    folder = KEPT / figure.name / _version()
    if not (folder / "done").exists():
        shutil.rmtree(KEPT / figure.name, ignore_errors=True)
        numbers = figure.measured()
        found = list(differences(figure, committed(figure), numbers))
        if found:
            raise SystemExit("\n".join(found))
        write_figure(figure, folder, numbers)
        (folder / "done").touch()
    return folder


@cache
def _version() -> str:
    """Return a hash of everything that a figure is made from: the library, the drawing, and PyTorch."""
    found = hashlib.sha256(torch.__version__.encode())
    for folder in (ROOT / "src", Path(__file__).parent):
        for path in sorted([*folder.rglob("*.py"), *folder.rglob("*.h"), *folder.rglob("*.toml")]):
            found.update(path.relative_to(ROOT).as_posix().encode() + path.read_bytes())
    return found.hexdigest()[:16]
