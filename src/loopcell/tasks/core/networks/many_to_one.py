"""Many-to-one: a sequence in, one vector of scores or numbers out."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from loopcell.tasks.core.argument_types import PoolingName
from loopcell.tasks.core.networks.pooling import POOLINGS
from loopcell.tasks.core.networks.reader import SequenceReader


class ManyToOne(nn.Module):
    """A reader, a pooling over its steps, and a linear head.

    Args:
        reader: reads the sequences.
        pooling: last, mean, max or attention.
        outputs: K, how many numbers come out.
    """

    def __init__(self, reader: SequenceReader, pooling: PoolingName, outputs: int) -> None:
        super().__init__()
        self.reader = reader
        self.pooling = POOLINGS[pooling](reader.output_size, reader.recurrent.num_directions)
        self.head = nn.Linear(reader.output_size, outputs)

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """Read [T, B] or [T, B, I] of rows with lengths [B]; gives [B, K]."""
        steps, _ = self.reader(inputs, lengths)
        return precise(self.head(self.pooling(steps, lengths)))


def precise(numbers: Tensor) -> Tensor:
    """Numbers in float32 at least, as losses and probabilities want them."""
    return numbers if numbers.dtype == torch.float64 else numbers.float()
