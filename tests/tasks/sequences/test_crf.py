"""The CRF beside the sum over all labellings, written out."""

from __future__ import annotations

import itertools

import pytest
import torch

from loopcell.tasks.sequences.crf import LinearChainCRF

T, B, K = 4, 5, 3
LENGTHS = torch.tensor([4, 1, 3, 0, 2])


@pytest.fixture
def crf():
    torch.manual_seed(0)
    made = LinearChainCRF(K).double()
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter)
    return made


@pytest.fixture
def emissions():
    torch.manual_seed(1)
    return torch.randn(T, B, K, dtype=torch.double)


def score(crf, emissions, row, labels):
    """s(y) as the docstring has it."""
    if not labels:
        return torch.zeros((), dtype=torch.double)
    total = crf.start[labels[0]] + crf.end[labels[-1]]
    total = total + sum(emissions[t, row, label] for t, label in enumerate(labels))
    return total + sum(crf.transition[a, b] for a, b in itertools.pairwise(labels))


def labellings(row):
    return list(itertools.product(range(K), repeat=int(LENGTHS[row])))


def log_partition(crf, emissions, row, allowed=lambda labels: True):
    scores = [score(crf, emissions, row, labels) for labels in labellings(row) if allowed(labels)]
    return torch.stack(scores).logsumexp(0)


def test_the_partition_is_the_sum_over_all_labellings(crf, emissions):
    by_hand = torch.stack([log_partition(crf, emissions, row) for row in range(B)])
    torch.testing.assert_close(crf.log_partition(emissions, LENGTHS), by_hand)


def test_the_log_likelihood_with_labels_that_are_not_known(crf, emissions):
    labels = torch.tensor([[0, 2, 1, 0, 1], [1, 0, -100, 0, 2], [2, 0, 0, 0, 0], [-100, 0, 0, 0, 0]])

    def by_hand(row):
        given = labels[: LENGTHS[row], row].tolist()
        agrees = lambda found: all(g < 0 or g == f for g, f in zip(given, found, strict=True))  # noqa: E731
        return log_partition(crf, emissions, row, agrees) - log_partition(crf, emissions, row)

    expected = torch.stack([by_hand(row) for row in range(B)])
    given = crf.log_likelihood(emissions, labels, LENGTHS)
    torch.testing.assert_close(given, expected)
    given.sum().backward()
    assert all(torch.isfinite(parameter.grad).all() for parameter in crf.parameters())


def test_the_gradient_with_labels_ruled_out_is_the_numerical_one(crf, emissions):
    labels = torch.zeros(T, B, dtype=torch.int64)
    labels[1] = -100
    inputs = emissions.requires_grad_()
    assert torch.autograd.gradcheck(lambda x: crf.log_likelihood(x, labels, LENGTHS), (inputs,))


def test_the_best_labels_are_the_best_of_all_labellings(crf, emissions):
    crf.requires_grad_(False)
    best = crf.best(emissions, LENGTHS)
    for row in range(B):
        expected = max(labellings(row), key=lambda labels: float(score(crf, emissions, row, labels)))
        assert best[: LENGTHS[row], row].tolist() == list(expected)
        assert (best[LENGTHS[row] :, row] == 0).all()


def test_the_marginals_are_sums_over_labellings(crf, emissions):
    given = crf.marginals(emissions, LENGTHS)
    for row in range(B):
        for t, k in itertools.product(range(int(LENGTHS[row])), range(K)):
            with_k = log_partition(crf, emissions, row, lambda labels, t=t, k=k: labels[t] == k)
            expected = (with_k - log_partition(crf, emissions, row)).exp()
            torch.testing.assert_close(given[t, row, k], expected)
        assert (given[LENGTHS[row] :, row] == 0).all()


def test_nothing_in_nothing_out(crf):
    none, lengths = torch.zeros(0, 2, K, dtype=torch.double), torch.zeros(2, dtype=torch.int64)
    assert crf.best(none, lengths).shape == (0, 2)
    assert crf.log_partition(none, lengths).tolist() == [0.0, 0.0]
    assert crf.marginals(none, lengths).shape == (0, 2, K)
