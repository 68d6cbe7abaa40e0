"""A run of files: what a time limit leaves for training and for scores, and the sentence at the end."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from loopcell import SequenceClassifier
from loopcell.tasks.core.from_files.config import FileExamples
from loopcell.tasks.core.from_files.run import train_on_files
from loopcell.tasks.core.models import open_files
from loopcell.tasks.core.settings import checked
from tests.tasks.conftest import one_thread
from tests.tasks.small import QUICK, words

__all__ = ["one_thread"]


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "words.csv"
    lines = [f"{word},{label}\n" for word, label in zip(*words(150), strict=True)]
    path.write_text("text,label\n" + "".join(lines), encoding="utf-8")
    return FileExamples(files=(Path(path),))


def trained(table, folder, *, spent, **settings):
    estimator = SequenceClassifier(**{**QUICK, **settings})
    opened = open_files(estimator.task, checked(estimator), table, None)
    return train_on_files(estimator, *opened, folder, began=time.monotonic() - spent)


def test_time_that_was_spent_before_training_counts(table, tmp_path):
    found = trained(table, tmp_path / "run", spent=100, epochs=500, time_limit=50)
    assert found.estimator.outcome_.reason == "time limit"
    assert found.estimator.outcome_.position.update == 1
    assert "the baselines that learn were left out, for the time limit" in found.notes
    assert list(found.score.rows) == ["model", "majority class"]
    assert any(note.startswith("training ended in its warm-up, at update 1,") for note in found.notes)


def test_a_limit_that_is_far_leaves_out_nothing(table, tmp_path):
    found = trained(table, tmp_path / "run", spent=1, epochs=2, time_limit=10_000)
    assert found.estimator.outcome_.reason == "complete"
    assert list(found.score.rows) == ["model", "majority class", "n-gram logistic"]
    assert not any("time limit" in note for note in found.notes)


def test_the_sentence_at_the_end_names_what_to_try(table, tmp_path):
    poor = trained(table, tmp_path / "poor", spent=0, epochs=1, learning_rate=1e-6)
    assert poor.verdict().startswith("the model is no better than its best baseline, ")
    (note,) = [note for note in poor.notes if note.startswith("nothing was learned: the held-out loss ")]
    assert note.endswith(": try epochs=3, learning_rate=2e-06 or learning_rate=2.5e-07, pooling='mean'")
    assert "try" not in poor.verdict()  # it is said once
    good = trained(table, tmp_path / "good", spent=0, epochs=40)
    assert good.verdict().startswith("the model is better than its best baseline, ")
    assert "try" not in good.verdict()
    nothing = trained(table, tmp_path / "nothing", spent=0, epochs=1, validation_fraction=0)
    assert nothing.verdict().startswith("nothing was held out, so nobody knows yet")
