"""Running cells: the choice of path (and why), and one cell over one sequence."""

from loopcell.backends.c import FusedSteps, StepLayer
from loopcell.backends.weights import Part, Weights, write_parts
from loopcell.runtime.execute import Executable
from loopcell.runtime.explain import explain
from loopcell.runtime.plan import Plan, backend, choose
from loopcell.runtime.rows import Rows

__all__ = [
    "Executable",
    "FusedSteps",
    "Part",
    "Plan",
    "Rows",
    "StepLayer",
    "Weights",
    "backend",
    "choose",
    "explain",
    "write_parts",
]
