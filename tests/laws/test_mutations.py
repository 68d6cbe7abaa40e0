"""The suite can fail: one wrong sign in one rule of differentiation, and the derived backward check turns red."""

from dataclasses import replace

import pytest

from loopcell import cells
from loopcell.equations import Cell
from loopcell.equations.builder import Builder
from loopcell.equations.keys import OUTPUT, Key
from loopcell.passes import derive
from loopcell.passes.derivatives import DERIVATIVES
from loopcell.testing import CheckFailed
from loopcell.testing.laws.gradients import the_derived_backward_is_autograds
from tests.laws.table import OTHERS, REGISTERED, case
from tests.laws.unusual import UNUSUAL

NO_GRADIENT = {("greater", 0), ("greater", 1), ("where", 0)}
"""Operands that no gradient reaches: conditions, and what a condition compares."""


def expands():
    """A cell with `expand`, which equations cannot spell: broadcasting leaves it out, and only passes write it."""
    b = Builder()
    h = b.leaf("state", "h", ("hidden",))
    product = b.apply("matmul", b.leaf("parameter", "W.h", ("hidden", "input")), b.leaf("input", "x", ("input",)))
    new = b.apply("tanh", product + b.apply("expand", b.apply("sum", h), name="hidden"))
    return Cell(b.build("expands", {OUTPUT: new, Key("state", "h"): new}))


TRIED = {**{name: REGISTERED[name] for name in cells.names()}, **{name: OTHERS[name] for name in UNUSUAL}}
TRIED["expands"] = case(expands())


def fresh(tried):
    """The same case with a graph that no cache knows."""
    return replace(tried, cell=replace(tried.cell, graph=replace(tried.cell.graph)))


def users():
    """For every rule, the cells whose derivation asks for it."""
    found = {op: [] for op in DERIVATIVES}
    for name, tried in TRIED.items():
        for op in {node.op for node in tried.cell.graph.nodes} & DERIVATIVES.keys():
            found[op].append(name)
    return found


USERS = users()
MUTANTS = [
    (op, place)
    for op, rule in DERIVATIVES.items()
    for place in range(rule.__code__.co_argcount - 2)  # the cotangent and the result come before the operands
    if (op, place) not in NO_GRADIENT
]


def turns_red(tried):
    try:
        the_derived_backward_is_autograds(fresh(tried))
    except CheckFailed as failure:
        return str(failure).startswith("the gradient of ")
    return False


@pytest.mark.parametrize("name", ["every_op", "expands"])
def test_without_a_mutation_all_is_green(name):
    assert not turns_red(TRIED[name])


@pytest.mark.parametrize("op", DERIVATIVES)
def test_every_rule_has_a_cell_that_uses_it(op):
    assert USERS[op]


@pytest.mark.parametrize(("op", "place"), MUTANTS, ids=str)
def test_a_flipped_sign_shows(op, place, monkeypatch):
    rule = DERIVATIVES[op]

    def flipped(*arguments):
        parts = list(rule(*arguments))
        parts[place] = -parts[place]
        return tuple(parts)

    monkeypatch.setitem(DERIVATIVES, op, flipped)
    assert any(turns_red(TRIED[name]) for name in USERS[op])


@pytest.mark.parametrize(("op", "place"), MUTANTS, ids=str)
def test_a_lost_term_shows(op, place, monkeypatch):
    rule = DERIVATIVES[op]

    def lossy(*arguments):
        parts = list(rule(*arguments))
        parts[place] = None
        return tuple(parts)

    monkeypatch.setitem(DERIVATIVES, op, lossy)
    assert any(turns_red(TRIED[name]) for name in USERS[op])


@pytest.mark.parametrize("name", cells.names())
def test_a_wrong_sign_on_the_way_to_the_step_before_shows_in_every_cell(name, monkeypatch):
    whole = derive._Derivation._zero_missing_states

    def flipped(self):
        whole(self)
        for state in self.loop.states:
            key = Key("state", state)
            self.results[key] = -self.results[key]

    monkeypatch.setattr(derive._Derivation, "_zero_missing_states", flipped)
    assert turns_red(TRIED[name])


def test_a_lost_matrix_gradient_shows(monkeypatch):
    whole = derive.Backward
    monkeypatch.setattr(derive, "Backward", lambda graph, outer, *rest: whole(graph, outer[1:], *rest))
    assert turns_red(TRIED["lstm"])
