"""The one operator: a cell over a sequence as torch.compile and torch.export see it, whole.

Called outside a compiler, a cell goes straight to its kernels; inside one it is this operator: opaque, with shapes that
follow from its arguments, so that nothing is unrolled and nothing is compiled again when T or B change.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any
from weakref import WeakValueDictionary

import torch
from torch import Tensor
from torch.utils.flop_counter import register_flop_formula

from loopcell.backends.c import Kept, Kernels
from loopcell.backends.direct import is_plain, is_traced
from loopcell.backends.weights import Part, Weights, read_parts
from loopcell.equations import Cell
from loopcell.equations.serialise import graph_from_json, graph_to_json
from loopcell.errors import TensorError
from loopcell.runtime.fused import FusedCaller
from loopcell.runtime.plan import kernel_products
from loopcell.runtime.programs import Programs, watched
from loopcell.runtime.rows import Rows

Parts = Mapping[str, tuple[Part, ...]]


@dataclass(frozen=True, eq=False)
class What:
    """What the operator runs.

    Attributes:
        caller: the cell's kernels.
        keys: what the tensors are; after them come the bases of the weights.
        parts: of which parts of the bases each parameter is the sum.
        products: what numbers are rounded to before they are multiplied, where kernels can do so; None: nothing.
    """

    caller: FusedCaller
    keys: tuple[str, ...]
    parts: Parts
    products: torch.dtype | None

    def kernels(self, dtype: torch.dtype) -> Kernels | None:
        """Return the compiled loops for tensors of a dtype; None where they cannot be built."""
        return self.caller.kernels(kernel_products(self.products) or dtype)

    def split(self, tensors: Sequence[Tensor]) -> tuple[dict[str, Tensor], Weights]:
        """Return the tensors by key, and the parameters."""
        count = len(self.keys)
        return dict(zip(self.keys, tensors[:count], strict=True)), Weights(tuple(tensors[count:]), self.parts, "")


_CALLERS: WeakValueDictionary[str, FusedCaller] = WeakValueDictionary()
"""The cells of the networks that are alive; what a program names beyond these is read from its text."""


def name_of(cell: Cell, caller: FusedCaller, record: tuple[str, ...], *, training: bool) -> str:
    """Return the text by which the operator knows a cell: all of it, so that an exported program is whole."""
    told = {
        "graph": graph_to_json(cell.graph),
        "training": training,
        "record": record,
        "sizes": dict(caller.sizes),
    }
    text = json.dumps(told)
    _CALLERS.setdefault(text, caller)
    return text


def describe(caller: str, leaves: Iterable[str], parts: str, products: torch.dtype | None) -> str:
    """Return the operator's text: the cell, what the tensors are, and of which parts of them parameters are made.

    It asks for products in bfloat16, or for nothing; what a machine can do is seen where the operator runs.
    """
    return "\n".join([caller, ",".join(leaves), parts, "bfloat16" if products == torch.bfloat16 else ""])


@lru_cache(maxsize=256)
def _what(text: str) -> What:
    caller, keys, parts, products = text.split("\n")
    found = _CALLERS.get(caller) or _read(caller)
    return What(found, tuple(keys.split(",")), read_parts(parts), torch.bfloat16 if products else None)


def _read(text: str) -> FusedCaller:
    """Make ready a cell that another process has named."""
    told = json.loads(text)
    graph = graph_from_json(told["graph"])
    record = tuple(told["record"])
    programs = Programs.of(watched(graph, record) if record else graph, training=bool(told["training"]))
    return FusedCaller(programs, {str(name): int(size) for name, size in told["sizes"].items()})


@torch.library.custom_op("loopcell::run", mutates_args=(), device_types="cpu")
def run(tensors: Sequence[Tensor], lengths: Tensor | None, reset: Tensor | None, what: str, keep: bool) -> list[Tensor]:
    """Run a cell over a sequence; return the output, the states, what is watched, and what is kept for `run_back`."""
    told = _what(what)
    leaves, weights = told.split(tensors)
    rows = Rows(tensors[0].shape[0], lengths, reset)
    kernels = told.kernels(tensors[0].dtype)
    if kernels is None:
        y, states, seen = told.caller.programs.run_reference(leaves, weights, told.caller.sizes, rows)
        return _apart([y, *states, *seen.values(), y.new_empty(0)], tensors)
    call, plain = told.caller.call(kernels, leaves, weights, rows)
    # A compiler has to know the size before it knows the lengths.
    call = replace(call, kept_rows=rows.steps * tensors[0].shape[1])
    forward = call.recipe.training if keep else call.recipe.inference
    results, kept = forward.run(call, plain)
    return [*results, tensors[0].new_empty(0) if kept is None else kept.block]


@run.register_fake
def _fake_run(
    tensors: Sequence[Tensor],
    lengths: Tensor | None,  # noqa: ARG001 - torch wants the operator's own signature
    reset: Tensor | None,  # noqa: ARG001
    what: str,
    keep: bool,
) -> list[Tensor]:
    told = _what(what)
    like = tensors[0]
    steps, batch, _ = like.shape
    kernels = told.kernels(like.dtype)
    graph, sizes = told.caller.programs.reference.program.loop, told.caller.sizes

    def width(key: str) -> int:
        dims = graph.nodes[graph.results[key]].dims
        return sizes[dims[0]] if dims else 1

    kept = like.new_empty((steps * batch, kernels.kept_width(sizes))) if keep and kernels else like.new_empty(0)
    return [
        like.new_empty((steps, batch, width("output"))),
        *(like.new_empty((batch, width(key))) for key in graph.results if key.startswith("state.")),
        *(like.new_empty((steps, batch, width(key))) for key in graph.results if key.startswith("record.")),
        kept,
    ]


@torch.library.custom_op("loopcell::run_back", mutates_args=(), device_types="cpu")
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
    told = _what(what)
    leaves, weights = told.split(tensors)
    rows = Rows(tensors[0].shape[0], lengths, reset)
    kernels = told.kernels(tensors[0].dtype)
    if kernels is None:
        found = _by_reference(told, tensors, rows, arriving, wanted)
    else:
        call, plain = told.caller.call(kernels, leaves, weights, rows)
        width = kernels.kept_width(told.caller.sizes)
        if kept.dim() != 2 or kept.shape[0] < call.kept_rows or kept.shape[1] != width or not kept.is_contiguous():
            raise TensorError(f"run_back takes what run kept, [{call.kept_rows}, {width}]; got {list(kept.shape)}")
        block = Kept(call.recipe.training.layout, kept[: call.kept_rows])
        found = call.recipe.reverse.run(call, plain, block, tuple(arriving), wanted)
    given = [
        tensor.new_empty(0) if not want else torch.zeros_like(tensor) if gradient is None else gradient.contiguous()
        for tensor, gradient, want in zip(tensors, found, wanted, strict=True)
    ]
    return _apart(given, (*tensors, kept, *arriving))


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


def _by_reference(
    told: What, tensors: Sequence[Tensor], rows: Rows, arriving: Sequence[Tensor], wanted: Sequence[bool]
) -> list[Tensor | None]:
    """Return the gradients by the equations as PyTorch operations; differentiable where gradients are enabled."""
    again = torch.is_grad_enabled()
    with torch.enable_grad():
        pairs = zip(tensors, wanted, strict=True)
        leaves = list(tensors) if again else [tensor.detach().requires_grad_(want) for tensor, want in pairs]
        by_key, weights = told.split(leaves)
        y, states, _ = told.caller.programs.run_reference(by_key, weights, told.caller.sizes, rows)
    inputs = [leaf for leaf, want in zip(leaves, wanted, strict=True) if want]
    results = [y, *states]
    found = iter(torch.autograd.grad(results, inputs, list(arriving), create_graph=again, allow_unused=True))
    return [next(found) if want else None for want in wanted]


def _apart(results: list[Tensor], given: Sequence[Tensor]) -> list[Tensor]:
    """Copy what shares memory with another result or with what was given: an operator may return neither."""
    taken = {tensor.untyped_storage().data_ptr() for tensor in given}
    apart = []
    for result in results:
        memory = result.untyped_storage().data_ptr()
        apart.append(result.clone() if memory in taken and memory else result)
        taken.add(memory)
    return apart


def _set_up(ctx: Any, inputs: tuple[Any, ...], output: list[Tensor]) -> None:
    tensors, lengths, reset, what, ctx.keep = inputs
    ctx.what, ctx.count = what, len(tensors)
    ctx.wanted = [tensor.requires_grad for tensor in tensors]
    ctx.arriving = len([key for key in _what(what).keys if key.startswith("state.")]) + 1
    ctx.shapes = [tensor.shape for tensor in output[: ctx.arriving]]
    ctx.save_for_backward(*tensors, output[-1], lengths, reset)


def _differentiate(ctx: Any, gradients: list[Tensor | None]) -> tuple[list[Tensor | None], None, None, None, None]:
    *rest, lengths, reset = ctx.saved_tensors
    tensors, kept = rest[: ctx.count], rest[ctx.count]
    arriving = [
        tensors[0].new_zeros(shape) if gradient is None else gradient
        for gradient, shape in zip(gradients, ctx.shapes, strict=False)
    ]
    if torch.is_grad_enabled() or not all(is_plain(gradient) or is_traced(gradient) for gradient in arriving):
        # A gradient of this gradient is wanted, or many at once (is_grads_batched).
        rows = Rows(tensors[0].shape[0], lengths, reset)
        found = _by_reference(_what(ctx.what), tensors, rows, arriving, ctx.wanted)
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

    def rule(info: Any, in_dims: tuple[Any, ...], *given: Any) -> tuple[list[Tensor], list[int]]:
        def at(index: int, dims: Any, value: Any) -> Any:
            if isinstance(value, (list, tuple)) and isinstance(dims, (list, tuple)):
                return [at(index, dim, entry) for dim, entry in zip(dims, value, strict=True)]
            return value if dims is None else value.select(dims, index)

        runs = [
            operator(*(at(index, dims, value) for dims, value in zip(in_dims, given, strict=True)))
            for index in range(info.batch_size)
        ]
        return [torch.stack(results) for results in zip(*runs, strict=True)], [0] * len(runs[0])

    return rule


run.register_vmap(_one_by_one(run))
run_back.register_vmap(_one_by_one(run_back))


# torch.utils.flop_counter counts what it has a formula for, and nothing else: here the products, as elsewhere in torch.
def _products(tensors: Sequence[torch.Size], what: str) -> int:
    """Return the floating-point operations of one pass over all products with weights: 2 a multiplication."""
    told = _what(what)
    core, sizes = told.caller.programs.fused.core, told.caller.sizes
    matrices = [math.prod(sizes[size] for size in shape) for shape in core.parameters.values() if len(shape) > 1]
    steps, batch, *_ = tensors[0]
    return 2 * steps * batch * sum(matrices)


@register_flop_formula(torch.ops.loopcell.run)
def _flops(tensors: Sequence[torch.Size], lengths: Any, reset: Any, what: str, *_: Any, **__: Any) -> int:  # noqa: ARG001
    return _products(tensors, what)


@register_flop_formula(torch.ops.loopcell.run_back)
def _flops_back(tensors: Sequence[torch.Size], lengths: Any, reset: Any, what: str, *_: Any, **__: Any) -> int:  # noqa: ARG001
    return 2 * _products(tensors, what)
