"""The nodes of every kind of stage: of one step, and of a whole sequence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from loopcell.errors import UsageError
from loopcell.export.onnx.layers import Named, scan, write_loop, write_operator, write_step
from loopcell.export.onnx.nodes import ANY, GraphWriter
from loopcell.export.onnx.operators import operator_of
from loopcell.export.step_model import Delay, Equations, Join, Lookup, MelBands, Slice, Softmax, Stage

Written = tuple[str, dict[str, str]]
"""What a stage gives, and its states after it by name."""

Write = Callable[[GraphWriter, Any, Named, Named], Written]


def _lookup(writer: GraphWriter, stage: Lookup, reads: Named, _: Named) -> Written:
    # Gather counts a negative index from the end: sent past the table instead, it is an error as any other.
    token = reads[stage.reads]
    below = writer.apply("Less", token, writer.constant(np.int64(0), "zero"))
    checked = writer.apply("Where", below, writer.constant(np.int64(len(stage.table)), "size"), token)
    return writer.apply("Gather", writer.constant(stage.table, "table"), checked, attributes={"axis": 0}), {}


def _softmax(writer: GraphWriter, stage: Softmax, reads: Named, _: Named) -> Written:
    return writer.apply("Softmax", reads[stage.reads], attributes={"axis": -1}), {}


def _delay(writer: GraphWriter, stage: Delay, reads: Named, states: Named) -> Written:
    now = reads[stage.reads]
    length = stage.gives.size // stage.steps
    first = writer.apply("Concat", *[now] * stage.steps, attributes={"axis": -1})
    fresh = writer.apply("Equal", states["begun"], writer.constant(np.float32(0)))
    before = writer.apply("Where", fresh, first, states["recent"])
    kept = writer.apply("Slice", before, writer.integers(length), writer.integers(ANY), writer.integers(-1))
    recent = writer.apply("Concat", kept, now, attributes={"axis": -1})
    begun = writer.whole(writer.constant(np.ones(1, np.float32), "ones"), now, 1)
    return recent, {"recent": recent, "begun": begun}


def _delays(writer: GraphWriter, stage: Delay, reads: Named, states: Named) -> Written:
    body = GraphWriter(writer)
    before = {name: body.fresh(f"{name}_before") for name in states}
    row = body.fresh("row")
    output, after = _delay(body, stage, {stage.reads: row}, before)
    return scan(writer, body, (before, after), states, [(reads[stage.reads], row)], output)


def _equations(writer: GraphWriter, stage: Equations, reads: Named, states: Named) -> Written:
    operator = operator_of(stage)
    if operator is None:
        return write_step(writer, stage, reads, states)
    front = writer.integers(0)
    x = writer.apply("Unsqueeze", _input_of(stage, reads), front)
    y, after = write_operator(writer, operator, x, states)
    return writer.apply("Squeeze", y, front), after


def _all_equations(writer: GraphWriter, stage: Equations, reads: Named, states: Named) -> Written:
    if not stage.states:
        return write_step(writer, stage, reads, states)
    operator = operator_of(stage)
    if operator is None:
        return write_loop(writer, stage, reads, states)
    return write_operator(writer, operator, _input_of(stage, reads), states)


def _input_of(stage: Equations, reads: Named) -> str:
    return reads[next(iter(stage.reads.values()))]


def _join(writer: GraphWriter, stage: Join, reads: Named, _: Named) -> Written:
    return writer.apply("Concat", *(reads[name] for name in stage.reads), attributes={"axis": -1}), {}


def _slice(writer: GraphWriter, stage: Slice, reads: Named, _: Named) -> Written:
    starts, ends, axes = map(writer.integers, (stage.start, stage.start + stage.gives.size, -1))
    return writer.apply("Slice", reads[stage.reads], starts, ends, axes), {}


def _mel_bands(writer: GraphWriter, stage: MelBands, reads: Named, _: Named) -> Written:
    # The transform as two matrices, which every runtime multiplies: few have ONNX's DFT, and fewer in float32 alone.
    angles = 2 * np.pi * np.outer(np.arange(len(stage.window)), np.arange(stage.bank.shape[1])) / stage.fft_size
    window = stage.window[:, None].astype(np.float64)
    squares = []
    for name, wave in (("cosines", np.cos(angles)), ("sines", np.sin(angles))):
        part = writer.apply("MatMul", reads[stage.reads], writer.constant(np.float32(window * wave), name))
        squares.append(writer.apply("Mul", part, part))
    power = writer.apply("Add", *squares)
    energy = writer.apply("MatMul", power, writer.constant(np.float32(stage.bank.T), "bank"))
    floor = writer.constant(np.float32(stage.floor), "floor")
    return writer.apply("Log", writer.apply("Max", energy, floor)), {}


_STATELESS: dict[type, Write] = {Lookup: _lookup, Softmax: _softmax, Join: _join, Slice: _slice, MelBands: _mel_bands}

STEP: dict[type, Write] = {Equations: _equations, Delay: _delay, **_STATELESS}
"""One step: what flows is [B, n], a token [B]."""

SEQUENCE: dict[type, Write] = {Equations: _all_equations, Delay: _delays, **_STATELESS}
"""All steps: what flows is [T, B, n], a token [T, B]."""


def written_as(stage: Stage) -> str:
    """Return the standard operator that a recurrent stage is written as, "Scan", or "" for what has no state."""
    operator = operator_of(stage) if isinstance(stage, Equations) and stage.states else None
    return operator.name if operator else "Scan" if stage.states else ""


def writer_of(table: dict[type, Write], stage: Stage) -> Write:
    """Return what writes a stage.

    Raises:
        UsageError: there is no ONNX of such a stage.
    """
    if type(stage) not in table:
        known = ", ".join(kind.__name__ for kind in table)
        raise UsageError(f"stage {stage.gives.name!r} is a {type(stage).__name__}, and ONNX is written of {known}")
    return table[type(stage)]
