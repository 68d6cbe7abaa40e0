"""The further inputs of a cell that a network of numbers has: which are missing, and the time since others."""

from __future__ import annotations

from loopcell import cells
from loopcell.equations import Cell
from loopcell.errors import UsageError

GIVEN = ("mask", "dt")


def inputs_asked(cell: str | Cell) -> dict[str, bool]:
    """Return the further inputs of a cell by name, and whether each is as long as the input, or one number.

    Raises:
        UsageError: the cell reads something else.
    """
    found = cells.get(cell)
    sizes = {node.name: "".join(node.dims) for _, node in found.graph.leaves("input")}
    asked = {name: sizes[name] for name in found.inputs[1:]}
    for name, size in asked.items():
        if name not in GIVEN or size not in ("", "input"):
            raise UsageError(
                f"cell `{found.name}` reads {name!r}, which no data have; what there is beside x is mask, which of its "
                "numbers were observed, and dt, the time since then"
            )
    return {name: bool(size) for name, size in asked.items()}
