"""Products: those of a stepped kernel, made by PyTorch before each sweep."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from loopcell.backends.triton.codegen.blocked import BlockedLoop, value_key
from loopcell.backends.triton.codegen.slots import Use
from loopcell.backends.triton.launch.tensors import LoopTensors
from loopcell.equations.keys import OUTPUT, Key, cotangent_of
from loopcell.passes.sweeps import Contraction


class HostProducts:
    """The products of a loop's sweeps.

    Args:
        call: the tensors of the loop.
        blocked: its sweeps.
        tensors: of the kernel, by the slot's name; those of the products are entered here.
    """

    def __init__(self, call: LoopTensors, blocked: BlockedLoop, tensors: dict[str, Tensor | None]) -> None:
        self._call, self._blocked, self._tensors = call, blocked, tensors
        self._sections: list[list[tuple[Contraction, list[Tensor], Tensor]]] = []
        numbers = iter(range(len(blocked.contractions)))
        for sweep in blocked.sweeps:
            self._sections.append([self._planned(next(numbers), part) for part in sweep.contractions])

    def _planned(self, number: int, part: Contraction) -> tuple[Contraction, list[Tensor], Tensor]:
        """Return a product with its factors, each [depth, width], and the room for it [B, width]."""
        parameters = self._call.leaves
        factors = []
        for _, names in part.segments:
            matrices = [parameters[Key("parameter", name)] for name in names]
            factors.append(matrices[0] if part.transposed else torch.cat(matrices).T)
        room = self._call.like.new_empty((self._call.shape.batch, factors[0].shape[1]))
        slot = self._blocked.slots[Use.GIVEN, Key("product", f"of{number}")]
        self._tensors[slot.name] = room.unsqueeze(0)
        return part, factors, room

    def make(self, section: int, step: int) -> None:
        """Make the products of a sweep at a step."""
        if section >= len(self._sections):
            return
        for part, factors, room in self._sections[section]:
            operands = [self._operand(index, step) for index, _ in part.segments]
            torch.mm(operands[0], factors[0], out=room)
            for operand, factor in zip(operands[1:], factors[1:], strict=True):
                room.addmm_(operand, factor)

    def _operand(self, index: int, step: int) -> Tensor:
        """Return [B, depth] of what is multiplied at a step."""
        call, node = self._call, self._blocked.graph.nodes[index]
        t = call.shape.steps - 1 - step if call.loop.reverse else step
        if node.args:
            found = self._slot(Use.SCRATCH, value_key(index))
        elif node.op == "state":
            found = call.histories[node.key][t] if call.loop.reverse else self._slot(Use.CARRIED, node.key)[step % 2]
            reset = call.shape.lengths.reset
            if reset is not None:
                found = found.masked_fill(reset[t].unsqueeze(-1), 0.0)
        elif node.op == "cotangent":
            arrived = node.key == cotangent_of(OUTPUT)
            found = call.leaves[node.key][t] if arrived else self._slot(Use.CARRIED, Key.parse(node.name))[step % 2]
            if call.shape.lengths.mask is not None:
                found = found.masked_fill(~call.shape.lengths.mask[t].unsqueeze(-1), 0.0)
        else:
            value = call.leaves[node.key]
            found = value[t] if value.dim() == 3 else value
        return found.expand(call.shape.batch, found.shape[-1]).to(call.like.dtype)

    def _slot(self, use: Use, key: Key) -> Tensor:
        tensor = self._tensors[self._blocked.slots[use, key].name]
        assert tensor is not None  # only products are made here
        return tensor
