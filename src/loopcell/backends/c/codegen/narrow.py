"""The kernel of a step with narrow weights: the forward loop, whose weights are given packed."""

from __future__ import annotations

from collections.abc import Iterator

from loopcell.backends.c.codegen.forward import ForwardKernel
from loopcell.backends.c.codegen.layout import Factors, Pack
from loopcell.passes.hoist import Hoisted


class NarrowKernel(ForwardKernel):
    """The loop for inference that reads nothing of the network's matrices but their packs.

    Python makes the packs (launch/narrow.py), in the order of `Pack`, so there is no C for that.
    """

    def __init__(self, hoisted: Hoisted, registers: int, factors: Factors) -> None:
        super().__init__("forward", hoisted, frozenset(), registers, factors)
        self.matrices = ()

    def text(self) -> str:
        """Return the C text."""
        return "\n\n".join("\n".join(part) for part in (self._share_functions(), [self._shared()])) + "\n"

    def _shared(self) -> str:
        return f"SHARED_PACKED({self.name}, {len(self.sizes)}, {len(self.slots)})"

    def _matrices_of(self, number: int, pack: Pack) -> Iterator[str]:
        del number, pack
        return iter(())
