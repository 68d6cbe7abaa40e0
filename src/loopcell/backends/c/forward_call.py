"""Calling the forward kernel on tensors."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import TYPE_CHECKING

from torch import Tensor

from loopcell.backends.c.forward import ForwardKernel
from loopcell.backends.c.given import Given
from loopcell.backends.c.gradients import lay_out
from loopcell.backends.c.memory import empty

if TYPE_CHECKING:
    from loopcell.backends.c.sequence import Call, Recipe


class ForwardCall(Given):
    """The forward loop; with what the reverse loop needs kept, if the kernel keeps it.

    What is kept lies side by side in one block [N, width].
    """

    def __init__(self, recipe: Recipe, kernel: ForwardKernel, bases: Sequence[Tensor]) -> None:
        super().__init__(recipe, kernel, bases)
        graph = kernel.loop.graph
        shown = ["output", *(key for key in graph.results if key.startswith("record."))]
        self.shown = [(self.places[f"={key}"], recipe.width(kernel, key)) for key in shown]
        self.states = [(self.places[f"={key}"], recipe.width(kernel, key)) for key in recipe.reference.states]
        saved = [key for key in graph.results if key.startswith("saved.")]
        states = [f"state.{state}" for state in kernel.states if state in kernel.kept_states]
        self.columns = lay_out([*saved, *states], lambda key: recipe.width(kernel, key))
        self.keeps = kernel is recipe.kernels.forward_and_keep
        self.kept_width = sum(column.count for column in self.columns.values())
        slots = [f"={key}" for key in saved] + [f"before.{state.removeprefix('state.')}" for state in states]
        self.kept = [(self.places[s], c.start) for s, c in zip(slots, self.columns.values(), strict=True)]

    def run(self, call: Call, tensors: Sequence[Tensor]) -> tuple[list[Tensor], Tensor | None]:
        """Return the output, the final states and what is watched, and the block of what is kept, if anything is."""
        rows, like = call.rows, tensors[0]
        block, alive = self.begin(call, tensors)
        made = []
        for place, width in self.shown:
            shape = (rows.steps, rows.batch, width)
            tensor = empty(like, shape) if rows.order is None else like.new_zeros(shape)
            self.put(block, place, tensor.data_ptr(), width)
            block[self.strides + 2 * place] = rows.batch * width
            made.append(tensor)
        for place, width in self.states:
            tensor = like.new_empty((rows.batch, width))
            self.put(block, place, tensor.data_ptr(), width)
            made.append(tensor)
        kept = self._keep(call, like, block) if self.keeps else None
        self.recipe.kernels.call(self.kernel, block)
        del alive
        count = len(self.shown)
        return [made[0], *made[count:], *made[1:count]], kept

    def _keep(self, call: Call, like: Tensor, block: array[int]) -> Tensor:
        kept = empty(like, (call.kept_rows, self.kept_width))
        if call.index is not None:
            kept[call.index.shape[0] :] = 0  # the operator makes room for padding too, which no step fills
        start, size = kept.data_ptr(), kept.element_size()
        for place, column in self.kept:
            self.put(block, place, start + column * size, self.kept_width)
        return kept
