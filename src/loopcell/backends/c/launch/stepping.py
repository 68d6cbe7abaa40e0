"""One step at a time: kernels called again and again on memory that stays where it is."""

from __future__ import annotations

import ctypes
from array import array
from dataclasses import dataclass

import torch
from torch import Tensor

from loopcell.backends.c.launch.kernels import DIRECT, MEMORY, PACKED
from loopcell.backends.c.launch.sequence import Call

_LINE = 64
"""Bytes; kernels want their memory to begin at a multiple."""


@dataclass(frozen=True, eq=False)
class StepLayer:
    """One layer of a stack.

    Attributes:
        call: what runs, for a sequence of one step.
        tensors: of the call; the state among them is replaced by `states`.
        states: two buffers for every state [B, n]: one is read and the other written, then the other way round.
        output: where the output goes, [1, B, O].
    """

    call: Call
    tensors: list[Tensor]
    states: list[tuple[Tensor, Tensor]]
    output: Tensor


class FusedSteps:
    """The layers of a stack, a step a call: nothing is allocated, weights are packed once, states stay in place.

    Args:
        layers: from the input to the output; each reads the output of the one before.
    """

    def __init__(self, layers: list[StepLayer]) -> None:
        self._alive: list[object] = [layers]
        self._turn = 0
        self._blocks: tuple[list[array[int]], list[array[int]]] = ([], [])
        first = layers[0].call.recipe
        place = first.inference.places.get(first.keys[0])
        self._input = -1 if place is None else first.inference.at + place
        for place_in_stack, layer in enumerate(layers):
            if place_in_stack:
                layer.tensors[0] = layers[place_in_stack - 1].output
            self._add(layer)
        library = first.kernels.library
        self._functions = (ctypes.c_void_p * len(layers))(
            *(ctypes.cast(layer.call.recipe.kernels.functions["forward"], ctypes.c_void_p).value for layer in layers)
        )
        self._in_turn = library.in_turn
        self._in_turn.argtypes, self._in_turn.restype = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64), None
        self._lists = tuple(
            (ctypes.c_void_p * len(layers))(*(block.buffer_info()[0] for block in blocks)) for blocks in self._blocks
        )
        functions = ctypes.addressof(self._functions)
        self._arguments = tuple((functions, ctypes.addressof(blocks), len(layers)) for blocks in self._lists)

    @property
    def turn(self) -> int:
        """Which of the two buffers of every state holds it now."""
        return self._turn

    def step(self, address: int) -> None:
        """Run one step on the input [B, I] at an address."""
        turn = self._turn
        if self._input >= 0:
            self._blocks[turn][0][self._input] = address
        self._in_turn(*self._arguments[turn])
        self._turn = 1 - turn

    def _add(self, layer: StepLayer) -> None:
        recipe, rows = layer.call.recipe, layer.call.rows
        forward, kernels = recipe.inference, recipe.kernels
        packed = array("q")
        for turn in (0, 1):
            tensors = list(layer.tensors)
            for place, pair in enumerate(layer.states):
                tensors[recipe.keys.index(recipe.reference.states[place])] = pair[turn]
            block, alive = forward.begin(layer.call, tensors)
            self._alive += [tensors, alive]
            (place, width), *_ = forward.shown
            forward.put(block, place, layer.output.data_ptr(), width)  # one step: there is none to the next
            for (place, width), pair in zip(forward.states, layer.states, strict=True):
                forward.put(block, place, pair[1 - turn].data_ptr(), width)
            if rows.threads == 1:
                block[MEMORY] = self._memory(kernels.library.forward_memory, block)
            if forward.kernel.packs:
                if turn == 0:
                    block[DIRECT] = 0
                    start = self._memory(kernels.library.forward_packed_memory, block)
                    kernels.library.forward_pack_into(ctypes.c_void_p(block.buffer_info()[0]), ctypes.c_void_p(start))
                    packed = block[-len(forward.kernel.packs) :]
                else:
                    block[DIRECT], block[PACKED] = 0, 1
                    block[-len(forward.kernel.packs) :] = packed
            self._blocks[turn].append(block)

    def _memory(self, how_much: ctypes._NamedFuncPointer, block: array[int]) -> int:
        """Return the address of memory of the size that a kernel asks for; it lives as long as this object."""
        how_much.restype = ctypes.c_int64
        size = how_much(ctypes.c_void_p(block.buffer_info()[0]))
        memory = torch.empty(size + _LINE, dtype=torch.uint8, device="cpu")
        self._alive.append(memory)
        return (memory.data_ptr() + _LINE - 1) // _LINE * _LINE
