"""Recurrent layers as nodes: a standard operator, a loop (Scan), or the equations of one step as they are.

ONNX Runtime (1.31) loses NaN in these operators, whose activations cut off what they are given: a sensor that
fails would be answered with plausible numbers. So beside an operator runs a sum of `x - x` over the steps:
zero for numbers, NaN from the first step on that has none, which is added to their results.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from onnx import TensorProto, helper

from loopcell.equations import Key
from loopcell.export.onnx.nodes import GraphWriter
from loopcell.export.onnx.operators import Operator
from loopcell.export.onnx.spelling import Flow, Parameters, write_graph
from loopcell.export.step_model import Equations
from loopcell.passes import build_program

Named = Mapping[str, str]
"""Names of values in the graph, by the names of quantities or states."""


def write_step(writer: GraphWriter, stage: Equations, reads: Named, states: Named) -> tuple[str, dict[str, str]]:
    """Write a stage's equations as they are; gives what the stage gives, and its new states by name.

    Args:
        writer: what the nodes are added to.
        stage: the stage.
        reads: the values of the quantities that it reads, [..., n].
        states: the values of its states, [..., n].
    """
    leaves = {Key("input", name): Flow(reads[quantity]) for name, quantity in stage.reads.items()}
    leaves |= {Key("state", name): Flow(value) for name, value in states.items()}
    results = write_graph(writer, stage.graph, leaves, Parameters(writer, stage.parameters), stage.sizes)
    return _results(writer, stage, results, _like(reads, stage, states))


def _like(reads: Named, stage: Equations, states: Named) -> str:
    return next(iter([*states.values(), *(reads[name] for name in stage.reads.values())]))


def _results(
    writer: GraphWriter, stage: Equations, results: Mapping[Key, Flow], like: str
) -> tuple[str, dict[str, str]]:
    """Give every result its row and length, also where it is the same for all rows or one number."""

    def whole(key: Key, size: int) -> str:
        flow = results[key]
        return writer.whole(flow.name, like, size) if flow.fixed or not stage.graph.size_of(key) else flow.name

    after = {name: whole(Key("state", name), size) for name, size in stage.states.items()}
    return whole(Key("output"), stage.gives.size), after


def write_loop(writer: GraphWriter, stage: Equations, reads: Named, states: Named) -> tuple[str, dict[str, str]]:
    """Write a stage over all steps: what waits for no state at once, and the rest as a Scan.

    Args and results are those of `write_step`, with what is read and given as [T, B, n].
    """
    program = build_program(stage.graph, training=False)
    parameters = Parameters(writer, stage.parameters)
    inputs = {Key("input", name): Flow(reads[quantity]) for name, quantity in stage.reads.items()}
    ahead = write_graph(writer, program.prologue, inputs, parameters, stage.sizes)
    scanned = {key: flow for key, flow in ahead.items() if key.name in program.varying}
    # A loop that reads no input still has as many steps as there are.
    scanned |= {} if scanned else {Key("hoisted", ""): Flow(next(iter(inputs.values())).name)}

    body = GraphWriter(writer)
    before = {name: body.fresh(f"{name}_before") for name in states}
    rows = {key: body.fresh(f"{key.name}_row") for key in scanned}
    leaves = {key: flow for key, flow in ahead.items() if key not in scanned}
    leaves |= {key: Flow(row) for key, row in rows.items()}
    leaves |= {Key("state", name): Flow(value) for name, value in before.items()}
    results = write_graph(body, program.loop, leaves, Parameters(writer, stage.parameters), stage.sizes)
    output, after = _results(body, stage, results, next(iter(before.values())))
    return scan(
        writer, body, (before, after), states, [(flow.name, rows[key]) for key, flow in scanned.items()], output
    )


def scan(
    writer: GraphWriter,
    body: GraphWriter,
    inner: tuple[Named, Named],
    states: Named,
    over: list[tuple[str, str]],
    output: str,
) -> tuple[str, dict[str, str]]:
    """Add a Scan; gives its output over all steps, and the states after the last one.

    Args:
        writer: what it is added to.
        body: with the nodes of one step.
        inner: the states before and after a step, in the body.
        states: before the first step.
        over: what the loop runs over: a value [T, ...] and its name in the body.
        output: of a step, in the body.
    """
    before, after = inner
    # Of their own names: a state that another state becomes would be given twice.
    given = [body.apply("Identity", value, to=body.fresh(f"{name}_after")) for name, value in after.items()]
    given.append(body.apply("Identity", output, to=body.fresh("output_row")))
    taken = [*before.values(), *(row for _, row in over)]
    graph = helper.make_graph(
        body.nodes, body.fresh("body"), [_any(name) for name in taken], [_any(name) for name in given]
    )
    finals = {name: writer.fresh(f"{name}_final") for name in states}
    whole = writer.fresh("output")
    writer.several(
        "Scan",
        [*states.values(), *(value for value, _ in over)],
        [*finals.values(), whole],
        {"body": graph, "num_scan_inputs": len(over)},
    )
    return whole, finals


def _any(name: str) -> object:
    """Declare a float of a step; its axes follow."""
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, None)


def write_operator(writer: GraphWriter, operator: Operator, x: str, states: Named) -> tuple[str, dict[str, str]]:
    """Write a standard operator over x [T, B, I] with states [B, H]; gives y [T, B, H] and the states after it."""
    front = writer.integers(0)
    before = [writer.apply("Unsqueeze", states[name], front) for name in operator.states]
    W, R, B = (writer.constant(getattr(operator, name), name) for name in "WRB")
    taken = [x, W, R, B, "", *before, *([] if operator.P is None else [writer.constant(operator.P, "P")])]
    results = [writer.fresh(name) for name in ("Y", "Y_h", "Y_c")[: len(operator.states) + 1]]
    attributes = {"hidden_size": operator.hidden, **operator.attributes}
    y, *finals = writer.several(operator.name, taken, results, attributes)
    y = writer.apply("Squeeze", y, writer.integers(1))
    after = {name: writer.apply("Squeeze", value, front) for name, value in zip(operator.states, finals, strict=True)}
    return _with_nan(writer, x, states, y, after)


def _with_nan(writer: GraphWriter, x: str, states: Named, y: str, after: Named) -> tuple[str, dict[str, str]]:
    """Add zeros, or NaN from the first step on that reads something that is no finite number."""
    start = writer.apply("Sum", *(_spoilt(writer, value) for value in states.values()))
    steps = writer.apply("CumSum", _spoilt(writer, x), writer.constant(np.int64(0), "axis"))
    spoilt = writer.apply("Add", steps, start)
    last = writer.apply(
        "Squeeze",
        writer.apply("Slice", spoilt, writer.integers(-1), writer.integers(1 << 62), writer.integers(0)),
        writer.integers(0),
    )
    return writer.apply("Add", y, spoilt), {name: writer.apply("Add", value, last) for name, value in after.items()}


def _spoilt(writer: GraphWriter, value: str) -> str:
    """Return 0 for rows of numbers, NaN for the others: [..., 1]."""
    difference = writer.apply("Sub", value, value)
    return writer.apply("ReduceSum", difference, writer.integers(-1), attributes={"keepdims": 1})
