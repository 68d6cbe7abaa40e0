"""`--statics FILE`, from the shell: values of units from a table of their own."""

from __future__ import annotations

import json

import numpy as np
import pytest

from loopcell.tasks.core.models import load_model
from tests.cli.conftest import one_thread

__all__ = ["one_thread"]

SMALL = ["--cell", "gru", "--hidden", 6, "--seed", 1, "--device", "cpu", "--epochs", 2, "--lr", 0.01]


@pytest.fixture
def machines(tmp_path):
    """Machines of which only the kind says what becomes of them, and the kind stands in a table of its own."""
    drawn = np.random.default_rng(0)
    steps, kinds = ["machine,a,state"], ["kind,size,machine"]
    for number in range(40):
        kind = "old" if number % 3 == 0 else "new"
        kinds.append(f"{kind},{number % 4},m{number}")
        steps += [f"m{number},{drawn.normal():.4f},{'broken' if kind == 'old' else 'good'}" for _ in range(5)]
    (tmp_path / "steps.csv").write_text("\n".join(steps) + "\n")
    (tmp_path / "kinds.csv").write_text("\n".join(kinds) + "\n")
    return tmp_path


ASKED = ["--by", "machine", "--input", "a", "--label", "state"]


def test_a_model_reads_them_scores_with_them_and_asks_for_them(loopcell, machines):
    steps, kinds, run = machines / "steps.csv", machines / "kinds.csv", machines / "run"
    done = loopcell("train", "classify", steps, *ASKED, "--statics", kinds, *SMALL, "--epochs", 40, "--run", run)
    assert done.exit_code == 0, done.output
    scored = loopcell("eval", run, steps, "--statics", kinds, "--train", steps)
    assert scored.exit_code == 0, scored.output
    assert scored.stdout.splitlines()[2].split()[1] == "1.0000"
    lines = [json.loads(line) for line in loopcell("predict", run, steps, "--statics", kinds).stdout.splitlines()]
    assert [line["label"] for line in lines] == ["broken" if at % 3 == 0 else "good" for at in range(40)]
    without = loopcell("predict", run, steps)
    assert without.exit_code == 1
    assert without.stderr.endswith(
        "has no column 'kind', which holds for all of a unit: where units have a table of their own, name it "
        "(--statics FILE)\n"
    )
    assert loopcell("resume", run, "--epochs", 41).exit_code == 0


def test_a_tagger_reads_their_numbers_in_every_step(loopcell, machines):
    steps, kinds, run = machines / "steps.csv", machines / "kinds.csv", machines / "run"
    asked = [*ASKED, "--statics", kinds, "--static", "size"]
    done = loopcell("train", "tag", steps, *asked, *SMALL, "--run", run)
    assert done.exit_code == 0, done.output
    said = loopcell("predict", run, steps, "--statics", kinds)
    assert said.exit_code == 0, said.output
    labels = [json.loads(line)["labels"] for line in said.stdout.splitlines()]
    assert list(map(len, labels)) == [5] * 40
    model = load_model(run)
    rows = [line.split(",") for line in steps.read_text().splitlines()[1:6]]
    with model.stream() as stream:
        live = [stream.step({"machine": row[0], "a": row[1], "size": 0}).label for row in rows]
    assert live == labels[0]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("old,1,m0\n", "kinds.csv row 41 (line 42): unit 'm0' comes twice, here and at "),
        (None, "kinds.csv has no row for unit 'm0', which "),
    ],
)
def test_a_unit_twice_and_an_unknown_one(loopcell, machines, change, reason):
    kinds = machines / "kinds.csv"
    text = kinds.read_text()
    kinds.write_text(text.replace("m0\n", "mx\n") if change is None else text + change)
    done = loopcell("train", "classify", machines / "steps.csv", *ASKED, "--statics", kinds, *SMALL)
    assert done.exit_code == 1
    assert reason in done.stderr
    wide = ["--input", "a", "--label", "state"]
    alone = loopcell("train", "classify", machines / "steps.csv", *wide, "--statics", kinds)
    assert "values of units (--statics) go with --by" in alone.stderr
