"""`loopcell compare`: jobs as verbs or behind --job, folders that it goes on with, and what makes no sense."""

import json

import numpy as np
import pytest

from loopcell.cli.compare import ON_FILES, PROBLEMS, in_front
from loopcell.comparison import OnProblem
from loopcell.comparison.problems import PROBLEMS as KNOWN
from loopcell.comparison.settings import DISTANCES
from tests.cli.test_bad_input import refusal

TINY = ["--updates", "2", "--hidden", "4", "--distances", "3"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder to work in, with some reviews."""
    monkeypatch.chdir(tmp_path)
    rows = ["a good film,for", "a bad film,against"] * 20
    (tmp_path / "reviews.csv").write_text("\n".join(["text,opinion", *rows]), encoding="utf-8")
    (tmp_path / "folder.html").mkdir()
    return tmp_path


def test_a_problem_is_compared_and_the_folder_goes_on(loopcell, folder):
    result = loopcell("compare", "recall", *TINY, "--seeds", "2", "--cells", "rnn,gru", "-o", "found.json")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0].startswith("recall, the same hidden size; accuracy")
    assert lines[-4:] == [
        "no memory: accuracy 0.250", "solved: accuracy 0.95 or more", "runs:  runs/compare-recall", "wrote found.json",
    ]  # fmt: skip
    assert result.stderr.count(" updates ") == 4
    again = loopcell(
        "compare", "recall", *TINY, "--cells", "rnn,gru", "--run", "runs/compare-recall", "-o", "page.html"
    )
    assert again.stderr.count(" updates ") == 2  # those of the third seed
    assert (folder / "page.html").is_file()
    assert json.loads((folder / "found.json").read_text(encoding="utf-8"))["settings"]["hidden_size"] == 4


@pytest.mark.parametrize("where", ["behind", "in front", "with ="])
def test_the_job_may_be_a_flag(loopcell, folder, where):
    files = ["reviews.csv", "--input", "text", "--label", "opinion", "--cells", "rnn,min_gru"]
    small = ["--epochs", "1", "--hidden", "4", "--device", "cpu", "--seeds", "1", "-o", "page.html"]
    words = {
        "behind": ["compare", *files, *small, "--job", "classify"],
        "in front": ["compare", "--job", "classify", *files, *small],
        "with =": ["compare", *files, "--job=classify", *small],
    }[where]
    result = loopcell(*words)
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("sequence-classifier, the same hidden size; accuracy")
    assert "majority class: accuracy 0." in result.stdout
    assert (folder / "runs" / "compare-reviews").is_dir()


def test_arguments_without_the_flag_stay_as_they_are():
    assert in_front(["recall", "--seeds", "1"]) == ["recall", "--seeds", "1"]
    assert in_front(["a.csv", "--job"]) == ["", "a.csv"]


def test_an_interruption_says_how_to_go_on(loopcell, folder, monkeypatch):
    trained = OnProblem.train

    def interrupted(self, cell, *others):
        if cell.name == "gru":
            raise KeyboardInterrupt
        return trained(self, cell, *others)

    monkeypatch.setattr(OnProblem, "train", interrupted)
    result = loopcell("compare", "recall", *TINY, "--cells", "rnn,gru")
    assert result.exit_code == 130
    assert result.stdout == "interrupted; to go on: the same command with --run runs/compare-recall\n"
    assert len(list((folder / "runs" / "compare-recall").glob("rnn-seed-*.json"))) == 1


REFUSED = [
    ("recall --cells rnn,lstn", "no cell is named 'lstn'; did you mean 'lstm'?"),
    ("recall --cells rnn", "a comparison takes two cells or more, such as rnn,gru,lstm; got rnn"),
    ("recall --cells rnn,no.py:mine", "there is no Python file no.py to take a cell from"),
    ("recall --seeds 0", "seeds is how many, at least 1, or the seeds themselves; got 0"),
    ("recall --budget money", "a budget is 'units' or 'parameters', not 'money'"),
    ("recall --distances 5,x", "'5,x' are not distances; write them like 10,20,40"),
    ("recall --distances 0", "'0' are not distances; write them like 10,20,40"),
    ("recall --hidden 0", "--hidden: input should be greater than or equal to 1, got 0"),
    ("recall --updates 0", "--updates: input should be greater than 0, got 0"),
    ("recall --cells rnn,lstm_projected", "cell `lstm_projected` needs one more size: --size proj=..."),
    ("recall --cells rnn,gru --size proj=3", "--size proj=3: no cell of rnn,gru has such a size"),
    ("recall -o page.pdf", "--output names a file that ends in .html, .json, .csv, not page.pdf"),
    ("recall -o folder.html", "--output folder.html: a folder has that name"),
    ("recall --run reviews.csv/runs", "reviews.csv/runs: nothing can be written there (not a directory)"),
    ("recall -o no/page.html", "--output no/page.html: its folder does not exist"),
    ("reviews.csv", "'reviews.csv' is no job; say which one with --job: recall, adding, copying, classify"),
    ("reviews.csv --job classfy", "'classfy' is no job"),
    ("reviews.csv --job classify --input text --label mood", "reviews.csv has no column 'mood'"),
    ("no.csv --job classify", "there is no file no.csv"),
    (
        "reviews.csv --job classify --input text --label opinion --val-fraction 0",
        "nothing is; try --val-fraction ..., or --val ...",
    ),
]


@pytest.mark.parametrize(("words", "sentence"), REFUSED, ids=[words for words, _ in REFUSED])
def test_what_makes_no_sense_is_one_sentence(loopcell, folder, words, sentence):
    result = loopcell("compare", *words.split())
    assert sentence in refusal(result)
    assert result.exit_code in (1, 2)
    assert not (folder / "comparison.html").exists()


def test_every_problem_has_a_verb_and_its_usual_distances():
    assert PROBLEMS.keys() == KNOWN.keys() == DISTANCES.keys()
    assert all(min(DISTANCES[name]) >= KNOWN[name].smallest for name in KNOWN)
    assert set(ON_FILES) == {"classify", "regress", "tag", "lm", "forecast"}


def test_two_arrays_are_read_as_train_reads_them(loopcell, folder):
    np.save(folder / "X.npy", np.random.default_rng(0).normal(size=(40, 5, 2)).astype(np.float32))
    np.save(folder / "y.npy", np.arange(40) % 2)
    small = ["--epochs", "1", "--hidden", "4", "--device", "cpu", "--seeds", "1", "-o", "found.csv"]
    result = loopcell("compare", "classify", "X.npy", "y.npy", *small, "--val", "X.npy", "y.npy", "--size", "proj=2",
                      "--cells", "gru,lstm_projected")  # fmt: skip
    assert result.exit_code == 0, result.output
    assert (folder / "found.csv").read_text(encoding="utf-8").count("\n") == 3
