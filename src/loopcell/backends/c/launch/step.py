"""One step at a time: kernels called again and again on memory that stays where it is."""

from __future__ import annotations

import ctypes
from array import array
from dataclasses import dataclass, field

import torch
from torch import Tensor

from loopcell.backends.c.launch.arguments import DIRECT, MEMORY, PACKED, Launch, empty
from loopcell.backends.c.launch.forward import ForwardPass

_LINE = 64
"""Bytes; kernels want their memory to begin at a multiple."""


@dataclass(frozen=True, eq=False)
class StepLayer:
    """One layer of a stack.

    Attributes:
        forward: what runs.
        launch: for a sequence of one step.
        tensors: of the call and of the weights; the states among them are replaced by those of `states`.
        states: two buffers for every state [B, n]: one is read and the other written, then the other way round.
        output: where the output goes, [1, B, O].
        packs: the packed weights, where the kernel does not pack them itself.
    """

    forward: ForwardPass
    launch: Launch
    tensors: list[Tensor]
    states: list[tuple[Tensor, Tensor]]
    output: Tensor
    packs: list[Tensor] = field(default_factory=list)


class FusedSteps:
    """The layers of a stack, one step per call: nothing is allocated, weights are packed once, states stay in place.

    Each layer has two structs of arguments, made here once: they differ in which buffer of every state is read and
    which is written. A step runs the layers on the one set, and the next step on the other; all that changes from call
    to call is the address of the first layer's input. It belongs to one thread: two that step at once write to the same
    memory.

    Args:
        layers: from the input to the output; each reads the output of the one before.
    """

    def __init__(self, layers: list[StepLayer]) -> None:
        self._keep_alive: list[object] = [layers]  # the structs hold addresses, which keep nothing alive
        self._turn = 0
        self._structs: tuple[list[array[int]], list[array[int]]] = ([], [])
        first = layers[0].forward
        for number, layer in enumerate(layers):
            if number:
                layer.tensors[0] = layers[number - 1].output
            self._add(layer)
        place = first.input_place
        self._stacks = tuple(
            _stack(layers, fields, None if place is None else first.arguments.at + place) for fields in self._structs
        )
        self._addresses = tuple(stack.buffer_info()[0] for stack in self._stacks)
        # Any library has this function; what it runs are the addresses of all layers' kernels.
        self._in_turn = first.kernels.library.in_turn
        self._in_turn.argtypes, self._in_turn.restype = (ctypes.c_void_p, ctypes.c_void_p), None

    @property
    def turn(self) -> int:
        """The one of every state's two buffers that holds it now, 0 or 1."""
        return self._turn

    def step(self, address: int) -> None:
        """Run one step on the input [B, I] at an address."""
        turn = self._turn
        self._in_turn(self._addresses[turn], address)  # two numbers, as each one costs a tenth of a microsecond
        self._turn = 1 - turn

    def _add(self, layer: StepLayer) -> None:
        """Make a layer's two structs."""
        forward, arguments = layer.forward, layer.forward.arguments
        packed = array("q")
        for turn in (0, 1):
            tensors = list(layer.tensors)
            for number, pair in zip(forward.state_numbers, layer.states, strict=True):
                tensors[number] = pair[turn]
            fields, keep_alive = arguments.begin(layer.launch, tensors)
            self._keep_alive += [tensors, keep_alive]
            (place, width), *_ = forward.by_step
            arguments.put(fields, place, layer.output.data_ptr(), width)  # one step: there is no stride to the next
            for (place, width), pair in zip(forward.states, layer.states, strict=True):
                arguments.put(fields, place, pair[1 - turn].data_ptr(), width)
            if layer.launch.threads == 1:  # several threads need scratch memory each, and take it themselves
                fields[MEMORY] = self._memory(forward.kernels.library.forward_memory, fields)
            if forward.kernel.packs:
                packed = self._pack(layer, fields, packed)
            self._structs[turn].append(fields)

    def _pack(self, layer: StepLayer, fields: array[int], packed: array[int]) -> array[int]:
        """Have a struct's weights packed, however few rows there are, and return the addresses of the packs.

        Args:
            layer: whose weights.
            fields: the struct; it ends in the addresses of the packs.
            packed: these addresses, where another struct of the layer has them already.
        """
        library, count = layer.forward.kernels.library, len(layer.forward.kernel.packs)
        fields[DIRECT] = 0
        packed = packed or array("q", [pack.data_ptr() for pack in layer.packs])
        if packed:
            fields[PACKED] = 1
            fields[-count:] = packed
            return packed
        start = self._memory(library.forward_packed_memory, fields)
        library.forward_pack_into(ctypes.c_void_p(fields.buffer_info()[0]), ctypes.c_void_p(start))
        return fields[-count:]

    def _memory(self, how_much: ctypes._NamedFuncPointer, fields: array[int]) -> int:
        """Return the address of memory of the size that a kernel asks for; it lives as long as this object."""
        how_much.restype = ctypes.c_int64
        size = how_much(ctypes.c_void_p(fields.buffer_info()[0]))
        memory = empty(torch.empty(0, dtype=torch.uint8, device="cpu"), (size + _LINE,))
        self._keep_alive.append(memory)
        return (memory.data_ptr() + _LINE - 1) // _LINE * _LINE  # the first multiple in it


def _stack(layers: list[StepLayer], fields: list[array[int]], place: int | None) -> array[int]:
    """Return the struct `stack` of headers/rows.h: the layers with their arguments.

    Args:
        layers: whose kernels.
        fields: the arguments of each.
        place: where in the first one's the address of the input goes; None where the cell reads none.
    """
    starts = [struct.buffer_info()[0] for struct in fields]
    kernels = [ctypes.cast(layer.forward.kernels.functions["forward"], ctypes.c_void_p).value or 0 for layer in layers]
    pairs = [number for pair in zip(kernels, starts, strict=True) for number in pair]
    return array("q", [len(layers), 0 if place is None else starts[0] + place * fields[0].itemsize, *pairs])
