"""Printing equations: as text close to what the author wrote, and as LaTeX with time subscripts."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace

from loopcell.equations.graph import Graph, Node
from loopcell.equations.ops import ATOM, OPS, SUM

Name = Callable[[Node], str]


def text(graph: Graph) -> str:
    """Return a cell's equations, one named value a line, states under their own names."""
    graph = with_shared_named(graph)
    return "\n".join(f"{name} = {expression(graph, index)}" for name, index in _lines(graph))


def latex(graph: Graph) -> str:
    """Return a cell's equations as a LaTeX `aligned` block, with x_t, h_{t-1} and h_t told apart."""
    graph = with_shared_named(graph)
    printer = _Printer(graph, _latex_leaf, lambda node: _latex_name(node.label, "t"), "latex")
    rows = [rf"{_latex_name(name, 't')} &= {printer.top(index)}" for name, index in _lines(graph)]
    return "\\begin{aligned}\n" + " \\\\\n".join(rows) + "\n\\end{aligned}"


def expression(graph: Graph, index: int, *, deep: bool = True) -> str:
    """Return the expression behind one value; other named values appear by name.

    With `deep=False` a named value is its name; with True its right-hand side is written out.
    """
    printer = _Printer(graph, _text_leaf, lambda node: node.label, "text")
    return printer.top(index) if deep else printer.inner(index, SUM)


def with_shared_named(graph: Graph) -> Graph:
    """Return the graph with a name, s1, s2, ..., for every unnamed value that is used twice or nested deep."""
    uses = graph.count_uses()
    deep = graph.deep_values()
    taken = {node.label or node.name for node in graph.nodes}
    fresh = (name for name in (f"s{count}" for count in itertools.count(1)) if name not in taken)
    wanted = {index for index in range(len(graph.nodes)) if uses[index] > 1} | deep
    nodes = tuple(
        replace(node, label=next(fresh)) if index in wanted and node.args and not node.label else node
        for index, node in enumerate(graph.nodes)
    )
    return replace(graph, nodes=nodes)


def _lines(graph: Graph) -> list[tuple[str, int]]:
    """Return (name, node) of every equation: the named values in order, then results that bear another name."""
    lines = [(node.label, index) for index, node in enumerate(graph.nodes) if node.label and node.args]
    new_states = [graph.results[f"state.{state}"] for state in graph.states]
    for key, index in graph.results.items():
        name = key.rpartition(".")[2]
        same_as_state = key == "output" and index in new_states
        if not same_as_state and (name, index) not in lines:
            lines.append((name, index))
    return lines


class _Printer:
    def __init__(self, graph: Graph, leaf: Name, label: Name, style: str) -> None:
        self.graph = graph
        self.leaf = leaf
        self.label = label
        self.style = style

    def top(self, index: int) -> str:
        node = self.graph.nodes[index]
        if not node.args:
            return self.leaf(node)
        if node.op == "matmul_t":
            pairs = zip(node.args[0::2], node.args[1::2], strict=True)
            return " + ".join(f"{self.inner(p, ATOM)}{_TRANSPOSED[self.style]}{self.inner(d, ATOM)}" for p, d in pairs)
        op = OPS.get(node.op)
        if op is None:  # between tracing and verification
            return f"{node.op}({self.inner(node.args[0], SUM)})"
        if op.precedence == ATOM:
            operands = [self.inner(arg, SUM) for arg in node.args]
        else:  # the right operand needs parentheses at equal strength: a - (b - c)
            operands = [self.inner(arg, op.precedence + (place > 0)) for place, arg in enumerate(node.args)]
        spelling = op.text if self.style == "text" else op.latex
        return spelling.format(*operands)

    def inner(self, index: int, strength: int) -> str:
        node = self.graph.nodes[index]
        if node.label and node.args:
            return self.label(node)
        written = self.top(index)
        op = OPS.get(node.op)
        loose = op is not None and op.precedence < strength and bool(node.args)
        return _PARENTHESES[self.style].format(written) if loose else written


_TRANSPOSED = {"text": ".T @ ", "latex": r"^\top "}
_PARENTHESES = {"text": "({0})", "latex": r"\left({0}\right)"}


def number(value: float) -> str:
    """Write a constant: 1 rather than 1.0."""
    return str(int(value)) if value == int(value) and abs(value) < 1e6 else repr(value)


def _text_leaf(node: Node) -> str:
    if node.op == "constant":
        return number(node.value)
    if node.op == "size":
        return f"size({node.name})"
    if node.op == "cotangent":
        return f"d_{node.name.removeprefix('state.')}"
    return node.name


def _latex_leaf(node: Node) -> str:
    if node.op == "constant":
        return number(node.value)
    if node.op == "size":
        return rf"n_{{\mathrm{{{node.name}}}}}"
    if node.op == "parameter":
        space, _, gate = node.name.partition(".")
        return _latex_name(space, _word(gate))
    return _latex_name(node.name, "t-1" if node.op == "state" else "t")


def _latex_name(name: str, below: str) -> str:
    base, _, rest = name.partition("_")
    inside = f"{_word(rest)},{below}" if rest else below
    return f"{_word(base)}_{{{inside}}}"


def _word(name: str) -> str:
    return name if len(name) == 1 else r"\mathrm{" + name.replace("_", r"\_") + "}"
