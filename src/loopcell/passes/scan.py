"""Scan: loops that are affine in their states, entry by entry, need not wait for the past.

Where every new state is `a * state + b`, with a and b free of that state, all steps are known at once after a parallel
scan over time. The loop falls into three parts:

    before   a and b, for the whole sequence at once
    scan     the states, for the whole sequence at once
    after    everything else (the output, what is recorded), for the whole sequence at once

States are scanned one after the other: a and b may read a state that was scanned before, through any function. minGRU
and minLSTM are such cells, and so is whatever an author writes of this form.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from loopcell.equations.builder import Builder, Value
from loopcell.equations.graph import Graph, Node
from loopcell.equations.keys import Key
from loopcell.equations.ops import LEAVES
from loopcell.equations.rewrite import copy_into

COEFFICIENT, OFFSET = Key("hoisted", "coefficient"), Key("hoisted", "offset")


def state_after(state: str) -> Key:
    """Return the key of a scanned state after the step, where it is a leaf; a dot keeps it apart from all names."""
    return Key("hoisted", f"after.{state}")


@dataclass(frozen=True)
class StateScan:
    """The recurrence of one state: new = coefficient * old + offset, entry by entry.

    Attributes:
        state: its name.
        before: leaves as the loop's, of states only those that were scanned before, and `state_after` of these; results
            COEFFICIENT and OFFSET.
    """

    state: str
    before: Graph


@dataclass(frozen=True)
class ScannedLoop:
    """A loop as parallel scans over time.

    Attributes:
        scans: one a state, in the order of computation.
        after: the loop's other results; leaves as the loop's, and `state_after` of every state. Leaves state.NAME are
            the states as each step reads them.
    """

    scans: tuple[StateScan, ...]
    after: Graph


def scan(loop: Graph) -> ScannedLoop | None:
    """Return a loop as parallel scans over time; None where a state cannot be scanned.

    Args:
        loop: of a hoisted cell.
    """
    scanned: list[StateScan] = []
    waiting = list(loop.states)
    while waiting:
        found = next((part for state in waiting if (part := _scan_of(loop, state, scanned))), None)
        if found is None:
            return None
        scanned.append(found)
        waiting.remove(found.state)
    return ScannedLoop(tuple(scanned), _after(loop)) if scanned else None


@dataclass(frozen=True)
class _Affine:
    """A value as slope * state + rest; a slope or rest of None is 0."""

    slope: Value | None
    rest: Value | None


def _scan_of(loop: Graph, state: str, scanned: list[StateScan]) -> StateScan | None:
    """Return the recurrence of a state, if it is affine in this state and free of those that are not scanned yet."""
    builder, size = Builder(), loop.size_of(Key("state", state))
    form = _forms(builder, loop, state, [part.state for part in scanned])[loop.result("state", state)]
    if form is None:
        return None
    results = {COEFFICIENT: form.slope, OFFSET: form.rest}
    graph = builder.build(loop.name, {key: _vector(builder, value, size) for key, value in results.items()})
    return StateScan(state, graph)


def _vector(builder: Builder, value: Value | None, size: str) -> Value:
    value = builder.constant(0.0) if value is None else value
    return value if value.node.dims or not size else builder.apply("expand", value, name=size)


def _forms(builder: Builder, loop: Graph, state: str, known: list[str]) -> list[_Affine | None]:
    """Return every value of the loop as an affine function of a state; None where it is none."""
    places = _places_after(loop, known)
    forms: list[_Affine | None] = []
    for index, node in enumerate(loop.nodes):
        if index in places:
            form: _Affine | None = _Affine(None, builder.leaf(*places[index], node.dims))
        elif node.op == "state" and node.name not in known:
            form = _Affine(builder.constant(1.0), None) if node.name == state else None
        elif node.op in LEAVES:
            form = _Affine(None, builder.add(node))
        else:
            operands = [forms[arg] for arg in node.args]
            form = _applied(builder, node, [operand for operand in operands if operand is not None], len(operands))
        forms.append(form)
    return forms


def _applied(builder: Builder, node: Node, operands: list[_Affine], count: int) -> _Affine | None:
    if len(operands) < count:
        return None
    if all(operand.slope is None for operand in operands):
        return _Affine(None, builder.apply(node.op, *_rests(builder, operands), name=node.name))
    rule = _RULES.get(node.op)
    return rule(builder, node, *operands) if rule else None


def _rests(builder: Builder, operands: list[_Affine]) -> list[Value]:
    return [builder.constant(0.0) if operand.rest is None else operand.rest for operand in operands]


def _each(part: Callable[[Value], Value], form: _Affine) -> _Affine:
    """Apply a linear function to slope and rest."""
    slope, rest = (None if value is None else part(value) for value in (form.slope, form.rest))
    return _Affine(slope, rest)


def _sum(_: Builder, __: Node, a: _Affine, b: _Affine) -> _Affine:
    return _Affine(_added(a.slope, b.slope), _added(a.rest, b.rest))


def _added(left: Value | None, right: Value | None) -> Value | None:
    if left is None or right is None:
        return right if left is None else left
    return left + right


def _difference(builder: Builder, node: Node, a: _Affine, b: _Affine) -> _Affine:
    return _sum(builder, node, a, _each(lambda value: -value, b))


def _product(builder: Builder, _: Node, a: _Affine, b: _Affine) -> _Affine | None:
    if a.slope is not None and b.slope is not None:
        return None
    factor, form = (a, b) if a.slope is None else (b, a)
    (number,) = _rests(builder, [factor])
    return _each(lambda value: value * number, form)


def _quotient(builder: Builder, _: Node, a: _Affine, b: _Affine) -> _Affine | None:
    if b.slope is not None:
        return None
    (number,) = _rests(builder, [b])
    return _each(lambda value: value / number, a)


def _choice(builder: Builder, _: Node, condition: _Affine, a: _Affine, b: _Affine) -> _Affine | None:
    if condition.slope is not None:
        return None
    (test,) = _rests(builder, [condition])

    def chosen(left: Value | None, right: Value | None) -> Value:
        return builder.apply("where", test, 0.0 if left is None else left, 0.0 if right is None else right)

    return _Affine(chosen(a.slope, b.slope), chosen(a.rest, b.rest))


_RULES: dict[str, Callable[..., _Affine | None]] = {
    "add": _sum,
    "sub": _difference,
    "neg": lambda _, __, a: _each(lambda value: -value, a),
    "mul": _product,
    "div": _quotient,
    "where": _choice,
    "sized": lambda builder, node, a: _each(lambda value: builder.apply("sized", value, name=node.name), a),
}
"""What keeps a value affine in a state; a rule gives None where its operands make it something else."""


def _places_after(loop: Graph, states: list[str]) -> dict[int, Key]:
    """Return the values that are these states after the step, where they are computed."""
    places = {loop.result("state", state): state_after(state) for state in states}
    return {index: key for index, key in places.items() if loop.nodes[index].args}


def _after(loop: Graph) -> Graph:
    builder, places = Builder(), _places_after(loop, list(loop.states))

    def rewrite(index: int, node: Node, _: tuple[Value, ...]) -> Value | None:
        return builder.leaf(*places[index], node.dims) if index in places else None

    values = copy_into(builder, loop, rewrite)
    results = {key: values[index] for key, index in loop.results.items() if key.kind != "state"}
    return builder.build(loop.name, results)
