"""The job of a comparison, as it is asked for by what compares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from loopcell.comparison.results import ComparedRun
from loopcell.equations import Cell


class Job(Protocol):
    """Something to learn, on which cells are compared."""

    @property
    def name(self) -> str:
        """A word for what is learned."""
        ...

    @property
    def data(self) -> str:
        """A word on where the data come from."""
        ...

    @property
    def hidden_size(self) -> int:
        """H of the first cell, and with the same number of units of all."""
        ...

    @property
    def sizes(self) -> Mapping[str, int] | None:
        """Further sizes, for cells that name them."""
        ...

    @property
    def tried(self) -> Sequence[int | None]:
        """The distances that are tried; None alone where there is no distance."""
        ...

    @property
    def solved(self) -> float | None:
        """The score from which on a run counts as solved; None where there is no such score."""
        ...

    def contents(self) -> str:
        """Return a hash of the data, by which another content is told; "" where there are no data."""
        ...

    def shared(self) -> dict[str, Any]:
        """Return the settings that all cells share, as JSON has them."""
        ...

    def train(self, cell: Cell, hidden_size: int, seed: int, distance: int | None) -> ComparedRun:
        """Train one cell once, and score it on what it has not learned from."""
        ...
