"""Training on more than memory: the peak under `ulimit -v`, for data of 1, 5 and 20 times what the process may take.

Each training is a process of its own (`more_than_memory_part`), which first trains on a few examples and then may take
`MARGIN` more address space than that took. The same training without a limit, all in memory, has to give the same
weights bit for bit, and under the limit it has to fail: else the limit would prove nothing.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.results import RESULTS, heading, write_beside

MARGIN = 64 << 20  # bytes that a training may take beside what one on a few examples takes
TIMES = (1, 5, 20)  # of the margin, the data
STEPS, INPUTS = 64, 64
EXAMPLE = STEPS * INPUTS * 4  # bytes
LAYOUTS = ("rows", "units")
WARM = 512  # examples of the training that comes first
GROUP = {"rows": 100, "units": 2000}
"""Examples of a row group: a reader holds what a file says of all its groups, which of few rows each is a lot."""


def write_examples(path: Path, layout: str, count: int) -> None:
    """Write a Parquet file of examples [64, 64], float32, with a label each.

    Args:
        path: the file.
        layout: "rows", where a row is an example and has lists, or "units", where a row is a step.
        count: how many examples.
    """
    from pyarrow import parquet

    with parquet.ParquetWriter(path, next(_tables(layout, 1)).schema, compression="none", use_dictionary=False) as file:
        for table in _tables(layout, count):
            file.write_table(table)


def _tables(layout: str, count: int) -> Iterator[Any]:
    import pyarrow as pa

    random = np.random.default_rng(0)
    for start in range(0, count, GROUP[layout]):
        some = min(GROUP[layout], count - start)
        label = random.integers(0, 2, some)
        values = random.standard_normal((some, STEPS, INPUTS), np.float32)
        values[:, :, 0] += label[:, None]
        if layout == "units":
            unit = np.repeat(np.arange(start, start + some), STEPS)
            columns = {f"x{at}": values[:, :, at].ravel() for at in range(INPUTS)}
            yield pa.table({"unit": unit, **columns, "label": np.repeat(label, STEPS)})
            continue
        steps = _lists(INPUTS, pa.array(values.ravel()))
        yield pa.table({"values": _lists(STEPS, steps), "label": label})


def _lists(size: int, values: Any) -> Any:
    import pyarrow as pa

    return pa.ListArray.from_arrays(np.arange(0, len(values) + 1, size, dtype=np.int32), values)


def trained(few: Path, data: Path, layout: str, margin: int | None, *, in_memory: bool) -> dict[str, Any]:
    """Train in a process of its own, and return what it said of its memory and its weights.

    Args:
        few: a file of the training that comes first.
        data: the file to learn from.
        layout: of both.
        margin: bytes that it may take beside what the first training took; None for no limit.
        in_memory: hold everything in memory, however little there is.
    """
    asked = {"few": str(few), "data": str(data), "layout": layout, "margin": margin}
    held = {"LOOPCELL_IN_MEMORY": str(1 << 50)} if in_memory else {}
    environment = {name: value for name, value in os.environ.items() if name != "LOOPCELL_IN_MEMORY"} | held
    command = [sys.executable, "-m", "benchmarks.more_than_memory_part", json.dumps(asked)]
    done = subprocess.run(
        command, capture_output=True, text=True, env={**environment, "OMP_NUM_THREADS": "1"}, check=False
    )
    if done.returncode < 0 and in_memory and margin is not None:  # a library may end the process where memory ends
        return {"error": f"ended by {signal.Signals(-done.returncode).name}"}
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed: {done.stderr[-2000:]}")
    found = json.loads(done.stdout.splitlines()[-1])
    assert isinstance(found, dict)
    return found


def measured(layout: str, folder: Path) -> list[dict[str, Any]]:
    """Measure the trainings of one layout; RuntimeError where the weights differ, or the limit does not bind."""
    few, rows = folder / f"few-{layout}.parquet", []
    write_examples(few, layout, WARM)
    for times in TIMES:
        data = folder / f"{layout}-{times}.parquet"
        count = times * MARGIN // EXAMPLE
        write_examples(data, layout, count)
        limited = trained(few, data, layout, MARGIN, in_memory=False)
        free = trained(few, data, layout, None, in_memory=True)
        if limited["weights"] != free["weights"]:
            raise RuntimeError(f"{layout}, {times} times: the weights differ: {limited} {free}")
        refused = times == TIMES[-1] and trained(few, data, layout, MARGIN, in_memory=True)
        if refused and "error" not in refused:
            raise RuntimeError(f"{layout}: all in memory took no more than the limit, which so proves nothing")
        rows.append({"times": times, "examples": count, "limited": limited, "in memory": free, "refused": refused})
        data.unlink()
        print(shown(layout, rows[-1]), flush=True)
    return rows


def shown(layout: str, row: dict[str, Any]) -> str:
    """Return a row as a line."""
    limited, free = row["limited"], row["in memory"]
    return (
        f"{layout:6} {row['times']:>2}x  {row['examples']:>6,} examples  peak over an empty training: "
        f"{limited['resident'] >> 20:>5,} MiB resident, {limited['address space'] >> 20:>5,} MiB address space "
        f"({limited['seconds']:.0f} s); in memory {free['resident'] >> 20:>5,} MiB ({free['seconds']:.0f} s); "
        "the same weights"
    )


def main(asked: Sequence[str]) -> None:
    """Measure the named layouts, or both."""
    about = heading(margin=MARGIN, example={"steps": STEPS, "inputs": INPUTS, "bytes": EXAMPLE})
    for layout in asked or LAYOUTS:
        with tempfile.TemporaryDirectory(dir=os.environ.get("LOOPCELL_STORE")) as folder:
            rows = measured(layout, Path(folder))
        write_beside(RESULTS / "more_than_memory.json", about, "layouts", layout, {"rows": rows})


if __name__ == "__main__":
    main(sys.argv[1:])
