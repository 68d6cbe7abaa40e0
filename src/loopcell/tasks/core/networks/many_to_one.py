"""Many-to-one: a sequence in, with what holds for it as a whole, one vector of scores or numbers out."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from loopcell.tasks.core.argument_types import PoolingName
from loopcell.tasks.core.inputs.static import StaticReader, StaticRows
from loopcell.tasks.core.networks.pooling import POOLINGS
from loopcell.tasks.core.networks.reader import SequenceReader


class Beside(nn.Module):
    """A model beside a network."""

    def between(self, beside: Tensor, given: Tensor) -> Tensor:
        """Return what lies between this model's answer and a network's, [B, K] each."""
        raise NotImplementedError


class ManyToOne(nn.Module):
    """A reader, a pooling over its steps, and a linear head on that and on what holds for the whole sequence.

    Args:
        reader: reads the sequences.
        pooling: last, mean, max, max-mean or attention.
        outputs: K, how many numbers come out.
        static: reads what holds for a whole sequence; None where nothing does.
        beside: a model of the same sequences, whose answers [B, K] those of this one are brought together with by its
            method `between`; None for none.
    """

    def __init__(
        self,
        reader: SequenceReader,
        pooling: PoolingName,
        outputs: int,
        static: StaticReader | None = None,
        beside: Beside | None = None,
    ) -> None:
        super().__init__()
        self.reader, self.static, self.beside = reader, static, beside
        self.pooling = POOLINGS[pooling](reader.output_size, reader.recurrent.num_directions)
        self.head = nn.Linear(self.pooling.output_size + (0 if static is None else static.output_size), outputs)

    def read(self, inputs: Tensor, lengths: Tensor, static: StaticRows | None = None) -> Tensor:
        """Read [T, B] or [T, B, I] of rows with lengths [B], and what holds for each; gives [B, K]: what is trained."""
        steps, _ = self.reader(inputs, lengths)
        vector = self.pooling(steps, self.reader.steps_left(lengths))
        if self.static is not None:
            vector = torch.cat([vector, self.static(static).to(vector.dtype)], dim=-1)
        return precise(self.head(vector))

    def forward(self, inputs: Tensor, lengths: Tensor, static: StaticRows | None = None) -> Tensor:
        """Return the same, or what lies between it and the answer of the model beside."""
        given = self.read(inputs, lengths, static)
        return given if self.beside is None else self.beside.between(self.beside(inputs, lengths), given)


def precise(numbers: Tensor) -> Tensor:
    """Numbers in float32 at least, as losses and probabilities want them."""
    return numbers if numbers.dtype == torch.float64 else numbers.float()
