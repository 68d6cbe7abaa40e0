"""Chunks: a stack's kernels on pieces of sequences of any length, whose states stay in rows of the caller's.

A stepper's buffers have one batch, and a call's launch one T and one B. Here both change from call to call, at no cost:
the structs are made once, and a call enters steps, rows and addresses. All states of a row lie side by side in one row
of memory, so that whoever has many rows copies each with one move. Weights are always packed: a product of packed
weights adds up in one order, whatever the steps and rows of a call, and one that reads them where they lie in another.
"""

from __future__ import annotations

import ctypes
from array import array
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass

import torch
from torch import Tensor

from loopcell.backends.c.codegen.layout import Role
from loopcell.backends.c.launch.arguments import DIRECT, FAILED, MEMORY, PACKED, KernelArguments, Launch
from loopcell.backends.c.launch.forward import ForwardPass

THREADS, STEPS, ROWS, CHUNK = 1, 2, 3, 4
"""Where in the struct of headers/rows.h the fields `threads`, `T`, `B` and `chunk` stand."""
LONGEST = 512
"""Steps that a kernel is given at a time, at most: what stands between layers has room for so many."""
_LINE = 64
"""Bytes; kernels want their memory to begin at a multiple."""


@dataclass(frozen=True, eq=False)
class ChunkLayer:
    """One layer of a stack.

    Attributes:
        forward: what runs.
        launch: for a sequence of `LONGEST` steps of one row.
        tensors: of such a call and of the weights; the inputs and states among them are not read.
        columns: where in a row each of the layer's states begins.
        output_size: O.
    """

    forward: ForwardPass
    launch: Launch
    tensors: list[Tensor]
    columns: list[int]
    output_size: int


class FusedChunks:
    """The layers of a stack on chunks [T, B, I] of any T, and of any B up to a most.

    Args:
        layers: from the input to the output.
        first: the name of the input that layers above the first read from the one below.
        most_rows: the largest B.
        between: what an output is rounded to before the layer above reads it; None leaves it as it is.
    """

    def __init__(
        self, layers: Sequence[ChunkLayer], first: str, most_rows: int, between: torch.dtype | None = None
    ) -> None:
        self._layers, self._first, self._most_rows, self._between = layers, first, most_rows, between
        self._keep_alive: list[object] = []  # the structs hold addresses, which keep nothing alive
        self._slots = [_Slots(layer) for layer in layers]
        self._fields = [self._struct(layer) for layer in layers]
        # One row's steps whose prologue stays in the cache; of many rows a chunk has fewer steps.
        self._budget = max(most_rows, min(fields[CHUNK] for fields in self._fields))
        self._make_memory()

    def copy(self) -> FusedChunks:
        """Return the same with memory of its own, for another thread; the weights are shared."""
        other = copy(self)
        other.separate()
        return other

    def separate(self) -> None:
        """Take structs and memory of its own, beside those of which it was copied."""
        self._fields = [fields[:] for fields in self._fields]
        self._make_memory()

    def run(self, inputs: Mapping[str, Tensor], rows: Tensor, threads: int) -> Tensor:
        """Run a chunk.

        Args:
            inputs: by name, contiguous [T, B, n] each.
            rows: the states before the first step, [B, W], contiguous in each row; those after the last one are written
                over them.
            threads: how many share the rows.

        Returns:
            The output [T, B, O].
        """
        steps, batch = next(iter(inputs.values())).shape[:2]
        y = rows.new_empty((steps, batch, self._layers[-1].output_size))
        if not y.numel():
            return y
        for fields, memory in zip(self._fields, self._scratch, strict=True):
            fields[ROWS], fields[THREADS], fields[FAILED] = batch, threads, 0
            fields[MEMORY] = memory if threads == 1 else 0  # of several threads each takes its own
        self._put_states(rows)
        most = self._budget // batch
        for start in range(0, steps, most):
            part = {name: tensor[start : start + most] for name, tensor in inputs.items()}
            self._run_part(part, y[start : start + most])
        return y

    def _run_part(self, inputs: Mapping[str, Tensor], y: Tensor) -> None:
        steps, batch = y.shape[:2]
        for layer, slots, fields, inner in zip(self._layers, self._slots, self._fields, self._inner, strict=True):
            fields[STEPS] = fields[CHUNK] = steps
            for name, place in slots.inputs:
                slots.put(fields, place, inputs[name], batch)
            output = y if inner is None else inner[: steps * batch * layer.output_size].view(steps, batch, -1)
            slots.put(fields, slots.output, output, batch)
            layer.forward.arguments.run(fields)
            if self._between is not None and inner is not None:
                output.copy_(output.to(self._between))
            inputs = {**inputs, self._first: output}

    def _put_states(self, rows: Tensor) -> None:
        address, stride, size = rows.data_ptr(), rows.stride(0), rows.element_size()
        for layer, slots, fields in zip(self._layers, self._slots, self._fields, strict=True):
            for column, (read, written) in zip(layer.columns, slots.states, strict=True):
                # The kernel copies the states before its first step, so it may write where it has read.
                layer.forward.arguments.put(fields, read, address + column * size, stride)
                layer.forward.arguments.put(fields, written, address + column * size, stride)

    # --- made once -------------------------------------------------------------------------------------------------

    def _struct(self, layer: ChunkLayer) -> array[int]:
        fields, keep_alive = layer.forward.arguments.begin(layer.launch, layer.tensors)
        self._keep_alive += [layer, keep_alive]
        if layer.forward.kernel.packs:
            fields[DIRECT] = 0
            library = layer.forward.kernels.library
            address = self._aligned(_asked(library.forward_packed_memory, fields), self._keep_alive)
            library.forward_pack_into(ctypes.c_void_p(fields.buffer_info()[0]), ctypes.c_void_p(address))
            assert fields[PACKED]  # said by the kernel
        return fields

    def _make_memory(self) -> None:
        """Make what a call writes beside its results: scratch for each layer, and what stands between layers."""
        like = self._layers[0].tensors[0]
        sizes = [layer.output_size for layer in self._layers[:-1]]
        self._inner = [*(like.new_empty(self._budget * size) for size in sizes), None]
        self._memory: list[object] = []
        self._scratch = []
        for layer, fields in zip(self._layers, self._fields, strict=True):
            # Room for the most rows, and for the most steps of all rows together: more than any one call has of both.
            fields[ROWS], fields[CHUNK] = self._most_rows, -(-self._budget // self._most_rows)
            size = _asked(layer.forward.kernels.library.forward_memory, fields)
            self._scratch.append(self._aligned(size, self._memory))

    def _aligned(self, size: int, keep_alive: list[object]) -> int:
        memory = torch.empty(size + _LINE, dtype=torch.uint8, device="cpu")
        keep_alive.append(memory)
        return (memory.data_ptr() + _LINE - 1) // _LINE * _LINE  # the first multiple in it


class _Slots:
    """The places in a layer's struct at which a call enters its own tensors.

    Attributes:
        inputs: name and place of what the layer reads at each step.
        states: for each, where it is read and where it is written.
        output: where the output is written.
    """

    def __init__(self, layer: ChunkLayer) -> None:
        arguments: KernelArguments = layer.forward.arguments
        self._at, self._strides = arguments.at, arguments.strides
        self.inputs = [(key.name, arguments.places[role, key]) for role, key in arguments.places if key.kind == "input"]
        read = [arguments.places[Role.READ, key] for key in layer.forward.kernels.states]
        self.states = list(zip(read, (place for place, _ in layer.forward.states), strict=True))
        self.output = layer.forward.by_step[0][0]

    def put(self, fields: array[int], place: int, tensor: Tensor, batch: int) -> None:
        """Enter a contiguous tensor [T, B, n]."""
        width = tensor.shape[2]
        fields[self._at + place] = tensor.data_ptr()
        fields[self._strides + 2 * place], fields[self._strides + 2 * place + 1] = batch * width, width


def _asked(how_much: ctypes._NamedFuncPointer, fields: array[int]) -> int:
    """Return how many bytes a kernel asks for."""
    how_much.restype = ctypes.c_int64
    return int(how_much(ctypes.c_void_p(fields.buffer_info()[0])))
