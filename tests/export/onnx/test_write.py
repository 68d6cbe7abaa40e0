"""to_onnx: checked before it is written, and what cannot be written is a sentence."""

import dataclasses

import numpy as np
import pytest

from loopcell import GRU, LSTM, Recurrent
from loopcell.errors import CheckFailed, FileWriteError, InputError, MissingExtraError, UsageError
from loopcell.export.onnx import OnnxStream, to_onnx
from loopcell.export.step_model import Output, Quantity, StepModel
from tests.export.onnx.models import model_of, network_of


def test_replacements_of_torch_leave_too(tmp_path):
    net = GRU(3, 4, num_layers=3, dropout=0.3, batch_first=True)
    to_onnx(net, tmp_path / "m.onnx", form="sequence")
    stream = OnnxStream(tmp_path / "m.onnx")
    assert stream.metadata.written == {"layer1": "GRU", "layer2": "GRU", "layer3": "GRU"}
    to_onnx(LSTM(3, 4, proj_size=2), tmp_path / "m.onnx")
    assert OnnxStream(tmp_path / "m.onnx").metadata.written == {"layer1": "Scan"}


def test_what_cannot_be_written(tmp_path):
    path = tmp_path / "m.onnx"
    with pytest.raises(UsageError, match="form='whole' is no form of an ONNX file; it is 'step' or 'sequence'"):
        to_onnx(network_of("gru"), path, form="whole")
    with pytest.raises(UsageError, match="bidirectional network reads a sequence from its end too"):
        to_onnx(Recurrent("gru", 3, 4, bidirectional=True), path, form="sequence")
    with pytest.raises(UsageError, match="not a dict"):
        to_onnx({}, path)
    with pytest.raises(FileWriteError, match=r"cannot write .*its folder does not exist"):
        to_onnx(network_of("gru"), tmp_path / "none" / "m.onnx")
    assert not path.exists()


def test_parameters_in_half_precision_are_named(tmp_path):
    model = model_of(network_of("gru", layers=1))
    stage = model.stages[0]
    halved = dataclasses.replace(stage, parameters={k: np.float16(v) for k, v in stage.parameters.items()})
    with pytest.raises(
        InputError, match=r"the parameter 'W.r' of 'layer1' is float16; ONNX files are written in float32"
    ):
        to_onnx(dataclasses.replace(model, stages=(halved,)), tmp_path / "m.onnx")


def test_a_kind_of_stage_that_has_no_onnx(tmp_path):
    @dataclasses.dataclass(frozen=True)
    class Odd:
        gives: Quantity
        reads: str
        states: dict

    x = Quantity("x", 3)
    model = StepModel("odd", (x,), (Odd(Quantity("f", 3), "x", {}),), (Output("f"),))
    with pytest.raises(
        UsageError,
        match="stage 'f' is a Odd, and ONNX is written of Equations, Delay, Lookup, Softmax, Join, Slice, MelBands",
    ):
        to_onnx(model, tmp_path / "m.onnx")


def test_an_export_that_does_not_match_is_not_written(tmp_path, monkeypatch):
    path = tmp_path / "m.onnx"
    path.write_text("before")
    original = OnnxStream.step
    monkeypatch.setattr(
        OnnxStream, "step", lambda self, **inputs: {k: v + 0.1 for k, v in original(self, **inputs).items()}
    )
    with pytest.raises(CheckFailed, match=r"stepped: the output 'layer2' is .* at step 1 of 9, and the model gives"):
        to_onnx(network_of("gru"), path)
    assert path.read_text() == "before"
    with pytest.raises(InputError, match=r"a check needs a sequence .* for x; got y \[3\]"):
        to_onnx(network_of("gru"), path, x={"y": np.zeros(3)})


def test_a_torch_network_in_half_precision_is_written_in_float32(tmp_path):
    found = to_onnx(network_of("gru").bfloat16(), tmp_path / "m.onnx")
    assert max(found.errors.values()) < 1e-6


def test_without_onnx_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "onnx.checker", None)
    with pytest.raises(MissingExtraError, match=r'an export to ONNX needs onnx: pip install "loopcell\[onnx\]"'):
        to_onnx(network_of("gru"), tmp_path / "m.onnx")
