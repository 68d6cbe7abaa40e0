"""Columns of numbers, of which some are codes of categories, as what layers read: each code is a learned vector."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

MOST_NUMBERS = 32  # of a category's vector


def vector_size(categories: int) -> int:
    """Return the length of a category's vector: 1.6 n^0.56, a rule of thumb (Howard, Gugger: fastai, 2020)."""
    size: float = 1.6 * categories**0.56
    return min(MOST_NUMBERS, round(size))


class ColumnEncoder(nn.Module):
    """Columns [..., C] to numbers [..., `width`]: those that are numbers first, then the vectors of the codes.

    The code 0 stands for what was never seen or is missing. Its vector is the mean of all others and what training
    learned of it beside.

    Args:
        columns: C.
        codes: how many categories each column of codes has, 0 not counted.

    Attributes:
        width: how many numbers come out.
    """

    def __init__(self, columns: int, codes: Mapping[int, int]) -> None:
        super().__init__()
        self.numbers = [column for column in range(columns) if column not in codes]
        self.codes = sorted(codes)
        self.vectors = nn.ParameterList(
            torch.cat([torch.zeros(1, vector_size(count)), torch.randn(count, vector_size(count))])
            for count in (codes[column] for column in self.codes)
        )
        self.width = len(self.numbers) + sum(vectors.shape[1] for vectors in self.vectors)

    def forward(self, columns: Tensor) -> Tensor:
        """Encode columns [..., C]."""
        if not self.codes:
            return columns
        parts = [columns[..., self.numbers]]
        for column, vectors in zip(self.codes, self.vectors, strict=True):
            unknown = vectors[:1] + vectors[1:].mean(0, keepdim=True)
            table = torch.cat([unknown, vectors[1:]]).to(columns.dtype)
            parts.append(functional.embedding(columns[..., column].long(), table))
        return torch.cat(parts, -1)
