"""The parts that a task hands to the loop, and the end of a run that it gets back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic

from loopcell.training.checkpoint import Position
from loopcell.training.optimizer import MakeOptimizer
from loopcell.training.report import Observer
from loopcell.training.resumption import Reason
from loopcell.training.step import ChunkSource, ChunkT, StateT, TrainingStep
from loopcell.training.watched import Watch

Callback = Callable[[dict[str, Any]], object]


@dataclass(frozen=True)
class Work(Generic[ChunkT, StateT]):
    """The parts that a task hands to the loop.

    Attributes:
        step: the module to train.
        chunks: the data of this process.
        validation: held-out data of this process, if there is any.
        export: keeps the model for its users; called in the first process when the model is the best so far.
        observers: who is told about every update; in the first process only.
        callbacks: called with each new row of the history, as a dictionary; one that returns True ends the run. In
            every process, where all but the seconds are the same: they have to decide alike.
        optimizer: makes the optimizer from the trainable parameters; None for AdamW as the config has it.
        watch: measures the layers on a chunk; None where there is nothing to watch.
    """

    step: TrainingStep[ChunkT, StateT]
    chunks: ChunkSource[ChunkT]
    validation: ChunkSource[ChunkT] | None = None
    export: Callable[[], None] = lambda: None
    observers: Sequence[Observer] = field(default=())
    callbacks: Sequence[Callback] = field(default=())
    optimizer: MakeOptimizer | None = None
    watch: Watch | None = None


@dataclass(frozen=True)
class Outcome:
    """The end of a run: its reason and its results.

    Attributes:
        reason: complete, time limit, patience, callback or interrupted.
        position: how far it came, with the best held-out loss.
        warm: whether the learning rate had reached its height: False where a run ended in its warm-up.
        idle: a sentence where a run that was resumed had nothing left to do; else "".
        history: a row for each evaluation and pass, from the run's beginning; columns as `HistoryRow`.
    """

    reason: Reason
    position: Position
    warm: bool = True
    idle: str = field(default="", compare=False)  # a remark, and no part of how the run ended
    history: list[dict[str, Any]] = field(default_factory=list, compare=False)
