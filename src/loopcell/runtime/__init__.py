"""Running cells: the choice of path (and why), and one cell over one sequence."""

from loopcell.backends.c import Call, FusedSteps, StepLayer, run_fused
from loopcell.backends.c.toolchain.threads import granted
from loopcell.backends.direct import autocast_dtype, is_plain, nothing_at_work, observer, transformation
from loopcell.backends.weights import Part, Weights, write_parts
from loopcell.runtime.execute import Executable
from loopcell.runtime.explain import explain
from loopcell.runtime.plan import Plan, backend, choose, may_fuse, narrow_results, nothing_special
from loopcell.runtime.rows import Rows

__all__ = [
    "Call",
    "Executable",
    "FusedSteps",
    "Part",
    "Plan",
    "Rows",
    "StepLayer",
    "Weights",
    "autocast_dtype",
    "backend",
    "choose",
    "explain",
    "granted",
    "is_plain",
    "may_fuse",
    "narrow_results",
    "nothing_at_work",
    "nothing_special",
    "observer",
    "run_fused",
    "transformation",
    "write_parts",
]
