"""Predict what more threads than this machine has cores would give, from what one core and one meeting take here.

    python -m benchmarks.scaling

A step of one row is the reading of the weights: of those of a member's units, at the rate of the cache that they fit
into, and then the meetings. Of many rows it is products, at the rate of one core, for the rows and units of the largest
share. Nothing is known here of how fast many cores read one cache, or of cores on several chips: the page says
"predicted".
"""

from __future__ import annotations

import ctypes
import math
import time
from array import array
from collections.abc import Callable
from statistics import median
from typing import NamedTuple
from unittest.mock import patch

import torch

import loopcell
from benchmarks import roof
from benchmarks.comparison import Absent
from benchmarks.grid import GATES, NARROW, Shape
from benchmarks.machine import machine
from benchmarks.results import SuiteFile, heading, of_this_machine
from benchmarks.suites.part import Row
from loopcell.backends.c.codegen.names import headers
from loopcell.backends.c.toolchain import threads
from loopcell.backends.c.toolchain.build import build, vector_bytes
from loopcell.runtime.kernels import Crew, crew_for

CASES = (NARROW[0], NARROW[2], Shape(128, 64, 256, 512))
CELLS = ("lstm", "gru")
PREDICTED = (2, 8, 16, 32, 64)
LINES = 8
"""Lines of other members that a core has on the way to it at a time, at least: more come one after the other."""
ROUNDS, MEETINGS = 9, 20_000
_SOURCE = """
typedef struct { const pool *pool; int64_t members, times; meeting *at; } rounds;
static void each(void *given) {
    const rounds *r = given;
    member me = {r->pool->number(), r->members, 0, PATIENCE, r->at};
    for (int64_t i = 0; i < r->times; i++) meet(&me);
}
void all_meet(rounds *r) {
    memset(r->at, 0, (size_t)r->members * sizeof(meeting));
    r->pool->parallel(each, r, (unsigned)r->members, 0);
}
"""


class Core(NamedTuple):
    """The speed of one core, measured.

    Attributes:
        near, far: bytes a second that it reads from its second-level cache, and from behind it.
        near_bytes: how much fits there.
        meeting: seconds that two members take to meet.
    """

    near: float
    far: float
    near_bytes: int
    meeting: float

    def reading(self, size: float) -> float:
        """Return the seconds of reading so many bytes."""
        return size / (self.near if size <= self.near_bytes else self.far)

    def meeting_of(self, members: int) -> float:
        """Return the seconds of a meeting: one hop between two caches, for as many at a time as are on their way."""
        return self.meeting * max(1.0, (members - 1) / LINES) if members > 1 else 0.0


def core() -> Core:
    """Measure one core, and two that meet."""
    size = machine()["caches"].get("L2 Unified", "1024K")
    near_bytes = int(size.rstrip("K")) * 1024
    return Core(_rate(near_bytes // 2), _rate(16 << 20), near_bytes, _meeting())


def predicted(cell: str, sizes: Shape, crew: Crew, one: float, measured: Core) -> float:
    """Return the seconds of a forward pass by a crew, from those of one thread."""
    blocks = math.ceil(sizes.H / (vector_bytes() // 4))
    units = math.ceil(blocks / crew.team) / blocks
    rows = math.ceil(sizes.B / (crew.threads // crew.team)) / sizes.B
    meetings = sizes.T * measured.meeting_of(crew.team)
    if sizes.B > 1:
        return one * units * rows + meetings
    weights = 4 * GATES[cell] * sizes.H * sizes.H  # those of the loop; the input's products are read once a chunk
    return one * measured.reading(units * weights) / measured.reading(weights) + meetings


def crew_of(cell: str, sizes: Shape, number: int) -> Crew:
    """Return what loopcell would choose if PyTorch had so many threads."""
    work = GATES[cell] * sizes.H * (sizes.I + sizes.H)
    with patch.object(torch, "get_num_threads", lambda: number), patch("loopcell.runtime.kernels.granted", lambda n: n):
        return crew_for(sizes.T, sizes.B, work, sizes.H)


def row(cell: str, sizes: Shape, measured: Core) -> Row:
    """Measure one thread and two, and predict the rest."""
    net = loopcell.Recurrent(loopcell.cells.get(cell), sizes.I, sizes.H)
    x = torch.randn(sizes.T, sizes.B, sizes.I)

    def forward(number: int) -> Callable[[], object]:
        def run() -> object:
            torch.set_num_threads(number)
            with torch.no_grad():
                return net(x)

        return run

    seconds = {number: _median(forward(number)) for number in (1, 2)}
    crews = {number: crew_of(cell, sizes, number) for number in PREDICTED}
    found = {str(n): predicted(cell, sizes, crew, seconds[1], measured) for n, crew in crews.items()}
    return {
        "cell": cell,
        **sizes._asdict(),
        "job": "forward",
        "core": measured._asdict(),
        "crews": {str(number): list(crew) for number, crew in crews.items()},
        "measured": {str(number): value for number, value in seconds.items()},
        "predicted": found,
        "absent": {},
        "wrong": {},
    }


def _rate(size: int) -> float:
    """Return the bytes a second of reading as many bytes again and again."""
    entry = roof.reading([torch.randn(size // 4)])
    if isinstance(entry, Absent):
        raise SystemExit(entry.reason)
    return size * entry.jobs / _median(entry.run)


def _meeting() -> float:
    pool = threads.entry()
    if pool is None or torch.get_num_threads() < 2:
        raise SystemExit("two threads are needed: OMP_NUM_THREADS=2, and a PyTorch with an OpenMP runtime")
    words = f"#define REAL_IS_DOUBLE 0\n#define LANES {vector_bytes() // 4}\n"
    library = build(words + headers() + _SOURCE, "meetings", ["all_meet"])
    room = (ctypes.c_char * 256)()
    start = (ctypes.addressof(room) + 63) // 64 * 64  # a line of the cache for each member
    asked = array("q", [pool, 2, MEETINGS, start])
    return _median(lambda: library.all_meet(ctypes.c_void_p(asked.buffer_info()[0]))) / MEETINGS


def _median(run: Callable[[], object]) -> float:
    run()
    found = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        run()
        found.append(time.perf_counter() - started)
    return median(found)


def main() -> None:
    """Measure and predict."""
    measured = core()
    print(f"{measured.near / 1e9:.0f} and {measured.far / 1e9:.0f} GB/s, a meeting {measured.meeting * 1e9:.0f} ns")
    rows = [row(cell, sizes, measured) for cell in CELLS for sizes in CASES]
    for one in rows:
        speedups = {n: f"{one['measured']['1'] / value:.1f}" for n, value in one["predicted"].items()}
        two = one["measured"]["1"] / one["measured"]["2"]
        print(one["cell"], *(one[axis] for axis in "TBIH"), f"two threads, measured: {two:.2f}; predicted: {speedups}")
    SuiteFile(of_this_machine() / "scaling.json", heading()).add("scaling", rows)


if __name__ == "__main__":
    main()
