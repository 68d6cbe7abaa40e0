"""The folder of a comparison: other data, damaged files, names that are paths, places that cannot be written."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import loopcell
from loopcell import cell, cells
from loopcell.comparison import ComparedRun, OnData, OnProblem, compare
from loopcell.comparison.contents import content_hash, without_address
from loopcell.comparison.plain_json import json_of
from loopcell.comparison.store import RunStore, file_name
from loopcell.errors import FileFormatError, FileWriteError, UsageError
from loopcell.files.writable import demand_folder
from loopcell.tasks.core.inputs.ready_vectors import ReadyVectors

SHAPE = {"input_size": 5, "num_layers": 1, "bidirectional": False, "steps": 7, "batch": 4}
RNN = cells.get("rnn")


def run(name="rnn", **others):
    made = ComparedRun(
        name, 1, 2, "accuracy", 0.5, False, 9, 1.0, 8, 99, "chrono", SHAPE, {"end": [0.5, 0.25]}, {"no memory": 0.25}
    )
    return replace(made, **others)


def kept(folder, changed=None):
    """The one run of a folder, after a change of its file."""
    store = RunStore(folder, {"job": "recall"})
    store.add(RNN, run(), {})
    path = folder / "rnn-seed-1-distance-2.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(content if changed is None else changed(content)), encoding="utf-8")
    return RunStore(folder, {"job": "recall"}).get(RNN, 1, 2, 8, {})


def regression(scale, sizes=None, validation=None):
    drawn = np.random.default_rng(0)
    X = [drawn.normal(size=(5, 2)).astype(np.float32) for _ in range(30)]
    model = loopcell.SequenceRegressor(hidden_size=4, epochs=1, device="cpu", sizes=sizes)
    return OnData(estimator=model, examples=(X, np.array([scale * x.sum() for x in X])), validation=validation)


def test_runs_of_other_data_are_refused(tmp_path):
    first = compare(regression(1.0), ["rnn", "gru"], seeds=1, folder=tmp_path / "runs")
    again = compare(regression(1.0), ["rnn", "gru"], seeds=1, folder=tmp_path / "runs")
    assert again.runs == first.runs
    with pytest.raises(UsageError, match="is that of a comparison on other data, or the data changed; name a new"):
        compare(regression(1000.0), ["rnn", "gru"], seeds=1, folder=tmp_path / "runs")
    with pytest.raises(UsageError, match="on other data"):
        compare(regression(1.0, validation=([], [])), ["rnn", "gru"], seeds=1, folder=tmp_path / "runs")


def test_arguments_that_are_data_count_by_their_content():
    def job(last):
        vectors = np.zeros((2000, 3), dtype=np.float32)
        vectors[1000, 1] = last
        words = tuple(str(number) for number in range(2000))
        model = loopcell.SequenceClassifier(embedding=ReadyVectors(words, vectors, lower=True, frozen=False))
        return OnData(estimator=model, examples=(["a"], ["b"]))

    assert job(1.0).contents() == job(1.0).contents() != job(2.0).contents()


def test_a_function_has_no_address():
    assert without_address(lambda: None).endswith("<lambda>>")
    assert content_hash(lambda: 1) == content_hash(lambda: 1)


def test_other_sizes_are_trained_again(tmp_path):
    names = ["rnn", "lstm_projected"]
    two = compare(regression(1.0, {"proj": 2}), names, seeds=1, folder=tmp_path / "runs")
    three = compare(regression(1.0, {"proj": 3}), names, seeds=1, folder=tmp_path / "runs")
    assert two.runs[0] == three.runs[0]  # an RNN has no such size
    assert three.runs[1].parameters == three.costs[1].parameters > two.runs[1].parameters


def test_a_hash_tells_contents_apart(tmp_path):
    pandas = pytest.importorskip("pandas")
    (tmp_path / "a.txt").write_text("one")
    (tmp_path / "b.txt").write_text("two")
    x = np.arange(6.0)
    different = [
        x, x.astype(np.float32), x.reshape(2, 3), x + 1, [x], [x, x], list(x), "one", ["one"], ["on", "e"], b"one",
        tmp_path / "a.txt", tmp_path / "b.txt", None, 1, True, [1, "1"], {"a": x}, {"b": x},
        pandas.DataFrame({"a": x}), pandas.DataFrame({"a": x + 1}), pandas.DataFrame({"b": x}),
        pandas.DataFrame({"a": x}, index=x), pandas.Series(x), np.array(["a", None], dtype=object),
    ]  # fmt: skip
    hashes = [content_hash(one) for one in different]
    assert len(set(hashes)) == len(different)
    assert content_hash(x) == content_hash(np.arange(6.0))
    assert content_hash(pandas.DataFrame({"a": x})) == content_hash(pandas.DataFrame({"a": x.copy()}))
    (tmp_path / "c.txt").write_text("one")
    assert content_hash(tmp_path / "a.txt") == content_hash(tmp_path / "c.txt")


HOSTILE = [
    "../escaped",
    "/etc/passwd",
    "a/b",
    "a\\b",
    "..",
    ".",
    "",
    "Rnn",
    "rnn ",
    "셀",
    "x" * 300,
    "a\0b",
    "a:b",
    "<b>",
]


def test_no_name_leaves_the_folder_and_no_two_meet():
    names = [file_name(name) for name in (*HOSTILE, "rnn", "escaped", "a_b")]
    assert len({name.lower() for name in names}) == len(names)
    assert all(Path(name).name == name and name.isascii() and len(name) < 60 for name in names if name)
    assert file_name("rnn") == "rnn"
    assert file_name("../escaped").startswith("_escaped-")


def test_a_cell_whose_name_is_a_path_stays_in_the_folder(tmp_path):
    @cell(name="../escaped")
    def escaping(x, h, *, W):
        return 0.5 * h + W.h @ x

    job = OnProblem(name="recall", updates=1, hidden_size=4, distances=(2,), batch_size=4)
    first = compare(job, ["rnn", escaping], seeds=1, folder=tmp_path / "all" / "runs")
    assert {path.name for path in (tmp_path / "all").iterdir()} == {"runs"}
    assert compare(job, ["rnn", escaping], seeds=1, folder=tmp_path / "all" / "runs").runs == first.runs


def test_what_is_no_number_comes_back(tmp_path):
    store = RunStore(tmp_path / "runs", {"job": "recall"})
    store.add(RNN, run(score=math.nan, gradient={"end": [1.0, math.inf, math.nan]}, note="no number"), {})
    text = (tmp_path / "runs" / "rnn-seed-1-distance-2.json").read_text(encoding="utf-8")
    assert "NaN" not in text
    assert "Infinity" not in text
    found = store.get(RNN, 1, 2, 8, {})
    assert math.isnan(found.score)
    assert found.gradient["end"][0] == 1.0
    assert [math.isnan(norm) for norm in found.gradient["end"]] == [False, True, True]
    assert json_of({"a": (1.0, -math.inf)}) == '{\n "a": [\n  1.0,\n  null\n ]\n}\n'


def of_run(**changes):
    return lambda content: {**content, "run": {**content["run"], **changes}}


DAMAGED = {
    "run.seed: input should be a valid integer": of_run(seed="one"),
    "it is another run": of_run(seed=2**40),
    "run.score: input should be a valid number": of_run(score="good"),
    "run.gradient.end.0: input should be a valid number": of_run(gradient={"end": ["x"]}),
    "run.gradient: input should be a valid dictionary": of_run(gradient=[1]),
    "run: ": lambda content: {**content, "run": [1]},
    "sizes: input should be a valid dictionary": lambda content: {**content, "sizes": None},
    "run.cell: input should be a valid string": of_run(cell=3),
    "batch: field required": of_run(shape={name: value for name, value in SHAPE.items() if name != "batch"}),
    "steps: input should be a valid integer": of_run(shape={**SHAPE, "steps": "7"}),
    "run.hidden_size: ": of_run(hidden_size=None),
    "it is no table": lambda content: [content],
}


@pytest.mark.parametrize("reason", DAMAGED)
def test_a_damaged_run_is_one_sentence(tmp_path, reason):
    assert kept(tmp_path / "whole") == run()
    with pytest.raises(FileFormatError) as error:
        kept(tmp_path / "damaged", DAMAGED[reason])
    assert f"rnn-seed-1-distance-2.json is damaged: {reason}" in str(error.value)
    assert str(error.value).endswith("; remove it, and its run is made again")


def test_a_folder_that_cannot_be_made_is_refused_before_any_training(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("x")
    monkeypatch.setattr(OnProblem, "train", lambda *given: pytest.fail("it was trained"))
    for folder in (tmp_path / "file" / "runs", tmp_path / "file", tmp_path / ("x" * 300)):
        with pytest.raises(FileWriteError, match="nothing can be written there"):
            compare("recall", ["rnn", "gru"], seeds=1, folder=folder)


def test_the_test_of_a_folder_leaves_nothing(tmp_path):
    demand_folder(tmp_path / "a" / "b")
    assert not list(tmp_path.iterdir())
    demand_folder(tmp_path)
    assert tmp_path.is_dir()


def test_a_note_is_said_again_when_a_comparison_goes_on(tmp_path, capsys):
    job = OnProblem(name="recall", updates=3, hidden_size=4, distances=(4,), learning_rate=1e30, clip=0.0)
    said = []
    for _ in range(2):
        found = compare(job, ["rnn", "rnn_relu"], seeds=1, folder=tmp_path / "runs", progress=True)
        said.append([line for line in capsys.readouterr().err.splitlines() if "no number" in line])
    assert said[0] == said[1] != []
    assert all(math.isnan(one.score) and one.solved is False for one in found.runs if one.note)
