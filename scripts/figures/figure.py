"""A figure of a concept page: a run that gives numbers, and a drawing of these numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

Numbers = Mapping[str, Any]
"""What a run gave, by name: numbers, texts and lists of them, as JSON has them."""

Words = Callable[[str], str]
"""From a name in `words.toml` to the word in one language."""


@dataclass(frozen=True)
class Figure:
    """A figure by its name.

    Attributes:
        name: of its files, of its command, and of its title among the words.
        measure: makes the run and returns the numbers.
        draw: makes a matplotlib Figure of numbers and words, without another run.
        compared: names of the numbers that must come out again on another machine.
        tolerance: how far apart they may be.
        quick: takes about a second or less, so that tests make the run too.
    """

    name: str
    measure: Callable[[], Numbers]
    draw: Callable[[Numbers, Words], Any]
    compared: tuple[str, ...]
    tolerance: float
    quick: bool = True

    def measured(self) -> Numbers:
        """Make the run on one thread from a fixed seed; the generator and the threads are then as before."""
        threads = torch.get_num_threads()
        with torch.random.fork_rng():
            torch.set_num_threads(1)  # another number of threads sums in another order
            torch.manual_seed(0)
            try:
                return self.measure()
            finally:
                torch.set_num_threads(threads)
