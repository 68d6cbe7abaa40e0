"""Tables whose rows are steps of units, from the shell: remaining life of engines, classes of units, bad tables."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from typer.testing import CliRunner

from loopcell.cli import app
from loopcell.tasks.core.models import load_model
from tests.cli.conftest import one_thread
from tests.tasks.core.from_files.turbofans import COLUMNS, write_turbofans

__all__ = ["one_thread"]

SMALL = ["--cell", "gru", "--hidden", 12, "--seed", 1, "--device", "cpu"]
STEP = COLUMNS.partition("cycle,")[2]


@pytest.fixture(scope="module")
def engines(tmp_path_factory):
    return write_turbofans(tmp_path_factory.mktemp("engines"), engines=30, tested=15)


@pytest.fixture(scope="module")
def life(engines, tmp_path_factory):
    """A regressor of remaining life, trained in one command on a file as C-MAPSS has it."""
    run = tmp_path_factory.mktemp("life") / "run"
    asked = ["--columns", COLUMNS, "--by", "unit", "--input", STEP, "--target", "remaining", "--window", 30]
    learning = [*SMALL, "--cap", 60, "--stride", 3, "--epochs", 6, "--run", run]
    typed = ["train", "regress", engines.train, *asked, *learning]
    return run, CliRunner().invoke(app, [str(one) for one in typed])


def mse(table):
    """The squared error of each row of a printed table of scores."""
    lines = table.splitlines()[1:]
    names = re.split(r"  +", lines[0].strip())
    return {
        line.rsplit(None, len(names))[0]: float(line.split()[names.index("MSE") - len(names)]) for line in lines[1:]
    }


def test_remaining_life_is_learned_in_one_command(loopcell, engines, life):
    run, trained = life
    assert trained.exit_code == 0, trained.output
    assert "no column is called 'remaining': the target of a sequence is the number of rows" in trained.stderr
    assert "targets are larger than the cap, and read as 60" in trained.stderr
    assert "cells are separated by" not in trained.stderr  # which the names of the columns have settled
    scores = ["eval", run, engines.test, "--unit-labels", engines.left, "--last", "--train", engines.train]
    result = loopcell(*scores)
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("15 sequences")
    rows = mse(result.stdout)
    assert rows["model"] < rows["summary ridge"] < rows["mean"]
    notes = [line for line in result.stderr.splitlines() if "targets are larger than the cap" in line]
    assert [str(engines.train) in line for line in notes] in ([True], [True, False])  # those of training name its file


def test_the_last_windows_without_labels_of_units_are_no_scores_of_zeros(loopcell, engines, life):
    result = loopcell("eval", life[0], engines.test, "--last")
    assert result.exit_code == 2
    assert result.stderr.endswith(
        "nothing is left of a unit after its last window, so that every 'remaining' would be 0: give what each unit "
        "still had after its last row (unit_labels=, --unit-labels FILE), or leave out last (--last)\n"
    )


def test_a_line_for_each_engine_says_which_one_it_is_of(loopcell, engines, life):
    run, _ = life
    lines = [json.loads(line) for line in loopcell("predict", run, engines.test, "--last").stdout.splitlines()]
    assert [line["unit"] for line in lines] == [str(number) for number in range(1, 16)]
    left = np.array([float(row) for row in engines.left.read_text().split()])
    given = np.array([line["value"] for line in lines])
    scored = loopcell("eval", run, engines.test, "--unit-labels", engines.left, "--last").stdout
    assert mse(scored)["model"] == pytest.approx(((given - left) ** 2).mean(), rel=1e-3)
    every = [json.loads(line) for line in loopcell("predict", run, engines.test, "--stride", 1).stdout.splitlines()]
    assert len(every) > 15 * 10
    assert every[-1]["value"] == pytest.approx(lines[-1]["value"], abs=1e-4)


def test_validation_is_of_whole_engines(engines, life):
    from loopcell.tasks.core.from_files.config import FileExamples
    from loopcell.tasks.core.from_files.examples import load_examples

    model = load_model(life[0])
    found = load_examples(FileExamples(files=(engines.train,), **model.columns_.model_dump(exclude_defaults=True)))
    training, held_out = model.parts(found.X, found.y)
    units = [set(part[0].units.ids["unit"]) for part in (training, held_out)]
    assert len(units[0]) + len(units[1]) == 30
    assert not units[0] & units[1]
    assert json.loads((life[0] / "score.json").read_text())["data"] == f"{len(held_out[0])} sequences"


def test_a_file_with_a_header_of_its_own_is_read_by_it(loopcell, engines, life, tmp_path):
    names = load_model(life[0]).columns_.names
    assert len(names) == 26
    rows = [line.split() for line in engines.test.read_text().splitlines()]
    order = np.random.default_rng(0).permutation(26)
    table = tmp_path / "t.csv"
    table.write_text("\n".join(",".join(row[at] for at in order) for row in [list(names), *rows]) + "\n")
    said = [json.loads(line) for line in loopcell("predict", life[0], engines.test, "--last").stdout.splitlines()]
    other = [json.loads(line) for line in loopcell("predict", life[0], table, "--last").stdout.splitlines()]
    assert other == said


def test_resume_reads_the_same_windows(loopcell, life):
    result = loopcell("resume", life[0], "--epochs", 7)
    assert result.exit_code == 0, result.output
    assert "epoch 7" in result.output


def test_columns_by_number(loopcell, engines, tmp_path):
    asked = ["--delimiter", "blanks", "--by", "column_1", "--input", "column_8..column_10", "--target", "remaining"]
    asked += ["--window", 20, "--stride", 20, *SMALL, "--epochs", 1, "--run", tmp_path / "r"]
    result = loopcell("train", "regress", engines.test, *asked)
    assert result.exit_code == 0, result.output
    assert load_model(tmp_path / "r").input_.step_size == 3


@pytest.fixture
def houses(tmp_path):
    """Twelve houses of two kinds; rows are mixed over houses and days."""
    drawn = np.random.default_rng(0)
    rows = [
        f"{house},2024-01-{day:02},{drawn.normal() + 3 * (house % 2):.3f},{'pump' if house % 2 else 'stove'}"
        for day in range(1, 15)
        for house in range(12)
    ]
    path = tmp_path / "houses.csv"
    path.write_text("house,day,load,heating\n" + "\n".join(rows) + "\n")
    return path


def test_a_class_for_each_unit_whose_rows_are_mixed(loopcell, houses, tmp_path):
    asked = ["train", "classify", houses, "--by", "house", "--input", "load", "--label", "heating", *SMALL]
    result = loopcell(*asked, "--epochs", 1, "--run", tmp_path / "no")
    assert result.exit_code == 1
    assert "unit '0' comes again" in result.stderr
    assert not (tmp_path / "no").exists()
    result = loopcell(*asked, "--time", "day", "--epochs", 30, "--run", tmp_path / "run")
    assert result.exit_code == 0, result.output
    lines = [json.loads(line) for line in loopcell("predict", tmp_path / "run", houses).stdout.splitlines()]
    assert [(line["house"], line["day"]) for line in lines] == [(str(house), "2024-01-14") for house in range(12)]
    assert [line["label"] for line in lines] == ["stove", "pump"] * 6


@pytest.fixture
def patients(tmp_path):
    """Forty patients of two readings at any hour: what is known of one before (its ward), and when, tell its class."""
    drawn = np.random.default_rng(0)
    rows, kinds = [], {}
    for patient in range(40):
        ward, gap = "AB"[patient % 2], 1 + 9 * (patient // 2 % 2)
        kinds[str(patient)] = f"{ward}{'long' if gap > 1 else 'short'}"
        rows += [(patient, ward, hour, drawn.normal(), kinds[str(patient)]) for hour in (0, gap, gap + 1)]
    path = tmp_path / "patients.csv"
    text = [",".join(map(str, row)) for row in rows]
    path.write_text("patient,ward,hour,pulse,kind\n" + "\n".join(text) + "\n")
    return path, kinds


def test_static_columns_and_times_are_read_beside_the_steps(loopcell, patients, tmp_path):
    path, kinds = patients
    asked = [
        "train",
        "classify",
        path,
        "--by",
        "patient",
        "--input",
        "pulse",
        "--label",
        "kind",
        "--time",
        "hour",
        *SMALL,
    ]
    result = loopcell(*asked, "--epochs", 1, "--run", tmp_path / "no")
    assert "the rows of unit '2' and 19 more of 40 units are not evenly spaced in time" in result.stderr
    more = ["--static", "ward", "--time-input", "--epochs", 60, "--run", tmp_path / "run"]
    result = loopcell(*asked, *more)
    assert result.exit_code == 0, result.output
    assert "evenly" not in result.stderr
    lines = [json.loads(line) for line in loopcell("predict", tmp_path / "run", path).stdout.splitlines()]
    assert {line["patient"]: line["label"] for line in lines} == kinds
    assert "accuracy" in loopcell("eval", tmp_path / "run", path).stdout

    other = tmp_path / "other.csv"
    other.write_text(path.read_text().replace(",A,", ",C,"))
    result = loopcell("predict", tmp_path / "run", other)
    assert result.exit_code == 0
    assert "20 of 40 sequences have a ward that training did not have, such as 'C'" in result.stderr

    without = tmp_path / "without.csv"
    without.write_text(path.read_text().replace("ward", "room"))
    result = loopcell("predict", tmp_path / "run", without)
    assert result.exit_code == 1
    assert "ward" in result.stderr
    assert len([line for line in result.stderr.splitlines() if not line.startswith("note: ")]) == 1


def test_static_columns_of_a_table_whose_rows_are_examples(loopcell, tmp_path):
    drawn = np.random.default_rng(0)
    rows = [
        f"{a:.3f},{b:.3f},{'AB'[at % 2]},{'AB'[at % 2]}{int(a > 0)}"
        for at, (a, b) in enumerate(drawn.normal(size=(80, 2)))
    ]
    (tmp_path / "t.csv").write_text("a,b,ward,kind\n" + "\n".join(rows) + "\n")
    asked = ["train", "classify", tmp_path / "t.csv", "--input", "a,b", "--static", "ward", "--label", "kind", *SMALL]
    result = loopcell(*asked, "--epochs", 40, "--run", tmp_path / "run")
    assert result.exit_code == 0, result.output
    lines = [json.loads(line) for line in loopcell("predict", tmp_path / "run", tmp_path / "t.csv").stdout.splitlines()]
    right = [line["label"] == row.rpartition(",")[2] for line, row in zip(lines, rows, strict=True)]
    assert np.mean(right) > 0.85


def test_a_cap_and_labels_of_units_where_rows_are_examples(loopcell, tmp_path):
    rows = [f"{at % 7},{at % 5},{at}" for at in range(60)]
    (tmp_path / "t.csv").write_text("a,b,left\n" + "\n".join(rows) + "\n")
    asked = ["train", "regress", tmp_path / "t.csv", "--input", "a,b", "--target", "left", *SMALL, "--epochs", 1]
    result = loopcell(*asked, "--cap", 49, "--run", tmp_path / "run")
    assert result.exit_code == 0, result.output
    assert "note: 10 of 60 targets are larger than the cap, and read as 49" in result.stderr
    result = loopcell(*asked, "--unit-labels", tmp_path / "t.csv", "--run", tmp_path / "no")
    assert (result.exit_code, result.stderr.count("(--unit-labels) go with --by")) == (2, 1)


def test_a_column_that_has_changed_since_training_is_said(loopcell, engines, life, tmp_path):
    run, _ = life
    lines = engines.test.read_text().splitlines()
    for change, sentence in (
        (lambda row: [*row[:7], "hot", *row[8:]], "column 's3', has at step 1 'hot', which is not a number"),
        (lambda row: row[:-1], "it has 25 cells and there are 26 columns"),
    ):
        (tmp_path / "t.txt").write_text("\n".join(" ".join(change(line.split())) for line in lines) + "\n")
        result = loopcell("predict", run, tmp_path / "t.txt")
        assert result.exit_code == 1
        assert sentence in result.stderr


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        (["--window", 500], "a window of 500 rows is longer than every unit"),
        (["--stride", 3], "--stride is about windows"),
        (["--columns", "unit,cycle"], "has no column 'op1'; it has unit, cycle"),
        (["--columns", COLUMNS + ",s22"], "row 1: it has 26 cells and there are 27 columns"),
        (["--columns", COLUMNS.replace("s1..s21", "s21..s1")], "'s21..s1' goes down; write s1..s21"),
        (["--columns", COLUMNS.replace("op1..op3", "op1,op2,s3")], "has two columns 's3'"),
        (["--by", "machine"], "has no column 'machine'"),
        (["--target", "life"], "has no column 'life'"),
        (["--window", 30, "--unit-labels", "none.txt"], "--unit-labels none.txt: there is no such file"),
    ],
)
def test_a_request_that_makes_no_sense_is_one_sentence(loopcell, engines, tmp_path, asked, sentence):
    usual = {"--columns": COLUMNS, "--by": "unit", "--input": STEP, "--target": "remaining"}
    usual |= dict(zip(asked[::2], asked[1::2], strict=True))
    typed = [one for pair in usual.items() for one in pair]
    result = loopcell("train", "regress", engines.train, *typed, *SMALL, "--epochs", 1, "--run", tmp_path / "r")
    assert result.exit_code in (1, 2), result.output
    assert sentence in result.stderr
    assert len([line for line in result.stderr.splitlines() if not line.startswith("note: ")]) == 1
    assert not (tmp_path / "r").exists()
