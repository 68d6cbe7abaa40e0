"""An inspection as a picture for papers: a heat map for each quantity of each layer, drawn by matplotlib."""

from __future__ import annotations

import unicodedata
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from loopcell.errors import UsageError

if TYPE_CHECKING:
    from loopcell.insight.inspection import Inspection

ROW = 1.3  # inches of a heat map
WIDTH = 10.0
MOST_LABELS = 80
LONGEST_LABEL = 12
FITTING = 130  # characters side by side below a picture
KOREAN_FONTS = (
    *("Noto Sans CJK KR", "Noto Sans KR", "NanumGothic", "Malgun Gothic", "Apple SD Gothic Neo"),
    *("Noto Sans CJK JP", "Noto Serif CJK KR", "Noto Serif CJK JP"),
)
_UNSEEN = ("Cc", "Cf", "Cs", "Zl", "Zp")  # controls, marks of direction, halves of characters, other line breaks
MOST_ROWS = 60  # heat maps of one picture


def draw(seen: Inspection, path: Path, form: str) -> None:
    """Write a picture of an inspection.

    Args:
        seen: what is drawn.
        path: the file.
        form: png or svg.

    Raises:
        UsageError: matplotlib is missing (`pip install loopcell[pictures]`), or there are more heat maps than a picture
            has room for.
    """
    _demand_matplotlib()
    from matplotlib import rc_context

    # A fixed seed for the ids of SVG, so that the same inspection gives the same file.
    settings: dict[Any, Any] = {"svg.hashsalt": "loopcell", "font.family": ["DejaVu Sans", *_installed_fonts()]}
    with rc_context(settings), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")  # it stands there as a box
        figure = figure_of(seen)
        figure.savefig(path, format=form, dpi=200, metadata={"Date": None} if form == "svg" else None)


def figure_of(seen: Inspection) -> Any:
    """Return the matplotlib Figure of an inspection; errors as `draw`."""
    _demand_matplotlib()
    from matplotlib.figure import Figure  # without pyplot: no window, no global state

    rows = [(layer, name, value) for layer in seen.layers for name, value in layer.quantities.items()]
    if len(rows) > MOST_ROWS:
        raise UsageError(f"a picture has room for {MOST_ROWS} heat maps, and there are {len(rows)}: choose a layer")
    figure = Figure(figsize=(WIDTH, ROW * len(rows) + 0.8), layout="constrained")
    axes = figure.subplots(len(rows), 1, sharex=True, squeeze=False)[:, 0]
    for axis, (layer, name, value) in zip(axes, rows, strict=True):
        gate = layer.is_gate(name)
        most = float(np.abs(value[np.isfinite(value)]).max(initial=0.0)) or 1.0
        low, high = (0.0, 1.0) if gate else (-most, most)
        image = axis.imshow(value.T, aspect="auto", cmap="cividis" if gate else "PuOr_r", vmin=low, vmax=high)
        axis.set_ylabel(f"{name}\n{brief(layer.name.rpartition(', layer ')[2])}", fontsize=8, parse_math=False)
        axis.set_yticks([])
        figure.colorbar(image, ax=axis, pad=0.01)
    _label_steps(axes[-1], seen)
    figure.suptitle(brief(seen.title, 80), fontsize=10, parse_math=False)
    return figure


def _demand_matplotlib() -> None:
    if find_spec("matplotlib") is None:
        raise UsageError("pictures need matplotlib: pip install loopcell[pictures]")


def _installed_fonts() -> list[str]:
    """Return a font of this machine that has the Korean letters, which matplotlib's own has not."""
    from matplotlib import font_manager

    known = {font.name for font in font_manager.fontManager.ttflist}
    return [name for name in KOREAN_FONTS if name in known][:1]


def _label_steps(axis: Any, seen: Inspection) -> None:
    """Write what stands at the steps, or their numbers where there are too many."""
    if len(seen.steps) <= MOST_LABELS:
        labels = [brief(step) for step in seen.steps]
        crowded = len(labels) * max(map(len, labels)) > FITTING
        axis.set_xticks(range(len(labels)), labels, fontsize=7, parse_math=False, rotation=90 * crowded)
    else:
        axis.set_xlabel("step", fontsize=8)


def brief(label: str, longest: int = LONGEST_LABEL) -> str:
    """Return a label that can be drawn: cut where it is long, and with signs for what is no visible character.

    SVG, which is XML, allows no control characters.
    """
    text = label if len(label) <= longest else f"{label[: longest - 1]}…"
    return "".join(_sign(character) for character in text)


def _sign(character: str) -> str:
    if character == "\n":
        return "⏎"
    return "�" if unicodedata.category(character) in _UNSEEN else character
