"""Quantise: matrices of weights in fewer bits, for steps and for exported models.

In int8 a row is whole numbers times one scale: w = q s, with q from -127 to 127 and s the row's largest |w| over 127,
so that nothing is clipped, zero stays zero, and no weight is off by more than s / 2. In bfloat16 a weight keeps 8 bits
of its own, and is off by at most 1/256 of itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from loopcell.errors import TensorError

LARGEST = 127
"""Of the whole numbers in int8: -128 has no partner, and stays out."""


@dataclass(frozen=True, eq=False)
class Int8Rows:
    """A matrix in int8.

    Attributes:
        values: int8 [n, K], from -127 to 127.
        scales: float32 [n], one for each row, above 0.
    """

    values: Tensor
    scales: Tensor

    def widened(self) -> Tensor:
        """Return the matrix that these numbers mean, float32 [n, K]."""
        return self.values.float() * self.scales.unsqueeze(1)


def int8_rows(name: str, matrix: Tensor) -> Int8Rows:
    """Round a matrix to int8, each row with a scale of its own.

    Args:
        name: of the matrix, for the error.
        matrix: [n, K], floating point.

    Raises:
        TensorError: a number is NaN or infinite.
    """
    matrix = matrix.detach().double()
    if not matrix.isfinite().all():
        raise TensorError(
            f"`{name}` has a weight that is NaN or infinite, which int8 cannot hold; look where training went wrong"
        )
    # No scale below the smallest normal float: the products of a kernel would round it to nothing.
    largest = matrix.abs().amax(1) if matrix.shape[1] else matrix.new_zeros(len(matrix))
    scales = (largest / LARGEST).clamp(min=torch.finfo(torch.float32).tiny).float()
    values = (matrix / scales.double().unsqueeze(1)).round().clamp(-LARGEST, LARGEST)
    return Int8Rows(values.to(torch.int8), scales)


def relative_error(matrix: Tensor, rounded: Tensor) -> float:
    """Return the largest error of a weight, relative to the largest weight of its row; 0 where both are empty."""
    if not matrix.numel():
        return 0.0
    off = (matrix.detach().double() - rounded.double()).abs().amax(1)
    largest = matrix.detach().double().abs().amax(1)
    return float(torch.where(off == 0, off, off / largest).max())
