"""Learning word vectors: epochs over the text in blocks of sentences, with a falling learning rate."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise
from typing import NamedTuple, Protocol

import numpy as np
import torch

from loopcell.errors import TrainingError
from loopcell.runtime import first_obstacle, refuse_fallback
from loopcell.tasks.word_vectors.kernel import Kernel
from loopcell.tasks.word_vectors.numpy_trainer import NumpyTrainer
from loopcell.tasks.word_vectors.progress import Progress
from loopcell.tasks.word_vectors.settings import WordVectorSettings
from loopcell.tasks.word_vectors.task import LearningTask

BLOCK = 10_000  # words between two learning rates


class VectorTrainer(Protocol):
    """A way to compute the learning."""

    def learn(self, worker: int, start: int, end: int, rate: float) -> None:
        """Learn from sentences `start` to `end - 1`."""

    def finish(self) -> None:
        """Bring what was learned into the task's matrices."""


class LearningOutcome(NamedTuple):
    """The end of learning.

    Attributes:
        reason: "complete" or "interrupted".
        words: words of the text that were learned from, all epochs together.
        seconds: how long it took.
    """

    reason: str
    words: int
    seconds: float


def learn(task: LearningTask, settings: WordVectorSettings, seed: int) -> LearningOutcome:
    """Change the task's matrices by what the text teaches.

    Raises:
        TrainingError: the vectors are no longer finite.
        UsageError: kernels are demanded (`backend("c")`), and cannot run.
    """
    seeds = [seed * 1024 + worker for worker in range(settings.workers)]
    trainer = _trainer(task, seeds)
    offsets = task.sentences.offsets
    total = int(offsets[-1]) * settings.epochs
    fall = settings.learning_rate - settings.last_learning_rate
    done, reason = 0, "complete"
    with Progress(total, shown=settings.progress) as progress, ThreadPoolExecutor(settings.workers) as threads:
        try:
            for blocks in _turns(offsets, settings):
                rate = settings.learning_rate - fall * done / total
                list(threads.map(partial(_learn_block, trainer, rate), range(len(blocks)), blocks))
                done += sum(int(offsets[end] - offsets[start]) for start, end in blocks)
                progress.show(done, rate)
        except KeyboardInterrupt:
            reason = "interrupted"
    trainer.finish()
    if not (np.isfinite(task.rows).all() and np.isfinite(task.contexts).all()):
        raise TrainingError(
            f"the vectors are no longer finite: a learning rate of {settings.learning_rate} is too high for this text"
        )
    return LearningOutcome(reason, done, progress.seconds)


def _trainer(task: LearningTask, seeds: list[int]) -> VectorTrainer:
    obstacle = first_obstacle(torch.device("cpu"), torch.float32)
    if obstacle is None:
        return Kernel(task, seeds)
    refuse_fallback(obstacle)
    return NumpyTrainer(task, seeds)


def _learn_block(trainer: VectorTrainer, rate: float, worker: int, block: tuple[int, int]) -> None:
    trainer.learn(worker, *block, rate)


def _turns(
    offsets: np.ndarray[tuple[int, ...], np.dtype[np.int64]], settings: WordVectorSettings
) -> Iterator[list[tuple[int, int]]]:
    """Yield blocks of sentences, one for each worker at a time, epoch after epoch."""
    count = len(offsets) - 1
    cuts = np.unique(np.searchsorted(offsets, np.arange(0, offsets[-1], BLOCK)).clip(max=count))
    edges = [*cuts.tolist(), count]
    blocks = [(start, end) for start, end in pairwise(edges) if start < end]
    for _ in range(settings.epochs):
        for at in range(0, len(blocks), settings.workers):
            yield blocks[at : at + settings.workers]
