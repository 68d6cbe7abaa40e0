"""The same budget for every cell: the same hidden size, or about the same number of parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from loopcell.equations import Cell
from loopcell.errors import UsageError
from loopcell.layers import Recurrent

Budget = Literal["units", "parameters"]
MOST_UNITS = 2**16


def layers_of(
    cell: Cell, hidden_size: int, shape: Mapping[str, Any], sizes: Mapping[str, int], device: str = "meta"
) -> Recurrent:
    """Return recurrent layers of a cell.

    Args:
        cell: the cell.
        hidden_size: H.
        shape: of the layers, as in `ComparedRun`.
        sizes: further sizes, for cells that name them.
        device: of the parameters; on "meta" they take no memory, and can only be counted.
    """
    return Recurrent(
        cell,
        shape["input_size"],
        hidden_size,
        shape["num_layers"],
        bidirectional=shape["bidirectional"],
        sizes=own_sizes(cell, sizes),
        device=device,
    )


def count(cell: Cell, hidden_size: int, shape: Mapping[str, Any], sizes: Mapping[str, int]) -> int:
    """Return the parameters of recurrent layers; arguments as those of `layers_of`."""
    return sum(parameter.numel() for parameter in layers_of(cell, hidden_size, shape, sizes).parameters())


def own_sizes(cell: Cell, sizes: Mapping[str, int]) -> dict[str, int]:
    """Return those of some further sizes that a cell names."""
    return {name: size for name, size in sizes.items() if name in cell.sizes}


def nearest_hidden_size(cell: Cell, parameters: int, shape: Mapping[str, Any], sizes: Mapping[str, int]) -> int:
    """Return the hidden size at which a cell's layers have nearly so many parameters; arguments as of `layers_of`.

    Raises:
        UsageError: no hidden size gives so many.
    """
    low, high = 1, 2
    while count(cell, high, shape, sizes) < parameters:
        low, high = high, 2 * high
        if high > MOST_UNITS:
            raise UsageError(f"cell `{cell.name}` does not reach {parameters:,} parameters with {MOST_UNITS:,} units")
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if count(cell, middle, shape, sizes) < parameters else (low, middle)
    return min((low, high), key=lambda hidden: abs(count(cell, hidden, shape, sizes) - parameters))
