"""The largest error of exported cells in ONNX Runtime, native and in a browser, against double precision.

python -m benchmarks.onnx_parity            writes results/onnx_parity.json and prints its table

Every registered cell (two layers where its inputs allow it, weights as after a training), and drawn cells, in both
forms, over a sequence of normal numbers. Errors do not depend on how busy the machine is.
"""

from __future__ import annotations

import json
import random
import warnings
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

import numpy as np
import torch

import loopcell
from benchmarks.onnx_web import RUNTIME, WebRuntime, web_runtime
from benchmarks.results import RESULTS, heading, write
from loopcell import cells
from loopcell.equations import Cell
from loopcell.errors import EquationError, EquationWarning, InputError
from loopcell.export import OnnxFile, OnnxStream, StepModel, StepRun, step_model_of
from loopcell.export.onnx.forms import FORMS
from loopcell.export.onnx.stages import written_as
from loopcell.export.onnx.write import onnx_model
from tests.laws.drawn import cell_of, draw

STEPS, INPUT, HIDDEN, DRAWN = 200, 8, 32, 40
CUTS = [0, 1, 3, 50, STEPS]


def network(cell: str | Cell, seed: int = 0) -> loopcell.Recurrent:
    """Return a network with weights as large as after a training."""
    own = {size: 8 for size in cells.get(cell).sizes if size not in ("input", "hidden")}
    torch.manual_seed(seed)
    for hidden, layers in ((HIDDEN, 2), (INPUT, 2), (HIDDEN, 1)):
        try:
            net = loopcell.Recurrent(cell, INPUT, hidden, num_layers=layers, sizes=own)
        except InputError:  # an input as long as the state, or layers that cannot be stacked
            continue
        with torch.no_grad():
            for weight in net.parameters():
                weight.add_(torch.randn_like(weight) / weight.shape[-1] ** 0.5)
        return net.eval()
    raise AssertionError(f"no network of {cell} has these sizes")


def drawn_networks() -> Iterator[loopcell.Recurrent]:
    """Yield networks over cells of drawn equations."""
    count, seed = 0, 0
    while count < DRAWN:
        seed += 1
        try:
            yield network(cell_of(draw(random.Random(seed))), seed)
        except EquationError:
            continue
        count += 1


def errors(net: loopcell.Recurrent, web: WebRuntime) -> dict[str, Any]:
    """Return the largest differences of a network's files, by form and runtime, and how it is written."""
    model = step_model_of(net)
    inputs = sequences(model)
    expected = expected_of(model, inputs)
    row: dict[str, Any] = {"written": written_as(model.stages[0]), "layers": len(model.stages)}
    for form in FORMS:
        content = onnx_model(model, form).SerializeToString()
        native = OnnxStream(OnnxFile(content, form)).feed(**inputs)
        browser = web.feed(content, inputs, CUTS)
        row[form] = {"native": largest(expected, native), "web": largest(expected, browser)}
    return row


def sequences(model: StepModel) -> dict[str, Any]:
    """Return normal numbers for each input."""
    rng = np.random.default_rng(0)
    return {one.name: rng.normal(size=(STEPS, one.size)).astype(np.float32) for one in model.inputs}


def expected_of(model: StepModel, inputs: dict[str, Any]) -> dict[str, Any]:
    """Return the outputs in double precision."""
    run = StepRun(model)
    steps = [run.step(**{name: value[at] for name, value in inputs.items()}) for at in range(STEPS)]
    return {name: np.stack([one[name] for one in steps]) for name in steps[0]}


def largest(expected: dict[str, Any], found: dict[str, Any]) -> float:
    """Return the largest difference, relative for numbers beyond 1; what is not finite has to be so in both."""
    largest = 0.0
    for name, right in expected.items():
        with np.errstate(invalid="ignore"):
            off = np.abs(found[name] - right) / np.maximum(1, np.abs(right))
        same = (found[name] == right) | (np.isnan(right) & np.isnan(found[name]))
        largest = max(largest, float(np.where(same, 0, np.nan_to_num(off, nan=np.inf)).max()))
    return largest


def main() -> None:
    """Measure and write all."""
    warnings.simplefilter("ignore", EquationWarning)  # drawn cells leave things out
    web_version = json.loads((RUNTIME.parent / "package.json").read_text(encoding="utf-8"))["version"]
    about = heading(
        steps=STEPS, input=INPUT, hidden=HIDDEN, onnxruntime_web=web_version, playwright=version("playwright")
    )
    with web_runtime() as web:
        rows = {name: errors(network(name), web) for name in cells.names()}
        drawn = [errors(net, web) for net in drawn_networks()]
    worst = {form: {of: max(row[form][of] for row in drawn) for of in ("native", "web")} for form in FORMS}
    rows[f"{DRAWN} drawn cells"] = {"written": "", "layers": 0, **worst}
    write(RESULTS / "onnx_parity.json", {**about, "cells": rows})
    print(table(rows))


def table(rows: dict[str, Any]) -> str:
    """Return the rows as a table of Markdown."""
    lines = [
        "| cell | written as | step, native | step, web | sequence, native | sequence, web |",
        "|---|---|---|---|---|---|",
    ]
    for name, row in rows.items():
        figures = " | ".join(f"{row[form][of]:.0e}" for form in FORMS for of in ("native", "web"))
        lines.append(f"| `{name}` | {row['written'] or '-'} | {figures} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
