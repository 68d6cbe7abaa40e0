"""What is guessed of a file is said before training, with the flag that settles it; and those flags."""

from __future__ import annotations

import json
import re
import shutil

import numpy as np
import pytest
from typer.testing import CliRunner

from loopcell import LanguageModel, SequenceClassifier, SequenceTagger, WordVectors, load_model
from loopcell.cli import app
from loopcell.tasks.core.estimator import SequenceEstimator
from tests.cli.conftest import one_thread

__all__ = ["one_thread"]

SMALL = ["--cell", "gru", "--hidden", 4, "--epochs", 1, "--device", "cpu", "--seed", "1"]


def call(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    table = folder / "t.csv"
    table.write_text("text,label\n" + "aa,x\nbb,y\n" * 20, encoding="utf-8")
    result = call("train", "classify", table, *SMALL, "--run", folder / "r")
    assert result.exit_code == 0, result.output
    return folder / "r", result


def test_notes_come_before_training(trained, monkeypatch, tmp_path):
    """A training that fails at once has said them already."""
    note = "t.csv: the first line is taken as the header (text, label); --no-header takes it as data\n"
    assert note in trained[1].stderr
    assert "note" not in trained[1].stdout

    def failing(*_args, **_named):
        raise KeyboardInterrupt

    monkeypatch.setattr(SequenceEstimator, "fit", failing)
    path = tmp_path / "t.csv"
    path.write_text("text;label\n" + "aa;x\nbb;y\n" * 20, encoding="utf-8")
    result = call("train", "classify", path, *SMALL, "--run", tmp_path / "r")
    assert result.exit_code == 130
    assert result.stderr.splitlines() == [
        f"note: {path}: the first line is taken as the header (text, label); --no-header takes it as data",
        f"note: {path}: cells are separated by ';', as it seems; --delimiter ... says otherwise",
    ]


def test_all_that_is_to_know_of_the_data_comes_before_training(tmp_path):
    """Of class folders, of what was left out, of empty sequences: in any kind of run, each sentence once."""
    folder = tmp_path / "names"
    for label in ("x", "y"):
        (folder / label).mkdir(parents=True)
        for number in range(8):
            (folder / label / f"{number}.txt").write_text(f"{label}{number}", encoding="utf-8")
    (folder / "x" / ".hidden").write_text("z", encoding="utf-8")
    rows = tmp_path / "t.csv"
    rows.write_text("a,y\n" + "1,2\n\n3,4\n" * 10, encoding="utf-8")
    texts = tmp_path / "e.csv"
    texts.write_text("text,label\n" + "a,x\nb,y\n" * 10 + ",y\n", encoding="utf-8")
    days = "".join(f"{day},{day % 3}\n" for day in range(30))
    series = tmp_path / "s.csv"
    series.write_text(f"t,v\n\n{days}", encoding="utf-8")
    numbers = "the column 'a' has numbers, which are read as texts, a character a step; a sequence of numbers is"
    for command, notes in (
        (["classify", folder], (f"{folder}: 16 files in 2 class folders", "1 row skipped (hidden files: 1,")),
        (
            ["regress", rows, "--val", rows, "--input", "a", "--label", "y", "--tokens", "char"],
            (numbers, "10 rows skipped (blank lines: 10,"),
        ),
        (["classify", texts, "--val", texts], (f"1 of 21 training sequences are empty; the first is {texts} row 21",)),
        (
            ["forecast", series, "--target", "v", "--time", "t", "--horizon", 2, "--history", 4],
            ("1 row skipped (blank lines: 1,",),
        ),
        (["vectors", rows, "--input", "a", "--min-count", 1], (numbers,)),
    ):
        few = ["--size", 4, "--epochs", 1] if command[0] == "vectors" else SMALL
        result = call("train", *command, *few, "--run", tmp_path / f"run-{len(notes[0])}-{command[0]}")
        assert result.exit_code == 0, result.output
        lines = result.stderr.splitlines()
        began = next((at for at, line in enumerate(lines) if not line.startswith("note: ")), len(lines))
        for note in notes:
            assert [line.startswith(f"note: {note}") for line in lines[:began]].count(True) == 1, (note, lines)
            assert not any(note in line for line in lines[began:])
        assert "note" not in result.stdout


def test_advice_is_given_once(tmp_path):
    """A run that ended in its warm-up, learned nothing and lost to its baseline has one cure."""
    path = tmp_path / "t.csv"
    drawn = np.random.default_rng(0)
    rows = ("".join(drawn.choice(list("ab"), 6)) + f",{drawn.choice(list('xy'))}\n" for _ in range(60))
    path.write_text("text,label\n" + "".join(rows), encoding="utf-8")
    slow = ["--epochs", 90, "--patience", 1, "--warmup", 300, "--lr", 1e-9]
    result = call("train", "classify", path, *SMALL, "--run", tmp_path / "r", *slow)
    assert result.exit_code == 0, result.output
    assert "training ended in its warm-up" in result.stderr
    assert "nothing was learned" in result.stderr
    assert "the model cannot be told apart from its best baseline" in result.stdout  # of six examples
    assert result.output.count("--warmup") == 1


def test_predict_says_what_it_guesses_and_reads_every_line(trained, tmp_path):
    mail = tmp_path / "mail.txt"
    mail.write_text("> a reply\nhello\nthird\n", encoding="utf-8")
    result = call("predict", trained[0], mail)
    assert result.stdout.count("\n") == 3
    numbers = tmp_path / "n.txt"
    numbers.write_text("1 2 3\n4 5 6\n", encoding="utf-8")
    result = call("predict", trained[0], numbers)
    assert result.stdout.count("\n") == 2
    note = f"note: {numbers} is read as text, one row per line, and may be rows of numbers; --kind ucr reads"
    assert note in result.stderr


def test_a_model_of_class_folders_reads_a_text_as_it_learned_them(tmp_path):
    """A file was an example in training, and is one afterwards; a flag says otherwise."""
    folder, run = tmp_path / "mails", tmp_path / "r"
    for label, line in (("ham", "see you there"), ("spam", "buy! now!")):
        (folder / label).mkdir(parents=True)
        for number in range(8):
            (folder / label / f"{number}.txt").write_text(f"{line}\n\n{line} {number}\n", encoding="utf-8")
    result = call("train", "classify", folder, *SMALL, "--run", run)
    assert result.exit_code == 0, result.output
    model = load_model(run)
    letter = "buy! now!\n\nsee you there\nbuy! 3\n"
    path, other = tmp_path / "letter.txt", tmp_path / "new" / "a"
    path.write_text(letter, encoding="utf-8")
    result = call("predict", run, path)
    (row,) = map(json.loads, result.stdout.splitlines())
    assert row["probability"] == pytest.approx(model.predict_proba([letter[:-1]]).max())
    note = "is read as one text, as files of class folders are; --kind text reads every line as one\n"
    assert result.stderr == f"note: {path} {note}"
    typed = CliRunner().invoke(app, ["predict", str(run), "-"], input=letter)
    assert (typed.stdout, typed.stderr) == (result.stdout, f"note: standard input {note}")
    result = call("predict", run, path, "--kind", "text")
    assert (result.stdout.count("\n"), "note" in result.stderr) == (4, False)
    other.parent.mkdir()
    other.write_text(letter, encoding="utf-8")
    (other.parent / "b").write_text(letter, encoding="utf-8")
    result = call("predict", run, other.parent)
    assert [json.loads(line)["file"] for line in result.stdout.splitlines()] == [str(other), str(other.parent / "b")]
    assert f"note: {other} and 1 more are read as one text each, as files of class folders are;" in result.stderr
    table = tmp_path / "t.csv"
    table.write_text('text,label\n"buy!\nnow!",spam\nsee,ham\n', encoding="utf-8")
    assert call("predict", run, table).stdout.count("\n") == 2
    assert "2 sequences:" in call("eval", run, table).stdout
    assert "16 sequences:" in call("eval", run, folder).stdout
    assert call("resume", run).exit_code == 0


@pytest.fixture
def numerals(tmp_path):
    path = tmp_path / "ett.csv"
    rows = "".join(f"2016-07-{day:02d},{day},2.0,{day % 5}\n" for day in range(1, 31))
    path.write_text("date,0,1,OT\n" + rows, encoding="utf-8")
    return path


FORECAST = ["--horizon", 2, "--history", 4, *SMALL]


def test_a_header_of_numerals_is_settled_by_the_target(numerals, tmp_path):
    run = tmp_path / "r"
    result = call("train", "forecast", numerals, "--target", "OT", "--time", "date", *FORECAST, "--run", run)
    assert result.exit_code == 0, result.output
    notes = [line for line in result.stderr.splitlines() if line.startswith("note")]
    taken = "the first line is taken as the header (date, 0, 1, OT), for it has the column 'OT'; --no-header takes it"
    assert notes == [f"note: {numerals}: {taken} as data"]
    assert result.stderr.startswith(notes[0])  # before training
    lines = [json.loads(line) for line in call("predict", run, numerals).stdout.splitlines()]
    assert [line["time"] for line in lines] == ["2016-07-31", "2016-08-01"]
    assert call("eval", run, numerals).exit_code == 0
    assert call("resume", run).exit_code == 0


def test_the_flag_settles_it_everywhere(numerals, tmp_path):
    run = tmp_path / "r"
    result = call("train", "forecast", numerals, "--target", "1", "--no-header", *FORECAST, "--run", run)
    assert "there is no column '1'" in result.stderr
    result = call("train", "forecast", numerals, "--target", "1", "--header", *FORECAST, "--run", run)
    assert result.exit_code == 0, result.output
    assert "header" not in result.stderr  # nothing was guessed
    assert call("predict", run, numerals, "--header").exit_code == 0
    assert call("eval", run, numerals, "--header").exit_code == 0
    result = call("predict", run, numerals, "--no-header")
    assert "there is no column '1'" in result.stderr


def test_blanks_and_no_header(tmp_path):
    path, run = tmp_path / "engines.txt", tmp_path / "r"
    drawn = np.random.default_rng(0).normal(size=(40, 3))
    path.write_text("".join(f"{row % 2}  {a:.2f}   {b:.2f} {c:.2f} \n" for row, (a, b, c) in enumerate(drawn)))
    flags = ["--input", "column_2,column_3,column_4", "--label", "column_1", "--delimiter", "blanks", "--no-header"]
    result = call("train", "classify", path, *flags, *SMALL, "--run", run)
    assert result.exit_code == 0, result.output
    assert load_model(run).input_.input_size == 1
    assert call("predict", run, path, "--delimiter", "blanks", "--no-header").stdout.count("\n") == 40


def test_several_columns_are_a_sequence(tmp_path):
    path, run = tmp_path / "w.csv", tmp_path / "r"
    path.write_text("a,b,c,y\n" + "".join(f"{row},{row * 2},{row % 3},{row}\n" for row in range(30)), encoding="utf-8")
    result = call("train", "regress", path, "--input", "a,b,c", "--label", "y", *SMALL, "--run", run)
    assert result.exit_code == 0, result.output
    assert call("predict", run, path).stdout.count("\n") == 30
    assert call("eval", run, path, "--train", path).exit_code == 0
    assert call("resume", run).exit_code == 0
    path.write_text("a,b,c\n1,2,high\n", encoding="utf-8")
    result = call("predict", run, path)
    assert result.stderr.endswith("column 'c' has 'high', and several columns make a sequence of numbers\n")
    path.write_text("a,y\n" + "1,2\n3,4\n" * 10, encoding="utf-8")
    result = call("train", "regress", path, "--input", "a", "--label", "y", *SMALL, "--run", tmp_path / "s")
    assert "note: the column 'a' has numbers, which are read as texts, a character a step" in result.stderr


def test_a_state_is_for_forecasts(trained, tmp_path):
    tagger = SequenceTagger(cell="gru", hidden_size=4, epochs=1).fit(["ab", "ba"] * 10, [["x", "y"], ["y", "x"]] * 10)
    tagger.save(tmp_path / "tagger.safetensors")
    path = tmp_path / "t.txt"
    path.write_text("ab\n", encoding="utf-8")
    for model, kind in ((tmp_path / "tagger.safetensors", "SequenceTagger"), (trained[0], "SequenceClassifier")):
        result = call("predict", model, path, "--state", tmp_path / "state")
        assert result.exit_code == 2
        assert result.stderr.startswith(f"error: a {kind} keeps a state from row to row, and a file is read as a whole")
    assert not (tmp_path / "state").exists()


def test_a_file_of_matlab(tmp_path):
    scipy_io = pytest.importorskip("scipy.io")
    path, run = tmp_path / "d.mat", tmp_path / "r"
    labels = np.arange(40) % 2
    values = np.random.default_rng(0).normal(size=(40, 5, 2)) + labels[:, None, None]
    scipy_io.savemat(path, {"X": values, "y": labels, "rate": 100.0})
    result = call("train", "classify", path, "--input", "X", "--label", "y", *SMALL, "--run", run)
    assert result.exit_code == 0, result.output
    assert "left out, for having no rows: rate" in result.output
    assert call("predict", run, path).stdout.count("\n") == 40
    path.write_bytes(b"MATLAB 7.3 MAT-file" + bytes(600))
    for command in (["predict", run], ["eval", run], ["train", "classify"], ["train", "forecast", "--target", "y"]):
        result = call(*command, path)
        assert result.exit_code == 1
        assert (
            "is of MATLAB's version 7.3 (HDF5), which is not read: save it in MATLAB as save('d.mat'," in result.stderr
        )


def test_a_folder_of_a_run_is_its_model(trained, run, tmp_path):
    assert isinstance(load_model(trained[0]), SequenceClassifier)
    assert isinstance(SequenceClassifier.load(trained[0]), SequenceClassifier)
    assert isinstance(load_model(run), LanguageModel)
    assert isinstance(LanguageModel.load(str(run)), LanguageModel)
    vectors = WordVectors(vector_size=4, min_count=1, epochs=1).fit(["a b a b"] * 3)
    (tmp_path / "v").mkdir()
    vectors.save(tmp_path / "v" / "model.safetensors")
    assert WordVectors.load(tmp_path / "v").words_ == vectors.words_


def test_a_run_that_has_done_what_is_asked_for_says_so(run, tmp_path):
    """A shorter run than the one that was made is not one: nothing is trained, and that is said."""
    table, folder = tmp_path / "t.csv", tmp_path / "r"
    table.write_text("text,label\n" + "aa,x\nbb,y\n" * 20, encoding="utf-8")
    assert call("train", "classify", table, *SMALL[:4], "--epochs", 3, "--run", folder).exit_code == 0
    before = load_model(folder).predict_proba(["ab"])
    result = call("resume", folder, "--epochs", 1)
    assert result.exit_code == 0, result.output
    made = r"the run has made 3 passes \(\d+ updates\), and --epochs 1 asks for no more"
    assert re.search(rf"^note: nothing was left to train: {made}$", result.stderr, re.MULTILINE)
    assert (load_model(folder).predict_proba(["ab"]) == before).all()
    copy = shutil.copytree(run, tmp_path / "cats")
    result = call("resume", copy, "--max-steps", 20)
    assert result.exit_code == 0, result.output
    said = r"nothing was left to train: .*\(60 updates\), and --max-steps 20 asks for no more$"
    assert re.search(said, result.stderr)
