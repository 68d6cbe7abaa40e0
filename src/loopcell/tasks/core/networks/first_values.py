"""The first number of a recurrent network that is not finite, in the order of computation."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from loopcell.equations.graph import Graph
from loopcell.equations.ops import LEAVES, OPS
from loopcell.runtime.programs import known_names
from loopcell.tasks.core.networks.cause import Cause
from loopcell.tasks.core.networks.layers_call import OrderedCall, Spot

Values = dict[str, list[Tensor]]

# What operations make of finite numbers that is not finite.
PARTIAL = {
    "nan": {
        "log": "log is nan of a negative number",
        "sqrt": "sqrt is nan of a negative number",
        "div": "0 / 0 is nan",
    },
    "inf": {"exp": "exp is inf of more than 88", "div": "a division by 0 is inf"},
    "-inf": {"log": "log is -inf of 0", "div": "a division by 0 is -inf"},
}


def first_value(call: OrderedCall) -> Cause | None:
    """Return the first number of a call that is not finite; None where all are."""
    values = call.recorded()
    spots = list(call.not_finite(values))
    return _cause(call, values, min(spots, key=call.turn)) if spots else None


def _cause(call: OrderedCall, values: Values, spot: Spot) -> Cause:
    """Return the sentence about one number."""
    line = call.node(spot.name).line
    written = f", in line {line.number} of {line.file}: `{line.source}`" if line else ""
    operands = dict(_operands(call.graph, known_names(call.graph)[spot.name]))
    operations = _operations(call.graph, known_names(call.graph)[spot.name])
    reasons = [reason for operation, reason in PARTIAL[str(spot.value)].items() if operation in operations]
    numbers = [text for index, own in operands.items() if (text := _number(call, values, spot, index, own=own))]
    parts = [
        f"`{spot.name}[{spot.unit}]` is {spot.value} first at {call.where(spot)}{written}",
        *reasons[:1],
        *([f"computed from {', '.join(numbers)}"] if numbers else []),
        *_largest_before(call, values, spot),
    ]
    return Cause("; ".join(parts), certain=bool(reasons))


def _operations(graph: Graph, index: int) -> set[str]:
    """Return the operations between a named quantity and those that it is made of."""
    found, ahead = {graph.nodes[index].op}, list(graph.nodes[index].args)
    while ahead:
        one = graph.nodes[ahead.pop()]
        if not one.label:
            found.add(one.op)
            ahead += one.args
    return found


def _operands(graph: Graph, index: int) -> Iterator[tuple[int, bool]]:
    """Yield the named values and leaves that a value is made of, and whether a unit takes only its own number."""
    ahead = [(arg, OPS[graph.nodes[index].op].rule == "elementwise") for arg in graph.nodes[index].args]
    while ahead:
        one, own = ahead.pop(0)
        node = graph.nodes[one]
        if node.label or node.op in LEAVES:
            yield one, own
        else:
            ahead += [(arg, own and OPS[node.op].rule == "elementwise") for arg in node.args]


def _number(call: OrderedCall, values: Values, spot: Spot, index: int, *, own: bool) -> str:
    """Return what an operand was: the unit's own number, or the largest of all; "" where it is not known."""
    node = call.graph.nodes[index]
    found, remark = _operand(call, values, spot, index), " (the step before)" if node.op == "state" else ""
    if found is None or not found.numel():
        return ""
    name = node.label or node.name
    if own and found.dim() == 1:
        unit = spot.unit if len(found) > spot.unit else 0
        return f"{name}[{unit}] = {float(found[unit]):.3g}{remark}"
    return f"max |{name}| = {float(found.abs().max()):.3g}{remark}"


def _operand(call: OrderedCall, values: Values, spot: Spot, index: int) -> Tensor | None:
    node, place = call.graph.nodes[index], spot.place
    if node.op == "state":
        return call.before(node.name, values, spot) if node.name in values else None
    if node.op == "parameter":
        return call.layers.weights(*divmod(place, call.layers.num_directions))[node.name].detach()
    if node.op == "input":
        return _input(call, values, spot)
    known = known_names(call.graph)
    return values[node.label][place][spot.step, spot.row] if known.get(node.label) == index else None


def _input(call: OrderedCall, values: Values, spot: Spot) -> Tensor | None:
    """Return what the layer read [I]: the input, or the output of the layer below where that has a name."""
    net, output = call.layers, call.graph.result("output")
    if spot.place < net.num_directions:
        return call.as_read(call.x, spot.place)[spot.step, spot.row]
    name = next((name for name, index in known_names(call.graph).items() if index == output), None)
    if name is None or net.bidirectional or (net.dropout and net.training):
        return None
    return values[name][spot.place - 1][spot.step, spot.row]


def _largest_before(call: OrderedCall, values: Values, spot: Spot) -> list[str]:
    """Say how large the states of the layer were before a step, over all rows."""
    found = []
    for state in (name for name in call.graph.states if name in values):
        earlier = [values[state][spot.place][: spot.step].flatten()]
        if state in call.initial:
            earlier.append(call.initial[state][spot.place].flatten())
        every = torch.cat(earlier).abs()
        if every.numel():
            found.append(f"|{state}| was {float(every.max()):.3g}")
    return [f"before it the largest {', '.join(found)}"] if found else []
