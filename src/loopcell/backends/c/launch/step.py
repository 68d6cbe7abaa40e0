"""One step at a time: kernels called again and again on memory that stays where it is."""

from __future__ import annotations

import ctypes
from array import array
from dataclasses import dataclass, field

import torch
from torch import Tensor

from loopcell.backends.c.launch.arguments import DIRECT, MEMORY, PACKED, Launch
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
    to call is the address of the first layer's input.

    Args:
        layers: from the input to the output; each reads the output of the one before.
    """

    def __init__(self, layers: list[StepLayer]) -> None:
        self._keep_alive: list[object] = [layers]  # the structs hold addresses, which keep nothing alive
        self._turn = 0
        self._structs: tuple[list[array[int]], list[array[int]]] = ([], [])
        first = layers[0].forward
        place = first.input_place
        self._input = -1 if place is None else first.arguments.at + place
        for number, layer in enumerate(layers):
            if number:
                layer.tensors[0] = layers[number - 1].output
            self._add(layer)
        library = first.kernels.library
        self._functions = (ctypes.c_void_p * len(layers))(
            *(ctypes.cast(layer.forward.kernels.functions["forward"], ctypes.c_void_p).value for layer in layers)
        )
        # Any library has this function; what it runs are the addresses of all layers' kernels.
        self._in_turn = library.in_turn
        self._in_turn.argtypes, self._in_turn.restype = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64), None
        self._addresses = tuple(
            (ctypes.c_void_p * len(layers))(*(fields.buffer_info()[0] for fields in turn)) for turn in self._structs
        )
        functions = ctypes.addressof(self._functions)
        self._arguments = tuple((functions, ctypes.addressof(turn), len(layers)) for turn in self._addresses)

    @property
    def turn(self) -> int:
        """The one of every state's two buffers that holds it now, 0 or 1."""
        return self._turn

    def step(self, address: int) -> None:
        """Run one step on the input [B, I] at an address."""
        turn = self._turn
        if self._input >= 0:
            self._structs[turn][0][self._input] = address
        self._in_turn(*self._arguments[turn])
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
        memory = torch.empty(size + _LINE, dtype=torch.uint8, device="cpu")
        self._keep_alive.append(memory)
        return (memory.data_ptr() + _LINE - 1) // _LINE * _LINE  # the first multiple in it
