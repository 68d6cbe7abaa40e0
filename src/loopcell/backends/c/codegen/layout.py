"""Layout: the tensors among a kernel's arguments, the register tiles of its products, and the packing of weights.

Everything here is decided before any C is written, from the graph alone, so that the text (region.py, kernel.py) and
the calls (launch/arguments.py) cannot disagree about it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from loopcell.equations.graph import Graph, Node
from loopcell.equations.keys import Key
from loopcell.passes.sweeps import Contraction, Sweep, same_sizes, sweeps


class Access(Enum):
    """The access pattern of a tensor: which rows it has, and by which strides a kernel finds them."""

    SEQUENCE = "[T, B, n], by two strides"
    ROW = "[B, n], the same at every step"
    SAVED = "[N, n], a row for every valid step of every row of the batch, in the order of computation"
    WHOLE = "the same for all rows and steps, such as a parameter"
    SUMMED = "[threads, n], a row for every thread, to be added up after the loop"


class Role(Enum):
    """A kernel's use of a tensor."""

    READ = "read"
    WRITTEN = "written"
    STATE_BEFORE = "a state's values before each step, saved for backward: written at one step and read at the next"


SlotKey = tuple[Role, Key]
"""Which tensor of a kernel: a leaf that it reads and a result that it writes may have one key, such as state.h."""


@dataclass(frozen=True)
class Slot:
    """One tensor of a kernel: an address and two strides in its arguments.

    Attributes:
        role: what the kernel does with it.
        key: the leaf that is read, the result that is written, or the state.
        access: how its rows are found.
    """

    role: Role
    key: Key
    access: Access


class Factors(Enum):
    """The form of what products multiply: the packed weights, and their operands."""

    FULL = "both in the kernel's precision"
    PAIRS = "both rounded to bfloat16, multiplied two at a time"
    TILES = "both rounded to bfloat16, multiplied tile by tile"
    SPLIT = "both as a sum of two numbers in bfloat16, of whose four products three are added, tile by tile"
    BF16 = "weights in bfloat16, widened as they are read; operands as they are"
    INT8 = "weights in int8 with a scale for each row; operands in 16 bits (14 on some CPUs) with one for the vector"

    @property
    def narrow(self) -> bool:
        """True where only the weights are short, packed by Python: they are never read from the network's tensors."""
        return self in (Factors.BF16, Factors.INT8)

    @property
    def rounds_operands(self) -> bool:
        """True where operands are brought into another form before they are multiplied."""
        return self in (Factors.PAIRS, Factors.TILES, Factors.SPLIT, Factors.INT8)

    @property
    def on_tiles(self) -> bool:
        """True where one instruction multiplies 16 rows of operands with the weights of 16 units."""
        return self in (Factors.TILES, Factors.SPLIT)

    @property
    def in_bfloat16(self) -> bool:
        """True where all of an operand that is multiplied is its rounding to bfloat16."""
        return self in (Factors.PAIRS, Factors.TILES)

    @property
    def weight(self) -> str:
        """The C type of a number of a pack."""
        return "weight" if self.narrow else "factor"

    @property
    def header(self) -> str:
        """The header that has the products."""
        return {Factors.BF16: "products_bf16", Factors.INT8: "products_int8"}.get(self, "products")


TILE_ROWS = 32
"""Rows of a product on tiles: two tiles of operands, so that a tile of weights serves twice."""


@dataclass(frozen=True)
class RegisterTile:
    """The cut of a contraction into register tiles.

    Attributes:
        gates: G, results side by side.
        unroll: N, the factor by which the loop over units is unrolled, in vectors.
        group: rows of a tile where there are many: all accumulators are in registers in one pass.
        rows: M, the most rows of a tile: so few that one tile, in two passes of half of the vectors each, reads
            every weight once where two tiles would read it twice.
    """

    gates: int
    unroll: int
    group: int
    rows: int

    @property
    def vectors(self) -> int:
        """Vectors of weights that are read for each number of the operand."""
        return self.gates * self.unroll


@dataclass(frozen=True)
class Pack:
    """A contraction's weights in the order in which a kernel reads them: [blocks of units, K, G, N, lanes].

    Attributes:
        contraction: whose weights.
        tile: how it is cut.
        units, depth: names of the sizes: of the results, and of the operands one after the other.
    """

    contraction: Contraction
    tile: RegisterTile
    units: str
    depth: tuple[str, ...]

    @property
    def matrices(self) -> tuple[str, ...]:
        """The parameters, gate by gate, or segment by segment where they are read by columns."""
        return tuple(name for _, names in self.contraction.segments for name in names)


class Region:
    """A graph as loops over units, with the packs of its products.

    Attributes:
        graph: what it computes.
        sweeps: the loops.
        packs: the packed weights, in order.
        spilled: the vectors that go through memory, since a later sweep or a product reads them.
        size_aliases: sizes that the equations demand to be equal to another: {name: the other's name}.
        factors: what products multiply.
    """

    def __init__(self, graph: Graph, registers: int, factors: Factors = Factors.FULL) -> None:
        self.graph = graph
        self.factors = factors
        self.sweeps = sweeps(graph)
        self.size_aliases = same_sizes(graph)
        self.packs = tuple(self._packs(registers))
        self.spilled = self._spilled()

    def size(self, index: int) -> str:
        """Return the name of a vector's size."""
        size = self.graph.nodes[index].dims[0]
        return self.size_aliases.get(size, size)

    def sizes(self) -> Iterator[str]:
        """Yield the names of all sizes that the loops need."""
        for node in self.graph.nodes:
            yield from (self.size_aliases.get(size, size) for size in node.dims)
            if node.op == "size":
                yield node.name

    def parts(self) -> Iterator[tuple[str, str, int]]:
        """Yield for every loop over units how a member's part of them is called, their size, and vectors a block."""
        for sweep in self.sweeps:
            if sweep.size:
                yield part_name(sweep.size, self.unroll(sweep)), sweep.size, self.unroll(sweep)

    def unroll(self, sweep: Sweep) -> int:
        """Return how many vectors of units a sweep takes at a time."""
        return next((pack.tile.unroll for pack in self.packs if pack.contraction in sweep.contractions), 1)

    def stores(self, sweep: Sweep) -> bool:
        """Say whether a sweep over units writes what other members of a team may read."""
        written = {*self.spilled, *self.graph.results.values()}
        return bool(sweep.size) and any(index in written for index in _computed(sweep) if self.graph.nodes[index].dims)

    def matrices(self) -> set[Key]:
        """Return the keys of the parameters that products read."""
        return {Key("parameter", name) for pack in self.packs for name in pack.matrices}

    def leaves(self) -> dict[Key, Node]:
        """Return the leaves that are tensors, by key, matrices left out."""
        matrices = self.matrices()
        nodes = (node for _, node in self.graph.leaves() if node.op not in ("constant", "size"))
        return {node.key: node for node in nodes if node.key not in matrices}

    def _packs(self, registers: int) -> Iterator[Pack]:
        # All products of a sweep stand in one loop over tiles of rows, so they share N and the rows of a tile: the
        # widest of them decides, since its accumulators have to fit into the registers.
        for sweep in self.sweeps:
            unroll = min((_unroll(len(part.results)) for part in sweep.contractions), default=1)
            widest = max((len(part.results) for part in sweep.contractions), default=1)
            group = max(1, min(8, registers // (widest * unroll)))
            # M: with few rows each half of the vectors is taken in a pass of its own, and then more rows fit.
            vectors = [len(part.results) * unroll for part in sweep.contractions]
            halves = [count // 2 if count % 2 == 0 else count for count in vectors]
            rows = max(group, min((registers // count for count in halves), default=1))
            if self.factors.on_tiles:  # which hold the sums
                group = rows = TILE_ROWS
            for part in sweep.contractions:
                depth = tuple(self.size(operand) for operand, _ in part.segments)
                yield Pack(
                    part, RegisterTile(len(part.results), unroll, group, rows), self.size(part.results[0]), depth
                )

    def _spilled(self) -> tuple[int, ...]:
        """Return the vectors whose live range leaves their sweep, or that a product reads: both need memory."""
        sweep_of = {index: place for place, sweep in enumerate(self.sweeps) for index in _computed(sweep)}
        needed: dict[int, None] = {}
        for sweep in self.sweeps:
            for part in sweep.contractions:
                # A product reads its whole operand for every unit, which no register can offer; leaves are in memory
                # anyway.
                needed |= {operand: None for operand, _ in part.segments if self.graph.nodes[operand].args}
            if sweep.contractions:
                # Its units come block by block for all rows; a sum is taken row by row, when all blocks are there.
                summed = (self.graph.nodes[index].args[0] for index in sweep.sums)
                needed |= {value: None for value in summed if self.graph.nodes[value].args}
        for index, node in enumerate(self.graph.nodes):
            for arg in node.args:
                crosses = arg in sweep_of and sweep_of.get(index) != sweep_of[arg]
                if self.graph.nodes[arg].dims and crosses:
                    needed[arg] = None
        return tuple(sorted(needed))


def _computed(sweep: Sweep) -> Iterator[int]:
    yield from (*sweep.scalars, *sweep.pointwise, *sweep.sums)
    for part in sweep.contractions:
        yield from part.results


def _unroll(gates: int) -> int:
    """Return N for a number of gates: with few gates further vectors of units fill the registers that are left."""
    return {1: 4, 2: 2}.get(gates, 1)


def part_name(size: str, unroll: int) -> str:
    """Return the C name of a member's part of the units of a size, cut in blocks of so many vectors."""
    return f"part_{size}_{unroll}"
