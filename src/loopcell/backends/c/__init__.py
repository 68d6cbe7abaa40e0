"""The CPU back end: a cell's loops as generated C, compiled once, forward and backward through time."""

from loopcell.backends.c.build import compiler
from loopcell.backends.c.given import plain
from loopcell.backends.c.kept import Kept
from loopcell.backends.c.kernels import Kernels, Rows as KernelRows
from loopcell.backends.c.sequence import Call, Recipe, run_fused
from loopcell.backends.c.stepping import FusedSteps, StepLayer

__all__ = [
    "Call",
    "FusedSteps",
    "Kept",
    "KernelRows",
    "Kernels",
    "Recipe",
    "StepLayer",
    "compiler",
    "plain",
    "run_fused",
]
