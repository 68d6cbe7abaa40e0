from __future__ import annotations

import numpy as np
import pytest

from loopcell.tasks.core.inputs import ArrayInput, TextInput, TokenInput, learn_input
from loopcell.tasks.core.settings import NetworkSettings
from loopcell.tasks.sequences.baselines import sequences
from loopcell.tasks.sequences.baselines.classes import logistic_probabilities
from loopcell.tasks.sequences.baselines.numbers import ridge
from loopcell.tasks.sequences.baselines.sequences import features_of, summaries
from loopcell.tasks.sequences.baselines.steps import ContextTable, tags_without_history

A, B, C = 1, 2, 3


def test_a_token_between_its_neighbours_else_by_itself_else_anything():
    learned = [np.array([A, B, A]), np.array([C, B, C]), np.array([C, B, C]), np.array([C, B, C])]
    labels = [np.array([0, 1, 0]), np.array([0, 2, 0]), np.array([0, 2, 0]), np.array([0, 2, 0])]
    table = ContextTable().fit(learned, labels)
    given = table.predict([np.array([A, B, A]), np.array([A, B, C]), np.array([9]), np.array([], dtype=np.int64)])
    assert given[0].tolist() == [0, 1, 0]  # as in training
    assert given[1].tolist() == [0, 2, 0]  # B is mostly 2
    assert given[2].tolist() == [0]  # 0 is the most frequent label
    assert given[3].tolist() == []


def test_labels_that_are_not_known_are_not_counted():
    table = ContextTable().fit([np.array([A, A, B])], [np.array([-100, 1, 2])])
    assert table.predict([np.array([A])])[0].tolist() == [1]


def test_numbers_get_a_logistic_regression_of_a_step():
    drawn = np.random.default_rng(0)
    X = [drawn.standard_normal((20, 2)).astype(np.float32) for _ in range(20)]
    y = [(x[:, 1] > 0).astype(np.int64) for x in X]
    name, given = tags_without_history((X, y), [*X, X[0][:0]])
    assert name == "step logistic"
    assert np.mean(np.concatenate(given[:-1]) == np.concatenate(y)) > 0.95
    assert len(given[-1]) == 0


def test_figures_that_see_no_order():
    kind = ArrayInput(1)
    x = np.array([[1.0], [4.0], [1.0]], dtype=np.float32)
    assert summaries(kind, [x])[0].tolist() == pytest.approx([2.0, np.sqrt(2), 1.0, 4.0, 1.0, 1.0, 3.0])
    assert summaries(kind, [np.zeros((0, 1))])[0].tolist() == [0.0] * 7


@pytest.mark.parametrize(
    ("X", "kind", "name"),
    [
        (["aab", "bba"] * 10, TextInput, "n-gram logistic"),
        ([["a", "b"], ["b", "c"]] * 10, TokenInput, "n-gram logistic"),
        ([np.zeros((3, 1)), np.ones((2, 1))] * 10, ArrayInput, "summary logistic"),
    ],
)
def test_every_kind_of_input_has_a_baseline(X, kind, name):
    found = learn_input(X, NetworkSettings())
    assert type(found) is kind
    y = np.array([0, 2] * 10)  # label 1 is not in this part
    given, probabilities = logistic_probabilities(found, (X, y), X, 3)
    assert given == name
    assert probabilities.argmax(1).tolist() == y.tolist()
    assert probabilities[:, 1].max() == 0
    assert ridge(found, (X, y[:, None].astype(float)), X)[1].shape == (20, 1)


def test_a_baseline_that_did_not_see_all_says_so(monkeypatch):
    monkeypatch.setattr(sequences, "MOST_EXAMPLES", 6)
    found = learn_input(["aab", "bba"] * 10, NetworkSettings())
    name, _ = logistic_probabilities(found, (["aab", "bba", "b"] * 7, np.array([0, 1, 2] * 7)), ["aab"], 3)
    assert name == "n-gram logistic (6 examples)"
    assert features_of(found)[1] == "n-gram"
