"""Slots: the tensors of a kernel, each an address among its arguments, and the way in which it finds their rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

from loopcell.equations.graph import Graph, Node
from loopcell.equations.keys import Key
from loopcell.equations.names import ascii_name
from loopcell.passes.program import Program
from loopcell.passes.sweeps import same_sizes

ONE = "1"
"""The name of the size of a scalar."""


class Access(Enum):
    """The access pattern of a tensor.

    Every tensor's last axis is contiguous. SEQUENCE and MATRIX have a stride from row to row among the arguments.
    """

    SEQUENCE = "[T, B, n], row after row at one stride"
    ROW = "[B, n], the same at every step"
    WHOLE = "[n], the same for all rows and steps"
    MATRIX = "[m, n], the factor of a product"
    STATES = "[T + 1, B, n], or [2, B, n] in turn: a row before each step and one after the last"


class Use(Enum):
    """A kernel's use of a tensor."""

    READ = "read"
    WRITTEN = "written"
    SUMMED = "added to at every step, by row; zeros before"
    HISTORY = "a state before each step, and after the last one: for the reverse loop"
    CARRIED = "from step to step: a state, or its cotangent"
    SCRATCH = "within a step: from one sweep to another"
    PARTIAL = "within a step: the sums over blocks of units, a number for each block"
    GIVEN = "products that were made before the kernel ran"


@dataclass(frozen=True)
class Slot:
    """One tensor of a kernel.

    Attributes:
        use: what the kernel does with it.
        key: the leaf that it reads, the result that it writes.
        access: how its rows are found.
        size: the name of its length; "1" of a scalar.
        name: of its address among the arguments.
    """

    use: Use
    key: Key
    access: Access
    size: str
    name: str

    @property
    def strided(self) -> bool:
        """True where a stride from row to row is among the arguments, as NAME_s."""
        return self.access in (Access.SEQUENCE, Access.MATRIX)


_PREFIX: Mapping[Use, str] = {
    Use.READ: "",
    Use.WRITTEN: "to_",
    Use.SUMMED: "sum_",
    Use.HISTORY: "history_",
    Use.CARRIED: "carried_",
    Use.SCRATCH: "scratch_",
    Use.PARTIAL: "partial_",
    Use.GIVEN: "given_",
}


class Slots:
    """The slots of a kernel, in the order of its arguments, by use and key."""

    def __init__(self) -> None:
        self._found: dict[tuple[Use, Key], Slot] = {}
        self._names: set[str] = set()

    def __iter__(self) -> Iterator[Slot]:
        """Yield the slots in order."""
        return iter(self._found.values())

    def __getitem__(self, place: tuple[Use, Key]) -> Slot:
        """Return the slot of a use and key."""
        return self._found[place]

    def get(self, use: Use, key: Key) -> Slot | None:
        """Return the slot of a use and key, if there is one."""
        return self._found.get((use, key))

    def add(self, use: Use, key: Key, access: Access, size: str) -> Slot:
        """Return the slot of a use and key, which is new if need be."""
        if (use, key) not in self._found:
            name = ascii_name(_PREFIX[use] + str(key).replace(".", "_"))
            while name in self._names or f"{name}_s" in self._names:
                name += "_"
            self._names |= {name, f"{name}_s"}
            self._found[use, key] = Slot(use, key, access, size, name)
        return self._found[use, key]


class Sizes:
    """The sizes of a graph under one name each: `sized` gives a size a second one."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._same = same_sizes(graph)

    def name(self, size: str) -> str:
        """Return the one name of a size."""
        return self._same.get(size, size)

    def of(self, index: int) -> str:
        """Return the name of a value's size."""
        dims = self._graph.nodes[index].dims
        return self.name(dims[0]) if dims else ONE

    def of_node(self, node: Node) -> str:
        """Return the name of a leaf's size."""
        return self.name(node.dims[0]) if node.dims else ONE


def leaf_access(program: Program, node: Node) -> Access:
    """Return how the rows of a leaf of the loop, or of its reverse step, are found; states aside."""
    if node.op in ("saved", "cotangent"):
        return Access.SEQUENCE
    if node.op == "random":
        return Access.ROW
    if node.op == "hoisted":
        return Access.SEQUENCE if node.name in program.varying else _invariant_access(program, node)
    return Access.MATRIX if len(node.dims) > 1 else Access.WHOLE


def _invariant_access(program: Program, node: Node) -> Access:
    """Tell an invariant that has a row for every row of the batch, since it was drawn, from one that has one row."""
    drawn = program.prologue.dependents("random")
    return Access.ROW if program.prologue.results[node.key] in drawn else Access.WHOLE
