"""Call: a program over a sequence, differentiable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from loopcell.backends.lengths import Lengths
from loopcell.backends.triton.launch.loops import Kernels, Saved
from loopcell.backends.triton.launch.memory import Shape
from loopcell.equations.keys import OUTPUT, Key, cotangent_of
from loopcell.passes.program import Program

RunResults = tuple[Tensor, list[Tensor], dict[str, Tensor]]


@lru_cache(maxsize=256)
def kernels_of(program: Program) -> Kernels:
    """Return a program's loops, the same ones for every network of the cell."""
    return Kernels(program)


@dataclass(frozen=True, eq=False)
class LoopCall:
    """One call, less its tensors.

    Attributes:
        kernels: what runs.
        keys: of the tensors that the loop reads.
        shape: of the call.
    """

    kernels: Kernels
    keys: tuple[Key, ...]
    shape: Shape

    def run(self, tensors: list[Tensor]) -> RunResults:
        """Return the output [T, B, O], the final states [B, n], and what is recorded [T, B, n] by name.

        Args:
            tensors: by `keys`.
        """
        if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors):
            output, *rest = _Loop.apply(self, *tensors)  # type: ignore[no-untyped-call]
            count = len(self.kernels.training.states)
            names = [key.name for key, _, _ in self.kernels.training.written() if key.kind == "record"]
            return output, list(rest[:count]), dict(zip(names, rest[count:], strict=True))
        found, _ = self.kernels.forward(dict(zip(self.keys, tensors, strict=True)), self.shape, saves=False)
        return found.output, found.states, found.recorded


class _Loop(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, call: LoopCall, *tensors: Tensor) -> tuple[Tensor, ...]:
        leaves = dict(zip(call.keys, tensors, strict=True))
        found, saved = call.kernels.forward(leaves, call.shape, saves=True)
        ctx.call = call
        ctx.saved_keys = tuple(saved.values), tuple(saved.histories)
        ctx.save_for_backward(*tensors, *saved.values.values(), *saved.histories.values())
        ctx.mark_non_differentiable(*found.recorded.values())
        ctx.set_materialize_grads(False)
        return (found.output, *found.states, *found.recorded.values())

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, d_output: Tensor | None, *d_rest: Tensor | None) -> tuple[Tensor | None, ...]:
        call: LoopCall = ctx.call
        kernels, shape = call.kernels, call.shape
        count = len(call.keys)
        tensors, rest = ctx.saved_tensors[:count], ctx.saved_tensors[count:]
        values, histories = ctx.saved_keys
        leaves = dict(zip(call.keys, tensors, strict=True))
        saved = Saved(
            dict(zip(values, rest, strict=False)), dict(zip(histories, rest[len(values) :], strict=True))
        )
        loop, like = kernels.training, tensors[0]
        arriving = {}
        for key, d in zip((OUTPUT, *loop.states), (d_output, *d_rest), strict=False):
            width = shape.width(loop.sizes.of(loop.graph.results[key]))
            rows = (shape.steps, shape.batch) if key == OUTPUT else (shape.batch,)
            arriving[cotangent_of(key)] = like.new_zeros((*rows, width)) if d is None else d
        found = kernels.backward(leaves, saved, arriving, shape)
        wanted = zip(call.keys, tensors, ctx.needs_input_grad[1:], strict=True)
        return (None, *(_gradient(found.get(key), tensor) if want else None for key, tensor, want in wanted))


def _gradient(found: Tensor | None, tensor: Tensor) -> Tensor | None:
    """Return the gradient of a tensor: the sum over rows where it was the same for all of them."""
    return None if found is None else found.sum_to_size(tensor.shape)


def run(
    program: Program,
    values: Mapping[Key, Tensor],
    sizes: Mapping[str, int],
    lengths: Lengths,
    batch: int,
) -> RunResults:
    """Run a program's loop over a sequence.

    Args:
        program: the equations.
        values: the states, what was hoisted, the parameters and draws, by key.
        sizes: every size by name.
        lengths: where rows end and start afresh.
        batch: B.
    """
    kernels = kernels_of(program)
    read = {node.key for node in (*kernels.training.leaves(), *kernels.reverse.leaves())}
    keys = tuple(key for key in values if key in read or key in kernels.training.states)
    call = LoopCall(kernels, keys, Shape(lengths, batch, sizes))
    return call.run([values[key] for key in keys])
