"""Fuse: one step cut for kernels that take a whole sequence in one call.

    once     what depends on parameters alone: computed before the call, by the framework, which also has its gradient
    ahead    what depends on the input but not on a state: computed inside the call, for a few steps at a time
    loop     what waits for the past
    reverse  the derived step of `ahead` and `loop` together

Where `hoist` sends everything before the loop out to the framework, a kernel keeps the products with the input, so
that [T, B, G * H] of hoisted values never travels through memory.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from loopcell.equations.graph import Graph
from loopcell.equations.keys import Key
from loopcell.passes.derive import Backward, derive
from loopcell.passes.hoist import Hoisted, hoist, split_invariants


@dataclass(frozen=True)
class Fused:
    """One step, cut.

    Attributes:
        once: leaves parameter, random (once a sequence); results hoisted.NAME.
        core: the whole step with the results of `once` as leaves hoisted.NAME.
        inference: `core` as `ahead` (its prologue) and `loop`.
        training: the same, with what is saved for the reverse step among the loop's results, as saved.NAME.
        backward: the reverse step of `core`.
    """

    once: Graph
    core: Graph
    inference: Hoisted
    training: Hoisted
    backward: Backward


def fuse(graph: Graph) -> Fused:
    """Cut a cell's graph for kernels."""
    split = split_invariants(graph)
    core, backward = split.core, derive(split.core)
    saved = {Key("saved", name): index for name, index in backward.saved.items()}
    # Hoisted once more, with the saved values as results: one that is known ahead is then saved from there.
    and_save = replace(core, results={**core.results, **saved})
    return Fused(split.once, core, hoist(core), hoist(and_save), backward)
