"""The largest error of exported cells in ExecuTorch, against double precision; it has to be installed beside.

python -m benchmarks.executorch_parity      writes results/executorch_parity.json and prints its figures

ExecuTorch brings many heavy packages, so it is in no extra: `pip install executorch` in another environment, or
`pip install --no-deps --target FOLDER executorch flatbuffers ruamel.yaml tabulate`, and FOLDER on PYTHONPATH.
"""

from __future__ import annotations

import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from executorch.exir import to_edge_transform_and_lower
from executorch.runtime import Runtime

import loopcell
from benchmarks.onnx_parity import STEPS, expected_of, largest, network, sequences
from benchmarks.results import RESULTS, heading, write
from loopcell import cells
from loopcell.export import step_model_of, to_torch_program


def error(net: loopcell.Recurrent, folder: Path) -> float:
    """Return the largest difference of a network's steps in ExecuTorch."""
    model = step_model_of(net)
    inputs = sequences(model)
    content = to_edge_transform_and_lower(to_torch_program(model, rows=1)).to_executorch().buffer
    (folder / "model.pte").write_bytes(content)
    method = Runtime.get().load_program(folder / "model.pte").load_method("forward")
    states = [torch.zeros(1, size) for size in model.states.values()]
    found = []
    for at in range(STEPS):
        row = [torch.from_numpy(value[at][None]) for value in inputs.values()]
        output, *states = (value.clone() for value in method.execute([*row, *states]))
        found.append(output[0].numpy())
    return largest(expected_of(model, inputs), {model.outputs[0].name: np.stack(found)})


def main() -> None:
    """Measure and write all."""
    about: dict[str, Any] = heading(steps=STEPS, executorch=version("executorch"))
    with tempfile.TemporaryDirectory() as folder:
        found = {name: error(network(name), Path(folder)) for name in cells.names()}
    write(RESULTS / "executorch_parity.json", {**about, "cells": found})
    print("\n".join(f"{name}: {value:.0e}" for name, value in found.items()))


if __name__ == "__main__":
    main()
