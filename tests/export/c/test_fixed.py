"""Fixed point: the C has the bits of the whole numbers in Python, and these are near the model."""

from __future__ import annotations

import random
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from loopcell import cells
from loopcell.errors import CheckFailed, InputError, UsageError
from loopcell.export import CForm, to_c
from loopcell.export.c.compiled import STRICT, compile_program
from loopcell.export.c.fixed.record import fixed_source, record_fixed, run_fixed
from loopcell.export.drawn import drawn
from loopcell.export.step_model import Output, Quantity, StepModel, step_model_of
from loopcell.export.step_model.formulas import linear_stage, scale_stage
from tests.export.c.models import CLANG, GCC, HOUSE, network, sound_model, whole_model
from tests.laws.drawn import cell_of, draw

pytestmark = pytest.mark.skipif(not HOUSE, reason="there is no C compiler")
SANITIZED = ("-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")


def fixed(model, weights="int16", data=None, steps=40):
    step = step_model_of(model)
    source, inputs = fixed_source(step, "net", weights, "arrays", drawn(step, steps) if data is None else data)
    return source, inputs


def built(source, folder, *command, runner=()):
    (folder / "net.h").write_text(source.header(), encoding="utf-8")
    (folder / "net.c").write_text(source.code(), encoding="utf-8")
    return compile_program(source, folder, (*command, *STRICT), runner)


def demand_same_bits(source, inputs, program):
    """Numbers that were seen, and numbers of all sizes, which clip wherever they can."""
    numbers = source.fixed.whole_inputs(inputs)
    rng = np.random.default_rng(5)
    wild = {
        name: values if source.model.quantities[name].kind == "token" else rng.integers(-32768, 32768, values.shape)
        for name, values in numbers.items()
    }
    for given in (numbers, wild):
        expected = run_fixed(source.fixed, given)
        for again in (0, 7):
            found = program.steps({name: np.asarray(values) for name, values in given.items()}, again)
            for name, values in expected.items():
                assert np.array_equal(found[name], values)


def of_cell(name, steps=20):
    """A network of a cell, and data that are no times before 0."""
    torch.manual_seed(0)
    net = network(name, 1 + len(name) % 2, hidden_size=9)
    return net, {one: np.abs(values) for one, values in drawn(step_model_of(net), steps).items()}


@pytest.mark.parametrize("name", cells.names())
def test_every_cell_has_the_bits_of_python(name, tmp_path):
    net, data = of_cell(name)
    weights = ("int16", "int8")[len(name) // 2 % 2]
    source, inputs = fixed(net, weights, data)
    demand_same_bits(source, inputs, built(source, tmp_path, GCC or HOUSE[0], "-O1"))
    print(name, weights, record_fixed(source, inputs).narrowing)
    assert record_fixed(source, inputs).narrowing < {"int16": 2e-3, "int8": 0.03}[weights]
