"""The sentence of a training step whose loss or gradient is not finite: a chunk is run again and looked into."""

from __future__ import annotations

import torch

from loopcell.tasks.core.networks.cause import Cause
from loopcell.tasks.core.networks.first_gradients import first_gradient
from loopcell.tasks.core.networks.non_finite import cause_in
from loopcell.training.step import ChunkT, Clue, StateT, TrainingStep


def clue_to_loss(step: TrainingStep[ChunkT, StateT], chunk: ChunkT, state: StateT) -> Clue | None:
    """Say what makes the loss of a chunk not finite; None where it is finite.

    The names of modules are those of the one network that the step holds.
    """
    losses = []
    found = cause_in(_network(step), lambda: losses.append(step(chunk, state).loss_sum))
    if found is None and losses and not bool(torch.isfinite(losses[0])):
        found = Cause("every number of the network is finite: look at the loss function and the targets")
    return None if found is None else Clue(found.sentence, found.certain)


def clue_to_gradient(step: TrainingStep[ChunkT, StateT], chunk: ChunkT, state: StateT) -> Clue | None:
    """Say what makes the gradient of a chunk's loss not finite; None where it is finite, or nothing is known."""
    found = first_gradient(_network(step), lambda: step(chunk, state).loss_sum)
    return None if found is None else Clue(found.sentence, found.certain)


def _network(step: torch.nn.Module) -> torch.nn.Module:
    return next(step.children())
