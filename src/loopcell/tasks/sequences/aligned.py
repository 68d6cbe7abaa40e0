"""Many-to-many aligned: scores for every step, as soon as the step was read."""

from __future__ import annotations

from torch import Tensor, nn

from loopcell.layers import State
from loopcell.tasks.core.networks.many_to_one import precise
from loopcell.tasks.core.networks.reader import SequenceReader


class Aligned(nn.Module):
    """A reader and a linear head at every step.

    Args:
        reader: reads the sequences.
        outputs: K, how many numbers come out at a step.
    """

    def __init__(self, reader: SequenceReader, outputs: int) -> None:
        super().__init__()
        self.reader = reader
        self.head = nn.Linear(reader.output_size, outputs)

    def forward(
        self, inputs: Tensor, lengths: Tensor | None = None, state: State | None = None
    ) -> tuple[Tensor, State]:
        """Read [T, B] or [T, B, I]; gives [T, B, K] and the state after each row's last step."""
        steps, state = self.reader(inputs, lengths, state)
        return precise(self.head(steps)), state
