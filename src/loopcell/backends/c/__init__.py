"""The CPU back end: a program's loops as generated C, compiled once, forward and backward through time."""

from loopcell.backends.c.build import compiler
from loopcell.backends.c.kernels import Kernels
from loopcell.backends.c.sequence import run_fused

__all__ = ["Kernels", "compiler", "run_fused"]
