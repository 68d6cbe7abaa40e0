"""The common style of every `plot()`: Axes without pyplot, colours for any colour vision, Korean letters.

A figure is made without pyplot, so that nothing global changes, no window is needed, and figures are freed like any
other object. matplotlib is an extra (`pip install "loopcell[pictures]"`) and is imported here, where it is used.
"""

from __future__ import annotations

import re
import unicodedata
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from loopcell.errors import MissingExtraError, UsageError
from loopcell.files.atomic import atomic_write

# Okabe, Ito: Color Universal Design, 2008; the colours differ for every kind of colour vision.
BLUE, ORANGE, GREEN, RED, PURPLE = "#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7"
BLACK, GREY = "#1d2228", "#8a8f98"
SEQUENTIAL, DIVERGING = "cividis", "PuOr_r"  # colour maps that are even in lightness
KOREAN_FONTS = (
    *("Noto Sans CJK KR", "Noto Sans KR", "NanumGothic", "Malgun Gothic", "Apple SD Gothic Neo"),
    *("Noto Sans CJK JP", "Noto Serif CJK KR", "Noto Serif CJK JP"),
)
LONGEST_LABEL = 12
FORMS = (".png", ".svg", ".pdf")
_UNSEEN = ("Cc", "Cf", "Cs", "Zl", "Zp")  # controls, marks of direction, halves of characters, other line breaks
_TIME = re.compile(r"\d{4}-\d\d-\d\d [\d:.+-]{1,24}")


def demand_matplotlib() -> None:
    """Refuse to draw without matplotlib.

    Raises:
        MissingExtraError: it is not installed.
    """
    if find_spec("matplotlib") is None:
        raise MissingExtraError('pictures need matplotlib: pip install "loopcell[pictures]"')


@contextmanager
def style() -> Iterator[None]:
    """Draw in the common style within the block.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    demand_matplotlib()
    from matplotlib import rc_context

    # A fixed seed for the ids of SVG, so that the same picture gives the same file.
    settings: dict[Any, Any] = {"svg.hashsalt": "loopcell", "font.family": ["DejaVu Sans", *_installed_fonts()]}
    settings |= {"axes.spines.top": False, "axes.spines.right": False, "legend.frameon": False}
    with rc_context(settings), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")  # it stands there as a box
        yield


def axes_on(ax: Any, width: float = 7.0, height: float = 3.5) -> Any:
    """Return Axes to draw on: the given ones, or those of a new figure of some inches, without pyplot."""
    if ax is not None:
        return ax
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained").subplots()


def save_figure(figure: Any, path: Path) -> None:
    """Write a figure in the form that the name asks for, whole or not at all.

    Raises:
        UsageError: another ending.
        FileWriteError: the folder is missing or may not be written, or the disk is full.
    """
    demand_picture(path)
    with style(), atomic_write(path) as temporary:
        form = path.suffix.lower().lstrip(".")
        figure.savefig(temporary, format=form, dpi=200, metadata={"Date": None} if form == "svg" else None)


def demand_picture(path: Path) -> None:
    """Refuse a name that is none of a picture; UsageError."""
    if path.suffix.lower() not in FORMS:
        raise UsageError(f"{path.name}: a picture is saved as {', '.join(FORMS)}")


def brief(label: str, longest: int = LONGEST_LABEL) -> str:
    """Return a label that can be drawn: cut where it is long and no time, with signs for what is no visible character.

    SVG, which is XML, allows no control characters.
    """
    text = label if len(label) <= longest or _TIME.fullmatch(label) else f"{label[: longest - 1]}…"
    return "".join(_sign(character) for character in text)


def _sign(character: str) -> str:
    if character == "\n":
        return "⏎"
    return "�" if unicodedata.category(character) in _UNSEEN else character


def _installed_fonts() -> list[str]:
    """Return a font of this machine that has the Korean letters, which matplotlib's own has not."""
    from matplotlib import font_manager

    known = {font.name for font in font_manager.fontManager.ttflist}
    return [name for name in KOREAN_FONTS if name in known][:1]
