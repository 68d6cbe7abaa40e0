"""Layout: which tensors a cell's loop and its reverse step read and write, the same for kernels of every kind.

The forward loop saves what the reverse step asks for, and every state before each step that it asks for, [T + 1, B, n]:
the last of these is the state after the last step. So either loop may be of any kind.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from loopcell.backends.triton.codegen.slots import Access, Sizes, Slots, Use, leaf_access
from loopcell.equations.graph import Graph, Node
from loopcell.equations.keys import Key, state_keys
from loopcell.passes.program import Program


@dataclass(frozen=True, eq=False)
class Loop:
    """A loop over time, before it is written in one way or another.

    Attributes:
        name: "forward", "forward_and_save" or "reverse".
        graph: one step.
        program: whose loop it is.
        reverse: it runs against the order of time.
        histories: keys of the states whose values before each step are kept for the reverse loop, or read by it.
        same: results that are the same value as another, which alone is written, or as a leaf: {key: the other's}.
    """

    name: str
    graph: Graph
    program: Program
    reverse: bool
    histories: tuple[Key, ...]
    same: dict[Key, Key]

    @property
    def states(self) -> tuple[Key, ...]:
        """The keys of the states, in the cell's order."""
        return state_keys(self.graph.states)

    @property
    def sizes(self) -> Sizes:
        """The names of sizes."""
        return Sizes(self.graph)

    @property
    def named_sizes(self) -> tuple[str, ...]:
        """The names of all sizes that a step speaks of."""
        sizes, nodes = self.sizes, self.graph.nodes
        named = [size for node in nodes for size in (*node.dims, *([node.name] if node.op == "size" else ()))]
        return tuple(dict.fromkeys(sizes.name(size) for size in named))

    @property
    def matrices(self) -> tuple[tuple[str, str], ...]:
        """The names of the two sizes of every matrix."""
        sizes = self.sizes
        return tuple((sizes.name(n.dims[0]), sizes.name(n.dims[1])) for n in self.leaves() if len(n.dims) > 1)

    def leaves(self) -> Iterator[Node]:
        """Yield the leaves that are tensors, states and their cotangents aside."""
        for _, node in self.graph.leaves():
            carried = node.op == "state" or (node.op == "cotangent" and node.name != "output")
            if not carried and node.op not in ("constant", "size"):
                yield node

    def written(self) -> Iterator[tuple[Key, Use, Access]]:
        """Yield the results that are stored, states aside, with the way in which they are."""
        for key in self.graph.results:
            if key.kind == "state" or key in self.same:
                continue
            summed = key.kind == "parameter" or (key.kind == "hoisted" and key.name not in self.program.varying)
            yield key, *((Use.SUMMED, Access.ROW) if summed else (Use.WRITTEN, Access.SEQUENCE))

    def add_leaves(self, slots: Slots) -> None:
        """Give every leaf a slot."""
        for node in self.leaves():
            access = leaf_access(self.program, node)
            size = self.sizes.name(node.dims[-1]) if access is Access.MATRIX else self.sizes.of_node(node)
            slots.add(Use.READ, node.key, access, size)

    def add_results(self, slots: Slots) -> None:
        """Give every stored result a slot, states aside."""
        for key, use, access in self.written():
            slots.add(use, key, access, self.sizes.of(self.graph.results[key]))


def forward_loop(program: Program, *, saves: bool) -> Loop:
    """Return the loop in the order of time."""
    graph = program.loop_and_save() if saves else program.loop
    histories = _histories(program) if saves else ()
    return Loop("forward_and_save" if saves else "forward", graph, program, False, histories, {})


def reverse_loop(program: Program) -> Loop:
    """Return the loop against the order of time."""
    graph = program.backward.graph
    same: dict[Key, Key] = {}
    first: dict[int, Key] = {}
    for key, index in graph.results.items():
        node = graph.nodes[index]
        if key.kind == "operand" and node.op in ("saved", "state", "hoisted"):
            same[key] = node.key  # what the loop read is there for the products after it
        elif key.kind in ("product", "operand") or (key.kind == "hoisted" and key.name in program.varying):
            if first.setdefault(index, key) != key:
                same[key] = first[index]
    return Loop("reverse", graph, program, True, _histories(program), same)


def _histories(program: Program) -> tuple[Key, ...]:
    """Return the keys of the states whose values before each step the reverse loop, or a product after it, reads."""
    read = {node.key for _, node in program.backward.graph.leaves("state")}
    read |= {product.operand for product in program.backward.outer if product.operand.kind == "state"}
    return tuple(key for key in state_keys(program.loop.states) if key in read)
