"""Thousands of drawn cells, kernels beside the reference path: what fails is kept with its seed.

    python -m benchmarks.fuzz --cases 20000 --minutes 7      (again and again, until all are there)
    python -m benchmarks.fuzz --seed 1234                    (one cell again, with its equations)
    python -m benchmarks.fuzz --precision high               (products of three in bfloat16; `medium`: of one)

What costs is compiling, a library for each cell and dtype. So each cell is tried in several forms (`--forms`), and
cells and cases are counted apart. LOOPCELL_CFLAGS=-O1 or -O0 in the environment makes it quicker, and the result says
so. Narrow products run on the model of AMX, or with LOOPCELL_BF16=amx on AMX. A batch is a process with a cache of its
own, so that a crash is one cell's failure and not the end.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.drawn_products import TOLERANCES, unit
from benchmarks.processes import environment
from benchmarks.results import SuiteFile, heading, of_this_machine, rows_of

CELLS_A_BATCH, SLOWEST_CELL = 10, 60.0
"""Seconds that a cell may take on average before its batch counts as hanging."""


class Batch(NamedTuple):
    """Cells of neighbouring seeds, and the precision of their products in float32."""

    number: int
    forms: int
    precision: str = "highest"

    @property
    def first(self) -> int:
        """The first seed."""
        return self.number * CELLS_A_BATCH

    @property
    def name(self) -> str:
        """As the result file has it."""
        return f"cells {self.first} to {self.first + CELLS_A_BATCH - 1}, {self.forms} forms each"


def run_batch(batch: Batch) -> dict[str, Any]:
    """Try all cells of a batch.

    Returns:
        The row of the result: how many cells and cases, what failed, what was borderline.
    """
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        done, crashed = _tried(batch, Path(scratch))
    failures = [failure for cell in done for failure in cell["failures"]] + crashed
    return {
        "cells": len(done) + len(crashed),
        "cases": sum(cell["cases"] for cell in done) + len(crashed),
        "not_finite": sum(cell["not_finite"] for cell in done),
        "failed": len(failures),
        "failures": failures,
        "borderline": [one for cell in done for one in cell["borderline"]],
        "seconds": round(time.monotonic() - started, 1),
    }


def _tried(batch: Batch, scratch: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Try each cell; return the results and those that crashed. After a crash, those behind it get another process."""
    variables = environment({"LOOPCELL_CACHE": str(scratch / "kernels"), "OMP_WAIT_POLICY": "passive"})
    done: list[dict[str, Any]] = []
    crashed: list[dict[str, Any]] = []
    seed, end = batch.first, batch.first + CELLS_A_BATCH
    while seed < end:
        file = scratch / f"from-{seed}"
        arguments = ["benchmarks.fuzz_batch", str(seed), str(end - seed), str(batch.forms), batch.precision, str(file)]
        why = _process(arguments, variables)
        lines = _read(file)
        done += [line for line in lines if "cases" in line]
        if not why:
            break
        if not lines:
            raise SystemExit(f"no cell was tried: {why}")
        seed = max(line["begins"] for line in lines if "begins" in line)
        crashed.append({"seed": seed, "form": None, "what": why})
        seed += 1
    return done, crashed


def run_in_time(batch: Batch, end: float) -> dict[str, Any] | None:
    """Run a batch, unless it is too late to begin."""
    return run_batch(batch) if time.monotonic() < end else None


def _process(arguments: list[str], variables: dict[str, str]) -> str:
    """Run a module; returns how it ended, or nothing if it ended well."""
    cells = int(arguments[2])
    try:
        done = subprocess.run(
            [sys.executable, "-m", *arguments],
            env=variables,
            capture_output=True,
            text=True,
            timeout=SLOWEST_CELL * cells,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"no end after {SLOWEST_CELL * cells:.0f} s"
    return f"the process ended with {done.returncode}: {done.stderr.strip()[-300:]}" if done.returncode else ""


def _read(lines: Path) -> list[dict[str, Any]]:
    """Return every whole line; a crash may have cut off the last."""
    text = lines.read_text(encoding="utf-8") if lines.exists() else ""
    return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]


def show(seed: int, forms: int, precision: str) -> int:
    """Show one cell again, in this process, with its equations."""
    from benchmarks.drawn_cells import drawn_cell
    from benchmarks.fuzz_batch import try_cell

    print(drawn_cell(seed).text())
    found = try_cell(seed, forms, precision)
    print(json.dumps(found, indent=1))
    return 1 if found["failures"] else 0


def run(batches: list[Batch], file: SuiteFile, minutes: float, workers: int) -> None:
    """Run what is not there yet, several batches at a time; none is begun after so many minutes."""
    end = time.monotonic() + 60 * minutes
    waiting = [batch for batch in batches if batch.name not in file.parts]
    with ThreadPoolExecutor(workers) as pool:
        running = {pool.submit(run_in_time, batch, end): batch for batch in waiting}
        for done in as_completed(running):
            if (row := done.result()) is not None:
                file.add(running[done].name, [row])
                print(
                    f"{running[done].name}: {row['cases']} cases, {row['failed']} failed, {row['seconds']} s",
                    flush=True,
                )


def main() -> int:
    """Run; 1 if anything failed or is left."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fuzz", description=__doc__)
    parser.add_argument("--cases", type=int, default=20_000)
    parser.add_argument("--forms", type=int, default=8, help="cases of each cell")
    precisions = ("highest", *TOLERANCES)
    parser.add_argument("--precision", choices=precisions, default="highest", help="of products in float32")
    parser.add_argument("--minutes", type=float, default=7.0, help="begin no batch after so many")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seed", type=int, help="only this cell, in this process")
    parser.add_argument("--to", type=Path, default=of_this_machine(), metavar="FOLDER", help="where the result goes")
    asked = parser.parse_args()
    if asked.seed is not None:
        return show(asked.seed, asked.forms, asked.precision)
    count = -(-asked.cases // (CELLS_A_BATCH * asked.forms))
    batches = [Batch(number, asked.forms, asked.precision) for number in range(count)]
    name = "fuzz" if asked.precision == "highest" else f"fuzz_{asked.precision}"
    about = {} if asked.precision == "highest" else {"precision": asked.precision, "unit": unit()}
    file = SuiteFile(asked.to / f"{name}.json", heading(**about))
    run(batches, file, asked.minutes, asked.workers)
    rows = rows_of(file.path)
    total = {name: sum(row[name] for row in rows) for name in ("cells", "cases", "not_finite", "failed")}
    left = sum(batch.name not in file.parts for batch in batches)
    print(f"{total}, {sum(len(row['borderline']) for row in rows)} borderline; {left} of {len(batches)} batches left")
    return 1 if total["failed"] or left else 0


if __name__ == "__main__":
    raise SystemExit(main())
