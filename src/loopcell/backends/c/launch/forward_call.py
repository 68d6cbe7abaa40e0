"""Calling the forward kernel on tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from torch import Tensor

from loopcell.backends.c.codegen.forward import ForwardKernel, kept_slot
from loopcell.backends.c.launch.given import Given
from loopcell.backends.c.launch.kept import Kept, KeptLayout
from loopcell.backends.c.launch.memory import empty

if TYPE_CHECKING:
    from loopcell.backends.c.launch.sequence import Call, Recipe


class ForwardCall(Given):
    """The forward loop; with what the reverse loop needs kept, if the kernel keeps it.

    Attributes:
        layout: of what is kept.
    """

    def __init__(self, recipe: Recipe, kernel: ForwardKernel, bases: Sequence[Tensor]) -> None:
        super().__init__(recipe, kernel, bases)
        graph = kernel.loop.graph
        shown = ["output", *(key for key in graph.results if key.startswith("record."))]
        self.shown = [(self.places[f"={key}"], recipe.width(kernel, key)) for key in shown]
        self.states = [(self.places[f"={key}"], recipe.width(kernel, key)) for key in recipe.reference.states]
        self.layout = KeptLayout(kernel, lambda key: recipe.width(kernel, key))
        self.keeps = kernel is recipe.kernels.forward_and_keep
        self.kept = [(self.places[kept_slot(key)], key) for key in self.layout.columns]

    def run(self, call: Call, tensors: Sequence[Tensor], *, share: bool = False) -> tuple[list[Tensor], Kept | None]:
        """Run the loop.

        Args:
            call: what to run.
            tensors: on what.
            share: the output may lie in the memory of what is kept. Who asks for that must see to it that nobody
                writes to the output before the reverse loop has run.

        Returns:
            The output, the final states and what is watched; and what is kept, if anything is.
        """
        rows, like = call.rows, tensors[0]
        block, alive = self.begin(call, tensors)
        kept = self.layout.make(call, like, share=share) if self.keeps else None
        made: list[Tensor] = []
        for place, width in self.shown:
            shape = (rows.steps, rows.batch, width)
            tensor = kept.output() if kept is not None and not made else None
            if tensor is None:
                tensor = empty(like, shape) if rows.order is None else like.new_zeros(shape)
            self.put(block, place, tensor.data_ptr(), width)
            block[self.strides + 2 * place] = rows.batch * width
            made.append(tensor)
        for place, width in self.states:
            tensor = like.new_empty((rows.batch, width))
            self.put(block, place, tensor.data_ptr(), width)
            made.append(tensor)
        if kept is not None:
            for place, key in self.kept:
                self.put(block, place, *kept.place(key))
        self.recipe.kernels.call(self.kernel, block)
        del alive
        count = len(self.shown)
        return [made[0], *made[count:], *made[1:count]], kept
