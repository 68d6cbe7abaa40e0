"""A run on a device: where it runs, how long it may take, what a row of its results says."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

Call = Callable[[], object]

BLOCK = 0.02
"""Seconds of one entry's turn, about: then the grain of the clock and of a launch is small."""


@dataclass(frozen=True)
class Absent:
    """What could not be run, and why."""

    reason: str


@dataclass(frozen=True)
class Row:
    """One figure.

    Attributes:
        figure: the line of the table that it belongs to.
        case: sizes, dtype and job.
        ours: milliseconds, or whatever `unit` says.
        peer: beside whom; "" for nobody.
        theirs: theirs; None where they are absent.
        ratio: theirs over ours, the median over the rounds.
        bar: what has to be, such as ">= 0.98".
        holds: whether it is so; None where nothing was measured.
        unit: of `ours` and `theirs`.
        note: which path ran, or why something is absent.
    """

    figure: str
    case: str
    ours: float | None = None
    peer: str = ""
    theirs: float | None = None
    ratio: float | None = None
    bar: str = ""
    holds: bool | None = None
    unit: str = "ms"
    note: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return the row without what is empty."""
        return {name: value for name, value in asdict(self).items() if value not in (None, "")}


class Session:
    """The device and the clock of a run.

    Args:
        device: where it runs. On the CPU it is a dry run: everything is done on small sizes, and no figure is worth
            keeping.
        seconds: that it may take.
    """

    def __init__(self, device: torch.device, seconds: float) -> None:
        self.device, self.dry = device, device.type == "cpu"
        self._ends = time.monotonic() + seconds

    def left(self) -> float:
        """Return how many seconds are left."""
        return self._ends - time.monotonic()

    def small(self, size: int, most: int = 8) -> int:
        """Return a size, cut down in a dry run."""
        return min(size, most) if self.dry else size

    def wait(self) -> None:
        """Wait until the device has done what it was given."""
        if not self.dry:
            torch.cuda.synchronize(self.device)

    def seconds(self, call: Call, repeats: int) -> float:
        """Return seconds a call: on the device by its own events, so that its queue is never empty."""
        if self.dry:
            begin = time.perf_counter()
            for _ in range(repeats):
                call()
            return (time.perf_counter() - begin) / repeats
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        for _ in range(repeats):
            call()
        end.record()
        end.synchronize()
        return start.elapsed_time(end) / 1000 / repeats

    def alternate(self, calls: Mapping[str, Call], rounds: int = 7) -> dict[str, list[float]]:
        """Return seconds of each call, which take turns, one entry a round."""
        rounds = 2 if self.dry else rounds
        repeats = {}
        for name, call in calls.items():
            call()  # compiles, allocates, chooses algorithms
            self.wait()
            repeats[name] = max(1, min(200, round(BLOCK / max(self.seconds(call, 1), 1e-6))))
            repeats[name] = 1 if self.dry else repeats[name]
        taken: dict[str, list[float]] = {name: [] for name in calls}
        for turn in range(rounds):
            order = list(calls)[turn % len(calls) :] + list(calls)[: turn % len(calls)]
            for name in order:
                taken[name].append(self.seconds(calls[name], repeats[name]))
        return taken

    def peak_bytes(self, call: Call) -> int | None:
        """Return by how much memory rises during a call above what stood before it; None in a dry run."""
        call()
        if self.dry:
            return None
        self.wait()
        torch.cuda.reset_peak_memory_stats(self.device)
        before = torch.cuda.memory_allocated(self.device)
        call()
        self.wait()
        return torch.cuda.max_memory_allocated(self.device) - before


def beside(
    session: Session, figure: str, case: str, ours: Call, theirs: Mapping[str, Call | Absent], bars: Mapping[str, float], note: str
) -> Iterator[Row]:
    """Time a call beside its peers, in turns; yield a row a peer.

    Args:
        session: where.
        figure, case: what.
        ours: our call.
        theirs: the peers' calls by name; a peer that is absent gets a row that says so.
        bars: for how many times as fast we should be, by peer.
        note: which path of ours runs.
    """
    there = {name: call for name, call in theirs.items() if not isinstance(call, Absent)}
    taken = session.alternate({"": ours, **there})
    mine = 1000 * statistics.median(taken[""])
    for name, call in theirs.items():
        bar = bars.get(name)
        text = "" if bar is None else f">= {bar:g}x"
        if isinstance(call, Absent):
            yield Row(figure, case, mine, name, bar=text, note=f"absent: {call.reason}; {note}")
            continue
        ratio = statistics.median(their / our for their, our in zip(taken[name], taken[""], strict=True))
        holds = None if bar is None or session.dry else ratio >= bar
        yield Row(figure, case, mine, name, 1000 * statistics.median(taken[name]), ratio, text, holds, note=note)


def attempt(ready: Callable[[], Call]) -> Call | Absent:
    """Return a peer's call; why it is absent, where it cannot be made."""
    try:
        return ready()
    except Exception as error:  # noqa: BLE001 - a peer may fail in any way, and the rest is measured all the same
        return Absent(f"{type(error).__name__}: {error}".splitlines()[0][:200])


def relative_error(actual: Tensor, expected: Tensor) -> float:
    """Return the largest error in units of the largest entry or of 1; NaN where a number is not finite."""
    if not expected.numel():
        return 0.0
    expected = expected.double()
    return float((actual.double().to(expected.device) - expected).abs().max() / expected.abs().max().clamp(min=1))
