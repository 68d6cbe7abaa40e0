"""What the forward loop keeps for the reverse loop.

It lies side by side in one block [N, width], a row for every step of every row. In most cells the output is the state
after the step, which the next step keeps as the state before it: then it need not be there twice. The output lies
behind the first state in one tensor [T + 1, B, n], and what is kept is the same memory a step earlier.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from loopcell.backends.c.codegen.forward import ForwardKernel
from loopcell.backends.c.launch.gradients import lay_out
from loopcell.backends.c.launch.kernels import FEW_ROWS
from loopcell.backends.c.launch.memory import empty

if TYPE_CHECKING:
    from loopcell.backends.c.launch.sequence import Call


class KeptLayout:
    """Where a kernel's kept values lie.

    Args:
        kernel: it keeps them.
        width: returns the length of one, by key: "saved.NAME", "state.NAME".

    Attributes:
        columns: of the block, by key.
        width: of the block.
    """

    def __init__(self, kernel: ForwardKernel, width: Callable[[str], int]) -> None:
        self.shared = kernel.shared
        keys = sorted(kernel.kept, key=lambda key: key in self.shared)  # last: without them the other columns stay
        self.columns = lay_out(keys, width)
        self.width = sum(column.count for column in self.columns.values())
        self.output_width = width("output")

    def make(self, call: Call, like: Tensor, *, share: bool) -> Kept:
        """Return memory for a call.

        Args:
            call: what will run.
            like: a tensor of its dtype.
            share: the output may be what is kept.
        """
        rows = call.rows
        # A reset clears the state before a step; that must not be the output of the step before.
        together = share and self.shared and rows.order is None and rows.reset is None and call.kept_rows > FEW_ROWS
        steps = empty(like, (rows.steps + 1, rows.batch, self.output_width)) if together else None
        width = self.width - len(self.shared) * self.output_width if together else self.width
        block = empty(like, (call.kept_rows, width))
        if call.index is not None:
            block[call.index.shape[0] :] = 0  # the operator makes room for padding too, which no step fills
        return Kept(self, block, steps)


@dataclass(frozen=True, eq=False)
class Kept:
    """The kept values of a call.

    Attributes:
        layout: where they lie.
        block: [N, width].
        steps: [T + 1, B, n], the first state and the outputs, where what is kept is the output.
    """

    layout: KeptLayout
    block: Tensor
    steps: Tensor | None = None

    def place(self, key: str) -> tuple[int, int]:
        """Return the address of a kept value's first row, and the numbers from row to row."""
        if self.steps is not None and key in self.layout.shared:
            steps = self.steps
            first = 0 if key.startswith("state.") else steps.stride(0) * steps.element_size()
            return steps.data_ptr() + first, steps.shape[2]
        start = self.layout.columns[key].start * self.block.element_size()
        return self.block.data_ptr() + start, self.block.shape[1]

    def values(self, key: str) -> Tensor:
        """Return a kept value [N, n]."""
        if self.steps is not None and key in self.layout.shared:
            steps = self.steps[:-1] if key.startswith("state.") else self.steps[1:]
            return steps.view(-1, steps.shape[2])
        column = self.layout.columns[key]
        return self.block.narrow(1, column.start, column.count)

    def output(self) -> Tensor | None:
        """Return the output [T, B, n] where it is what is kept.

        It is no view, so that whoever writes to it is told by the gradient that it was needed, and not at once.
        """
        if self.steps is None:
            return None
        steps = self.steps
        shape = torch.Size((steps.shape[0] - 1, *steps.shape[1:]))
        return steps.new_empty(0).set_(steps.untyped_storage(), steps.stride(0), shape, steps.stride())
