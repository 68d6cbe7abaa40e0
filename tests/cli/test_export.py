"""`loopcell export`: what it writes, and what it refuses in one sentence."""

from __future__ import annotations

import json

import numpy as np
import pytest

from loopcell import Forecaster
from loopcell.backends.c.toolchain import target
from loopcell.cli import export as verb
from loopcell.export.step_model import Delay, Output, Quantity, Softmax, StepCheck, StepModel


class Exportable:
    def step_model(self):
        x = Quantity("x", 2)
        recent = Delay(Quantity("recent", 6), 3, "x")
        return StepModel("kept", (x,), (recent, Softmax(Quantity("shares", 6), "recent")), (Output("shares"),))


@pytest.fixture
def a_model(monkeypatch):
    """A command whose model is a delay, whatever its file holds."""
    from loopcell.tasks.core import models

    monkeypatch.setattr(models, "load_model", lambda path: Exportable())


def test_a_model_is_written(loopcell, run, tmp_path, a_model):
    result = loopcell("export", run, "--to", "c", "-o", tmp_path / "out", "--name", "My delay")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith(f"wrote {tmp_path / 'out'}: 0 bytes of weights, 28 of state")
    report = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    assert report["name"] == "my_delay"
    assert report["largest_error"] < 1e-6


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--to", "fortran"], "--to fortran: there is no such target; there is c, wasm, onnx, torch"),
        (["--to", "onnx", "--form", "whole"], "form='whole' is no form of an ONNX file; it is 'step' or 'sequence'"),
        (["--to", "onnx", "--no-verify"], "--no-verify is for --to c, and would change nothing of --to onnx"),
        (["--to", "wasm", "--weights", "int8"], "--weights is for --to c"),
        (["--to", "c", "--form", "sequence"], "--form is for --to onnx"),
        (["--to", "c", "--simd", "mmx"], "there is no --simd mmx; there are plain and vectors"),
        (["--to", "c", "--weights", "int4"], "there is no --weights int4; there are float32, bfloat16, int8"),
        (["--to", "c", "--name", "int"], "'int' is a word of C and cannot be a model's name; say --name int_model"),
        (["--to", "wasm", "--arithmetic", "fixed"], "--arithmetic is for --to c"),
        (["--to", "c", "--arithmetic", "q15"], "there is no --arithmetic q15; there are float and fixed"),
        (["--to", "c", "--arithmetic", "fixed", "--weights", "int8"], "fixed point needs data"),
        (["--to", "c", "--store", "disk"], "there is no --store disk; there are arrays and blob"),
        (["--to", "c", "--layout", "cmake"], "there is no --layout cmake; there are make and arduino"),
        (["--to", "c", "--stack-limit", "7"], "more than the 7 that --stack-limit ... allows"),
    ],
)
def test_requests_that_make_no_sense(loopcell, run, tmp_path, a_model, arguments, sentence):
    result = loopcell("export", run, "-o", tmp_path / "out", *arguments)
    assert result.exit_code == 2
    assert sentence in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_fixed_point_takes_the_users_rows(loopcell, run, tmp_path, monkeypatch):
    from loopcell.cli import export_data
    from loopcell.tasks.core import models

    rows = {"x": np.random.default_rng(0).normal(size=(20, 2)).astype(np.float32)}
    monkeypatch.setattr(models, "load_model", lambda path: Exportable())
    monkeypatch.setattr(export_data, "check_of_file", lambda model, path, series: StepCheck(rows))
    flags = ("--arithmetic", "fixed", "--weights", "int16", "--data", "rows.csv")
    result = loopcell("export", run, "--to", "c", "-o", tmp_path / "out", *flags, "--name", "My delay")
    assert result.exit_code == 0, result.output
    assert "'My delay' is called my_delay in C" in result.stdout
    report = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    assert report["arithmetic"] == "fixed"
    assert report["verified_steps"] == 20


@pytest.mark.filterwarnings("default:CC names")
def test_a_compiler_that_compiles_nothing_is_told_in_a_line(loopcell, run, tmp_path, a_model, monkeypatch):
    monkeypatch.setenv("CC", "false")
    target._chosen.cache_clear()
    result = loopcell("export", run, "--to", "c", "-o", tmp_path / "out")
    assert result.exit_code == 0, result.output
    (line,) = result.stderr.splitlines()
    assert line.startswith("note: CC names 'false', which is not there or does not compile as gcc and clang do; ")
    assert line.endswith(" takes its place")


def test_a_folder_that_is_not_empty(loopcell, run, tmp_path, a_model):
    (tmp_path / "mine").write_text("mine", encoding="utf-8")
    result = loopcell("export", run, "--to", "c", "-o", tmp_path)
    assert result.exit_code == 2
    assert result.stderr.endswith("is not empty; name another, or say --overwrite\n")
    assert loopcell("export", run, "--to", "c", "-o", tmp_path, "--overwrite").exit_code == 0


def test_every_target_stands_in_the_help(loopcell):
    shown = loopcell("export", "--help").stdout
    assert f"What to write: {', '.join(verb.TARGETS)}." in shown


@pytest.mark.parametrize("form", ["step", "sequence"])
def test_an_onnx_file_is_written(loopcell, run, tmp_path, a_model, form):
    from loopcell.export import OnnxStream

    path = tmp_path / "kept.onnx"
    result = loopcell("export", run, "--to", "onnx", "--form", form, "-o", path)
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith(f"wrote {path}: held against the model over 9 steps, the largest differences ")
    assert OnnxStream(path).metadata.form == form
    again = loopcell("export", run, "--to", "onnx", "-o", path)
    assert again.exit_code == 2
    assert again.stderr.endswith("kept.onnx is there already; name another file, or say --overwrite\n")
    assert loopcell("export", run, "--to", "onnx", "-o", path, "--overwrite").exit_code == 0


def test_a_program_of_torch_is_written(loopcell, run, tmp_path, a_model):
    import torch

    path = tmp_path / "kept.pt2"
    result = loopcell("export", run, "--to", "torch", "-o", path)
    assert result.exit_code == 0, result.output
    assert torch.export.load(path).module() is not None


def test_an_export_is_held_against_rows_of_the_user(loopcell, tmp_path):
    hours = np.arange(80)
    table = {"time": np.datetime64("2024-01-01") + hours * np.timedelta64(1, "h"), "a": np.sin(hours / 5)}
    quick = {"history": 6, "horizon": 2, "hidden_size": 4, "epochs": 1, "adapt_rate": 0.0, "random_state": 0}
    Forecaster(time="time", target="a", **quick).fit(table).save(tmp_path / "m.safetensors")
    rows = "\n".join(f"{time},{value}" for time, value in zip(table["time"], table["a"], strict=True))
    (tmp_path / "new.csv").write_text(f"time,a\n{rows}\n", encoding="utf-8")
    words = ("export", tmp_path / "m.safetensors", "--to", "c", "--drift", 0, "-o", tmp_path / "out", "--data")
    result = loopcell(*words, tmp_path / "new.csv")
    assert result.exit_code == 0, result.output
    report = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    assert report["own_errors"]["own offline"] < 1e-4
    assert report["verified_steps"] == 80
    missing = loopcell(*words, tmp_path / "none.csv", "--overwrite")
    assert missing.exit_code in (1, 2)
    assert "none.csv" in missing.stderr
