"""A run of files: what a time limit leaves for training and for scores, and the sentence at the end."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from loopcell import SequenceClassifier
from loopcell.tasks.core.from_files import examples
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
    assert good.verdict() == (
        "the model cannot be told apart from its best baseline, n-gram logistic: accuracy 1.0000 against 0.8000 (two "
        "standard errors of the difference are 0.2138)"
    )
    assert "try" not in good.verdict()
    nothing = trained(table, tmp_path / "nothing", spent=0, epochs=1, validation_fraction=0)
    assert nothing.verdict().startswith("nothing was held out, so nobody knows yet")


def test_a_folder_of_classes_is_opened_once(tmp_path, monkeypatch):
    for kind in ("for", "against"):
        (tmp_path / "films" / kind).mkdir(parents=True)
        for number in range(20):
            (tmp_path / "films" / kind / f"{number}.txt").write_text(f"{kind} it, {number} times\n", encoding="utf-8")
    opened, found = [], examples.open_files
    monkeypatch.setattr(examples, "open_files", lambda *given: opened.append(given[0]) or found(*given))
    result = trained(FileExamples(files=(tmp_path / "films",)), tmp_path / "run", spent=0, epochs=1)
    assert opened == [tmp_path / "films"]
    assert result.estimator.columns_.whole


def test_nothing_with_an_underscore_at_its_end_stands_there_before_fit(table, tmp_path, monkeypatch):
    """And a run leaves nothing of itself in the estimator."""
    estimator, fit, seen = SequenceClassifier(**{**QUICK, "epochs": 1}), SequenceClassifier.fit, []

    def watched(self, *data, **options):
        seen.extend(name for name in vars(self) if name.endswith("_"))
        return fit(self, *data, **options)

    monkeypatch.setattr(SequenceClassifier, "fit", watched)
    opened = open_files(estimator.task, checked(estimator), table, None)
    train_on_files(estimator, *opened, tmp_path / "run", began=time.monotonic())
    assert seen == []
    assert "_context" not in vars(estimator)


def test_the_held_out_part_is_the_one_of_fit_also_where_its_seed_was_drawn():
    X, y = words(150)
    model = SequenceClassifier(**{**QUICK, "random_state": None, "calibrate": False}).fit(X, y)
    score = model.score_held_out(X, y)
    assert score.data == "15 sequences"
    assert score.model["log loss"] == pytest.approx(model.outcome_.position.best_loss, abs=1e-5)
