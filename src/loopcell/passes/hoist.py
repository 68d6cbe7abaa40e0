"""Hoist: what does not depend on a state leaves the loop, as compilers move computations out of loops.

The result is two graphs. The prologue turns the input into hoisted values, for the whole sequence at once: its
products are large, and its gradient is the framework's own business. The loop is what must wait for the past.

What does not even depend on the input, a function of the parameters alone, is a loop invariant; kernels, which hoist on
their own, are given these (`split_invariants`).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

from loopcell.equations.builder import Builder, Value
from loopcell.equations.graph import Graph, Node
from loopcell.equations.keys import OUTPUT, Key
from loopcell.equations.rewrite import copy_into
from loopcell.passes.dependence import SEQUENCE, STATIC, STEP, dependence


@dataclass(frozen=True)
class Hoisted:
    """One step in two parts.

    Attributes:
        prologue: leaves input, parameter, random; results hoisted.NAME.
        loop: leaves hoisted, state, parameter, constant, size, random (once a sequence); results as the cell's.
        varying: names of the hoisted values that differ from step to step; the others are loop invariants.
    """

    prologue: Graph
    loop: Graph
    varying: frozenset[str]


def hoist(graph: Graph) -> Hoisted:
    """Split a cell's graph into a prologue and a loop."""
    graph = _regrouped(graph)
    kinds = dependence(graph)
    names = _frontier(graph, kinds)
    return Hoisted(
        _prologue(graph, names),
        _loop(graph, names),
        frozenset(name for index, name in names.items() if kinds[index] == SEQUENCE),
    )


@dataclass(frozen=True)
class InvariantSplit:
    """One step in two parts: what is the same for many steps, such as its loop invariants, and the rest.

    Attributes:
        once: the invariants: leaves parameter, random (once a sequence), constant, size; results hoisted.NAME.
        core: everything else, with leaves hoisted.NAME; results as the cell's.
    """

    once: Graph
    core: Graph


def split_invariants(graph: Graph) -> InvariantSplit:
    """Take the loop invariants out of a cell's graph: what is the same at every step, and no mere leaf."""
    graph = _regrouped(graph)
    return _taken_out(graph, [kind == STATIC for kind in dependence(graph)])


def split_branches(loop: Graph, varying: frozenset[str]) -> InvariantSplit:
    """Take out of a loop what steps from one state have in common, whatever their inputs: U h, but not W x + U h.

    Args:
        loop: of a hoisted cell.
        varying: names of the hoisted values that differ from step to step.

    Returns:
        Once: leaves state, parameter, hoisted (invariants), constant, size. Core: with the output as its only result.
    """
    graph = _loop(replace(loop, results={OUTPUT: loop.results[OUTPUT]}), {})  # without what only the new states need
    shared: list[bool] = []
    for node in graph.nodes:
        own = node.op == "random" or (node.op == "hoisted" and node.name in varying)
        shared.append(not own and all(shared[arg] for arg in node.args))
    return _taken_out(graph, shared)


def _taken_out(graph: Graph, shared: list[bool]) -> InvariantSplit:
    """Take the values of which `shared` says so out of a graph, as far as others or a result read them."""
    users = _users(graph)
    names: dict[int, str] = {}
    taken = {node.name for _, node in graph.leaves("hoisted")}
    read = [arg for index, node in enumerate(graph.nodes) if not shared[index] for arg in node.args]
    for index in dict.fromkeys([*read, *graph.results.values()]):
        if shared[index] and graph.nodes[index].args:
            names[index] = _unused(_crossing_name(graph, users, index), taken.union(names.values()))
    return InvariantSplit(_prologue(graph, names), _loop(graph, names))


def _regrouped(graph: Graph) -> Graph:
    """Reorder sums so that what can leave the loop stands together: (W x + U h) + b becomes (W x + b) + U h."""
    kinds = dependence(graph)
    uses = graph.count_uses()
    builder = Builder()

    copied: list[Value] = []

    def rewrite(index: int, node: Node, operands: tuple[Value, ...]) -> Value:
        value = regrouped(index, node)
        if value is None:
            value = builder.apply(node.op, *operands, name=node.name) if node.args else builder.add(node)
        copied.append(value)
        return value

    def regrouped(index: int, node: Node) -> Value | None:
        if node.op not in ("add", "sub") or kinds[index] != STEP:
            return None
        # In floating point this order of the sum is another number, so it is chosen here once, for every back end.
        terms = _terms(graph, index, kinds, uses)
        outside = [(sign, part) for sign, part in terms if kinds[part] != STEP]
        if len(outside) < 2:
            return None
        inside = [(sign, part) for sign, part in terms if kinds[part] == STEP]
        return _summed(inside, copied, start=_summed(outside, copied))

    values = copy_into(builder, graph, rewrite)
    return builder.build(graph.name, {key: values[index] for key, index in graph.results.items()})


def _terms(graph: Graph, index: int, kinds: list[int], uses: Counter[int]) -> list[tuple[int, int]]:
    """Flatten a sum into (sign, node) terms, through sums of the loop that nobody else uses or has named."""
    terms: list[tuple[int, int]] = []
    stack = [(1, index)]  # not recursive: a model file may have a sum of a thousand terms
    while stack:
        sign, here = stack.pop()
        node = graph.nodes[here]
        inner = here == index or (uses[here] == 1 and not node.label and kinds[here] == STEP)
        if node.op in ("add", "sub") and inner:
            left, right = node.args
            # The left operand is on top, so that terms come out in the author's order.
            stack += [(-sign if node.op == "sub" else sign, right), (sign, left)]
        else:
            terms.append((sign, here))
    return terms


def _summed(terms: list[tuple[int, int]], values: list[Value], start: Value | None = None) -> Value:
    """Add the terms, those with a plus first where there is nothing to start from."""
    result = start
    for sign, part in terms if start is not None else sorted(terms, key=lambda term: -term[0]):
        signed = values[part] if sign > 0 else -values[part]
        result = signed if result is None else result + signed
    assert result is not None  # the caller passes at least one term
    return result


def _frontier(graph: Graph, kinds: list[int]) -> dict[int, str]:
    """Name the values that cross from the prologue into the loop: after themselves, or after their first named user."""
    crossing: dict[int, str] = {}
    invariants = {node.name for _, node in graph.leaves("hoisted")}  # taken out before; their names are used up
    users = _users(graph)
    needed = [arg for index, node in enumerate(graph.nodes) if kinds[index] == STEP for arg in node.args]
    for index in [*needed, *graph.results.values()]:
        if index not in crossing and _leaves_loop(graph, kinds, index):
            crossing[index] = _unused(_crossing_name(graph, users, index), invariants.union(crossing.values()))
    return crossing


def _users(graph: Graph) -> dict[int, list[int]]:
    """Return which values each value is an operand of."""
    users: dict[int, list[int]] = {}
    for index, node in enumerate(graph.nodes):
        for arg in node.args:
            users.setdefault(arg, []).append(index)
    return users


def _leaves_loop(graph: Graph, kinds: list[int], index: int) -> bool:
    """Say whether a value is computed before the loop; leaves that never change are read where they are."""
    if kinds[index] == STEP:
        return False
    return bool(graph.nodes[index].args) or kinds[index] == SEQUENCE


def _crossing_name(graph: Graph, users: dict[int, list[int]], index: int) -> str:
    node = graph.nodes[index]
    if node.label or not node.args:
        return node.label or node.name
    # An unnamed value is called after what it is for: W.i @ x + b.i, which goes into i, is i_in.
    here = index
    while users.get(here) and not graph.nodes[here].label:
        here = users[here][0]
    return f"{graph.nodes[here].label or 'value'}_in"


def _unused(name: str, taken: set[str]) -> str:
    count, candidate = 1, name
    while candidate in taken:
        count += 1
        candidate = f"{name}{count}"
    return candidate


def _prologue(graph: Graph, names: dict[int, str]) -> Graph:
    builder = Builder()
    values = copy_into(builder, graph, lambda *_: None)
    return builder.build(graph.name, {Key("hoisted", name): values[index] for index, name in names.items()})


def _loop(graph: Graph, names: dict[int, str]) -> Graph:
    builder = Builder()

    def rewrite(index: int, node: Node, _: tuple[Value, ...]) -> Value | None:
        return builder.leaf("hoisted", names[index], node.shape) if index in names else None

    values = copy_into(builder, graph, rewrite)
    return builder.build(graph.name, {key: values[index] for key, index in graph.results.items()})
