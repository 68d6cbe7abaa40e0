"""Branches: one step from one state with each of many inputs, whose common part is computed once.

Every leaf has the axes that it varies along and 1 elsewhere, so that a product is made once for each operand that there
is: W x once an input, U h once a state. What reads both is evaluated for a few branches at a time, which stay in the
processor's cache.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from loopcell.backends.reference.emit import Function, emit
from loopcell.backends.reference.sequence import Leaves, ReferenceProgram, call, fixed_arguments, reference_program
from loopcell.equations.keys import Key
from loopcell.equations.names import ascii_name
from loopcell.passes.hoist import split_branches
from loopcell.passes.program import Program

NUMBERS = 1 << 17  # of a vector of all rows that are evaluated at once: half a megabyte in float32


@dataclass(frozen=True)
class BranchedProgram:
    """A program's step in three parts: the prologue, of the input alone; what the state alone decides; the rest.

    Attributes:
        reference: the program, whose prologue is the first part.
        columns: keys of the hoisted values that differ from branch to branch.
        shared: what is computed once a state.
        step: what reads both, and gives the output.
    """

    reference: ReferenceProgram
    columns: tuple[Key, ...]
    shared: Function
    step: Function


@lru_cache(maxsize=256)
def branched_program(program: Program) -> BranchedProgram:
    """Return a program's functions for branches, the same ones for every network of the cell."""
    reference, split = reference_program(program), split_branches(program.loop, program.varying)
    columns = tuple(node.key for _, node in split.core.leaves("hoisted") if node.name in program.varying)
    name = ascii_name(program.cell.name)
    step = emit(split.core, f"{name}_branch", first=columns)
    return BranchedProgram(reference, columns, emit(split.once, f"{name}_shared"), step)


def run_branches(branched: BranchedProgram, leaves: Leaves, shape: tuple[int, ...]) -> Tensor:
    """Run one step from one state with each of m inputs.

    Args:
        branched: of a cell without draws.
        leaves: input.x [m, *S, I], state.NAME [*R, n], parameter.NAME, size.NAME; S broadcasts to R.
        shape: [m, *R, O], of the output.

    Returns:
        The output, [m, *R, O].
    """
    values = {**leaves, **branched.reference.hoisted(leaves)}
    values |= dict(zip(branched.shared.results, call(branched.shared, values), strict=True))
    fixed = fixed_arguments(branched.step, values, skip=len(branched.columns))
    columns = [tensor for key in branched.columns if isinstance(tensor := values[key], Tensor)]
    if not columns or not shape[0]:  # the input has no part in the output, or there is none
        alone: Tensor = branched.step.call(*columns, *fixed)[0]
        return alone.expand(shape)
    at_once = max(1, NUMBERS // max(1, math.prod(shape[1:])))
    parts = zip(*(torch.split(column, at_once) for column in columns), strict=True)
    return torch.cat([branched.step.call(*some, *fixed)[0].expand(len(some[0]), *shape[1:]) for some in parts])
