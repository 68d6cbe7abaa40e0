"""The confusion of labels: counted as scikit-learn counts it, and drawn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import ConfusionMatrixDisplay, confusion_matrix

from loopcell import SequenceClassifier, SequenceTagger
from loopcell.errors import UsageError
from loopcell.tasks import ScoreTable
from loopcell.tasks.core.confusion_plot import plot_confusion
from tests.tasks.conftest import one_thread
from tests.tasks.small import QUICK, parities, words

__all__ = ["one_thread"]

pytest.importorskip("matplotlib")


def written(ax):
    return [text.get_text() for text in ax.texts]


def test_a_classifier_is_drawn_as_scikit_learn_draws_it():
    X, y = words()
    model = SequenceClassifier(**QUICK, epochs=1).fit(X, y)
    table = model.evaluate(X, y)
    ax = table.plot()
    np.testing.assert_array_equal(ax.images[0].get_array(), confusion_matrix(y, model.predict(X)))
    assert written(ax) == [str(count) for count in table.confusion.flatten()]
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["other", "same"]
    display = ConfusionMatrixDisplay.from_estimator(model, X, y, ax=ax)
    np.testing.assert_array_equal(display.confusion_matrix, table.confusion)


def test_of_a_tagger_every_step_with_a_known_label_counts():
    X, y = parities(40)
    model = SequenceTagger(**QUICK, epochs=1).fit(X, y)
    y[0] = [None, *y[0][1:]]
    table = model.evaluate(X, y)
    pairs = [pair for true, given in zip(y, model.predict(X), strict=True) for pair in zip(true, given, strict=True)]
    true, given = zip(*(pair for pair in pairs if pair[0] is not None), strict=True)
    np.testing.assert_array_equal(table.confusion, confusion_matrix(true, given))
    assert table.labels == ("even", "odd")
    shares = table.plot(normalize=True).images[0].get_array()
    np.testing.assert_allclose(shares.sum(1), 1)


def test_many_labels_are_drawn_without_numbers_and_a_label_that_never_came_as_zeros():
    counts = np.diag(np.r_[0, np.arange(1, 25)])
    ax = plot_confusion(counts, [f"$l_{at}$" for at in range(25)], None, normalize=True)
    assert written(ax) == []
    assert np.diag(ax.images[0].get_array()).tolist() == [0.0] + [1.0] * 24


def test_figures_without_labels_have_none():
    with pytest.raises(UsageError, match="these figures have no confusion to draw"):
        ScoreTable("5 series", {"model": {"MSE": 1.0}}).plot()
