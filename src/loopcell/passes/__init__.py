"""Graph in, program out: expect, hoist, schedule, derive. No torch in this room."""

from loopcell.passes.pipeline import STAGES, Program, build_program

__all__ = ["STAGES", "Program", "build_program"]
