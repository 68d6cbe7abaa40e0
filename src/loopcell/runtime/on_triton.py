"""The path of generated Triton kernels: what stands against it, and a cell over a sequence on it."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from loopcell.backends.lengths import Lengths
from loopcell.backends.weights import Weights
from loopcell.equations.keys import Key
from loopcell.errors import UsageError
from loopcell.runtime.kernels import RunResults
from loopcell.runtime.obstacles import NO_TRITON, Obstacle
from loopcell.runtime.programs import Programs


def obstacle(device: torch.device, dtype: torch.dtype) -> Obstacle | None:  # noqa: ARG001
    """Return what stands against Triton kernels on tensors of a device and dtype; None where they run."""
    return NO_TRITON


def run(
    programs: Programs,  # noqa: ARG001
    leaves: dict[Key, Tensor],  # noqa: ARG001
    weights: Weights,  # noqa: ARG001
    sizes: Mapping[str, int],  # noqa: ARG001
    lengths: Lengths,  # noqa: ARG001
) -> RunResults:
    """Run a cell over a sequence; differentiable once, and a second time as PyTorch operations.

    Args:
        programs: the cell.
        leaves: the input, the states, the draws, by key; the input first.
        weights: the parameters.
        sizes: every size by name.
        lengths: where rows end and start afresh.

    Returns:
        The output, the final states and what is recorded.
    """
    raise UsageError(f"{NO_TRITON.reason}; {NO_TRITON.cure}")
