"""Graph in, program out: expect, hoist, schedule, derive. No torch in this room."""

from loopcell.passes.pipeline import STAGES, build_program
from loopcell.passes.program import Program

__all__ = ["STAGES", "Program", "build_program"]
