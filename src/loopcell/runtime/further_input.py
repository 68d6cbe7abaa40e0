"""An input of a step beside the first one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from loopcell.equations.graph import Node


class FurtherInput(NamedTuple):
    """An input of a step that a call gives by name.

    Attributes:
        size: the name of its length; "" where it is one number.
        width: its length, 1 of one number.
    """

    size: str
    width: int

    @classmethod
    def of(cls, node: Node, sizes: Mapping[str, int]) -> FurtherInput:
        """Return what a leaf of a cell's graph is, where sizes are known."""
        size = "".join(node.dims)
        return cls(size, sizes[size] if size else 1)
