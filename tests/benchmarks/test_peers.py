"""Everybody computes the same: converters, loops, JAX and ONNX Runtime against torch.nn in float64."""

from __future__ import annotations

import importlib

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import modules, roof
from benchmarks.comparison import complaint, errors
from benchmarks.grid import CELLS, GATES, Shape, flops
from benchmarks.invented import invent
from benchmarks.peers import loopcell as ours, packed_loop, python_loop, torch_nn
from benchmarks.peers.find import peer
from benchmarks.suites import custom, ragged
from benchmarks.task import make_task
from loopcell import Recurrent
from tests.benchmarks import elsewhere

SIZES = Shape(6, 3, 4, 5)
FORMS = {"one layer": (1, False), "three layers": (3, False), "both directions": (2, True)}


def right(found):
    """A peer that is not installed is skipped; one that is there is right."""
    if found is None:
        pytest.skip("it is not installed: pip install '.[bench]'")
    assert found == ""


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("name", ["jax", "onnxruntime"])
def test_a_peer_has_the_same_weights(name, cell, form, process):
    right(process(elsewhere.whole_sequences, name, cell, *FORMS[form]))


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("name", ["jax", "onnxruntime"])
def test_a_peer_takes_steps_that_make_the_sequence(name, cell, process):
    right(process(elsewhere.steps, name, cell))


@pytest.mark.parametrize("cell", CELLS)
def test_onnx_reads_rows_of_different_lengths(cell, process):
    right(process(elsewhere.lengths, cell))


@pytest.mark.parametrize("cell", CELLS)
def test_torchs_own_two_ways_of_a_step(cell):
    task = make_task(cell, SIZES._replace(B=1))
    truth = torch_nn.step_truth(task)
    assert complaint(torch_nn.step(task, truth)) == ""
    assert complaint(torch_nn.cell_step(task, truth)) == ""


def test_gates_are_put_into_onnxs_order():
    reordered = pytest.importorskip("benchmarks.peers.onnx_model", exc_type=ImportError).reordered
    packed = torch.arange(8.0).view(4, 2)  # i, f, g, o
    assert np.array_equal(reordered(packed, (0, 3, 1, 2))[:, 0], [0, 6, 2, 4])  # i, o, f, c


@pytest.mark.parametrize("job", modules.JOBS)
@pytest.mark.parametrize("cell", CELLS)
def test_loopcell_has_the_same_weights_whole_and_ragged(cell, job):
    task, lengths = make_task(cell, SIZES), torch.tensor([2, 6, 1])
    do = modules.JOBS[job]
    assert complaint(ours.entry_of(do, task, modules.truth_of(do, task))) == ""
    truth = modules.truth_of(do, task, ragged.packing(lengths))
    assert complaint(ours.entry_of(do, task, truth, lengths)) == ""
    assert complaint(ours.entry_of(do, task, truth)) != "", "lengths matter"


@pytest.mark.parametrize("job", modules.JOBS)
@pytest.mark.parametrize("cell", custom.BESIDE)
def test_both_loops_are_the_cell(cell, job):
    torch.manual_seed(0)
    net = Recurrent(custom.cell_named(cell), SIZES.I, SIZES.H).double()
    parameters = {name.removeprefix("l0."): value.detach() for name, value in net.named_parameters()}
    task = make_task(custom.BESIDE[cell], SIZES)
    x, cotangent = task.x.double(), task.cotangent.double()
    truth = python_loop.JOBS[job](cell, parameters, x, cotangent, None).observe()
    packed = packed_loop.JOBS[job](cell, parameters, x, cotangent, truth).observe()
    assert max(errors(packed, truth).values()) < 1e-10
    found = modules.JOBS[job]("ours", net.get_submodule("l0"), modules.network_of(net), task, truth).observe()
    assert max(errors(found, truth).values()) < 1e-10


def test_the_invented_cell_is_read_anew_each_time():
    assert invent() is not invent()
    assert invent().num_parameters(input_size=4, hidden_size=5) == 3 * (4 * 5 + 5 * 5 + 5) + 5


def test_a_peer_that_is_not_installed_is_named(monkeypatch):
    def missing(name):
        raise ModuleNotFoundError("No module named 'jax'", name="jax")

    monkeypatch.setattr(importlib, "import_module", missing)
    found = peer("jax")
    assert (found.name, found.reason) == ("JAX", "jax is not installed")


@pytest.mark.parametrize("job", roof.PASSES)
@pytest.mark.parametrize("cell", CELLS)
def test_both_roofs_have_as_many_multiplications_as_the_pass(cell, job):
    sizes = Shape(7, 9, 11, 13)
    expected = roof.PASSES[job] * flops(cell, sizes)
    assert flops(cell, sizes) == 2 * 7 * 9 * (11 + 13) * 13 * GATES[cell]
    counted = []
    for product in roof.products(cell, sizes, job):
        with FlopCounterMode(display=False) as counter:
            product.run()
        counted.append(counter.get_total_flops())
    assert counted[0] == expected
    assert counted[1] == pytest.approx(expected, rel=0.05)


def test_reading_reads_every_weight():
    weights = [torch.randn(37, 5), torch.randn(130)]
    found = roof.reading(weights)
    if not hasattr(found, "run"):
        pytest.skip(found.reason)
    expected = sum(weight.abs().sum().item() for weight in weights)
    assert found.run() / found.jobs == pytest.approx(expected, rel=1e-4)
    assert complaint(found) == ""
