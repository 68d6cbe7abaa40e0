"""`loopcell explain CELL`: every stage of the pipeline."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from loopcell.cli.reporting import Debug, reporting
from loopcell.cli.values import find_cell

if TYPE_CHECKING:
    from loopcell.equations import Cell


def explain(
    cell: Annotated[str, typer.Argument(help="A cell's name, or FILE.py:NAME for one of your own.")],
    picture: Annotated[
        Path | None, typer.Option("--picture", help="Write the cell's wiring, drawn from its equations: FILE.svg.")
    ] = None,
    debug: Debug = False,
) -> None:
    """Print what becomes of a cell: its graph, what leaves the loop, the schedule, the derived backward."""
    with reporting(debug):
        found = find_cell(cell)
        if picture is not None:
            _write(found, picture)
            return
        import loopcell

        typer.echo(loopcell.explain(found))


def _write(cell: Cell, picture: Path) -> None:
    """Write the picture of a cell.

    Raises:
        UsageError: the file has another ending than .svg.
        FileWriteError: its folder is missing, or may not be written.
    """
    from loopcell.errors import UsageError
    from loopcell.files import atomic_write

    if picture.suffix.lower() != ".svg":
        raise UsageError(f"--picture writes SVG: name a file that ends in .svg, not {picture.name}")
    with atomic_write(picture) as temporary:
        temporary.write_text(cell.svg() + "\n", encoding="utf-8")
    typer.echo(f"wrote {picture}")
