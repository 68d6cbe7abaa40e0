"""One vector for a whole sequence: five ways to pool the outputs of its steps. What lies past a row's end never counts.

A row of length 0 gives zeros. And the choice among them where the user makes none, by how long the sequences are.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from loopcell.tasks.core.argument_types import PoolingChoice, PoolingName

LONG = 50  # steps over which the gradient of the last output seldom reaches what counts, in a few hundred updates


class LastPooling(nn.Module):
    """The reader's knowledge at a row's end: the last step, and in the backward half of two directions the first.

    Args:
        size: O, the length of an output.
        directions: 1 or 2.
    """

    def __init__(self, size: int, directions: int) -> None:
        super().__init__()
        self.output_size = size
        self._forward_size = size // directions

    def forward(self, outputs: Tensor, lengths: Tensor) -> Tensor:
        """Pool outputs [T, B, O] of rows with lengths [B] into [B, O]."""
        if not len(outputs):
            return outputs.new_zeros(outputs.shape[1:])
        last = (lengths - 1).clamp(min=0).reshape(1, -1, 1).expand(1, -1, self._forward_size)
        # Outputs past a row's end are zero, so a row of length 0 reads zeros at step 0.
        end = outputs[..., : self._forward_size].gather(0, last).squeeze(0)
        return torch.cat([end, outputs[0, :, self._forward_size :]], dim=-1)


class MeanPooling(nn.Module):
    """The mean over a row's steps."""

    def __init__(self, size: int, directions: int) -> None:
        super().__init__()
        self.output_size = size

    def forward(self, outputs: Tensor, lengths: Tensor) -> Tensor:
        """Pool outputs [T, B, O], zero past each row's end, into [B, O]."""
        return outputs.sum(0) / lengths.clamp(min=1).unsqueeze(-1)


class MaxPooling(nn.Module):
    """The largest value that each number has at any of a row's steps."""

    def __init__(self, size: int, directions: int) -> None:
        super().__init__()
        self.output_size = size

    def forward(self, outputs: Tensor, lengths: Tensor) -> Tensor:
        """Pool outputs [T, B, O] of rows with lengths [B] into [B, O]."""
        if not len(outputs):
            return outputs.new_zeros(outputs.shape[1:])
        largest = outputs.masked_fill(~within(outputs, lengths), -torch.inf).amax(0)
        return largest.masked_fill(lengths.unsqueeze(-1) == 0, 0.0)


class MaxMeanPooling(nn.Module):
    """The maximum and the mean over a row's steps, one beside the other: whether something came, and how often."""

    def __init__(self, size: int, directions: int) -> None:
        super().__init__()
        self.output_size = 2 * size
        self.max, self.mean = MaxPooling(size, directions), MeanPooling(size, directions)

    def forward(self, outputs: Tensor, lengths: Tensor) -> Tensor:
        """Pool outputs [T, B, O], zero past each row's end, into [B, 2 O]."""
        return torch.cat([self.max(outputs, lengths), self.mean(outputs, lengths)], dim=-1)


class AttentionPooling(nn.Module):
    """A mean whose weights the steps' outputs ask for: softmax over t of v . tanh(W y_t + b).

    Yang et al.: Hierarchical Attention Networks for Document Classification, 2016, eq. 5-7.
    """

    def __init__(self, size: int, directions: int) -> None:
        super().__init__()
        self.output_size = size
        self.hidden = nn.Linear(size, size)
        self.query = nn.Linear(size, 1, bias=False)

    def forward(self, outputs: Tensor, lengths: Tensor) -> Tensor:
        """Pool outputs [T, B, O] of rows with lengths [B] into [B, O]."""
        if not len(outputs):
            return outputs.new_zeros(outputs.shape[1:])
        return (self.weights(outputs, lengths) * outputs).sum(0)

    def weights(self, outputs: Tensor, lengths: Tensor) -> Tensor:
        """Return how much each step counts, [T, B, 1], summing to one over a row's steps."""
        scores = self.query(torch.tanh(self.hidden(outputs)))
        lowest = torch.finfo(scores.dtype).min  # an infinity would make the softmax of an empty row NaN
        weights: Tensor = scores.masked_fill(~within(outputs, lengths), lowest).softmax(0)
        return weights


POOLINGS: dict[PoolingName, type[LastPooling | MeanPooling | MaxPooling | MaxMeanPooling | AttentionPooling]] = {
    "last": LastPooling,
    "mean": MeanPooling,
    "max": MaxPooling,
    "max-mean": MaxMeanPooling,
    "attention": AttentionPooling,
}


def chosen_pooling(given: PoolingChoice, lengths: npt.NDArray[np.int64], stride: int = 1) -> PoolingName:
    """Return what is given, or of "auto" "max" where half of the sequences or more have 50 steps, else "last".

    After convolutions that take several steps in at once it is "max-mean".

    The gradient of the last output has to come back through every step to what counts, and shrinks on the way; that of
    a maximum over the steps begins at whichever steps have it. Maini, Kolluru, Pruthi, Mausam: Why and when should you
    pool? Analyzing Pooling in Recurrent Architectures, 2020 (arXiv 2005.00159): pooling gains most where examples are
    few, and where what counts lies in the middle.

    Args:
        given: the setting.
        lengths: steps of each training sequence, [N].
        stride: how many steps convolutions make one of.
    """
    if given != "auto":
        return given
    if stride > 1:
        return "max-mean"
    return "max" if np.median(lengths) >= LONG else "last"


def within(outputs: Tensor, lengths: Tensor) -> Tensor:
    """Return where a step belongs to its row: bool [T, B, 1]."""
    steps = torch.arange(len(outputs), device=outputs.device).unsqueeze(1)
    return (steps < lengths).unsqueeze(-1)
