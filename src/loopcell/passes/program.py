"""Programs: the pipeline makes them, a back end runs them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

from loopcell.equations.graph import Graph
from loopcell.equations.keys import Key
from loopcell.passes.derive import Backward
from loopcell.passes.fuse import Fused, fuse
from loopcell.passes.schedule import Phase


@dataclass(frozen=True, eq=False)
class Program:
    """The parts that a back end runs, all derived from one graph; equal only to itself.

    Attributes:
        cell: the equations of one step, as training or as evaluation has them.
        prologue: from the input to the hoisted values, for the whole sequence at once.
        loop: what waits for the past.
        varying: names of the hoisted values that differ from step to step.
        backward: the reverse step of the loop.
        prologue_phases, loop_phases, backward_phases: the order of computation of each.
    """

    cell: Graph
    prologue: Graph
    loop: Graph
    varying: frozenset[str]
    backward: Backward
    prologue_phases: tuple[Phase, ...]
    loop_phases: tuple[Phase, ...]
    backward_phases: tuple[Phase, ...]

    def loop_and_save(self) -> Graph:
        """Return the loop with what is saved for its reverse step among the results, as saved.NAME."""
        saved = {Key("saved", name): index for name, index in self.backward.saved.items()}
        return replace(self.loop, results={**self.loop.results, **saved})

    @cached_property
    def fused(self) -> Fused:
        """The same step, cut for kernels that take a whole sequence in one call."""
        return fuse(self.cell)
