"""The one operator: a cell over a sequence as torch.compile and torch.export see it, whole.

Called outside a compiler, a cell goes straight to its kernels; inside one it is this operator: opaque, with shapes that
follow from its arguments, so that nothing is unrolled and nothing is compiled again when T or B change.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import register_flop_formula

from loopcell.backends.c import SavedForBackward
from loopcell.backends.lengths import Lengths
from loopcell.equations.keys import OUTPUT, Key
from loopcell.errors import TensorError
from loopcell.runtime.asked import demanded, refuse_fallback
from loopcell.runtime.dispatch import is_in_memory, is_traced
from loopcell.runtime.kernels import obstacle_of_backward
from loopcell.runtime.operator_spec import OperatorSpec, spec_of
from loopcell.runtime.programs import gradients_of

# Exported programs name the operators' arguments, so these keep their names: `what` is the text of a spec, and `kept`
# is what was saved for backward.


@torch.library.custom_op("loopcell::run", mutates_args=())
def run(tensors: Sequence[Tensor], lengths: Tensor | None, reset: Tensor | None, what: str, keep: bool) -> list[Tensor]:
    """Run a cell over a sequence.

    Returns:
        The output, the final states, what is recorded, and what is saved for `run_back` (empty unless `keep`).

    Raises:
        UsageError: a back end is demanded, and the program was made for another one.
    """
    spec = spec_of(what)
    spec.demand_the_same(tensors[0].device)
    leaves, weights = spec.split(tensors)
    rows = Lengths(tensors[0].shape[0], lengths, reset)
    kernels = spec.kernels(tensors[0])
    if kernels is None:
        y, states, seen = spec.run(tensors, rows)
        return _without_shared_memory([y, *states, *seen.values(), y.new_empty(0)], tensors)
    call, plain = spec.runner.prepare(kernels, leaves, weights, rows)
    # A compiler has to know the size before it knows the lengths.
    launch = replace(call.launch, saved_rows=rows.steps * tensors[0].shape[1])
    forward = call.bound.training if keep else call.bound.inference
    results, saved = forward.run(launch, plain)
    return [*results, tensors[0].new_empty(0) if saved is None else saved.block]


@run.register_fake
def _fake_run(
    tensors: Sequence[Tensor],
    lengths: Tensor | None,  # noqa: ARG001 - torch wants the operator's own signature
    reset: Tensor | None,  # noqa: ARG001
    what: str,
    keep: bool,
) -> list[Tensor]:
    spec = spec_of(what)
    like = tensors[0]
    steps, batch, _ = like.shape
    kernels = spec.kernels(like)
    graph, sizes = spec.runner.programs.reference.program.loop, spec.runner.sizes

    def width(key: Key) -> int:
        size = graph.size_of(key)
        return sizes[size] if size else 1

    saved = like.new_empty((steps * batch, kernels.saved_width(sizes))) if keep and kernels else like.new_empty(0)
    return [
        like.new_empty((steps, batch, width(OUTPUT))),
        *(like.new_empty((batch, width(key))) for key in graph.results if key.kind == "state"),
        *(like.new_empty((steps, batch, width(key))) for key in graph.results if key.kind == "record"),
        saved,
    ]


@torch.library.custom_op("loopcell::run_back", mutates_args=())
def run_back(
    tensors: Sequence[Tensor],
    lengths: Tensor | None,
    reset: Tensor | None,
    what: str,
    kept: Tensor,
    arriving: Sequence[Tensor],
    wanted: Sequence[bool],
) -> list[Tensor]:
    """Return the gradient of every tensor of `run`, zeros where none reaches it; an empty one where none is wanted."""
    spec = spec_of(what)
    leaves, weights = spec.split(tensors)
    rows = Lengths(tensors[0].shape[0], lengths, reset)
    kernels = spec.kernels(tensors[0])
    if kernels is None:  # what such a path saves has no form that a compiler could know: it runs forward once more
        found = _run_again(spec, tensors, rows, arriving, wanted)
    else:
        call, plain = spec.runner.prepare(kernels, leaves, weights, rows)
        count, width = call.launch.saved_rows, kernels.saved_width(spec.runner.sizes)
        if kept.dim() != 2 or kept.shape[0] < count or kept.shape[1] != width or not kept.is_contiguous():
            raise TensorError(f"run_back takes what run has saved, [{count}, {width}]; got {list(kept.shape)}")
        backward = call.bound.backward
        saved = SavedForBackward(backward.saved, kept[:count])
        found = backward.run(call.launch, plain, saved, arriving, wanted)
    gradients = [
        tensor.new_empty(0) if not want else torch.zeros_like(tensor) if gradient is None else gradient.contiguous()
        for tensor, gradient, want in zip(tensors, found, wanted, strict=True)
    ]
    return _without_shared_memory(gradients, (*tensors, kept, *arriving))


@run_back.register_fake
def _fake_run_back(
    tensors: Sequence[Tensor],
    lengths: Tensor | None,  # noqa: ARG001 - torch wants the operator's own signature
    reset: Tensor | None,  # noqa: ARG001
    what: str,  # noqa: ARG001
    kept: Tensor,  # noqa: ARG001
    arriving: Sequence[Tensor],  # noqa: ARG001
    wanted: Sequence[bool],
) -> list[Tensor]:
    return [
        tensor.new_empty(tensor.shape) if want else tensor.new_empty(0)
        for tensor, want in zip(tensors, wanted, strict=True)
    ]


def _run_again(
    spec: OperatorSpec, tensors: Sequence[Tensor], rows: Lengths, arriving: Sequence[Tensor], wanted: Sequence[bool]
) -> list[Tensor | None]:
    """Return the gradients on the path that ran forward, of which nothing was saved."""
    # Inside of an operator autograd is off, more than `enable_grad` turns on, and no tensor requires a gradient.
    functions = torch._C.DispatchKey.AutogradFunctionality  # noqa: SLF001
    with torch.enable_grad(), torch._C._SetExcludeDispatchKeyGuard(functions, False):  # noqa: SLF001
        inputs = [tensor.detach().requires_grad_(want) for tensor, want in zip(tensors, wanted, strict=True)]

        def results() -> list[Tensor]:
            output, states, _ = spec.run(inputs, rows)
            return [output, *states]

        return gradients_of(results, inputs, arriving, wanted, create_graph=False)


def _by_reference(
    spec: OperatorSpec, tensors: Sequence[Tensor], rows: Lengths, arriving: Sequence[Tensor], wanted: Sequence[bool]
) -> list[Tensor | None]:
    """Return the gradients by the equations as PyTorch operations; differentiable where gradients are enabled."""
    leaves, weights = spec.split(tensors)
    runner = spec.runner
    return runner.programs.reference_gradients(leaves, weights, runner.sizes, rows, arriving, wanted)


def _without_shared_memory(results: list[Tensor], arguments: Sequence[Tensor]) -> list[Tensor]:
    """Copy what shares memory with another result or with an argument: an operator may return neither."""
    taken = {tensor.untyped_storage().data_ptr() for tensor in arguments}
    apart = []
    for result in results:
        memory = result.untyped_storage().data_ptr()
        apart.append(result.clone() if memory in taken and memory else result)
        taken.add(memory)
    return apart


def _set_up(ctx: Any, inputs: tuple[Any, ...], output: list[Tensor]) -> None:
    tensors, lengths, reset, what, ctx.keep = inputs
    ctx.what, ctx.count, ctx.demanded = what, len(tensors), demanded()
    ctx.wanted = [tensor.requires_grad for tensor in tensors]
    ctx.arriving = len([key for key in spec_of(what).keys if key.kind == "state"]) + 1  # the output and the states
    ctx.shapes = [tensor.shape for tensor in output[: ctx.arriving]]
    ctx.save_for_backward(*tensors, output[-1], lengths, reset)


def _differentiate(ctx: Any, gradients: list[Tensor | None]) -> tuple[list[Tensor | None], None, None, None, None]:
    *rest, lengths, reset = ctx.saved_tensors
    tensors, kept = rest[: ctx.count], rest[ctx.count]
    arriving = [
        tensors[0].new_zeros(shape) if gradient is None else gradient
        for gradient, shape in zip(gradients, ctx.shapes, strict=False)
    ]
    if torch.is_grad_enabled() or not all(is_in_memory(gradient) or is_traced(gradient) for gradient in arriving):
        # A gradient of this gradient is wanted, or many at once (is_grads_batched).
        refuse_fallback(obstacle_of_backward(arriving), earlier=ctx.demanded)
        rows = Lengths(tensors[0].shape[0], lengths, reset)
        found = _by_reference(spec_of(ctx.what), tensors, rows, arriving, ctx.wanted)
    else:
        if not ctx.keep:  # a program that was traced without gradients
            kept = run(tensors, lengths, reset, ctx.what, keep=True)[-1]
        found = run_back(tensors, lengths, reset, ctx.what, kept, arriving, ctx.wanted)
    return (
        [gradient if want else None for gradient, want in zip(found, ctx.wanted, strict=True)],
        None,
        None,
        None,
        None,
    )


run.register_autograd(_differentiate, setup_context=_set_up)


def _one_by_one(operator: Callable[..., list[Tensor]]) -> Callable[..., tuple[list[Tensor], list[int]]]:
    """Return torch.vmap's rule for an operator: it runs once for each entry of the batch."""

    def rule(info: Any, in_dims: tuple[Any, ...], *arguments: Any) -> tuple[list[Tensor], list[int]]:
        def at(index: int, dims: Any, value: Any) -> Any:
            if isinstance(value, (list, tuple)) and isinstance(dims, (list, tuple)):
                return [at(index, dim, entry) for dim, entry in zip(dims, value, strict=True)]
            return value if dims is None else value.select(dims, index)

        runs = [
            operator(*(at(index, dims, value) for dims, value in zip(in_dims, arguments, strict=True)))
            for index in range(info.batch_size)
        ]
        return [torch.stack(results) for results in zip(*runs, strict=True)], [0] * len(runs[0])

    return rule


run.register_vmap(_one_by_one(run))
run_back.register_vmap(_one_by_one(run_back))


# torch.utils.flop_counter counts what it has a formula for, and nothing else: here the products, as elsewhere in torch.
def _products(tensors: Sequence[torch.Size], what: str) -> int:
    """Return the floating-point operations of one pass over all products with weights: 2 a multiplication."""
    runner = spec_of(what).runner
    core, sizes = runner.programs.fused.core, runner.sizes
    matrices = [math.prod(sizes[size] for size in shape) for shape in core.parameters.values() if len(shape) > 1]
    steps, batch, *_ = tensors[0]
    return 2 * steps * batch * sum(matrices)


@register_flop_formula(torch.ops.loopcell.run)
def _flops(tensors: Sequence[torch.Size], lengths: Any, reset: Any, what: str, *_: Any, **__: Any) -> int:  # noqa: ARG001
    return _products(tensors, what)


@register_flop_formula(torch.ops.loopcell.run_back)
def _flops_back(tensors: Sequence[torch.Size], lengths: Any, reset: Any, what: str, *_: Any, **__: Any) -> int:  # noqa: ARG001
    return 2 * _products(tensors, what)
