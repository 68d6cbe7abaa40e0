"""The rows as Markdown, a table a figure."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.gpu.session import Row

HOLDS = {True: "yes", False: "no", None: ""}


def markdown(card: str, rows: Sequence[Row]) -> str:
    """Return the page of a card."""
    figures = dict.fromkeys(row.figure for row in rows)
    parts = [f"# {card}", *(_table(figure, [row for row in rows if row.figure == figure]) for figure in figures)]
    return "\n\n".join(parts) + "\n"


def _table(figure: str, rows: Sequence[Row]) -> str:
    head = f"## {figure}\n\n| case | ours | unit | beside | theirs | ratio | at least | holds | |\n" + "|---" * 9 + "|"
    return "\n".join([head, *(_line(row) for row in rows)])


def _line(row: Row) -> str:
    numbers = ["" if value is None else f"{value:.4g}" for value in (row.ours, row.theirs, row.ratio)]
    cells = [row.case, numbers[0], row.unit, row.peer, *numbers[1:], row.bar, HOLDS[row.holds], row.note]
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"
