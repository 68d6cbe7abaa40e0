"""A cell over a sequence in fused C: forward, and backward through time."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from loopcell.backends.c.codegen.kernel import Kernel
from loopcell.backends.c.launch.forward_call import ForwardCall
from loopcell.backends.c.launch.given import Given, Where, plain
from loopcell.backends.c.launch.kept import Kept
from loopcell.backends.c.launch.kernels import Kernels, Rows
from loopcell.backends.c.launch.reverse_call import ReverseCall
from loopcell.backends.direct import are_plain, nothing_at_work
from loopcell.backends.reference.sequence import Masks, ReferenceProgram, run
from loopcell.backends.weights import Part, Weights
from loopcell.errors import TensorError


@runtime_checkable
class HasMasks(Protocol):
    """What knows lengths and resets as masks."""

    def masks(self) -> Masks:
        """Return them over [T, B]."""
        ...


class Recipe:
    """Everything about a call that is known before its tensors: made once, so that a call only looks up addresses.

    Args:
        kernels: the loops.
        reference: the same cell, for gradients of gradients.
        keys: what the tensors of a call are: "input.NAME", "state.NAME", "hoisted.NAME", "random.NAME"; after them come
            the bases of the weights.
        parts: of which parts of the bases each parameter is the sum.
        bases: tensors like the bases of the weights.
        sizes: by name.
    """

    def __init__(
        self,
        kernels: Kernels,
        reference: ReferenceProgram,
        keys: tuple[str, ...],
        parts: Mapping[str, tuple[Part, ...]],
        bases: Sequence[Tensor],
        sizes: Mapping[str, int],
    ) -> None:
        self.kernels = kernels
        self.reference = reference
        self.keys = keys
        self.parts = parts
        self.sizes = sizes
        self.state_count = len(reference.states)
        self.tensor_count = len(keys) + len(bases)
        self.watched = tuple(key.removeprefix("record.") for key in reference.recorded)
        self.inference = ForwardCall(self, kernels.forward, bases)
        self.training = ForwardCall(self, kernels.forward_and_keep, bases)
        self.reverse = ReverseCall(self, bases)

    def check_shapes(self, bases: Sequence[Tensor]) -> None:
        """Refuse weights in which a kernel would read past the end.

        Raises:
            TensorError: a tensor has not the shape that the equations need.
        """
        for name, dims in self.kernels.fused.core.parameters.items():
            shape = tuple(self.sizes[size] for size in dims)
            for part in self.parts[name]:
                base = bases[part.base]
                rows = base.shape[:1] if part.count < 0 else shape[:1]
                fits = part.count < 0 or (part.count == shape[0] and part.start + part.count <= base.shape[0])
                if not fits or (*rows, *base.shape[1:]) != shape:
                    raise TensorError(f"`{name}` must be {list(shape)}; the tensor that holds it is {list(base.shape)}")

    def width(self, kernel: Kernel, key: str) -> int:
        """Return the length of a result's vector."""
        region = next(region for region in reversed(kernel.regions) if key in region.graph.results)
        index = region.graph.results[key]
        return self.sizes[region.size(index)] if region.graph.nodes[index].dims else 1


@dataclass(slots=True, eq=False)
class Call:
    """One call, less its tensors.

    Attributes:
        recipe: what to run.
        rows: lengths and resets, as the kernels are told.
        masks: gives the same as the reference path is told.
        index: int64 [N], the place in [T * B] of every row of the kept tensors; None where it is the same.
        kept_rows: N, the steps of all rows.
        blocks: the arguments of the kernels as far as they stay the same, and for which addresses of the weights.
    """

    recipe: Recipe
    rows: Rows
    masks: HasMasks
    index: Tensor | None
    kept_rows: int
    blocks: dict[Given, tuple[list[Where], array[int]]] = field(default_factory=dict)


def run_fused(call: Call, tensors: list[Tensor]) -> tuple[Tensor, list[Tensor], dict[str, Tensor]]:
    """Run a cell over a sequence.

    Args:
        call: what to run.
        tensors: what the recipe's keys name, then the bases of the weights; the last axis of each in one piece.

    Returns:
        The output [T, B, O], the final states [B, n] in the cell's order, and what was watched [T, B, n] by name.
    """
    recipe = call.recipe
    if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors):
        output, *rest = _FusedLoop.apply(call, *tensors)  # type: ignore[no-untyped-call]
    else:
        output, *rest = recipe.inference.run(call, tensors)[0]
    count = recipe.state_count
    return output, rest[:count], dict(zip(recipe.watched, rest[count:], strict=True))


class _FusedLoop(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, call: Call, *tensors: Tensor) -> tuple[Tensor, ...]:
        results, kept = call.recipe.training.run(call, tensors, share=True)
        assert kept is not None  # this kernel keeps
        ctx.call = call
        shared = () if kept.steps is None else (kept.steps,)
        saved = (*tensors, kept.block, *shared)
        ctx.save_for_backward(*saved)
        ctx.shapes = [tensor.shape for tensor in saved]
        ctx.dtype = kept.block.dtype
        ctx.output = None if kept.steps is None else _Version(results[0])
        ctx.mark_non_differentiable(*results[1 + call.recipe.state_count :])
        ctx.set_materialize_grads(False)
        return tuple(results)

    @staticmethod
    def backward(ctx: Any, d_output: Tensor | None, *d_rest: Tensor | None) -> tuple[Tensor | None, ...]:
        call: Call = ctx.call
        count = call.recipe.tensor_count
        saved = ctx.saved_tensors
        _check_returned(saved, ctx.shapes, ctx.dtype)
        tensors, kept = saved[:count], saved[count:]
        arriving = (d_output, *d_rest[: call.recipe.state_count])
        wanted = ctx.needs_input_grad[1:]
        # Where the gradient of this gradient is wanted, or somebody looks on: the same equations as PyTorch operations.
        if torch.is_grad_enabled() or not (nothing_at_work() and are_plain(arriving) and are_plain(saved)):
            return (None, *_reference_gradients(call, tensors, arriving, wanted))
        tensors = [plain(tensor) for tensor in tensors]
        if ctx.output is not None and ctx.output.changed():
            block = _kept_again(call, tensors)
        else:
            block = Kept(call.recipe.training.layout, *[tensor.contiguous() for tensor in kept])
        return (None, *call.recipe.reverse.run(call, tensors, block, arriving, wanted))


def _check_returned(saved: Sequence[Tensor], shapes: Sequence[torch.Size], dtype: torch.dtype) -> None:
    """Refuse what hooks on saved tensors have put in their place, where a kernel would read something else in it.

    Raises:
        TensorError: a shape or dtype is not that of what was saved.
    """
    for tensor, shape in zip(saved, shapes, strict=True):
        if tensor.shape != shape or tensor.dtype != dtype:
            raise TensorError(
                f"a {dtype} tensor {list(shape)} was saved for the gradient, and a hook on saved tensors returned a "
                f"{tensor.dtype} tensor {list(tensor.shape)}; it must return what was saved"
            )


class _Version:
    """The version of an output, without keeping it in memory: whether somebody has written to it since."""

    def __init__(self, output: Tensor) -> None:
        self._counter = output.detach()  # counts versions together with the output
        self._counter.data = output.new_empty(0)
        self._seen = output._version  # noqa: SLF001 - torch has no public word for it

    def changed(self) -> bool:
        """Say whether the output has been written to."""
        return self._counter._version != self._seen  # noqa: SLF001


def _kept_again(call: Call, tensors: Sequence[Tensor]) -> Kept:
    """Run forward once more, for a caller who has written to the output in which what is kept lay (`y.relu_()`)."""
    kept = call.recipe.training.run(call, tensors)[1]
    assert kept is not None  # this kernel keeps
    return kept


def _reference_gradients(
    call: Call, tensors: Sequence[Tensor], arriving: tuple[Tensor | None, ...], wanted: Sequence[bool]
) -> list[Tensor | None]:
    recipe = call.recipe
    count = len(recipe.keys)
    leaves: dict[str, Tensor | int] = {f"size.{name}": size for name, size in recipe.sizes.items()}
    leaves |= dict(zip(recipe.keys, tensors[:count], strict=True))
    with torch.enable_grad():
        named = Weights(tuple(tensors[count:]), recipe.parts, "").named()
        leaves |= {f"parameter.{name}": value for name, value in named.items()}
        output, states, _ = run(recipe.reference, leaves, call.masks.masks())
    inputs = [tensor for tensor, needed in zip(tensors, wanted, strict=True) if needed]
    pairs = [(y, d) for y, d in zip((output, *states), arriving, strict=True) if d is not None]
    again = torch.is_grad_enabled()
    found = iter(
        torch.autograd.grad([y for y, _ in pairs], inputs, [d for _, d in pairs], create_graph=again, allow_unused=True)
    )
    return [next(found) if needed else None for needed in wanted]
