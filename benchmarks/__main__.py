"""Measure what is not measured yet, a process a part, and report: `make bench`, or `python -m benchmarks --help`."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.processes import ProcessError, run_module, thread_settings
from benchmarks.report import report
from benchmarks.results import MACHINES, SuiteFile, heading, of_this_machine
from benchmarks.suites import SUITES
from benchmarks.suites.part import Part, Row

QUICK_RESULTS = Path(__file__).parent / "quick"


@dataclass(frozen=True)
class Run:
    """The terms on which to measure.

    Attributes:
        folder: where result files go.
        quick: hardly at all, to see that everything works.
        clock: "wall", or "cpu" for the time of all threads together.
        again: measure anew what is there.
        minutes: start no part after so many.
    """

    folder: Path
    quick: bool = False
    clock: str = "wall"
    again: bool = False
    minutes: float = float("inf")

    def file(self, suite: str) -> SuiteFile:
        """Return the suite's result file."""
        return SuiteFile(self.folder / f"{suite}.json", heading(clock=self.clock, quick=self.quick))

    def measured(self, part: Part) -> list[Row]:
        """Measure one part in a process of its own.

        Raises:
            ProcessError: it failed.
        """
        request = {"part": part.as_json(), "quick": self.quick, "clock": self.clock}
        rows: list[Row] = run_module("benchmarks.measure_part", [json.dumps(request)], thread_settings(part.threads))
        return rows


def wanted(suites: Sequence[str], only: Sequence[str], clock: str) -> list[Part]:
    """Return the parts of the named suites (of all, if none is named) whose names hold each of the given texts.

    The CPU's clock adds threads up, so that it tells nothing of two.
    """
    unknown = [name for name in suites if name not in SUITES]
    if unknown:
        raise SystemExit(f"there is no suite {unknown[0]!r}; there are {', '.join(SUITES)}")
    parts = [part for name in suites or SUITES for part in SUITES[name].parts]
    return [
        part for part in parts if all(text in part.name for text in only) and (clock == "wall" or part.threads == 1)
    ]


def measure(parts: Sequence[Part], run: Run) -> list[str]:
    """Measure what is not there yet; returns a line for each part that failed or for which there was no time."""
    end, left = time.monotonic() + 60 * run.minutes, []
    files = {part.suite: run.file(part.suite) for part in parts}
    for number, part in enumerate(parts, 1):
        label = f"[{number}/{len(parts)}] {part.suite} {part.name}"
        if part.name in files[part.suite].parts and not run.again:
            continue
        started = time.monotonic()
        if started > end:
            left.append(f"{label}: no time left")
            continue
        try:
            rows = run.measured(part)
        except ProcessError as error:
            left.append(f"{label}: {error}")
            print(left[-1], flush=True)
            continue
        files[part.suite].add(part.name, rows)
        print(f"{label}: {time.monotonic() - started:.0f} s", *map(summary, rows), sep="\n    ", flush=True)
    return left


def summary(row: Row) -> str:
    """Return a row as one line."""
    figures = [f"{name} {ratio['median']:.3g}x" for name, ratio in row.get("ratios", {}).items()]
    figures += [f"{name} {spread['median']:.3g} s" for name, spread in row.get("seconds", {}).items()]
    notes = [f"{name} is {kind}: {why}" for kind in ("absent", "wrong") for name, why in row[kind].items()]
    return f"{row['job']}: {', '.join(figures + notes)}"


def options() -> argparse.ArgumentParser:
    """Return the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    suites = "; ".join(f"{name}: {suite.what}" for name, suite in SUITES.items())
    parser.add_argument("suites", nargs="*", metavar="SUITE", help=f"which suites, all by default. {suites}")
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="TEXT",
        help="only parts whose name holds TEXT, as in --only lstm",
    )
    parser.add_argument("--minutes", type=float, default=float("inf"), help="start no part after so many; go on later")
    parser.add_argument("--again", action="store_true", help="measure anew what is there")
    parser.add_argument("--quick", action="store_true", help="see that everything works; figures mean nothing")
    parser.add_argument(
        "--clock",
        choices=("wall", "cpu"),
        default="wall",
        help="cpu: where others use the machine too; one thread only",
    )
    parser.add_argument(
        "--to", type=Path, metavar="FOLDER", help="where results go (benchmarks/results/machines/ and this one's name)"
    )
    parser.add_argument("--report", action="store_true", help="measure nothing; judge and draw what is there")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and report; 1 if a part failed or had to wait."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the part which is being measured ends too
    asked: Any = options().parse_args(arguments)
    usual = of_this_machine() if asked.clock == "wall" and not asked.quick else QUICK_RESULTS
    run = Run(asked.to or usual, asked.quick, asked.clock, asked.again, asked.minutes)
    left = [] if asked.report else measure(wanted(asked.suites, asked.only, asked.clock), run)
    report(run.folder, is_published=run.folder.parent == MACHINES)
    print(*left, sep="\n")
    return 1 if left else 0


if __name__ == "__main__":
    raise SystemExit(main())
