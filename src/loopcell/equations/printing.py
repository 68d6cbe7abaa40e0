"""Printing equations: as text close to what the author wrote, and as LaTeX with time subscripts.

A graph says each value once, and as a tree it may be longer by any factor: twenty doublings make a million terms. So
everything is printed by a `Printer`, which writes each value once, and gives names to the unnamed ones that have
several users, or cuts what is long. The length of all that is printed is then linear in the number of nodes.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from loopcell.equations.graph import Graph, Node
from loopcell.equations.keys import OUTPUT, Key
from loopcell.equations.ops import ATOM, OPS, SUM

BRIEF = 200
"""Characters of an expression inside a sentence."""


def text(graph: Graph) -> str:
    """Return a cell's equations, one named value per line, states under their own names."""
    printer = Printer(graph)
    return "\n".join(f"{name} = {printer.right_side(index)}" for name, index in equation_lines(printer.graph))


def latex(graph: Graph) -> str:
    """Return a cell's equations as a LaTeX `aligned` block, with x_t, h_{t-1} and h_t told apart."""
    printer = Printer(graph, "latex")
    lines = equation_lines(printer.graph)
    rows = [rf"{_latex_name(name, 't')} &= {printer.right_side(index)}" for name, index in lines]
    return "\\begin{aligned}\n" + " \\\\\n".join(rows) + "\n\\end{aligned}"


def brief(graph: Graph, index: int) -> str:
    """Return a value for use in a sentence: its name or its expression, with `...` for operands that are too long."""
    return Printer(graph, longest=BRIEF).operand(index)


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


def equation_lines(graph: Graph) -> list[tuple[str, int]]:
    """Return (name, node) of every equation: the named values in order, then results that bear another name."""
    lines = [(node.label, index) for index, node in enumerate(graph.nodes) if node.label and node.args]
    new_states = {graph.result("state", state) for state in graph.states}
    known = set(lines)
    for key, index in graph.results.items():
        name = key.name or key.kind
        same_as_state = key == OUTPUT and index in new_states
        if not same_as_state and (name, index) not in known:
            lines.append((name, index))
    return lines


class _Written(NamedTuple):
    """An expression, and how strongly its outermost operation binds."""

    text: str
    strength: int


@dataclass(frozen=True)
class Style:
    """The spelling of leaves, names and operations.

    Attributes:
        leaf: a leaf's name.
        label: the name of a value that has one.
        spelling: an operation's template over its operands.
        parentheses: a template around an operand that binds too weakly.
        transposed: what stands between a transposed matrix and its vector.
    """

    leaf: Callable[[Node], str]
    label: Callable[[Node], str]
    spelling: Callable[[str], str]
    parentheses: str
    transposed: str


class Printer:
    """Writes the values of one graph, each once.

    Args:
        graph: the graph.
        style: text, LaTeX, or spellings of another form.
        longest: the characters of one expression, with `...` in place of its long operands; 0 writes expressions in
            full, and names the unnamed values that have several users, so that the sum of all stays linear.

    Attributes:
        graph: the graph with the names that the printer uses.
    """

    def __init__(self, graph: Graph, style: Literal["text", "latex"] | Style = "text", *, longest: int = 0) -> None:
        self.graph = graph if longest else with_shared_named(graph)
        self._style = style if isinstance(style, Style) else _STYLES[style]
        self._longest = longest
        self._written: dict[int, _Written] = {}

    def right_side(self, index: int) -> str:
        """Return the expression behind a value; other named values appear by name."""
        return self._write(index).text

    def operand(self, index: int) -> str:
        """Return a value by its name, or the expression behind it when it has none."""
        return self._style.label(self.graph.nodes[index]) if self._is_named(index) else self.right_side(index)

    def _is_named(self, index: int) -> bool:
        return bool(self.graph.nodes[index].label and self.graph.nodes[index].args)

    def _write(self, index: int) -> _Written:
        """Write a value after its operands; without recursion, for a file's expressions may be nested deep."""
        stack = [index]
        while stack:
            here = stack[-1]
            args = self.graph.nodes[here].args
            waiting = [arg for arg in args if arg not in self._written and not self._is_named(arg)]
            if waiting and here not in self._written:
                stack += waiting
            else:
                self._written[stack.pop()] = self._compose(self.graph.nodes[here])
        return self._written[index]

    def _compose(self, node: Node) -> _Written:
        if not node.args:
            return _Written(self._style.leaf(node), ATOM)
        if node.op == "matmul_t":
            pairs = (f"{{{at}}}{self._style.transposed}{{{at + 1}}}" for at in range(0, len(node.args), 2))
            return self._cut(" + ".join(pairs), [self._inner(arg, ATOM) for arg in node.args], SUM)
        op = OPS.get(node.op)
        if op is None:  # between tracing and verification
            return self._cut(f"{node.op}({{0}})", [self._inner(node.args[0], SUM)], ATOM)
        spelling = self._style.spelling(node.op)
        if spelling == "{0}":  # another name for the same thing binds as that does
            return _Written(self._inner(node.args[0], SUM), self._strength(node.args[0]))
        if op.precedence == ATOM:
            operands = [self._inner(arg, SUM) for arg in node.args]
        else:  # the right operand needs parentheses at equal strength: a - (b - c)
            operands = [self._inner(arg, op.precedence + (place > 0)) for place, arg in enumerate(node.args)]
        return self._cut(spelling, operands, op.precedence)

    def _cut(self, spelling: str, operands: list[str], strength: int) -> _Written:
        """Fill in the operands; the long ones are left out when the whole would be longer than allowed."""
        if self._longest and sum(map(len, operands)) > self._longest:
            most = self._longest // (2 * len(operands))
            operands = [operand if len(operand) <= most else "..." for operand in operands]
        return _Written(spelling.format(*operands), strength)

    def _strength(self, index: int) -> int:
        return ATOM if self._is_named(index) else self._written[index].strength

    def _inner(self, index: int, strength: int) -> str:
        """Return an operand that is already written, in parentheses if it binds more weakly than `strength`."""
        written = self._style.label(self.graph.nodes[index]) if self._is_named(index) else self._written[index].text
        return self._style.parentheses.format(written) if self._strength(index) < strength else written


def number(value: float) -> str:
    """Write a constant: 1 rather than 1.0."""
    return str(int(value)) if value == int(value) and abs(value) < 1e6 else repr(value)


def _text_leaf(node: Node) -> str:
    if node.op == "constant":
        return number(node.value)
    if node.op == "size":
        return f"size({node.name})"
    if node.op == "cotangent":
        of = Key.parse(node.name)
        return f"d_{of.name or of.kind}"
    return node.name


def _latex_leaf(node: Node) -> str:
    if node.op == "constant":
        return number(node.value)
    if node.op == "size":
        return rf"n_{{{_roman(node.name)}}}"
    if node.op == "parameter":
        space, _, gate = node.name.partition(".")
        return _latex_name(space, _word(gate))
    return _latex_name(node.name, "t-1" if node.op == "state" else "t")


def _latex_name(name: str, below: str) -> str:
    base, _, rest = name.partition("_")
    inside = f"{_word(rest)},{below}" if rest else below
    return f"{_word(base)}_{{{inside}}}"


def _word(name: str) -> str:
    return name if len(name) == 1 else _roman(name)


def _roman(name: str) -> str:
    return r"\mathrm{" + name.replace("_", r"\_") + "}"


_STYLES = {
    "text": Style(_text_leaf, lambda node: node.label, lambda op: OPS[op].text, "({0})", ".T @ "),
    "latex": Style(
        _latex_leaf, lambda node: _latex_name(node.label, "t"), lambda op: OPS[op].latex, r"\left({0}\right)", r"^\top "
    ),
}
