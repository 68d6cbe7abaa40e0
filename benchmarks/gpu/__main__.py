"""Check and measure loopcell on a GPU: `make bench-gpu`, or `python -m benchmarks.gpu`.

It needs Python, PyTorch with CUDA and Triton, and nothing else; peers that are not installed are absent, and the table
says so. What is worth most comes first: when the time is over (570 s unless --seconds says otherwise), what is left is
named and not run. Results go to benchmarks/results/gpu/CARD.json, after every job, and to CARD.md beside it.

    python -m benchmarks.gpu --only steps scans    some jobs
    python -m benchmarks.gpu --dry                 on the CPU with small sizes: that everything runs; no figure is kept
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from benchmarks.gpu import bounds, by_hand, correctness, figures
from benchmarks.gpu.session import Row, Session
from benchmarks.gpu.table import markdown
from benchmarks.machine import version
from benchmarks.results import RESULTS, heading, write
from loopcell.files import atomic_write

Job = Callable[[Session], Iterator[Row]]


@dataclass(frozen=True)
class Planned:
    """A job, and how many seconds of a run it may take."""

    job: Job
    seconds: float


JOBS: dict[str, Planned] = {
    "registered": Planned(correctness.registered, 100),
    "half": Planned(correctness.half, 40),
    "grid": Planned(figures.grid, 60),
    "own_cells": Planned(figures.own_cells, 60),
    "steps": Planned(figures.steps, 30),
    "kinds": Planned(bounds.kinds, 90),
    "graphs": Planned(bounds.graphs, 20),
    "soft_spots": Planned(figures.soft_spots, 40),
    "resets": Planned(figures.resets, 50),
    "flashrnn": Planned(figures.flashrnn, 15),
    "scans": Planned(figures.scans, 30),
    "memory": Planned(figures.memory, 20),
    "compile_times": Planned(figures.compile_times, 30),
    "no_synchronisation": Planned(by_hand.no_synchronisation, 30),
    "checkpoints": Planned(by_hand.checkpoints, 10),
    "mixed_precision": Planned(by_hand.mixed_precision, 30),
    "drawn": Planned(correctness.drawn, 60),
    "sanitized": Planned(correctness.sanitized, 60),
    "two_processes": Planned(by_hand.two_processes, 30),
    "estimators": Planned(by_hand.estimators, 40),
    "compiled_loops": Planned(figures.compiled_loops, 90),
    "rest_of_grid": Planned(figures.rest_of_grid, 120),
    "sizes": Planned(correctness.sizes, 120),
}
"""What is run, in order of value; what a job does not take is left for those after it."""


def rows_of(name: str, job: Job, session: Session) -> Iterator[Row]:
    """Yield a job's rows; one that says why, where it was not run or broke off."""
    if session.left() <= 0:
        yield Row(name, "", note="not run: no time was left")
        return
    try:
        for row in job(session):
            yield row
            if session.left() <= 0:
                yield Row(row.figure, "", note="not run to its end: no time was left")
                return
    except Exception as error:  # noqa: BLE001 - one job that fails is a row of the table, and the others go on
        yield Row(name, "", holds=False, note=f"failed: {type(error).__name__}: {error}".splitlines()[0][:300])


def measured(session: Session, names: Sequence[str], keep: Callable[[list[Row]], None]) -> list[Row]:
    """Run jobs; `keep` is given all rows so far after each."""
    rows: list[Row] = []
    for name in names:
        for row in rows_of(name, JOBS[name].job, session.part(JOBS[name].seconds)):
            print(*row.as_json().values(), sep="  ", flush=True)
            rows.append(row)
        keep(rows)
    return rows


def main(words: Sequence[str] | None = None) -> None:
    """Run, print, and write both files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dry", action="store_true", help="on the CPU, small, and write nothing")
    parser.add_argument("--seconds", type=float, default=570.0, help="when to end (570)")
    parser.add_argument("--only", nargs="+", choices=list(JOBS), default=list(JOBS), metavar="JOB")
    parser.add_argument("--out", type=Path, default=RESULTS / "gpu", help="the folder for the results")
    asked = parser.parse_args(words)
    if not asked.dry and not torch.cuda.is_available():
        raise SystemExit("PyTorch sees no CUDA device here: --dry runs everything on the CPU")
    if not asked.dry:  # both sides compute in full float32 where they say so; a row in bf16 says that
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    session = Session(torch.device("cpu" if asked.dry else "cuda"), asked.seconds)
    card = "dry" if asked.dry else torch.cuda.get_device_name()
    about = heading(card=card, triton=version("triton"), cuda=torch.version.cuda)

    def keep(rows: list[Row]) -> None:
        if not asked.dry:
            path = asked.out / (re.sub(r"[^a-z0-9]+", "-", card.lower()).strip("-") + ".json")
            write(path, {**about, "rows": [row.as_json() for row in rows]})
            with atomic_write(path.with_suffix(".md")) as temporary:
                temporary.write_text(markdown(card, rows), encoding="utf-8")

    rows = measured(session, asked.only, keep)
    failed = [row for row in rows if row.holds is False]
    print(f"{len(rows)} rows, {sum(row.holds is True for row in rows)} hold, {len(failed)} do not")


if __name__ == "__main__":
    main()
