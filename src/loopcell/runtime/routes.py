"""Routes: the path of one call, chosen from what is asked for, the device, the cell and what is at work.

| device  | tried in this order                  | by name alone    |
|---------|--------------------------------------|------------------|
| the CPU | "c", then "reference"                | native, triton   |
| others  | "native", "triton", then "reference" |                  |

Each back end has one predicate that says what stands against it, an `Obstacle` with its reason and cure. A back end
that is demanded by name and cannot run is a `UsageError` with these words; under "auto" the next one is tried, and the
plan says why.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from loopcell.backends.lengths import Lengths
from loopcell.backends.weights import Weights
from loopcell.equations.keys import Key
from loopcell.runtime import on_native, on_triton
from loopcell.runtime.asked import asked_for, refuse_fallback
from loopcell.runtime.dispatch import described, is_in_memory, is_traced, observer, obstacle_of_c, transformation
from loopcell.runtime.kernels import KernelRunner, RunResults
from loopcell.runtime.obstacles import MIXED, Obstacle, other_tensor

_PREDICATES = {"c": obstacle_of_c, "native": on_native.obstacle, "triton": on_triton.obstacle}
RUNS = {"native": on_native.run, "triton": on_triton.run}
"""What runs a cell over a sequence, of the back ends that take tensors as they are."""


class Route(NamedTuple):
    """The path of one call.

    Attributes:
        backend: "native", "triton", "c" or "reference".
        as_operator: as the operator loopcell::run, for whatever wants to see operations.
    """

    backend: str
    as_operator: bool = False


REFERENCE = Route("reference")


def of_device(device: torch.device) -> tuple[str, ...]:
    """Return the back ends to try on a device, the fastest first; behind them stands the reference path."""
    # The meta device computes nothing: what holds for the CPU is said of it.
    return ("c",) if device.type in ("cpu", "meta") else ("native", "triton")


def candidates(device: torch.device) -> tuple[str, ...]:
    """Return the back ends to try on a device, as is asked for here and now."""
    asked = asked_for()
    if asked == "auto":
        return of_device(device)
    return () if asked == "reference" else (asked,)


def obstacle(
    backend: str,
    device: torch.device,
    dtype: torch.dtype,
    runner: KernelRunner | None = None,
    lengths: Lengths | None = None,
    *,
    resets: bool = False,
) -> Obstacle | None:
    """Return what stands against a back end on tensors of a device and dtype, here and now.

    Args:
        backend: its name.
        device: of the tensors.
        dtype: of the tensors.
        runner: the cell, with its sizes and what is recorded; None: any cell.
        lengths: where the rows of the call end and start afresh, where that is known.
        resets: rows start afresh.
    """
    found = _PREDICATES[backend](device, dtype)
    if found is None and backend == "native" and runner is not None:
        found = on_native.obstacle_of(runner, lengths, resets=resets)
    return found or transformation()


def of_cell(device: torch.device, dtype: torch.dtype, runner: KernelRunner, *, resets: bool = False) -> str:
    """Return the back end that runs a cell on tensors of a device and dtype; arguments as of `obstacle`.

    Raises:
        UsageError: a back end is demanded, and cannot run.
    """
    for name in candidates(device):
        found = obstacle(name, device, dtype, runner, resets=resets)
        if found is None:
            return name
        refuse_fallback(found)
    return "reference"


def route(
    tensors: Sequence[Tensor],
    runner: KernelRunner | None = None,
    lengths: Lengths | None = None,
    *,
    one_dtype: bool = True,
) -> Route:
    """Choose how a call on tensors runs, as things stand now.

    Args:
        tensors: the numbers that the call reads; the input first.
        runner: the cell, with its sizes and what is recorded; None: any cell.
        lengths: where rows end and start afresh.
        one_dtype: the tensors must be of one dtype; else they are converted to one before they are read.

    Raises:
        UsageError: a back end is demanded, and cannot run.
    """
    device, dtype = tensors[0].device, tensors[0].dtype
    others = () if lengths is None else (lengths.lengths, lengths.reset)
    for name in candidates(device):
        special: list[Tensor] = []
        found = obstacle(name, device, dtype, runner, lengths)
        if found is None:
            special = [tensor for tensor in (*tensors, *others) if tensor is not None and not is_in_memory(tensor)]
            found = _obstacle_of_tensors(tensors, special, one_dtype=one_dtype)
        if found is None:
            return Route(name, as_operator=bool(special) or observer() is not None)
        refuse_fallback(found)
    return REFERENCE


def _obstacle_of_tensors(tensors: Sequence[Tensor], special: Sequence[Tensor], *, one_dtype: bool) -> Obstacle | None:
    device, dtype = tensors[0].device, tensors[0].dtype
    # PyTorch converts what it can; a kernel reads memory.
    if not all(tensor.device == device and (tensor.dtype == dtype or not one_dtype) for tensor in tensors):
        return MIXED
    return next((other_tensor(described(tensor)) for tensor in special if not is_traced(tensor)), None)


def run_elsewhere(
    demanded: str | None, runner: KernelRunner, leaves: dict[Key, Tensor], weights: Weights, lengths: Lengths
) -> RunResults:
    """Run a cell over a sequence where C does not: on another back end, or as PyTorch operations.

    Args:
        demanded: the back end that must run; None: the first that can.
        runner: the cell, with its sizes.
        leaves: the input, the states, the draws, by key; the input first.
        weights: the parameters.
        lengths: where rows end and start afresh.

    Raises:
        UsageError: a back end is demanded, and cannot run.
    """
    like = leaves[next(iter(leaves))]
    for name in (demanded,) if demanded else of_device(like.device):
        if name not in RUNS:
            continue
        found = obstacle(name, like.device, like.dtype, runner, lengths)
        if found is None:
            return RUNS[name](runner.programs, leaves, weights, runner.sizes, lengths)
        if demanded:
            refuse_fallback(found, earlier=demanded)
    return runner.programs.run_reference(leaves, weights, runner.sizes, lengths)
