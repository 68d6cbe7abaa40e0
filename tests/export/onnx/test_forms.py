"""Both forms of every cell in ONNX Runtime: whole, in chunks and step by step; several rows; T of 0; NaN."""

import numpy as np
import onnx
import pytest
from hypothesis import given, settings

from loopcell import cells
from loopcell.errors import CheckFailed, EquationError
from loopcell.export import verify
from loopcell.export.onnx import OnnxStream, layers, to_onnx
from loopcell.export.onnx.file import OnnxFile
from loopcell.export.onnx.write import onnx_model
from loopcell.export.step_model import Delay, Lookup, Output, Quantity, Softmax, StepModel, StepRun
from loopcell.export.step_model.formulas import linear_stage, scale_stage
from tests.export.onnx.models import model_of, network_of, sequences_of
from tests.laws import unusual
from tests.laws.drawn import cell_of, drawings

FORMS = ("step", "sequence")
UNUSUAL = [one for one in vars(unusual).values() if hasattr(one, "graph") and not one.graph.is_random]


def whole_model():
    """Tokens, a table, a delay, a layer, a scale, a head, a softmax: every kind of stage in one model."""
    rng = np.random.default_rng(3)
    token, number = Quantity("token", 1, "token"), Quantity("level", 2)
    vector = Lookup(Quantity("vector", 3), rng.normal(size=(6, 3)).astype(np.float32), "token")
    recent = Delay(Quantity("recent", 9), 3, "vector")
    merged = linear_stage("merged", recent.gives, rng.normal(size=(3, 9)), rng.normal(size=3))
    layer = model_of(network_of("gru", layers=1)).stages[0]
    layer = type(layer)(layer.gives, layer.graph, layer.sizes, layer.parameters, {"x": "merged"})
    scores = linear_stage("scores", layer.gives, rng.normal(size=(4, 5)), rng.normal(size=4))
    scaled = scale_stage("scaled", number, np.float32([1, 2]), np.float32([3, 4]))
    stages = (vector, recent, merged, layer, scores, Softmax(Quantity("shares", 4), "scores"), scaled)
    outputs = (Output("shares", ("a", "b", "c", "d")), Output("scaled"), Output("level"))
    return StepModel("whole", (token, number), stages, outputs, {"tokens": ["<unk>", *"hello"]})


def whole_inputs(steps):
    rng = np.random.default_rng(steps)
    return {"token": rng.integers(6, size=steps), "level": rng.normal(size=(steps, 2)).astype(np.float32)}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", cells.names())
def test_every_cell_computes_the_same_in_onnx_runtime(name, form, tmp_path):
    model = model_of(network_of(name))
    found = to_onnx(model, tmp_path / "m.onnx", form=form, x=sequences_of(model, 17))
    assert set(found.errors) == {"stepped", "whole", "chunked"}
    assert found.steps == 17
    assert max(found.errors.values()) < 5e-5


@pytest.mark.parametrize("own", UNUSUAL, ids=lambda own: own.name)
def test_unusual_graphs_too(own, tmp_path):
    model = model_of(network_of(own))
    for form in FORMS:
        to_onnx(model, tmp_path / "m.onnx", form=form)


@settings(max_examples=25, deadline=None)
@given(drawings())
def test_drawn_cells_too(drawing):
    try:
        model = model_of(network_of(cell_of(drawing), layers=1))
    except EquationError:
        return
    for form in FORMS:
        stream = OnnxStream(OnnxFile(onnx_model(model, form).SerializeToString(), "drawn"))
        verify(model, stream, sequences_of(model, 4), tolerance=1e-3)


@pytest.mark.parametrize("form", FORMS)
def test_tokens_a_delay_a_scale_a_head_and_softmax(form, tmp_path):
    model = whole_model()
    to_onnx(model, tmp_path / "m.onnx", form=form, x=whole_inputs(11))
    stream = OnnxStream(tmp_path / "m.onnx")
    assert np.allclose(stream.step(token=2, level=[1, 2])["shares"].sum(), 1)
    assert stream.metadata.outputs[0].labels == ["a", "b", "c", "d"]
    assert stream.metadata.facts == {"tokens": ["<unk>", *"hello"]}
    assert stream.metadata.written == {"recent": "Scan", "layer1": "GRU"}
    assert [one.name for one in stream.metadata.outputs] == ["shares", "scaled", "level"]
    assert [one.output for one in stream.metadata.outputs] == ["shares", "scaled", "level_out"]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", ["rnn", "lstm", "gru", "ugrnn", "lstm_projected"])
@pytest.mark.parametrize("rows", [1, 3])
def test_rows_are_streams_of_their_own(name, form, rows, tmp_path):
    model = model_of(network_of(name))
    to_onnx(model, tmp_path / "m.onnx", form=form)
    stream = OnnxStream(tmp_path / "m.onnx", rows=rows)
    x = np.random.default_rng(0).normal(size=(5, rows, 3)).astype(np.float32)
    found = np.concatenate([stream.feed(x=x[:2])["layer2"], stream.feed(x=x[2:])["layer2"]])
    for row in range(rows):
        run = StepRun(model)
        expected = [run.step(x=x[at, row])["layer2"] for at in range(5)]
        assert np.allclose(found[:, row], expected, atol=1e-5)


@pytest.mark.parametrize("name", ["rnn", "lstm", "gru", "ugrnn"])
def test_no_step_leaves_the_state_as_it_is(name, tmp_path):
    """ONNX Runtime's own operators end the process here, or answer with a state of zeros."""
    model = model_of(network_of(name))
    to_onnx(model, tmp_path / "m.onnx", form="sequence")
    stream = OnnxStream(tmp_path / "m.onnx")
    stream.feed(**sequences_of(model, 3))
    before = {state: value.copy() for state, value in stream.state.items()}
    assert stream.feed(x=np.zeros((0, 3)))["layer2"].shape == (0, 5)
    assert stream.steps == 3
    assert all(np.array_equal(stream.state[state], before[state]) for state in before)
    assert np.abs(before["layer2.h"]).max() > 0


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", [name for name in cells.names() if cells.get(name).inputs == ("x",)])
def test_nan_is_answered_with_nan_from_its_step_on(name, form, tmp_path):
    """ONNX Runtime's GRU and LSTM answer NaN with numbers."""
    model = model_of(network_of(name))
    to_onnx(model, tmp_path / "m.onnx", form=form)
    stream = OnnxStream(tmp_path / "m.onnx", rows=2)
    x = np.random.default_rng(0).normal(size=(5, 2, 3)).astype(np.float32)
    x[2, 0, 1] = np.nan
    run, found = StepRun(model), stream.feed(x=x)["layer2"]
    expected = np.array([run.step(x=row)["layer2"] for row in x[:, 0]])
    assert np.array_equal(np.isnan(found[:, 0]), np.isnan(expected))
    assert np.isnan(expected[2:]).any()
    assert not np.isnan(found[:, 1]).any()
    later = stream.feed(x=np.ones((1, 2, 3)))["layer2"]
    assert np.array_equal(np.isnan(later[0, 0]), np.isnan(run.step(x=np.ones(3))["layer2"]))


def test_without_the_guard_nan_is_lost(monkeypatch):
    """Why the files have it; where this fails, ONNX Runtime has been mended."""
    monkeypatch.setattr(layers, "_with_nan", lambda writer, x, states, y, after: (y, after))
    model = model_of(network_of("gru"))
    stream = OnnxStream(OnnxFile(onnx_model(model, "sequence").SerializeToString(), "unguarded"))
    x = sequences_of(model, 5)
    verify(model, stream, x)
    x["x"][2, 1] = np.nan
    with pytest.raises(CheckFailed, match="at step 3 of 5, and the model gives nan"):
        verify(model, stream, x)


def test_axes_and_states_have_names():
    made = onnx_model(model_of(network_of("lstm")), "sequence")
    axes = {
        one.name: [dim.dim_param or dim.dim_value for dim in one.type.tensor_type.shape.dim]
        for one in (*made.graph.input, *made.graph.output)
    }
    states = {f"layer{layer}.{state}_{way}" for layer in (1, 2) for state in "hc" for way in ("in", "out")}
    assert axes == {"x": ["time", "batch", 3], "layer2": ["time", "batch", 5], **{one: ["batch", 5] for one in states}}
    step = onnx_model(model_of(network_of("lstm")), "step")
    assert [dim.dim_param or dim.dim_value for dim in step.graph.input[0].type.tensor_type.shape.dim] == ["batch", 3]


def test_the_operators_are_in_the_file():
    kinds = [node.op_type for node in onnx_model(model_of(network_of("lstm")), "sequence").graph.node]
    assert kinds.count("LSTM") == 2
    assert "Scan" not in kinds
    kinds = [node.op_type for node in onnx_model(model_of(network_of("ugrnn")), "sequence").graph.node]
    assert kinds.count("Scan") == 2
    assert "Scan" not in [node.op_type for node in onnx_model(model_of(network_of("ugrnn")), "step").graph.node]


def test_metadata_says_which_output_is_which_input():
    made = onnx_model(model_of(network_of("gru", layers=1)), "step")
    entries = {one.key: one.value for one in made.metadata_props}
    assert entries["loopcell.states"] == (
        '[{"input": "layer1.h_in", "output": "layer1.h_out", "size": 5, "initial": "zeros"}]'
    )
    assert "every state's input is given its initial value: zeros" in entries["loopcell.reset"]
    onnx.checker.check_model(made, full_check=True)
