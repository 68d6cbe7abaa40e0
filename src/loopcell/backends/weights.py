"""The parameters of a layer: tensors as the network keeps them, and where in them each equation's parameter lies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Part:
    """Some rows of a tensor.

    Attributes:
        base: which tensor.
        start, count: the rows; a count of -1 is the whole tensor.
    """

    base: int
    start: int
    count: int


@dataclass(slots=True, eq=False)
class Weights:
    """The parameters of one layer and direction.

    Networks may keep the gates of a product in one tensor, as torch.nn does; kernels read and differentiate that
    tensor whole instead of cutting it apart and gluing it together at every call.

    Attributes:
        bases: the tensors.
        parts: of which parts each parameter of the equations is the sum, by name such as "W.i".
        text: the same as `write_parts` writes it.
    """

    bases: tuple[Tensor, ...]
    parts: Mapping[str, tuple[Part, ...]]
    text: str

    @classmethod
    def of(cls, named: Mapping[str, Tensor]) -> Weights:
        """Take every parameter as a tensor of its own."""
        parts = {name: (Part(place, 0, -1),) for place, name in enumerate(named)}
        return cls(tuple(named.values()), parts, write_parts(parts))

    def named(self) -> dict[str, Tensor]:
        """Return every parameter under its own name, differentiable."""
        return {name: self._sum(parts) for name, parts in self.parts.items()}

    def float(self) -> Weights:
        """Return the same in float32, differentiable."""
        return Weights(tuple([base.float() for base in self.bases]), self.parts, self.text)

    def _sum(self, parts: tuple[Part, ...]) -> Tensor:
        first, *others = (
            self.bases[part.base] if part.count < 0 else self.bases[part.base].narrow(0, part.start, part.count)
            for part in parts
        )
        for other in others:
            first = first + other
        return first


def write_parts(parts: Mapping[str, tuple[Part, ...]]) -> str:
    """Write parts as text: "W.i=0:0:64;b.i=2:0:64+3:0:64", each base:start:count."""
    return ";".join(
        [name + "=" + "+".join([f"{p.base}:{p.start}:{p.count}" for p in sums]) for name, sums in parts.items()]
    )


def read_parts(text: str) -> dict[str, tuple[Part, ...]]:
    """Read back what `write_parts` wrote."""
    parts = {}
    for entry in filter(None, text.split(";")):
        name, _, sums = entry.partition("=")
        parts[name] = tuple(Part(*map(int, part.split(":"))) for part in sums.split("+"))
    return parts
