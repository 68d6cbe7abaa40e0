"""train forecast, predict, eval and resume on tables of time series."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from loopcell import load_model
from loopcell.cli.flags import flags_of
from loopcell.cli.spelling import NO_FLAG
from loopcell.tasks.core.own_functions import PYTHON_ONLY
from loopcell.tasks.forecasting.settings import ForecasterSettings
from tests.cli.conftest import one_thread

__all__ = ["one_thread"]

SMALL = ["--time", "date", "--target", "load", "--horizon", 3, "--history", 12, "--hidden", 6]
SMALL += ["--device", "cpu", "--seed", "1"]


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    path = tmp_path_factory.mktemp("tables") / "loads.csv"
    drawn = np.random.default_rng(0)
    days = np.datetime64("2024-01-01") + np.arange(120)
    rows = [f"{day},{10 + 3 * (number % 7) + drawn.normal():.3f}" for number, day in enumerate(days)]
    path.write_text("\n".join(["date,load", *rows]) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def trained(table, tmp_path_factory):
    from typer.testing import CliRunner

    from loopcell.cli import app

    folder = tmp_path_factory.mktemp("runs") / "loads"
    arguments = ["train", "forecast", table, *SMALL, "--epochs", 4, "--lr", 0.02, "--run", folder]
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return folder, result.output


def test_every_setting_has_a_flag():
    known = {flag.field for flag in flags_of(ForecasterSettings)}
    fields = {field.name for field in dataclasses.fields(ForecasterSettings)} - {*NO_FLAG, *PYTHON_ONLY}
    assert known == fields | {"loss"}  # by name; a function has to come from Python


def test_segments_and_the_split_of_a_paper_from_the_shell(loopcell, table, tmp_path):
    run = tmp_path / "run"
    columns = ["--time", "date", "--target", "all", "--split", "60,30,30"]
    network = ["--horizon", 3, "--history", 12, "--segment", 4, "--hidden", 6, "--normalize", "window"]
    training = ["--head", "mean", "--loss", "mae", "--epochs", 1, "--seed", 1, "--device", "cpu", "--run", run]
    trained = loopcell("train", "forecast", table, *columns, *network, *training)
    assert trained.exit_code == 0, trained.output
    assert "28 forecasts of 3 steps" in trained.output  # 30 - 3 + 1, of the last 30 days
    again = loopcell("eval", run, table, "--start", "2024-03-31", "--end", 120)
    model_row = next(line for line in again.stdout.splitlines() if line.startswith("model "))
    assert model_row in trained.output
    model = load_model(run)
    assert (model.loss, model.normalise, model.split, model.targets_) == ("mae", "window", [60, 30, 30], ("load",))
    assert loopcell("resume", run, "--epochs", 2).exit_code == 0  # no file keeps a function, but the name of one
    for flag, typed, complaint in (
        ("--split", "60,x", "two or three numbers of rows"),
        ("--split", "60,30,31", "has 120 steps, and the split asks for 60 + 30 + 31 = 121"),
        ("--loss", "quantile", 'the quantile loss is that of head="quantiles"'),
        ("--segment", "5", "take history=10 or history=15"),
    ):
        result = loopcell("train", "forecast", table, *columns, *network, *training[:-2], flag, typed)
        assert result.exit_code in (1, 2)
        assert complaint in result.stderr


def test_a_forecaster_from_a_table_beside_the_naive_ones(trained):
    folder, output = trained
    assert "complete: 8 updates" in output
    assert "10 forecasts of 3 steps:" in output  # of the last 12 days
    for name in ("model", "naive", "seasonal naive (7)"):
        assert f"\n{name} " in output
    score = json.loads((folder / "score.json").read_text(encoding="utf-8"))
    assert {"MSE", "MAE", "MASE", "quantile loss", "coverage 80%"} <= score["rows"]["model"].keys()
    assert load_model(folder / "model.safetensors").targets_ == ("load",)


def test_predict_writes_a_line_a_step_to_come(loopcell, trained, table, tmp_path):
    out = tmp_path / "out.jsonl"
    assert loopcell("predict", trained[0], table, "-o", out).exit_code == 0
    lines = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert [line["time"] for line in lines] == ["2024-04-30", "2024-05-01", "2024-05-02"]
    assert list(lines[0]) == ["time", "load", "load_0.1", "load_0.5", "load_0.9"]
    result = loopcell("predict", trained[0], table, "--input", "load")
    assert result.exit_code == 2
    assert "a model of time series knows its columns: leave out what says others (--input" in result.stderr


def test_the_next_day_goes_on_from_a_state(loopcell, trained, table, tmp_path):
    header, *rows = table.read_text(encoding="utf-8").splitlines()
    first, second = tmp_path / "first.csv", tmp_path / "second.csv"
    first.write_text("\n".join([header, *rows[:119]]) + "\n", encoding="utf-8")
    second.write_text("\n".join([header, rows[119]]) + "\n", encoding="utf-8")
    state = tmp_path / "state.safetensors"
    assert loopcell("predict", trained[0], first, "--state", state).exit_code == 0
    result = loopcell("predict", trained[0], second, "--state", state)
    assert result.exit_code == 0, result.output
    whole = loopcell("predict", trained[0], table).stdout
    for one, other in zip(result.stdout.splitlines(), whole.splitlines(), strict=True):
        assert json.loads(one) == pytest.approx(json.loads(other), abs=1e-4)
    result = loopcell("predict", trained[0], second, "--state", state)
    assert result.exit_code == 1
    assert "the new rows begin at 2024-04-29, and it was read up to 2024-04-29 already" in result.stderr


def test_eval_from_a_time_or_a_step(loopcell, trained, table):
    for start in ("2024-04-20", "-10", "110"):
        result = loopcell("eval", trained[0], table, "--start", start)
        assert result.exit_code == 0, result.output
        assert "8 forecasts of 3 steps:" in result.stdout
    assert "3 forecasts of 3 steps:" in loopcell("eval", trained[0], table, "--start", "-10", "--stride", 3).stdout
    result = loopcell("eval", trained[0], table, "--start", "soon")
    assert result.exit_code == 2
    assert "'soon' is not a time to start from; write it like '2024-04-29', or count steps" in result.stderr


def test_a_run_is_resumed_and_one_of_other_data_is_not(loopcell, trained, table, tmp_path):
    result = loopcell("resume", trained[0])
    assert result.exit_code == 0, result.output
    assert "complete: 8 updates" in result.output
    copy = tmp_path / "loads.csv"
    copy.write_bytes(table.read_bytes())
    run = ["--run", tmp_path / "run", "--epochs", 1]
    assert loopcell("train", "forecast", copy, *SMALL, *run, "--val", table).exit_code == 0
    copy.write_text(copy.read_text(encoding="utf-8").replace("2024-01-01,", "2024-01-01,9"), encoding="utf-8")
    result = loopcell("resume", tmp_path / "run")
    assert result.exit_code == 2
    assert "was started with other data" in result.stderr


@pytest.mark.parametrize(
    ("change", "flags", "complaint"),
    [
        (None, ["--target", "price"], "there is no column 'price': there are date, load"),
        (None, ["--horizon", 200], "need 212 steps to train on, and the longest series has 108 (and 12 held out)"),
        (None, ["--head", "oracle"], "--head: input should be 'mean', 'quantiles', 'student-t' or"),
        (None, ["--quantiles", "low,high"], "'low,high' are not numbers; write them like 0.1,0.5,0.9"),
        (None, ["--quantiles", "0.9,0.1"], "--quantiles: quantiles are numbers between 0 and 1 that rise"),
        ("2024-01-20", [], "row 20 (line 21): a gap: between 2024-01-19 and 2024-01-21 1 time is missing"),
        ("2024-01-20,x", [], "row 20 (line 21), column 'load': 'x' is not a number"),
        ("2024-01-19,7", [], "row 20 (line 21): the time 2024-01-19 is there twice"),
    ],
)  # fmt: skip
def test_a_request_that_makes_no_sense_is_one_sentence(loopcell, table, tmp_path, change, flags, complaint):
    copy = tmp_path / "t.csv"
    lines = table.read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if not (change == "2024-01-20" and line.startswith(change))]
    kept = [change if change and "," in change and line.startswith("2024-01-20") else line for line in kept]
    copy.write_text("\n".join(kept) + "\n", encoding="utf-8")
    result = loopcell("train", "forecast", copy, *SMALL, *flags, "--run", tmp_path / "r")
    assert result.exit_code in (1, 2)
    assert complaint in result.stderr
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "r").exists()


def test_anomalies_from_the_shell(loopcell, tmp_path):
    t = np.arange(400)
    load = np.sin(t / 2) + np.random.default_rng(0).normal(0, 0.1, 400)
    rows = [f"{step},{value:.4f},0" for step, value in zip(t, load, strict=True)]
    (tmp_path / "quiet.csv").write_text("\n".join(["t,x,bad", *rows]) + "\n", encoding="utf-8")
    rows[300] = "300,7,1"
    (tmp_path / "new.csv").write_text("\n".join(["t,x,bad", *rows]) + "\n", encoding="utf-8")
    settings = ["--time", "t", "--target", "x", "--anomalies", "bad", "--history", 10, "--hidden", 6, "--device", "cpu"]
    run = tmp_path / "run"
    result = loopcell("train", "anomaly", tmp_path / "quiet.csv", *settings, "--epochs", 20, "--lr", 0.02, "--run", run)
    assert result.exit_code == 0, result.output
    assert "\njump " in result.stdout
    lines = [json.loads(line) for line in loopcell("predict", run, tmp_path / "new.csv").stdout.splitlines()]
    assert len(lines) == 400
    assert lines[300]["time"] == 300
    assert lines[300]["anomaly"] is True
    result = loopcell("eval", run, tmp_path / "new.csv", "--start", "100")
    assert result.exit_code == 0, result.output
    assert "300 steps:" in result.stdout
    assert "average precision" in result.stdout
    assert loopcell("resume", run).exit_code == 0
    result = loopcell("predict", run, tmp_path / "new.csv", "--state", tmp_path / "s")
    assert "keeps a state from row to row, and a file is read as a whole" in result.stderr


def write_table(path, times, values):
    rows = [f"{time},{value}" for time, value in zip(times, values, strict=True)]
    path.write_text("\n".join(["date,load", *rows]) + "\n", encoding="utf-8")
    return path


def test_what_was_guessed_of_times_is_said_and_forecasts_keep_the_zone(loopcell, tmp_path):
    values = 10 + np.sin(np.arange(80))
    days = np.datetime64("2024-02-01") + np.arange(80)
    summer = days >= np.datetime64("2024-04-01")
    berlin = [f"{day}T00:00+0{1 + late}:00" for day, late in zip(days, summer, strict=True)]
    basic = [str(day).replace("-", "") for day in days]
    for name, times, note, following in (
        ("berlin", berlin, "the offsets of the times are those of Europe/Berlin and of", "2024-04-21 00:00+02:00"),
        ("basic", basic, "20240201 is 2024-02-01 (to count rows instead, leave out --time)", "2024-04-21"),
    ):
        table, run = write_table(tmp_path / f"{name}.csv", times, values), tmp_path / name
        result = loopcell("train", "forecast", table, *SMALL, "--epochs", 1, "--run", run)
        assert result.exit_code == 0, result.output
        assert result.output.count(note) == 1
        result = loopcell("predict", run, table)
        assert json.loads(result.stdout.splitlines()[0])["time"] == following
        assert result.stderr.count(note) == 1
        assert loopcell("eval", run, table).stderr.count(note) == 1


def test_hours_of_a_clock_that_was_set_need_their_zone(loopcell, tmp_path):
    hours = np.datetime64("2024-03-30T00:00") + np.arange(100) * np.timedelta64(1, "h")
    hours = hours[hours != np.datetime64("2024-03-31T02:00")]
    table = write_table(tmp_path / "t.csv", hours, np.sin(np.arange(99)))
    arguments = ["train", "forecast", table, *SMALL, "--epochs", 1, "--run", tmp_path / "run"]
    result = loopcell(*arguments)
    assert result.exit_code == 1
    assert "if a clock was set forward or back there, name its zone (--zone)" in result.stderr
    assert loopcell(*arguments, "--zone", "Europe/Berlin").exit_code == 0
    first = json.loads(loopcell("predict", tmp_path / "run", table).stdout.splitlines()[0])
    assert first["time"] == "2024-04-03 04:00+02:00"


def test_what_an_error_advises_can_be_done_and_predicts(loopcell, tmp_path):
    drawn = np.random.default_rng(0)
    times = np.datetime64("2024-01-01T00:00") + np.cumsum(drawn.integers(1, 9, 80)) * np.timedelta64(1, "h")
    table = write_table(tmp_path / "t.csv", times, drawn.normal(size=80))
    arguments = ["train", "forecast", table, *SMALL, "--epochs", 1, "--run", tmp_path / "run"]
    assert "or say --no-regular to count rows as steps" in loopcell(*arguments).stderr
    assert loopcell(*arguments, "--no-regular").exit_code == 0
    result = loopcell("predict", tmp_path / "run", table)
    assert result.exit_code == 0, result.output
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [next(iter(line)) for line in lines] == ["step"] * 3
    assert [line["step"] for line in lines] == [1, 2, 3]
    with table.open("a", encoding="utf-8") as file:
        file.write("2024-02-01T10:00,\n2024-02-03T11:00,\n2024-02-04T00:00,\n")
    lines = [json.loads(line) for line in loopcell("predict", tmp_path / "run", table).stdout.splitlines()]
    assert [line["time"] for line in lines] == ["2024-02-01 10:00", "2024-02-03 11:00", "2024-02-04"]


def test_alarms_on_a_series_that_never_changed(loopcell, tmp_path):
    days, values = np.datetime64("2024-01-01") + np.arange(100), np.full(100, 5.0)
    quiet = write_table(tmp_path / "quiet.csv", days, values)
    values[60] = 10.0
    new = write_table(tmp_path / "new.csv", days, values)
    arguments = ["--time", "date", "--target", "load", "--history", 6, "--hidden", 4, "--device", "cpu", "--epochs", 1]
    result = loopcell("train", "anomaly", quiet, *arguments, "--run", tmp_path / "run")
    assert result.exit_code == 0, result.output
    note = "note: 'load' never changes in training and in the quiet period: any other value will be an alarm"
    assert note in result.output
    assert "nan" not in (tmp_path / "run" / "score.json").read_text(encoding="utf-8").lower()
    assert "nobody knows yet whether the model beats a baseline: that takes held-out steps of" in result.output
    assert "best baseline" not in result.output  # fewer alarms in a quiet period are neither better nor worse
    result = loopcell("predict", tmp_path / "run", new)
    assert result.exit_code == 0, result.output
    assert "null" not in result.stdout
    assert "NaN" not in result.stdout
    assert "note: 6 rows have no score: so many steps are read before the first one (history)" in result.stderr
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [at for at, line in enumerate(lines) if line["anomaly"]] == [60]
    assert [at for at, line in enumerate(lines) if "score" not in line] == [0, 1, 2, 3, 4, 5]


def test_what_is_guessed_of_times_is_said_once_and_before_training(loopcell, tmp_path):
    days = [str(np.datetime64("2024-01-01") + day).replace("-", "") for day in range(60)]
    table = write_table(tmp_path / "t.csv", days, np.sin(np.arange(60)))
    result = loopcell("train", "forecast", table, *SMALL, "--epochs", 1, "--run", tmp_path / "run")
    assert result.exit_code == 0, result.output
    assert result.output.count("are read as dates in the form YYYYMMDD") == 1
    assert result.output.index("read as dates") < result.output.index("update 1")


def test_a_score_that_does_not_exist_says_why(loopcell, tmp_path):
    table = write_table(tmp_path / "t.csv", np.datetime64("2024-01-01") + np.arange(100), np.full(100, 5.0))
    result = loopcell("train", "forecast", table, *SMALL, "--epochs", 1, "--run", tmp_path / "run")
    assert result.exit_code == 0, result.output
    result = loopcell("eval", tmp_path / "run", table)
    assert "86 forecasts of 3 steps (no MASE: all before it is as it was one season earlier):" in result.stdout
    assert "nan" not in result.stdout
    assert "NaN" not in (tmp_path / "run" / "score.json").read_text(encoding="utf-8")


def test_air_with_holes_and_winds_by_one_command(loopcell, tmp_path):
    """Four columns of times, NA, and a wind that is a word: a table as the archives have it."""
    drawn = np.random.default_rng(0)
    hours = [np.datetime64("2010-01-01T00") + hour for hour in range(300)]
    wind = drawn.choice(["NW", "NE", "SE", "cv"], 300)
    dust = 80 + 20 * (wind == "SE") + drawn.normal(0, 5, 300)
    rows = ["No,year,month,day,hour,pm2.5,DEWP,cbwd"]
    for number, (time, value) in enumerate(zip(hours, dust, strict=True), 1):
        year, month, day, hour = str(time).replace("T", "-").split("-")
        shown = "NA" if drawn.random() < 0.1 else f"{value:.0f}"
        date = f"{year},{int(month)},{int(day)},{int(hour)}"
        rows.append(f"{number},{date},{shown},{drawn.normal():.1f},{wind[number - 1]}")
    path = tmp_path / "air.csv"
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    columns = ["--time", "year,month,day,hour", "--target", "pm2.5", "--past", "DEWP,cbwd", "--calendar", "hour"]
    small = ["--horizon", 3, "--history", 12, "--hidden", 6, "--epochs", 1, "--seed", 1, "--device", "cpu"]
    trained = loopcell("train", "forecast", path, *columns, *small, "--run", tmp_path / "run")
    assert trained.exit_code == 0, trained.output
    missing = sum(",NA," in row for row in rows)
    assert f"note: {missing} of 300 values of pm2.5 are missing" in trained.output + trained.stderr
    predicted = loopcell("predict", tmp_path / "run", path)
    assert predicted.exit_code == 0, predicted.output
    first = json.loads(predicted.stdout.splitlines()[0])
    assert first["time"] == "2010-01-13 12:00"
    model = load_model(tmp_path / "run")
    assert model.covariates_.categories == {"cbwd": ("NE", "NW", "SE", "cv")}
    assert model.covariates_.masked
