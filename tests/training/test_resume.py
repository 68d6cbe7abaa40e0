"""A run that was cut into pieces is the run that was not, to the last bit."""

from __future__ import annotations

import csv

import pytest
import torch

from loopcell.errors import FileFormatError, FileWriteError, UsageError
from loopcell.files.tensors import TensorFile, read_tensor_file, write_tensor_file
from loopcell.training.checkpoint import CHECKPOINT
from loopcell.training.metrics import MetricsLog
from loopcell.training.run_folder import RunFolder
from tests.training.toy import Diary, ToyChunks, config, make_step, make_trainer, same, weights

JOBS = {
    "plain": {},
    "k2 below k1": {"truncation": {"k1": 16, "k2": 4}},
    "k2 above k1": {"truncation": {"k1": 8, "k2": 24}},
    "accumulated": {"truncation": {"k1": 4, "accumulate": 3}},
    "scheduled": {"optimization": {"schedule": "cosine", "warmup": 5, "clip": 0.1}},
    "fp32": {"hardware": {"precision": "32-true"}},
    "bf16": {"hardware": {"precision": "bf16-true"}},
    "mixed": {"hardware": {"precision": "bf16-mixed"}},
}


class Crash(Exception):
    pass


class Crashing(Diary):
    """Observer that ends the process's life as far as Python can."""

    def __init__(self, at):
        super().__init__()
        self.at = at

    def observe(self, report):
        super().observe(report)
        if report.update == self.at:
            raise Crash


def trainer_of(path, settings, observers):
    chunks = ToyChunks(70, 4, settings.truncation.chunk)
    held_out = ToyChunks(16, 2, 8, seed=1)
    return make_trainer(
        path, settings, step=make_step(dropout=0.3), chunks=chunks, validation=held_out, observers=observers
    )


def attempt(path, settings, crash_at):
    """Start or resume; crash after an update, or reach the end when that is None."""
    resumed = (path / "checkpoints" / "last.safetensors").exists()
    observers = [Crashing(crash_at)]
    trainer = trainer_of(path, settings, observers)
    if resumed:
        torch.manual_seed(99)  # whatever was drawn since then does not matter
        trainer.resume()
    with MetricsLog(trainer._run, trainer.position.update if resumed else None) as log:
        observers.append(log)
        trainer.fit()
    return trainer


def rows(path):
    with (path / "metrics.csv").open(encoding="utf-8") as file:
        return [{key: value for key, value in row.items() if key != "seconds"} for row in csv.DictReader(file)]


@pytest.mark.parametrize("job", JOBS)
def test_crashed_twice_and_resumed_is_the_same_run(tmp_path, job):
    rhythm = {"log_every": 2, "save_every": 3, "evaluate_every": 4}
    settings = config(length={"updates": 16}, rhythm=rhythm, **JOBS[job])
    whole = attempt(tmp_path / "whole", settings, None)
    for crash_at in (5, 11):
        with pytest.raises(Crash):
            attempt(tmp_path / "cut", settings, crash_at)
    cut = attempt(tmp_path / "cut", settings, None)
    assert same(weights(cut), weights(whole))
    assert rows(tmp_path / "cut") == rows(tmp_path / "whole")
    assert len(rows(tmp_path / "whole")) >= 8
    for name in ("last", "best"):
        left = read_tensor_file(tmp_path / "cut" / "checkpoints" / f"{name}.safetensors", CHECKPOINT)
        right = read_tensor_file(tmp_path / "whole" / "checkpoints" / f"{name}.safetensors", CHECKPOINT)
        assert same(left.tensors, right.tensors)
        for facts in (left.facts, right.facts):
            for place in (facts["position"], *facts["history"]["rows"]):
                place.pop("seconds")
        assert left.facts == right.facts
    assert [row.update for row in cut.history.rows] == [row.update for row in whole.history.rows]
    assert {4, 8, 12, 16} <= {row.update for row in whole.history.rows}  # the evaluations


def test_the_carried_state_matters_to_this_proof(tmp_path):
    """Without the carried state in the checkpoint the comparison above would fail."""
    settings = config(length={"updates": 7}, rhythm={"save_every": 3})
    whole = trainer_of(tmp_path / "whole", settings, [])
    whole.fit()
    with pytest.raises(Crash):
        trainer_of(tmp_path / "cut", settings, [Crashing(5)]).fit()
    path = tmp_path / "cut" / "checkpoints" / "last.safetensors"
    content = read_tensor_file(path, CHECKPOINT)
    content.tensors["process/carried/0/0"].zero_()
    write_tensor_file(path, CHECKPOINT, content)
    cut = trainer_of(tmp_path / "cut", settings, [])
    cut.resume()
    assert cut.position.update == 3
    cut.fit()
    assert not same(weights(cut), weights(whole))


def finished(tmp_path):
    settings = config(length={"updates": 4})
    trainer_of(tmp_path / "run", settings, []).fit()
    return settings, tmp_path / "run" / "checkpoints" / "last.safetensors"


def test_a_complete_run_has_nothing_left_to_do(tmp_path):
    settings, _ = finished(tmp_path)
    diary = Diary()
    again = trainer_of(tmp_path / "run", settings, [diary])
    again.resume()
    outcome = again.fit()
    assert outcome.reason == "complete"
    made = "the run has made 0 passes (4 updates)"
    assert outcome.idle == f"nothing was left to train: {made}, and updates=4 asks for no more"
    assert diary.reports == []


@pytest.mark.parametrize(
    ("length", "reason", "because"),
    [
        ({"updates": 1}, "complete", "(4 updates), and updates=1 asks for no more"),
        ({"updates": 9, "time_limit": 1e-9}, "time limit", "the run has taken 0 s, which is all of its time limit"),
        ({"updates": 5}, "complete", ""),
    ],
)
def test_what_a_shorter_run_asks_for_was_done_before(tmp_path, length, reason, because):
    finished(tmp_path)
    again = trainer_of(tmp_path / "run", config(length=length), [])
    again.resume()
    outcome = again.fit()
    assert outcome.reason == reason
    assert because in outcome.idle
    assert bool(because) == bool(outcome.idle)
    assert outcome.position.update == (4 if because else 5)


def test_another_number_of_processes_is_refused(tmp_path):
    settings, path = finished(tmp_path)
    content = read_tensor_file(path, CHECKPOINT)
    write_tensor_file(path, CHECKPOINT, TensorFile(content.tensors, content.facts | {"processes": 2}))
    with pytest.raises(UsageError, match="this run had 2 processes and can only go on with as many, not 1"):
        trainer_of(tmp_path / "run", settings, []).resume()


def test_a_missing_checkpoint(tmp_path):
    settings = config()
    path = tmp_path / "run" / "checkpoints" / "last.safetensors"
    with pytest.raises(FileFormatError) as caught:
        trainer_of(tmp_path / "run", settings, []).resume()
    assert str(caught.value) == f"there is no checkpoint {path}"


@pytest.mark.parametrize("damage", ["tensor gone", "tensor of another shape", "no position", "bad position"])
def test_a_checkpoint_of_another_run_is_refused(tmp_path, damage):
    settings, path = finished(tmp_path)
    content = read_tensor_file(path, CHECKPOINT)
    tensors, facts = dict(content.tensors), dict(content.facts)
    if damage == "tensor gone":
        del tensors["weights/head.weight"]
    if damage == "tensor of another shape":
        tensors["weights/head.weight"] = torch.zeros(2, 2)
    if damage == "no position":
        del facts["position"]
    if damage == "bad position":
        facts["position"] = {"update": "many"}
    write_tensor_file(path, CHECKPOINT, TensorFile(tensors, facts))
    with pytest.raises(FileFormatError, match=r"last\.safetensors does not belong to this run, or is damaged"):
        trainer_of(tmp_path / "run", settings, []).resume()


def test_a_checkpoint_that_says_there_were_endless_updates_costs_no_time(tmp_path):
    settings, path = finished(tmp_path)
    content = read_tensor_file(path, CHECKPOINT)
    facts = {**content.facts, "position": {**content.facts["position"], "update": 2**52}}
    write_tensor_file(path, CHECKPOINT, TensorFile(dict(content.tensors), facts))
    trainer = trainer_of(tmp_path / "run", settings, [])
    trainer.resume()
    assert trainer._updater._schedule.last_epoch == trainer.total_updates
    outcome = trainer.fit()
    assert outcome.reason == "complete"
    assert outcome.idle  # nothing was left to do, and it is said


def test_a_full_disk_keeps_the_last_good_checkpoint(tmp_path, file_size_limit):
    settings = config(length={"updates": 8}, rhythm={"save_every": 2})
    path = tmp_path / "run" / "checkpoints" / "last.safetensors"

    class Filling(Diary):
        def observe(self, report):
            super().observe(report)
            if report.update == 6:
                file_size_limit(1000)  # from here on no file can grow beyond this

    trainer = trainer_of(tmp_path / "run", settings, [Filling()])
    with pytest.raises(FileWriteError) as caught:
        trainer.fit()
    file_size_limit(None)
    reason = "the file would be larger than the system allows; whatever had that name before is unchanged"
    assert str(caught.value) == f"cannot write {path}: {reason}"
    assert sorted(p.name for p in path.parent.iterdir()) == ["best.safetensors", "last.safetensors"]
    again = trainer_of(tmp_path / "run", settings, [])
    again.resume()
    assert again.position.update == 4
    again.fit()
    whole = trainer_of(tmp_path / "whole", settings, [])
    whole.fit()
    assert same(weights(again), weights(whole))


def test_a_run_folder_that_is_taken(tmp_path):
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        RunFolder.create(tmp_path)
    assert str(caught.value) == f"{tmp_path} already exists and is not empty; resume that run or name another folder"
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


SPOILED = {
    "a slot is missing": lambda tensors, facts: tensors.pop("optimizer/0/exp_avg"),
    "a slot of another shape": lambda tensors, facts: tensors.update({"optimizer/0/exp_avg": torch.zeros(3, 3, 3)}),
    "a slot too many": lambda tensors, facts: tensors.update({"optimizer/0/evil": torch.zeros(1)}),
    "a parameter too many": lambda tensors, facts: tensors.update({"optimizer/99/step": torch.zeros(())}),
    "a count of several": lambda tensors, facts: tensors.update({"optimizer/0/step": torch.zeros(2)}),
    "a chunk before the first": lambda tensors, facts: facts["position"].update(chunk=-1),
    "a chunk after the last": lambda tensors, facts: facts["position"].update(chunk=10**9),
    "an update before the first": lambda tensors, facts: facts["position"].update(update=-1),
    "a loss that is none": lambda tensors, facts: facts["position"].update(best_loss=float("nan")),
    "no time": lambda tensors, facts: facts["position"].update(seconds=float("inf")),
    "a schedule that is nowhere": lambda tensors, facts: facts["schedule"].update(last_epoch=None),
    "a generator's words below 0": lambda tensors, facts: [
        tensor.neg_() for name, tensor in tensors.items() if name.endswith("random/python")
    ],
    "no schedule": lambda tensors, facts: facts.update(schedule=3),
}


@pytest.mark.parametrize("name", SPOILED)
def test_a_hostile_checkpoint_is_refused_before_it_is_gone_on_with(tmp_path, name):
    settings, path = finished(tmp_path)
    content = read_tensor_file(path, CHECKPOINT)
    SPOILED[name](content.tensors, content.facts)
    write_tensor_file(path, CHECKPOINT, content)
    with pytest.raises(FileFormatError, match="does not belong to this run, or is damaged"):
        trainer_of(tmp_path / "run", settings, []).resume()


def test_half_a_character_in_a_runs_settings_is_refused(tmp_path):
    run = RunFolder.create(tmp_path / "run", {"task": "x"})
    run.config.write_text('{"task": "\\ud800"}', encoding="utf-8")
    with pytest.raises(FileFormatError, match=r"config\.json is damaged: it is not JSON"):
        run.read_json(run.config)
