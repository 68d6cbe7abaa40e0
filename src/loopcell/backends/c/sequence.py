"""A cell over a sequence in fused C: forward, and backward through time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from loopcell.backends.c.gradients import Column, MatrixGradients, lay_out
from loopcell.backends.c.kernels import Address, Kernels, Rows
from loopcell.backends.reference.sequence import Masks, ReferenceProgram, run
from loopcell.backends.weights import Weights


class HasMasks(Protocol):
    """What knows lengths and resets as masks."""

    def masks(self) -> Masks: ...


@dataclass(frozen=True, eq=False)
class Call:
    """One call, less the tensors that autograd has to see.

    Attributes:
        kernels: the loops.
        reference: the same cell, for gradients of gradients.
        keys: what the tensors are: "input.NAME", then "state.NAME", "hoisted.NAME", "random.NAME", then the bases of
            the weights as "base.N".
        parts: of which parts of the bases each parameter is the sum.
        sizes: by name.
        rows: lengths and resets, as the kernels are told.
        masks: gives the same as the reference path is told.
        index: int64 [N], the place in [T * B] of every row of the kept tensors; None where it is the same.
    """

    kernels: Kernels
    reference: ReferenceProgram
    keys: tuple[str, ...]
    parts: Mapping[str, Any]
    sizes: dict[str, int]
    rows: Rows
    masks: HasMasks
    index: Tensor | None

    def leaves(self, tensors: Any) -> dict[str, Tensor]:
        """Return the tensors by key, the bases left out."""
        return {key: tensor for key, tensor in zip(self.keys, tensors, strict=True) if not key.startswith("base.")}

    def weights(self, tensors: Any) -> Weights:
        """Return the parameters."""
        bases = tuple(t for key, t in zip(self.keys, tensors, strict=True) if key.startswith("base."))
        return Weights(bases, self.parts)

    @property
    def kept_rows(self) -> int:
        """N, the steps of all rows."""
        return self.rows.steps * self.rows.batch if self.index is None else self.index.shape[0]


def run_fused(call: Call, tensors: list[Tensor]) -> tuple[Tensor, list[Tensor], dict[str, Tensor]]:
    """Run a cell over a sequence.

    Args:
        call: what to run.
        tensors: what `call.keys` names; the last axis of each in one piece.

    Returns:
        The output [T, B, O], the final states [B, n] in the cell's order, and what was watched [T, B, n] by name.
    """
    count = len(call.reference.states)
    if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors):
        output, *rest = _FusedLoop.apply(call, *tensors)  # type: ignore[no-untyped-call]
        names = (key.removeprefix("record.") for key in call.reference.recorded)
        return output, list(rest[:count]), dict(zip(names, rest[count:], strict=True))
    ran = _forward(call, tensors, keep=False)
    return ran.output, ran.final, ran.recorded


@dataclass(frozen=True)
class _Ran:
    """What a forward run left: the output, the last states, what was watched, what was kept."""

    output: Tensor
    final: list[Tensor]
    recorded: dict[str, Tensor]
    kept: dict[str, Tensor]


class _FusedLoop(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, call: Call, *tensors: Tensor) -> tuple[Tensor, ...]:
        ran = _forward(call, tensors, keep=True)
        ctx.call = call
        ctx.names = tuple(ran.kept)
        ctx.save_for_backward(*tensors, *ran.kept.values())
        recorded = tuple(ran.recorded.values())
        ctx.mark_non_differentiable(*recorded)
        ctx.set_materialize_grads(False)
        return (ran.output, *ran.final, *recorded)

    @staticmethod
    def backward(ctx: Any, d_output: Tensor | None, *d_rest: Tensor | None) -> tuple[Tensor | None, ...]:
        call: Call = ctx.call
        count = len(call.keys)
        tensors, kept = ctx.saved_tensors[:count], ctx.saved_tensors[count:]
        d_states = d_rest[: len(call.reference.states)]
        if torch.is_grad_enabled():  # a gradient of this gradient is wanted: the same equations, differentiable
            return (None, *_reference_gradients(call, tensors, (d_output, *d_states), ctx.needs_input_grad[1:]))
        reverse = _Reverse(call, tensors, dict(zip(ctx.names, kept, strict=True)))
        return (None, *reverse.run(d_output, d_states, ctx.needs_input_grad[1:]))


def _forward(call: Call, tensors: Any, *, keep: bool) -> _Ran:
    kernels, rows = call.kernels, call.rows
    kernel = kernels.forward_and_keep if keep else kernels.forward
    leaves, weights = call.leaves(tensors), call.weights(tensors)
    like = leaves[call.keys[0]]
    padded = like.new_zeros if rows.order is not None else like.new_empty
    graph = kernel.loop.graph
    output, kept, final = like.new_empty(0), {}, []
    recorded: dict[str, Tensor] = {}
    places: dict[str, Address] = {key: _sequence(t) if t.dim() == 3 else _row(t) for key, t in leaves.items()}
    for key, index in graph.results.items():
        width = call.sizes[kernel.loop.size(index)] if graph.nodes[index].dims else 1
        kind, _, name = key.partition(".")
        if kind == "state":
            made = like.new_empty(rows.batch, width)
            final.append(made)
            places[f"={key}"] = (made.data_ptr(), 0, width)
        elif kind == "saved":
            made = kept[key] = like.new_empty(call.kept_rows, width)
            places[f"={key}"] = (made.data_ptr(), 0, width)
        else:
            made = padded(rows.steps, rows.batch, width)
            places[f"={key}"] = (made.data_ptr(), rows.batch * width, width)
            if kind == "record":
                recorded[name] = made
            else:
                output = made
    if keep:
        for state in call.kernels.fused.core.states:
            if state in kernels.kept_states:
                made = kept[f"state.{state}"] = like.new_empty(call.kept_rows, leaves[f"state.{state}"].shape[-1])
                places[f"before.{state}"] = (made.data_ptr(), 0, made.shape[-1])
    vectors, matrices, alive = _parameters(weights, kernel.matrices, places)
    kernels.call(kernel, vectors, matrices, call.sizes, rows)
    del alive
    return _Ran(output, final, recorded, kept)


def _parameters(
    weights: Weights, matrices: tuple[str, ...], places: dict[str, Address]
) -> tuple[dict[str, Address], dict[str, tuple[int, int]], list[Tensor]]:
    """Add the addresses of the vectors to `places`; return it, those of the matrices, and what must stay alive."""
    alive: list[Tensor] = []
    sums: dict[tuple[int, ...], Tensor] = {}
    found: dict[str, tuple[int, int]] = {}
    for name, parts in weights.parts.items():
        part = parts[0]
        base = weights.bases[part.base]
        if len(parts) > 1:
            which = tuple(other.base for other in parts)
            if len({other.start for other in parts}) == 1 and len({weights.bases[i].shape for i in which}) == 1:
                if which not in sums:
                    sums[which] = torch.stack([weights.bases[i].detach() for i in which]).sum(0) if len(which) > 2 else (
                        weights.bases[which[0]].detach() + weights.bases[which[1]].detach()
                    )
                base = sums[which]
            else:
                base, part = Weights(tuple(b.detach() for b in weights.bases), {name: parts}).named()[name], None
                alive.append(base)
        start = 0 if part is None else part.start
        leading = base.stride(0) if base.dim() > 1 else 1
        address = base.data_ptr() + start * leading * base.element_size()
        found[name] = (address, leading)
        places[f"parameter.{name}"] = (address, 0, 0)
    alive.extend(sums.values())
    return places, found, alive


class _Reverse:
    """The reverse loop of one call."""

    def __init__(self, call: Call, tensors: tuple[Tensor, ...], kept: dict[str, Tensor]) -> None:
        self.call = call
        self.kernels = call.kernels
        self.tensors = tensors
        self.leaves = call.leaves(tensors)
        self.weights = call.weights(tensors)
        self.kept = kept
        self.like = tensors[0]
        self.batch = call.rows.batch
        self.region = call.kernels.reverse.region
        self.places: dict[str, Address] = {}

    def run(
        self, d_output: Tensor | None, d_states: tuple[Tensor | None, ...], wanted: tuple[bool, ...]
    ) -> list[Tensor | None]:
        """Return the gradient of every tensor of the call, in order."""
        alive = self._arriving(d_output, d_states)
        keys = self._block_keys()
        columns = lay_out(keys, lambda key: self._width(key))
        width = sum(column.count for column in columns.values())
        block = self.like.new_empty(self.call.kept_rows, width)
        for key, column in columns.items():
            self.places[f"={key}"] = (block.data_ptr() + column.start * block.element_size(), 0, width)
        others = self._others(columns)
        sums, sum_columns = self._sums()
        states = self._states()
        for key, tensor in self.leaves.items():
            if not key.startswith("state."):
                self.places[key] = _sequence(tensor) if tensor.dim() == 3 else _row(tensor)
        self.places |= {key: (tensor.data_ptr(), 0, tensor.shape[-1]) for key, tensor in self.kept.items()}
        vectors, matrices, parameters = _parameters(self.weights, self.kernels.reverse.matrices, self.places)
        self.kernels.call(self.kernels.reverse, vectors, matrices, self.call.sizes, self.call.rows)
        del alive, parameters
        columns |= {key: columns[other] for key, other in self.kernels.alias.items() if other in columns}
        others |= {key: others[other] for key, other in self.kernels.alias.items() if other in others}
        return self._collected(block, columns, others, (sums, sum_columns), states, wanted)

    # -- what the kernel is given ------------------------------------------------------------------------

    def _arriving(self, d_output: Tensor | None, d_states: tuple[Tensor | None, ...]) -> list[Tensor]:
        """Name the gradients that arrive; return what must stay alive."""
        width = self._cotangent_width()
        alive = []
        if d_output is None:
            d_output = self.like.new_zeros(width).expand(self.call.rows.steps, self.batch, width)
        if d_output.numel() and d_output.stride(0) == 0 and d_output.stride(1) == 0:  # one row for all: of a sum
            d_output = d_output[0, 0].contiguous().expand(d_output.shape)
        d_output = plain(d_output)
        alive.append(d_output)
        self.places["cotangent.output"] = _sequence(d_output)
        for key, d_state in zip(self.call.reference.states, d_states, strict=True):
            arrived = self.like.new_zeros(self.leaves[key].shape) if d_state is None else plain(d_state)
            alive.append(arrived)
            self.places[f"cotangent.{key}"] = _row(arrived)
        return alive

    def _cotangent_width(self) -> int:
        graph = self.kernels.forward_and_keep.loop.graph
        return self.call.sizes[self.kernels.forward_and_keep.loop.size(graph.results["output"])]

    def _width(self, key: str) -> int:
        index = self.region.graph.results[key]
        return self.call.sizes[self.region.size(index)] if self.region.graph.nodes[index].dims else 1

    def _block_keys(self) -> list[str]:
        """Return the cotangents in the order of the parameters, so that one product can do several of them."""
        order = {name: place for place, name in enumerate(self.weights.parts)}
        outer = sorted(self.kernels.fused.backward.outer, key=lambda product: order[product.parameter])
        stored = (self.kernels.alias.get(product.cotangent, product.cotangent) for product in outer)
        return [key for key in dict.fromkeys(stored) if key.startswith("product.")]

    def _others(self, columns: dict[str, Column]) -> dict[str, Tensor]:
        """Make room for everything else that the loop gives by step: operands, and what reaches the input."""
        made = {}
        for key in self.region.graph.results:
            if key not in columns and key.startswith(("operand.", "input.", "product.")):
                made[key] = self.like.new_empty(self.call.kept_rows, self._width(key))
                self.places[f"={key}"] = (made[key].data_ptr(), 0, made[key].shape[-1])
        return made

    def _sums(self) -> tuple[Tensor, dict[str, Column]]:
        order = {f"parameter.{name}": place for place, name in enumerate(self.weights.parts)}
        keys = sorted(self.kernels.reverse.added, key=lambda key: order[key])
        columns = lay_out(keys, self._width)
        width = sum(column.count for column in columns.values())
        sums = self.like.new_zeros(self.call.rows.threads, width)
        for key, column in columns.items():
            self.places[f"={key}"] = (sums.data_ptr() + column.start * sums.element_size(), 0, width)
        return sums, columns

    def _states(self) -> dict[str, Tensor]:
        made = {}
        for key in self.region.graph.results:
            if key.startswith(("state.", "hoisted.")):
                new = self.like.new_empty if key.startswith("state.") else self.like.new_zeros
                made[key] = new(self.batch, self._width(key))
                self.places[f"={key}"] = _row(made[key])
        return made

    # -- what becomes of it -------------------------------------------------------------------------------

    def _collected(
        self,
        block: Tensor,
        columns: dict[str, Column],
        others: dict[str, Tensor],
        sums: tuple[Tensor, dict[str, Column]],
        states: dict[str, Tensor],
        wanted: tuple[bool, ...],
    ) -> list[Tensor | None]:
        first_base = next((i for i, key in enumerate(self.call.keys) if key.startswith("base.")), len(self.call.keys))
        products = MatrixGradients(self.kernels.fused.backward, self.weights, columns)
        bases = products.of_matrices(block, lambda key: self._operand(key, others), lambda b: wanted[first_base + b])
        self._add_vectors(bases, *sums)
        found: list[Tensor | None] = []
        for place, (key, tensor) in enumerate(zip(self.call.keys, self.tensors, strict=True)):
            if not wanted[place]:
                found.append(None)
            elif key.startswith("input."):
                start = others.get(key)
                found.append(self._spread(products.of_input(block, None if start is None else start), tensor))
            elif key.startswith("base."):
                found.append(bases.get(place - first_base))
            else:
                gradient = states.get(key)
                found.append(None if gradient is None else gradient.sum_to_size(tensor.shape))
        return found

    def _operand(self, key: str, others: dict[str, Tensor]) -> Tensor:
        """Return [N, n]: what a matrix was multiplied with, by step."""
        if key in self.kept:
            return self.kept[key]
        return self._gathered(self.leaves[key]) if key in self.leaves else others[key]

    def _gathered(self, tensor: Tensor) -> Tensor:
        """Return [N, n] of a tensor [T, B, n], or of one that holds for all steps."""
        steps, batch = self.call.rows.steps, self.batch
        flat = tensor.expand(steps, batch, tensor.shape[-1]).reshape(steps * batch, tensor.shape[-1])
        return flat if self.call.index is None else flat.index_select(0, self.call.index)

    def _spread(self, gradient: Tensor | None, like: Tensor) -> Tensor | None:
        """Return [T, B, n] of [N, n]: zeros past a row's end."""
        if gradient is None or self.call.index is None:
            return None if gradient is None else gradient.view(like.shape)
        flat = gradient.new_zeros(like.shape[0] * like.shape[1], like.shape[2])
        return flat.index_copy_(0, self.call.index, gradient).view(like.shape)

    def _add_vectors(self, bases: dict[int, Tensor], sums: Tensor, columns: dict[str, Column]) -> None:
        """Add the gradients of vectors to those of the bases in which they lie."""
        if not columns:
            return
        row = sums[0] if sums.shape[0] == 1 else sums.sum(0)
        pieces: dict[int, list[tuple[int, Column]]] = {}
        for key, column in columns.items():
            for part in self.weights.parts[key.removeprefix("parameter.")]:
                pieces.setdefault(part.base, []).append((part.start, column))
        for base, found in pieces.items():
            tensor = self.weights.bases[base]
            found.sort(key=lambda piece: piece[0])
            start, count = found[0][1].start, sum(column.count for _, column in found)
            adjacent = all(a.start + a.count == b.start for (_, a), (_, b) in zip(found, found[1:], strict=False))
            if base not in bases and adjacent and count == tensor.numel():
                bases[base] = row[start : start + count].view(tensor.shape)
                continue
            gradient = bases.setdefault(base, torch.zeros_like(tensor, memory_format=torch.contiguous_format))
            for place, column in found:
                gradient.view(-1)[place : place + column.count] += row[column.start : column.start + column.count]


def _reference_gradients(
    call: Call, tensors: tuple[Tensor, ...], arriving: tuple[Tensor | None, ...], wanted: tuple[bool, ...]
) -> list[Tensor | None]:
    named = {f"parameter.{name}": value for name, value in call.weights(tensors).named().items()}
    sizes = {f"size.{name}": size for name, size in call.sizes.items()}
    with torch.enable_grad():
        output, states, _ = run(call.reference, {**sizes, **call.leaves(tensors), **named}, call.masks.masks())
    inputs = [tensor for tensor, needed in zip(tensors, wanted, strict=True) if needed]
    pairs = [(y, d) for y, d in zip((output, *states), arriving, strict=True) if d is not None]
    found = iter(
        torch.autograd.grad([y for y, _ in pairs], inputs, [d for _, d in pairs], create_graph=True, allow_unused=True)
    )
    return [next(found) if needed else None for needed in wanted]


def _sequence(tensor: Tensor) -> Address:
    """Address a tensor [T, B, n]; an axis of length 1 may have any stride."""
    return tensor.data_ptr(), tensor.stride(0) * (tensor.shape[0] > 1), tensor.stride(1) * (tensor.shape[1] > 1)


def _row(tensor: Tensor) -> Address:
    """Address a tensor [B, n], or [n] for all rows."""
    return tensor.data_ptr(), 0, tensor.stride(0) * (tensor.shape[0] > 1) if tensor.dim() == 2 else 0


def plain(tensor: Tensor) -> Tensor:
    """Return a tensor whose last axis is in one piece, as the kernels read it."""
    return tensor if tensor.dim() == 0 or tensor.stride(-1) == 1 or tensor.shape[-1] <= 1 else tensor.contiguous()
