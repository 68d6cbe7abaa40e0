"""The scaler that lives in the model: mean 0 and standard deviation 1 for each input, and back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from loopcell.data.examples.sequences import check_finite
from loopcell.errors import DataError, InputError


class Standardiser(nn.Module):
    """Subtracts the mean of each of I inputs and divides by its standard deviation.

    A module without parameters: what it learned is in buffers, so it moves, is saved and is loaded with the model.

    Attributes:
        mean: `[I]`.
        scale: `[I]`, the standard deviation (of the population), 1 where an input never changes.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, size: int) -> None:
        """Make one for I inputs that changes nothing until it is fitted."""
        super().__init__()
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("scale", torch.ones(size))

    def fit(self, sequences: Iterable[npt.ArrayLike]) -> Self:
        """Learn from sequences `[T, I]`, one after the other, in double precision.

        Means and variances are merged as in Chan, Golub, LeVeque: Updating formulae and a pairwise algorithm for
        computing sample variances, 1979, eq. 2.1.

        Raises:
            DataError: there is no step at all, or a NaN or an infinity.
            InputError: a sequence has another I.
        """
        size = len(self.mean)
        count, mean, squares = 0, np.zeros(size), np.zeros(size)
        for index, sequence in enumerate(sequences):
            steps = np.asarray(sequence, np.float64)
            if steps.ndim != 2 or steps.shape[1] != size:
                raise InputError(f"sequence {index} is to be [T, {size}], got {list(steps.shape)}")
            check_finite(steps, f"sequence {index}")
            count, mean, squares = _merged((count, mean, squares), steps)
        if not count:
            raise DataError("there is not one step to learn a scale from")
        deviation = np.sqrt(squares / count)
        # Rounding leaves a tiny deviation where there is none, and dividing by it would blow noise up.
        still = deviation <= 1e-12 * np.maximum(1, np.abs(mean))
        self.mean.copy_(torch.from_numpy(mean))
        self.scale.copy_(torch.from_numpy(np.where(still, 1.0, deviation)))
        return self

    def forward(self, x: Tensor) -> Tensor:
        """Scale `[..., I]`."""
        return (x - self.mean) / self.scale

    def inverse(self, x: Tensor) -> Tensor:
        """Undo `forward`, `[..., I]`."""
        return x * self.scale + self.mean


def _merged(
    so_far: tuple[int, npt.NDArray[np.float64], npt.NDArray[np.float64]], steps: npt.NDArray[np.float64]
) -> tuple[int, npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Count, mean and summed squared deviations with some more steps `[T, I]`."""
    count, mean, squares = so_far
    if not len(steps):
        return so_far
    total, own = count + len(steps), steps.mean(axis=0)
    between = own - mean
    return (
        total,
        mean + between * (len(steps) / total),
        squares + ((steps - own) ** 2).sum(axis=0) + between**2 * (count * len(steps) / total),
    )
