"""Predictions as files: what a join, pandas and polars read of them is what the model says."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from typer.testing import CliRunner

from loopcell.cli import app
from loopcell.cli.predictions import PredictedRow, form_of, write
from loopcell.errors import DataError, UsageError
from loopcell.tasks import Forecaster, SequenceClassifier
from tests.cli.conftest import one_thread
from tests.tasks.small import words

__all__ = ["one_thread"]

SMALL = ["--cell", "gru", "--hidden", "8", "--epochs", "1", "--device", "cpu", "--seed", "0"]


def trained(folder, verb, *arguments):
    result = CliRunner().invoke(app, ["train", verb, *map(str, arguments), *SMALL, "--run", str(folder / "run")])
    assert result.exit_code == 0, result.output
    return folder / "run"


@pytest.fixture(scope="module")
def classified(tmp_path_factory):
    folder = tmp_path_factory.mktemp("classify")
    rows = [f"{number:03d},{word},{kind}" for number, (word, kind) in enumerate(zip(*words(60), strict=True))]
    (folder / "t.csv").write_text("\n".join(["key,word,kind", *rows, ""]), encoding="utf-8")
    return trained(folder, "classify", folder / "t.csv", "--input", "word", "--label", "kind"), folder / "t.csv"


def read_back(path):
    name = path.name.removesuffix(".gz")
    if name.endswith(".parquet"):
        return pd.read_parquet(path)
    if name.endswith(".jsonl"):
        return pd.read_json(path, lines=True, dtype={"key": str})
    return pd.read_csv(path, sep="\t" if ".tsv" in name else ",", dtype={"key": str})


@pytest.mark.parametrize("name", ["p.csv", "p.tsv", "p.parquet", "p.csv.gz", "p.pq"])
def test_a_table_has_every_probability_and_joins_its_input(loopcell, classified, tmp_path, name):
    run, table = classified
    result = loopcell("predict", run, table, "--out", tmp_path / name, "--id", "key,kind")
    assert (result.exit_code, result.stdout) == (0, ""), result.output
    found = read_back(tmp_path / name) if name != "p.pq" else pd.read_parquet(tmp_path / name)
    model = SequenceClassifier.load(run / "model.safetensors")
    given = pd.read_csv(table, dtype=str)
    shares = model.predict_proba(given["word"].tolist())
    assert list(found) == ["row", "key", "kind", "label", *(f"p_{label}" for label in model.classes_)]
    assert found["key"].tolist() == given["key"].tolist()  # the leading zeros too, and the order
    assert found["label"].tolist() == model.predict(given["word"].tolist()).tolist()
    np.testing.assert_allclose(found.filter(like="p_"), shares, atol=1e-6)
    joined = given.merge(found, on="key", suffixes=("", "_predicted"), validate="1:1")
    assert (joined["kind"] == joined["kind_predicted"]).all()


def test_json_lines_have_the_same(loopcell, classified, tmp_path):
    run, table = classified
    assert loopcell("predict", run, table, "-o", tmp_path / "p.jsonl", "--id", "key").exit_code == 0
    assert loopcell("predict", run, table, "-o", tmp_path / "p.csv", "--id", "key").exit_code == 0
    lines = [json.loads(line) for line in (tmp_path / "p.jsonl").read_text(encoding="utf-8").splitlines()]
    rows = pl.read_csv(tmp_path / "p.csv", schema_overrides={"key": pl.String}).to_dicts()
    for line, row in zip(lines, rows, strict=True):
        shares = line.pop("probabilities")
        assert line.pop("probability") == max(shares.values())
        assert line | {f"p_{label}": share for label, share in shares.items()} == row


def test_standard_output_and_the_form_by_name(loopcell, classified, tmp_path):
    run, table = classified
    shown = loopcell("predict", run, table, "--format", "csv").stdout
    assert loopcell("predict", run, table, "--format", "csv", "-o", tmp_path / "no.ending").exit_code == 0
    assert (tmp_path / "no.ending").read_text(encoding="utf-8") == shown
    assert shown.startswith("row,label,p_")
    assert shown.count("\n") == 61


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--format", "xlsx"], "--format is one of jsonl, csv, tsv, parquet, got 'xlsx'"),
        (["--format", "parquet"], "Parquet is no text: name a file for it (--output)"),
        (["-o", "p.parquet.gz"], "p.parquet.gz: Parquet packs its columns itself; leave out .gz"),
        (["--id", "kye"], "t.csv: there is no column 'kye': did you mean key?"),
    ],
)
def test_what_cannot_be_written_is_said_before(loopcell, classified, monkeypatch, tmp_path, arguments, reason):
    monkeypatch.chdir(tmp_path)
    result = loopcell("predict", *classified, *arguments)
    assert result.exit_code != 0
    assert reason in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_column_of_the_input_hides_none_of_the_model(loopcell, tmp_path, classified):
    run, _ = classified
    (tmp_path / "t.csv").write_text("word,label\nabba,mine\n", encoding="utf-8")
    result = loopcell("predict", run, tmp_path / "t.csv", "--id", "label", "--format", "csv")
    assert result.stdout.splitlines()[0].startswith("row,input_label,label,p_")
    assert result.stderr == (
        "note: the column label of the input is written as input_label: predictions have one of that name\n"
    )


def test_a_tagger_has_a_row_for_each_step(loopcell, tmp_path):
    drawn = np.random.default_rng(0)
    frame = pd.DataFrame({"unit": np.repeat(["b", "a", "c"], 20), "x": drawn.normal(size=60).round(3)})
    frame["t"] = [f"{at:02d}" for at in range(20)] * 3
    frame["y"] = np.where(frame["x"] > 0, "up", "down")
    frame.to_csv(tmp_path / "t.csv", index=False)
    run = trained(tmp_path, "tag", tmp_path / "t.csv", "--input", "x", "--label", "y", "--by", "unit")
    assert loopcell("predict", run, tmp_path / "t.csv", "-o", tmp_path / "p.csv", "--id", "t,x").exit_code == 0
    found = pd.read_csv(tmp_path / "p.csv", dtype={"t": str})
    assert list(found) == ["row", "unit", "t", "x", "step", "label"]
    assert found["row"].tolist() == [*range(1, 61)]
    for name in ("unit", "t", "x"):
        assert found[name].tolist() == frame[name].tolist()
    assert found["step"].tolist() == [*range(1, 21)] * 3
    lines = loopcell("predict", run, tmp_path / "t.csv").stdout.splitlines()
    assert found["label"].tolist() == [label for line in lines for label in json.loads(line)["labels"]]


@pytest.mark.parametrize("carried", [(), ("--id", "state")])
def test_a_step_has_the_row_and_the_time_of_its_own(loopcell, tmp_path, carried):
    """Rows of several units in turn, in windows: what is predicted is joined by row, or by unit and time."""
    drawn = np.random.default_rng(0)
    frame = pd.DataFrame({"unit": ["b", "a", "c"] * 20, "x": drawn.normal(size=60).round(3)})
    frame["t"], frame["state"] = np.repeat(np.arange(20), 3), [f"s{at}" for at in range(60)]
    frame["y"] = np.where(frame["x"] > 0, "up", "down")
    frame.to_csv(tmp_path / "t.csv", index=False)
    words = ("--input", "x", "--label", "y", "--by", "unit", "--time", "t", "--window", "8")
    run = trained(tmp_path, "tag", tmp_path / "t.csv", *words)
    result = loopcell("predict", run, tmp_path / "t.csv", "-o", tmp_path / "p.csv", *carried)
    assert result.exit_code == 0, result.output
    found = pd.read_csv(tmp_path / "p.csv")
    named = ["unit", "t", *(["state"] if carried else [])]
    assert list(found) == ["row", *named, "step", "label"]
    assert len(found) == len(frame)
    assert (found[named].to_numpy() == frame.loc[found["row"] - 1, named].to_numpy()).all()
    line = json.loads(loopcell("predict", run, tmp_path / "t.csv").stdout.splitlines()[0])
    assert (line["row"], line["last_row"], line["t"]) == (1, 22, [*map(str, range(8))])


def test_a_regressor_has_its_value_and_its_unit(loopcell, tmp_path):
    drawn = np.random.default_rng(0)
    rows = pd.DataFrame(
        {"unit": np.repeat(np.arange(12), 10), "x": drawn.normal(size=120), "y": np.repeat(np.arange(12), 10)}
    )
    rows["name"] = [f"u{unit:02d}" for unit in rows["unit"]]
    rows.to_csv(tmp_path / "t.csv", index=False)
    run = trained(tmp_path, "regress", tmp_path / "t.csv", "--input", "x", "--target", "y", "--by", "unit")
    assert loopcell("predict", run, tmp_path / "t.csv", "-o", tmp_path / "p.parquet", "--id", "name").exit_code == 0
    found = pl.read_parquet(tmp_path / "p.parquet")
    assert found.columns == ["row", "last_row", "unit", "name", "value"]
    assert found["name"].to_list() == [f"u{unit:02d}" for unit in range(12)]
    assert found["value"].dtype == pl.Float64


@pytest.fixture(scope="module")
def forecasts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("forecast")
    hours = pd.date_range("2024-01-01", periods=120, freq="h")
    parts = [
        pd.DataFrame(
            {"at": hours, "shop": shop, "code": f"00{shop}", "y": np.sin(np.arange(120) / 4) + shop, "n": range(120)}
        )
        for shop in (2, 1)
    ]
    pd.concat(parts).sort_values(["at", "shop"]).to_csv(folder / "t.csv", index=False)  # the two are mixed
    return folder


def test_forecasts_have_times_quantiles_and_what_their_series_are_told_by(loopcell, forecasts, tmp_path):
    options = ["--target", "y", "--time", "at", "--series", "shop", "--history", "24", "--horizon", "3"]
    run = trained(tmp_path, "forecast", forecasts / "t.csv", *options)
    for name in ("p.csv", "p.parquet"):
        assert loopcell("predict", run, forecasts / "t.csv", "-o", tmp_path / name, "--id", "code,n").exit_code == 0
    text = {"code": str, "n": str, "series": str}
    found = pd.read_csv(tmp_path / "p.csv", dtype=text)
    assert list(found) == ["code", "n", "series", "time", "y", "y_0.1", "y_0.5", "y_0.9"]
    assert found["code"].tolist() == ["001"] * 3 + ["002"] * 3
    assert found["n"].tolist() == ["119"] * 6  # of the last row of each series
    expected = [
        row for one in Forecaster.load(run / "model.safetensors").predict(forecasts / "t.csv") for row in one.rows()
    ]
    times = pd.to_datetime(found["time"])  # of one form, as JSON lines need not have
    pd.testing.assert_frame_equal(
        found.drop(columns=["code", "n", "time"]), pd.DataFrame(expected).drop(columns="time")
    )
    assert times.tolist() == pd.to_datetime([row["time"] for row in expected], format="ISO8601").tolist()
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "p.parquet").astype(text), found)


@pytest.mark.parametrize("timed", [True, False])
def test_a_detector_has_a_row_for_each_row_in_their_order(loopcell, forecasts, tmp_path, timed):
    options = ["--target", "y", "--series", "shop", "--history", "24", *(["--time", "at"] if timed else [])]
    run = trained(tmp_path, "anomaly", forecasts / "t.csv", *options)
    assert loopcell("predict", run, forecasts / "t.csv", "-o", tmp_path / "p.csv", "--id", "code,n,shop").exit_code == 0
    found, given = (pd.read_csv(path, dtype={"code": str}) for path in (tmp_path / "p.csv", forecasts / "t.csv"))
    for name in ("code", "n", "shop"):
        assert found[name].tolist() == given[name].tolist()
    assert found["series"].tolist() == given["shop"].tolist()
    assert found["score"].isna().sum() == 48
    assert found["anomaly"].dtype == bool
    lines = [json.loads(line) for line in loopcell("predict", run, forecasts / "t.csv").stdout.splitlines()]
    assert [line["series"] for line in lines] == [str(shop) for shop in given["shop"]]


# --- files ---------------------------------------------------------------------------------------------------------


def failing(count):
    yield from (PredictedRow({"row": at}, {"value": float(at)}) for at in range(count))
    raise DataError("row 5 is bad")


@pytest.mark.parametrize("name", ["p.parquet", "p.csv.gz"])
def test_a_file_that_cannot_be_read_in_part_is_whole_or_as_it_was(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"before")
    with pytest.raises(DataError, match="row 5 is bad"):
        write(failing(5), path, form_of(path, None))
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


def test_rows_of_a_table_before_an_error_are_kept(tmp_path):
    with pytest.raises(DataError, match="row 5 is bad"):
        write(failing(5), tmp_path / "p.csv", "csv")
    assert (tmp_path / "p.csv.part").read_text(encoding="utf-8").splitlines()[-1] == "4,4.0"


def test_cells_with_delimiters_quotes_newlines_and_nothing_come_back(tmp_path):
    cells = ["a,b", 'say "hi"', "two\nlines", "007", None, "한글", " x "]
    rows = [PredictedRow({"id": cell}, {"value": 0.1 + at, "ok": at % 2 == 0}) for at, cell in enumerate(cells)]
    for form in ("csv", "tsv", "parquet"):
        write(rows, tmp_path / f"p.{form}", form)
    for form in ("csv", "tsv"):
        found = pl.read_csv(
            tmp_path / f"p.{form}", separator="," if form == "csv" else "\t", schema_overrides={"id": pl.String}
        )
        assert found["id"].to_list() == cells
        assert found["value"].to_list() == [0.1 + at for at in range(7)]  # to the last bit
        assert found["ok"].to_list() == [at % 2 == 0 for at in range(7)]
    assert pl.read_parquet(tmp_path / "p.parquet")["id"].to_list() == cells


def test_parquet_of_many_blocks_and_of_cells_of_several_types(tmp_path):
    rows = [PredictedRow({"id": at if at < 2000 else "x", "n": None}, {"value": float(at)}) for at in range(3000)]
    with pytest.raises(DataError, match="the column 'id' begins with values of type int64, and has others later"):
        write(rows, tmp_path / "p.parquet", "parquet")
    mixed = [PredictedRow({"id": ("x", 1)[at % 2]}, {"value": at}) for at in range(3000)]
    write(mixed, tmp_path / "p.parquet", "parquet")
    assert pl.read_parquet(tmp_path / "p.parquet")["id"].to_list() == ["x", "1"] * 1500


def test_many_rows_take_little_memory(tmp_path):
    tracemalloc.start()
    write((PredictedRow({"row": at}, {"value": 0.5}) for at in range(200_000)), tmp_path / "p.csv", "csv")
    assert tracemalloc.get_traced_memory()[1] < 5 << 20
    tracemalloc.stop()


def test_forms():
    for name, form in {"a.CSV": "csv", "a.ndjson": "jsonl", "a": "jsonl", "a.tsv.gz": "tsv", "a.pq": "parquet"}.items():
        assert form_of(Path(name), None) == form
    assert form_of(None, None) == "jsonl"
    with pytest.raises(UsageError):
        form_of(None, "parquet")


DAY = "2024-03-03"


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ([DAY, f"{DAY} 01:00"], [f"{DAY} 00:00", f"{DAY} 01:00"]),
        ([DAY, f"{DAY} 00:00:30", f"{DAY} 00:01"], [f"{DAY} 00:00:00", f"{DAY} 00:00:30", f"{DAY} 00:01:00"]),
        ([DAY, "2024-03-04"], [DAY, "2024-03-04"]),
        ([f"{DAY} 00:00+01:00", f"{DAY} 00:00:30+01:00"], [f"{DAY} 00:00:00+01:00", f"{DAY} 00:00:30+01:00"]),
        ([1, 2], ["1", "2"]),
    ],
)
def test_times_of_a_table_have_one_form(tmp_path, times, expected):
    write([PredictedRow({}, {"time": time}) for time in times], tmp_path / "p.csv", "csv")
    assert (tmp_path / "p.csv").read_text(encoding="utf-8").split("\n")[1:-1] == expected
