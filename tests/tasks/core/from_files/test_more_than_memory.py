"""Data that are more than memory give the weights of memory bit for bit, in one go and resumed, and within a limit."""

from __future__ import annotations

import json
import os
import signal
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
import torch

from benchmarks.more_than_memory import EXAMPLE, trained, write_examples
from loopcell import SequenceClassifier, SequenceRegressor, SequenceTagger
from loopcell.data.from_tables.gathering import PartsOfUnits
from loopcell.data.readers.packed_cells import PackedCells
from loopcell.errors import DataError
from loopcell.tasks.core.estimator.examples import SequenceExamples
from loopcell.tasks.core.from_files.config import FileExamples
from loopcell.tasks.core.from_files.examples import load_examples
from loopcell.tasks.core.from_files.run import resume, train_on_files
from loopcell.tasks.core.models import open_files
from loopcell.tasks.core.settings import checked
from tests.tasks.conftest import one_thread
from tests.tasks.small import QUICK, waves

__all__ = ["one_thread"]

SETTINGS = {**QUICK, "hidden_size": 4, "epochs": 3, "summaries": False}
TAGGER = {name: value for name, value in SETTINGS.items() if name != "summaries"}


def write_lines(path):
    X, y = waves(90)
    tags = [["ab"[int(value > 0.5)] for value in x[:, 1]] for x in X]
    lines = [
        {"values": x.tolist(), "label": int(label), "tags": some} for x, label, some in zip(X, y, tags, strict=True)
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


def write_lists(path):
    X, y = waves(90)
    table = {"values": [x.tolist() for x in X], "label": [int(label) for label in y]}
    pyarrow.parquet.write_table(pa.table(table), path, row_group_size=20)


def write_units(path):
    X, y = waves(90)
    unit = np.repeat(np.arange(90), [len(x) for x in X])
    a, b = np.concatenate(X).T.astype(np.float64)
    a[::7] = np.nan
    label = np.repeat(y, [len(x) for x in X])
    pyarrow.parquet.write_table(pa.table({"unit": unit, "a": a, "b": b, "label": label}), path, row_group_size=50)


def write_wide(path):
    random = np.random.default_rng(0)
    rows = random.normal(size=(90, 6)).round(3)
    lines = [",".join(map(str, [*row, "NA" if at % 9 == 0 else row[0] + row[1]])) for at, row in enumerate(rows)]
    kept = [line for line in lines if not line.endswith("NA")]
    path.write_text("a,b,c,d,e,f,target\n" + "\n".join(kept) + "\n", encoding="utf-8")


CASES = {
    "JSON lines": (SequenceClassifier, SETTINGS, write_lines, "a.jsonl", {"input": "values", "target": "label"}),
    "lists of Parquet": (
        SequenceClassifier, SETTINGS, write_lists, "a.parquet", {"input": "values", "target": "label"},
    ),
    "units of Parquet": (
        SequenceClassifier, SETTINGS, write_units, "u.parquet",
        {"input": "a,b", "target": "label", "by": "unit", "window": 4, "stride": 2},
    ),
    "wide CSV": (SequenceRegressor, SETTINGS, write_wide, "w.csv", {"input": "a,b,c,d,e,f", "target": "target"}),
    "tags of JSON lines": (SequenceTagger, TAGGER, write_lines, "a.jsonl", {"input": "values", "target": "tags"}),
}  # fmt: skip


@pytest.fixture(params=CASES)
def case(request, tmp_path):
    kind, settings, write, name, columns = CASES[request.param]
    write(tmp_path / name)
    return kind, settings, FileExamples(files=(tmp_path / name,), **columns)


def run(case, folder, **more):
    kind, settings, spec = case
    estimator = kind(**{**settings, **more})
    notes = []
    opened = open_files(estimator.task, checked(estimator), spec, None, notes.append)
    return train_on_files(estimator, *opened, folder, notes.append), notes


def weights(estimator):
    return {name: tensor.clone() for name, tensor in estimator.network_.state_dict().items()}


def demand_same(one, other):
    assert one.keys() == other.keys()
    for name, tensor in one.items():
        assert torch.equal(tensor, other[name]), name


def test_the_weights_curve_and_scores_are_those_of_memory(case, tmp_path, monkeypatch):
    memory, notes = run(case, tmp_path / "memory")
    assert not any("more than is held in memory" in note for note in notes)
    monkeypatch.setenv("LOOPCELL_IN_MEMORY", "500")
    stored, notes = run(case, tmp_path / "stored")
    assert any("what was read is more than is held in memory" in note for note in notes)
    assert any("what the network reads is more than is held in memory" in note for note in notes)
    demand_same(weights(memory.estimator), weights(stored.estimator))
    for one, other in zip(memory.estimator.history_, stored.estimator.history_, strict=True):
        assert {**one, "seconds": 0} == {**other, "seconds": 0}
    assert stored.score.rows["model"] == memory.score.rows["model"]
    assert (tmp_path / "memory/model.safetensors").read_bytes() == (tmp_path / "stored/model.safetensors").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == ["memory", "stored"]


def test_a_run_that_was_interrupted_goes_on_as_if_it_had_not_been(case, tmp_path, monkeypatch):
    whole, _ = run(case, tmp_path / "whole")
    monkeypatch.setenv("LOOPCELL_IN_MEMORY", "500")
    asked, batch = [], SequenceExamples.batch

    def interrupted(self, indices):
        asked.append(indices.tolist())
        if len(asked) == 5:
            signal.raise_signal(signal.SIGINT)
        return batch(self, indices)

    with monkeypatch.context() as patch:
        patch.setattr(SequenceExamples, "batch", interrupted)
        cut, _ = run(case, tmp_path / "cut")
    assert cut.estimator.outcome_.reason == "interrupted"
    demand_same(weights(whole.estimator), weights(resume(tmp_path / "cut").estimator))


def test_the_batches_are_the_same_and_in_the_same_order(case, monkeypatch):
    kind, settings, spec = case
    seen, batch = [], SequenceExamples.batch

    def noted(self, indices):
        found = batch(self, indices)
        seen[-1].append([indices.tolist(), found.inputs.numpy().tobytes(), found.targets.numpy().tobytes()])
        return found

    monkeypatch.setattr(SequenceExamples, "batch", noted)
    for most in ("1000000", "500"):
        monkeypatch.setenv("LOOPCELL_IN_MEMORY", most)
        seen.append([])
        loaded = load_examples(spec, each_step=kind is SequenceTagger)
        kind(**settings).fit(loaded.X, loaded.y)
    assert seen[0] == seen[1]
    assert isinstance(loaded.X.values, PackedCells | PartsOfUnits)


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "a.jsonl"
    write_lines(path)
    spec = FileExamples(files=(path,), input="values", target="label")
    lines = path.read_text(encoding="utf-8")

    def load(change):
        reads = []

        def reading(cell):
            if not reads:
                change()
            reads.append(cell)
            return cell

        monkeypatch.setattr("loopcell.tasks.core.from_files.examples.partial", lambda *_, **__: reading)
        return load_examples(spec)

    assert len(load(lambda: None).X) == 90
    with pytest.raises(DataError, match=r"a\.jsonl was changed while it was read \(from .* bytes to .*\): wait until"):
        load(lambda: path.write_text(lines + lines.splitlines()[0] + "\n", encoding="utf-8"))
    with pytest.raises(DataError, match=r"a\.jsonl was changed while it was read: wait until nothing writes to it"):
        load(lambda: os.utime(path, ns=(1, 1)))
    with pytest.raises(DataError, match=r"a\.jsonl was changed while it was read"):
        load(path.unlink)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the limits of Linux")
@pytest.mark.parametrize(("layout", "times", "margin"), [("rows", 8, 40 << 20), ("units", 8, 32 << 20)])
def test_data_of_many_times_a_limit_are_learned_within_it(layout, times, margin, tmp_path):
    """The weights are those of memory, which the limit does not leave room for.

    Of 20 times the limit it is measured by `python -m benchmarks.more_than_memory`.
    """
    few, data = tmp_path / "few.parquet", tmp_path / "data.parquet"
    write_examples(few, layout, 512)
    write_examples(data, layout, times * margin // EXAMPLE)
    assert data.stat().st_size > times * margin
    limited = trained(few, data, layout, margin, in_memory=False)
    assert max(limited["resident"], limited["address space"]) <= margin
    free = trained(few, data, layout, None, in_memory=True)
    assert free["resident"] > times * margin
    assert limited["weights"] == free["weights"]
    assert "error" in trained(few, data, layout, margin, in_memory=True)  # so the limit binds
