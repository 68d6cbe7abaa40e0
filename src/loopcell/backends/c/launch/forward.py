"""Forward: calling a forward kernel on tensors."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from loopcell.backends.c.codegen.forward import ForwardKernel, saved_slot
from loopcell.backends.c.codegen.layout import Role
from loopcell.backends.c.launch.arguments import KernelArguments, KernelSignature, Launch, empty
from loopcell.backends.c.launch.library import Kernels
from loopcell.backends.c.launch.saved import SavedForBackward, SavedLayout
from loopcell.equations.keys import OUTPUT, Key


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

    def __init__(self, kernels: Kernels, kernel: ForwardKernel, signature: KernelSignature, *, saves: bool) -> None:
        self.kernels, self.kernel = kernels, kernel
        self.arguments = arguments = KernelArguments(kernels, kernel, signature)
        self.input_place = arguments.places.get((Role.READ, signature.keys[0]))  # the input is the first tensor
        self.state_numbers = [signature.keys.index(key) for key in signature.states]
        by_step = [OUTPUT, *(Key("record", name) for name in signature.recorded)]
        self.by_step = [(arguments.places[Role.WRITTEN, key], arguments.width(key)) for key in by_step]
        self.states = [(arguments.places[Role.WRITTEN, key], arguments.width(key)) for key in signature.states]
        self.saved = SavedLayout(kernel, arguments.width) if saves else None
        self._saved = [(arguments.places[saved_slot(key)], key) for key in self.saved.columns] if self.saved else []

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
            tensor = self._by_step(launch, like, width) if first is None else first
            arguments.put(fields, place, tensor.data_ptr(), width)
            fields[arguments.strides + 2 * place] = launch.batch * width
            by_step.append(tensor)
        states = [like.new_empty((launch.batch, width)) for _, width in self.states]
        for (place, width), tensor in zip(self.states, states, strict=True):
            arguments.put(fields, place, tensor.data_ptr(), width)
        arguments.run(fields)
        del keep_alive  # until here the kernel has read it
        return [by_step[0], *states, *by_step[1:]], saved

    def _by_step(self, launch: Launch, like: Tensor, width: int) -> Tensor:
        """Return memory [T, B, n]; zeros where there is padding, which the kernel leaves alone."""
        shape = (launch.lengths.steps, launch.batch, width)
        return empty(like, shape) if launch.index is None else like.new_zeros(shape)
