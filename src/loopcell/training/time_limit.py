"""The time that a run has: what is left of it, and how the learning rate falls with it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from loopcell.training.checkpoint import Position
from loopcell.training.config import TrainingConfig
from loopcell.training.step import ChunkT, StateT
from loopcell.training.work import Work

FORWARD_SHARE = 0.5  # of an update's time: what its forward pass takes, roughly
WARM_SHARE = 0.1  # of a time limit: before that the schedule goes by updates


class TimeLimit:
    """A run's clock, and its limit, if it has one.

    Args:
        work: what is trained on what.
        config: how; the limit is `config.length.time_limit`, in seconds.
        total_updates: of the whole run.
    """

    def __init__(self, work: Work[ChunkT, StateT], config: TrainingConfig, total_updates: int) -> None:
        self.seconds = config.length.time_limit
        self._total = total_updates
        self._of_update = config.truncation.chunks_per_update * work.chunks.batch_size  # lanes of chunks
        held_out = work.validation
        self._held_out = 0 if held_out is None else len(held_out) * held_out.batch_size
        self._started = 0.0
        self._update_took = 0.0  # seconds, of the last one
        self._evaluation_took: float | None = None  # likewise

    def begin(self, before: float) -> None:
        """Start the clock, at the seconds that the run has spent before."""
        self._started = time.monotonic() - before

    def passed(self) -> float:
        """Return the seconds of the run so far."""
        return time.monotonic() - self._started

    @contextmanager
    def one_update(self) -> Iterator[None]:
        """Measure an update."""
        began = time.monotonic()
        yield
        self._update_took = time.monotonic() - began

    @contextmanager
    def one_evaluation(self) -> Iterator[None]:
        """Measure an evaluation."""
        began = time.monotonic()
        yield
        self._evaluation_took = time.monotonic() - began

    def was_passed(self, position: Position) -> bool:
        """Return True where a run that is resumed has none left."""
        return self.seconds is not None and position.seconds >= self.seconds

    def leaves_no_update(self, position: Position) -> bool:
        """Return True where it would be passed by one more update and the evaluation that ends the run."""
        if self.seconds is None:
            return False
        return self.passed() + self._update_took + self._seconds_of_evaluation(position) >= self.seconds

    def _seconds_of_evaluation(self, position: Position) -> float:
        """Return the last evaluation's seconds; before the first one an estimate by the pace of the updates."""
        if not self._held_out:
            return 0.0
        if self._evaluation_took is not None or not position.update:
            return self._evaluation_took or 0.0
        return FORWARD_SHARE * self._held_out / self._of_update * position.seconds / position.update

    def share_of_schedule(self, position: Position, seconds: float) -> float | None:
        """Return how far the schedule has to be by now; None where it goes by updates.

        That is so where the last update will come before the limit, and in the first tenth of the time, which is the
        warm-up's, so that one slow update at the start skips nothing.

        Args:
            position: of the run.
            seconds: of the run so far, the mean of all processes: all of them have to do the same.
        """
        limit = self.seconds
        if limit is None or seconds < WARM_SHARE * limit or seconds / position.update * self._total <= limit:
            return None
        return min(1.0, (seconds / limit - WARM_SHARE) / (1 - WARM_SHARE))
