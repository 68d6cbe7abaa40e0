"""Attention, against the papers' sums written out in loops."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from loopcell.tasks.seq2seq.attention import ATTENTIONS

T, S, B, H = 3, 4, 2, 5


def score(attention, name, query, memory):
    """One score in double precision, as the paper has it."""
    if name == "dot":
        return query @ (memory[:H] + memory[H:])
    if name == "general":
        return query @ (attention.query.weight.detach().numpy().T @ memory)
    W, U = attention.query.weight.detach().numpy(), attention.key.weight.detach().numpy()
    v, b = attention.score.weight.detach().numpy()[0], attention.key.bias.detach().numpy()
    return v @ np.tanh(W @ query + U @ memory + b)


@pytest.mark.parametrize("name", sorted(ATTENTIONS))
def test_it_is_the_weighted_mean_of_the_paper(name):
    torch.manual_seed(0)
    attention = ATTENTIONS[name](H, 2 * H).double()
    queries, memory = torch.randn(T, B, H, dtype=torch.float64), torch.randn(S, B, 2 * H, dtype=torch.float64)
    lengths = torch.tensor([4, 2])
    seen, weights = attention(queries, attention.keys(memory), memory, lengths)
    assert seen.shape == (T, B, 2 * H)
    for t in range(T):
        for b in range(B):
            steps = memory[: lengths[b], b].numpy()
            exponents = np.exp([score(attention, name, queries[t, b].numpy(), step) for step in steps])
            shares = exponents / exponents.sum()
            assert weights[t, b, : lengths[b]].detach().numpy() == pytest.approx(shares)
            assert seen[t, b].detach().numpy() == pytest.approx(shares @ steps)
    assert (weights[:, 1, 2:] == 0).all()


@pytest.mark.parametrize("name", sorted(ATTENTIONS))
def test_a_row_without_a_step_is_seen_as_zeros(name):
    attention = ATTENTIONS[name](H, 2 * H)
    memory = torch.zeros(S, 1, 2 * H)
    seen, weights = attention(torch.randn(T, 1, H), attention.keys(memory), memory, torch.tensor([0]))
    assert torch.isfinite(weights).all()
    assert (seen == 0).all()


def test_dot_needs_vectors_of_its_own_length():
    with pytest.raises(ValueError, match="attention: dot needs vectors of 5 numbers to look at, got 7"):
        ATTENTIONS["dot"](H, 7)
