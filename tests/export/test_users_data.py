"""Exports on a user's data: all sequences count, what does not fit is refused in a sentence, columns have an order."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from loopcell import GRU, LSTM, SequenceTagger
from loopcell.errors import InputError, UsageError
from loopcell.export import CForm, StepCheck, StepRun, step_model_of, to_c, to_onnx, to_torch_program, to_wasm, verify
from loopcell.export.c.fixed.record import fixed_source
from loopcell.export.step_model.checks import covered
from loopcell.importing import from_torch

QUICK: dict[str, Any] = {"hidden_size": 4, "epochs": 1, "random_state": 0, "progress": False}
DRAWN = np.random.default_rng(0)
SMALL = [DRAWN.normal(size=(8, 2)).astype(np.float32) for _ in range(6)]
LABELS = [["a" if value > 0 else "b" for value in one[:, 0]] for one in SMALL]


@pytest.fixture(scope="module")
def tagger() -> SequenceTagger:
    return SequenceTagger(**QUICK).fit(SMALL, LABELS)


def test_all_sequences_are_compared_each_from_a_fresh_state(tagger: Any) -> None:
    check = tagger.step_check(SMALL)
    assert len(check.all) == len(check.sequences) == 6
    assert check.covers() == "compared on all of the data: 6 sequences, 48 steps"
    assert verify(tagger, StepRun(tagger.step_model()), check).steps == 48


def test_what_is_left_out_is_said(tagger: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("loopcell.tasks.sequences.step_checks.MOST_STEPS", 20)
    check = tagger.step_check(SMALL)
    assert [len(one.inputs["x"]) for one in check.all] == [8, 8, 4]
    assert check.covers() == "compared on 3 of 6 sequences of the data, 20 of 48 steps"
    assert covered(check, ranges=True).endswith("; the ranges of fixed point are those of all 48 steps")
    monkeypatch.setattr("loopcell.export.step_model.checks.RANGE_STEPS", 30)
    assert covered(check, ranges=True).endswith("those of the first 30 of 48 steps")
    assert covered({"x": np.zeros((3000, 2))}, ranges=False).endswith("2,000 of 3,000 steps")


@pytest.mark.parametrize("place", [0, 2])
def test_the_ranges_of_fixed_point_are_those_of_all_sequences(place: int) -> None:
    step = step_model_of(GRU(2, 3))
    sequences = [{"x": np.full((3, 2), 40.0 if number == place else 0.5, np.float32)} for number in range(3)]
    check = StepCheck(sequences[0], every=tuple(sequences))
    source, _ = fixed_source(step, "net", "int16", "arrays", check)
    whole, _ = fixed_source(step, "net", "int16", "arrays", {"x": np.concatenate([one["x"] for one in sequences])})
    assert source.fixed.fractions["x"] == whole.fixed.fractions["x"] < 10


def test_a_long_array_decides_with_all_of_its_steps() -> None:
    x = np.zeros((2_100, 2), np.float32)
    x[-1] = 40.0
    source, inputs = fixed_source(step_model_of(GRU(2, 3)), "net", "int16", "arrays", {"x": x})
    assert len(inputs["x"]) == 2_000
    assert source.fixed.fractions["x"] < 10


EXPORTERS = {
    "c": lambda model, path, data: to_c(model, path, data=data),
    "fixed": lambda model, path, data: to_c(model, path, data=data, form=CForm(arithmetic="fixed", weights="int16")),
    "wasm": lambda model, path, data: to_wasm(model, path, data=data),
    "onnx": lambda model, path, data: to_onnx(model, path, x=data),
    "torch": lambda model, _, data: to_torch_program(model, x=data),
}


@pytest.mark.parametrize("target", EXPORTERS)
def test_data_that_cannot_be_compared_are_refused(target: str, tmp_path: Any) -> None:
    export, net = EXPORTERS[target], GRU(2, 3)
    x = np.zeros((5, 2))
    for far in (np.inf, -np.inf, 1e39):
        x[3, 1] = far
        with pytest.raises(InputError, match=r"the data of 'x' have a number at step 4 that is infinite"):
            export(net, tmp_path / "out", {"x": x})
    with pytest.raises(InputError, match=r"what model\.step_check\(X\) makes of .*; got list"):
        export(net, tmp_path / "out", [np.zeros((5, 2)), np.zeros((4, 2))])
    with pytest.raises(InputError, match="the data of 'x' are no array of numbers"):
        export(net, tmp_path / "out", {"x": [np.zeros((5, 2)), np.zeros((4, 2))]})
    assert not list(tmp_path.iterdir())


def test_columns_and_labels_have_their_order_in_every_file(tmp_path: Any) -> None:
    import pandas as pd

    frames = [pd.DataFrame({"heat": one[:, 0], "evil */ name": one[:, 1], "kind": ["p", "q"] * 4}) for one in SMALL]
    model = SequenceTagger(**QUICK).fit(frames, LABELS)
    report = to_c(model, tmp_path / "c", name="net", data=model.step_check(frames))
    assert report.columns == {"x": ["heat", "evil */ name"], "kind": ["", "p", "q"]}
    assert report.labels == {"y": ["a", "b"]}
    assert report.verified_steps == 48
    header = (tmp_path / "c" / "net.h").read_text()
    assert "x[2]: input, of heat, evil * / name\n" in header
    assert "y[2]: output, of a, b\n" in header
    page = (tmp_path / "c" / "REPORT.md").read_text()
    assert "| `x` | input | heat, evil */ name |" in page
    assert "Compared on all of the data: 6 sequences, 48 steps." in page
    assert json.loads((tmp_path / "c" / "report.json").read_text())["columns"]["x"] == ["heat", "evil */ name"]
    to_wasm(model, tmp_path / "wasm", name="net")
    manifest = json.loads((tmp_path / "wasm" / "net.json").read_text())
    assert manifest["inputs"][0]["columns"] == ["heat", "evil */ name"]
    assert manifest["categories"] == {"kind": ["", "p", "q"]}


def test_layers_in_a_list_are_exported(tmp_path: Any) -> None:
    trained = nn.LSTM(3, 4, batch_first=True)
    head = nn.Linear(4, 2, bias=False)
    net = from_torch(trained).network
    layers = [net, nn.Dropout(0.5), nn.Tanh(), head, nn.Softmax(-1)]
    x = DRAWN.normal(size=(9, 3)).astype(np.float32)
    errors = verify(layers, StepRun(step_model_of(layers)), {"x": x}).errors
    assert set(errors) == {"stepped", "own offline"}
    with torch.no_grad():
        expected = head(trained(torch.from_numpy(x))[0].tanh()).softmax(-1).numpy()
    assert to_c(layers, tmp_path / "c", name="net", data={"x": x}).own_errors["own offline"] < 1e-6
    to_onnx(layers, tmp_path / "net.onnx", x={"x": x})
    run = StepRun(step_model_of(nn.Sequential(*layers)))
    np.testing.assert_allclose([run.step(x=row)["softmax4"] for row in x], expected, atol=1e-6)


@pytest.mark.parametrize(
    ("layers", "sentence"),
    [
        ([GRU(2, 3), nn.Linear(4, 1)], "layer 2 reads 4 numbers, and the one before it gives 3"),
        ([GRU(2, 3), nn.LayerNorm(3)], r"layer 2, LayerNorm\(\(3,\).*has no step here"),
        ([LSTM(2, 3, bidirectional=True)], "bidirectional"),
        ([], "have a recurrent network or a torch.nn.Linear among them"),
        ([nn.Tanh()], "have a recurrent network or a torch.nn.Linear among them"),
    ],
)
def test_layers_that_make_no_step(layers: Any, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        step_model_of(layers)


def test_onnx_has_no_constant_that_nothing_reads(tmp_path: Any, tagger: Any) -> None:
    import onnx

    from loopcell.export.onnx.forms import _reads

    for form in ("step", "sequence"):
        to_onnx(tagger, tmp_path / f"{form}.onnx", form=form)
        graph = onnx.load(tmp_path / f"{form}.onnx").graph
        assert {one.name for one in graph.initializer} <= set(_reads(graph.node))


@pytest.mark.parametrize("verb", ["tag", "classify"])
def test_a_model_of_units_is_exported_on_the_columns_of_its_training(verb: str, tmp_path: Any) -> None:
    from typer.testing import CliRunner

    from loopcell.cli.app import app

    def done(*words: object) -> Any:
        return CliRunner().invoke(app, [str(word) for word in words])

    table = tmp_path / "t.csv"
    rows = [f"{unit},{step},{step % 3},{'ab'[unit % 2]}" for unit in range(12) for step in range(6)]
    table.write_text("unit,t,level,mood\n" + "\n".join(rows) + "\n", encoding="utf-8")
    columns = ("--by", "unit", "--window", 6, "--input", "t,level", "--label", "mood")
    small = ("--hidden", 4, "--epochs", 1, "--device", "cpu", "--run", tmp_path / "run")
    result = done("train", verb, table, *columns, *small)
    assert result.exit_code == 0, result.output
    out = tmp_path / "m.onnx"
    result = done("export", tmp_path / "run", "--to", "onnx", "-o", out, "--data", table)
    assert result.exit_code == 0, result.output
    assert "own streamed" in result.output
    assert "compared on all of the data: 12 sequences, 72 steps" in result.output


def test_a_sound_is_no_number() -> None:
    from pathlib import Path

    from loopcell.data.examples.arrays import as_number

    with pytest.raises(ValueError, match=r"'in48\.wav', a sound or a picture, where numbers are read"):
        as_number(Path("folder/in48.wav"))


def test_a_series_counts_beyond_its_first_gap(monkeypatch: Any) -> None:
    import pandas as pd

    from loopcell import Forecaster

    monkeypatch.setattr("loopcell.tasks.forecasting.step_checks.MOST_STEPS", 30)
    table = pd.DataFrame({"v": np.sin(np.arange(80) / 3)})
    model = Forecaster(target="v", horizon=2, history=4, **QUICK).fit(table)
    holed = table.copy()
    holed.loc[40, "v"] = np.nan
    check = model.step_check(holed)
    assert [len(one["values"]) for one in check.sequences] == [40, 39]
    assert check.covers() == "compared on 1 of 2 sequences of the data, 30 of 79 steps"
    np.testing.assert_allclose(check.sequences[1]["values"][:, 0], table["v"][41:], rtol=1e-6)


def test_all_of_a_sound_and_all_texts_count() -> None:
    from loopcell import LanguageModel
    from loopcell.tasks.audio.effect import AudioEffect

    sound = np.zeros(2_500, np.float32)
    check = AudioEffect([LSTM(1, 2), nn.Linear(2, 1)], 8000).step_check(sound)
    assert check.covers() == "compared on 1 of 1 sequence of the data, 2,000 of 2,500 steps"
    model = LanguageModel(hidden_size=4, embedding_size=4, updates=2, batch_size=2, progress=False)
    model.fit(["to be or not to be " * 20])
    check = model.step_check(["to be", "", "or not"])
    assert check.covers() == "compared on all of the data: 2 sequences, 11 steps"
    assert verify(model, StepRun(model.step_model()), check).steps == 11
