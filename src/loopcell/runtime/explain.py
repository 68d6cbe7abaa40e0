"""Explain: every stage of the pipeline, printed for one cell."""

from __future__ import annotations

from loopcell.backends.reference import DerivedProgram, ReferenceProgram
from loopcell.equations import Cell
from loopcell.errors import InputError
from loopcell.passes import STAGES, build_program


def explain(cell: Cell, *, training: bool = True) -> str:
    """Return what becomes of a cell, stage by stage: equations, graph, hoist, schedule, derive, and the code that runs.

    Args:
        cell: any cell.
        training: explain what training runs, with its draws; else evaluation, with their means.
    """
    if not isinstance(cell, Cell):
        raise InputError(f"explain takes a cell, made by @cell or from loopcell.cells; got {type(cell).__name__}")
    program = build_program(cell.graph, training=training)
    reference = ReferenceProgram(program)
    stages = [(title, show(program)) for title, show in STAGES]
    if cell.graph.is_random and not training:
        stages[0] = ("expect: the equations, every draw replaced by its mean", stages[0][1])
    stages.append(("emit: the reference back end's code", f"{reference.prologue.source}\n{reference.loop.source}"))
    stages.append(("emit: the reverse step's code", DerivedProgram.of(reference).backward.source))
    heading = f"{cell.name} ({cell.fingerprint}): {cell.summary}".rstrip(": ")
    return "\n\n".join([heading, *(f"== {title}\n{text.rstrip()}" for title, text in stages)]) + "\n"
