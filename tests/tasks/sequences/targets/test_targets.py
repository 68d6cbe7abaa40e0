from __future__ import annotations

import numpy as np
import pytest

from loopcell.data import Column, Origin
from loopcell.errors import DataError
from loopcell.tasks.core.estimator import IGNORED
from loopcell.tasks.sequences.targets import (
    Labels,
    as_number_rows,
    classes_from_json,
    label_sequences,
    label_weights,
    learn_classes,
    sequence_labels,
)


@pytest.mark.parametrize("y", [["b", "a", "b"], [3, 1, 3], [True, False, True], [0.5, 1.5, 0.5]])
def test_labels_are_sorted_numbered_and_read_back(y):
    labels = Labels.learn(y)
    assert labels.values.tolist() == sorted(set(y))
    assert labels.decoded(labels.numbers(y)).tolist() == y
    again = Labels.from_json(labels.to_json())
    assert again.values.tolist() == labels.values.tolist()
    assert again.values.dtype == labels.values.dtype


def test_labels_of_numpy_are_those_of_python():
    labels = Labels.learn(np.array([3, 1]))
    assert labels.to_json() == [1, 3]
    assert labels.numbers([np.int32(3), 1, None]).tolist() == [1, 0, IGNORED]
    assert labels.numbers([7, 1], strict=False).tolist() == [-1, 0]


@pytest.mark.parametrize(
    ("y", "complaint"),
    [
        (["a", "a"], "every label is 'a': there is nothing to tell apart; it takes two labels at least"),
        ([None], "there is no label: there is nothing to tell apart"),
        (["a", float("nan")], "X[1]: nan is not a label; labels are strings, numbers or truth values"),
        (["a", b"b"], "X[1]: b'b' is not a label"),
        (["a", "b", 1], "labels are of one kind: X[2] is a whole number, and X[0] is a text"),
        ([1, True], "labels are of one kind: X[1] is a truth value, and X[0] is a whole number"),
    ],
)
def test_labels_that_are_none_are_named(y, complaint):
    with pytest.raises(DataError) as caught:
        Labels.learn(y)
    assert str(caught.value).startswith(complaint)


def test_a_label_that_training_did_not_have_is_named_with_its_row():
    labels = Labels.learn(["a", "b"])
    y = Column(["a", "c"], [Origin("t.csv", 1, 2), Origin("t.csv", 2, 3)], "label")
    with pytest.raises(DataError, match=r"^t.csv row 2 \(line 3\): the label 'c' is not among those of the training"):
        labels.numbers(y)


def test_weights_of_labels():
    labels = Labels(["a", "b", "c"])
    counts = np.array([6, 3, 0])
    assert label_weights(None, labels, counts).tolist() == [1, 1, 1]
    assert label_weights({"b": 2.5}, labels, counts).tolist() == [1, 2.5, 1]
    balanced = label_weights("balanced", labels, counts)
    assert balanced[:2].tolist() == [9 / (3 * 6), 9 / (3 * 3)]
    assert balanced @ counts / 2 == pytest.approx(counts.sum() / 3)  # a label that occurs counts as much as another


def test_sets_of_labels_and_matrices():
    sets = learn_classes([["x"], [], ("y", "x"), {"z"}])
    assert sets.labels.to_json() == ["x", "y", "z"]
    assert sets.numbers([["x"], [], ("y", "x")]).tolist() == [[1, 0, 0], [0, 0, 0], [1, 1, 0]]
    assert sets.decided(np.array([[0.9, 0.1, 0.6]])) == [("x", "z")]
    again = classes_from_json(sets.to_json())
    assert again.decided(np.array([[0.9, 0.1, 0.6]])) == [("x", "z")]
    matrix = learn_classes(np.array([[1, 0], [0, 1]]))
    assert matrix.decided(np.array([[0.9, 0.1]])).tolist() == [[1, 0]]
    with pytest.raises(DataError, match=r"X\[1\]: the label 'w' is not among"):
        sets.numbers([["x"], ["w"]])
    assert sets.numbers([["x"], ["w"]], strict=False).tolist() == [[1, 0, 0], [0, 0, 0]]
    with pytest.raises(DataError, match=r"X\[1\]: 'y' is not a list of labels, as the first example has"):
        sets.numbers([["x"], "y"])
    with pytest.raises(DataError, match="other numbers than 0 and 1"):
        learn_classes(np.array([[1, 2], [0, 1]]))
    with pytest.raises(DataError, match="y has 3 columns, and training had 2 labels"):
        matrix.numbers(np.zeros((1, 3)))


def test_labels_of_steps():
    y = ["aab", np.array(["b", "a"]), ["a", None]]
    labels = sequence_labels(y)
    assert labels.to_json() == ["a", "b"]
    rows = label_sequences(y, labels, np.array([3, 2, 2]))
    assert [row.tolist() for row in rows] == [[0, 0, 1], [1, 0], [0, IGNORED]]


def test_numbers_to_predict():
    assert as_number_rows([1, "2.5", np.float64(3)]).tolist() == [[1.0], [2.5], [3.0]]
    assert as_number_rows(np.array([[1, 2], [3, 4]])).tolist() == [[1, 2], [3, 4]]
    with pytest.raises(DataError, match=r"X\[1\]: 'x' is not a number"):
        as_number_rows([1, "x"])
