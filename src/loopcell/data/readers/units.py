"""The units that sequences were cut from: which one, which of its rows, and what a sequence is told by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from loopcell.data.readers.origins import Origin

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Units:
    """The origin of N sequences in their units.

    Attributes:
        numbers: which unit each sequence is of, int64 [N], from 0.
        spans: its first row in the unit, and the row after its last, int64 [N, 2], from 0.
        ids: what it is told by, N values by column: its unit, its last time, what was carried over; where
            steps have labels, lists of the times of its steps and of what was carried over.
        last_rows: the number of its last row in the table, int64 [N], from 1; None where it is a row by itself.
        steps: where the rows of each sequence came from, as far as each has a label; None otherwise.
    """

    numbers: Ints
    spans: Ints
    ids: Mapping[str, Sequence[Any]]
    last_rows: Ints | None = None
    steps: Sequence[Sequence[Origin]] | None = None

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def count(self) -> int:
        """The number of units."""
        return len(np.unique(self.numbers))

    def take(self, places: Sequence[int] | Ints) -> Units:
        """Return those of some of the sequences."""
        chosen = np.asarray(places, np.int64)
        ids = {name: [values[place] for place in chosen.tolist()] for name, values in self.ids.items()}
        last_rows = None if self.last_rows is None else self.last_rows[chosen]
        steps = None if self.steps is None else [self.steps[place] for place in chosen.tolist()]
        return Units(self.numbers[chosen], self.spans[chosen], ids, last_rows, steps)

    @classmethod
    def of_rows(cls, count: int, ids: Mapping[str, Sequence[Any]]) -> Units:
        """Return units of one row each, where rows are examples, which are told by cells of their rows."""
        every = np.arange(count, dtype=np.int64)
        return cls(every, np.stack([every * 0, every * 0 + 1], axis=1), ids)

    def told_by(self, index: int) -> dict[str, Any]:
        """Return what one sequence is told by."""
        ids = {name: values[index] for name, values in self.ids.items()}
        return ids if self.last_rows is None else {"last_row": int(self.last_rows[index]), **ids}
