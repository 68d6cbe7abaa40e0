"""`loopcell explain CELL`: every stage of the pipeline."""

from __future__ import annotations

from typing import Annotated

import typer

from loopcell.cli.reporting import Debug, reporting
from loopcell.cli.values import find_cell


def explain(
    cell: Annotated[str, typer.Argument(help="A cell's name, or FILE.py:NAME for one of your own.")],
    debug: Debug = False,
) -> None:
    """Print what becomes of a cell: its graph, what leaves the loop, the schedule, the derived backward."""
    with reporting(debug):
        found = find_cell(cell)
        import loopcell

        typer.echo(loopcell.explain(found))
