"""The benchmark of exports: what it compares is right, and what is not there is said."""

from __future__ import annotations

import pytest

from benchmarks.comparison import complaint
from benchmarks.exported import Build, errors, memory
from benchmarks.grid import Shape
from benchmarks.peers import exported, torch_nn
from benchmarks.task import make_task
from tests.export.c.models import HOUSE

pytestmark = pytest.mark.skipif(not HOUSE, reason="there is no C compiler")


@pytest.mark.parametrize("weights", ["float32", "bfloat16", "int8"])
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_the_exported_step_is_torchs(cell, weights):
    task = make_task(cell, Shape(6, 1, 4, 21))
    entry = exported.step(task, torch_nn.step_truth(task), weights)
    assert complaint(entry) == ""
    entry.run()


def test_a_compiler_that_is_not_there_is_named():
    (row,) = errors((Build("no-such-compiler", ("-O0",), "plain"),))
    assert row["absent"] == "it is not installed"


def test_memory_of_a_small_machine():
    rows = list(memory())
    sizes = {row["weights"]: row["weight_bytes"] for row in rows if row["hidden"] == 128}
    assert sizes["int8"] < sizes["bfloat16"] < sizes["float32"]
