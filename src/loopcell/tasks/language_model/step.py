"""The step of training: chunk and state in, summed loss and state out."""

from __future__ import annotations

import torch
from torch.nn import functional

from loopcell.data.text import Chunk
from loopcell.layers import State
from loopcell.runtime import sent
from loopcell.tasks.core.networks.clues import clue_to_gradient, clue_to_loss
from loopcell.tasks.language_model.network import LanguageModelNetwork
from loopcell.training.step import Clue, StepResult, TrainingStep

IGNORED = -100


class LanguageModelStep(TrainingStep[Chunk, State]):
    """Summed cross-entropy in nats of every valid target of a chunk.

    Args:
        model: the network.
    """

    def __init__(self, model: LanguageModelNetwork) -> None:
        super().__init__()
        self.model = model  # checkpoints have its weights under this name
        self.train(model.training)

    def forward(self, chunk: Chunk, state: State) -> StepResult[State]:
        """Run a chunk of T steps and B lanes from `state`."""
        device = self.model.device
        # Most chunks have no reset; a network without one has less to do.
        reset = sent(chunk.reset, device) if bool(chunk.reset.any()) else None
        logits, state = self.model(sent(chunk.inputs, device), state, reset)
        targets = sent(chunk.targets.masked_fill(~chunk.valid, IGNORED), device)
        precise = logits if logits.dtype == torch.float64 else logits.float()
        loss = functional.cross_entropy(precise.flatten(0, 1), targets.flatten(), ignore_index=IGNORED, reduction="sum")
        return StepResult(loss, int(chunk.valid.sum()), state)

    def initial_state(self, batch_size: int) -> State:
        """Return zeros for every layer."""
        return self.model.recurrent.initial_state(batch_size)

    def cause(self, chunk: Chunk, state: State) -> Clue | None:
        """Say which quantity of the equations makes the loss of a chunk not finite."""
        return clue_to_loss(self, chunk, state)

    def cause_of_gradient(self, chunk: Chunk, state: State) -> Clue | None:
        """Say at which quantity of the equations the gradient of a chunk stops being finite."""
        return clue_to_gradient(self, chunk, state)
