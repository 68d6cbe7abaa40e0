"""Compile kernels for GPUs, without one: `python -m benchmarks.gpu_resources`, into gpu_resources.json.

Every kernel is compiled for sm_80, sm_90 and sm_100 by the compiler that comes with Triton, and `cuobjdump` of the
same wheel says what it asks for: registers, stack (where registers spill), shared memory, machine code. It ends with an
error where one spills or asks for more shared memory than a device has.

A cell is a part of the file: a run that was stopped goes on with the next. `--cells NAME ...`, `--dtypes` and
`--devices` choose; the scan is called scan. `--check` writes nothing, and `--kernels resident` then takes only kernels
that have such words in their names.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from benchmarks.gpu.cell_variants import DTYPES, cell_variants
from benchmarks.gpu.compiled import DEVICES, Device, Variant, compiled, complaints
from benchmarks.gpu.scan_variants import scan_variants
from benchmarks.machine import version
from benchmarks.results import RESULTS, SuiteFile, heading
from loopcell import cells

FILE = RESULTS / "gpu_resources.json"
SCAN = "scan"


def variants(cell: str, dtypes: Sequence[str], device: Device) -> Iterator[Variant]:
    """Yield the kernels of a cell, or of the scan, for a device."""
    if cell == SCAN:
        yield from (variant for variant in scan_variants() if variant.dtype in dtypes)
        return
    for dtype in dtypes:
        yield from cell_variants(cell, dtype, device)


def rows_of(
    cell: str, dtypes: Sequence[str], devices: Sequence[Device], kernels: str = ""
) -> Iterator[tuple[dict[str, Any], list[str]]]:
    """Compile the kernels of a cell; yield rows of the table, each with what is wrong with it."""
    for device in devices:
        for variant in (variant for variant in variants(cell, dtypes, device) if kernels in variant.kind):
            about = {"kernel": variant.kind, "dtype": variant.dtype, "device": f"sm_{device.capability}"}
            try:
                found = compiled(variant, device)
            except Exception as error:  # noqa: BLE001 - the compiler may refuse in any way, and that is a row too
                words = f"{type(error).__name__}: {error}".splitlines()[0][:200]
                yield {**about, "refused": words}, [f"{variant.name} on sm_{device.capability} is refused: {words}"]
                continue
            yield {**about, **asdict(found)}, list(complaints(variant.name, found, device))


def main(words: Sequence[str] | None = None) -> None:
    """Compile, print, and write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", nargs="+", default=[SCAN, *cells.names()], metavar="CELL")
    parser.add_argument("--dtypes", nargs="+", choices=list(DTYPES), default=list(DTYPES))
    parser.add_argument("--devices", nargs="+", type=int, choices=[device.capability for device in DEVICES])
    parser.add_argument("--check", action="store_true", help="write nothing")
    parser.add_argument("--kernels", default="", metavar="WORDS", help="with --check: kernels of these words alone")
    asked = parser.parse_args(words)
    if asked.kernels and not asked.check:
        parser.error("--kernels needs --check: a part of the file is a whole cell")
    devices = [device for device in DEVICES if not asked.devices or device.capability in asked.devices]
    table = SuiteFile(FILE, heading(triton=version("triton")))
    wrong: list[str] = []
    for cell in asked.cells:
        if cell in table.parts and not asked.check:
            continue
        rows = []
        for row, found in rows_of(cell, asked.dtypes, devices, asked.kernels):
            print(cell, *row.values(), sep="  ", flush=True)
            rows.append({"cell": cell, **row})
            wrong += found
        if rows and not asked.check:
            table.add(cell, rows)
    if wrong:
        raise SystemExit("\n".join(wrong))


if __name__ == "__main__":
    main()
