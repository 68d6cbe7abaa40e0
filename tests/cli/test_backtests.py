"""The flags of backtests, of more steps and of explanations, from the shell."""

from __future__ import annotations

import json

import numpy as np
import pytest

from loopcell.cli.app import app


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("forecasts")
    hours = np.datetime64("2024-01-01", "h") + np.arange(200)
    values = np.sin(np.arange(200) / 3) + np.random.default_rng(0).normal(0, 0.1, 200)
    lines = [f"{time},{value:.4f}" for time, value in zip(hours, values, strict=True)]
    (folder / "toy.csv").write_text("\n".join(["time,load", *lines]) + "\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def trained(run):
    from typer.testing import CliRunner

    shell = CliRunner()
    arguments = "--time time --target load --horizon 4 --history 24 --hidden 8 --epochs 1 --device cpu --seed 1"
    done = shell.invoke(app, ["train", "forecast", str(run / "toy.csv"), *arguments.split(), "--run", str(run / "run")])
    assert done.exit_code == 0, done.output

    def ask(*words):
        return shell.invoke(app, [words[0], str(run / "run"), str(run / "toy.csv"), *words[1:]])

    return ask


def test_a_backtest_of_the_last_windows_with_refits(trained):
    done = trained("eval", "--windows", "3", "--refit", "warm", "--refit-every", "2")
    assert done.exit_code == 0, done.output
    assert "3 forecasts of 4 steps" in done.output
    assert "the copies of --refit warm are trained with --seed 1, which repeats them" in done.output
    assert "coverage 80%" in done.output
    assert "--seed 7" in trained("eval", "--windows", "3", "--refit", "warm", "--seed", "7").output
    assert "refit is None, 'warm' or 'full', got 'often'" in trained("eval", "--refit", "often").output


def test_more_steps(trained):
    done = trained("predict", "--ahead", "6")
    rows = [json.loads(line) for line in done.output.splitlines() if line.startswith("{")]
    assert [row["time"] for row in rows][-1] == "2024-01-09 13:00"
    assert len(rows) == 6
    assert "beyond the horizon of 4" in done.output


def test_what_forecasts_stand_on(trained, run):
    done = trained("explain", "--step", "1", "--picture", str(run / "lags.png"))
    assert done.exit_code == 0, done.output
    assert done.output.startswith("load: forecasts of step 1 from 16 places")
    assert (run / "lags.png").stat().st_size > 1000
    assert "step is from 1 to 4" in trained("explain", "--step", "9").output
