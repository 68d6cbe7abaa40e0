"""Many-to-one: a sequence in, one vector of scores or numbers out."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from loopcell.tasks.core.argument_types import PoolingName
from loopcell.tasks.core.networks.pooling import POOLINGS
from loopcell.tasks.core.networks.reader import SequenceReader


class Beside(nn.Module):
    """A model beside a network."""

    def between(self, beside: Tensor, given: Tensor) -> Tensor:
        """Return what lies between this model's answer and a network's, [B, K] each."""
        raise NotImplementedError


class ManyToOne(nn.Module):
    """A reader, a pooling over its steps, and a linear head.

    Args:
        reader: reads the sequences.
        pooling: last, mean, max, max-mean or attention.
        outputs: K, how many numbers come out.
        beside: a model of the same sequences, whose answers [B, K] those of this one are brought together with by its
            method `between`; None for none.
    """

    def __init__(
        self, reader: SequenceReader, pooling: PoolingName, outputs: int, beside: Beside | None = None
    ) -> None:
        super().__init__()
        self.beside = beside
        self.reader = reader
        self.pooling = POOLINGS[pooling](reader.output_size, reader.recurrent.num_directions)
        self.head = nn.Linear(self.pooling.output_size, outputs)

    def read(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """Read [T, B] or [T, B, I] of rows with lengths [B]; gives [B, K]: what is trained."""
        steps, _ = self.reader(inputs, lengths)
        return precise(self.head(self.pooling(steps, self.reader.steps_left(lengths))))

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """Return the same, or what lies between it and the answer of the model beside."""
        given = self.read(inputs, lengths)
        return given if self.beside is None else self.beside.between(self.beside(inputs, lengths), given)


def precise(numbers: Tensor) -> Tensor:
    """Numbers in float32 at least, as losses and probabilities want them."""
    return numbers if numbers.dtype == torch.float64 else numbers.float()
