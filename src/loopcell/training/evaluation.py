"""The mean loss over a stream, its state carried from the first chunk to the last."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch

from loopcell.training.carried import first_clue, with_states
from loopcell.training.step import ChunkSource, ChunkT, Clue, StateT, TrainingStep


class Evaluation(NamedTuple):
    """A summed loss and the number of predictions behind it.

    Attributes:
        loss_sum: the sum over all predictions.
        predictions: how many there were.
    """

    loss_sum: float
    predictions: int

    @property
    def loss(self) -> float:
        """The mean; not a number when nothing was predicted."""
        return self.loss_sum / self.predictions if self.predictions else float("nan")


def evaluate(step: TrainingStep[ChunkT, StateT], chunks: ChunkSource[ChunkT]) -> Evaluation:
    """Run all chunks in order without gradients and without dropout; the module's mode is put back.

    Args:
        step: the module.
        chunks: the stream; its lanes start from the initial state.
    """
    with _evaluating(step):
        return _total(step, chunks)


def clue_of_held_out(step: TrainingStep[ChunkT, StateT], chunks: ChunkSource[ChunkT]) -> Clue | None:
    """Evaluate again, and return what is known of the first chunk whose loss is not finite."""
    with _evaluating(step):
        numbered = map(chunks.chunk, range(len(chunks)))
        return first_clue(step.cause, with_states(step, numbered, step.initial_state(chunks.batch_size)))


@contextmanager
def _evaluating(step: TrainingStep[ChunkT, StateT]) -> Iterator[None]:
    """Leave out gradients and dropout within the block."""
    was_training = step.training
    step.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        step.train(was_training)


def _total(step: TrainingStep[ChunkT, StateT], chunks: ChunkSource[ChunkT]) -> Evaluation:
    losses, count = [], 0
    state = step.initial_state(chunks.batch_size)
    for index in range(len(chunks)):
        result = step(chunks.chunk(index), state)
        losses.append(result.loss_sum.detach())
        count += result.predictions
        state = result.state
    # Read at the end: each reading would wait for the device. Added up as Python's numbers, of 64 bits.
    return Evaluation(sum(torch.stack(losses).tolist()) if losses else 0.0, count)
