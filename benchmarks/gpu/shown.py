"""The needs of kernels as the table of the documentation: `python -m benchmarks.gpu.shown` puts it there."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmarks.gpu_resources import FILE
from benchmarks.report import insert
from benchmarks.results import read

DOCS = Path(__file__).parents[2] / "docs" / "concepts"
HEADS = {
    "gpus.md": "| cell | kernel | dtypes | devices | kernels | registers | stack, bytes | shared, KiB | code, KiB |",
    "gpus.ko.md": "| 셀 | 커널 | dtype | 장치 | 커널 수 | 레지스터 | 스택, 바이트 | 공유 메모리, KiB | 코드, KiB |",
}
"""The pages, with the head of their table."""


def table(page: str, rows: Iterable[dict[str, Any]]) -> str:
    """Return the table of a page: a line for each cell and kind of kernel, with the most of all its kernels."""
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["cell"], kind_of(row)), []).append(row)
    return "\n".join([HEADS[page], "|---" * 4 + "|---:" * 5 + "|", *(_line(key, some) for key, some in groups.items())])


def kind_of(row: dict[str, Any]) -> str:
    """Return the kind of a row's kernel: "forward, stepped 2 16x32x32, H=64" is a stepped one."""
    first, *others = row["kernel"].split(", ")
    return first if row["cell"] == "scan" else str(others[0].split()[0])


def _line(key: tuple[str, str], rows: list[dict[str, Any]]) -> str:
    dtypes, devices = (", ".join(dict.fromkeys(row[name] for row in rows)) for name in ("dtype", "device"))
    most = [max(row[name] for row in rows) for name in ("registers", "stack", "shared", "cubin")]
    numbers = [str(len(rows)), str(most[0]), str(most[1]), f"{most[2] / 1024:.0f}", f"{most[3] / 1024:.0f}"]
    return f"| {' | '.join([*key, dtypes, devices, *numbers])} |"


def main() -> None:
    """Put the table into both pages."""
    rows = read(FILE)["rows"]
    for page in HEADS:
        insert(DOCS / page, "gpu resources", table(page, rows))


if __name__ == "__main__":
    main()
