"""A process that gives loaders hostile files of neighbouring seeds, and writes a line for what is worth a line.

    python -m benchmarks.fuzz_files_part FIRST STOP CORPUS LINES [SEED TO LEAVE OUT ...]

The first eight bytes of LINES.at are the seed that is under way, so that whoever started this process knows which file
ended it.
"""

from __future__ import annotations

import json
import sys
import tempfile
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.fuzz_loaders import Outcome, limit_memory, read_whole, try_case

ROOM = 4096  # megabytes; a case that takes a part of it is a failure already
REPORT = 500  # cases from one line of counts to the next


def run(seeds: range, corpus: Path, lines: Path, left_out: frozenset[int] = frozenset()) -> None:
    """Try every seed but some; `lines` gets JSON lines: counts so far, and each failure."""
    warnings.simplefilter("ignore")
    counts: Counter[str] = Counter()
    most: dict[str, float] = {"seconds": 0.0, "megabytes": 0.0}
    with (
        lines.open("w", encoding="utf-8") as file,
        lines.with_suffix(".at").open("wb", buffering=0) as at,
        tempfile.TemporaryDirectory(dir=_memory()) as scratch,
    ):
        read_whole(corpus, Path(scratch))
        for seed in seeds:
            at.seek(0)
            at.write(seed.to_bytes(8, "little"))
            if seed not in left_out:
                outcome = try_case(seed, corpus, Path(scratch))
                _count(counts, most, outcome)
                if outcome.what == "failed":
                    _say(file, {"seed": seed, "loader": outcome.loader, "why": outcome.why})
            if (seed + 1) % REPORT == 0 or seed == seeds[-1]:
                _say(file, {"next": seed + 1, "counts": dict(counts), "most": most})


def _memory() -> str | None:
    """Return a folder in memory, where there is one: a million files are written and gone again."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - a folder of our own is made in it


def _count(counts: Counter[str], most: dict[str, float], outcome: Outcome) -> None:
    counts[f"{outcome.loader}: {outcome.what}"] += 1
    if outcome.what == "unforeseen":
        counts[f"unforeseen {outcome.why}"] += 1
    if outcome.what != "failed":
        most["seconds"] = max(most["seconds"], round(outcome.seconds, 3))
        most["megabytes"] = max(most["megabytes"], round(outcome.megabytes, 1))


def _say(file: Any, line: dict[str, Any]) -> None:
    file.write(json.dumps(line) + "\n")
    file.flush()


def main() -> None:
    """Run what the arguments ask for."""
    import torch

    torch.set_num_threads(1)
    first, stop, corpus, lines, *left_out = sys.argv[1:]
    limit_memory(ROOM)
    run(range(int(first), int(stop)), Path(corpus), Path(lines), frozenset(map(int, left_out)))


if __name__ == "__main__":
    main()
