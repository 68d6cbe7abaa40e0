"""The path of torch's own operators: what stands against it, and a cell over a sequence on it."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from loopcell.backends.lengths import Lengths
from loopcell.backends.weights import Weights
from loopcell.equations.keys import Key
from loopcell.errors import UsageError
from loopcell.runtime.kernels import RunResults
from loopcell.runtime.obstacles import NOT_NATIVE, Obstacle
from loopcell.runtime.programs import Programs


def obstacle(device: torch.device, dtype: torch.dtype) -> Obstacle | None:  # noqa: ARG001
    """Return what stands against torch's operators on tensors of a device and dtype; None where they run."""
    return None


def obstacle_of(
    programs: Programs,  # noqa: ARG001
    lengths: Lengths | None,  # noqa: ARG001
    *,
    resets: bool = False,  # noqa: ARG001
) -> Obstacle | None:
    """Return what stands against torch's operators in the cell, or in where the rows of a call end or start afresh."""
    return NOT_NATIVE


def run(
    programs: Programs,  # noqa: ARG001
    leaves: dict[Key, Tensor],  # noqa: ARG001
    weights: Weights,  # noqa: ARG001
    sizes: Mapping[str, int],  # noqa: ARG001
    lengths: Lengths,  # noqa: ARG001
) -> RunResults:
    """Run a cell over a sequence; arguments and results as of `on_triton.run`."""
    raise UsageError(f"{NOT_NATIVE.reason}; {NOT_NATIVE.cure}")
