"""The reference back end: a program over a whole sequence, in plain differentiable PyTorch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from loopcell.backends.reference.emit import LIKE, Function, emit
from loopcell.equations.names import ascii_name
from loopcell.passes.program import Program

Leaves = Mapping[str, Tensor | int]
"""Leaf values by key, such as "state.h", "parameter.W.i", "random.zoneout_h", "size.hidden"."""


@dataclass(frozen=True)
class Masks:
    """What may interrupt a sequence.

    Attributes:
        valid: bool [T, B], false past a row's end: its state stays and its output is 0. None: all valid.
        reset: bool [T, B], true where a row's state becomes 0 before the step. None: never.
    """

    valid: Bool[Tensor, "T B"] | None = None
    reset: Bool[Tensor, "T B"] | None = None


class ReferenceProgram:
    """A program's graphs as Python functions.

    Attributes:
        program: what is run.
        columns: keys of the hoisted values that differ from step to step.
        states: keys of the states.
        recorded: keys of the values that are watched.
        output_size: the name of the output's size.
        prologue: what runs once, for the whole sequence.
        loop: what runs at every step.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self.columns = tuple(f"hoisted.{name}" for name in _in_order(program) if name in program.varying)
        self.states = tuple(f"state.{state}" for state in program.loop.states)
        self.recorded = tuple(key for key in program.loop.results if key.startswith("record."))
        self.output_size = program.loop.nodes[program.loop.results["output"]].dims[0]
        self.prologue = emit(program.prologue, f"{ascii_name(program.cell.name)}_prologue")
        self.loop = emit(program.loop, f"{ascii_name(program.cell.name)}_step", first=(*self.columns, *self.states))

    def size_of(self, key: str) -> str:
        """Return the name of a result's size; "" of a scalar's."""
        dims = self.program.loop.nodes[self.program.loop.results[key]].dims
        return dims[0] if dims else ""

    def loop_keys(self) -> tuple[str, ...]:
        """Return the keys of what the loop reads, the states first."""
        nodes = (node for _, node in self.program.loop.leaves("hoisted", "state", "parameter", "random", "size"))
        return tuple(dict.fromkeys([*self.states, *(node.key for node in nodes)]))

    def hoisted(self, leaves: Leaves) -> dict[str, Tensor]:
        """Compute what leaves the loop, by key."""
        return dict(zip(self.prologue.results, call(self.prologue, leaves), strict=True))


@lru_cache(maxsize=256)
def reference_program(program: Program) -> ReferenceProgram:
    """Return a program's functions, the same ones for every network of the cell."""
    return ReferenceProgram(program)


def run(
    reference: ReferenceProgram, leaves: Leaves, masks: Masks
) -> tuple[Float[Tensor, "T B O"], list[Float[Tensor, "B _"]], dict[str, Tensor]]:
    """Run a program over a sequence.

    Args:
        reference: the program.
        leaves: "input.x" [T, B, I], "state.NAME" [B, n], "parameter.NAME", "random.NAME", "size.NAME".
        masks: lengths and resets.

    Returns:
        The output [T, B, O], the final states, each [B, n], in the cell's order, and what is watched, [T, B, n] by
        name, without a gradient.
    """
    values = {**leaves, **reference.hoisted(leaves)}
    return run_loop(reference, values, masks, length_of(leaves))


def run_loop(
    reference: ReferenceProgram, values: Leaves, masks: Masks, steps: int
) -> tuple[Tensor, list[Tensor], dict[str, Tensor]]:
    """Run the loop over `steps` steps; autograd follows every operation."""
    columns = [_tensor(values[key]).unbind(0) for key in reference.columns]
    states = [_tensor(values[key]) for key in reference.states]
    fixed = fixed_arguments(reference.loop, values, skip=len(columns) + len(states))
    valid = None if masks.valid is None else masks.valid.unsqueeze(-1).unbind(0)
    reset = None if masks.reset is None else masks.reset.unsqueeze(-1).unbind(0)
    outputs: list[Tensor] = []
    watched: dict[str, list[Tensor]] = {key: [] for key in reference.recorded}
    for t in range(steps):
        if reset is not None:
            states = [torch.where(reset[t], torch.zeros_like(state), state) for state in states]
        results = reference.loop.call(*(column[t] for column in columns), *states, *fixed)
        by_key = dict(zip(reference.loop.results, (batched(result, states[0]) for result in results), strict=True))
        output, new = by_key["output"], [by_key[key] for key in reference.states]
        for key, values_of in watched.items():
            value = by_key[key].detach()
            values_of.append(value if valid is None else torch.where(valid[t], value, torch.zeros_like(value)))
        if valid is not None:
            output = torch.where(valid[t], output, torch.zeros_like(output))
            new = [torch.where(valid[t], after, before) for after, before in zip(new, states, strict=True)]
        outputs.append(output)
        states = new
    recorded = {
        key.removeprefix("record."): stacked(steps_of, states[0], values, reference.size_of(key))
        for key, steps_of in watched.items()
    }
    return stacked(outputs, states[0], values, reference.output_size), states, recorded


def batched(value: Tensor, like: Tensor) -> Tensor:
    """Give every row a result that depends on parameters alone, and so came without a batch."""
    return value if value.dim() == like.dim() else value.expand(*like.shape[:-1], value.shape[-1])


def stacked(outputs: list[Tensor], like: Tensor, values: Leaves, size: str) -> Tensor:
    """Stack the outputs over time; [0, B, O] if there are none."""
    if outputs:
        return torch.stack(outputs)
    return like.new_zeros((0, *like.shape[:-1], int(values[f"size.{size}"]) if size else 1))


def call(function: Function, leaves: Leaves) -> tuple[Tensor, ...]:
    """Call an emitted function with leaves looked up by key."""
    return function.call(*fixed_arguments(function, leaves))


def fixed_arguments(function: Function, leaves: Leaves, skip: int = 0) -> list[Tensor | int]:
    """Return the arguments of an emitted function past the first `skip`, its packed parameters stacked."""
    packs = [torch.cat([_tensor(leaves[f"parameter.{name}"]) for name in pack]) for pack in function.packs]
    any_tensor = next(value for value in leaves.values() if isinstance(value, Tensor))
    return [*(leaves[key] if key != LIKE else any_tensor for key in function.arguments[skip:]), *packs]


def length_of(leaves: Leaves) -> int:
    """Return T, the steps of the input."""
    key = next(key for key in leaves if key.startswith("input."))
    return _tensor(leaves[key]).shape[0]


def _in_order(program: Program) -> list[str]:
    return [node.name for _, node in program.loop.leaves("hoisted")]


def _tensor(value: Tensor | int) -> Tensor:
    assert isinstance(value, Tensor)  # sizes are the only leaves that are not tensors
    return value
