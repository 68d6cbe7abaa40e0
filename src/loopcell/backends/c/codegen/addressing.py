"""Where values lie that a sweep does not hold in registers: tensors of the call, and scratch memory."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator

from loopcell.backends.c.codegen.layout import ADDED, KEPT, ROW, SEQUENCE, WHOLE
from loopcell.backends.c.codegen.region import RegionWriter
from loopcell.equations.graph import Node
from loopcell.equations.names import ascii_name


class ScratchWriter(RegionWriter):
    """Crossing values lie in scratch, or in a kept result that is the same value."""

    def pieces(self) -> Iterator[tuple[str, str, str]]:
        """Yield the scratch memory: (C type, name, how many)."""
        for index in self.region.crossing:
            if not self.crossing_is_result(index):
                yield "real", f"scratch_{index}", f"rows * n_{self.region.size(index)}"
        for index in self.scalars:
            yield "real", f"sum_{index}", "rows"

    @abstractmethod
    def walk(self, key: str) -> str:
        """Return how a result is walked."""

    def crossing_row(self, index: int) -> str:
        """Return where a crossing value's row lies."""
        for key, result in self.graph.results.items():
            if result == index and self.walk(key) == KEPT:
                return place_of(f"={key}", KEPT)
        return f"scratch_{index} + r * n_{self.region.size(index)}"

    def crossing_is_result(self, index: int) -> bool:
        """Say whether a crossing value lies in a kept result."""
        return any(result == index and self.walk(key) == KEPT for key, result in self.graph.results.items())

    def scalar(self, index: int) -> str:
        """Return the place of a row's scalar."""
        return f"sum_{index}[r]"


def leaf_row(node: Node) -> str:
    """Return where a row of a leaf begins that is a tensor of the call."""
    return place_of(node.key, walk_of(node))


def place_of(key: str, walk: str) -> str:
    """Return where a row of a tensor begins."""
    name = tensor(key)
    along = {SEQUENCE: f" + t * {name}_t + b * {name}_b", ROW: f" + b * {name}_b", KEPT: f" + p * {name}_b"}
    return name + along.get(walk, "")


def walk_of(node: Node) -> str:
    """Return how a leaf's tensor is walked."""
    if node.op == "random":
        return SEQUENCE if node.random is not None and node.random.each == "step" else ROW
    if node.op in ("input", "cotangent"):
        return SEQUENCE
    return {"saved": KEPT, "state": KEPT, "hoisted": ROW}.get(node.op, WHOLE)


def result_walk(key: str) -> str:
    """Return how a result of the forward loop is walked."""
    kind = key.partition(".")[0]
    return {"output": SEQUENCE, "record": SEQUENCE, "state": ROW}.get(kind, KEPT)


def gradient_walk(key: str) -> str:
    """Return how a result of the reverse loop is walked."""
    kind = key.partition(".")[0]
    return {"state": ROW, "hoisted": ROW, "parameter": ADDED}.get(kind, KEPT)


def tensor(key: str) -> str:
    """Return the C name of a tensor: what is read is `of_`, what is written `to_`."""
    prefix = "to_" if key.startswith("=") else "of_"
    return prefix + ascii_name(key.lstrip("=").replace(".", "_"))


def summed(key: str) -> str:
    """Return the C name of a sum."""
    return "sum_" + ascii_name(key.partition(".")[2].replace(".", "_"))


def swap(name: str) -> str:
    """Return the line that makes the next step's values this step's."""
    return f"{{ real *last = now_{name}; now_{name} = next_{name}; next_{name} = last; }}"
