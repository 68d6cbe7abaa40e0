"""The curve of a training as a picture: of an estimator, and of the folder of its run."""

from __future__ import annotations

import pytest

from loopcell import SequenceClassifier, load_model
from loopcell.errors import FileFormatError, UsageError
from loopcell.tasks import plot_history
from loopcell.tasks.core import learning_curve
from tests.tasks.conftest import one_thread
from tests.tasks.small import QUICK, words

__all__ = ["one_thread"]

pytest.importorskip("matplotlib")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "words"
    return SequenceClassifier(**QUICK, epochs=3).fit(*words(), run=folder), folder


def courses(ax):
    return [(line.get_label(), line.get_xdata().tolist(), line.get_ydata().tolist()) for line in ax.lines[:2]]


def test_losses_stand_over_updates_and_the_best_is_marked(trained):
    model, folder = trained
    ax = model.plot_history()
    updates = [row["update"] for row in model.history_]
    assert courses(ax) == [
        ("training", updates, [row["train_loss"] for row in model.history_]),
        ("held out", updates, [row["validation_loss"] for row in model.history_]),
    ]
    loss, at = min((row["validation_loss"], row["update"]) for row in model.history_)
    assert ax.lines[2].get_xydata().tolist() == [[at, loss]]
    assert courses(plot_history(folder)) == courses(ax)
    assert learning_curve.plot_history is plot_history


def test_where_there_is_no_curve_one_sentence_says_so(trained, tmp_path):
    folder = trained[1]
    with pytest.raises(UsageError, match=r"this model has no history: .*plot_history\(FOLDER\)"):
        load_model(folder / "model.safetensors").plot_history()
    with pytest.raises(UsageError, match="is not the folder of a run with a curve"):
        plot_history(tmp_path)
    (tmp_path / "metrics.csv").write_text("update,train_loss\n1,x\n", encoding="utf-8")
    with pytest.raises(FileFormatError, match="a cell is no number"):
        plot_history(tmp_path)
    (tmp_path / "metrics.csv").write_text("update,train_loss\n", encoding="utf-8")
    with pytest.raises(UsageError, match="the history has no row"):
        plot_history(tmp_path)
