"""The reader of sequences in every estimator: a first layer for the kind of input, and recurrent layers."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from loopcell.layers import Recurrent, State, chrono_
from loopcell.tasks.core.inputs import FirstLayer
from loopcell.tasks.core.networks.front import StridedFront, full_lengths
from loopcell.tasks.core.settings import NetworkSettings, RecurrentSettings

LEAST_CHRONO = 3  # steps, the least that `chrono` takes


class SequenceReader(nn.Module):
    """First layer, dropout, convolutions where there are to be some, recurrent layers, dropout.

    Args:
        first: makes vectors [T, B, E] of the input's steps.
        settings: the cell and the sizes.
        stride: steps that convolutions make one of, before the recurrent layers; 1 for no convolutions.

    Attributes:
        output_size: O, the length of what comes out for each step; both directions together.
    """

    def __init__(self, first: FirstLayer, settings: NetworkSettings, stride: int = 1) -> None:
        super().__init__()
        self.first = first
        self.front = StridedFront(first.output_size, stride) if stride > 1 else None
        self.stride = stride
        self.dropout = nn.Dropout(settings.dropout)
        self.recurrent = recurrent_layers(
            settings,
            first.output_size if self.front is None else self.front.output_size,
            bidirectional=settings.bidirectional,
            chrono=None if settings.chrono is None else max(LEAST_CHRONO, settings.chrono // stride),
        )
        self.output_size = self.recurrent.output_size

    def forward(
        self, inputs: Tensor, lengths: Tensor | None = None, state: State | None = None
    ) -> tuple[Tensor, State]:
        """Read a batch.

        Args:
            inputs: token ids [T, B] or numbers [T, B, I].
            lengths: steps of each row, [B]; None when all have T.
            state: what was read before.

        Returns:
            Outputs [T, B, O], zero past each row's end, and the state after its last step. With a stride there are
            fewer steps, as many as `steps_left` says.
        """
        vectors = self.dropout(self.first(inputs)).to(self._dtype())
        beside = {name: part.to(vectors.dtype) for name, part in self.first.beside(inputs).items()}
        if self.front is not None:
            vectors, lengths = self.front(vectors, full_lengths(vectors) if lengths is None else lengths)
        outputs, state = self.recurrent(vectors, state, lengths=lengths, **beside)
        return self.dropout(outputs), state

    def steps_left(self, lengths: Tensor) -> Tensor:
        """Return how many outputs rows of these lengths [B] have: a step each, or one for each stride."""
        return -(-lengths // self.stride)

    def _dtype(self) -> torch.dtype:
        """Return that of the weights, which numbers from outside have not."""
        return next(self.recurrent.parameters()).dtype


def recurrent_layers(
    settings: RecurrentSettings,
    input_size: int,
    *,
    bidirectional: bool = False,
    chrono: int | None = None,
) -> Recurrent:
    """Return the recurrent layers of any estimator's network.

    Args:
        settings: the cell and its sizes.
        input_size: I.
        bidirectional: read both ways.
        chrono: the longest time scale that gates begin with; None begins as torch.nn does.

    Raises:
        InputError: `chrono` is asked of a cell in which no gate keeps the state.
    """
    layers = Recurrent(
        settings.cell,
        input_size=input_size,
        hidden_size=settings.hidden_size,
        num_layers=settings.num_layers,
        bidirectional=bidirectional,
        dropout=settings.dropout if settings.num_layers > 1 else 0.0,
        sizes=settings.sizes,
    )
    if chrono is not None:
        chrono_(layers, chrono)
    return layers
