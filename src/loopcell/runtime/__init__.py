"""Running cells: the choice of path (and why), and one cell over one sequence."""

from loopcell.backends.reference import Masks
from loopcell.runtime.execute import Executable
from loopcell.runtime.explain import explain
from loopcell.runtime.plan import Plan

__all__ = ["Executable", "Masks", "Plan", "explain"]
