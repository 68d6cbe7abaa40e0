"""Calling the reverse kernel on tensors, and the large products after it."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from loopcell.backends.c.launch.given import Given, plain
from loopcell.backends.c.launch.gradients import Column, MatrixGradients, lay_out
from loopcell.backends.c.launch.kept import Kept
from loopcell.backends.c.launch.kernels import START
from loopcell.backends.c.launch.memory import empty

if TYPE_CHECKING:
    from loopcell.backends.c.launch.kernels import Rows
    from loopcell.backends.c.launch.sequence import Call, Recipe


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
        self.products = MatrixGradients(backward, recipe.parts, lengths, columns, kernels)
        self.states = [recipe.keys.index(key) for key in recipe.reference.states]
        self.arriving_states = [(self.places[f"cotangent.{key}"], self.rows[key]) for key in recipe.reference.states]
        self.block_width = sum(column.count for column in self.block.values())
        self.vectors_width = sum(column.count for column in self.vectors.values())
        self.vector_pieces = self._vector_pieces(bases)
        self.zeros: dict[int, Tensor] = {}
        self.output_width = recipe.width(kernels.forward_and_keep, "output")
        self.kept = [(self.places[key], key) for key in recipe.training.layout.columns if key in self.places]

    def run(
        self,
        call: Call,
        tensors: Sequence[Tensor],
        kept: Kept,
        arriving: tuple[Tensor | None, ...],
        wanted: Sequence[bool],
    ) -> list[Tensor | None]:
        """Return the gradient of every tensor of the call, in order."""
        rows, like = call.rows, tensors[0]
        block, alive = self.begin(call, tensors)
        start = block[START] = any(wanted[place] for place in self.states)
        alive += self._arrive(rows, arriving, like, block)
        for place, key in self.kept:
            self.put(block, place, *kept.place(key))
        cotangents = empty(like, (call.kept_rows, self.block_width))
        self._put_columns(block, self.block, cotangents)
        sums = like.new_zeros((rows.threads, self.vectors_width))
        self._put_columns(block, self.vectors, sums)
        others = {key: empty(like, (call.kept_rows, width)) for key, width in self.others.items()}
        by_row = {
            key: (like.new_empty if key.startswith("state.") else like.new_zeros)((rows.batch, width))
            for key, width in self.rows.items()
            if start or not key.startswith("state.")
        }
        for key, tensor in (*others.items(), *by_row.items()):
            self.put(block, self.places[f"={key}"], tensor.data_ptr(), tensor.shape[1])
        self.recipe.kernels.call(self.kernel, block)
        del alive
        others |= {key: others[other] for key, other in self.alias.items() if other in others}
        done = _Done(call, tensors, kept, cotangents, sums, others, by_row)
        return self._collected(done, wanted)

    def _put_columns(self, block: array[int], columns: Mapping[str, Column], tensor: Tensor) -> None:
        """Enter what lies side by side in one tensor."""
        start, size, width = tensor.data_ptr(), tensor.element_size(), tensor.shape[1]
        for key, column in columns.items():
            self.put(block, self.places[f"={key}"], start + column.start * size, width)

    def _arrive(self, rows: Rows, arriving: tuple[Tensor | None, ...], like: Tensor, block: array[int]) -> list[Tensor]:
        """Enter the gradients that arrive; return what must stay alive."""
        d_output, *d_states = arriving
        alive = []
        place = self.places.get("cotangent.output")
        if place is not None:
            if d_output is None:
                d_output = self._zeros(like, self.output_width)
                self.put(block, place, d_output.data_ptr(), 0)
            elif rows.steps * rows.batch > 1 and not d_output.stride(0) and not d_output.stride(1):
                d_output = d_output[0, 0].contiguous()  # one row for all: the gradient of a sum
                self.put(block, place, d_output.data_ptr(), 0)
            else:
                d_output = plain(d_output)
                block[self.strides + 2 * place], leading, _ = d_output.stride()
                self.put(block, place, d_output.data_ptr(), leading)
            alive.append(d_output)
        for (place, width), d_state in zip(self.arriving_states, d_states, strict=True):
            if d_state is None:
                self.put(block, place, self._zeros(like, width).data_ptr(), 0)
                continue
            arrived = plain(d_state)
            alive.append(arrived)
            self.put(block, place, arrived.data_ptr(), arrived.stride(0))
        return alive

    def _zeros(self, like: Tensor, width: int) -> Tensor:
        """Return a row of zeros, one for all that read it: nobody writes it."""
        row = self.zeros.get(width)
        if row is None:
            row = self.zeros[width] = like.new_zeros(width)
        return row

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
        if key in self.recipe.training.layout.columns:
            return done.kept.values(key)
        if key in self.recipe.keys:
            return done.gathered(done.tensors[self.recipe.keys.index(key)])
        return done.others[key]

    def _add_vectors(self, gradients: dict[int, Tensor], bases: Sequence[Tensor], sums: Tensor) -> None:
        """Add the gradients of vectors to those of the bases in which they lie."""
        row = sums.view(-1) if sums.shape[0] == 1 else sums.sum(0)
        given: set[Column] = set()
        for base, (found, whole) in self.vector_pieces.items():
            tensor = bases[base]
            if base not in gradients and whole is not None:
                part = row if whole.count == row.shape[0] else row.narrow(0, whole.start, whole.count)
                if whole in given:  # two biases with one gradient: who writes to one must not change the other
                    part = part.clone()
                given.add(whole)
                gradients[base] = part if tensor.dim() == 1 else part.view(tensor.shape)
                continue
            if base not in gradients:
                gradients[base] = torch.zeros_like(tensor, memory_format=torch.contiguous_format)
            flat = gradients[base].view(-1)
            for place, column in found:
                flat[place : place + column.count] += row[column.start : column.start + column.count]

    def _vector_pieces(self, bases: Sequence[Tensor]) -> dict[int, tuple[list[tuple[int, Column]], Column | None]]:
        """Return for every base which vectors begin where in it, and the columns that are just this base, if any."""
        pieces: dict[int, list[tuple[int, Column]]] = {}
        for key, column in self.vectors.items():
            for part in self.recipe.parts[key.removeprefix("parameter.")]:
                pieces.setdefault(part.base, []).append((part.start, column))
        found: dict[int, tuple[list[tuple[int, Column]], Column | None]] = {}
        for base, places in pieces.items():
            places.sort(key=lambda place: place[0])
            columns = [column for _, column in places]
            adjacent = all(a.start + a.count == b.start for a, b in pairwise(columns))
            count = sum(column.count for column in columns)
            whole = Column(columns[0].start, count) if adjacent and count == bases[base].numel() else None
            found[base] = places, whole
        return found


@dataclass(frozen=True, eq=False)
class _Done:
    """What a reverse loop left, and what it was given."""

    call: Call
    tensors: Sequence[Tensor]
    kept: Kept
    block: Tensor
    sums: Tensor
    others: dict[str, Tensor]
    by_row: dict[str, Tensor]

    def gathered(self, tensor: Tensor) -> Tensor:
        """Return [N, n] of a tensor [T, B, n], or of one that holds for all steps."""
        steps, batch = self.call.rows.steps, self.call.rows.batch
        if tensor.shape[:-1] != (steps, batch):
            tensor = tensor.expand(steps, batch, tensor.shape[-1])
        flat = tensor.reshape(steps * batch, tensor.shape[-1])
        return flat if self.call.index is None else flat.index_select(0, self.call.index)

    def spread(self, gradient: Tensor | None, like: Tensor) -> Tensor | None:
        """Return [T, B, n] of [N, n]: zeros past a row's end."""
        if gradient is None or self.call.index is None:
            return None if gradient is None else gradient.view(like.shape)
        flat = gradient.new_zeros((like.shape[0] * like.shape[1], like.shape[2]))
        return flat.index_copy_(0, self.call.index, gradient).view(like.shape)
