"""What was trained and saved before a language model was an estimator is read, goes on, and has the same numbers.

`earlier/` was written by that loopcell: `run` by `train lm --cell gru --hidden 4 --layers 2 --embedding 3 --dropout 0.1
--batch-size 4 --chunk 16 --bptt 32 --steps 12 --eval-every 6 --seed 5` on the text of these tests, `jamo.safetensors`
by `train lm --cell lstm --hidden 6 --layers 1 --tied --tokens jamo` on `KOREAN`.
"""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from loopcell import LanguageModel
from loopcell.cli import app
from loopcell.tasks.language_model.earlier import job_of_today
from tests.tasks.conftest import TEXT
from tests.tasks.language_model.runs import resume_language_model

EARLIER = Path(__file__).parent / "earlier"
KOREAN = "값이 싸다. 나는 학교에 갑니다.\n" * 60

FLAGS = "--cell gru --hidden 4 --layers 2 --embedding 3 --dropout 0.1 --batch-size 4 --chunk 16 --bptt 32 --steps 12"
MORE_FLAGS = "--eval-every 6 --seed 5 --device cpu"
HELD_OUT = [2.6862659987124653, 2.669129099925803]  # nats a token at update 6 and 12, as it was
GONE_ON = [2.6532850212225036, 2.652744058790154]  # at update 18 and 20 of a run that went on from there to 20
NEAR = 1e-5  # fp32 on other machines


@pytest.fixture
def run(tmp_path):
    shutil.copytree(EARLIER / "run", tmp_path / "run")
    return tmp_path / "run"


def held_out(folder):
    with (folder / "metrics.csv").open(encoding="utf-8") as file:
        return [float(row["validation_loss"]) for row in csv.DictReader(file) if row["validation_loss"]]


def test_the_same_flags_give_the_same_numbers(text, tmp_path):
    result = CliRunner().invoke(
        app, ["train", "lm", str(text), *FLAGS.split(), *MORE_FLAGS.split(), "--run", str(tmp_path / "new")]
    )
    assert result.exit_code == 0, result.output
    assert held_out(tmp_path / "new") == pytest.approx(HELD_OUT, rel=NEAR)


def test_an_earlier_run_goes_on(run):
    result = resume_language_model(run, {"updates": 20})
    assert held_out(run) == pytest.approx(HELD_OUT + GONE_ON, rel=NEAR)
    assert result.score.model["nats/char"] == pytest.approx(GONE_ON[-1], rel=NEAR)
    config = json.loads((run / "config.json").read_text(encoding="utf-8"))
    assert (config["config"]["updates"], config["seed"]) == (20, 5)
    assert "plan" not in config
    again = resume_language_model(run, {})  # now from the config of today
    assert again.outcome == result.outcome


def test_an_earlier_run_goes_on_in_python(run, text):
    settings = {"cell": "gru", "hidden_size": 4, "num_layers": 2, "embedding_size": 3, "dropout": 0.1, "sizes": {}}
    model = LanguageModel(
        **settings, batch_size=4, chunk=16, bptt=32, updates=20, evaluate_every=6, random_state=5, device="cpu"
    )
    model.fit(text, run=run, resume=True)
    assert held_out(run) == pytest.approx(HELD_OUT + GONE_ON, rel=NEAR)


def test_an_earlier_run_that_was_killed_over_its_texts_begins_anew(run, text):
    config = json.loads((run / "config.json").read_text(encoding="utf-8"))
    config["plan"]["text"]["files"] = [str(text)]
    shutil.rmtree(run)
    run.mkdir()
    (run / "config.json").write_text(json.dumps(config), encoding="utf-8")
    assert resume_language_model(run).outcome.position.update == 12
    assert held_out(run) == pytest.approx(HELD_OUT, rel=NEAR)


def test_an_earlier_model_is_read(run, tmp_path):
    model = LanguageModel.load(run)
    assert (model.hidden_size, model.num_layers, model.embedding_size, model.cell) == (4, 2, 3, "gru")
    end = TEXT[int(len(TEXT) * 0.9) :]
    assert model.evaluate(end).model["nats/char"] == pytest.approx(HELD_OUT[-1], rel=NEAR)
    jamo = LanguageModel.load(EARLIER / "jamo.safetensors")
    assert (jamo.tokens, jamo.tied) == ("jamo", True)
    assert -jamo.score(KOREAN) == pytest.approx(10.8292, abs=1e-3)
    jamo.save(tmp_path / "again.safetensors")
    again = LanguageModel.load(tmp_path / "again.safetensors")
    assert again.score(KOREAN) == jamo.score(KOREAN)
    assert again.sample("나", length=12, temperature=0.7, seed=2) == jamo.sample(
        "나", length=12, temperature=0.7, seed=2
    )


def test_the_files_of_a_run_are_kept_as_those_of_other_estimators_are():
    lists = {"source": {"files": ["a.txt", "b.txt"], "held_out": []}}
    assert job_of_today(lists)["source"] == {"data": {"files": ["a.txt", "b.txt"]}, "held_out": None}
    lists["source"]["held_out"] = ["c.txt"]
    today = job_of_today(lists)
    assert today["source"]["held_out"] == {"files": ["c.txt"]}
    assert job_of_today(today) == today
    assert job_of_today({"source": None})["source"] is None
