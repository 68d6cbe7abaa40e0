"""`loopcell tune`: what is typed becomes a search, which goes on and whose model predicts."""

import json
import re

import numpy as np
import pytest

pytest.importorskip("optuna")

SMALL = ("--epochs", "1", "--hidden", "4", "--device", "cpu")


@pytest.fixture
def table(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    load = np.sin(np.arange(160) / 3) + 0.01 * np.arange(160)
    rows = [f"2024-01-01 00:{at // 60:02}:{at % 60:02},{value:.4f}" for at, value in enumerate(load)]
    (tmp_path / "loads.csv").write_text("\n".join(["time,load", *rows]) + "\n")
    return tmp_path


@pytest.fixture
def tune(loopcell, table):
    series = ("loads.csv", "--time", "time", "--target", "load", "--horizon", "4")
    return lambda *words: loopcell("tune", "forecast", *series, *words)


def test_a_search_goes_on_and_its_folder_is_a_model(loopcell, tune, table):
    searched = ("--history", "8", "--search", "learning-rate=1e-3..1e-2", *SMALL, "--run", "runs/search")
    first = tune(*searched, "--trials", "2", "-o", "found.json")
    assert first.exit_code == 0, first.output
    assert "searched: learning_rate 0.001..0.01 (log)" in first.output
    assert "2 trials: 2 finished" in first.output
    second = tune(*searched, "--trials", "3", "-o", "found.csv")
    assert "3 trials: 3 finished" in second.output
    assert next(line for line in second.output.splitlines() if re.match(r"\d/3 ", line)).startswith("3/3")
    assert len(json.loads((table / "found.json").read_text())["trials"]) == 2
    assert (table / "found.csv").read_text().count("\n") == 4
    assert loopcell("predict", "runs/search", "loads.csv").output.count('"load"') == 4


def test_what_a_flag_sets_is_not_searched(tune, table):
    result = tune("--history", "8", "--lr", "0.01", *SMALL, "--trials", "1")
    assert result.exit_code == 0, result.output
    line = next(line for line in result.output.splitlines() if line.startswith("searched: "))
    pairs = "segment,normalise ((None, None), (2, 'last'), (4, 'last'))"
    assert line == f"searched: num_layers (1, 2), dropout 0.0..0.5, {pairs}"
    assert (table / "runs" / "tune-forecast-loads" / "model.safetensors").is_file()


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--search", "histry=3,4"], "did you mean 'history'"),
        (["--search", "history"], "NAME=VALUES was expected"),
        (["--search", "history=8,9", "--search", "history=3"], "is named twice"),
        (["--search", "history=8,9", "--history", "8"], "--history sets it"),
        (["--search", "history=8..x"], "an interval is of two numbers"),
        (["-o", "found.txt"], "a search is saved as"),
        (["-o", "nowhere/found.csv"], "its folder does not exist"),
    ],
)
def test_what_is_typed_wrong_is_said_before_any_training(tune, table, words, complaint):
    result = tune(*SMALL, *words)
    assert result.exit_code in (1, 2)
    assert complaint in result.output
    assert not (table / "runs").exists()
