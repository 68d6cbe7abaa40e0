"""The mean loss over a stream, its state carried from the first chunk to the last."""

from __future__ import annotations

from typing import NamedTuple

import torch

from loopcell.training.step import ChunkSource, ChunkT, StateT, TrainingStep


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
    was_training = step.training
    step.eval()
    try:
        with torch.no_grad():
            return _total(step, chunks)
    finally:
        step.train(was_training)


def _total(step: TrainingStep[ChunkT, StateT], chunks: ChunkSource[ChunkT]) -> Evaluation:
    loss, count = 0.0, 0
    state = step.initial_state(chunks.batch_size)
    for index in range(len(chunks)):
        result = step(chunks.chunk(index), state)
        loss += result.loss_sum.item()
        count += result.predictions
        state = result.state
    return Evaluation(loss, count)
