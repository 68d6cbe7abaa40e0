from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from loopcell import SequenceClassifier, cell, tanh
from loopcell.errors import DataError, InputError, UsageError
from tests.tasks.conftest import one_thread
from tests.tasks.small import QUICK, waves, words

__all__ = ["one_thread"]


@pytest.fixture(scope="module")
def texts():
    X, y = words(200)
    return SequenceClassifier(**QUICK, epochs=30).fit(X, y)


def test_it_learns_what_takes_memory_of_the_first_character(texts):
    X, y = words(60, seed=9)
    assert texts.score(X, y) > 0.95
    assert texts.classes_.tolist() == ["other", "same"]
    assert set(texts.predict(X)) <= {"other", "same"}


def test_probabilities_sum_to_one_and_agree_with_the_labels(texts):
    X, _ = words(30, seed=9)
    given = texts.predict_proba(X)
    assert given.shape == (30, 2)
    assert given.sum(1) == pytest.approx(np.ones(30))
    assert (texts.classes_[given.argmax(1)] == texts.predict(X)).all()


def test_an_example_is_answered_alike_alone_and_in_a_batch(texts):
    X, _ = words(30, seed=9)
    together = texts.predict_proba(X)
    alone = np.concatenate([texts.predict_proba([text]) for text in X])
    assert together == pytest.approx(alone, abs=1e-5)


@pytest.mark.parametrize("pooling", ["last", "mean", "max", "attention"])
def test_arrays_of_varying_length_with_every_pooling(pooling):
    X, y = waves()
    model = SequenceClassifier(**QUICK, pooling=pooling, bidirectional=True, epochs=6).fit(X, y)
    X, y = waves(100, seed=5)
    assert model.score(X, y) > 0.85
    assert model.predict(X).dtype == np.asarray(y).dtype


def test_one_to_one_is_the_case_of_a_single_step():
    drawn = np.random.default_rng(3)
    X = drawn.standard_normal((200, 1, 3)).astype(np.float32)  # [N, T, I] with T = 1
    y = X[:, 0, 0] > X[:, 0, 1]
    model = SequenceClassifier(**QUICK, epochs=15).fit(X[:150], y[:150])
    assert model.score(X[150:], y[150:]) > 0.9
    assert model.classes_.dtype == bool


def test_a_cell_of_ones_own():
    @cell
    def plain(x, h, *, W, U, b):
        return tanh(W.h @ x + U.h @ h + b.h)

    X, y = words(60)
    model = SequenceClassifier(**{**QUICK, "cell": plain}, epochs=3).fit(X, y)
    assert model.network_.reader.recurrent.cell is plain


def test_labels_keep_their_kind():
    X, _ = words(40)
    for y in ([len(text) for text in X], np.array([len(text) for text in X]), [len(text) > 4 for text in X]):
        given = SequenceClassifier(**QUICK, epochs=1).fit(X, y).predict(X[:3])
        assert given.dtype == np.array(y).dtype


def test_lists_of_tokens():
    X, y = words(200)
    model = SequenceClassifier(**QUICK, epochs=25).fit([["the", *text] for text in X], y)
    assert model.score([["the", *text] for text in X], y) > 0.9
    assert len(model.predict_proba([["never", "seen"], []])) == 2


# --- several labels ---------------------------------------------------------------------------------------------------


def test_several_labels_in_the_form_in_which_they_came():
    X, _ = words(150)
    sets = [tuple(letter for letter in "ab" if letter in text) for text in X]
    model = SequenceClassifier(**QUICK, pooling="max", epochs=15).fit(X, sets)
    assert model.predict(["aaa", "bb", "abab"]) == [("a",), ("b",), ("a", "b")]
    assert model.score(X, sets) > 0.95

    matrix = np.array([[letter in text for letter in "ab"] for text in X], dtype=int)
    model = SequenceClassifier(**QUICK, pooling="max", epochs=15).fit(X, matrix)
    assert model.predict(["aaa", "bb", "abab"]).tolist() == [[1, 0], [0, 1], [1, 1]]
    table = model.evaluate(X, matrix, training=(X, matrix))
    assert table.model["micro-F1"] > 0.95
    assert table.by_label["1"]["count"] == matrix[:, 1].sum()


# --- weights and calibration -----------------------------------------------------------------------------------------


def test_weights_of_classes_are_those_of_the_field():
    X, _ = words(100)
    y = ["rare" if index < 10 else "often" for index in range(100)]
    model = SequenceClassifier(**QUICK, epochs=1, validation_fraction=0, class_weight="balanced").fit(X, y)
    assert model.network_.class_weight.tolist() == pytest.approx([100 / (2 * 90), 100 / (2 * 10)])
    model = SequenceClassifier(**QUICK, epochs=1, class_weight={"rare": 3.0}).fit(X, y)
    assert model.network_.class_weight.tolist() == [1.0, 3.0]


def test_the_weighted_loss_is_torchs():
    X, y = words(20)
    model = SequenceClassifier(**QUICK, epochs=1, class_weight={"same": 3.0}).fit(X, y)
    batch = model._examples(*model.parts(X, y)[0]).batch(np.arange(5))
    scores = model.network_(batch.inputs, batch.lengths)
    expected = functional.cross_entropy(scores, batch.targets, torch.tensor([1.0, 3.0]), reduction="sum")
    loss = model.network_.loss(batch)
    assert loss.total.item() == pytest.approx(expected.item())
    assert loss.predictions == 5


def test_calibration_makes_the_held_out_part_of_a_model_that_is_too_sure_more_probable():
    X, y = words(400)
    noisy = [label if index % 4 else "other" for index, label in enumerate(y)]  # nobody can be sure
    model = SequenceClassifier(**QUICK, epochs=6, validation_fraction=0.3, calibrate=False).fit(X, noisy)
    assert model.network_.temperature.item() == 1.0
    with torch.no_grad():
        for parameter in model.network_.head.parameters():
            parameter.mul_(6)
    _, rest = model.parts(X, noisy)
    before, labels = model.evaluate(*rest).model["log loss"], model.predict(X)
    model.set_params(calibrate=True)._finish(model._examples(*rest))
    assert model.network_.temperature.item() > 2.0
    assert model.evaluate(*rest).model["log loss"] < before
    assert (model.predict(X) == labels).all()  # the order of the labels is the same


def test_calibration_leaves_the_scores_of_a_small_held_out_part_alone():
    model = SequenceClassifier(**QUICK, epochs=6, validation_fraction=0.3).fit(*words(130))  # 39 are held out
    assert model.network_.temperature.item() == 1.0


# --- scores ----------------------------------------------------------------------------------------------------------


def test_a_score_stands_beside_baselines(texts):
    X, y = words()
    table = texts.evaluate(*words(60, seed=9), training=(X, y))
    assert list(table.rows) == ["model", "majority class", "n-gram logistic"]
    assert table.rows["majority class"]["accuracy"] < table.model["accuracy"]
    assert table.confusion.sum() == 60
    assert np.trace(table.confusion) / 60 == pytest.approx(table.model["accuracy"])
    assert "majority class" in "\n".join(table.lines())


def test_the_majority_baseline_is_counted():
    X, _ = words(50)
    y = ["b"] * 30 + ["a"] * 20
    model = SequenceClassifier(**QUICK, epochs=1, validation_fraction=0).fit(X, y)
    row = model.evaluate(X, y).rows["majority class"]
    assert row["accuracy"] == 0.6
    prior = np.array([21, 31]) / 52
    assert row["log loss"] == pytest.approx(-(0.4 * np.log(prior[0]) + 0.6 * np.log(prior[1])))


def test_a_label_that_training_did_not_have_counts_as_missed(texts):
    table = texts.evaluate(["aa", "ab"], ["same", "new"])
    assert table.model["accuracy"] <= 0.5
    assert texts.score(["aa", "ab"], ["same", "new"]) <= 0.5


def test_labels_none_of_which_training_had_are_refused(texts):
    with pytest.raises(DataError, match=r"^y\[0\]: the label 'new' is not among those of the training data"):
        texts.evaluate(["aa", "ab"], ["new", "newer"])


# --- input that does not fit -----------------------------------------------------------------------------------------


def complaint(X, y, **settings):
    with pytest.raises((DataError, InputError, UsageError)) as caught:
        SequenceClassifier(**{**QUICK, "epochs": 1, **settings}).fit(X, y)
    return str(caught.value)


def test_bad_input_is_named_with_its_number():
    X, y = words(20)
    infinite = np.ones((3, 2), dtype=np.float32)
    infinite[1, 1] = np.inf
    arrays = [np.ones((3, 2), dtype=np.float32)] * 19
    assert complaint(X, ["same"] * 20) == (
        "every label is 'same': there is nothing to tell apart; it takes two labels at least, and y has one class"
    )
    assert complaint(X, y[:-1]) == "X has 20 examples and y has 19"
    assert complaint([], []) == "X is empty: there is no example in it"
    expected = "X has to be a list or an array with an entry for each example, not a str; of a single one give [x]"
    assert complaint("text", y) == expected
    assert complaint(X, [*y[:-1], None]).startswith("y[19] is nothing: every example needs a label")
    assert complaint([*X[:-1], None], y).startswith("X[19]: a text was expected, as in the first example, not nothing")
    assert complaint([*arrays, infinite], y) == "X[19] has an infinite value at step 2, value 2 of 2"
    assert complaint([*arrays, np.ones((3, 4))], y) == "X[19] has 4 numbers a step, and the first example had 2"
    assert complaint([[]] * 20, y) == "every sequence is empty: there is nothing to learn from"
    assert complaint(X, [y[0], 3, *y[2:]]) == "labels are of one kind: y[1] is a whole number, and y[0] is a text"
    assert complaint(X, y, hidden_size=0) == "hidden_size: input should be greater than or equal to 1, got 0"
    assert "did you mean 'lstm'" in complaint(X, y, cell="lstmm")
    assert complaint(X, y, class_weight={"new": 2.0}).startswith("class_weight has the label 'new', which is not")


def test_numbers_of_examples_are_the_users_also_in_the_held_out_part():
    arrays = [np.ones((2, 1), dtype=np.float32) for _ in range(20)]
    y = [index % 2 for index in range(20)]
    for place in range(20):  # in whichever part it comes to lie
        spoiled = [array.copy() for array in arrays]
        spoiled[place][1, 0] = np.inf
        assert complaint(spoiled, y, validation_fraction=0.5).startswith(f"X[{place}] has an infinite value at step 2")


def test_empty_sequences_are_counted_and_answered(texts):
    X, y = words(40)
    model = SequenceClassifier(**QUICK, epochs=1, validation_fraction=0).fit(["", *X[1:]], y)
    assert model.notes_ == ["1 of 40 training sequences are empty; the first is X[0]"]
    assert np.isfinite(model.predict_proba(["", "ab"])).all()
    assert texts.notes_ == []
    assert np.isfinite(texts.predict_proba([""])).all()


def test_an_unknown_character_is_the_unknown_token(texts):
    assert len(texts.predict(["zz"])) == 1
    assert texts.input_.unknown(["zaz", "b"]) == 2
    assert texts.network_.reader.first.embedding.weight[0].abs().max() == 0  # never trained, and adds nothing


def test_gates_that_begin_with_long_time_scales(tmp_path):
    X, y = words(60)
    settings = {**QUICK, "epochs": 1, "learning_rate": 1e-6, "cell": "gru", "bidirectional": True}
    model = SequenceClassifier(**settings, chrono=500).fit(X, y)
    layers = model.network_.reader.recurrent
    assert layers.weights(0, 1)["b.z"].min() > -0.1
    assert layers.weights(0, 1)["b.z"].max() > 4
    model.save(tmp_path / "m.safetensors")
    again = SequenceClassifier.load(tmp_path / "m.safetensors")
    assert again.chrono == 500
    assert (again.predict_proba(X) == model.predict_proba(X)).all()
    with pytest.raises(InputError, match="cell `rnn` has no gate that keeps its state"):
        SequenceClassifier(**{**settings, "cell": "rnn"}, chrono=500).fit(X, y)
    with pytest.raises(UsageError, match="chrono"):
        SequenceClassifier(**settings, chrono=2).fit(X, y)
