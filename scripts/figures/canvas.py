"""Drawing for the documentation: SVG that is legible on a light page and on a dark one, in both languages.

Lines and letters have the page's own text colour (`currentColor`); colours of data are told apart by people who see
fewer of them (after Okabe and Ito) and stand out on white and on black. No font is embedded: a reader's own is used.
"""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from html import escape
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

WIDTH = 4.6  # inches; a phone shows it at four fifths of its size
INK = "#010203"  # stands for the page's text colour until the file is written
BLUE, ORANGE, GREEN, PURPLE = "#2f81c7", "#d9730d", "#12926a", "#b565a7"
GREY = "#8a929b"
COLOURS = (BLUE, ORANGE, GREEN, PURPLE)
DASHES = ("-", "--", "-.", ":")  # a second way to tell lines apart
GATE, SIGNED = "cividis", "PuOr_r"  # maps for 0 to 1 and for both signs

FONTS = "system-ui, -apple-system, 'Segoe UI', 'Noto Sans', 'Noto Sans KR', 'Noto Sans CJK KR', sans-serif"
# Beside the pages of the site the picture stands alone, and follows the machine's scheme.
STYLE = """svg.measured { color: #59636e } svg.measured * { stroke-linejoin: round; stroke-linecap: butt }
@media (prefers-color-scheme: dark) { svg.measured { color: #9198a1 } }"""

_SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.family": ["DejaVu Sans", "Noto Sans CJK KR", "Noto Sans CJK JP"],
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.18,
    "grid.color": INK,
    "lines.linewidth": 1.8,
    "legend.frameon": False,
    "legend.handlelength": 2.6,
    "image.composite_image": False,
    "figure.constrained_layout.w_pad": 0.1,  # a reader's font may be wider than the one that is measured
    **dict.fromkeys(
        ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color", "axes.titlecolor"), INK
    ),
}


@contextmanager
def drawing(name: str) -> Iterator[None]:
    """Set matplotlib up for a figure of this name within the block."""
    # A machine without Korean letters may draw too: the reader's has them.
    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)
    with mpl.rc_context({**_SETTINGS, "svg.hashsalt": name}):
        yield


def axes(height: float, rows: int = 1, columns: int = 1, **others: Any) -> tuple[Any, Any]:
    """Return a figure of the common width, and its axes as matplotlib's `subplots` gives them."""
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    return figure, figure.subplots(rows, columns, **others)


def heat_map(axis: Any, values: Any, *, signed: bool = False, most: float = 1.0) -> Any:
    """Draw values [rows][steps] as a map of exact pixels: gates from 0 to 1, or numbers of both signs up to `most`."""
    axis.grid(visible=False)
    colours, low = (SIGNED, -most) if signed else (GATE, 0.0)
    return axis.imshow(values, aspect="auto", cmap=colours, vmin=low, vmax=most, interpolation="none")


def label_ends(axis: Any, ends: Iterable[tuple[str, float, str]]) -> None:
    """Write names beside the right ends of lines, given as (name, height, colour), none over another."""
    low, high = axis.get_ylim()
    room, next_free = 0.07 * (high - low), low
    for name, height, colour in sorted(ends, key=lambda end: end[1]):
        place = max(height, next_free)
        axis.annotate(name, (1, place), xytext=(4, 0), xycoords=axis.get_yaxis_transform(), textcoords="offset points",
                      va="center", color=colour, fontsize=8, annotation_clip=False)  # fmt: skip
        next_free = place + room


def as_svg(figure: Any, name: str, title: str) -> str:
    """Return a figure as SVG text that may stand in a file or in a page beside others."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"\s*<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    # Its own style would hold for the whole page.
    text = re.sub(r'<style type="text/css">.*?</style>', f"<style>{STYLE}</style>", text, flags=re.DOTALL)
    text = text.replace(INK, "currentColor")
    text = re.sub(r"font: ([\d.]+px) [^;\"]*", rf"font: \1 {FONTS}", text)
    # Names hold for the whole page, where other figures stand too.
    text = re.sub(r'id="([^"]+)"', rf'id="{name}-\1"', text)
    text = re.sub(r'(url\(#|href="#)', rf"\g<1>{name}-", text)
    text = re.sub(r"<svg ", '<svg class="measured" role="img" ', text, count=1)
    text = re.sub(r"(<svg [^>]*>)", rf"\1\n <title>{escape(title)}</title>", text, count=1)
    return "".join(f"{line.rstrip()}\n" for line in text.splitlines() if line.strip())
