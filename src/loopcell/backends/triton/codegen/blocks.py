"""Blocks: the text of loads, stores and operations on [rows, units], which kernels of every kind are made of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from loopcell.backends.triton.codegen.slots import ONE, Access, Sizes, Slot
from loopcell.backends.triton.spelling import SPELLING
from loopcell.equations.graph import Graph, Node
from loopcell.equations.names import ascii_name


def width(size: str) -> str:
    """Return the text of a size's number."""
    return "1" if size == ONE else f"N_{ascii_name(size)}"


def units(size: str) -> str:
    """Return the name of the positions of a block among a size's units, [1, units]."""
    return "u_1" if size == ONE else f"u_{ascii_name(size)}"


def row_offset(slot: Slot) -> str:
    """Return the text of where a slot's rows begin: of step `t` and of the batch's rows `b`, in 64 bits."""
    if slot.access is Access.SEQUENCE:
        return f"at * {slot.name}_s"
    if slot.access is Access.ROW:
        return f"b * {width(slot.size)}"
    assert slot.access is Access.WHOLE  # states are found by their step, matrices by their columns
    return "0"


def load(slot: Slot, offset: str = "", position: str = "") -> str:
    """Return the load of a block of a slot, in the kernel's precision."""
    u = position or units(slot.size)
    inside = f"{u} < {width(slot.size)}"
    mask = inside if slot.access is Access.WHOLE else f"in_b & ({inside})"
    return f"tl.load({slot.name} + {offset or row_offset(slot)} + {u}, mask={mask}, other=0.0).to(REAL)"


def store(slot: Slot, value: str, offset: str = "") -> str:
    """Return the store of a block to a slot. A value of parameters alone is broadcast to the rows."""
    u = units(slot.size)
    inside = f"in_b & ({u} < {width(slot.size)})"
    return f"tl.store({slot.name} + {offset or row_offset(slot)} + {u}, {value}, mask={inside})"


def spelled(graph: Graph, sizes: Sizes, node: Node, block: str) -> str:
    """Return the text of a pointwise op over named operands.

    Args:
        graph: of the node.
        sizes: of the graph.
        node: the op.
        block: the text of a block's units, for what makes a vector of a number.
    """
    operands = [operand(graph, arg) for arg in node.args]
    return SPELLING[node.op].format(*operands, units=block if sizes.of_node(node) != ONE else "1")


def operand(graph: Graph, index: int) -> str:
    """Return the name of a value, or the text of a number."""
    node = graph.nodes[index]
    if node.op == "constant":
        # A block, and no Python number, so that a number alone may be the operand of anything.
        return f"tl.full([1, 1], {_number(node.value)}, REAL)"
    if node.op == "size":
        return f"tl.full([1, 1], N_{ascii_name(sizes_name(graph, node))}, REAL)"
    return f"v{index}"


def sizes_name(graph: Graph, node: Node) -> str:
    """Return the one name of the size whose number a leaf is."""
    return Sizes(graph).name(node.name)


def _number(value: float) -> str:
    text = repr(float(value))
    return text if text[-1].isdigit() else f'float("{text}")'


def indented(lines: Iterable[str], levels: int = 1) -> Iterator[str]:
    """Yield lines moved to the right."""
    return (f"{'    ' * levels}{line}" for line in lines)
