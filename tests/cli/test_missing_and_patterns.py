"""From the shell: words for missing values, patterns, partitions, times in several columns."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from loopcell.tasks import Forecaster, SequenceRegressor
from tests.cli.conftest import one_thread

__all__ = ["one_thread"]

SMALL = ["--cell", "gru", "--hidden", "4", "--epochs", "1", "--device", "cpu", "--seed", "0"]
HOURS = pd.date_range("2024-02-28", periods=96, freq="h")


@pytest.fixture
def pollution(tmp_path):
    """A table as the archives have them: four columns of times, NA, -999, a direction of the wind."""
    drawn = np.random.default_rng(0)
    frame = pd.DataFrame({part: getattr(HOURS, part) for part in ("year", "month", "day", "hour")})
    frame["pm2.5"] = [("NA", "-999")[at % 2] if at % 9 == 3 else f"{50 + drawn.normal():.1f}" for at in range(96)]
    frame["wind"] = [("NW", "cv", "-")[at % 3] for at in range(96)]
    frame["temp"] = drawn.normal(size=96).round(1)
    for number in range(3):
        frame[32 * number : 32 * number + 32].to_csv(tmp_path / f"part-{number}.csv", index=False)
    return tmp_path


def test_a_table_with_holes_in_one_command(loopcell, pollution):
    options = ["--target", "pm2.5", "--past", "temp,wind", "--time", "year,month,day,hour", "--missing", "-999"]
    run, data = pollution / "run", pollution / "part-*.csv"
    result = loopcell("train", "forecast", data, *options, "--history", 8, "--horizon", 2, *SMALL, "--run", run)
    assert result.exit_code == 0, result.output
    assert "note: 11 of 96 values of pm2.5 are missing\n" in result.stderr
    result = loopcell("predict", run, data, "--format", "csv")
    (names, first, second) = result.stdout.splitlines()
    assert names.startswith("time,pm2.5,pm2.5_0.1")
    assert [first[:16], second[:16]] == ["2024-03-03 00:00", "2024-03-03 01:00"]
    assert loopcell("eval", run, data).exit_code == 0
    assert Forecaster.load(run / "model.safetensors").missing == ["-999"]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--missing", "-1"], "part-0.csv row 13 (line 14), column 'pm2.5'"),
        (["--time", "year,month,day,wind"], "part-0.csv row 1 (line 2): '2024 2 28 NW' is no time"),
        (["--time", "month,hour"], "the columns of the time are month, hour: a time has its year"),
        (["--time", "year,month,day,hour", "--time-format", "%H"], "--time-format: a form of times has a year (%Y)"),
        (["--time", "year,month,day,hour", "--time-format", "%Y %m %d"], "is no time in the format '%Y %m %d'"),
        (["--time", "no"], "there is no column 'no'"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(loopcell, pollution, arguments, reason):
    (pollution / "part-0.csv").write_text(
        (pollution / "part-0.csv").read_text(encoding="utf-8").replace(",NA,", ",broken,", 1), encoding="utf-8"
    )
    wrong = "pm2.5" if arguments[0] == "--missing" else "temp"
    given = ["train", "forecast", pollution / "part-0.csv", "--target", wrong, "--history", 4, "--horizon", 2, *SMALL]
    result = loopcell(*given, "--run", pollution / "run", *arguments)
    assert result.exit_code != 0
    assert reason in result.stderr
    assert result.stderr.startswith("error: ")


def test_a_pattern_of_nothing_and_a_part_with_other_columns(loopcell, pollution):
    result = loopcell("train", "forecast", pollution / "no-*.csv", "--target", "temp", *SMALL)
    assert (result.exit_code, result.stderr) == (1, f"error: no file matches {pollution / 'no-*.csv'}\n")
    (pollution / "part-1.csv").write_text("temp,other\n1,2\n", encoding="utf-8")
    result = loopcell(
        "train", "forecast", pollution / "part-*.csv", "--target", "temp", *SMALL, "--run", pollution / "r"
    )
    assert (
        f"error: {pollution / 'part-1.csv'} has other columns than the files before it: it lacks year" in result.stderr
    )


def test_units_of_partitions_and_missing_words_in_labels(loopcell, tmp_path):
    drawn = np.random.default_rng(0)
    for unit in range(12):
        folder = tmp_path / "table" / f"unit={unit}"
        folder.mkdir(parents=True)
        frame = pd.DataFrame({"x": drawn.normal(size=8).round(2).astype(str), "life": np.arange(8)[::-1]})
        frame.loc[2, "x"] = "NA" if unit % 2 else "-999.0"
        frame.to_csv(folder / "0.csv", index=False)
    columns = ["--input", "x", "--target", "life", "--by", "unit", "--window", 4, "--missing", -999]
    result = loopcell("train", "regress", tmp_path / "table", *columns, *SMALL, "--run", tmp_path / "run")
    assert result.exit_code == 0, result.output
    assert "12 of 96 values of x are missing" in result.stderr
    assert "values of x are missing: the network reads the mean there" in result.stderr
    assert "x0" not in result.stderr
    assert loopcell("predict", tmp_path / "run", tmp_path / "table", "--last", "-o", tmp_path / "p.csv").exit_code == 0
    found = pd.read_csv(tmp_path / "p.csv")
    assert found["unit"].tolist() == list(range(12))  # in the order of numbers
    assert SequenceRegressor.load(tmp_path / "run" / "model.safetensors").missing == ["-999"]


def test_a_model_of_python_says_to_the_shell_what_is_missing(loopcell, tmp_path):
    drawn = np.random.default_rng(0)
    X = [np.where(drawn.random(6) < 0.2, -999.0, drawn.normal(size=6))[:, None] for _ in range(20)]
    model = SequenceRegressor(cell="gru", hidden_size=4, epochs=1, random_state=0, missing=-999)
    model.fit(X, [0.0, 1.0] * 10).save(tmp_path / "m.safetensors")
    names = [f"c{at}" for at in range(6)]
    pd.DataFrame(np.stack([one[:, 0] for one in X]), columns=names).to_csv(tmp_path / "t.csv", index=False)
    result = loopcell(
        "predict", tmp_path / "m.safetensors", tmp_path / "t.csv", "--input", ",".join(names), "--format", "csv"
    )
    assert result.exit_code == 0, result.output
    found = [float(line.split(",")[1]) for line in result.stdout.splitlines()[1:]]
    np.testing.assert_allclose(found, model.predict(X), rtol=1e-5)
