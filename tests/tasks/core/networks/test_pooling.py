from __future__ import annotations

import numpy as np
import pytest
import torch

from loopcell.tasks.core.networks.pooling import POOLINGS, chosen_pooling

T, B, SIZE = 6, 4, 3
LENGTHS = torch.tensor([6, 1, 4, 0])


def outputs():
    """Random outputs that are zero past each row's end, as a reader gives them."""
    torch.manual_seed(0)
    steps = torch.arange(T).unsqueeze(1)
    return torch.randn(T, B, SIZE).masked_fill((steps >= LENGTHS).unsqueeze(-1), 0.0)


def rows(values):
    return [values[:length, row] for row, length in enumerate(LENGTHS.tolist())]


@pytest.mark.parametrize(
    ("name", "by_hand"),
    [
        ("last", lambda row: row[-1]),
        ("mean", lambda row: row.mean(0)),
        ("max", lambda row: row.max(0).values),
    ],
)
def test_pooling_of_each_row_by_itself(name, by_hand):
    values = outputs()
    given = POOLINGS[name](SIZE, 1)(values, LENGTHS)
    for row, pooled in zip(rows(values), given, strict=True):
        torch.testing.assert_close(pooled, by_hand(row) if len(row) else torch.zeros(SIZE))


def test_the_backward_half_of_last_is_what_it_gives_at_the_first_step():
    values = outputs()
    given = POOLINGS["last"](SIZE, 3)(values, LENGTHS)  # a third of 3 is the forward part
    assert torch.equal(given[2], torch.cat([values[3, 2, :1], values[0, 2, 1:]]))


def test_attention_weighs_the_steps_of_a_row_and_no_others():
    torch.manual_seed(1)
    pooling = POOLINGS["attention"](SIZE, 1)
    values = outputs()
    weights = pooling.weights(values, LENGTHS).squeeze(-1)
    torch.testing.assert_close(weights[:, :3].sum(0), torch.ones(3))
    assert (weights[1:, 1] == 0).all()
    row = values[:4, 2]
    by_hand = pooling.query(torch.tanh(pooling.hidden(row))).softmax(0) * row
    torch.testing.assert_close(pooling(values, LENGTHS)[2], by_hand.sum(0))


@pytest.mark.parametrize("name", POOLINGS)
def test_padding_and_rows_of_length_0_leave_no_nan(name):
    torch.manual_seed(1)
    pooling = POOLINGS[name](SIZE, 1)
    values = outputs().requires_grad_()
    given = pooling(values, LENGTHS)
    size = given.shape[1]
    assert torch.equal(given[3], torch.zeros(size))
    given.sum().backward()
    assert torch.isfinite(values.grad).all()
    assert pooling(torch.zeros(0, B, SIZE), torch.zeros(B, dtype=torch.int64)).shape == (B, size)
    longer = torch.cat([values.detach(), torch.zeros(2, B, SIZE)])
    torch.testing.assert_close(pooling(longer, LENGTHS), given.detach())


@pytest.mark.parametrize(
    ("lengths", "expected"),
    [([49] * 3, "last"), ([50] * 3, "max"), ([3, 50, 60], "max"), ([3, 4, 10_000], "last"), ([0], "last")],
)
def test_auto_goes_by_how_long_half_of_the_sequences_are(lengths, expected):
    assert chosen_pooling("auto", np.array(lengths)) == expected


@pytest.mark.parametrize("given", POOLINGS)
def test_a_pooling_that_is_given_stays(given):
    assert chosen_pooling(given, np.array([1000])) == given
    assert chosen_pooling(given, np.array([1])) == given
