"""The times at which a training looks at its layers: at first, at evaluations far enough apart, and at the end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from loopcell.training.checkpoint import Position
from loopcell.training.randomness import random_state, restore_random_state, seed_everything
from loopcell.training.step import ChunkT, StateT
from loopcell.training.watched import LayerLook
from loopcell.training.work import Work

if TYPE_CHECKING:
    from lightning_fabric import Fabric


class Watcher:
    """Looks at the layers of a training step, always on the first batch of the first pass.

    The first process looks, and what is drawn at random afterwards is what would have been drawn without the look.

    Args:
        work: what is trained on what, and what measures it.
        every: the fewest updates from one look to the next; 0 for none.
        fabric: the device and the processes.
    """

    def __init__(self, work: Work[ChunkT, StateT], every: int, fabric: Fabric) -> None:
        self._work, self._every, self._fabric = work, every, fabric
        self._watch = work.watch if every and fabric.is_global_zero else None
        self._looks: list[LayerLook] = []

    def begin(self, position: Position) -> None:
        """Keep the batch, and look at a run that is new; the chunks are afterwards those of the first pass."""
        if self._watch is None:
            return
        with self._drawing_apart():  # a batch may be drawn: of a series, where a segment begins
            self._work.chunks.begin_epoch(0)
            self._chunk = self._work.chunks.chunk(0)
        if position.update == 0:
            self._look(position)

    def after(self, position: Position, *, ending: bool) -> None:
        """Look where it is time after an evaluation or a pass, and where the run ends."""
        since = position.update - position.watched
        if self._watch is not None and since and (ending or since >= self._every):
            self._look(position)

    def taken(self) -> tuple[LayerLook, ...]:
        """Return the looks since this was asked last."""
        taken, self._looks = tuple(self._looks), []
        return taken

    def _look(self, position: Position) -> None:
        assert self._watch is not None
        with self._drawing_apart(), self._fabric.autocast():
            state = self._work.step.initial_state(self._work.chunks.batch_size)
            measures = self._watch(self._chunk, state)
        self._looks.append(LayerLook(position.update, measures))
        position.watched = position.update

    @contextmanager
    def _drawing_apart(self) -> Iterator[None]:
        """Draw the same in each run, also in one that is resumed, and leave the generators as they were."""
        drawn = random_state(self._fabric.device)
        seed_everything(0)
        try:
            yield
        finally:
            restore_random_state(drawn, self._fabric.device)
