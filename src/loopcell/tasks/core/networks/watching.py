"""The measures of a training step's recurrent layers, as the training loop asks for them (`Work.watch`)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from torch import nn

from loopcell.insight.watching import LayerHealth, layer_health
from loopcell.training.step import ChunkT, StateT, TrainingStep
from loopcell.training.watched import Measure, Watch


def watch_of(network: nn.Module, step: TrainingStep[ChunkT, StateT]) -> Watch:
    """Return what measures the recurrent layers of a network.

    Args:
        network: what is trained.
        step: makes it read a chunk.
    """

    def look(chunk: ChunkT, state: StateT) -> list[Measure]:
        healths = layer_health(network, lambda: step(chunk, state))
        return [measure for health in healths for measure in _measures(health)]

    return look


def _measures(health: LayerHealth) -> Iterator[Measure]:
    for gate, share in health.saturated.items():
        yield Measure(health.name, "saturated", gate, share)
    yield Measure(health.name, "dead", health.output, health.dead)
    for state, norms in health.gradient.items():
        for back in steps_shown(len(norms)):
            yield Measure(health.name, "gradient", state, float(norms[back]), back)
        if np.isfinite(health.slope[state]):
            yield Measure(health.name, "slope", state, health.slope[state])


def steps_shown(steps: int) -> list[int]:
    """Return the steps back whose gradient is kept: 0, 1, 2, 4, 8, ... and the first step of the sequence."""
    powers = [2**power for power in range(max(0, steps - 1).bit_length())]
    return sorted({0, *(back for back in powers if back < steps), steps - 1}) if steps else []
