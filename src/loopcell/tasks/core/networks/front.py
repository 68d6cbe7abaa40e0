"""Convolutions before the recurrent layers, which take several steps of a long sequence in at once.

Over hundreds of steps a gradient fades and a pass is slow, while what tells sequences apart is often the shape of a few
steps. Convolutions that halve the steps again and again see these shapes and leave a short sequence of them to the
recurrent layers. Karim, Majumdar, Darabi, Chen: LSTM Fully Convolutional Networks for Time Series Classification, 2018
(arXiv 1709.05206) have both side by side; one after the other is as Sainath, Vinyals, Senior, Sak: Convolutional, Long
Short-Term Memory, Fully Connected Deep Neural Networks, 2015.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from loopcell.errors import quoted
from loopcell.tasks.core.networks.pooling import within
from loopcell.tasks.core.pace import AUTO

KERNEL = 7  # steps that a convolution sees
CHANNELS = 64
SHORT = 128  # steps that recurrent layers read well
LARGEST = 256
STRIDES = tuple(2**power for power in range(LARGEST.bit_length()))
FEW = 2400  # examples from which on all defaults are the usual ones


class StridedFront(nn.Module):
    """Blocks of a convolution of stride 2, layer norm over the channels of a step, and ReLU.

    What lies past a row's end is zero between the blocks too, so padding does not change a result.

    Args:
        input_size: E.
        stride: steps that become one: a power of two.

    Attributes:
        output_size: C, the channels.
        stride: the same.
    """

    def __init__(self, input_size: int, stride: int) -> None:
        super().__init__()
        blocks = stride.bit_length() - 1
        sizes = [input_size, *[CHANNELS] * blocks]
        self.convolutions = nn.ModuleList(
            nn.Conv1d(size, CHANNELS, KERNEL, stride=2, padding=KERNEL // 2) for size in sizes[:-1]
        )
        self.norms = nn.ModuleList(nn.LayerNorm(CHANNELS) for _ in range(blocks))
        self.stride, self.output_size = stride, CHANNELS

    def forward(self, vectors: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Take [T, B, E] of rows with lengths [B]; gives [T', B, C] and lengths [B] with T' = ceil(T / stride)."""
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            lengths = halved(lengths)
            if len(vectors):
                seen = norm(convolution(vectors.permute(1, 2, 0)).permute(2, 0, 1)).relu()
                vectors = seen.masked_fill(~within(seen, lengths), 0.0)
            else:
                vectors = vectors.new_zeros(0, len(lengths), CHANNELS)
        return vectors, lengths


def halved(lengths: Tensor) -> Tensor:
    """Return how many steps are left of so many after a stride of 2: half of them, rounded up."""
    return (lengths + 1) // 2


def chosen_stride(given: int | str, lengths: npt.NDArray[np.int64], *, numbers: bool) -> int:
    """Return what is given, or of "auto" 1 or, of few long sequences of numbers, what leaves half of them 128 steps.

    Args:
        given: the setting.
        lengths: steps of each training sequence, [N].
        numbers: whether a step is numbers.
    """
    if given != AUTO:
        return int(given)
    if not numbers or len(lengths) >= FEW:
        return 1
    return next((stride for stride in STRIDES if np.median(lengths) <= SHORT * stride), LARGEST)


def demand_stride(stored: object) -> int:
    """Return a stride that a file holds; ValueError when it is none."""
    if type(stored) is not int or stored not in STRIDES:
        raise ValueError(f"its downsample is {quoted(stored)}")
    return stored


def full_lengths(vectors: Tensor) -> Tensor:
    """Return lengths [B] of rows that have all steps of [T, B, ...]."""
    return torch.full((vectors.shape[1],), len(vectors), device=vectors.device)
