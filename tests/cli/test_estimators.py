"""train classify, regress and tag; predict; eval; resume: on files."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from loopcell import SequenceClassifier, load_model
from tests.cli.conftest import one_thread
from tests.tasks.small import parities, words

__all__ = ["one_thread"]

SMALL = ["--cell", "gru", "--hidden", "12", "--embedding", "6", "--lr", "0.02", "--warmup", "5"]
SMALL += ["--device", "cpu", "--seed", "1"]


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    path = tmp_path_factory.mktemp("tables") / "words.tsv"
    rows = zip(*words(120), strict=True)
    path.write_text("word\tkind\n" + "".join(f"{word}\t{kind}\n" for word, kind in rows), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def trained(table, tmp_path_factory):
    from typer.testing import CliRunner

    from loopcell.cli import app

    folder = tmp_path_factory.mktemp("runs") / "words"
    arguments = [
        "train",
        "classify",
        table,
        *SMALL,
        "--input",
        "word",
        "--label",
        "kind",
        "--epochs",
        8,
        "--run",
        folder,
    ]
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return folder, result.output


def test_a_classifier_from_a_table_with_its_score_beside_baselines(trained):
    folder, output = trained
    assert "note" not in output  # the columns that are named stand in the first line, which looks like a header
    assert "complete: 112 updates" in output
    for name in ("model", "majority class", "n-gram logistic"):
        assert f"\n{name} " in output
    figures = r"accuracy [01]\.\d{4} against [01]\.\d{4}"
    how = r"(is no better than|is better than|cannot be told apart from)"
    doubt = r"( \(two standard errors of the difference are \d\.\d{4}\))?"
    assert re.search(rf"\nthe model {how} its best baseline, .*: {figures}{doubt}(; try --.*)?\n", output)
    score = json.loads((folder / "score.json").read_text(encoding="utf-8"))
    assert list(score["rows"]) == ["model", "majority class", "n-gram logistic"]
    assert load_model(folder / "model.safetensors").classes_.tolist() == ["other", "same"]


def test_predict_writes_a_line_a_row_in_order(loopcell, trained, table, tmp_path):
    folder, _ = trained
    out = tmp_path / "out.jsonl"
    result = loopcell("predict", folder, table, "--input", "word", "-o", out)
    assert result.exit_code == 0, result.output
    lines = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    model = SequenceClassifier.load(folder / "model.safetensors")
    X, _ = words(120)
    assert [line["label"] for line in lines] == model.predict(X).tolist()
    assert [line["probability"] for line in lines] == pytest.approx(model.predict_proba(X).max(1), abs=1e-6)
    assert loopcell("predict", folder, table, "--input", "word").stdout == out.read_text(encoding="utf-8")


def test_predict_reads_block_by_block(loopcell, trained, tmp_path, monkeypatch):
    from loopcell.cli import predict

    monkeypatch.setattr(predict, "ROWS_AT_ONCE", 7)
    path = tmp_path / "more.jsonl"
    path.write_text("".join(json.dumps({"text": word}) + "\n" for word in [*words(20)[0], "xyz", ""]), encoding="utf-8")
    result = loopcell("predict", trained[0], path)
    assert result.exit_code == 0, result.output
    assert result.stdout.count("\n") == 22
    note = f"note: 3 tokens were never seen in training and count as unknown, first in {path} row 21"
    assert note in result.stderr


def test_eval_prints_metrics_beside_baselines(loopcell, trained, table):
    result = loopcell("eval", trained[0], table, "--input", "word", "--label", "kind")
    assert result.exit_code == 0, result.output
    assert "120 sequences:" in result.stdout
    assert "majority class" in result.stdout
    assert "n-gram" not in result.stdout
    assert (
        "n-gram" in loopcell("eval", trained[0], table, "--input", "word", "--label", "kind", "--train", table).stdout
    )


def test_eval_of_labels_none_of_which_training_had_names_file_and_row(loopcell, trained, tmp_path):
    path = tmp_path / "new.tsv"
    path.write_text("word\tkind\naab\tnew\naba\tnewer\n", encoding="utf-8")
    result = loopcell("eval", trained[0], path, "--input", "word", "--label", "kind")
    assert result.exit_code != 0
    assert f"{path} row 1 (line 2): the label 'new' is not among those of the training data" in result.stderr


def test_a_run_of_files_is_resumed(loopcell, trained):
    result = loopcell("resume", trained[0])
    assert result.exit_code == 0, result.output
    assert "complete: 112 updates" in result.output


def test_a_run_that_is_interrupted_says_how_to_go_on_and_does(loopcell, table, tmp_path):
    run = tmp_path / "run"
    flags = [*SMALL, "--input", "word", "--label", "kind", "--epochs", "3000", "--patience", "3000", "--run", run]
    command = [sys.executable, "-m", "loopcell.cli", "train", "classify", table, *flags]
    started = subprocess.Popen(
        [str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 120
    while not (run / "metrics.csv").exists() or (run / "metrics.csv").read_text().count("\n") < 4:
        assert started.poll() is None, started.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    started.send_signal(signal.SIGINT)
    output, errors = started.communicate(timeout=60)
    assert started.returncode == 130, errors
    assert f"to go on: loopcell resume {run}" in output
    assert load_model(run / "model.safetensors").classes_.tolist() == ["other", "same"]
    result = loopcell("resume", run, "--time-limit", "1s")
    assert result.exit_code == 0, result.output
    assert "time limit: " in result.stdout


def test_a_run_whose_file_has_changed_is_not(loopcell, table, tmp_path):
    copy = tmp_path / "words.tsv"
    copy.write_bytes(table.read_bytes())
    flags = [*SMALL, "--input", "word", "--label", "kind", "--epochs", 1]
    assert loopcell("train", "classify", copy, *flags, "--run", tmp_path / "run").exit_code == 0
    copy.write_text(copy.read_text(encoding="utf-8").replace("same", "equal"), encoding="utf-8")
    result = loopcell("resume", tmp_path / "run")
    assert result.exit_code == 2
    assert "was started with other data; it can only go on with the same" in result.stderr


def test_a_held_out_file_several_labels_and_json_lines(loopcell, tmp_path):
    X, _ = words(60)
    rows = [json.dumps({"text": word, "labels": sorted(set(word))}) for word in X]
    for name in ("train", "val"):
        (tmp_path / f"{name}.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")
    run = tmp_path / "run"
    given = [tmp_path / "train.jsonl", "--val", tmp_path / "val.jsonl", "--pooling", "max", "--epochs", 2, "--run", run]
    result = loopcell("train", "classify", *given, *SMALL)
    assert result.exit_code == 0, result.output
    assert "60 sequences:" in result.stdout
    assert "micro-F1" in result.stdout
    line = loopcell("predict", run, tmp_path / "val.jsonl").stdout.partition("\n")[0]
    assert json.loads(line)["probabilities"].keys() == {"a", "b"}


def test_labels_of_one_cell_are_split_where_asked(loopcell, tmp_path):
    table = tmp_path / "t.csv"
    cells = [(word, ";".join(sorted(set(word)))) for word in words(40)[0]]
    table.write_text("text,label\n" + "".join(f"{a},{b}\n" for a, b in cells), encoding="utf-8")
    run = tmp_path / "run"
    result = loopcell("train", "classify", table, *SMALL, "--epochs", 1, "--label-separator", ";", "--run", run)
    assert result.exit_code == 0, result.output
    assert load_model(run / "model.safetensors").classes_.tolist() == ["a", "b"]


def test_a_regressor_and_a_tagger(loopcell, tmp_path):
    table = tmp_path / "t.csv"
    table.write_text("text,target\n" + "".join(f"{word},{len(word)}\n" for word in words(60)[0]), encoding="utf-8")
    result = loopcell("train", "regress", table, *SMALL, "--epochs", 2, "--run", tmp_path / "r")
    assert result.exit_code == 0, result.output
    assert "n-gram ridge" in result.stdout
    line = json.loads(loopcell("predict", tmp_path / "r", table).stdout.partition("\n")[0])
    assert isinstance(line["value"], float)

    pairs = tmp_path / "t.jsonl"
    rows = [json.dumps({"text": text, "labels": labels}) for text, labels in zip(*parities(60), strict=True)]
    pairs.write_text("\n".join(rows) + "\n", encoding="utf-8")
    result = loopcell("train", "tag", pairs, *SMALL, "--crf", "--epochs", 2, "--run", tmp_path / "t")
    assert result.exit_code == 0, result.output
    assert "token between its neighbours" in result.stdout
    assert "segment F1" in loopcell("eval", tmp_path / "t", pairs).stdout
    line = json.loads(loopcell("predict", tmp_path / "t", pairs).stdout.partition("\n")[0])
    assert len(line["labels"]) == len(words(60)[0][0])


@pytest.mark.parametrize(
    ("rows", "flags", "complaint"),
    [
        ("text,label\na,x\nb,y\n", ["--label", "mood"], "has no column 'mood'; it has text, label"),
        ("a,b,c\n1,2,3\n4,5,6\n", [], "has the columns a, b, c: say with --label which one holds the target"),
        ("text,label\na,x\nb,x\n", [], "every label is 'x': there is nothing to tell apart"),
        ("text,label\na,x\nb,y\nc,\n", [], "row 3 (line 4) is nothing: every example needs a label"),
        ("text,label\na,x\nb,y\n", ["--hidden", "0"], "--hidden: input should be greater than or equal to 1, got 0"),
        ("text,label\na,x\nb,y\n", ["--cell", "lstmm"], "no cell is named 'lstmm'; did you mean 'lstm'?"),
        ("text,label\na,x\nb,y\n", ["--pooling", "sum"], "--pooling: input should be 'auto', 'last', 'mean', 'max',"),
        ("text,label\na,x\nb,y\n", ["--class-weight", "fair"], '--class-weight: class weights are "balanced", None'),
        ("text,label\na,x\nb,y\n", ["--time-limit", "soon"], "'soon' is not a length of time"),
    ],
)
def test_a_request_that_makes_no_sense_is_one_sentence(loopcell, tmp_path, rows, flags, complaint):
    table = tmp_path / "t.csv"
    table.write_text(rows, encoding="utf-8")
    result = loopcell(
        "train", "classify", table, *SMALL[2:] if "--cell" in flags else SMALL, *flags, "--run", tmp_path / "r"
    )
    assert result.exit_code in (1, 2)
    *notes, sentence = result.stderr.splitlines()
    assert sentence.startswith("error: ")
    assert complaint in sentence
    assert all(note.startswith("note: ") for note in notes)
    assert not (tmp_path / "r").exists()


def test_a_language_model_predicts_no_rows(loopcell, run, table):
    result = loopcell("predict", run, table, "--input", "word")
    assert result.exit_code == 2
    assert "does not predict rows" in result.stderr


def test_a_table_whose_rows_are_steps(loopcell, tmp_path):
    table = tmp_path / "steps.csv"
    rows = [
        f"{wearer},{step},{step % 3},{'' if step == 5 else ('walk' if step % 3 else 'rest')}"
        for wearer in range(12)
        for step in range(9)
    ]
    table.write_text("wearer,t,level,label\n" + "\n".join(rows) + "\n", encoding="utf-8")
    run = tmp_path / "run"
    columns = ["--by", "wearer", "--window", 6, "--input", "t,level"]
    result = loopcell("train", "tag", table, *columns, *SMALL, "--epochs", 8, "--run", run)
    assert result.exit_code == 0, result.output
    assert "segment F1" in result.stdout
    assert "2 sequences" in result.stdout  # a tenth of 24: each wearer's 9 steps are 6 and 3
    lines = loopcell("predict", run, table, *columns).stdout.splitlines()
    assert [len(json.loads(line)["labels"]) for line in lines] == [6, 3] * 12
    assert loopcell("eval", run, table, *columns, "--train", table).exit_code == 0

    table.write_text(table.read_text(encoding="utf-8").replace("3,1,1,walk", "3,one,1,walk"), encoding="utf-8")
    result = loopcell("predict", run, table, *columns)
    assert result.exit_code == 1
    assert "row 29 (line 30), column 't': 'one' is not a number" in result.stderr
    result = loopcell("train", "tag", table, "--by", "wearer", "--run", tmp_path / "r")
    assert "say with --input which columns make a step, such as --input t,level" in result.stderr


def test_files_larger_than_memory_give_the_model_of_a_list(table, monkeypatch):
    from loopcell.data import Ragged
    from loopcell.tasks.core.from_files import examples as file_examples
    from loopcell.tasks.core.from_files.config import FileExamples
    from loopcell.tasks.core.inputs import input as inputs

    X, y = words(120)
    settings = {"cell": "gru", "hidden_size": 6, "epochs": 2, "device": "cpu", "random_state": 1}
    in_memory = SequenceClassifier(**settings).fit(X, y)
    monkeypatch.setattr(file_examples, "IN_MEMORY", 100)
    loaded = file_examples.load_examples(FileExamples(files=(table,), input="word", target="kind"))
    assert not isinstance(loaded.X.values, list)

    class Spilling(Ragged):
        @classmethod
        def of(cls, arrays, *, in_memory=100):
            return Ragged.of(arrays, in_memory=in_memory)

    monkeypatch.setattr(inputs, "Ragged", Spilling)
    spilled = SequenceClassifier(**settings).fit(loaded.X, loaded.y)
    assert (spilled.predict_proba(loaded.X) == in_memory.predict_proba(X)).all()


def test_a_model_remembers_the_columns_that_it_was_trained_with(loopcell, trained, table, tmp_path):
    folder, _ = trained
    said = loopcell("predict", folder, table, "--input", "word").stdout
    for model in (folder, folder / "model.safetensors"):
        result = loopcell("predict", model, table)
        assert (result.exit_code, result.stdout) == (0, said), result.output
    said = loopcell("eval", folder, table, "--input", "word", "--label", "kind").stdout
    assert loopcell("eval", folder, table, "--train", table).stdout.startswith(said.partition("\n")[0])
    assert loopcell("eval", folder, table).stdout == said

    # A column of that name goes before the usual names; the one that is typed goes before both.
    both = tmp_path / "both.jsonl"
    both.write_text(json.dumps({"text": "ab", "word": "aa"}) + "\n", encoding="utf-8")
    model = SequenceClassifier.load(folder / "model.safetensors")
    for typed, word in (((), "aa"), (("--input", "text"), "ab")):
        line = json.loads(loopcell("predict", folder, both, *typed).stdout)
        assert line["probability"] == pytest.approx(model.predict_proba([word]).max(), abs=1e-6)


def test_a_file_of_another_form_is_read_as_such(loopcell, trained, tmp_path):
    lines = tmp_path / "lines.txt"
    lines.write_text("abba\nab\n", encoding="utf-8")
    result = loopcell("predict", trained[0], lines)
    assert result.exit_code == 0, result.output
    assert result.stdout.count("\n") == 2


def test_a_tagger_remembers_which_rows_are_a_sequence(loopcell, tmp_path):
    table = tmp_path / "steps.csv"
    rows = [f"{wearer},{step},{step % 3},{'ab'[step % 2]}" for wearer in range(12) for step in range(9)]
    table.write_text("wearer,t,level,mood\n" + "\n".join(rows) + "\n", encoding="utf-8")
    columns = ["--by", "wearer", "--window", 6, "--input", "t, level", "--label", "mood"]
    result = loopcell("train", "tag", table, *columns, *SMALL, "--epochs", 1, "--run", tmp_path / "run")
    assert result.exit_code == 0, result.output
    lines = loopcell("predict", tmp_path / "run", table).stdout.splitlines()
    assert [len(json.loads(line)["labels"]) for line in lines] == [6, 3] * 12
    lines = loopcell("predict", tmp_path / "run", table, "--window", 9).stdout.splitlines()
    assert [len(json.loads(line)["labels"]) for line in lines] == [9] * 12
    assert "24 sequences" in loopcell("eval", tmp_path / "run", table).stdout
    assert loopcell("resume", tmp_path / "run").exit_code == 0


def test_a_damaged_memory_of_columns_is_refused(trained, tmp_path):
    from loopcell.errors import FileFormatError
    from loopcell.files.tensors import TensorFile, read_tensor_file, write_tensor_file
    from loopcell.tasks.core.model_file import MODEL

    content = read_tensor_file(trained[0] / "model.safetensors", MODEL)
    without = {key: value for key, value in content.facts.items() if key != "columns"}
    write_tensor_file(tmp_path / "old", MODEL, TensorFile(content.tensors, without))
    assert load_model(tmp_path / "old").columns_ is None  # as files from before were
    for wrong in ("word", {"input": 3}, {"other": "word"}):
        write_tensor_file(tmp_path / "m", MODEL, TensorFile(content.tensors, {**without, "columns": wrong}))
        with pytest.raises(FileFormatError, match="is damaged"):
            load_model(tmp_path / "m")


@pytest.mark.parametrize("verb", ["classify", "regress"])
@pytest.mark.parametrize("numbers", [["3", "45", "7"], ["1.5", "-2", "3e4"], ["0", "1", "10"]])
def test_a_column_of_single_numbers_is_no_text(loopcell, tmp_path, verb, numbers):
    (tmp_path / "a.csv").write_text("age,label\n" + "".join(f"{n},{at % 2}\n" for at, n in enumerate(numbers * 8)))
    asked = ["train", verb, tmp_path / "a.csv", "--input", "age", *SMALL, "--epochs", 1, "--run", tmp_path / "run"]
    result = loopcell(*asked)
    assert result.exit_code == 2
    said = " ".join(result.output.split())
    assert f"column 'age' has one number in each row ({numbers[0]}), and a sequence was expected: " in said
    assert "--by COLUMN (a unit each) or --window ROWS" in said
    assert not (tmp_path / "run").exists()
    assert loopcell(*asked, "--tokens", "char").exit_code == 0


def test_codes_are_texts_although_they_are_written_in_digits(loopcell, tmp_path):
    (tmp_path / "a.csv").write_text("code,label\n" + "0101,a\n110,b\n10,b\n" * 8)
    asked = ["train", "classify", tmp_path / "a.csv", "--input", "code", *SMALL, "--epochs", 1]
    result = loopcell(*asked, "--run", tmp_path / "r")
    assert result.exit_code == 0, result.output


def test_a_measurement_is_no_class(loopcell, tmp_path):
    (tmp_path / "a.csv").write_text("text,label\n" + "".join(f"{'ab' * at},{at / 7}\n" for at in range(1, 20)))
    result = loopcell("train", "classify", tmp_path / "a.csv", *SMALL, "--run", tmp_path / "run")
    assert result.exit_code == 1
    assert "a.csv row 1 (line 2): the label '0.14285714285714285' has a fraction" in " ".join(result.output.split())
    assert "loopcell train regress" in result.output


def test_steps_of_a_file_are_scaled_before_they_are_rounded(loopcell, tmp_path):
    """Rows as steps, and arrays in a file, around 1e9: what is learned and told is that of the same data around 0."""
    told = []
    for offset in (0, 10**9):
        folder = tmp_path / str(offset)
        folder.mkdir()
        drawn = np.random.default_rng(0)
        values = np.round(drawn.normal(size=(200, 2)), 4)
        labels = np.where(values[:, 0] > 0, "up", "down")
        rows = [f"{at // 5},{offset + a:.4f},{offset + b:.4f},{labels[at]}" for at, (a, b) in enumerate(values)]
        (folder / "steps.csv").write_text("id,a,b,label\n" + "\n".join(rows) + "\n")
        np.savez(folder / "all.npz", values=offset + values.reshape(40, 5, 2), target=offset + values[::5, 0])
        tag = ["train", "tag", folder / "steps.csv", "--by", "id", "--input", "a,b", *SMALL, "--epochs", 2]
        assert loopcell(*tag, "--run", folder / "tag").exit_code == 0
        regress = ["train", "regress", folder / "all.npz", "--input", "values", "--label", "target", *SMALL]
        assert loopcell(*regress, "--epochs", 4, "--run", folder / "regress").exit_code == 0
        tags = json.loads((folder / "tag" / "score.json").read_text())
        asked = ["predict", folder / "regress", folder / "all.npz", "--input", "values", "-o", folder / "o"]
        assert loopcell(*asked).exit_code == 0
        answers = [json.loads(line)["value"] - offset for line in (folder / "o").read_text().splitlines()]
        told.append((tags, answers))
    assert told[0][0] == told[1][0]
    np.testing.assert_allclose(told[1][1], told[0][1], atol=1e-4)
