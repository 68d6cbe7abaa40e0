"""Many rows at once, as columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from loopcell.data.readers.origins import Origin

BLOCK_ROWS = 64  # of rows that come one by one: each of them may be long


class NumberLists(list[Any]):
    """The cells of a column of lists of numbers, each of them an array [T] or [T, I]."""


class RowBlock(NamedTuple):
    """Some rows that follow each other.

    Attributes:
        cells: by the name of the column: a list; of numbers an array, and of lists of numbers a `NumberLists`.
        origins: where the rows came from.
    """

    cells: Mapping[str, Sequence[Any]]
    origins: Sequence[Origin]

    def __len__(self) -> int:
        return len(self.origins)


def plain_cells(cells: Sequence[Any]) -> Sequence[Any]:
    """Return the cells of a block as rows have them: Python's numbers and lists in place of arrays of them."""
    if isinstance(cells, np.ndarray):
        found: list[Any] = cells.tolist()
        return found
    return [cell.tolist() for cell in cells] if isinstance(cells, NumberLists) else cells
