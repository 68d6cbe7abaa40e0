"""Measure many streams together: `python -m benchmarks.streams_together`, into streams_together.json.

Two questions, on one core. How many sessions does a core serve where each wants a step: by one call of a pool for all,
by a stream each, by a stepper each? And how many streams of an audio model (GRU-64 over stereo at 44,100 samples a
second, in blocks of 128) does it sustain in real time, where at most 1 block in 10,000 is late? All ways are held
against each other before anything is timed: the same bits.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch

from benchmarks.results import RESULTS, SuiteFile, heading
from loopcell import GRU, LSTM

SESSIONS = (1, 4, 16, 64, 256)
NETWORKS: dict[str, Callable[[], GRU | LSTM]] = {
    "gru, I=2, H=64": lambda: GRU(2, 64),
    "lstm, I=64, H=128": lambda: LSTM(64, 128),
    "gru, I=64, H=256": lambda: GRU(64, 256),
}
RATE, BLOCK = 44_100, 128
PERIOD = BLOCK / RATE
LATE = 1e-4  # the share of blocks that may miss: p99.99
ROUNDS, STEPS = 30, 20
SETTLED = 200  # blocks before the clock counts


class Size(NamedTuple):
    """The extent of a measurement.

    Attributes:
        sessions: how many of them, in turn.
        rounds: of each way, alternating.
        seconds: of sound in real time, for each number of streams that is tried.
    """

    sessions: tuple[int, ...] = SESSIONS
    rounds: int = ROUNDS
    seconds: float = 60.0


def together(name: str, net: GRU | LSTM, count: int, rounds: int) -> dict[str, Any]:
    """Check and time one step of each of some sessions, in three ways."""
    x = torch.randn(STEPS, count, net.input_size)
    pool, ids = net.streams(count), list(range(count))
    for one in ids:
        pool.open(one)
    alone = [net.stream() for _ in ids]
    steppers = [net.stepper() for _ in ids]
    frames = [[x[step, one] for one in ids] for step in range(STEPS)]
    rows = [[x[step, one : one + 1] for one in ids] for step in range(STEPS)]

    def by_pool(step: int) -> list[torch.Tensor]:
        return list(pool.step(x[step], ids))

    def one_by_one(step: int) -> list[torch.Tensor]:
        return [stream.step(frame) for stream, frame in zip(alone, frames[step], strict=True)]

    def by_steppers(step: int) -> list[torch.Tensor]:
        return [stepper.step(row)[0] for stepper, row in zip(steppers, rows[step], strict=True)]

    ways = {"streams.step": by_pool, "a stream each": one_by_one, "a stepper each": by_steppers}
    for step in range(STEPS):
        found = {way: torch.stack([y.clone() for y in run(step)]) for way, run in ways.items()}
        if any(not torch.equal(y, found["streams.step"]) for y in found.values()) and pool.fused:
            raise SystemExit(f"{name}, {count} sessions: the ways do not give the same bits")
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(rounds):
        for way, run in ways.items():
            began = time.perf_counter()
            for step in range(STEPS):
                run(step)
            seconds[way].append((time.perf_counter() - began) / STEPS)
    medians = {way: statistics.median(times) for way, times in seconds.items()}
    return {
        "network": name,
        "sessions": count,
        "fused": pool.fused,
        "us a step of all": {way: round(1e6 * median, 2) for way, median in medians.items()},
        "steps a second": {way: round(count / median) for way, median in medians.items()},
        "ratio": {way: round(median / medians["streams.step"], 2) for way, median in medians.items()},
    }


class Blocks(NamedTuple):
    """The blocks of a run in real time, and how long after its time each was done, in seconds."""

    streams: int
    latencies: list[float]

    @property
    def misses(self) -> int:
        """The number of those that were not done when the next one was due."""
        return sum(one > PERIOD for one in self.latencies)

    def row(self) -> dict[str, Any]:
        """Return the figures."""
        ranked = sorted(self.latencies)
        shares = {
            f"p{100 * share:g}": ranked[min(len(ranked) - 1, int(share * len(ranked)))] for share in (0.5, 0.99, 0.9999)
        }
        return {
            "streams": self.streams,
            "blocks": len(ranked),
            "period ms": round(1e3 * PERIOD, 4),
            **{f"{name} ms": round(1e3 * value, 4) for name, value in shares.items()},
            "misses": self.misses,
        }


def in_real_time(net: GRU, streams: int, seconds: float) -> Blocks:
    """Feed blocks to some streams, each when its time has come, and note when it is done."""
    pool, ids = net.streams(streams), list(range(streams))
    for one in ids:
        pool.open(one)
    sounds = torch.randn(8, BLOCK, streams, net.input_size) / 10
    found, began = [], time.monotonic() + 0.1
    for number in range(SETTLED + int(seconds / PERIOD)):
        due = began + number * PERIOD
        while (left := due - time.monotonic()) > 0:  # a sleep alone comes back late
            if left > 0.0015:
                time.sleep(left - 0.001)
        pool.feed(sounds[number % len(sounds)], ids)
        found.append(time.monotonic() - due)
    return Blocks(streams, found[SETTLED:])


def first_guess(net: GRU) -> int:
    """Return how many streams would take all of a core, by the median of a few blocks."""
    streams, best = 1, 0.0
    while best < PERIOD / 4:
        pool, ids = net.streams(streams), list(range(streams))
        for one in ids:
            pool.open(one)
        sound, times = torch.randn(BLOCK, streams, net.input_size), []
        for _ in range(12):
            began = time.perf_counter()
            pool.feed(sound, ids)
            times.append(time.perf_counter() - began)
        best = statistics.median(times)
        streams *= 2
    return max(1, int(streams / 2 * PERIOD / best))


def sustained(net: GRU, seconds: float, start: int) -> list[dict[str, Any]]:
    """Try fewer streams until a core sustains them; the last row is the answer."""
    rows, streams = [], max(1, start)
    while True:
        found = in_real_time(net, streams, seconds)
        rows.append({**found.row(), "sustained": found.misses <= LATE * len(found.latencies)})
        print(rows[-1], flush=True)
        if rows[-1]["sustained"] or streams == 1:
            return rows
        streams = max(1, min(streams - 1, int(0.93 * streams)))


def measure(path: Path, size: Size) -> None:
    """Measure both, and write the file."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    file, rows = SuiteFile(path, heading(threads=1)), []
    for name, make in NETWORKS.items():
        for count in size.sessions:
            rows.append(together(name, make().eval(), count, size.rounds))
            print(rows[-1], flush=True)
    file.add("sessions", rows)
    net = GRU(2, 64).eval()
    file.add("real time", sustained(net, size.seconds, first_guess(net)))


if __name__ == "__main__":
    measure(RESULTS / "streams_together.json", Size())
