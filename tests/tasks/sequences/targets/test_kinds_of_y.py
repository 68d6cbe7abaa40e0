"""y in every form that it comes in, and sentences about forms that are none."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from loopcell.errors import DataError, InputError
from loopcell.tasks import SequenceClassifier, SequenceRegressor, SequenceTagger
from tests.tasks.conftest import one_thread
from tests.tasks.small import QUICK

__all__ = ["one_thread"]

pandas = pytest.importorskip("pandas")
polars = pytest.importorskip("polars")

SHORT = QUICK | {"hidden_size": 4, "epochs": 1, "validation_fraction": 0.0}
X = [np.array([[number % 3, number % 2], [1.0, number]]) for number in range(12)]
KINDS = [number % 3 for number in range(12)]
SETS = np.array([[number % 2, number % 3 == 0, 1] for number in range(12)], dtype=int)
NUMBERS = np.array([number / 2 for number in range(12)])
STEPS = np.array([[number % 2, number % 3 % 2] for number in range(12)])


def forms(values):
    """The same in every form."""
    array = np.array(values)
    yield array.tolist()
    yield torch.tensor(array)
    yield list(torch.tensor(array))  # of a list of single labels: a list of 0-d tensors
    yield list(array)
    yield np.ma.array(array, mask=False)
    if array.dtype.kind == "f":
        yield array.astype(np.longdouble)
    if array.ndim == 1:
        yield [np.array(value) for value in array]  # 0-d
        yield pandas.Series(array, index=range(5, 5 + len(array)))
        yield polars.Series(array)


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (SequenceClassifier, KINDS),
        (SequenceClassifier, [label > 1 for label in KINDS]),
        (SequenceRegressor, NUMBERS),
        (SequenceRegressor, np.column_stack([NUMBERS, -NUMBERS])),
        (SequenceRegressor, NUMBERS[:, None]),
        (SequenceTagger, STEPS),
        (SequenceTagger, STEPS == 1),
    ],
)
def test_every_form_is_the_same(kind, values):
    told = []
    for y in forms(values):
        model = kind(**SHORT).fit(X, y)
        told.append([np.asarray(model.predict(X)).tolist(), model.score(X, y), str(model.evaluate(X, y).rows)])
    assert all(one == told[0] for one in told)


def test_sets_of_labels_in_every_form():
    told = [SequenceClassifier(**SHORT).fit(X, y).predict(X).tolist() for y in list(forms(SETS))[1:]]
    assert all(one == told[0] for one in told)
    tokens = [[torch.tensor(label) for label in np.flatnonzero(row)] for row in SETS]
    assert SequenceClassifier(**SHORT).fit(X, tokens).classes_.tolist() == [0, 1, 2]


def test_whole_numbers_of_any_size_are_labels():
    y = [label * 2**62 for label in KINDS]
    model = SequenceClassifier(**SHORT).fit(X, y)
    assert model.classes_.tolist() == [0, 2**62, 2**63]
    assert set(model.predict(X).tolist()) <= {0, 2**62, 2**63}


def test_masked_steps_are_labels_that_nobody_knows():
    masked = np.ma.array(STEPS, mask=STEPS * 0)
    masked[0, 0] = np.ma.masked
    y = STEPS.tolist()
    y[0][0] = None
    one, other = (SequenceTagger(**SHORT).fit(X, given).predict_proba(X) for given in (masked, y))
    assert np.array_equal(one, other)


@pytest.mark.parametrize(
    ("kind", "y", "complaint"),
    [
        (SequenceClassifier, NUMBERS * 0.3, "y[1]: the label 0.15 has a fraction, as a measurement has"),
        (SequenceClassifier, [str(number / 7) for number in range(12)], "y[1]: the label '0.14285714285714285' has"),
        (SequenceClassifier, np.array(KINDS)[:, None], "y has the shape [N, 1]: give one label per example, y[:, 0]"),
        (SequenceClassifier, np.array(list("abcabcabcabc"))[:, None], "y has the shape [N, 1]: give one label"),
        (SequenceClassifier, torch.tensor(SETS[:, :1]), "y has the shape [N, 1]: give one label"),
        (SequenceClassifier, SETS * 0.5, "y has two axes, [examples, labels], and other numbers than 0 and 1; "),
        (SequenceClassifier, [1j] * 12, "y[0]: 1j is not a label"),
        (SequenceClassifier, np.ma.array(KINDS, mask=[1] + [0] * 11), "y[0] is nothing: every example needs a label"),
        (SequenceClassifier, [["a", None]] * 12, "y[0]: a label of ['a', None] is missing; leave it out"),
        (SequenceClassifier, [["a", ["b"]]] * 12, "y[0]: ['a', ['b']] has something that is not a label"),
        (SequenceTagger, NUMBERS[:, None] * [0.3, 0.7], "y[1]: the label 0.15 has a fraction"),
        (SequenceTagger, [[("a", "b"), "a"]] * 12, "y[0]: step 2 has 'a', and a list of labels was expected"),
        (SequenceTagger, [["a", {"a", "b"}]] * 12, "y[0]: step 2 has several labels, "),
        (SequenceTagger, [[["a", ["b"]], ["a"]]] * 12, "y[0]: [['a', ['b']], ['a']] has something that is not a label"),
        (SequenceTagger, [[["a", None], ["b"]]] * 12, "y[0]: a label of step 1 is missing; leave it out of the list"),
        (SequenceTagger, np.full((12, 2, 3), 2), "y[0] has two axes, [steps, labels], and other numbers than 0 and 1"),
        (SequenceTagger, np.zeros((12, 2, 1)), "y[0] has the shape [T, 1]: give one label a step, y[:, 0]"),
        (SequenceTagger, np.zeros((12, 3, 2)), "y[0] has labels for 3 steps, and the sequence has 2"),
        (SequenceTagger, KINDS, "y[0]: a sequence of labels was expected, one per step, not 0"),
        (
            SequenceRegressor,
            np.ma.array(NUMBERS, mask=[0, 1] + [0] * 10),
            "y[1] is nothing: every example needs a number",
        ),
        (SequenceRegressor, [1j] * 12, "y[0]: 1j is not a number"),
        (SequenceRegressor, [2**70 + 1] * 12, "y[0]: the whole number 1180591620717411303425, which"),
        (SequenceRegressor, np.array(["2024-01-01"] * 12, "M8[D]"), "y[0]: np.datetime64('2024-01-01') is not"),
        (SequenceRegressor, np.array(["a"] * 12), "y[0]: 'a' is not a number"),
        (SequenceRegressor, np.zeros((12, 2, 2)), "y[0] has the shape [2, 2]; a target is one number, or K of them"),
        (SequenceRegressor, [[1, 2]] * 11 + [[1]], "y[11] has 1 numbers, and the first target has 2"),
    ],
)
def test_what_is_refused(kind, y, complaint):
    with pytest.raises(DataError) as caught:
        kind(**SHORT).fit(X, y)
    assert str(caught.value).startswith(complaint)
    assert "np.str_" not in str(caught.value)


def test_labels_of_numpy_are_named_plainly():
    model = SequenceClassifier(**SHORT).fit(X, np.array(list("abcabcabcabc")))
    with pytest.raises(DataError, match=r"^y\[0\]: the label 'd' is not among those of the training data$"):
        model.evaluate(X[:1], np.array(["d"]))
    with pytest.raises(DataError, match=r"^class_weight has the label 'd', which"):
        SequenceClassifier(**SHORT, class_weight={np.str_("d"): 2.0}).fit(X, list("abcabcabcabc"))


def test_a_regressor_asks_for_as_many_numbers_as_in_training():
    model = SequenceRegressor(**SHORT).fit(X, np.column_stack([NUMBERS, NUMBERS]))
    with pytest.raises(DataError, match=r"^y\[0\] has 3 numbers, and the targets of training had 2$"):
        model.evaluate(X, np.zeros((12, 3)))


@pytest.mark.parametrize(
    ("y", "complaint"),
    [
        (pandas.DataFrame({"a": KINDS}), "y is a table; give one column of it"),
        ({1, 2}, "y has to be a list or an array with an entry for each example, not a set; give list(y)"),
        ({"a": 1}, "y has to be a list or an array with an entry for each example, not a dict"),
        (3, "y has to be a list or an array with an entry for each example, not a int; of a single one give [y]"),
    ],
)
def test_what_is_no_list(y, complaint):
    with pytest.raises(InputError) as caught:
        SequenceClassifier(**SHORT).fit(X, y)
    assert str(caught.value).startswith(complaint)


def test_a_scale_of_few_marks_may_be_classes():
    model = SequenceClassifier(**SHORT).fit(X, [0.5, 1.0, 1.5] * 4)
    assert model.classes_.tolist() == [0.5, 1.0, 1.5]
    assert SequenceClassifier(**SHORT).fit(X, ["0.5", "1.5", "2"] * 4).classes_.tolist() == ["0.5", "1.5", "2"]
    with pytest.raises(DataError, match="has a fraction"):
        SequenceClassifier(**SHORT).fit(X * 10, [round(number / 4, 2) for number in range(60)] * 2)
