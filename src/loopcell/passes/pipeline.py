"""The pipeline: from a cell's graph to a program, by named stages that each can be printed.

    graph -> expect -> hoist -> schedule -> derive -> (a back end)

Every stage is a pure function of the one before.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from loopcell.equations.graph import Graph
from loopcell.passes.derive import derive
from loopcell.passes.expect import expect
from loopcell.passes.hoist import hoist
from loopcell.passes.program import Program
from loopcell.passes.schedule import schedule
from loopcell.passes.show import show_backward, show_equations, show_graph, show_hoisted, show_schedules


def build_program(graph: Graph, *, training: bool) -> Program:
    """Return the program of a cell's graph, for training (with its draws) or evaluation (with their means)."""
    return _program(ByIdentity(graph), training or not graph.is_random)


@dataclass(frozen=True, eq=False)
class ByIdentity:
    """A graph as a cache key: graphs hold dictionaries, so the object itself is the key."""

    graph: Graph

    def __hash__(self) -> int:
        return id(self.graph)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ByIdentity) and self.graph is other.graph


@lru_cache(maxsize=256)
def _program(key: ByIdentity, with_draws: bool) -> Program:
    graph = key.graph if with_draws else expect(key.graph)
    hoisted = hoist(graph)
    backward = derive(hoisted.loop)
    return Program(
        cell=graph,
        prologue=hoisted.prologue,
        loop=hoisted.loop,
        varying=hoisted.varying,
        backward=backward,
        prologue_phases=schedule(hoisted.prologue),
        loop_phases=schedule(hoisted.loop),
        backward_phases=schedule(backward.graph),
    )


STAGES: tuple[tuple[str, Callable[[Program], str]], ...] = (
    ("equations: what the author wrote", show_equations),
    ("graph: one node a value, shapes inferred from use", show_graph),
    ("hoist: what does not wait for the past leaves the loop", show_hoisted),
    ("schedule: products that share an operand are one; phases in order", show_schedules),
    ("derive: the reverse step, for backpropagation through time", show_backward),
)
"""The stages by name, each with the function that prints it."""
