"""Calling the reverse kernel on tensors, and the large products after it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from loopcell.backends.c.given import Given, plain
from loopcell.backends.c.gradients import Column, MatrixGradients, lay_out

if TYPE_CHECKING:
    from loopcell.backends.c.sequence import Call, Recipe


class ReverseCall(Given):
    """The reverse loop, and the large products after it.

    The cotangents of all products lie side by side in one block [N, width], in the order of the parameters, so that
    one product after the loop serves several gates; the gradients of vectors likewise, in one row a thread.
    """

    def __init__(self, recipe: Recipe, bases: Sequence[Tensor]) -> None:
        kernels = recipe.kernels
        super().__init__(recipe, kernels.reverse, bases)
        self.alias = kernels.loops.alias
        backward, results = kernels.fused.backward, kernels.loops.back.results
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
        lengths = [len(base) if base.dim() else 1 for base in bases]
        self.products = MatrixGradients(backward, recipe.parts, lengths, columns)
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
        for key, where in self.block.items():
            put(key, block, where.start, width)
        width = sum(column.count for column in self.vectors.values())
        sums = like.new_zeros((rows.threads, width))
        for key, where in self.vectors.items():
            put(key, sums, where.start, width)
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
            adjacent = all(a.start + a.count == b.start for (_, a), (_, b) in pairwise(found))
            if base not in gradients and adjacent and count == tensor.numel():
                gradients[base] = row[start : start + count].view(tensor.shape)
                continue
            if base not in gradients:
                gradients[base] = torch.zeros_like(tensor, memory_format=torch.contiguous_format)
            flat = gradients[base].view(-1)
            for place, column in found:
                flat[place : place + column.count] += row[column.start : column.start + column.count]


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
