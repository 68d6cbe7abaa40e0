"""Normal form: equations as polynomials, in which algebraically equal spellings are the same value.

A value is a sum of products of atoms with numbers in front. Atoms are leaves, products with a matrix, and functions of
other values. So `(1 - z) * n + z * h`, `n + z * (h - n)` and `h - (1 - z) * (h - n)` are one polynomial:

    n  -  z n  +  z h

What has no such form, such as a quotient or a maximum, is an atom over the normal forms of its operands.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from loopcell.equations.graph import Graph, Node

MOST_TERMS = 64
MOST_FACTORS = 8
"""Products of sums grow; equations that recurrent operators have stay far below these."""

Monomial = tuple[int, ...]
"""A product of atoms by their numbers, sorted; () is 1."""

Polynomial = tuple[tuple[Monomial, float], ...]
"""The monomials, sorted, each with the number in front of it; equal values have equal ones."""

ONE: Monomial = ()


class Atom(NamedTuple):
    """A value that is no sum and no product of values.

    Attributes:
        op: a name of the op table.
        name: identity of a leaf; the parameter of a product with a matrix.
        args: the normal forms of the operands.
    """

    op: str
    name: str = ""
    args: tuple[Polynomial, ...] = ()


def polynomial(terms: Mapping[Monomial, float]) -> Polynomial:
    """Return a polynomial in its one order, without what adds nothing."""
    return tuple(sorted((monomial, number) for monomial, number in terms.items() if number))


def scaled(value: Polynomial, factor: float) -> Polynomial:
    """Return a multiple."""
    return polynomial({monomial: number * factor for monomial, number in value})


def added(left: Polynomial, right: Polynomial) -> Polynomial:
    """Return a sum."""
    terms = dict(left)
    for monomial, number in right:
        terms[monomial] = terms.get(monomial, 0.0) + number
    return polynomial(terms)


def multiplied(left: Polynomial, right: Polynomial) -> Polynomial:
    """Return a product, elementwise."""
    terms: dict[Monomial, float] = {}
    for one, first in left:
        for other, second in right:
            monomial = tuple(sorted(one + other))
            terms[monomial] = terms.get(monomial, 0.0) + first * second
    return polynomial(terms)


_Args = tuple[Polynomial, ...]

_RULES: dict[str, Callable[[_Args], Polynomial]] = {
    "add": lambda args: added(*args),
    "sub": lambda args: added(args[0], scaled(args[1], -1.0)),
    "neg": lambda args: scaled(args[0], -1.0),
    "mul": lambda args: multiplied(*args),
    # A number for every unit, and another name for a length, change no value.
    "expand": lambda args: args[0],
    "sized": lambda args: args[0],
}


class NormalForms:
    """The normal forms of the values of a graph.

    Atoms are numbered, so that a value is as small as its own terms, however deep what lies under them.

    Attributes:
        values: by position; None where one has too many terms.
    """

    def __init__(self, graph: Graph) -> None:
        self._atoms: list[Atom] = []
        self._numbers: dict[Atom, int] = {}
        self.values: list[Polynomial] | None = []
        for node in graph.nodes:
            value = self._of(node, tuple(self.values[arg] for arg in node.args), graph)
            if len(value) > MOST_TERMS or any(len(monomial) > MOST_FACTORS for monomial, _ in value):
                self.values = None
                return
            self.values.append(value)

    def __getitem__(self, number: int) -> Atom:
        """Return the atom that has a number."""
        return self._atoms[number]

    def number(self, atom: Atom) -> int:
        """Return an atom's number, the same for equal ones."""
        if atom not in self._numbers:
            self._numbers[atom] = len(self._atoms)
            self._atoms.append(atom)
        return self._numbers[atom]

    def alone(self, atom: Atom) -> Polynomial:
        """Return an atom as a polynomial."""
        return (((self.number(atom),), 1.0),)

    def _of(self, node: Node, args: _Args, graph: Graph) -> Polynomial:
        if node.op in _RULES:
            return _RULES[node.op](args)
        if node.op == "constant":
            return polynomial({ONE: node.value})
        if node.op == "matmul":
            return self._product(graph.nodes[node.args[0]].name, args[1])
        if node.op == "div":
            return self._quotient(*args)
        return self.alone(Atom(node.op, node.name, args))

    def _product(self, matrix: str, vector: Polynomial) -> Polynomial:
        """Return a product with a matrix; of a sum it is the sum of the products."""
        total: Polynomial = ()
        for monomial, number in vector:
            one = self.alone(Atom("matmul", matrix, (((monomial, 1.0),),)))
            total = added(total, scaled(one, number))
        return total

    def _quotient(self, above: Polynomial, below: Polynomial) -> Polynomial:
        """Return a quotient: by a number, or by 1 + exp(v), which makes it a multiple of sigmoid(-v)."""
        terms = dict(below)
        one = terms.pop(ONE, 0.0)
        if not terms and one:
            return scaled(above, 1.0 / one)
        if one == 1.0 and len(terms) == 1:
            (monomial, number), *_ = terms.items()
            inside = self[monomial[0]] if number == 1.0 and len(monomial) == 1 else None
            if inside is not None and inside.op == "exp":
                return multiplied(above, self.alone(Atom("sigmoid", "", (scaled(inside.args[0], -1.0),))))
        return self.alone(Atom("div", "", (above, below)))
