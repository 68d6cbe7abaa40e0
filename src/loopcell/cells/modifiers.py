"""Modifiers: each takes any cell and returns a cell, by rewriting its equations.

Randomness is part of the equations (a random leaf with its probability), so a modified cell trains with draws
and evaluates with their means, on every path that runs cells.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from loopcell.cells.registry import get
from loopcell.equations.builder import Value
from loopcell.equations.cell import Cell
from loopcell.equations.functions import bernoulli, sized
from loopcell.equations.graph import Graph, Node
from loopcell.equations.keys import OUTPUT, Key
from loopcell.equations.rewrite import Rewrite, copy_into
from loopcell.equations.trace import TraceBuilder, demand_read
from loopcell.equations.verify import verify
from loopcell.errors import UsageError

Results = dict[Key, Value]


def zoneout(cell: str | Cell, rates: float | Mapping[str, float]) -> Cell:
    """Return the cell with zoneout: each unit of a state keeps its old value with a probability.

    Args:
        cell: any cell, or the name of one of the library.
        rates: the probability for every state, or by state's name such as {"h": 0.05, "c": 0.5}.

    Krueger et al.: Zoneout, 2016 (arXiv 1606.01305), eq. 6; evaluation uses the expectation, as there.
    """
    cell = get(cell)
    by_state = dict.fromkeys(cell.states, rates) if isinstance(rates, (int, float)) else dict(rates)
    _demand_probabilities(by_state.values())
    _demand_states(cell, by_state)

    def apply(old: Results, new: Results) -> Results:
        changed = dict(new)
        for state, rate in by_state.items():
            key = Key("state", state)
            name = new[key].builder.fresh_draw(f"zoneout_{state}")
            keep = bernoulli(new[key], rate, each="step", name=name)
            changed[key] = keep * old[key] + (1 - keep) * new[key]
            if new[OUTPUT].index == new[key].index:
                changed[OUTPUT] = changed[key]
        return changed

    return _modified(cell, f"zoneout({cell.name})", results=apply)


def recurrent_dropout(cell: str | Cell, rate: float, *, input_rate: float = 0.0) -> Cell:
    """Return the cell with variational dropout: one mask per sequence on what enters the products.

    Args:
        cell: any cell, or the name of one of the library.
        rate: probability of dropping a unit of what the recurrent products read.
        input_rate: the same for the input.

    Gal, Ghahramani: A Theoretically Grounded Application of Dropout in Recurrent Neural Networks, 2016
    (arXiv 1512.05287), eq. 7 (masks tied over gates and over time).
    """
    cell = get(cell)
    _demand_probabilities([rate, input_rate])
    masks: dict[int, Value] = {}
    recurrent = cell.graph.dependents("state")
    rates = {index: rate if index in recurrent else input_rate for index in range(len(cell.graph.nodes))}

    def rewrite(_: int, node: Node, operands: tuple[Value, ...]) -> Value | None:
        if node.op != "matmul" or not rates[node.args[1]]:
            return None
        matrix, vector = operands
        kept = 1 - rates[node.args[1]]
        if node.args[1] not in masks:  # one mask for all the products that read a value
            name = vector.builder.fresh_draw(f"kept_{node.args[1]}")
            masks[node.args[1]] = bernoulli(vector, kept, scale=1 / kept, each="sequence", name=name)
        return matrix @ (vector * masks[node.args[1]])

    return _modified(cell, f"recurrent_dropout({cell.name})", rewrite=rewrite)


def weight_dropout(cell: str | Cell, rate: float) -> Cell:
    """Return the cell with DropConnect on its recurrent matrices: entries are dropped, once a sequence.

    Merity, Keskar, Socher: Regularizing and Optimizing LSTM Language Models, 2017 (arXiv 1708.02182), section 2.
    """
    cell = get(cell)
    _demand_probabilities([rate])
    recurrent = cell.graph.dependents("state")
    matrices = {node.args[0] for node in cell.graph.nodes if node.op == "matmul" and node.args[1] in recurrent}

    def rewrite(index: int, node: Node, _: tuple[Value, ...]) -> Value | None:
        return node_leaf(replace(node, value=rate)) if index in matrices else None

    def node_leaf(node: Node) -> Value:
        return builder.add(replace(node, shape=None))

    builder = TraceBuilder(f"weight_dropout({cell.name})")
    return _modified(cell, builder.name, rewrite=rewrite, builder=builder)


def residual(cell: str | Cell) -> Cell:
    """Return the cell with its input added to its output; input and output must be equally long.

    Wu et al.: Google's Neural Machine Translation System, 2016 (arXiv 1609.08144), eq. 6. The state is as before;
    only what leaves the layer changes.
    """
    cell = get(cell)
    size = cell.graph.size_of(OUTPUT)
    if not cell.inputs:
        raise UsageError(f"cell `{cell.name}` reads no input that could be added to its output")
    x = Key("input", cell.inputs[0])

    def apply(old: Results, new: Results) -> Results:
        return {**new, OUTPUT: new[OUTPUT] + sized(old[x], size)}

    return _modified(cell, f"residual({cell.name})", results=apply)


def without(cell: str | Cell, *namespaces: str) -> Cell:
    """Return the cell with every parameter of the named namespaces at zero: "b" leaves out the biases."""
    cell = get(cell)
    known = {name.partition(".")[0] for name in cell.graph.parameters}
    for space in namespaces:
        if space not in known:
            raise UsageError(f"cell `{cell.name}` has no namespace {space!r}; it has {', '.join(sorted(known))}")

    builder = TraceBuilder(f"without({cell.name})")
    zero = builder.constant(0.0)

    def rewrite(_: int, node: Node, operands: tuple[Value, ...]) -> Value | None:
        if node.op == "parameter":
            return zero if node.name.partition(".")[0] in namespaces else None
        gone = [operand.index == zero.index for operand in operands]
        if node.op in ("add", "sub") and any(gone):
            return operands[0] if gone[1] else operands[1] if node.op == "add" else -operands[1]
        vanishes = any(gone) if node.op in ("mul", "matmul") else gone[:1] == [True]
        return zero if vanishes and node.op in _ZERO_AT_ZERO else None

    return _modified(cell, builder.name, rewrite=rewrite, builder=builder)


_ZERO_AT_ZERO = {"mul", "matmul", "div", "neg", "sized", "abs", "sum", "expand", "tanh", "relu", "sqrt"}


def _modified(
    cell: Cell,
    name: str,
    *,
    rewrite: Rewrite = lambda *_: None,
    results: Callable[[Results, Results], Results] = lambda _, new: new,
    builder: TraceBuilder | None = None,
) -> Cell:
    builder = builder or TraceBuilder(name)
    values = copy_into(builder, _untyped(cell.graph), rewrite)
    old = {node.key: values[index] for index, node in cell.graph.leaves("state", "input")}
    new = results(old, {key: values[index] for key, index in cell.graph.results.items()})
    for key, value in new.items():
        _relabel(builder, key, values[cell.graph.results[key]], value)
    graph = builder.build(name, new)
    demand_read(graph, cell.inputs)
    return replace(cell, graph=verify(graph, cell.graph.declared_sizes))


def _relabel(builder: TraceBuilder, key: Key, inner: Value, outer: Value) -> None:
    """Give a changed result the state's name, and what the inner cell computed a name of its own."""
    if inner.index != outer.index and key != OUTPUT:
        builder.labels[inner.index] = f"{key.name}_new"
        builder.labels[outer.index] = key.name


def _untyped(graph: Graph) -> Graph:
    keep = ("random", "size")
    return replace(graph, nodes=tuple(node if node.op in keep else replace(node, shape=None) for node in graph.nodes))


def _demand_probabilities(rates: object) -> None:
    for rate in rates:  # type: ignore[attr-defined]
        if not 0.0 <= rate < 1.0:
            raise UsageError(f"a rate of dropping lies in [0, 1), not at {rate}")


def _demand_states(cell: Cell, named: Mapping[str, float]) -> None:
    for state in named:
        if state not in cell.states:
            raise UsageError(f"cell `{cell.name}` has no state {state!r}; its states are {', '.join(cell.states)}")
