"""Models for the tests of exports to C, and the compilers that this machine has."""

from __future__ import annotations

import shutil

import numpy as np
import torch

from loopcell import Recurrent, cells
from loopcell.backends.c.toolchain.target import target
from loopcell.equations import Cell
from loopcell.export.c.compiled import STRICT, compile_program
from loopcell.export.c.product import product_form
from loopcell.export.c.source import CSource
from loopcell.export.c.verify import Recorded, demand_equal, record
from loopcell.export.step_model import (
    Delay,
    Join,
    Lookup,
    MelBands,
    Output,
    Quantity,
    Softmax,
    StepModel,
    layer_stages,
    step_model_of,
)
from loopcell.export.step_model.formulas import linear_stage, scale_stage

GCC, CLANG = shutil.which("gcc"), shutil.which("clang")
FOUND = target()
HOUSE = () if FOUND is None else FOUND.command
"""The command of the compiler that kernels are built with: where there is no other, the one that comes as a wheel."""


def network(cell: str | Cell, layers: int = 2, input_size: int = 3, hidden_size: int = 5, seed: int = 0) -> Recurrent:
    """Return a network of a cell with weights drawn from a seed; as many layers as the cell can have."""
    cell = cells.get(cell)
    sizes = {size: 4 for size in cell.sizes if size not in ("input", "hidden")}
    declared = cell.graph.declared_sizes
    hidden_size = input_size if declared.get("input") == "hidden" else hidden_size
    if len(cell.inputs) > 1 and any(size == "input" for key, size in declared.items() if key.name != "x"):
        layers = 1  # a further input of the input's size is the first layer's
    with torch.random.fork_rng():  # layer norms enlarge what single precision rounds, by how much depends on the draw
        torch.manual_seed(seed)
        return Recurrent(cell, input_size=input_size, hidden_size=hidden_size, num_layers=layers, sizes=sizes).eval()


def whole_model(name: str = "whole") -> StepModel:
    """Return a model with every kind of stage: tokens, a table, a delay, a scale, layers, a head, probabilities."""
    rng = np.random.default_rng(0)
    token, extra = Quantity("token", 1, "token"), Quantity("x", 2)
    table = rng.normal(size=(7, 3)).astype(np.float32)
    lookup = Lookup(Quantity("vector", 3), table, "token")
    delay = Delay(Quantity("recent", 9), 3, "vector")
    scaled = scale_stage("scaled", delay.gives, rng.normal(size=9), rng.uniform(1, 2, size=9))
    layers = layer_stages(network("lstm", 2, 9, 6), scaled.gives)
    head = linear_stage("scores", layers[-1].gives, rng.normal(size=(4, 6)), rng.normal(size=4), "the scores of labels")
    aside = linear_stage("aside", extra, rng.normal(size=(2, 2)), rng.normal(size=2))
    return StepModel(
        name,
        (token, extra),
        (lookup, delay, scaled, *layers, head, Softmax(Quantity("shares", 4), "scores"), aside),
        (Output("shares", ("B-PER */", "O", "int", "\n")), Output("aside")),
    )


def sound_model(width: int = 100, bands: int = 7) -> StepModel:
    """Return a model of frames of sound: mel bands beside the frame's own numbers, as one vector."""
    rng = np.random.default_rng(0)
    frame = Quantity("frame", width)
    size = 1 << (width - 1).bit_length()
    bank = rng.uniform(size=(bands, size // 2 + 1)).astype(np.float32)
    for band, row in enumerate(bank):
        row[: 2 * band] = 0
        row[2 * band + 9 :] = 0
    bank[-1] = 0  # a band without a frequency
    window = np.hanning(width + 1)[:-1].astype(np.float32)
    mel = MelBands(Quantity("bands", bands), window, bank, 1e-6, "frame")
    both = Join(Quantity("both", bands + width), ("bands", "frame"))
    return StepModel("sound", (frame,), (mel, both), (Output("both"),))


def source_of(model, simd: str = "plain", weights: str = "float32", name: str = "net") -> CSource:
    """Return a model in C."""
    return CSource(step_model_of(model), name, product_form(simd, weights))


def prove(source: CSource, folder, *command: str, data=None, runner: tuple[str, ...] = ()) -> tuple[float, Recorded]:
    """Compile a model with a compiler and its flags, and compare it; gives the largest error and what was recorded."""
    (folder / f"{source.name}.h").write_text(source.header(), encoding="utf-8")
    (folder / f"{source.name}.c").write_text(source.code(), encoding="utf-8")
    recorded = record(source, data)
    program = compile_program(source, folder, (*command, *STRICT), runner)
    return demand_equal(program, recorded), recorded
