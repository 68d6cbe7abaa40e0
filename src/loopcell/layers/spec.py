"""The spec of a stack: its settings as one value, for the boundary, the call cache and the stepper to read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from loopcell.equations import Cell
from loopcell.errors import InputError
from loopcell.runtime import Executable, FurtherInput


@dataclass(frozen=True, eq=False)
class StackSpec:
    """The settings of a stack, and what they were made into.

    It never changes, so that copies of a network share it. A pickle holds None in its place: generated functions cannot
    travel, and `Stack.__setstate__` makes them anew from the settings.

    Attributes:
        cell: the equations.
        input_size: I.
        num_layers: L.
        bidirectional: both directions are read.
        batch_first: input and output are [B, T, ...] rather than [T, B, ...].
        dropout: probability of dropping an output of every layer but the last, in training.
        checkpoint_steps: steps between the states that are saved for backward, what lies between them being computed
            again; 0: the square root of T; None: everything is saved.
        executables: what runs each layer.
        state_sizes: the length of every state, by name, in the cell's order.
        further: size and width of the inputs that a call gives by name, in the cell's order; every layer reads them.
    """

    cell: Cell
    input_size: int
    num_layers: int
    bidirectional: bool
    batch_first: bool
    dropout: float
    checkpoint_steps: int | None
    executables: tuple[Executable, ...]
    state_sizes: Mapping[str, int]
    further: Mapping[str, FurtherInput]

    def __deepcopy__(self, memo: dict[int, Any]) -> StackSpec:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return type(None), ()  # a call that makes None


def make_executables(
    cell: Cell,
    input_size: int,
    hidden_size: int,
    num_layers: int,
    *,
    num_directions: int,
    sizes: Mapping[str, int],
    autocast_keeps_dtype: bool,
) -> tuple[Executable, ...]:
    """Make a cell ready to run in every layer; all but the first read the outputs of both directions.

    Raises:
        InputError: a size is missing, unknown or below 1; or layers would share what is as long as the first's input.
    """

    def made(input_size: int) -> Executable:
        known = cell.resolve_sizes(input_size=input_size, hidden_size=hidden_size, sizes=sizes)
        return Executable(cell, known, autocast_keeps_dtype=autocast_keeps_dtype)

    first = made(input_size)
    between = first.output_size * num_directions
    if num_layers > 1:
        _check_shared(first, input_size, between)
    return (first, *(made(between) for _ in range(1, num_layers)))


def _check_shared(first: Executable, input_size: int, between: int) -> None:
    """Refuse a stack in which something belongs to the first layer's input alone, such as a mask of its features."""
    graph = first.cell.graph
    own = [name for name, found in first.further.items() if found.size == "input"]
    if own:
        raise InputError(
            f"cell `{first.cell.name}` reads `{own[0]}`, which is as long as its input, and the layers above read the "
            "outputs of the one below: use num_layers=1, and another network on its output"
        )
    states = [key.name for key, size in graph.declared_sizes.items() if key.kind == "state" and size == "input"]
    if states and between != input_size:
        raise InputError(
            f"state `{states[0]}` of cell `{first.cell.name}` is as long as the input, which is {input_size} for the "
            f"first layer and {between} for the others: use num_layers=1, and another network on its output"
        )
