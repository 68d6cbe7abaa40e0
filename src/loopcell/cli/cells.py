"""`loopcell cells`: the cells with their equations."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Annotated

import typer

from loopcell.cli.reporting import Debug, reporting, say_note
from loopcell.cli.values import find_cell

if TYPE_CHECKING:
    from loopcell.equations import Cell


def cells(
    names: Annotated[list[str] | None, typer.Argument(help="Only these cells.", metavar="[CELL]...")] = None,
    hidden: Annotated[int, typer.Option(min=1, help="H, the length of the hidden state.")] = 128,
    input_size: Annotated[int, typer.Option(min=1, help="I, the length of a step's input.")] = 128,
    earlier: Annotated[int | None, typer.Option("--input", min=1, hidden=True)] = None,
    debug: Debug = False,
) -> None:
    """List the cells: name, equations, and how many parameters one layer has with these lengths."""
    with reporting(debug):
        from loopcell import cells as library

        if earlier is not None:
            say_note("--input is called --input-size now")
            input_size = earlier
        for name in names or library.names():
            typer.echo(_entry(find_cell(name), input_size, hidden))


def _entry(cell: Cell, input_size: int, hidden: int) -> str:
    # Sizes of the cell's own, such as a projection, are shown at half the hidden size.
    others = {name: max(1, hidden // 2) for name in cell.sizes if name not in ("input", "hidden")}
    count = cell.num_parameters(input_size=input_size, hidden_size=hidden, sizes=others)
    sizes = ", ".join(f"{name} {size}" for name, size in {"input": input_size, "hidden": hidden, **others}.items())
    heading = f"{cell.name}: {count:,} parameters ({sizes})"
    return f"{heading}\n  {cell.summary}\n{_inputs(cell)}{textwrap.indent(cell.text().rstrip(), '    ')}\n"


def _inputs(cell: Cell) -> str:
    """Return a line about the inputs of a step, where a cell reads several."""
    if len(cell.inputs) < 2:
        return ""
    sizes = {key.name: size for key, size in cell.graph.declared_sizes.items() if key.kind == "input"}
    return f"  Reads {', '.join(f'{name} [{size or 1}]' for name, size in sizes.items())}.\n"
