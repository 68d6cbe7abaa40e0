"""One-to-many: from one vector, of an image or of anything, to a sequence."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn

from loopcell.errors import InputError
from loopcell.layers import State
from loopcell.tasks.core.inputs import FirstLayer
from loopcell.tasks.seq2seq.decoder import Decoder, Encoded
from loopcell.tasks.seq2seq.network import DecodingNetwork
from loopcell.tasks.seq2seq.settings import WritingSettings

GRID = 16  # an image is halved until neither side has more places than this
MOST_CHANNELS = 4  # times those of the first layer


class Shape(NamedTuple):
    """The shape of an example: an image, or with `height` 0 a vector of `width` numbers."""

    height: int
    width: int
    channels: int = 1


class VectorEncoder(nn.Module):
    """Makes one vector of an example, and places to look at.

    Args:
        first: brings numbers to scale, [T, B, I].
        shape: of an example.

    Attributes:
        vector_size: V.
        memory_size: M, the length of what stands at a place.
    """

    vector_size: int
    memory_size: int

    def __init__(self, first: FirstLayer, shape: Shape) -> None:
        super().__init__()
        self.first, self.shape = first, shape
        self.vector_size = self.memory_size = shape.width

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Read inputs [T, B, I], an image's rows or one row; gives vectors [B, V] and places [S, B, M]."""
        vectors = self.examples(inputs)
        return vectors, vectors.unsqueeze(0)

    def examples(self, inputs: Tensor) -> Tensor:
        """Return the examples as convolutions take them: images [B, C, H, W], or vectors [B, D]."""
        scaled: Tensor = self.first(inputs)
        if not self.shape.height:
            return scaled[0]
        batch = scaled.shape[1]
        return scaled.view(self.shape.height, batch, self.shape.width, self.shape.channels).permute(1, 3, 0, 2)

    def place_labels(self) -> list[str]:
        """Return the S places that a decoder may look at, in words: there is one, the whole."""
        return ["the whole"]


class Convolution(VectorEncoder):
    """A small convolutional network: 3 x 3, halved after each layer until 16 places a side are left, and a vector.

    Args:
        first: as above.
        shape: as above.
        channels: of the first layer; they double from layer to layer, up to four times as many.
        vector_size: V.
        attends: whether the decoder looks at the places.
    """

    def __init__(self, first: FirstLayer, shape: Shape, channels: int, vector_size: int, *, attends: bool) -> None:
        super().__init__(first, shape)
        count = max(2, math.ceil(math.log2(max(shape.height, shape.width) / GRID)))
        sizes = [shape.channels, *(channels * min(2**layer, MOST_CHANNELS) for layer in range(count))]
        self.layers = nn.Sequential(*(_halved(*pair) for pair in pairwise(sizes)))
        self.grid = height, width = math.ceil(shape.height / 2**count), math.ceil(shape.width / 2**count)
        self.vector = nn.Linear(sizes[-1] * height * width, vector_size)
        # A convolution gives the same for the same wherever it stands; attention has to know where that is.
        self.places = nn.Parameter(torch.zeros(height * width, 1, sizes[-1])) if attends else None
        self.vector_size, self.memory_size = vector_size, sizes[-1]

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Read images' rows [H, B, W C]; gives vectors [B, V] and the places of the last layer, [h w, B, M]."""
        found = self.layers(self.examples(inputs))
        memory = found.flatten(2).permute(2, 0, 1)
        return torch.tanh(self.vector(found.flatten(1))), memory if self.places is None else memory + self.places

    def place_labels(self) -> list[str]:
        """Return the places as "row,column", from the top left."""
        return [f"{row},{column}" for row in range(self.grid[0]) for column in range(self.grid[1])]


class GivenEncoder(VectorEncoder):
    """An encoder of the user's: any module from images [B, C, H, W], or vectors [B, D], to vectors [B, V].

    Args:
        first: as above.
        shape: as above.
        encoder: the module; it is trained with the rest, unless its parameters are frozen.
        vector_size: V.
    """

    def __init__(self, first: FirstLayer, shape: Shape, encoder: nn.Module, vector_size: int) -> None:
        super().__init__(first, shape)
        self.encoder = encoder
        self.vector_size = self.memory_size = vector_size

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Read as above."""
        vectors = self.encoder(self.examples(inputs))
        return vectors, vectors.unsqueeze(0)


def vector_size_of(encoder: nn.Module, shape: Shape) -> int:
    """Return V of a module of the user's.

    Raises:
        InputError: it does not give a vector for an example.
    """
    example = (2, shape.channels, shape.height, shape.width) if shape.height else (2, shape.width)
    was_training = encoder.training
    like = next(encoder.parameters(), torch.empty(0))
    with torch.no_grad():
        found = encoder.eval()(torch.zeros(example, device=like.device))
    encoder.train(was_training)
    if not isinstance(found, Tensor) or found.dim() != 2 or len(found) != 2:
        came = list(found.shape) if isinstance(found, Tensor) else type(found).__name__
        raise InputError(f"the encoder has to make vectors [2, V] of examples {list(example)}; it made {came}")
    return int(found.shape[1])


class OneToMany(DecodingNetwork):
    """An encoder that gives a vector, and a decoder that starts from it.

    Args:
        reader: makes a vector of each example.
        decoder: writes.
        settings: label smoothing and teacher forcing.
    """

    def __init__(self, reader: VectorEncoder, decoder: Decoder, settings: WritingSettings) -> None:
        super().__init__(decoder, settings)
        self.reader = reader
        self.dropout = nn.Dropout(settings.dropout)
        sizes = [tensor.shape[-1] for tensor in decoder.recurrent.initial_state(1).values()]
        self._layers = decoder.recurrent.num_layers
        self.start = nn.ModuleList(nn.Linear(reader.vector_size, self._layers * size) for size in sizes)

    def encode(self, inputs: Tensor, lengths: Tensor) -> Encoded:
        """Read inputs [T, B, I]; every row has all T steps."""
        vectors, memory = self.reader(inputs)
        vectors, memory = self.dropout(vectors), self.dropout(memory)
        names = self.decoder.recurrent.cell.states
        state = {
            name: torch.tanh(start(vectors)).view(len(vectors), self._layers, -1).transpose(0, 1)
            for name, start in zip(names, self.start, strict=True)
        }
        places = torch.full_like(lengths, len(memory))
        return self.decoder.encoded(memory, places, vectors, State(**state))


def _halved(before: int, after: int) -> nn.Sequential:
    # No batch normalisation: an example would learn something else beside other examples.
    return nn.Sequential(nn.Conv2d(before, after, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2, ceil_mode=True))
