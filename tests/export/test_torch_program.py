"""Programs of torch.export: the same numbers as the model, states outside; saved, and read without loopcell."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings

from loopcell import cells
from loopcell.errors import CheckFailed, EquationError, InputError, UsageError
from loopcell.export import ProgramStream, StepRun, to_torch_program, verify
from loopcell.export.torch_program import StepModule
from tests.export.onnx.models import model_of, network_of, sequences_of
from tests.export.onnx.test_forms import UNUSUAL, whole_inputs, whole_model
from tests.laws.drawn import cell_of, drawings

LOAD = """
import sys, torch
program = torch.export.load(sys.argv[1])
given = torch.load(sys.argv[2])
run, state, found = program.module(), given["states"], []
for row in given["steps"]:
    outputs, state = run(row, state)
    found.append(outputs)
torch.save(found, sys.argv[3])
assert not [name for name in sys.modules if name.startswith("loopcell")]
"""


@pytest.mark.parametrize("name", cells.names())
def test_every_cell_is_a_program_with_the_same_numbers(name):
    model = model_of(network_of(name, layers=1))
    program = to_torch_program(model)
    found = verify(model, ProgramStream(program, model), sequences_of(model, 11))
    assert found.errors["stepped"] < 5e-5


@pytest.mark.parametrize("own", UNUSUAL, ids=lambda own: own.name)
def test_unusual_graphs_compute_the_same(own):
    module_is_the_model(model_of(network_of(own)))


@settings(max_examples=25, deadline=None)
@given(drawings())
def test_drawn_cells_compute_the_same(drawing):
    try:
        module_is_the_model(model_of(network_of(cell_of(drawing), layers=1)))
    except EquationError:
        return


def module_is_the_model(model):
    """Held without a program: to make one takes a second."""
    module, run = StepModule(model), StepRun(model)
    states = {name: torch.zeros(1, size) for name, size in model.states.items()}
    inputs = sequences_of(model, 4)
    for at in range(4):
        row = {name: value[at] for name, value in inputs.items()}
        outputs, states = module({name: torch.from_numpy(value)[None] for name, value in row.items()}, states)
        for name, right in run.step(**row).items():
            assert np.allclose(outputs[name][0], right, rtol=1e-3, atol=1e-3, equal_nan=True)


def test_it_is_saved_and_read_in_a_process_that_has_no_loopcell(tmp_path):
    model = whole_model()
    program = to_torch_program(model, x=whole_inputs(9))
    torch.export.save(program, tmp_path / "model.pt2")
    steps = whole_inputs(5)
    rows = [
        {"token": torch.tensor([steps["token"][at]]), "level": torch.from_numpy(steps["level"][at : at + 1])}
        for at in range(5)
    ]
    states = {name: torch.zeros(1, size) for name, size in model.states.items()}
    torch.save({"steps": rows, "states": states}, tmp_path / "given.pt")
    files = [str(tmp_path / name) for name in ("model.pt2", "given.pt", "found.pt")]
    subprocess.run([sys.executable, "-c", LOAD, *files], check=True)
    found, run = torch.load(tmp_path / "found.pt"), StepRun(model)
    for at, outputs in enumerate(found):
        for name, right in run.step(**{name: value[at] for name, value in steps.items()}).items():
            assert np.allclose(outputs[name][0], right, atol=1e-5)


@pytest.mark.parametrize("rows", [1, 2, 5])
def test_any_count_of_rows(rows):
    model = model_of(network_of("lstm"))
    run = to_torch_program(model).module()
    x = torch.randn(rows, 3)
    states = {name: torch.randn(rows, size) for name, size in model.states.items()}
    outputs, after = run({"x": x}, states)
    assert outputs["layer2"].shape == (rows, 5)
    alone, after_alone = run({"x": x[:1]}, {name: value[:1] for name, value in states.items()})
    assert torch.allclose(outputs["layer2"][:1], alone["layer2"], atol=1e-6)
    assert {name: value.shape for name, value in after.items()} == {name: value.shape for name, value in states.items()}
    assert torch.allclose(after["layer1.c"][:1], after_alone["layer1.c"], atol=1e-6)


def test_a_fixed_count_of_rows():
    model = model_of(network_of("gru"))
    for rows in (1, 3):
        program = to_torch_program(model, rows=rows)
        assert program.range_constraints == {}
        outputs, _ = program.module()(
            {"x": torch.ones(rows, 3)}, {k: torch.zeros(rows, n) for k, n in model.states.items()}
        )
        assert np.allclose(outputs["layer2"][-1], StepRun(model).step(x=np.ones(3))["layer2"], atol=1e-6)
    with pytest.raises(InputError, match="rows=0 must be None, or a whole number of at least 1"):
        to_torch_program(model, rows=0)


def test_the_program_has_no_state_of_its_own():
    model = model_of(network_of("gru"))
    program = to_torch_program(model)
    assert not program.graph_signature.buffers_to_mutate
    run, x = program.module(), torch.randn(2, 3)
    states = {name: torch.zeros(2, size) for name, size in model.states.items()}
    first, _ = run({"x": x}, states)
    again, _ = run({"x": x}, states)
    assert torch.equal(first["layer2"], again["layer2"])
    assert all(not value.any() for value in states.values())


def test_nan_is_answered_with_nan():
    model = model_of(network_of("gru"))
    stream = ProgramStream(to_torch_program(model), model)
    assert np.isnan(stream.step(x=[1, np.nan, 2])["layer2"]).all()
    assert np.isnan(stream.step(x=[1, 1, 1])["layer2"]).all()
    stream.reset()
    assert np.isfinite(stream.step(x=[1, 1, 1])["layer2"]).all()


def test_a_program_that_does_not_match_is_not_given(monkeypatch):
    original = ProgramStream.step
    monkeypatch.setattr(ProgramStream, "step", lambda self, **x: {k: -v for k, v in original(self, **x).items()})
    with pytest.raises(CheckFailed, match="stepped: the output 'layer2' is"):
        to_torch_program(network_of("gru"))
    with pytest.raises(UsageError, match="not a str"):
        to_torch_program("gru")
