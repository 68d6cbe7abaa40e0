"""Blocked: running a blocked kernel, in one launch or sweep by sweep."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from loopcell.backends.triton.codegen.blocked import BlockedLoop
from loopcell.backends.triton.codegen.kernel import KernelText
from loopcell.backends.triton.codegen.slots import KernelSlot, Use
from loopcell.backends.triton.launch.choose import KernelChoice, power_of_two
from loopcell.backends.triton.launch.constants import blocks_of, of_blocked
from loopcell.backends.triton.launch.launch import launch
from loopcell.backends.triton.launch.memory import ragged
from loopcell.backends.triton.launch.products import HostProducts
from loopcell.backends.triton.launch.tensors import LoopTensors
from loopcell.backends.triton.toolchain.modules import interpreting


@lru_cache(maxsize=512)
def kernel_of(blocked: BlockedLoop) -> KernelText:
    """Return a blocked loop's kernel, written once."""
    return blocked.kernel()


def run_blocked(call: LoopTensors, blocked: BlockedLoop, choice: KernelChoice) -> None:
    """Run a loop as a streamed, persistent or stepped kernel; fills `call.finals`."""
    _BlockedRun(call, blocked, choice).run()


class _BlockedRun:
    def __init__(self, call: LoopTensors, blocked: BlockedLoop, choice: KernelChoice) -> None:
        self.call, self.blocked, self.choice = call, blocked, choice
        self.kernel = kernel_of(blocked)
        shape = call.shape
        self.blocks = blocks_of(call.loop, shape.sizes, choice)
        self.ragged = ragged(shape, call.like.device)
        self.tiles = -(-shape.batch // choice.rows)
        self.tensors = {slot.name: self._tensor(slot) for slot in self.kernel.slots}
        self.carried = {slot.key: self.tensors[slot.name] for slot in self.kernel.slots if slot.use is Use.CARRIED}

    def run(self) -> None:
        """Run all steps."""
        call, steps = self.call, self.call.shape.steps
        self._start()
        if self.choice.kind == "streamed":
            self._launch((self.tiles, 1), 0, steps)
        # The interpreter runs one program after the other: it would wait for ever at a barrier of several.
        elif self.choice.kind == "persistent" and (not interpreting() or self.blocks == 1):
            self._launch((self.tiles, self.blocks), 0, steps, together=True)
        else:
            self._sweep_by_sweep()
        for key, carried in self.carried.items():
            assert carried is not None  # every state is carried
            call.finals[key] = carried[steps % 2].to(call.like.dtype, copy=True)

    def _tensor(self, slot: KernelSlot) -> Tensor | None:
        call, batch = self.call, self.call.shape.batch
        width = call.shape.width(slot.size)
        if slot.use is Use.CARRIED:
            return call.like.new_empty((2, batch, width), dtype=call.real)
        if slot.use is Use.SCRATCH:
            return call.like.new_empty((batch, width), dtype=call.real)
        if slot.use is Use.PARTIAL:
            return call.like.new_empty((batch, power_of_two(self.blocks)), dtype=call.real)
        return None if slot.use is Use.GIVEN else call.of(slot)

    def _start(self) -> None:
        """Bring what is carried into the loop to where its first step reads it."""
        for key, carried in self.carried.items():
            assert carried is not None  # every state is carried
            carried[0] = self.call.before(key)
            if not self.call.loop.reverse and key in self.call.histories:
                self.call.histories[key][0] = self.call.before(key)

    def _launch(
        self, grid: tuple[int, int], first: int, until: int, *, sweep: int = -1, together: bool = False
    ) -> None:
        call, choice, shape = self.call, self.choice, self.call.shape
        given: dict[str, Any] = {**self.tensors, **self.ragged, "B": shape.batch, "T": shape.steps}
        given |= {"first": first, "until": until}
        given["counters"] = call.like.new_zeros(self.tiles, dtype=torch.int32) if together else None
        constants = of_blocked(self.blocked, shape.sizes, choice, sweep)
        launch(self.kernel, grid, given, constants, choice, call.like, together=together)

    def _sweep_by_sweep(self) -> None:
        """Run the sweeps of every step one launch after the other, with their products made before each."""
        products = HostProducts(self.call, self.blocked, self.tensors) if self.choice.kind == "stepped" else None
        for step in range(self.call.shape.steps):
            for section in range(self.blocked.sections):
                if products is not None:
                    products.make(section, step)
                self._launch((self.tiles, self.blocks), step, step + 1, sweep=section)
