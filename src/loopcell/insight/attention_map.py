"""A picture of attention: where in the input the decoder looked at each token that it wrote."""

from __future__ import annotations

from html import escape
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from loopcell.errors import UsageError
from loopcell.files.atomic import atomic_write
from loopcell.insight.plots import FORMS, SEQUENTIAL, axes_on, brief, save_figure, style

CELL = 24  # pixels
LETTER = 9  # pixels that a letter takes at most in the font below, Hangul apart
WIDE = 16
OTHER_PICTURES = (".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".tif", ".tiff", ".eps", ".ps")
STYLE = "font: 14px 'Noto Sans', 'Noto Sans KR', 'Malgun Gothic', 'Apple SD Gothic Neo', sans-serif"
MOST_LABELS = 60  # on an axis of a plot


class AttentionMap(NamedTuple):
    """Attention over one input.

    Attributes:
        source: the input's steps as strings, S of them.
        target: the tokens that were written, T of them; the last one is the end, "■".
        weights: [T, S], each row sums to one.
    """

    source: list[str]
    target: list[str]
    weights: npt.NDArray[np.float64]

    def rows(self, part: slice) -> AttentionMap:
        """Return some of the tokens that were written, with all of the input."""
        return AttentionMap(self.source, self.target[part], self.weights[part])

    def plot(self, ax: Any = None) -> Any:
        """Draw a heat map: a row for each token written, a column for each step of the input.

        Args:
            ax: matplotlib Axes; None makes a figure, without pyplot: `picture.plot().figure`.

        Returns:
            The Axes.

        Raises:
            MissingExtraError: matplotlib is not installed.
        """
        with style():
            width, height = (2.0 + 0.3 * min(MOST_LABELS, len(part)) for part in (self.source, self.target))
            ax = axes_on(ax, width + 0.8, height)
            image = ax.imshow(self.weights, aspect="auto", cmap=SEQUENTIAL, vmin=0.0)
            for axis, labels in ((ax.xaxis, self.source), (ax.yaxis, self.target)):
                if len(labels) <= MOST_LABELS:
                    shown = [brief(label) for label in labels]
                    turned = 90 * (axis is ax.xaxis and max(map(len, shown), default=0) > 2)
                    axis.set_ticks(range(len(shown)), shown, rotation=turned, parse_math=False)
            ax.set_xlabel("read")
            ax.set_ylabel("written")
            ax.figure.colorbar(image, ax=ax, label="attention")
        return ax

    def svg(self) -> str:
        """Draw a heat map: a row for each token written, a column for each step of the input, darker for more."""
        left = 12 + max(map(_width, self.target), default=0)
        top = 12 + max(map(_width, self.source), default=0)
        width, height = left + CELL * len(self.source) + 8, top + CELL * len(self.target) + 8
        return "\n".join(
            [
                f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" style="{STYLE}">',
                f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
                *(_above(word, left + CELL * at + CELL // 2 + 5, top - 6) for at, word in enumerate(self.source)),
                *(_beside(word, left - 6, top + CELL * at + CELL // 2 + 5) for at, word in enumerate(self.target)),
                *(
                    _cell(float(weight), left + CELL * column, top + CELL * row)
                    for row, weights in enumerate(self.weights)
                    for column, weight in enumerate(weights)
                ),
                "</svg>\n",
            ]
        )

    def save(self, path: str | PathLike[str]) -> None:
        """Write the picture: as an SVG file without any library, as PNG or PDF by `plot`.

        Raises:
            UsageError: the name promises another kind of picture.
            MissingExtraError: it is a PNG or PDF, and matplotlib is not installed.
            FileWriteError: the disk is full, ...
        """
        target = Path(path)
        ending = target.suffix.lower()
        if ending in OTHER_PICTURES:
            kinds = "the picture is an SVG, PNG or PDF"
            raise UsageError(f"{kinds}, and {path} promises another kind: name it {target.stem}.svg")
        if ending in FORMS and ending != ".svg":
            save_figure(self.plot().figure, target)
            return
        with atomic_write(target) as temporary:
            temporary.write_text(self.svg(), encoding="utf-8")


def _width(text: str) -> int:
    return sum(WIDE if letter >= "\u1100" else LETTER for letter in text)


def _shown(text: str) -> str:
    return escape("".join(letter if letter.isprintable() else "·" for letter in text).replace(" ", "\u00a0"))


def _above(text: str, x: int, y: int) -> str:
    return f'<text x="{x}" y="{y}" transform="rotate(-90 {x} {y})">{_shown(text)}</text>'


def _beside(text: str, x: int, y: int) -> str:
    return f'<text x="{x}" y="{y}" text-anchor="end">{_shown(text)}</text>'


def _cell(weight: float, x: int, y: int) -> str:
    return (
        f'<rect x="{x}" y="{y}" width="{CELL}" height="{CELL}" fill="#1f4e8c" fill-opacity="{weight:.3f}" '
        f'stroke="#dddddd" stroke-width="0.5"><title>{weight:.3f}</title></rect>'
    )
