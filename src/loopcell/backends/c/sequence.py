"""A program over a sequence in fused C: forward, and backward through time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from loopcell.backends.c.kernels import Kernels
from loopcell.backends.reference.derived import matrix_gradients
from loopcell.backends.reference.sequence import Leaves, Masks, ReferenceProgram, length_of, run_loop


def run_fused(
    kernels: Kernels, reference: ReferenceProgram, leaves: Leaves, masks: Masks, lengths: Tensor | None
) -> tuple[Tensor, list[Tensor]]:
    """Run a program over a sequence; arguments and results as in the reference back end's `run`.

    Args:
        kernels: the program's loops.
        reference: the same program, for the prologue and for gradients of gradients.
        leaves: by key.
        masks: resets; what they say of lengths serves gradients of gradients.
        lengths: int64 [B], or None.
    """
    steps = length_of(leaves)
    values = {**leaves, **reference.hoisted(leaves)}
    keys = tuple(key for key in reference.loop_keys() if isinstance(values[key], Tensor))
    sizes = {key: value for key, value in values.items() if not isinstance(value, Tensor)}
    call = _Call(kernels, reference, keys, sizes, masks, lengths, steps)
    tensors = [_plain(values[key]) for key in keys]
    if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors):
        output, *states = _FusedLoop.apply(call, *tensors)  # type: ignore[no-untyped-call]
        return output, list(states)
    ran = _forward(call, tensors, keep=False)
    return ran.output, ran.final


@dataclass(frozen=True)
class _Call:
    kernels: Kernels
    reference: ReferenceProgram
    keys: tuple[str, ...]
    sizes: dict[str, Any]
    masks: Masks
    lengths: Tensor | None
    steps: int

    def values(self, tensors: Any) -> dict[str, Any]:
        return {**self.sizes, **dict(zip(self.keys, tensors, strict=True))}

    def plain_masks(self) -> tuple[Tensor | None, Tensor | None]:
        """Return lengths and resets as the kernels read them: in one piece."""
        lengths, reset = self.lengths, self.masks.reset
        return (
            None if lengths is None else lengths.contiguous(),
            None if reset is None else reset.contiguous(),
        )


@dataclass(frozen=True)
class _Ran:
    """What a forward run left: the output, the states by step, what was kept."""

    output: Tensor
    history: dict[str, Tensor]
    kept: dict[str, Tensor]
    final: list[Tensor]


class _FusedLoop(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, call: _Call, *tensors: Tensor) -> tuple[Tensor, ...]:
        ran = _forward(call, list(tensors), keep=True)
        ctx.call = call
        ctx.names = (tuple(ran.history), tuple(ran.kept))
        ctx.save_for_backward(*tensors, *ran.history.values(), *ran.kept.values())
        return (ran.output, *ran.final)

    @staticmethod
    def backward(ctx: Any, d_output: Tensor, *d_states: Tensor) -> tuple[Tensor | None, ...]:
        call: _Call = ctx.call
        count = len(call.keys)
        tensors, rest = ctx.saved_tensors[:count], ctx.saved_tensors[count:]
        if torch.is_grad_enabled():  # a gradient of this gradient is wanted: the same equations, differentiable
            return (None, *_reference_gradients(call, tensors, (d_output, *d_states), ctx.needs_input_grad[1:]))
        history = dict(zip(ctx.names[0], rest, strict=False))
        kept = dict(zip(ctx.names[1], rest[len(history) :], strict=True))
        gradients = _backward(call, {**call.values(tensors), **kept}, history, (d_output, d_states))
        return (None, *(gradients.get(key) for key in call.keys))


def _forward(call: _Call, tensors: list[Tensor], *, keep: bool) -> _Ran:
    kernels, values = call.kernels, call.values(tensors)
    first = values[call.reference.states[0]]
    batch = first.shape[0]
    name = "forward_and_keep" if keep else "forward"
    layout = kernels.layouts[name]
    buffers: dict[str, Tensor] = {}
    for key in call.reference.states:
        slots = call.steps + 1 if keep else 2
        buffers[key] = first.new_empty(slots, batch, values[key].shape[-1])
        buffers[key][0] = values[key]
    for key in layout.graph.results:
        if not key.startswith("state."):
            index = layout.graph.results[key]
            width = call.sizes[f"size.{layout.graph.nodes[index].dims[0]}"] if layout.graph.nodes[index].dims else 1
            buffers[key] = first.new_empty(call.steps, batch, width)
    states = {key: buffers[key] for key in call.reference.states}
    written = {f"={key}": buffer for key, buffer in buffers.items()}
    kernels.call(name, {**values, **states, **written}, call.plain_masks(), call.steps)
    last = call.steps % (call.steps + 1 if keep else 2)
    final = [buffers[key][last].clone() for key in call.reference.states]
    kept = {key: buffer for key, buffer in buffers.items() if key.startswith("saved.")}
    return _Ran(buffers["output"], states, kept, final)


def _backward(
    call: _Call, values: dict[str, Any], history: dict[str, Tensor], arriving: tuple[Tensor, tuple[Tensor, ...]]
) -> dict[str, Tensor]:
    kernels = call.kernels
    d_output, d_states = arriving
    batch = d_output.shape[1]
    written = {f"={key}": _gradient_buffer(call, key, d_output, batch) for key in kernels.back.results}
    carried: dict[str, Tensor] = {}
    for key, d_state in zip(call.reference.states, d_states, strict=True):
        buffer = d_output.new_empty(2, batch, d_state.shape[-1])
        buffer[call.steps % 2] = d_state
        carried[f"cotangent.{key}"] = written[f"={key}"] = buffer
    given = {"cotangent.output": _plain(d_output), **carried, **history}
    kernels.call("reverse", {**values, **given, **written}, call.plain_masks(), call.steps)
    results = {key.removeprefix("="): buffer for key, buffer in written.items()}
    results |= {key: results[other] for key, other in kernels.alias.items()}
    gradients = {key: results[key][0] for key in call.reference.states}
    for key in call.keys:
        if key.startswith(("hoisted.", "parameter.")) and key in results:
            gradients[key] = results[key].sum_to_size(values[key].shape) if key in kernels.added else results[key]
    outer = kernels.program.backward.outer
    return gradients | matrix_gradients(outer, results, lambda key: _operand(call, key, results, history, values))


def _operand(
    call: _Call, key: str, results: dict[str, Tensor], history: dict[str, Tensor], values: dict[str, Any]
) -> Any:
    """Return what a matrix was multiplied with, by step: a state before each step, or what the reverse loop gives."""
    if key in history:
        return history[key][: call.steps]
    return results[key] if key.startswith("operand.") else values[key]


def _gradient_buffer(call: _Call, key: str, like: Tensor, batch: int) -> Tensor:
    graph = call.kernels.back
    dims = graph.nodes[graph.results[key]].dims
    width = call.sizes[f"size.{dims[0]}"] if dims else 1
    if key in call.kernels.added:
        return like.new_zeros(batch, width)
    return like.new_empty(call.steps, batch, width)


def _reference_gradients(
    call: _Call, tensors: tuple[Tensor, ...], arriving: tuple[Tensor, ...], wanted: tuple[bool, ...]
) -> list[Tensor | None]:
    with torch.enable_grad():
        output, states = run_loop(call.reference, call.values(tensors), call.masks, call.steps)
    inputs = [tensor for tensor, needed in zip(tensors, wanted, strict=True) if needed]
    found = iter(torch.autograd.grad([output, *states], inputs, arriving, create_graph=True, allow_unused=True))
    return [next(found) if needed else None for needed in wanted]


def _plain(value: Any) -> Tensor:
    """Return a tensor whose last axis is contiguous, as the kernels read it."""
    tensor: Tensor = value
    return tensor if tensor.stride(-1) == 1 or tensor.shape[-1] <= 1 else tensor.contiguous()
