"""The reference back end: programs as plain PyTorch, differentiable any number of times."""

from loopcell.backends.reference.derived import DerivedProgram, run_derived
from loopcell.backends.reference.emit import Function, emit
from loopcell.backends.reference.sequence import ReferenceProgram, call, reference_program, run

__all__ = [
    "DerivedProgram",
    "Function",
    "ReferenceProgram",
    "call",
    "emit",
    "reference_program",
    "run",
    "run_derived",
]
