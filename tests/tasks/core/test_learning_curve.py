"""The curve of a training as a picture: of an estimator, and of the folder of its run."""

from __future__ import annotations

import pytest

from loopcell import SequenceClassifier, load_model
from loopcell.errors import FileFormatError, UsageError
from loopcell.tasks import plot_history
from loopcell.tasks.core import learning_curve
from loopcell.tasks.core.learning_curve import evened
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


def test_rows_of_few_updates_are_merged_with_their_neighbour():
    """A pass that ends one or two updates after a row; the mean is weighted by the updates."""
    assert evened([100, 101, 200, 202, 300], [2.0, 8.0, 1.0, 5.0, 1.0]) == [
        None, pytest.approx((100 * 2 + 8) / 101), None, pytest.approx((99 + 2 * 5) / 101), 1.0,
    ]  # fmt: skip
    assert evened([2, 100, 200], [5.0, 1.0, 1.0]) == [None, pytest.approx(1.08), 1.0]
    assert evened([10, 20, 30], [3.0, None, 1.0]) == [3.0, None, 1.0]
    assert evened([20, 23, 40, 46, 60], [1.0, 2.0, 3.0, 4.0, 5.0])[0] is None
    assert evened([], []) == []
    rows = [{"update": update, "train_loss": loss} for update, loss in ((100, 2.0), (101, 8.0), (200, 1.0))]
    (line,) = plot_history(rows).get_lines()
    assert line.get_xydata().tolist() == [[101, pytest.approx(208 / 101)], [200, 1.0]]
