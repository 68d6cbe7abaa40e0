"""The reference back end: programs as plain PyTorch, differentiable any number of times."""

from loopcell.backends.reference.branches import BranchedProgram, branched_program, run_branches
from loopcell.backends.reference.derived import DerivedProgram, run_derived
from loopcell.backends.reference.emit import Function, emit
from loopcell.backends.reference.sequence import ReferenceProgram, call, reference_program, run

__all__ = [
    "BranchedProgram",
    "DerivedProgram",
    "Function",
    "ReferenceProgram",
    "branched_program",
    "call",
    "emit",
    "reference_program",
    "run",
    "run_branches",
    "run_derived",
]
