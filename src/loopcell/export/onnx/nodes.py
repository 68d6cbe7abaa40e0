"""GraphWriter: the nodes and constants of an ONNX graph while it is being written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper

ANY = 1 << 62  # the end of a slice that goes on to the last one


class GraphWriter:
    """Collects nodes; names are minted here, so that none is given twice.

    Args:
        outer: the writer of the graph around a loop's body, which holds the constants of both.

    Attributes:
        nodes: in the order of computation.
        constants: by name.
        place: the stage that is being written, in front of every name.
        taken: how often each name was asked for.
    """

    def __init__(self, outer: GraphWriter | None = None) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, npt.NDArray[Any]] = {} if outer is None else outer.constants
        self.taken: dict[str, int] = {} if outer is None else outer.taken
        self.place: str = "" if outer is None else outer.place

    def fresh(self, wanted: str) -> str:
        """Return a name like the wanted one that nothing has; names of inputs and outputs have no slash."""
        name = f"{self.place or 'model'}/{wanted}"
        count = self.taken[name] = self.taken.get(name, 0) + 1
        return name if count == 1 else f"{name}_{count}"

    def constant(self, value: npt.ArrayLike, name: str = "constant") -> str:
        """Add a constant, and return its name."""
        array = np.asarray(value)
        made = self.fresh(name)
        self.constants[made] = np.ascontiguousarray(array)
        return made

    def integers(self, *values: int) -> str:
        """Add a vector of whole numbers, such as axes."""
        return self.constant(np.array(values, np.int64), "integers")

    def apply(self, op: str, *operands: str, to: str = "", attributes: Mapping[str, Any] | None = None) -> str:
        """Add a node of one result, and return the result's name, which is `to` if that is given."""
        return self.several(op, operands, [to or self.fresh(op)], attributes)[0]

    def several(
        self, op: str, operands: Sequence[str], to: Sequence[str], attributes: Mapping[str, Any] | None = None
    ) -> Sequence[str]:
        """Add a node whose results are called `to`."""
        self.nodes.append(
            helper.make_node(op, list(operands), list(to), self.fresh(f"{op}_node"), **(attributes or {}))
        )
        return to

    def shape(self, value: str, start: int = 0, end: int = ANY) -> str:
        """Return the lengths of some axes of a value, as a vector."""
        whole = self.apply("Shape", value)
        return self.apply("Slice", whole, self.integers(start), self.integers(end), self.integers(0))

    def whole(self, value: str, like: str, size: int) -> str:
        """Return a value with the leading axes of another, and `size` numbers in the last."""
        shape = self.apply("Concat", self.shape(like, 0, -1), self.integers(size), attributes={"axis": 0})
        return self.apply("Expand", value, shape)
