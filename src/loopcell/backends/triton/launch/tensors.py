"""Tensors: what the slots of a kernel are in one call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from loopcell.backends.triton.codegen.layout import Loop
from loopcell.backends.triton.codegen.slots import Slot, Use
from loopcell.backends.triton.launch.constants import real_dtype
from loopcell.backends.triton.launch.memory import Shape, readable
from loopcell.equations.keys import Key, cotangent_of

Tensors = Mapping[Key, Tensor]


@dataclass(frozen=True, eq=False)
class LoopTensors:
    """The tensors of one run of a loop.

    Attributes:
        loop: forward, or reverse.
        shape: of the call.
        leaves: what it reads, by key; of a reverse loop the cotangents of the states among them.
        to: what it writes, states aside, by key.
        histories: the states before each step [T + 1, B, n], written by the forward loop.
        finals: the states after the last step, or their cotangents before the first one, [B, n].
    """

    loop: Loop
    shape: Shape
    leaves: Tensors
    to: Tensors
    histories: Tensors
    finals: dict[Key, Tensor] = field(default_factory=dict)

    @property
    def like(self) -> Tensor:
        """A tensor of the call's dtype and device."""
        return self.before(self.loop.states[0]) if self.loop.states else next(iter(self.leaves.values()))

    @property
    def real(self) -> torch.dtype:
        """The dtype in which kernels compute."""
        return real_dtype(self.like.dtype)

    def width(self, state: Key) -> int:
        """Return the length of a state."""
        return self.shape.width(self.loop.sizes.of(self.loop.graph.results[state]))

    def before(self, state: Key) -> Tensor:
        """Return what is carried into the loop: a state, or its cotangent against the order of time."""
        return self.leaves[cotangent_of(state) if self.loop.reverse else state]

    def of(self, slot: Slot) -> Tensor:
        """Return the tensor of a slot that is there before a kernel is chosen."""
        if slot.use is Use.HISTORY:
            return self.histories[slot.key]
        if slot.use is Use.READ:
            return readable(slot, self.leaves[slot.key], self.shape)
        return self.finals[slot.key] if slot.key.kind == "state" else self.to[slot.key]
