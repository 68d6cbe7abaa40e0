"""The CPU back end: a cell's loops as generated C, compiled once, forward and backward through time."""

from loopcell.backends.c.launch.given import plain
from loopcell.backends.c.launch.kept import Kept
from loopcell.backends.c.launch.kernels import Kernels, Rows as KernelRows
from loopcell.backends.c.launch.sequence import Call, Recipe, run_fused
from loopcell.backends.c.launch.stepping import FusedSteps, StepLayer
from loopcell.backends.c.toolchain.build import compiler

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
