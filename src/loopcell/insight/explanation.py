"""Explain: every stage of the pipeline, printed for one cell."""

from __future__ import annotations

from loopcell import cells
from loopcell.backends.reference import DerivedProgram, ReferenceProgram
from loopcell.equations import Cell
from loopcell.passes import STAGES, build_program


def explain(cell: str | Cell, *, training: bool = True) -> str:
    """Return what becomes of a cell, stage by stage: equations, graph, hoist, schedule, derive, and the code that runs.

    Args:
        cell: any cell, or the name of one of the library.
        training: explain what training runs, with its draws; else evaluation, with their means.

    Raises:
        UsageError: no cell has that name.
        InputError: it is no cell.
    """
    cell = cells.get(cell)
    program = build_program(cell.graph, training=training)
    reference = ReferenceProgram(program)
    stages = [(title, show(program)) for title, show in STAGES]
    if cell.graph.is_random and not training:
        stages[0] = ("expect: the equations, every draw replaced by its mean", stages[0][1])
    stages.append(("emit: the reference back end's code", f"{reference.prologue.source}\n{reference.loop.source}"))
    stages.append(("emit: the reverse step's code", DerivedProgram.of(reference).backward.source))
    heading = f"{cell.name} ({cell.fingerprint}): {cell.summary}".rstrip(": ")
    return "\n\n".join([heading, *(f"== {title}\n{text.rstrip()}" for title, text in stages)]) + "\n"
