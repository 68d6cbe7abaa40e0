"""Compile kernels for GPUs, without one: `python -m benchmarks.gpu_resources`, into gpu_resources.json.

Every kernel is compiled for sm_80, sm_90 and sm_100 by the compiler that comes with Triton, and `cuobjdump` of the same
wheel says what it asks for: registers, stack (where registers spill), shared memory, machine code. It ends with an error
where one spills or asks for more shared memory than a device has. `--cells NAME ...` compiles some; nothing is written
then.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

from benchmarks.gpu.compiled import DEVICES, Variant, compiled, complaints
from benchmarks.gpu.scan_variants import scan_variants
from benchmarks.machine import version
from benchmarks.results import RESULTS, heading, write

FILE = RESULTS / "gpu_resources.json"


def variants() -> Iterator[Variant]:
    """Yield every kernel that there is."""
    yield from scan_variants()


def rows_of(some: Iterable[Variant]) -> Iterator[tuple[dict[str, Any], list[str]]]:
    """Compile kernels for every device; yield rows of the table, each with what is wrong with it."""
    for variant in some:
        for device in DEVICES:
            found = compiled(variant, device)
            about = {"cell": variant.cell, "kernel": variant.kind, "dtype": variant.dtype}
            row = {**about, "device": f"sm_{device.capability}", **asdict(found)}
            yield row, list(complaints(variant.name, found, device))


def main(words: Sequence[str] | None = None) -> None:
    """Compile, print, and write the file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split(":")[0])
    parser.add_argument("--cells", nargs="+", help="compile these alone, and write nothing")
    wanted = parser.parse_args(words).cells
    rows, wrong = [], []
    for row, found in rows_of(variant for variant in variants() if not wanted or variant.cell in wanted):
        print(*row.values(), sep="  ", flush=True)
        rows.append(row)
        wrong += found
    if not wanted:
        write(FILE, {**heading(triton=version("triton")), "rows": rows})
    if wrong:
        raise SystemExit("\n".join(wrong))


if __name__ == "__main__":
    main()
