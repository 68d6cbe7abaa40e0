"""A million hostile files, made of whole ones: every loader reads them or refuses them in a sentence of ours.

    python -m benchmarks.fuzz_files --cases 1000000 --minutes 60     (again and again, until all are there)
    python -m benchmarks.fuzz_files --seed 1234                      (one file again, with the traceback)

A file may take 2 s of processor time and 500 MB; a process may die. What fails is counted by its fault, and the first
files of each fault are kept in a folder (`--findings`). Small files of every kind are made for the purpose; small real
ones stand beside them where LOOPCELL_DATA names a folder.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.fuzz_corpus import make_corpus
from benchmarks.fuzz_loaders import LOADERS, drawn_case, try_case
from benchmarks.machine import code
from benchmarks.processes import environment
from benchmarks.results import RESULTS, SuiteFile, heading, rows_of

CASES_A_BATCH = 10_000
STUCK, ASLEEP = 60.0, 3600.0  # seconds of processor time, and of the clock, without a further case
KEPT = 3  # files of each fault
FINDINGS = Path("runs") / "fuzz-files"


class Batch(NamedTuple):
    """Files of neighbouring seeds."""

    number: int
    cases: int = CASES_A_BATCH

    @property
    def seeds(self) -> range:
        """The seeds."""
        return range(self.number * self.cases, (self.number + 1) * self.cases)

    @property
    def name(self) -> str:
        """As the result file has it."""
        return f"files {self.seeds[0]} to {self.seeds[-1]}"


class Place(NamedTuple):
    """The places of a run's files."""

    corpus: Path
    findings: Path


class _Segment(NamedTuple):
    """The work of a process before it ended, as far as it is counted."""

    stop: int  # the seed where the counts end
    counts: dict[str, int]
    most: dict[str, float]
    failures: list[dict[str, Any]]


def run_batch(batch: Batch, place: Place) -> dict[str, Any]:
    """Try all files of a batch; after a crash, those that are not counted yet are tried in another process.

    Returns:
        The row of the result.
    """
    started, seed = time.monotonic(), batch.seeds[0]
    segments, crashes = list[_Segment](), list[dict[str, Any]]()
    with tempfile.TemporaryDirectory() as scratch:
        while seed < batch.seeds.stop:
            lines = Path(scratch) / f"{len(crashes)}.jsonl"
            why = _process(range(seed, batch.seeds.stop), place.corpus, lines, [crash["seed"] for crash in crashes])
            segments.append(_segment(lines, seed))
            seed = segments[-1].stop
            if why:
                crashes.append({"seed": _under_way(lines, why), "loader": "process", "why": why})
    failures = [failure for segment in segments for failure in segment.failures] + crashes
    _keep(failures, place)
    return {"code": code(), **_summed(segments, failures), "minutes": round((time.monotonic() - started) / 60, 1)}


def _summed(segments: list[_Segment], failures: list[dict[str, Any]]) -> dict[str, Any]:
    counts: Counter[str] = Counter()
    for segment in segments:
        counts.update(segment.counts)
    what = {
        what: sum(count for name, count in counts.items() if name.endswith(f": {what}"))
        for what in ("read", "refused", "unforeseen", "failed")
    }
    crashed = sum(failure["loader"] == "process" for failure in failures)
    return {
        "cases": sum(what.values()) + crashed,
        **what,
        "crashed": crashed,
        "slowest": max((segment.most["seconds"] for segment in segments), default=0.0),
        "largest": max((segment.most["megabytes"] for segment in segments), default=0.0),
        "counts": dict(sorted(counts.items())),
        "faults": dict(Counter(f"{failure['loader']}: {failure['why']}" for failure in failures)),
        "seeds": [failure["seed"] for failure in failures][:50],
    }


def _process(seeds: range, corpus: Path, lines: Path, left_out: list[int]) -> str:
    """Try seeds in a process of its own; returns how it ended, or nothing if it ended well."""
    words = [str(seeds[0]), str(seeds.stop), str(corpus), str(lines), *map(str, left_out)]
    variables = environment({"LOOPCELL_BACKEND": "reference", "OMP_NUM_THREADS": "1"})
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.fuzz_files_part", *words], env=variables, stdout=said, stderr=said
        )
        why = _waited(process, lines.with_suffix(".at"))
        said.seek(0)
        last = said.read()[-300:].decode("utf-8", "replace").strip().rpartition("\n")[2]
    return f"{why}: {last}" if why and last else why


def _waited(process: subprocess.Popen[bytes], at: Path) -> str:
    """Wait for a process, as long as it goes from one seed to the next."""
    seen, since, spent = b"", time.monotonic(), 0.0
    while True:
        try:
            code = process.wait(timeout=1.0)
        except subprocess.TimeoutExpired:
            now = at.read_bytes() if at.exists() else b""
            if now != seen:
                seen, since, spent = now, time.monotonic(), _processor_time(process.pid)
            if _processor_time(process.pid) - spent > STUCK or time.monotonic() - since > ASLEEP:
                process.kill()
                process.wait()
                return f"no end after {STUCK:.0f} s"
        else:
            return f"the process ended with {code}" if code else ""


def _processor_time(process: int) -> float:
    """Return the processor seconds of a process, without other programs' share; 0 where the system does not say."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _segment(lines: Path, first: int) -> _Segment:
    """Read what is counted; a failure behind the last count comes again."""
    text = lines.read_text(encoding="utf-8") if lines.exists() else ""
    found = [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]
    last = next((line for line in reversed(found) if "next" in line), None)
    if last is None:
        return _Segment(first, {}, {"seconds": 0.0, "megabytes": 0.0}, [])
    failures = [line for line in found if "why" in line and line["seed"] < last["next"]]
    return _Segment(last["next"], last["counts"], last["most"], failures)


def _under_way(lines: Path, why: str) -> int:
    at = lines.with_suffix(".at")
    seed = at.read_bytes()[:8] if at.exists() else b""
    if not seed:
        raise SystemExit(f"no file was tried: {why}")
    return int.from_bytes(seed, "little")


def _keep(failures: list[dict[str, Any]], place: Place) -> None:
    """Write the first files of each fault to the folder of findings."""
    kept: Counter[str] = Counter()
    for failure in failures:
        kept[failure["why"]] += 1
        if kept[failure["why"]] > KEPT:
            continue
        loader, name, data = drawn_case(failure["seed"], place.corpus)
        place.findings.mkdir(parents=True, exist_ok=True)
        (place.findings / f"{failure['seed']}-{loader}-{name}").write_bytes(data)
        with (place.findings / "findings.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(failure) + "\n")


def is_done(batch: Batch, file: SuiteFile) -> bool:
    """Return whether a batch need not be run: it was, and found nothing, or found it in the code as it is now."""
    if batch.name not in file.parts:
        return False
    (row,) = file.parts[batch.name]["rows"]
    return not (row["failed"] or row["crashed"]) or row["code"] == code()


def run_in_time(batch: Batch, place: Place, end: float) -> dict[str, Any] | None:
    """Run a batch, unless it is too late to begin."""
    return run_batch(batch, place) if time.monotonic() < end else None


def run(batches: list[Batch], file: SuiteFile, place: Place, minutes: float, workers: int) -> None:
    """Run what is not there yet, several batches at a time; none is begun after so many minutes."""
    end = time.monotonic() + 60 * minutes
    waiting = [batch for batch in batches if not is_done(batch, file)]
    with ThreadPoolExecutor(workers) as pool:
        running = {pool.submit(run_in_time, batch, place, end): batch for batch in waiting}
        for done in as_completed(running):
            if (row := done.result()) is not None:
                file.add(running[done].name, [row])
                told = ", ".join(f"{row[name]:,} {name}" for name in ("cases", "unforeseen", "failed", "crashed"))
                print(f"{running[done].name}: {told}, {row['minutes']} minutes", flush=True)
                for fault, count in row["faults"].items():
                    print(f"    {count} x {fault}", flush=True)


def show(seed: int, corpus: Path) -> int:
    """Show one file again, in this process; it is kept, and the exception is not caught if it is none of ours."""
    loader, name, data = drawn_case(seed, corpus)
    path = corpus / loader / f"{seed}-{name}"
    path.write_bytes(data)
    print(f"{loader}: {path}, {len(data):,} bytes", flush=True)
    outcome = try_case(seed, corpus, Path(tempfile.mkdtemp()))
    print(f"{outcome.what} {outcome.why} ({outcome.seconds:.2f} s, {outcome.megabytes:.0f} MB)", flush=True)
    LOADERS[loader].load(path)
    return 1 if outcome.what == "failed" else 0


def main() -> int:
    """Run; 1 if anything failed or is left."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fuzz_files", description=__doc__)
    parser.add_argument("--cases", type=int, default=1_000_000)
    parser.add_argument("--first", type=int, default=0, metavar="SEED", help="begin here, with files never tried")
    parser.add_argument("--minutes", type=float, default=10.0, help="begin no batch after so many")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seed", type=int, help="only this file, in this process")
    parser.add_argument("--to", type=Path, default=RESULTS, metavar="FOLDER", help="where the result goes")
    parser.add_argument("--findings", type=Path, default=FINDINGS, metavar="FOLDER", help="where bad files are kept")
    asked = parser.parse_args()
    os.environ["LOOPCELL_BACKEND"] = "reference"
    with tempfile.TemporaryDirectory() as folder:
        make_corpus(Path(folder))
        if asked.seed is not None:
            return show(asked.seed, Path(folder))
        return _run_all(asked, Place(Path(folder), asked.findings))


def _run_all(asked: argparse.Namespace, place: Place) -> int:
    first = asked.first // CASES_A_BATCH
    batches = [Batch(first + number) for number in range(-(-asked.cases // CASES_A_BATCH))]
    about = heading()
    del about["code"]  # each row has its own: a run of hours goes on over mends of what it found
    file = SuiteFile(asked.to / "fuzz_files.json", about)
    run(batches, file, place, asked.minutes, asked.workers)
    rows = rows_of(file.path)
    names = ("cases", "read", "refused", "unforeseen", "failed", "crashed")
    total = {name: sum(row[name] for row in rows) for name in names}
    left = sum(not is_done(batch, file) for batch in batches)
    print(f"{total}; {left} of {len(batches)} batches left")
    return 1 if total["failed"] or total["crashed"] or left else 0


if __name__ == "__main__":
    raise SystemExit(main())
