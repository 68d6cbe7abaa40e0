"""Truncated backpropagation against loops written out by hand with torch.nn alone."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from loopcell.training.carried import CarriedState, detach
from tests.training.toy import Diary, ToyChunks, ToyStep, config, make_step, make_trainer, weights

STEPS, LANES = 48, 4


def chunk_loss(step, chunks, begin, end, state):
    """Mean loss of the steps begin:end from a state, and the state after them, without any of the engine."""
    outputs, state = step.gru(step.embedding(chunks.tokens[begin:end]), state)
    logits = step.head(outputs).flatten(0, 1)
    return functional.cross_entropy(logits, chunks.tokens[begin + 1 : end + 1].flatten()), state


def by_hand(k1, k2):
    """k2 <= k1: every k1 steps an update, every k2 steps a cut."""
    step, chunks = make_step().double(), ToyChunks(STEPS, LANES, min(k1, k2))
    optimizer = torch.optim.AdamW(
        [
            {"params": [p for p in step.parameters() if p.ndim > 1], "weight_decay": 0.01},
            {"params": [p for p in step.parameters() if p.ndim == 1], "weight_decay": 0.0},
        ],
        lr=0.01,
    )
    state = torch.zeros(1, LANES, 6, dtype=torch.float64)
    for begin in range(0, STEPS, k1):
        optimizer.zero_grad()
        for cut in range(begin, begin + k1, k2):
            loss, state = chunk_loss(step, chunks, cut, cut + k2, state.detach())
            (loss * k2 / k1).backward()
        optimizer.step()
    return step.state_dict()


def trained(tmp_path, k1, k2):
    settings = config(truncation={"k1": k1, "k2": k2})
    trainer = make_trainer(tmp_path / "run", settings, chunks=ToyChunks(STEPS, LANES, settings.truncation.chunk))
    trainer.fit()
    return weights(trainer)


def assert_close(left, right):
    for name in left:
        torch.testing.assert_close(left[name], right[name], rtol=0, atol=1e-12)


def test_k2_equal_to_k1(tmp_path):
    assert_close(trained(tmp_path, 8, 8), by_hand(8, 8))


def test_k2_below_k1(tmp_path):
    assert_close(trained(tmp_path, 16, 4), by_hand(16, 4))
    # ... and the cut is really there
    assert any((by_hand(16, 4)[name] - by_hand(16, 16)[name]).abs().max() > 1e-6 for name in by_hand(16, 16))


def test_accumulation_is_one_update_of_the_mean(tmp_path):
    settings = config(truncation={"k1": 4, "accumulate": 4})
    trainer = make_trainer(tmp_path / "run", settings, chunks=ToyChunks(STEPS, LANES, 4))
    trainer.fit()
    assert_close(weights(trainer), by_hand(16, 4))


def test_k2_above_k1_reaches_k2_steps_back(tmp_path):
    """With weights that hardly move, the gradient of a chunk is that of the last k2 steps run in one go."""
    still = {"learning_rate": 1e-15, "weight_decay": 0.0}
    settings = config(truncation={"k1": 8, "k2": 24}, optimization=still)
    diary = Diary()
    chunks = ToyChunks(STEPS, LANES, 8)
    make_trainer(tmp_path / "run", settings, chunks=chunks, observers=[diary]).fit()
    step = make_step().double()
    for number, report in enumerate(diary.reports):
        end = 8 * (number + 1)
        start = max(0, end - 24)
        state = torch.zeros(1, LANES, 6, dtype=torch.float64)
        if start:
            with torch.no_grad():
                _, state = chunk_loss(step, chunks, 0, start, state)
        step.zero_grad()
        if start < end - 8:
            _, state = chunk_loss(step, chunks, start, end - 8, state)
        loss, _ = chunk_loss(step, chunks, end - 8, end, state)
        loss.backward()
        norm = torch.linalg.vector_norm(torch.cat([p.grad.flatten() for p in step.parameters()]))
        assert abs(report.gradient_norm - norm.item()) < 1e-9
        assert abs(report.loss - loss.item()) < 1e-9


def test_the_toy_step_is_what_the_hand_written_loop_runs():
    step, chunks = ToyStep().double(), ToyChunks(8, 2, 8)
    loss, state = chunk_loss(step, chunks, 0, 8, None)
    result = step(chunks.chunk(0), step.initial_state(2))
    torch.testing.assert_close(result.loss_sum / result.predictions, loss)
    torch.testing.assert_close(result.state, state)


@pytest.mark.parametrize("window", [1, 3])
def test_chunks_are_given_again_with_the_states_that_they_started_from(window):
    step, chunks = make_step(), ToyChunks(40, LANES, 8)
    carried = CarriedState(step, chunks, window)
    states = [step.initial_state(LANES)]
    for index in range(4):
        before = carried.states()
        states.append(detach(carried.run(step, index).state))
    again = list(carried.chunks_from(before, [3, 4]))
    first = 3 - (window - 1)
    assert len(again) == 5 - first
    for (chunk, state), number in zip(again, range(first, 5), strict=True):
        assert torch.equal(chunk[0], chunks.chunk(number)[0])
        torch.testing.assert_close(state, states[number])
