"""The reference back end: a program over a whole sequence, in plain differentiable PyTorch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor

from loopcell.backends.lengths import Lengths
from loopcell.backends.reference.emit import LIKE, Function, emit
from loopcell.equations.keys import OUTPUT, Key, state_keys
from loopcell.equations.names import ascii_name
from loopcell.passes.program import Program

Leaves = Mapping[Key, Tensor | int]
"""Leaf values by key, such as state.h, parameter.W.i, random.zoneout_h, size.hidden."""


class ReferenceProgram:
    """A program's graphs as Python functions.

    Attributes:
        program: what is run.
        columns: keys of the hoisted values that differ from step to step.
        states: keys of the states.
        recorded: keys of the values that are recorded.
        output_size: the name of the output's size.
        prologue: what runs once, for the whole sequence.
        loop: what runs at every step.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        hoisted = (node for _, node in program.loop.leaves("hoisted"))
        self.columns = tuple(node.key for node in hoisted if node.name in program.varying)
        self.states = state_keys(program.loop.states)
        self.recorded = tuple(key for key in program.loop.results if key.kind == "record")
        self.output_size = program.loop.size_of(OUTPUT)
        self.prologue = emit(program.prologue, f"{ascii_name(program.cell.name)}_prologue")
        self.loop = emit(program.loop, f"{ascii_name(program.cell.name)}_step", first=(*self.columns, *self.states))

    def loop_keys(self) -> tuple[Key, ...]:
        """Return the keys of what the loop reads, the states first."""
        nodes = (node for _, node in self.program.loop.leaves("hoisted", "state", "parameter", "random", "size"))
        return tuple(dict.fromkeys([*self.states, *(node.key for node in nodes)]))

    def hoisted(self, leaves: Leaves) -> dict[Key, Tensor]:
        """Compute what leaves the loop, by key."""
        return dict(zip(self.prologue.results, call(self.prologue, leaves), strict=True))


@lru_cache(maxsize=256)
def reference_program(program: Program) -> ReferenceProgram:
    """Return a program's functions, the same ones for every network of the cell."""
    return ReferenceProgram(program)


def run(
    reference: ReferenceProgram, leaves: Leaves, lengths: Lengths
) -> tuple[Float[Tensor, "T B O"], list[Float[Tensor, "B _"]], dict[str, Tensor]]:
    """Run a program over a sequence.

    Args:
        reference: the program.
        leaves: input.x [T, B, I], state.NAME [B, n], parameter.NAME, random.NAME, size.NAME.
        lengths: where rows end and start afresh. Past a row's end its state stays and its output is 0.

    Returns:
        The output [T, B, O], the final states, each [B, n], in the cell's order, and what is recorded, [T, B, n] by
        name, without a gradient.
    """
    # What is hoisted is computed of padding too.
    inputs = {key: leaf for key, leaf in leaves.items() if key.kind == "input" and isinstance(leaf, Tensor)}
    leaves = {**leaves, **{key: lengths.without_padding(leaf) for key, leaf in inputs.items()}}
    values = {**leaves, **reference.hoisted(leaves)}
    return run_loop(reference, values, lengths)


def run_loop(
    reference: ReferenceProgram, values: Leaves, lengths: Lengths
) -> tuple[Tensor, list[Tensor], dict[str, Tensor]]:
    """Run the loop over the steps; autograd follows every operation."""
    # Unbound, not sliced step by step: the gradient of T slices would be T tensors of the whole length.
    columns = [_tensor(values[key]).unbind(0) for key in reference.columns]
    states = [_tensor(values[key]) for key in reference.states]
    fixed = fixed_arguments(reference.loop, values, skip=len(columns) + len(states))
    valid = None if lengths.mask is None else lengths.mask.unsqueeze(-1).unbind(0)
    reset = None if lengths.reset is None else lengths.reset.unsqueeze(-1).unbind(0)
    outputs: list[Tensor] = []
    recorded: dict[Key, list[Tensor]] = {key: [] for key in reference.recorded}
    for t in range(lengths.steps):
        if reset is not None:
            # Chosen, not multiplied: a state that is infinite or NaN becomes 0 too.
            states = [torch.where(reset[t], torch.zeros_like(state), state) for state in states]
        results = reference.loop.call(*(column[t] for column in columns), *states, *fixed)
        by_key = dict(zip(reference.loop.results, (batched(result, states[0]) for result in results), strict=True))
        output, new = by_key[OUTPUT], [by_key[key] for key in reference.states]
        for key, values_of in recorded.items():
            value = by_key[key].detach()
            values_of.append(value if valid is None else torch.where(valid[t], value, torch.zeros_like(value)))
        if valid is not None:
            output = torch.where(valid[t], output, torch.zeros_like(output))
            new = [torch.where(valid[t], after, before) for after, before in zip(new, states, strict=True)]
        outputs.append(output)
        states = new
    graph = reference.program.loop
    named = {key.name: stacked(steps_of, states[0], values, graph.size_of(key)) for key, steps_of in recorded.items()}
    output = stacked(outputs, states[0], values, reference.output_size)
    if not lengths.steps:
        output, *states = of_no_step([output, *states], values)
    return output, states, named


def of_no_step(results: Sequence[Tensor], values: Leaves) -> list[Tensor]:
    """Return the results of a sequence of no steps, with a gradient to all that a step reads: zeros.

    Without it the gradient of a parameter would be absent at T = 0, and zeros where each row has no step.
    """
    read = (value.flatten()[:0].sum() for value in values.values() if isinstance(value, Tensor))
    nothing = torch.stack(list(read)).sum()
    return [result + nothing.to(result.dtype) for result in results]


def batched(value: Tensor, like: Tensor) -> Tensor:
    """Give every row a result that depends on parameters alone, and so came without a batch."""
    return value if value.dim() == like.dim() else value.expand(*like.shape[:-1], value.shape[-1])


def stacked(outputs: list[Tensor], like: Tensor, values: Leaves, size: str) -> Tensor:
    """Stack the outputs over time; [0, B, O] if there are none."""
    if outputs:
        return torch.stack(outputs)
    return like.new_zeros((0, *like.shape[:-1], int(values[Key("size", size)]) if size else 1))


def call(function: Function, leaves: Leaves) -> tuple[Tensor, ...]:
    """Call an emitted function with leaves looked up by key."""
    return function.call(*fixed_arguments(function, leaves))


def fixed_arguments(function: Function, leaves: Leaves, skip: int = 0) -> list[Tensor | int]:
    """Return the arguments of an emitted function past the first `skip`, its packed parameters stacked."""
    packs = [torch.cat([_tensor(leaves[Key("parameter", name)]) for name in pack]) for pack in function.packs]
    any_tensor = next(value for value in leaves.values() if isinstance(value, Tensor))
    return [*(leaves[key] if key != LIKE else any_tensor for key in function.arguments[skip:]), *packs]


def _tensor(value: Tensor | int) -> Tensor:
    assert isinstance(value, Tensor)  # sizes are the only leaves that are not tensors
    return value
