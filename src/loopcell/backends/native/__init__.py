"""The native back end: torch's own recurrent operators (cuDNN on CUDA), for cells whose equations they have."""

from loopcell.backends.native.operators import StackForm, run_stack
from loopcell.backends.native.rows import run_rows
from loopcell.backends.native.weights import operator_weights

__all__ = ["StackForm", "operator_weights", "run_rows", "run_stack"]
