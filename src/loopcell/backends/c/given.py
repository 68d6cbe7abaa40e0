"""Where a kernel finds what it is given: addresses and strides, looked up once and kept while weights stay put."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from torch import Tensor

from loopcell.backends.c.kernel import Kernel
from loopcell.backends.c.layout import SEQUENCE

if TYPE_CHECKING:
    from loopcell.backends.c.sequence import Recipe


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
        self.known: tuple[object, list[int], list[int]] | None = None
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

    def look_up(self, tensors: Sequence[Tensor]) -> tuple[list[int], list[int], list[Tensor]]:
        """Return addresses and strides, with zeros for what the call makes, and what must stay alive until its end."""
        bases = tensors[self.count :]
        where = [(base.data_ptr(), base.stride()) for base in bases]
        known = self.known
        if known is None or known[0] != where:
            known = self.known = (where, *self._parameters(bases))
        addresses, strides = known[1].copy(), known[2].copy()
        for place, which, is_sequence in self.given:
            tensor = tensors[which]
            addresses[place] = tensor.data_ptr()
            if is_sequence:
                strides[2 * place], strides[2 * place + 1], _ = tensor.stride()
            elif tensor.dim() == 2:
                strides[2 * place + 1] = tensor.stride(0)
        alive = []
        for which_ones, places in self.summed.items():
            total = bases[which_ones[0]].detach()
            for which in which_ones[1:]:
                total = total + bases[which].detach()
            alive.append(total)
            start, leading = total.data_ptr(), total.stride(0) if total.dim() else 0
            for place, first in places:
                addresses[place] = start + first * leading * total.element_size()
                strides[2 * place] = leading
        return addresses, strides, alive

    def _parameters(self, bases: Sequence[Tensor]) -> tuple[list[int], list[int]]:
        """Return addresses and strides of the parameters that lie in one base; the same until a base moves."""
        addresses = [0] * (len(self.kernel.slots) + len(self.kernel.matrices))
        strides = [0] * (2 * len(addresses))
        for place, which, first in self.single:
            base = bases[which]
            leading = base.stride(0) if base.dim() else 0
            addresses[place] = base.data_ptr() + first * leading * base.element_size()
            strides[2 * place] = leading
        return addresses, strides


def plain(tensor: Tensor) -> Tensor:
    """Return a tensor whose last axis is in one piece, as the kernels read it."""
    return tensor if tensor.dim() == 0 or tensor.stride(-1) == 1 or tensor.shape[-1] <= 1 else tensor.contiguous()
