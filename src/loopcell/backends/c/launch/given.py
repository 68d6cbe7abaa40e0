"""Where a kernel finds what it is given: addresses and strides, looked up once and kept while weights stay put."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from loopcell.backends.c.codegen.kernel import Kernel
from loopcell.backends.c.codegen.layout import SEQUENCE
from loopcell.backends.c.launch.kernels import DATA
from loopcell.errors import InputError

if TYPE_CHECKING:
    from loopcell.backends.c.launch.sequence import Call, Recipe

Where = tuple[int, tuple[int, ...], torch.Size]
"""The address, the strides and the shape of a base."""


class Given:
    """Where a kernel finds what it is given: the tensors of the call, and the parameters in their bases."""

    def __init__(self, recipe: Recipe, kernel: Kernel, bases: Sequence[Tensor]) -> None:
        self.recipe = recipe
        self.kernel = kernel
        self.count = len(recipe.keys)
        self.sizes = [recipe.sizes[size] for size in kernel.sizes]
        self.walks = {slot.key: slot.walk for slot in kernel.slots}
        places = {slot.key: place for place, slot in enumerate(kernel.slots)}
        self.places = places
        self.given = [
            (places[key], place, self.walks[key] == SEQUENCE) for place, key in enumerate(recipe.keys) if key in places
        ]
        vectors = [slot.key.removeprefix("parameter.") for slot in kernel.slots if slot.key.startswith("parameter.")]
        names = [(places[f"parameter.{name}"], name) for name in vectors]
        names += [(len(kernel.slots) + place, name) for place, name in enumerate(kernel.matrices)]
        self.at = DATA + len(self.sizes)
        self.strides = self.at + len(kernel.slots) + len(kernel.matrices)
        self.single: list[tuple[int, int, int]] = []
        self.summed: dict[tuple[int, ...], list[tuple[int, int]]] = {}
        for place, name in names:
            parts = recipe.parts[name]
            bases_of = tuple(part.base for part in parts)
            if len({part.start for part in parts}) > 1 or len({bases[base].shape for base in bases_of}) > 1:
                raise NotImplementedError("the parts of a sum lie at the same place of tensors of one shape")
            if len(parts) == 1:
                self.single.append((place, parts[0].base, parts[0].start))
            else:
                self.summed.setdefault(bases_of, []).append((place, parts[0].start))

    def begin(self, call: Call, tensors: Sequence[Tensor]) -> tuple[array[int], list[Tensor]]:
        """Return the kernel's arguments, with zeros for what the call makes, and what must stay alive until its end."""
        bases = tensors[self.count :]
        where = [(base.data_ptr(), base.stride(), base.shape) for base in bases]
        known = call.blocks.get(self)
        if known is None or known[0] != where:
            known = call.blocks[self] = (where, self._block(call, where, bases))
        block = known[1][:]
        at, strides = self.at, self.strides
        for place, which, is_sequence in self.given:
            tensor = tensors[which]
            address = block[at + place] = tensor.data_ptr()
            if not address:
                check_has_memory(tensor)
            if is_sequence:
                block[strides + 2 * place], block[strides + 2 * place + 1], _ = tensor.stride()
            elif tensor.dim() == 2:
                block[strides + 2 * place + 1] = tensor.stride(0)
        alive = []
        for which_ones, places in self.summed.items():
            total = bases[which_ones[0]]
            for which in which_ones[1:]:
                total = total + bases[which]
            alive.append(total)
            start, leading = total.data_ptr(), total.stride(0) if total.dim() else 0
            for place, first in places:
                block[at + place] = start + first * leading * total.element_size()
                block[strides + 2 * place] = leading
        return block, alive

    def put(self, block: array[int], place: int, address: int, from_row_to_row: int) -> None:
        """Enter where a tensor of the call lies."""
        block[self.at + place] = address
        block[self.strides + 2 * place + 1] = from_row_to_row

    def _block(self, call: Call, where: list[Where], bases: Sequence[Tensor]) -> array[int]:
        """Return the arguments as they are at every such call, until a base moves."""
        self.recipe.check_shapes(bases)
        for base in bases:
            check_has_memory(base)
        addresses = [0] * (len(self.kernel.slots) + len(self.kernel.matrices))
        strides = [0] * (2 * len(addresses))
        for place, which, first in self.single:
            start, steps, _ = where[which]
            leading = steps[0] if steps else 0
            addresses[place] = start + first * leading * bases[which].element_size()
            strides[2 * place] = leading
        return self.recipe.kernels.arguments(self.kernel, addresses, strides, self.sizes, call.rows)


def check_has_memory(tensor: Tensor) -> None:
    """Refuse a tensor whose memory was taken away, as sharded training does with parameters that are not in use.

    Raises:
        InputError: there are numbers to read, and no memory.
    """
    if tensor.numel() and not tensor.data_ptr():
        raise InputError(f"a tensor {list(tensor.shape)} has no memory: its storage was resized to 0")


def plain(tensor: Tensor) -> Tensor:
    """Return a tensor whose last axis is contiguous, as the kernels read it."""
    return tensor if tensor.dim() == 0 or tensor.stride(-1) == 1 or tensor.shape[-1] <= 1 else tensor.contiguous()
