"""The needs of kernels as the table of the documentation: `python -m benchmarks.gpu.shown` puts it there."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmarks.gpu_resources import FILE, SCAN
from benchmarks.report import insert
from benchmarks.results import rows_of

DOCS = Path(__file__).parents[2] / "docs" / "concepts"
HEADS = {
    "gpus.md": "| cell | kernel | dtype | devices | registers | stack, bytes | shared, KiB | code, KiB |",
    "gpus.ko.md": "| 셀 | 커널 | dtype | 장치 | 레지스터 | 스택, 바이트 | 공유 메모리, KiB | 코드, KiB |",
}
"""The pages, with the head of their table."""


def table(page: str, rows: Iterable[dict[str, Any]]) -> str:
    """Return the table of a page: a line for each kernel and dtype, with the most over its devices."""
    groups: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for row in rows:
        kernel = row["kernel"].partition(",")[0] if row["cell"] == SCAN else row["kernel"]
        groups.setdefault((row["cell"], kernel, row["dtype"]), []).append(row)
    return "\n".join([HEADS[page], "|---" * 4 + "|---:" * 4 + "|", *(_line(key, some) for key, some in groups.items())])


def _line(key: tuple[str, str, str], rows: list[dict[str, Any]]) -> str:
    devices = ", ".join(dict.fromkeys(row["device"] for row in rows))
    done = [row for row in rows if "refused" not in row]
    if not done:
        return f"| {' | '.join([*key, devices])} | | | | |"
    most = [max(row[name] for row in done) for name in ("registers", "stack", "shared", "cubin")]
    numbers = [str(most[0]), str(most[1]), f"{most[2] / 1024:.0f}", f"{most[3] / 1024:.0f}"]
    return f"| {' | '.join([*key, devices, *numbers])} |"


def main() -> None:
    """Put the table into both pages."""
    rows = rows_of(FILE)
    for page in HEADS:
        insert(DOCS / page, "gpu resources", table(page, rows))


if __name__ == "__main__":
    main()
