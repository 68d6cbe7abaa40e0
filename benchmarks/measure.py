"""Timing: entries take turns in one process, in blocks; medians, quartiles, and ratios of one round.

A block begins when the threads of the one before have fallen asleep: those of ONNX Runtime look for work for some 70 ms
after a call, on the core that the next one's second thread needs. Then comes one call whose time is not taken, and then
as many timed calls as make the clock's grain small. The first call warms caches, wakes threads, and gets memory back: a
virtual machine gives what nobody uses for seconds to its host. The order turns with each round. A ratio is taken within
a round, where both sides met the same machine, and its median over the rounds is what is reported.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

Call = Callable[[], object]

LONG = 0.05
"""Seconds above which a call's time is known from one."""
GLANCE, IDLE, SLEEPLESS = 0.012, 0.2, 0.5
"""For how many seconds is looked whether threads still run (Linux counts those of another core at its ticks, every 4 ms
or so), how much of a core is none, and when waiting ends."""


@dataclass(frozen=True)
class Patience:
    """The time to spend on measuring.

    Attributes:
        seconds: of one comparison, about; the fewest rounds are run in any case.
        block: seconds of one entry's turn, at least.
        fewest, most: bounds on the number of rounds.
    """

    seconds: float = 8.0
    block: float = 0.01
    fewest: int = 5
    most: int = 61

    def rounds(self, seconds_a_round: float) -> int:
        """Return as many rounds as the time allows, and an odd number, so that the median is a measured one."""
        return min(max(int(self.seconds / seconds_a_round), self.fewest), self.most) | 1


QUICK = Patience(seconds=0.3, block=0.001, fewest=3, most=5)
"""To see that everything works; no figure from it is worth keeping."""


@dataclass(frozen=True)
class Samples:
    """Seconds a call, one entry for each round: on the wall, and of all the process's threads together."""

    wall: tuple[float, ...]
    cpu: tuple[float, ...]

    @property
    def cores(self) -> float:
        """The number of busy cores: above the number of threads asked for, an entry cheats."""
        return statistics.median(cpu / wall for cpu, wall in zip(self.cpu, self.wall, strict=True))

    def by(self, clock: str) -> tuple[float, ...]:
        """Return the entries of one clock, "wall" or "cpu"."""
        return {"wall": self.wall, "cpu": self.cpu}[clock]


@dataclass(frozen=True)
class Spread:
    """A median between its quartiles."""

    low: float
    median: float
    high: float


def spread(values: Sequence[float]) -> Spread:
    """Return the quartiles of at least one value."""
    if len(values) == 1:
        return Spread(values[0], values[0], values[0])
    return Spread(*statistics.quantiles(values, n=4, method="inclusive"))


def ratios(theirs: Sequence[float], ours: Sequence[float]) -> Spread:
    """Return their time over ours, round by round: above 1, we are faster."""
    return spread([their / our for their, our in zip(theirs, ours, strict=True)])


def alternate(calls: Mapping[str, Call], patience: Patience) -> dict[str, Samples]:
    """Time calls in turns.

    Args:
        calls: what to call, by name.
        patience: how long.

    Returns:
        The samples of each, equally many, in the order of the rounds.
    """
    blocks = {name: _Block(call, patience.block) for name, call in calls.items()}
    order = list(blocks)
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in order}
    gc.collect()
    gc.disable()
    try:
        for turn in range(patience.rounds(sum(block.seconds for block in blocks.values()))):
            start = turn % len(order)
            for name in order[start:] + order[:start]:
                taken[name].append(blocks[name].run())
    finally:
        gc.enable()
    return {name: Samples(*zip(*times, strict=True)) for name, times in taken.items()}


def fall_asleep() -> bool:
    """Wait until no thread of this process runs; false if one is still running after half a second."""
    end = time.perf_counter() + SLEEPLESS
    while time.perf_counter() < end:
        cpu, wall = time.process_time(), time.perf_counter()
        time.sleep(GLANCE)
        if time.process_time() - cpu < IDLE * (time.perf_counter() - wall):
            return True
    return False


class _Block:
    """One entry's turn.

    Attributes:
        repeats: timed calls of a turn.
        seconds: what a turn takes, about.
    """

    def __init__(self, call: Call, least: float) -> None:
        self.call = call
        once = self._timed(1)[0]
        if once < LONG:
            once = min(self._timed(1)[0] for _ in range(4))
        self.repeats = max(1, round(least / once))
        self.seconds = once * (self.repeats + 1)

    def run(self) -> tuple[float, float]:
        """Measure seconds per call, on the wall and of the CPU."""
        fall_asleep()
        self.call()
        return self._timed(self.repeats)

    def _timed(self, repeats: int) -> tuple[float, float]:
        cpu, wall = time.process_time(), time.perf_counter()
        for _ in range(repeats):
            self.call()
        return (time.perf_counter() - wall) / repeats, (time.process_time() - cpu) / repeats
