"""The class that opens the files of each task, and what it reads of a small file."""

import pytest

from loopcell.errors import DataError
from loopcell.tasks.core.from_files.config import FileExamples
from loopcell.tasks.core.from_files.example_files import ExampleFiles
from loopcell.tasks.core.models import TASKS, files_class
from loopcell.tasks.core.settings import ClassifierSettings
from loopcell.tasks.forecasting.files import SeriesFiles
from loopcell.tasks.forecasting.settings import ForecasterSettings
from loopcell.tasks.language_model.files import TextFiles
from loopcell.tasks.word_vectors.files import SentenceFiles
from loopcell.tasks.word_vectors.settings import WordVectorSettings

TABLE = "text,label\nred cat,a\nblue dog,b\n"


def test_every_task_has_its_own():
    others = {
        "anomaly-detector": SeriesFiles,
        "forecaster": SeriesFiles,
        "language-model": TextFiles,
        "word-vectors": SentenceFiles,
    }
    assert {task: files_class(task) for task in TASKS} == {task: others.get(task, ExampleFiles) for task in TASKS}


def test_examples_are_sequences_and_what_is_known_of_them(tmp_path):
    (tmp_path / "t.csv").write_text(TABLE)
    spec = FileExamples(files=(tmp_path / "t.csv",), input="text", target="label")
    loaded = ExampleFiles.open(spec, ClassifierSettings()).load()
    assert list(loaded.X) == ["red cat", "blue dog"]
    assert list(loaded.y) == ["a", "b"]
    with pytest.raises(DataError, match="no column 'mood'"):
        ExampleFiles.open(spec.model_copy(update={"target": "mood"}), ClassifierSettings()).load()


def test_sentences_are_the_lines_of_a_text(tmp_path):
    (tmp_path / "t.txt").write_text("red cat\nblue dog\n")
    (texts,) = SentenceFiles.open(FileExamples(files=(tmp_path / "t.txt",)), WordVectorSettings()).load()
    assert list(texts) == ["red cat", "blue dog"]


def test_series_are_the_rows_of_a_table(tmp_path):
    (tmp_path / "s.csv").write_text("value\n1.5\n2.5\n")
    settings = ForecasterSettings(target=("value",), horizon=1)
    opened = SeriesFiles.open(FileExamples(files=(tmp_path / "s.csv",)), settings)
    (records,) = opened.load()
    assert [row.get("value") for row in records.read(["value"])] == ["1.5", "2.5"]
