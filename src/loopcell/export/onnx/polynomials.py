"""Polynomials: one form for equations that are written in different ways.

A value is a sum of products of atoms: of leaves, activations, products with a matrix, whatever is no sum, difference or
product itself. So `(1 - z) * n + z * h`, `n + z * (h - n)` and `n - n * z + h * z` are one polynomial.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from loopcell.equations import Graph
from loopcell.equations.graph import Node

Term: TypeAlias = tuple[int, ...]
"""The atoms of a product, by their positions in the graph, in order."""

Polynomial: TypeAlias = dict[Term, float]
"""The coefficient of each product; that of () is a plain number."""

MOST_TERMS = 64  # a value of more is an atom itself; no standard cell comes near


def polynomials(graph: Graph, sizes: Mapping[str, int]) -> list[Polynomial]:
    """Return the polynomial of every value of a graph, by position."""
    found: list[Polynomial] = []
    for index, node in enumerate(graph.nodes):
        made = _made(node, [found[arg] for arg in node.args], sizes)
        found.append({(index,): 1.0} if made is None or len(made) > MOST_TERMS else made)
    return found


def _made(node: Node, operands: list[Polynomial], sizes: Mapping[str, int]) -> Polynomial | None:
    """Return a node's polynomial from its operands'; None for an atom."""
    match node.op:
        case "constant" | "size":
            made: Polynomial = {(): float(sizes[node.name]) if node.op == "size" else node.value}
        case "add" | "sub":
            made = total(operands[0], times({(): -1.0 if node.op == "sub" else 1.0}, operands[1]))
        case "neg":
            made = times({(): -1.0}, operands[0])
        case "mul" if len(operands[0]) * len(operands[1]) <= MOST_TERMS:
            made = times(operands[0], operands[1])
        case "sized":
            made = operands[0]
        case "expand" if set(operands[0]) == {()}:
            made = operands[0]
        case _:
            return None
    return made


def total(left: Polynomial, right: Polynomial) -> Polynomial:
    """Return the sum of two polynomials."""
    found = {term: left.get(term, 0.0) + right.get(term, 0.0) for term in {**left, **right}}
    return {term: value for term, value in found.items() if value}


def times(left: Polynomial, right: Polynomial) -> Polynomial:
    """Return the product of two polynomials."""
    found: Polynomial = {}
    for first, one in left.items():
        for second, other in right.items():
            found = total(found, {tuple(sorted((*first, *second))): one * other})
    return found


def quotient(polynomial: Polynomial, atom: int) -> Polynomial | None:
    """Return what an atom is multiplied with; None where a term is without it."""
    if any(atom not in term for term in polynomial):
        return None
    return {_without(term, atom): value for term, value in polynomial.items()}


def _without(term: Term, atom: int) -> Term:
    place = term.index(atom)
    return (*term[:place], *term[place + 1 :])
