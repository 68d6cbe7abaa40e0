"""The parameters of a layer: tensors as the network keeps them, and where in them each equation's parameter lies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor


@dataclass(frozen=True)
class ParameterSlice:
    """Some rows of a tensor.

    Attributes:
        base: which tensor.
        start, count: the rows; a count of -1 is the whole tensor.
    """

    base: int
    start: int
    count: int


Part = ParameterSlice
"""Its name in whole networks that were pickled by earlier versions."""


@dataclass(frozen=True, eq=False)
class WeightLayout:
    """The places of the equations' parameters in the tensors of a network; equal only to itself.

    Networks may keep the gates of a product in one tensor, as torch.nn does; kernels read and differentiate that
    tensor whole instead of cutting it apart and gluing it together at every call.

    Attributes:
        slices: of which slices each parameter is the sum, by name such as "W.i". A sum is what torch.nn's two biases
            are, of which the equations have one.
        text: the same as the operator's text has it: "W.i=0:0:64;b.i=2:0:64+3:0:64", each base:start:count.
    """

    slices: Mapping[str, tuple[ParameterSlice, ...]]
    text: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Write the text at once: where torch.compile traces through a call, it cannot be made on demand."""
        sums = [
            name + "=" + "+".join([f"{part.base}:{part.start}:{part.count}" for part in parts])
            for name, parts in self.slices.items()
        ]
        object.__setattr__(self, "text", ";".join(sums))

    @classmethod
    def separate(cls, names: Mapping[str, object]) -> WeightLayout:
        """Return the layout in which every parameter is a tensor of its own, in order."""
        return cls({name: (ParameterSlice(base, 0, -1),) for base, name in enumerate(names)})

    @classmethod
    def parse(cls, text: str) -> WeightLayout:
        """Read back what `text` is."""
        slices = {}
        for entry in filter(None, text.split(";")):
            name, _, sums = entry.partition("=")
            slices[name] = tuple(ParameterSlice(*map(int, part.split(":"))) for part in sums.split("+"))
        return cls(slices)


@dataclass(slots=True, eq=False)
class Weights:
    """The parameters of one layer and direction.

    Attributes:
        bases: the tensors.
        layout: where in them each parameter of the equations lies.
    """

    bases: tuple[Tensor, ...]
    layout: WeightLayout

    @classmethod
    def of(cls, named: Mapping[str, Tensor]) -> Weights:
        """Take every parameter as a tensor of its own."""
        return cls(tuple(named.values()), WeightLayout.separate(named))

    def named(self) -> dict[str, Tensor]:
        """Return every parameter under its own name, differentiable."""
        return {name: self._sum(parts) for name, parts in self.layout.slices.items()}

    def _sum(self, parts: tuple[ParameterSlice, ...]) -> Tensor:
        first, *others = (
            self.bases[part.base] if part.count < 0 else self.bases[part.base].narrow(0, part.start, part.count)
            for part in parts
        )
        for other in others:
            first = first + other
        return first
