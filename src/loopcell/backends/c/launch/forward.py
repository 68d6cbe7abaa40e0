"""Forward: calling a forward kernel on tensors, and what it saves for backward.

What the loop saves lies side by side in one block [N, width], with a row for every step of every row of the batch. In
most cells the output is the state after the step, and the next step saves just that as the state before it. It is
stored once: the output lies behind the first state in one tensor [T + 1, B, n], and the states before each step
are the same memory, one step earlier.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from loopcell.backends.c.codegen.forward import ForwardKernel
from loopcell.backends.c.codegen.layout import Role
from loopcell.backends.c.launch.arguments import FEW_ROWS, ForwardSignature, KernelArguments, Launch, empty
from loopcell.equations.keys import OUTPUT, Key


@dataclass(frozen=True)
class ColumnRange:
    """Some columns of a block [N, width]: `count` of them, from `start` on."""

    start: int
    count: int

    @property
    def stop(self) -> int:
        """The column behind the last one."""
        return self.start + self.count


def side_by_side(keys: list[Key], width: Callable[[Key], int]) -> dict[Key, ColumnRange]:
    """Give every key columns of one block, in order."""
    columns: dict[Key, ColumnRange] = {}
    start = 0
    for key in keys:
        columns[key] = ColumnRange(start, width(key))
        start = columns[key].stop
    return columns


class SavedLayout:
    """The places where a kernel saves its values.

    Args:
        kernel: it saves them.
        width: returns the length of one, by key: saved.NAME, state.NAME.

    Attributes:
        columns: of the block, by key.
        width: of the block.
        width_without_output: of the block where the output's memory serves for what the output is as well.
        output_width: n of the output [T, B, n].
        as_output: the keys of values that the output is as well.
    """

    def __init__(self, kernel: ForwardKernel, width: Callable[[Key], int]) -> None:
        self.as_output = kernel.same_as_output
        starts, self.width = kernel.saved_columns(width)
        self.columns = {key: ColumnRange(start, width(key)) for key, start in starts.items()}
        self.width_without_output = min((starts[key] for key in self.as_output), default=self.width)
        self.output_width = width(OUTPUT)

    def allocate(self, launch: Launch, like: Tensor, *, share: bool) -> SavedForBackward:
        """Return memory for a call.

        Args:
            launch: how the rows run.
            like: a tensor of the call's dtype.
            share: the output's memory may serve for what is the same as the output.
        """
        # A reset clears the state before a step, and that must not be the output of the step before. With lengths a
        # step has fewer rows than the output, [T, B, n]. And for a few rows one more tensor costs more than a copy.
        together = share and self.as_output and launch.is_plain and launch.saved_rows > FEW_ROWS
        lengths = launch.lengths
        steps = empty(like, (lengths.steps + 1, launch.batch, self.output_width)) if together else None
        width = self.width_without_output if together else self.width
        block = empty(like, (launch.saved_rows, width))
        if lengths.lengths is not None and lengths.order is not None:
            block[lengths.valid_steps :] = 0  # the operator makes room for padding too, which no step fills
        return SavedForBackward(self, block, steps)


@dataclass(frozen=True, eq=False)
class SavedForBackward:
    """The values that a call has saved.

    Attributes:
        layout: where they lie.
        block: [N, width].
        steps: [T + 1, B, n], the first state and the outputs; None where no saved value is the output.
    """

    layout: SavedLayout
    block: Tensor
    steps: Tensor | None = None

    def place(self, key: Key) -> tuple[int, int]:
        """Return the address of a saved value's first row, and the numbers from row to row."""
        if self.steps is not None and key in self.layout.as_output:
            steps = self.steps
            # The state before step t is row t of the steps, and what step t gives is row t + 1.
            first = 0 if key.kind == "state" else steps.stride(0) * steps.element_size()
            return steps.data_ptr() + first, steps.shape[2]
        start = self.layout.columns[key].start * self.block.element_size()
        return self.block.data_ptr() + start, self.block.shape[1]

    def values(self, key: Key) -> Tensor:
        """Return a saved value [N, n]."""
        if self.steps is not None and key in self.layout.as_output:
            steps = self.steps[:-1] if key.kind == "state" else self.steps[1:]
            return steps.view(-1, steps.shape[2])
        column = self.layout.columns[key]
        return self.block.narrow(1, column.start, column.count)

    def output(self) -> Tensor | None:
        """Return the output [T, B, n] where it shares memory with what is saved; else None.

        It is no view, so that whoever writes to it is told by the gradient that it was needed, and not at once.
        """
        if self.steps is None:
            return None
        steps = self.steps
        shape = torch.Size((steps.shape[0] - 1, *steps.shape[1:]))
        return steps.new_empty(0).set_(steps.untyped_storage(), steps.stride(0), shape, steps.stride())


class ForwardPass:
    """A forward loop, for calls with one signature.

    Attributes:
        kernels: the library.
        kernel: the loop.
        arguments: of the kernel.
        input_place: where the input stands among the addresses; None where the cell reads none.
        state_numbers: which of a call's tensors are the states before the first step.
        by_step: place and width of the output and of what is recorded, [T, B, n].
        states: place and width of the final states, [B, n].
        saved: where the kernel saves values for backward; None where it saves none.
    """

    def __init__(self, signature: ForwardSignature, kernel: ForwardKernel, *, saves: bool) -> None:
        self.kernels, self.kernel = signature.kernels, kernel
        self.arguments = arguments = KernelArguments(signature, kernel)
        self.input_place = arguments.places.get((Role.READ, signature.keys[0]))  # the input is the first tensor
        self.state_numbers = [signature.keys.index(key) for key in self.kernels.states]
        by_step = [OUTPUT, *(Key("record", name) for name in self.kernels.recorded)]
        self.by_step = [(arguments.places[Role.WRITTEN, key], arguments.width(key)) for key in by_step]
        self.states = [(arguments.places[Role.WRITTEN, key], arguments.width(key)) for key in self.kernels.states]
        self.saved = SavedLayout(kernel, arguments.width) if saves else None
        self._saved = [(arguments.places[kernel.saved[key]], key) for key in self.saved.columns] if self.saved else []

    def run(
        self, launch: Launch, tensors: Sequence[Tensor], *, share: bool = False
    ) -> tuple[list[Tensor], SavedForBackward | None]:
        """Run the loop.

        Args:
            launch: how the rows run.
            tensors: those of the call and then those of the weights; the last axis of each contiguous.
            share: the output may lie in the memory of what is saved. Who asks for that must see to it that nobody
                writes to the output before the reverse loop has run.

        Returns:
            The output, the final states and what is recorded; and what is saved for backward, if anything is.
        """
        arguments, like = self.arguments, tensors[0]
        fields, keep_alive = arguments.begin(launch, tensors)
        saved = self.saved.allocate(launch, like, share=share) if self.saved is not None else None
        for place, key in self._saved:
            assert saved is not None  # a kernel that saves
            arguments.put(fields, place, *saved.place(key))
        by_step: list[Tensor] = []
        for place, width in self.by_step:
            first = saved.output() if saved is not None and not by_step else None  # the output is the first of them
            tensor = empty(like, (launch.lengths.steps, launch.batch, width)) if first is None else first
            arguments.put(fields, place, tensor.data_ptr(), width)
            fields[arguments.strides + 2 * place] = launch.batch * width
            by_step.append(tensor)
        states = [like.new_empty((launch.batch, width)) for _, width in self.states]
        for (place, width), tensor in zip(self.states, states, strict=True):
            arguments.put(fields, place, tensor.data_ptr(), width)
        arguments.run(fields)
        del keep_alive  # until here the kernel has read it
        return [by_step[0], *states, *by_step[1:]], saved
