"""The path of generated Triton kernels: what stands against it, and a cell over a sequence on it.

What does not wait for the past is computed by PyTorch for the whole sequence at once, with its gradient. The loop is
one differentiable function of what that gives, of the states, and of the parameters that the loop reads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from loopcell.backends.lengths import Lengths
from loopcell.backends.reference import ReferenceProgram
from loopcell.backends.reference.scan import run_scanned, scanned_program
from loopcell.backends.reference.sequence import run_loop
from loopcell.backends.scan import ScanRunner
from loopcell.backends.triton import CallShape, LoopKernels, Saved, choose, device_obstacle, kernels_of, limits_of
from loopcell.backends.weights import Weights
from loopcell.equations.keys import OUTPUT, Key, cotangent_of
from loopcell.runtime.asked import demanded, refuse_fallback
from loopcell.runtime.dispatch import is_in_memory, narrow_results, nothing_at_work
from loopcell.runtime.kernels import KernelRunner, RunResults, Version, check_returned, obstacle_of_backward
from loopcell.runtime.obstacles import Obstacle, other_dtype
from loopcell.runtime.programs import Programs, gradients_of

_DTYPES = (torch.float32, torch.float64, torch.float16, torch.bfloat16)


def obstacle(device: torch.device, dtype: torch.dtype) -> Obstacle | None:
    """Return what stands against Triton kernels on tensors of a device and dtype; None where they run."""
    found = device_obstacle(device)
    if found is not None:
        return Obstacle(*found)
    return None if dtype in _DTYPES else other_dtype(dtype)


def kinds(runner: KernelRunner, device: torch.device, dtype: torch.dtype) -> str:
    """Name the kinds of kernels that run a cell, forward and in reverse, as the rows of a batch become more.

    Such as "resident; backward persistent, from B = 1024 on streamed"; one step alone is "stepped" where it is not
    "resident". A cell whose states are known at once is a "scan over time".
    """
    if scanned_program(runner.programs.reference) is not None:
        return "scan over time"
    loops, limits = kernels_of(runner.programs.reference.program), limits_of(device)
    itemsize = (narrow_results(dtype, device) or dtype).itemsize
    words = []
    for loop in (loops.training, loops.reverse):
        found = {batch: choose(loop, runner.sizes, batch, 2, itemsize, limits).kind for batch in _BATCHES}
        changes = [batch for before, batch in pairwise(_BATCHES) if found[before] != found[batch]]
        words.append(", ".join([found[1], *(f"from B = {batch} on {found[batch]}" for batch in changes)]))
    return words[0] if words[0] == words[1] else f"{words[0]}; backward {words[1]}"


_BATCHES = tuple(2**power for power in range(13))


def run(
    programs: Programs, leaves: dict[Key, Tensor], weights: Weights, sizes: Mapping[str, int], lengths: Lengths
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
    reference = programs.reference
    batch = leaves[next(iter(leaves))].shape[1]
    numbers: dict[Key, Tensor | int] = {Key("size", name): size for name, size in sizes.items()}
    # What is hoisted is computed of padding too.
    read = {key: lengths.without_padding(leaf) if key.kind == "input" else leaf for key, leaf in leaves.items()}
    values = {**read, **{Key("parameter", name): weight for name, weight in weights.named().items()}}
    scanned = scanned_program(reference)
    if scanned is not None:  # no step waits for another: every step at once, with a gradient of PyTorch's and of scans
        return run_scanned(scanned, {**numbers, **values}, lengths, _scan_kernels())
    values |= reference.hoisted({**numbers, **values})
    kernels = kernels_of(reference.program)
    keys = tuple(key for key in values if key in kernels.read)
    tensors = [values[key] for key in keys]
    call = _LoopCall(reference, kernels, keys, CallShape(lengths, batch, sizes))
    if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors):
        output, *rest = _Loop.apply(call, *tensors)  # type: ignore[no-untyped-call]
        count = len(kernels.states)
        return output, rest[:count], dict(zip(kernels.recorded, rest[count:], strict=True))
    found, _ = kernels.forward(dict(zip(keys, tensors, strict=True)), call.shape, saves=False)
    return found.output, found.states, found.recorded


def _scan_kernels() -> ScanRunner:
    from loopcell.backends.triton.scan.launch import triton_scan  # Triton is optional

    return triton_scan


@dataclass(frozen=True, eq=False)
class _LoopCall:
    reference: ReferenceProgram
    kernels: LoopKernels
    keys: tuple[Key, ...]
    shape: CallShape


class _Loop(torch.autograd.Function):
    """The forward and the reverse loop as one differentiable function."""

    @staticmethod
    def forward(ctx: Any, call: _LoopCall, *tensors: Tensor) -> tuple[Tensor, ...]:
        found, saved = call.kernels.forward(dict(zip(call.keys, tensors, strict=True)), call.shape, saves=True)
        ctx.call, ctx.demanded = call, demanded()
        ctx.values, ctx.histories = tuple(saved.values), tuple(saved.histories)
        to_save = (*tensors, *saved.values.values(), *saved.histories.values())
        ctx.save_for_backward(*to_save)
        ctx.shapes = [tensor.shape for tensor in to_save]
        ctx.output = Version(found.output)
        ctx.mark_non_differentiable(*found.recorded.values())
        ctx.set_materialize_grads(False)  # a gradient that is not there comes as None
        return (found.output, *found.states, *found.recorded.values())

    @staticmethod
    def backward(ctx: Any, *arriving: Tensor | None) -> tuple[Tensor | None, ...]:
        call: _LoopCall = ctx.call
        saved = ctx.saved_tensors
        check_returned(saved, ctx.shapes, saved[0].dtype)
        count = len(call.keys)
        tensors, rest = saved[:count], saved[count:]
        arriving = arriving[: 1 + len(call.kernels.states)]
        wanted = ctx.needs_input_grad[1:]
        seen = (*arriving, *saved)
        # A gradient of this gradient, or an observer, needs operations to see: the same equations as PyTorch's.
        plain = all(tensor is None or is_in_memory(tensor) for tensor in seen)
        if torch.is_grad_enabled() or not (nothing_at_work() and plain):
            refuse_fallback(obstacle_of_backward(seen), earlier=ctx.demanded)
            return (None, *_by_reference(call, tensors, arriving, wanted))
        if ctx.output.changed():  # the output may lie in the memory of what was saved (`y.relu_()`)
            kept = call.kernels.forward(dict(zip(call.keys, tensors, strict=True)), call.shape, saves=True)[1]
        else:
            values = dict(zip(ctx.values, rest, strict=False))
            # A hook on saved tensors may have brought them back in another layout.
            histories = (tensor.contiguous() for tensor in rest[len(values) :])
            kept = Saved(values, dict(zip(ctx.histories, histories, strict=True)))
        found = _reverse(call, tensors, kept, arriving)
        each = zip(call.keys, tensors, wanted, strict=True)
        return (None, *(_summed(found.get(key), tensor) if want else None for key, tensor, want in each))


def _reverse(
    call: _LoopCall, tensors: Sequence[Tensor], saved: Saved, arriving: Sequence[Tensor | None]
) -> dict[Key, Tensor]:
    """Return the gradients by key; where none arrives there are zeros."""
    cotangents = {}
    for key, d in zip((OUTPUT, *call.kernels.states), arriving, strict=True):
        shape = call.kernels.shape_of(key, call.shape)
        cotangents[cotangent_of(key)] = tensors[0].new_zeros(shape) if d is None else d
    return call.kernels.backward(dict(zip(call.keys, tensors, strict=True)), saved, cotangents, call.shape)


def _summed(gradient: Tensor | None, tensor: Tensor) -> Tensor | None:
    """Return the gradient of a tensor: the sum over the rows, where it was the same for all of them."""
    return None if gradient is None else gradient.sum_to_size(tensor.shape)


def _by_reference(
    call: _LoopCall, tensors: Sequence[Tensor], arriving: Sequence[Tensor | None], wanted: Sequence[bool]
) -> list[Tensor | None]:
    """Return the gradients by PyTorch operations."""
    numbers: dict[Key, Tensor | int] = {Key("size", name): size for name, size in call.shape.sizes.items()}

    def results() -> list[Tensor]:
        values = {**numbers, **dict(zip(call.keys, tensors, strict=True))}
        output, states, _ = run_loop(call.reference, values, call.shape.lengths)
        return [output, *states]

    return gradients_of(results, tensors, arriving, wanted)
