"""The reference back end: programs as plain PyTorch, differentiable any number of times."""

from loopcell.backends.reference.derived import DerivedProgram, run_derived
from loopcell.backends.reference.sequence import Masks, ReferenceProgram, run

__all__ = ["DerivedProgram", "Masks", "ReferenceProgram", "run", "run_derived"]
