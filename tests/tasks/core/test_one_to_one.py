"""One-to-one: the degenerate case of one step. Every estimator takes it, and a cell without a past is a plain layer."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from loopcell import Recurrent, SequenceClassifier, SequenceRegressor, SequenceTagger, cells
from loopcell.tasks.core.networks.pooling import LastPooling, MaxPooling, MeanPooling
from tests.tasks.conftest import one_thread
from tests.tasks.small import QUICK

__all__ = ["one_thread"]


def points(count=120, seed=0):
    """One step of two numbers each, and whether both have one sign: no line tells the two apart."""
    drawn = np.random.default_rng(seed)
    X = drawn.uniform(-1, 1, (count, 1, 2)).astype(np.float32)
    return list(X), ["same" if x[0, 0] * x[0, 1] > 0 else "other" for x in X]


SETTINGS = {**QUICK, "hidden_size": 32, "epochs": 40, "validation_fraction": 0}


@pytest.mark.parametrize("pooling", ["last", "mean", "max", "attention"])
def test_a_classifier_of_one_step(pooling):
    settings = SETTINGS if pooling == "last" else {**SETTINGS, "epochs": 2}
    model = SequenceClassifier(**settings, pooling=pooling).fit(*points())
    X, y = points(80, seed=1)
    probabilities = model.predict_proba(X)
    assert probabilities.sum(1) == pytest.approx(1)
    if pooling == "last":
        assert model.score(X, y) > 0.85  # a straight line is right half of the time


def test_all_poolings_of_one_step_are_that_step():
    """Of one output the last, the mean and the largest are the same."""
    outputs = torch.randn(1, 4, 3)
    lengths = torch.ones(4, dtype=torch.int64)
    for kind in (LastPooling, MeanPooling, MaxPooling):
        assert torch.allclose(kind(3, 1)(outputs, lengths), outputs[0])


def test_a_regressor_of_one_step():
    X, _ = points()
    y = [float(3 * x[0, 0] - x[0, 1] + 5) for x in X]
    assert SequenceRegressor(**SETTINGS).fit(X, y).score(X, y) > 0.95


def test_a_tagger_of_one_step_tags_as_the_word_alone_tells():
    X = [["dog"], ["runs"], ["cat"], ["sleeps"]] * 20
    y = [["noun"], ["verb"]] * 40
    model = SequenceTagger(**{**SETTINGS, "epochs": 5}).fit(X, y)
    assert [labels.tolist() for labels in model.predict([["cat"], ["runs"]])] == [["noun"], ["verb"]]
    labels, _ = model.predict_next(["dog"])
    assert labels.tolist() == ["noun"]


@pytest.mark.parametrize("name", ["rnn", "lstm", "gru"])
def test_a_letter_is_a_text_of_one_step(name):
    X = list("abcdef") * 10
    y = [letter in "aeiou" for letter in X]
    model = SequenceClassifier(**{**SETTINGS, "cell": name, "epochs": 8}).fit(X, y)
    assert model.predict(["a", "b", "e"]).tolist() == [True, False, True]


def test_without_a_past_a_vanilla_network_is_a_layer_of_a_perceptron():
    net = Recurrent(cells.get("rnn"), input_size=3, hidden_size=5)
    x = torch.randn(1, 7, 3)
    y, state = net(x)
    weights = dict(net.named_parameters())
    (W,), (b,) = ([p for name, p in weights.items() if f".{kind}." in name] for kind in ("W", "b"))
    assert torch.allclose(y[0], torch.tanh(x[0] @ W.T + b), atol=1e-6)
    assert torch.equal(state.h[0], y[0])
