"""sample_weight: a weighted mean, equal weights are none, a weight of 0 is an example that is not there."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from loopcell import Seq2Seq, SequenceClassifier, SequenceRegressor, SequenceTagger
from loopcell.errors import DataError, UsageError
from loopcell.tasks.core.estimator import as_pair
from loopcell.tasks.core.estimator.weights import with_mean_one
from tests.tasks.conftest import one_thread
from tests.tasks.small import QUICK, parities, reversals, waves, words

__all__ = ["one_thread"]

SHORT = {**QUICK, "epochs": 2, "dropout": 0.2}


def numbers(count=60, seed=0):
    X, _ = waves(count, seed)
    return X, np.array([steps[:, 1].mean() for steps in X])


def label_sets(count=60, seed=0):
    X, y = words(count, seed)
    return X, [["a"] if one == "same" else ["a", "b"] for one in y]


TASKS = {
    "classes": (SequenceClassifier, words, {}),
    "label sets": (SequenceClassifier, label_sets, {}),
    "numbers": (SequenceRegressor, numbers, {"calibrate": False}),
    "steps": (SequenceTagger, parities, {}),
    "steps with a CRF": (SequenceTagger, parities, {"crf": True}),
    "texts": (Seq2Seq, reversals, {}),
}


@pytest.fixture(params=TASKS)
def task(request):
    kind, data, more = TASKS[request.param]
    return lambda: kind(**SHORT, **more), data(60)


def state(model):
    return {name: value.clone() for name, value in model.network_.state_dict().items()}


def same(one, other):
    return all(torch.equal(one[name], other[name]) for name in one)


def test_equal_weights_are_no_weights_to_the_last_bit(task):
    make, (X, y) = task
    plain = make().fit(X, y)
    for weights in ([0.3] * 60, np.full(60, 7)):
        weighted = make().fit(X, y, sample_weight=weights)
        assert same(state(plain), state(weighted))
        assert weighted.outcome_.position.best_loss == plain.outcome_.position.best_loss


def test_an_example_of_weight_0_is_not_there(task):
    make, (X, y) = task
    drawn = np.random.default_rng(1)
    weights = drawn.uniform(0.5, 2.0, 60) * (drawn.random(60) < 0.7)
    there = np.flatnonzero(weights)
    whole = make().fit(X, y, sample_weight=weights)
    part = make().fit([X[at] for at in there], [y[at] for at in there], sample_weight=weights[there])
    assert same(state(whole), state(part))
    assert not same(state(whole), state(make().fit(X, y)))


def gradients(model, batch):
    model.network_.zero_grad()
    loss = model.network_.eval().loss(batch)
    (loss.total / loss.predictions).backward()
    found = {name: weight.grad.clone() for name, weight in model.network_.named_parameters() if weight.grad is not None}
    return float(loss.total.detach()) / loss.predictions, found


def test_the_loss_is_the_weighted_mean_and_so_is_its_gradient(task):
    """A weight of 2 does what the example given twice does, and one of 0 what leaving it out does."""
    make, (X, y) = task
    model = make().fit(X, y)
    weights = np.array([2.0, 0.0, 1.0, 1.0, 2.0, 0.0])
    inputs, targets = as_pair(X[:6], y[:6])
    targets.weights = weights
    weighted = model._examples(inputs, targets).batch(np.arange(6))
    repeated = [0, 0, 2, 3, 4, 4]
    plain = model._examples(*as_pair([X[at] for at in repeated], [y[at] for at in repeated])).batch(np.arange(6))
    (loss, found), (other, expected) = gradients(model, weighted), gradients(model, plain)
    assert loss == pytest.approx(other, rel=1e-5)
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, rtol=1e-4, atol=1e-6)


def test_weights_follow_their_examples_through_the_split_and_the_order():
    X, y = words(80)
    weights = np.random.default_rng(0).uniform(0.1, 3.0, 80)
    model = SequenceClassifier(**{**SHORT, "epochs": 1, "calibrate": False}, validation_fraction=0.25)
    model.fit(X, y, sample_weight=weights)
    _, (rest, true) = model.parts(list(zip(X, weights, strict=True)), y)
    held_out = [text for text, _ in rest]
    own = torch.tensor([weight for _, weight in rest])
    losses = functional.nll_loss(
        torch.from_numpy(np.log(model.predict_proba(held_out))),
        torch.from_numpy(model.targets_.numbers(true)),
        reduction="none",
    )
    assert model.outcome_.position.best_loss == pytest.approx(float((losses * own).sum() / own.sum()), rel=1e-5)


def test_scores_are_weighted():
    X, y = words(60)
    weights = np.random.default_rng(2).uniform(0.0, 2.0, 60)
    classifier = SequenceClassifier(**SHORT).fit(X, y)
    right = classifier.predict(X) == np.array(y)
    assert classifier.score(X, y, weights) == pytest.approx((right * weights).sum() / weights.sum())
    texts, labels = parities(60)
    tagger = SequenceTagger(**SHORT).fit(texts, labels)
    hits = [np.mean(given == np.array(true)) for given, true in zip(tagger.predict(texts), labels, strict=True)]
    steps = np.array([len(text) for text in texts])
    expected = (hits * steps * weights).sum() / (steps * weights).sum()
    assert tagger.score(texts, labels, weights) == pytest.approx(expected)
    assert tagger.score(texts, labels) == pytest.approx((hits * steps).sum() / steps.sum())
    X, y = numbers()
    regressor = SequenceRegressor(**SHORT).fit(X, y)
    error, mean = (regressor.predict(X) - y) ** 2, np.average(y, weights=weights)
    expected = 1 - (weights * error).sum() / (weights * (y - mean) ** 2).sum()
    assert regressor.score(X, y, weights) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("weights", "complaint"),
    [
        ([1.0] * 9, "sample_weight has 9 numbers, and X has 10 examples"),
        ([1.0] * 9 + [-0.5], r"sample_weight\[9\] is -0.5; a weight is a finite number of at least 0"),
        ([1.0] * 4 + [float("nan")] * 6, r"sample_weight\[4\] is nan; a weight is"),
        ([0.0] * 10, "sample_weight is zero for every example"),
        (np.ones((10, 2)), "Sample weights must be 1D, a number for each example; got the shape"),
        (["a"] * 10, "sample_weight has"),
    ],
)
def test_weights_that_are_none_are_refused(weights, complaint):
    X, y = words(10)
    with pytest.raises(DataError, match=f"^{complaint}"):
        SequenceClassifier(**SHORT).fit(X, y, sample_weight=weights)
    model = SequenceClassifier(**SHORT).fit(X, y)
    with pytest.raises(DataError, match=f"^{complaint}"):
        model.score(X, y, weights)


def test_other_weights_are_other_data_for_a_run(tmp_path):
    X, y = words(40)
    weights = np.random.default_rng(3).uniform(0.5, 1.5, 40)
    model = SequenceClassifier(**SHORT).fit(X, y, weights, run=tmp_path / "run")
    again = SequenceClassifier(**SHORT).fit(X, y, weights, run=tmp_path / "run", resume=True)
    assert same(state(model), state(again))
    with pytest.raises(UsageError, match="was started with other data"):
        SequenceClassifier(**SHORT).fit(X, y, run=tmp_path / "run", resume=True)


def test_a_mean_of_one_over_all_predictions():
    weights = with_mean_one(np.array([1e300, 5e299, 0.0]), np.array([1, 4, 7]))
    assert (weights * [1, 4, 7]).sum() / 12 == pytest.approx(1.0)
    assert weights[0] == pytest.approx(2 * weights[1])
