"""What a kernel is given: its tensors, sizes and packed weights, in order, and how products are blocked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from loopcell.equations.graph import Graph
from loopcell.passes.sweeps import Contraction, Sweep, sweeps


@dataclass(frozen=True)
class Blocking:
    """How a contraction is cut for the registers.

    Attributes:
        gates: G, results side by side.
        neighbours: N, vectors of neighbouring units taken together.
        rows: M, rows at a time; G * N * M accumulators.
    """

    gates: int
    neighbours: int
    rows: int

    @property
    def vectors(self) -> int:
        """Vectors of weights that are read for each number of the operand."""
        return self.gates * self.neighbours


@dataclass(frozen=True)
class Pack:
    """A contraction's weights in the order in which a kernel reads them: [blocks of units, K, G, N, lanes].

    Attributes:
        contraction: whose weights.
        blocking: how it is cut.
    """

    contraction: Contraction
    blocking: Blocking


class Layout:
    """The arguments of a kernel.

    Attributes:
        graph: what it computes.
        sweeps: the loops.
        tensors: keys of the tensors: leaves as the graph has them, results with "=" before the key.
        packs: the packed weights, after the tensors.
        sizes: names of the sizes.
    """

    def __init__(self, graph: Graph, registers: int) -> None:
        self.graph = graph
        self.sweeps = sweeps(graph)
        self.packs = tuple(_packs(self.sweeps, registers))
        leaves = [node.key for _, node in graph.leaves() if node.op not in ("constant", "size")]
        matrices = {
            f"parameter.{name}" for pack in self.packs for _, names in pack.contraction.segments for name in names
        }
        self.tensors = tuple(dict.fromkeys(key for key in leaves if key not in matrices))
        self.tensors += tuple(f"={key}" for key in graph.results)
        sizes = [size for node in graph.nodes for size in node.dims]
        self.sizes = tuple(dict.fromkeys([*sizes, *(node.name for _, node in graph.leaves("size"))]))

    def pack_of(self, contraction: Contraction) -> int:
        """Return the number of a contraction's pack."""
        return next(place for place, pack in enumerate(self.packs) if pack.contraction is contraction)


def _packs(loops: tuple[Sweep, ...], registers: int) -> Iterator[Pack]:
    for sweep in loops:
        neighbours = min((_neighbours(len(part.results)) for part in sweep.contractions), default=1)
        widest = max((len(part.results) for part in sweep.contractions), default=1)
        rows = max(1, min(8, registers // (widest * neighbours)))
        for part in sweep.contractions:
            yield Pack(part, Blocking(len(part.results), neighbours, rows))


def _neighbours(gates: int) -> int:
    """Few gates leave registers free: neighbouring units take them."""
    return {1: 4, 2: 2}.get(gates, 1)
