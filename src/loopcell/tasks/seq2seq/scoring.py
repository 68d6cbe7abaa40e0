"""The part of some data that is written to be scored, and how that is shown."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np

from loopcell.tasks.core.estimator.examples import Indices

MOST_SCORED = 500  # pairs that are written at the end of a training; `evaluate` writes all of what it is given
FIRST_BLOCK, BLOCK = 8, 32  # pairs written side by side; the first few tell how long others take
SECONDS_PER_LINE = 10.0  # where there is no terminal to draw a bar in


class Limits(NamedTuple):
    """The number of pairs that are scored. They are drawn of all of them, so that they are like the whole.

    Attributes:
        pairs: the most; None for all.
        seconds: no block of pairs is begun that would end later, beside the first; None for no such limit.
    """

    pairs: int | None = None
    seconds: float | None = None

    def blocks(self, count: int) -> Iterator[Indices]:
        """Draw pairs of 0 to count - 1, in blocks of some that are written together, until a limit is reached."""
        order = np.random.default_rng(0).permutation(count)[: self.pairs]
        started = time.monotonic()
        done, slowest = 0, 0.0
        while done < len(order):
            block = order[done : done + (BLOCK if done else FIRST_BLOCK)]
            before = time.monotonic() - started
            if self.seconds is not None and done and before + slowest * len(block) > self.seconds:
                return
            yield np.sort(block)
            slowest = max(slowest, (time.monotonic() - started - before) / len(block))
            done += len(block)

    def described(self, scored: int, count: int) -> str:
        """Say how many pairs were scored, and why not all of them."""
        if scored == count:
            return f"{count:,} pairs"
        late = ", as many as the time limit left" if scored < min(count, self.pairs or count) else ""
        return f"{scored:,} of {count:,} pairs, drawn at random{late}"


@contextmanager
def shown(total: int, *, progress: bool) -> Iterator[Callable[[int], None]]:
    """Show on standard error how many pairs are scored: a bar in a terminal, else a line from time to time.

    Args:
        total: how many there are.
        progress: False shows nothing.

    Yields:
        A function that is told how many more pairs are done.
    """
    if not progress:
        yield lambda count: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("scoring"), BarColumn(bar_width=24), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task, done, told = bar.add_task("", total=total), 0, time.monotonic()

        def advance(count: int) -> None:
            nonlocal done, told
            done += count
            bar.update(task, completed=done)
            if not console.is_terminal and time.monotonic() - told >= SECONDS_PER_LINE:
                told = time.monotonic()
                console.print(f"scored {done:,} of {total:,} pairs", highlight=False)

        yield advance
