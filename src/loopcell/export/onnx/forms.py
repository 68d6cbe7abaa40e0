"""The two forms of an ONNX file: one step, and the whole sequence. In both, states go in and come out by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from loopcell.export.onnx.metadata import metadata_of, output_name
from loopcell.export.onnx.nodes import ANY, GraphWriter
from loopcell.export.onnx.stages import SEQUENCE, STEP, Write, writer_of
from loopcell.export.step_model import Quantity, StepModel

OPSET, IR_VERSION = 17, 8
"""Old enough for the runtimes of 2022; nothing newer is needed."""


def step_form(model: StepModel) -> onnx.ModelProto:
    """Return a model of one step for B rows: inputs [B, n] and tokens [B], states NAME_in and NAME_out [B, n]."""
    writer = GraphWriter()
    known = {one.name: one.name for one in model.inputs}
    before = {name: f"{name}_in" for name in model.states}
    after = _stages(writer, model, STEP, known, before)
    for name, value in after.items():
        writer.apply("Identity", value, to=f"{name}_out")
    for output in model.outputs:
        writer.apply("Identity", known[output.name], to=output_name(model, output.name))
    return _model(model, writer, "step", ["batch"])


def sequence_form(model: StepModel) -> onnx.ModelProto:
    """Return a model of all steps: inputs [T, B, n] and tokens [T, B], states [B, n] before and after them.

    T may be zero. ONNX Runtime (1.31) then ends the whole process in a GRU, and forgets the state in an LSTM or RNN; so
    the graph puts a step in the place of none, and takes its results away again.
    """
    writer = GraphWriter()
    steps = writer.shape(model.inputs[0].name, 0, 1)
    known = {one.name: _at_least_one_step(writer, one, steps) for one in model.inputs}
    before = {name: f"{name}_in" for name in model.states}
    after = _stages(writer, model, SEQUENCE, known, before)
    any_step = writer.apply("Greater", steps, writer.integers(0))
    for name, value in after.items():
        writer.apply("Where", any_step, value, before[name], to=f"{name}_out")
    zero = writer.integers(0)
    for output in model.outputs:
        writer.apply("Slice", known[output.name], zero, steps, zero, to=output_name(model, output.name))
    return _model(model, writer, "sequence", ["time", "batch"])


FORMS: dict[str, Callable[[StepModel], onnx.ModelProto]] = {"step": step_form, "sequence": sequence_form}
"""The forms by name."""


def _stages(
    writer: GraphWriter, model: StepModel, table: dict[type, Write], known: dict[str, str], before: dict[str, str]
) -> dict[str, str]:
    """Write all stages; adds what each gives to `known`, and returns the states after them."""
    after: dict[str, str] = {}
    for stage in model.stages:
        own = stage.gives.name
        writer.place = own
        states = {name: before[f"{own}.{name}"] for name in stage.states}
        known[own], new = writer_of(table, stage)(writer, stage, known, states)
        after |= {f"{own}.{name}": value for name, value in new.items()}
    writer.place = ""
    return after


def _at_least_one_step(writer: GraphWriter, quantity: Quantity, steps: str) -> str:
    """Return an input, or where it has no step, one of zeros."""
    missing = writer.apply("Max", writer.apply("Sub", writer.integers(1), steps), writer.integers(0))
    row = writer.shape(quantity.name, 1, ANY)
    shape = writer.apply("Concat", missing, row, attributes={"axis": 0})
    zero = numpy_helper.from_array(np.zeros(1, np.int64 if quantity.kind == "token" else np.float32))
    spare = writer.apply("ConstantOfShape", shape, attributes={"value": zero})
    return writer.apply("Concat", quantity.name, spare, attributes={"axis": 0})


def _model(model: StepModel, writer: GraphWriter, form: str, axes: list[str]) -> onnx.ModelProto:
    inputs = [_declared(one, axes) for one in model.inputs]
    outputs = [
        _declared(Quantity(output_name(model, one.name), model.quantities[one.name].size), axes)
        for one in model.outputs
    ]
    states = [Quantity(name, size) for name, size in model.states.items()]
    read = set(_reads(writer.nodes))  # a matrix may stand there transposed alone, and ONNX Runtime warns of the other
    graph = helper.make_graph(
        writer.nodes,
        model.name,
        inputs + [_declared(Quantity(f"{one.name}_in", one.size), axes[-1:]) for one in states],
        outputs + [_declared(Quantity(f"{one.name}_out", one.size), axes[-1:]) for one in states],
        [numpy_helper.from_array(value, name) for name, value in writer.constants.items() if name in read],
    )
    made = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="loopcell"
    )
    helper.set_model_props(made, metadata_of(model, form))
    return made


def _reads(nodes: Iterable[onnx.NodeProto]) -> Iterator[str]:
    """Yield the names of all that nodes read, in the bodies of loops too, and of what these give."""
    for node in nodes:
        yield from node.input
        for attribute in node.attribute:
            yield from _reads(attribute.g.node)
            yield from (one.name for one in attribute.g.output)


def _declared(quantity: Quantity, axes: list[str]) -> Any:
    if quantity.kind == "token":
        return helper.make_tensor_value_info(quantity.name, TensorProto.INT64, axes)
    return helper.make_tensor_value_info(quantity.name, TensorProto.FLOAT, [*axes, quantity.size])
