"""The linear model of summaries beside a network: what it says, and how far it is followed."""

import math

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge
from sklearn.model_selection import LeaveOneOut, cross_val_predict

from loopcell import SequenceClassifier, SequenceRegressor
from loopcell.data import Ragged
from loopcell.tasks.core.estimator import SequenceExamples
from loopcell.tasks.sequences.baselines.classes import logistic_probabilities
from loopcell.tasks.sequences.linear import (
    LinearOfSummaries,
    learn_numbers,
    mistaken,
    share_of_labels,
    summaries,
    wants_linear,
)
from loopcell.tasks.sequences.shrinkage import kept_shares

QUICK = {"hidden_size": 8, "epochs": 3, "random_state": 1, "batch_size": 8}


def sequences(count, seed=0, columns=2):
    drawn = np.random.default_rng(seed)
    return [drawn.standard_normal((int(steps), columns)).astype(np.float32) for steps in drawn.integers(1, 12, count)]


def test_summaries_are_those_of_numpy_and_padding_does_not_count():
    X = [*sequences(5), np.zeros((0, 2), np.float32)]
    found = LinearOfSummaries(2, 1).summaries_of(SequenceExamples(Ragged.of(X)))
    for row, x in zip(found, X, strict=True):
        values = x.astype(np.float64) if len(x) else np.zeros((1, 2))
        figures = [values.mean(0), values.std(0), values.min(0), values.max(0), values[0], values[-1], [len(x)]]
        np.testing.assert_allclose(row, np.concatenate(figures), atol=1e-12)
    assert not summaries(torch.zeros(0, 2, 3), torch.zeros(2, dtype=torch.int64)).any()


@pytest.mark.parametrize("labels", [2, 3])
def test_with_a_share_of_nothing_a_classifier_is_scikit_learns_logistic_regression_of_summaries(labels):
    X = sequences(60)
    y = [int(index % labels) for index in range(60)]
    model = SequenceClassifier(**QUICK, validation_fraction=0.0).fit(X, y)
    assert model.summaries_
    assert float(model.network_.beside.share[0]) == 1.0  # nothing was held out that could speak for it
    model.network_.beside.share.fill_(0.0)
    _, expected = logistic_probabilities(model.input_, (X, np.array(y)), X, labels)
    np.testing.assert_allclose(model.predict_proba(X), expected, atol=2e-3)


def test_ridge_is_scikit_learns_and_drawn_to_the_mean_by_those_left_out():
    X = sequences(40)
    drawn = np.random.default_rng(1)
    y = np.stack([[x.mean() for x in X] + 0.05 * drawn.standard_normal(40), drawn.standard_normal(40)], axis=1)
    training = SequenceExamples(Ragged.of(X), y.astype(np.float32))
    model = LinearOfSummaries(2, 2)
    learn_numbers(model, training)
    figures = model.summaries_of(training)
    standard = (figures - figures.mean(0)) / figures.std(0)
    y = training.targets.astype(np.float64)
    left_out = cross_val_predict(Ridge(), standard - standard.mean(0), y, cv=LeaveOneOut())
    shares = kept_shares(left_out - y.mean(0), y - y.mean(0), enough=41)
    expected = y.mean(0) + shares * (Ridge().fit(standard, y).predict(standard) - y.mean(0))
    assert shares[0] > 0.9
    assert shares[1] == 0.0
    batch = training.batch(np.arange(40))
    np.testing.assert_allclose(model(batch.inputs, batch.lengths).numpy(), expected, atol=1e-5)


def test_what_is_far_out_counts_no_more_than_what_is_near_it_where_numbers_are_predicted():
    X = sequences(60)
    examples = SequenceExamples(Ragged.of(X), np.array([[x.mean()] for x in X], np.float32))
    free, bounded = LinearOfSummaries(2, 1), LinearOfSummaries(2, 1, farthest=3.0)
    huge = [SequenceExamples(Ragged.of([X[1] * times])).batch(np.arange(1)) for times in (1e5, 1e7)]
    found = {}
    for model in (free, bounded):
        learn_numbers(model, examples)
        found[model.farthest] = [model(batch.inputs, batch.lengths).item() for batch in huge]
    assert found[3.0][0] == found[3.0][1]
    assert abs(found[3.0][0]) < 10 < abs(found[math.inf][0]) < abs(found[math.inf][1])


def test_long_tails_of_figures_do_not_spoil_the_line():
    drawn = np.random.default_rng(0)
    levels = drawn.standard_normal(260)
    X = [np.full((4, 1), np.sign(one) * np.expm1(3 * abs(one))) for one in levels]
    y = (levels + 0.5 * drawn.standard_normal(260)).tolist()
    off = {}
    for farthest in (math.inf, 3.0):
        model = LinearOfSummaries(1, 1, farthest)
        learn_numbers(model, SequenceExamples(Ragged.of(X[:60]), np.array(y[:60], np.float32)[:, None]))
        batch = SequenceExamples(Ragged.of(X[60:])).batch(np.arange(200))
        off[farthest] = np.mean((model(batch.inputs, batch.lengths).numpy()[:, 0] - y[60:]) ** 2)
    assert off[3.0] < off[math.inf]


def test_weights_count_as_copies_do():
    X = sequences(20)
    y = np.array([[x.mean()] for x in X], np.float32)
    twice, weighted = LinearOfSummaries(2, 1), LinearOfSummaries(2, 1)
    learn_numbers(twice, SequenceExamples(Ragged.of([*X, *X]), np.concatenate([y, y])))
    examples = SequenceExamples(Ragged.of(X), y)
    examples.weights = np.full(20, 2.0, np.float32)
    learn_numbers(weighted, examples)
    torch.testing.assert_close(twice.weight, weighted.weight, atol=1e-2, rtol=0.02)


def test_a_half_of_each_where_held_out_examples_say_nothing_and_most_of_one_where_they_do():
    true = torch.zeros(40, dtype=torch.int64)
    right, wrong = torch.tensor([[3.0, -3.0]]).expand(40, -1), torch.tensor([[-3.0, 3.0]]).expand(40, -1)

    def losses(scores):
        return torch.nn.functional.cross_entropy(scores, true[: len(scores)], reduction="none")

    assert share_of_labels(right[:0], right[:0], true[:0], losses) == 0.5
    assert share_of_labels(wrong, right, true, losses) > 0.8
    assert share_of_labels(right, wrong, true, losses) < 0.2


def test_mistaken_scores_are_wrong_with_as_much_certainty_and_what_was_wrong_stays():
    scores = torch.tensor([[5.0, 1.0, 2.0], [5.0, 1.0, 2.0], [3.0, 3.0, 0.0]])
    expected = torch.tensor([[2.0, 1.0, 5.0], [5.0, 1.0, 2.0], [3.0, 3.0, 0.0]])
    assert torch.equal(mistaken(scores, torch.tensor([0, 2, 1])), expected)
    assert torch.equal(mistaken(torch.ones(2, 1), torch.zeros(2, dtype=torch.int64)), torch.ones(2, 1))


def test_a_few_examples_that_both_have_right_do_not_make_the_surer_network_outvote_the_linear_model():
    true = torch.arange(4)
    linear, network = 4.0 * torch.eye(4), 9.0 * torch.eye(4)

    def losses(scores):
        return torch.nn.functional.cross_entropy(scores, true, reduction="none")

    share = share_of_labels(linear, network, true, losses)
    followed = torch.lerp(linear, mistaken(network, true), share).argmax(1)
    assert 0 < share < 0.5
    assert torch.equal(followed, true)  # where the network errs, and the linear model does not
    sure = [
        share_of_labels(
            *(part.repeat(times, 1) for part in (-linear, network)),
            true.repeat(times),
            lambda scores, t=times: torch.nn.functional.cross_entropy(scores, true.repeat(t), reduction="none"),
        )
        for times in (1, 20)
    ]
    assert sure[1] > sure[0] > 0.5  # what many examples show is followed


def test_what_only_summaries_tell_is_not_lost_and_is_said(tmp_path):
    X = sequences(80)
    y = [float(x.mean()) for x in X]
    model = SequenceRegressor(**QUICK).fit(X, y)
    free = SequenceRegressor(**QUICK, summaries=False).fit(X, y)
    new = sequences(200, seed=9)
    truth = [float(x.mean()) for x in new]
    assert model.score(new, truth) > 0.95 > free.score(new, truth)
    assert any("those of a linear model of summaries" in note for note in model.notes_)
    assert free.network_.beside is None
    model.save(tmp_path / "m.safetensors")
    assert (SequenceRegressor.load(tmp_path / "m.safetensors").predict(new) == model.predict(new)).all()


def test_what_order_tells_is_the_networks():
    drawn = np.random.default_rng(3)
    X = [drawn.permutation(np.arange(6.0))[:, None] for _ in range(160)]
    y = ["up" if int(np.argmax(x)) > int(np.argmin(x)) else "down" for x in X]  # no summary but the ends tells of it
    model = SequenceClassifier(**QUICK | {"epochs": 40, "learning_rate": 0.02}).fit(X, y)
    said = model.score(X, y)
    model.network_.beside.share.fill_(0.0)
    assert said > 0.98 > model.score(X, y)


@pytest.mark.parametrize(
    ("given", "examples", "numbers", "expected"),
    [
        *[(None, 2399, True, True), (None, 2400, True, False), (True, 10**6, True, True), (False, 5, True, False)],
        *[(None, 5, False, False), (True, 5, False, False)],
    ],
)
def test_none_goes_by_the_number_of_examples(given, examples, numbers, expected):
    assert wants_linear(given, examples=examples, numbers=numbers) is expected


def test_several_labels_a_loss_of_ones_own_and_text_have_none():
    X = sequences(30)
    several = SequenceClassifier(**QUICK).fit(X, [["a"] if x.mean() > 0 else ["a", "b"] for x in X])
    assert several.network_.beside is None
    own = SequenceRegressor(**QUICK, loss=lambda given, true: (given - true).abs()).fit(X, [float(x[0, 0]) for x in X])
    assert own.network_.beside is None
    assert SequenceClassifier(**QUICK).fit(["ab", "cd"] * 8, [0, 1] * 8).network_.beside is None
