"""A cell over a sequence in fused C: forward, and backward through time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from loopcell.backends.c.emit import ForwardKernel, Kernel
from loopcell.backends.c.gradients import Column, MatrixGradients, lay_out
from loopcell.backends.c.kernels import Kernels, Rows
from loopcell.backends.c.layout import SEQUENCE
from loopcell.backends.reference.sequence import Masks, ReferenceProgram, run
from loopcell.backends.weights import Part, Weights


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
        self.watched = tuple(key.removeprefix("record.") for key in reference.recorded)
        self.inference = _Forward(self, kernels.forward, bases)
        self.training = _Forward(self, kernels.forward_and_keep, bases)
        self.reverse = _Reverse(self, bases)

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
    """

    recipe: Recipe
    rows: Rows
    masks: HasMasks
    index: Tensor | None

    @property
    def kept_rows(self) -> int:
        """N, the steps of all rows."""
        return self.rows.steps * self.rows.batch if self.index is None else self.index.shape[0]


def run_fused(call: Call, tensors: list[Tensor]) -> tuple[Tensor, list[Tensor], dict[str, Tensor]]:
    """Run a cell over a sequence.

    Args:
        call: what to run.
        tensors: what the recipe's keys name, then the bases of the weights; the last axis of each in one piece.

    Returns:
        The output [T, B, O], the final states [B, n] in the cell's order, and what was watched [T, B, n] by name.
    """
    recipe = call.recipe
    if torch.is_grad_enabled() and any([tensor.requires_grad for tensor in tensors]):
        output, *rest = _FusedLoop.apply(call, *tensors)  # type: ignore[no-untyped-call]
    else:
        output, *rest = recipe.inference.run(call, tensors)[0]
    count = recipe.state_count
    return output, rest[:count], dict(zip(recipe.watched, rest[count:], strict=True))


class _FusedLoop(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, call: Call, *tensors: Tensor) -> tuple[Tensor, ...]:
        results, kept = call.recipe.training.run(call, tensors)
        ctx.call = call
        ctx.save_for_backward(*tensors, kept)
        ctx.mark_non_differentiable(*results[1 + call.recipe.state_count :])
        ctx.set_materialize_grads(False)
        return tuple(results)

    @staticmethod
    def backward(ctx: Any, d_output: Tensor | None, *d_rest: Tensor | None) -> tuple[Tensor | None, ...]:
        call: Call = ctx.call
        *tensors, kept = ctx.saved_tensors
        d_states = d_rest[: call.recipe.state_count]
        wanted = ctx.needs_input_grad[1:]
        if torch.is_grad_enabled():  # a gradient of this gradient is wanted: the same equations, differentiable
            return (None, *_reference_gradients(call, tensors, (d_output, *d_states), wanted))
        return (None, *call.recipe.reverse.run(call, tensors, kept, (d_output, *d_states), wanted))


class _Given:
    """Where a kernel finds what it is given: the tensors of the call, and the parameters in their bases."""

    def __init__(self, recipe: Recipe, kernel: Kernel, bases: Sequence[Tensor]) -> None:
        self.recipe = recipe
        self.kernel = kernel
        self.count = len(recipe.keys)
        self.sizes = [recipe.sizes[size] for size in kernel.sizes]
        self.walks = {slot.key: slot.walk for slot in kernel.slots}
        places = {slot.key: place for place, slot in enumerate(kernel.slots)}
        self.places = places
        self.given = [
            (places[key], place, self.walks[key] == SEQUENCE)
            for place, key in enumerate(recipe.keys)
            if key in places
        ]
        vectors = [slot.key.removeprefix("parameter.") for slot in kernel.slots if slot.key.startswith("parameter.")]
        names = [(places[f"parameter.{name}"], name) for name in vectors]
        names += [(len(kernel.slots) + place, name) for place, name in enumerate(kernel.matrices)]
        self.known: tuple[object, list[int], list[int]] | None = None
        self.single: list[tuple[int, int, int]] = []
        self.summed: dict[tuple[int, ...], list[tuple[int, int]]] = {}
        for place, name in names:
            parts = recipe.parts[name]
            bases_of = tuple(part.base for part in parts)
            if len({part.start for part in parts}) > 1 or len({bases[base].shape for base in bases_of}) > 1:
                raise NotImplementedError("the parts of a sum lie at the same place of tensors of one shape")
            if len(parts) == 1:
                self.single.append((place, parts[0].base, parts[0].start))
            else:
                self.summed.setdefault(bases_of, []).append((place, parts[0].start))

    def look_up(self, tensors: Sequence[Tensor]) -> tuple[list[int], list[int], list[Tensor]]:
        """Return addresses and strides, with zeros for what the call makes, and what must stay alive until its end."""
        bases = tensors[self.count :]
        where = [(base.data_ptr(), base.stride()) for base in bases]
        known = self.known
        if known is None or known[0] != where:
            known = self.known = (where, *self._parameters(bases))
        addresses, strides = known[1].copy(), known[2].copy()
        for place, which, is_sequence in self.given:
            tensor = tensors[which]
            addresses[place] = tensor.data_ptr()
            if is_sequence:
                strides[2 * place], strides[2 * place + 1], _ = tensor.stride()
            elif tensor.dim() == 2:
                strides[2 * place + 1] = tensor.stride(0)
        alive = []
        for which_ones, places in self.summed.items():
            total = bases[which_ones[0]].detach()
            for which in which_ones[1:]:
                total = total + bases[which].detach()
            alive.append(total)
            start, leading = total.data_ptr(), total.stride(0) if total.dim() else 0
            for place, first in places:
                addresses[place] = start + first * leading * total.element_size()
                strides[2 * place] = leading
        return addresses, strides, alive

    def _parameters(self, bases: Sequence[Tensor]) -> tuple[list[int], list[int]]:
        """Return addresses and strides of the parameters that lie in one base; the same until a base moves."""
        addresses = [0] * (len(self.kernel.slots) + len(self.kernel.matrices))
        strides = [0] * (2 * len(addresses))
        for place, which, first in self.single:
            base = bases[which]
            leading = base.stride(0) if base.dim() else 0
            addresses[place] = base.data_ptr() + first * leading * base.element_size()
            strides[2 * place] = leading
        return addresses, strides


class _Forward(_Given):
    """The forward loop; with what the reverse loop needs kept, if the kernel keeps it.

    What is kept lies side by side in one block [N, width].
    """

    def __init__(self, recipe: Recipe, kernel: ForwardKernel, bases: Sequence[Tensor]) -> None:
        super().__init__(recipe, kernel, bases)
        graph = kernel.loop.graph
        shown = ["output", *(key for key in graph.results if key.startswith("record."))]
        self.shown = [(self.places[f"={key}"], recipe.width(kernel, key)) for key in shown]
        self.states = [
            (self.places[f"={key}"], recipe.width(kernel, key)) for key in recipe.reference.states
        ]
        saved = [key for key in graph.results if key.startswith("saved.")]
        states = [f"state.{state}" for state in kernel.states if state in kernel.kept_states]
        self.columns = lay_out([*saved, *states], lambda key: recipe.width(kernel, key))
        self.kept_width = sum(column.count for column in self.columns.values())
        slots = [f"={key}" for key in saved] + [f"before.{state.removeprefix('state.')}" for state in states]
        self.kept = [(self.places[s], c.start) for s, c in zip(slots, self.columns.values(), strict=True)]

    def run(self, call: Call, tensors: Sequence[Tensor]) -> tuple[list[Tensor], Tensor]:
        """Return the output, the final states and what is watched, and the block of what is kept."""
        rows, like = call.rows, tensors[0]
        addresses, strides, alive = self.look_up(tensors)
        made = []
        for place, width in self.shown:
            shape = (rows.steps, rows.batch, width)
            tensor = like.new_empty(shape) if rows.order is None else like.new_zeros(shape)
            addresses[place] = tensor.data_ptr()
            strides[2 * place], strides[2 * place + 1] = rows.batch * width, width
            made.append(tensor)
        states = []
        for place, width in self.states:
            tensor = like.new_empty((rows.batch, width))
            addresses[place], strides[2 * place + 1] = tensor.data_ptr(), width
            states.append(tensor)
        kept = like.new_empty((call.kept_rows, self.kept_width)) if self.kept_width else like.new_empty(0)
        start, size = kept.data_ptr(), kept.element_size()
        for place, column in self.kept:
            addresses[place], strides[2 * place + 1] = start + column * size, self.kept_width
        self.recipe.kernels.call(self.kernel, addresses, strides, self.sizes, rows)
        del alive
        return [made[0], *states, *made[1:]], kept


class _Reverse(_Given):
    """The reverse loop, and the large products after it.

    The cotangents of all products lie side by side in one block [N, width], in the order of the parameters, so that
    one product after the loop serves several gates; the gradients of vectors likewise, in one row a thread.
    """

    def __init__(self, recipe: Recipe, bases: Sequence[Tensor]) -> None:
        kernels = recipe.kernels
        super().__init__(recipe, kernels.reverse, bases)
        self.alias = kernels.alias
        backward, results = kernels.fused.backward, kernels.back.results
        order = {name: place for place, name in enumerate(recipe.parts)}

        def width(key: str) -> int:
            return recipe.width(kernels.reverse, key)

        outer = sorted(backward.outer, key=lambda product: order[product.parameter])
        keys = dict.fromkeys(self.alias.get(product.cotangent, product.cotangent) for product in outer)
        self.block = lay_out([key for key in keys if key.startswith("product.")], width)
        vectors = sorted(kernels.reverse.added, key=lambda key: order[key.removeprefix("parameter.")])
        self.vectors = lay_out(vectors, width)
        self.others = {
            key: width(key)
            for key in results
            if key not in self.block and key.startswith(("operand.", "input.", "product."))
        }
        self.rows = {key: width(key) for key in results if key.startswith(("state.", "hoisted."))}
        columns = self.block | {key: self.block[other] for key, other in self.alias.items() if other in self.block}
        self.products = MatrixGradients(backward, recipe.parts, [len(base) if base.dim() else 1 for base in bases], columns)
        self.output_width = recipe.width(kernels.forward_and_keep, "output")
        self.kept = [
            (self.places[key], column.start) for key, column in recipe.training.columns.items() if key in self.places
        ]

    def run(
        self,
        call: Call,
        tensors: Sequence[Tensor],
        kept: Tensor,
        arriving: tuple[Tensor | None, ...],
        wanted: Sequence[bool],
    ) -> list[Tensor | None]:
        """Return the gradient of every tensor of the call, in order."""
        rows, like = call.rows, tensors[0]
        addresses, strides, alive = self.look_up(tensors)
        alive += self._arrive(call, arriving, like, addresses, strides)

        def put(key: str, tensor: Tensor, column: int, width: int) -> None:
            place = self.places[f"={key}"]
            addresses[place] = tensor.data_ptr() + column * tensor.element_size()
            strides[2 * place + 1] = width

        for place, column in self.kept:
            addresses[place] = kept.data_ptr() + column * kept.element_size()
            strides[2 * place + 1] = kept.shape[1]
        width = sum(column.count for column in self.block.values())
        block = like.new_empty((call.kept_rows, width))
        for key, column in self.block.items():
            put(key, block, column.start, width)
        width = sum(column.count for column in self.vectors.values())
        sums = like.new_zeros((rows.threads, width))
        for key, column in self.vectors.items():
            put(key, sums, column.start, width)
        others = {key: like.new_empty((call.kept_rows, width)) for key, width in self.others.items()}
        by_row = {
            key: (like.new_empty if key.startswith("state.") else like.new_zeros)((rows.batch, width))
            for key, width in self.rows.items()
        }
        for key, tensor in (*others.items(), *by_row.items()):
            put(key, tensor, 0, tensor.shape[1])
        self.recipe.kernels.call(self.kernel, addresses, strides, self.sizes, rows)
        del alive
        others |= {key: others[other] for key, other in self.alias.items() if other in others}
        done = _Done(call, tensors, kept, block, sums, others, by_row)
        return self._collected(done, wanted)

    def _arrive(
        self,
        call: Call,
        arriving: tuple[Tensor | None, ...],
        like: Tensor,
        addresses: list[int],
        strides: list[int],
    ) -> list[Tensor]:
        """Enter the gradients that arrive; return what must stay alive."""
        rows = call.rows
        d_output, *d_states = arriving
        alive = []
        place = self.places.get("cotangent.output")
        if place is not None:
            if d_output is None:
                row = like.new_zeros(self.output_width)
                alive.append(row)
                addresses[place] = row.data_ptr()
            elif d_output.numel() and not d_output.stride(0) and not d_output.stride(1):
                row = d_output[0, 0].contiguous()  # one row for all: the gradient of a sum
                alive.append(row)
                addresses[place] = row.data_ptr()
            else:
                d_output = plain(d_output)
                alive.append(d_output)
                addresses[place] = d_output.data_ptr()
                strides[2 * place], strides[2 * place + 1], _ = d_output.stride()
        for key, d_state in zip(self.recipe.reference.states, d_states, strict=True):
            place = self.places[f"cotangent.{key}"]
            arrived = like.new_zeros((rows.batch, self.rows[key])) if d_state is None else plain(d_state)
            alive.append(arrived)
            addresses[place], strides[2 * place + 1] = arrived.data_ptr(), arrived.stride(0)
        return alive

    def _collected(self, done: _Done, wanted: Sequence[bool]) -> list[Tensor | None]:
        keys = self.recipe.keys
        bases = done.tensors[self.count :]
        gradients = self.products.of_matrices(
            done.block, lambda key: self._operand(key, done), bases, wanted[self.count :]
        )
        self._add_vectors(gradients, bases, done.sums)
        found: list[Tensor | None] = []
        for place, key in enumerate(keys):
            tensor = done.tensors[place]
            if not wanted[place]:
                found.append(None)
            elif key.startswith("input."):
                found.append(done.spread(self.products.of_input(done.block, done.others.get(key), bases), tensor))
            else:
                gradient = done.by_row.get(key)
                found.append(None if gradient is None else gradient.sum_to_size(tensor.shape))
        needed = wanted[self.count :]
        return found + [gradients.get(base) if need else None for base, need in enumerate(needed)]

    def _operand(self, key: str, done: _Done) -> Tensor:
        """Return [N, n]: what a matrix was multiplied with, by step."""
        column = self.recipe.training.columns.get(key)
        if column is not None:
            return done.kept[:, column.start : column.start + column.count]
        if key in self.recipe.keys:
            return done.gathered(done.tensors[self.recipe.keys.index(key)])
        return done.others[key]

    def _add_vectors(self, gradients: dict[int, Tensor], bases: Sequence[Tensor], sums: Tensor) -> None:
        """Add the gradients of vectors to those of the bases in which they lie."""
        row = sums[0] if sums.shape[0] == 1 else sums.sum(0)
        pieces: dict[int, list[tuple[int, Column]]] = {}
        for key, column in self.vectors.items():
            for part in self.recipe.parts[key.removeprefix("parameter.")]:
                pieces.setdefault(part.base, []).append((part.start, column))
        for base, found in pieces.items():
            tensor = bases[base]
            found.sort(key=lambda piece: piece[0])
            start, count = found[0][1].start, sum(column.count for _, column in found)
            adjacent = all(a.start + a.count == b.start for (_, a), (_, b) in zip(found, found[1:], strict=False))
            if base not in gradients and adjacent and count == tensor.numel():
                gradients[base] = row[start : start + count].view(tensor.shape)
                continue
            if base not in gradients:
                gradients[base] = torch.zeros_like(tensor, memory_format=torch.contiguous_format)
            for place, column in found:
                gradients[base].view(-1)[place : place + column.count] += row[column.start : column.start + column.count]


@dataclass(frozen=True, eq=False)
class _Done:
    """What a reverse loop left, and what it was given."""

    call: Call
    tensors: Sequence[Tensor]
    kept: Tensor
    block: Tensor
    sums: Tensor
    others: dict[str, Tensor]
    by_row: dict[str, Tensor]

    def gathered(self, tensor: Tensor) -> Tensor:
        """Return [N, n] of a tensor [T, B, n], or of one that holds for all steps."""
        steps, batch = self.call.rows.steps, self.call.rows.batch
        flat = tensor.expand(steps, batch, tensor.shape[-1]).reshape(steps * batch, tensor.shape[-1])
        return flat if self.call.index is None else flat.index_select(0, self.call.index)

    def spread(self, gradient: Tensor | None, like: Tensor) -> Tensor | None:
        """Return [T, B, n] of [N, n]: zeros past a row's end."""
        if gradient is None or self.call.index is None:
            return None if gradient is None else gradient.view(like.shape)
        flat = gradient.new_zeros((like.shape[0] * like.shape[1], like.shape[2]))
        return flat.index_copy_(0, self.call.index, gradient).view(like.shape)


def _reference_gradients(
    call: Call, tensors: Sequence[Tensor], arriving: tuple[Tensor | None, ...], wanted: Sequence[bool]
) -> list[Tensor | None]:
    recipe = call.recipe
    count = len(recipe.keys)
    named = Weights(tuple(tensors[count:]), recipe.parts).named()
    leaves: dict[str, Tensor | int] = {f"size.{name}": size for name, size in recipe.sizes.items()}
    leaves |= dict(zip(recipe.keys, tensors[:count], strict=True))
    leaves |= {f"parameter.{name}": value for name, value in named.items()}
    with torch.enable_grad():
        output, states, _ = run(recipe.reference, leaves, call.masks.masks())
    inputs = [tensor for tensor, needed in zip(tensors, wanted, strict=True) if needed]
    pairs = [(y, d) for y, d in zip((output, *states), arriving, strict=True) if d is not None]
    found = iter(
        torch.autograd.grad([y for y, _ in pairs], inputs, [d for _, d in pairs], create_graph=True, allow_unused=True)
    )
    return [next(found) if needed else None for needed in wanted]


def plain(tensor: Tensor) -> Tensor:
    """Return a tensor whose last axis is in one piece, as the kernels read it."""
    return tensor if tensor.dim() == 0 or tensor.stride(-1) == 1 or tensor.shape[-1] <= 1 else tensor.contiguous()
