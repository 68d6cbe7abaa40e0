"""Compile kernels for GPUs, without one: `python -m benchmarks.gpu_resources`, into gpu_resources.json.

Every kernel is compiled for sm_80, sm_90 and sm_100 by the compiler that comes with Triton, and `cuobjdump` of the
same wheel says what it asks for: registers, stack (where registers spill), shared memory, machine code. It ends with an
error where one spills or asks for more shared memory than a device has.

A kernel takes seconds, and there are thousands. A row has a hash of all that was compiled; a kernel that has its row
is not compiled again: so a run goes on where it was stopped, and what a change leaves as it was stays. `--jobs 8`
compiles so many at once; `--cells NAME ...` (the scan is called scan), `--dtypes` and `--devices` choose. `--missing`
compiles nothing, and counts the kernels that have no row yet. `--check` writes nothing and believes no row;
`--kernels resident` then takes only kernels that have such words in their names.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from benchmarks.gpu.cell_variants import DTYPES, cell_variants
from benchmarks.gpu.compiled import DEVICES, Device, Resources, Variant, compiled, complaints
from benchmarks.gpu.scan_variants import scan_variants
from benchmarks.machine import version
from benchmarks.results import RESULTS, read
from loopcell import cells
from loopcell.files import atomic_write

FILE = RESULTS / "gpu_resources.json"
SCAN = "scan"


@dataclass(frozen=True)
class Part:
    """The kernels of a cell, or of the scan, in a dtype on a device."""

    cell: str
    dtype: str
    device: Device

    def variants(self) -> Iterator[Variant]:
        """Yield the kernels."""
        if self.cell == SCAN:
            yield from (variant for variant in scan_variants() if variant.dtype == self.dtype)
        else:
            yield from cell_variants(self.cell, self.dtype, self.device)


Row = dict[str, Any]


def parts(cells_of: Sequence[str], dtypes: Sequence[str], devices: Iterable[Device]) -> list[Part]:
    """Return parts of the file in its order."""
    return [Part(cell, dtype, device) for device in devices for dtype in dtypes for cell in cells_of]


def rows() -> list[Row]:
    """Return the rows of the file, as far as they are of the Triton that is installed."""
    found = read(FILE)
    return list(found.get("rows", [])) if found.get("triton") == version("triton") else []


def write(found: Mapping[str, Row]) -> None:
    """Write the file, a line a kernel."""
    lines = ",\n".join(json.dumps(row) for row in sorted(found.values(), key=_order))
    text = f'{{"triton": {json.dumps(version("triton"))}, "rows": [\n{lines}\n]}}\n'
    with atomic_write(FILE) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _order(row: Row) -> tuple[int, int, str, str]:
    names = [SCAN, *cells.names()]
    return names.index(row["cell"]), list(DTYPES).index(row["dtype"]), row["device"], row["kernel"]


def row_of(part: Part, variant: Variant) -> Row:
    """Compile a kernel; return its row of the table."""
    row = {"cell": part.cell, "kernel": variant.kind, "dtype": part.dtype, "device": f"sm_{part.device.capability}"}
    row["of"] = variant.fingerprint(part.device)
    try:
        return {**row, **asdict(compiled(variant, part.device))}
    except RuntimeError as error:  # a row too
        return {**row, "refused": str(error)}


def complaints_of(row: Row) -> Iterator[str]:
    """Yield what is wrong with a kernel."""
    name = f"{row['cell']} {row['kernel']} {row['dtype']}"
    if "refused" in row:
        yield f"{name} on {row['device']} is refused: {row['refused']}"
        return
    device = next(device for device in DEVICES if row["device"] == f"sm_{device.capability}")
    yield from complaints(name, Resources(**{field: row[field] for field in Resources.__dataclass_fields__}), device)


def main(words: Sequence[str] | None = None) -> None:
    """Compile, print, and write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", nargs="+", default=[SCAN, *cells.names()], metavar="CELL")
    parser.add_argument("--dtypes", nargs="+", choices=list(DTYPES), default=list(DTYPES))
    parser.add_argument("--devices", nargs="+", type=int, choices=[device.capability for device in DEVICES])
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="kernels that are compiled at once")
    parser.add_argument("--missing", action="store_true", help="compile nothing, and count what is not in the file")
    parser.add_argument("--check", action="store_true", help="write nothing")
    parser.add_argument("--kernels", default="", metavar="WORDS", help="with --check: kernels of these words alone")
    asked = parser.parse_args(words)
    if asked.kernels and not asked.check:
        parser.error("--kernels needs --check: the file has all kernels of a cell")
    devices = [device for device in DEVICES if not asked.devices or device.capability in asked.devices]
    chosen = parts(asked.cells, asked.dtypes, devices)
    wrong = _missing(chosen) if asked.missing else _compile(chosen, asked)
    if wrong:
        raise SystemExit("\n".join(wrong))


def _missing(chosen: Iterable[Part]) -> list[str]:
    """Print how many kernels have their row, by dtype and device; return what is wrong with these."""
    known = {row["of"]: row for row in rows()}
    wrong: list[str] = []
    there, all_of = Counter[str](), Counter[str]()
    for part in chosen:
        for variant in part.variants():
            row, name = known.get(variant.fingerprint(part.device)), f"{part.dtype} sm_{part.device.capability}"
            all_of[name] += 1
            there[name] += row is not None
            wrong += complaints_of(row) if row else []
    for name, count in all_of.items():
        print(f"{name}: {there[name]} of {count} kernels")
    return wrong


def _compile(chosen: Iterable[Part], asked: argparse.Namespace) -> list[str]:
    """Compile what has no row, and write the file after each part; return what is wrong."""
    known = {} if asked.check else {row["of"]: row for row in rows()}
    wrong: list[str] = []
    with ThreadPoolExecutor(asked.jobs) as pool:
        for part in chosen:
            variants = [variant for variant in part.variants() if asked.kernels in variant.kind]
            marks = {variant.fingerprint(part.device): variant for variant in variants}
            new = [variant for mark, variant in marks.items() if mark not in known]
            for row in pool.map(partial(row_of, part), new):
                print(*row.values(), sep="  ", flush=True)
                known[row["of"]] = row
            wrong += [words for mark in marks for words in complaints_of(known[mark])]
            here = (part.cell, part.dtype, f"sm_{part.device.capability}")
            kept = {m: r for m, r in known.items() if m in marks or (r["cell"], r["dtype"], r["device"]) != here}
            if not asked.check and (new or len(kept) < len(known)):
                write(kept)
            known = kept
    return wrong


if __name__ == "__main__":
    main()
