"""Running cells: the choice of path (and why), and one cell over one sequence."""

from loopcell.backends.c import LONGEST, ChunkLayer, FusedChunks, FusedSteps, StepLayer
from loopcell.backends.c.toolchain.threads import granted
from loopcell.backends.lengths import Lengths
from loopcell.backends.weights import ParameterSlice, WeightLayout, Weights
from loopcell.runtime.asked import BACKENDS, backend, refuse_fallback
from loopcell.runtime.branches import run_branched, shares_a_step
from loopcell.runtime.dispatch import (
    autocast_converts,
    autocast_dtype,
    first_obstacle,
    is_plain,
    may_fuse,
    narrow_results,
    nothing_at_work,
    nothing_special,
    observer,
    transformation,
)
from loopcell.runtime.execute import Executable
from loopcell.runtime.further_input import FurtherInput
from loopcell.runtime.kernels import KernelCall, threads_for
from loopcell.runtime.narrow import NarrowStep, check_width, narrow_step
from loopcell.runtime.native_stack import Layers, run_native_stack
from loopcell.runtime.plan import Plan, choose
from loopcell.runtime.routes import native_is_tried
from loopcell.runtime.transfer import sent

__all__ = [
    "BACKENDS",
    "LONGEST",
    "ChunkLayer",
    "Executable",
    "FurtherInput",
    "FusedChunks",
    "FusedSteps",
    "KernelCall",
    "Layers",
    "Lengths",
    "NarrowStep",
    "ParameterSlice",
    "Plan",
    "StepLayer",
    "WeightLayout",
    "Weights",
    "autocast_converts",
    "autocast_dtype",
    "backend",
    "check_width",
    "choose",
    "first_obstacle",
    "granted",
    "is_plain",
    "may_fuse",
    "narrow_results",
    "narrow_step",
    "native_is_tried",
    "nothing_at_work",
    "nothing_special",
    "observer",
    "refuse_fallback",
    "run_branched",
    "run_native_stack",
    "sent",
    "shares_a_step",
    "threads_for",
    "transformation",
]
